"""Plans of few orders without proof: slope scaling, orders taken away one by one, annealing, later starts.

All of them only ever add to the board; what is proven of their plans is for the exact search and the bounds to say.
"""

from collections.abc import Iterator
from itertools import count

import numpy as np

from planner.board import Board, Question, Selection
from planner.cheapest import cheapest_at
from planner.native.anneal import anneal
from planner.native.fit import INFEASIBLE, fit, highest
from planner.offers import Days, Offers

SLOPE_ROUNDS = 12
SLOPE_STEPS = 10_000
"""Whole numbers that a fee is told apart in: the flow solver takes no fractions."""
TAKEN_AWAY_FROM_MAX = 60
"""Taking away from more orders than this takes too long for what it finds."""
STEPS, STEPS_ORDERS = 10_000, 16
"""Moves of a round of annealing, for up to so many orders; their work grows with the square of the orders."""
HOT, COLD = 0.01, 0.000_5
"""Temperatures at the ends of a round of annealing, as shares of the plan's cost."""


def fewest_orders(question: Question) -> Days:
    """The offers of a plan of the fewest orders possible: proven, but as dear as it happens to be.

    Where an order may hold everything: from each day that is not covered yet, the offer over it that reaches
    furthest. Otherwise a flow of orders instead of units.
    """
    offers, deficit = question.offers, question.deficit
    if question.units_max < deficit.max():
        orders = cheapest_at(offers, -(-deficit // question.units_max), np.ones(len(offers), dtype=np.int64))
        return np.repeat(np.arange(len(orders)), orders)
    chosen, covered = [], 0
    for day in np.flatnonzero(deficit).tolist():
        if day >= covered:
            over = np.flatnonzero((offers.start <= day) & (offers.end > day))
            chosen.append(int(over[np.argmax(offers.end[over])]))
            covered = int(offers.end[chosen[-1]])
    return np.array(chosen, dtype=np.int64)


class Heuristics:
    """Each method adds plans to the board, in small pieces of work so that the caller can keep the time."""

    def __init__(self, question: Question, board: Board) -> None:
        self._question, self._board = question, board
        self._peaks = highest(question.deficit)
        self._seeds = count(1)

    def add(self, offers: Days, cap: int | None = None) -> Selection | None:
        """The cheapest units for these offers, as a plan on the board; None where they cannot cover all days."""
        question = self._question
        chosen, units = question.offers.select(offers), np.zeros(len(offers), dtype=np.int64)
        most = int(question.deficit.max()) if cap is None else cap
        if fit(chosen.start, chosen.end, chosen.price, self._peaks, most, INFEASIBLE, units) >= INFEASIBLE:
            return None
        plan = Selection.of(question, offers, units)
        self._board.add(plan)
        return plan

    def slopes(self, fee_minor: float) -> Iterator[None]:
        """Slope scaling: flows in which a fee per order is spread over the units that the order had last.

        Kim, Pardalos, A solution approach to the fixed charge network flow problem using a dynamic slope scaling
        procedure, Operations Research Letters 24, 1999. Yields after each flow.
        """
        offers, deficit = self._question.offers, self._question.deficit
        units = np.full(len(offers), int(deficit.max()), dtype=np.int64)
        for _ in range(SLOPE_ROUNDS):
            slope = SLOPE_STEPS / np.maximum(units, 1)
            last = units > 0
            units = cheapest_at(offers, deficit, (offers.price * (SLOPE_STEPS / fee_minor) + slope).astype(np.int64))
            self.add(np.flatnonzero(units))
            yield
            if np.array_equal(last, units > 0):
                return

    def take_away(self, plan: Selection, orders_min: int) -> Iterator[None]:
        """One order less at a time: the cheapest to do without, or two neighbours made one. Yields after each."""
        kept = plan.offers
        if len(kept) > TAKEN_AWAY_FROM_MAX:
            return
        while len(kept) > orders_min:
            fewer = [np.delete(kept, index) for index in range(len(kept))]
            fewer += [merged for index in range(len(kept) - 1) if (merged := self._merged(kept, index)) is not None]
            costs = [self._cost(offers) for offers in fewer]
            cheapest = int(np.argmin(costs))
            if costs[cheapest] >= INFEASIBLE:
                return
            kept = fewer[cheapest]
            self.add(kept, self._question.units_max)
            yield

    def _merged(self, kept: Days, index: int) -> Days | None:
        """An order and the next one replaced by the cheapest that covers both; None where there is none."""
        every, pair = self._question.offers, kept[index : index + 2]
        begin, end = every.start[pair].min(), every.end[pair].max()
        covering = np.flatnonzero((every.start <= begin) & (every.end >= end))
        if not len(covering):
            return None
        return np.sort(np.append(np.delete(kept, [index, index + 1]), covering[np.argmin(every.price[covering])]))

    def _cost(self, offers: Days) -> int:
        chosen, units = self._question.offers.select(offers), np.zeros(len(offers), dtype=np.int64)
        most = self._question.units_max
        return int(fit(chosen.start, chosen.end, chosen.price, self._peaks, most, INFEASIBLE, units))

    def anneal(self, orders: int) -> bool:
        """One round of annealing from the best plan of at most so many orders; whether it found a better one."""
        known = self._board.at_most(orders)
        if known is None:
            return False
        # Orders that are not used yet begin as copies: a copy takes no units until it has moved.
        chosen = known.offers[np.arange(orders) % len(known)]
        best = chosen.copy()
        question, offers = self._question, self._question.offers
        cost = max(1, known.cost_minor)
        anneal(
            offers.start,
            offers.end,
            offers.price,
            self._peaks,
            question.units_max,
            question.fee_minor,
            chosen,
            best,
            HOT * cost,
            COLD * cost,
            STEPS * STEPS_ORDERS**2 // max(STEPS_ORDERS, orders) ** 2 + 1,
            next(self._seeds),
        )
        found = self.add(best, question.units_max)
        return found is not None and found.key < known.key

    def later(self, plan: Selection) -> Selection:
        """The plan with each order as late as it can start: as many months, no dearer, every day still covered."""
        offers, units = plan.offers.copy(), plan.units
        every = self._question.offers
        moved = True
        while moved:
            moved = False
            for index in range(len(offers) - 1, -1, -1):
                others = _spare(every, np.delete(offers, index), np.delete(units, index), self._question.deficit)
                later = _latest(every, int(offers[index]), int(units[index]), others)
                moved |= later != offers[index]
                offers[index] = later
        return Selection.of(self._question, offers, units)


def _spare(every: Offers, offers: Days, units: Days, deficit: Days) -> Days:
    """Units that orders cover beyond the deficit, per day; negative where they are short."""
    change = np.zeros(len(deficit) + 1, dtype=np.int64)
    np.add.at(change, every.start[offers], units)
    np.add.at(change, every.end[offers], -units)
    return np.asarray(np.cumsum(change)[:-1] - deficit)


def _latest(every: Offers, offer: int, units: int, spare: Days) -> int:
    """The offer of equal length that starts last, costs no more, and covers what is short."""
    short = np.flatnonzero(spare < 0)
    if not len(short):
        return offer
    same = (every.months == every.months[offer]) & (every.price <= every.price[offer])
    same &= (every.start >= every.start[offer]) & (every.start <= short[0]) & (every.end > short[-1])
    if not every.months[offer]:
        same &= every.end == every.end[offer]
    return int(np.flatnonzero(same)[-1])
