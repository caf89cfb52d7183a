"""The search for plans of few orders: the cheapest plan with at most k orders, for every k, and what is proven of it.

    C(k) = min  sum_j price[j] x[j] + fee sum_j y[j]
           s.t. (C1) sum_{j covers t} x[j] >= u[t]  for every day t
                (C2) 0 <= x[j] <= cap y[j], x and y integer        y[j]: how many orders of offer j
                (C3) sum_j y[j] <= k
    and among the cheapest the one of the fewest orders, then of the latest starts: max sum_j start[j] y[j]

Ways to the answer, from the quick to the slow; each adds plans or bounds to the board, and the search stops as soon
as all of C is proven or the time is over:

    flow       without (C3) and fee this is the min-cost flow of :mod:`planner.cheapest`: a bound for every k
    exact      send-and-split on growing relaxations (:mod:`planner.exact`): all k at once
    heuristic  slope scaling, orders taken away, annealing (:mod:`planner.heuristics`): plans
    branch     CP-SAT (:mod:`planner.branch`) for the one k that matters most
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import gcd
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from planner.board import Board, Question, Selection
from planner.cheapest import cheapest_units
from planner.exact import ExactSearch
from planner.heuristics import Heuristics, fewest_orders
from planner.line import Line
from planner.native.fit import INFEASIBLE
from planner.native.potentials import distances
from planner.offers import Days

if TYPE_CHECKING:
    from planner.branch import Face

QUICK_SECONDS = 0.1
"""An exact round guessed to take no longer comes before any heuristic; a longer one too, if it may be the last."""
QUICK_RUNS_MAX = 20
"""With so few runs of equal deficit the exact search mostly proves everything."""
PATIENCE = 12
"""Rounds of annealing in a row without a better plan before a number of orders is left; a third for the minor ones."""
BRANCH_SECONDS_MIN = 0.2
BRANCH_OFFERS_MAX = 5_000
"""With more offers than this CP-SAT would spend the time on reading its model."""


@dataclass(slots=True)
class Search:
    """One question's search. ``orders_max`` None: no limit, the fewest orders at the least cost are looked for.

    ``deadline`` is on the clock of :func:`time.perf_counter`.
    """

    question: Question
    orders_max: int | None
    deadline: float
    board: Board = field(init=False)
    flow_units: Days = field(init=False)
    methods: set[str] = field(init=False, default_factory=set)
    _heuristics: Heuristics = field(init=False)
    _line: Line = field(init=False)
    _exact: dict[int, ExactSearch] = field(init=False, default_factory=dict)
    _flow_seconds: float = field(init=False)
    _latest_are_known: bool = field(init=False, default=False)
    _later: dict[Selection, Selection] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        question, started = self.question, perf_counter()
        self.flow_units = cheapest_units(question.offers, question.deficit)
        self._flow_seconds = perf_counter() - started
        bought = np.flatnonzero(self.flow_units)
        flow = Selection.of(question, bought, self.flow_units[bought])
        prices = flow.cost_minor - question.fee_minor * len(flow)
        fewest = fewest_orders(question)
        self.board = Board(prices, len(fewest), question.fee_minor)
        self.board.add(flow)
        self._heuristics = Heuristics(question, self.board)
        if self._heuristics.add(fewest, question.units_max) is None:
            raise RuntimeError("orders that cover every day do not cover it")
        self._single()
        self._line = Line.of(question.offers, question.deficit)

    def _single(self) -> None:
        """The cheapest plan of one order: one offer over all days with a need, if one may hold enough."""
        question, offers = self.question, self.question.offers
        days, units = np.flatnonzero(question.deficit), question.deficit.max(keepdims=True)
        spanning = np.flatnonzero((offers.start <= days[0]) & (offers.end > days[-1]))
        if self.board.orders_min == 1 and len(spanning):
            best = spanning[np.lexsort((-offers.start[spanning], offers.price[spanning]))[:1]]
            plan = Selection.of(question, best, units)
            self.board.add(plan)
            self.board.raise_bound(1, plan.cost_minor)

    @property
    def orders_asked(self) -> int:
        """The largest number of orders of interest, within the limit: a plan of more cannot be cheaper."""
        best = self.board.plans()[0] if self.question.fee_minor else self.board.at_most(None)
        most = len(best) if best is not None else 0
        if self.question.fee_minor and (cheapest := self.board.at_most(None)) is not None:
            affordable = (cheapest.cost_minor - self.board.prices_floor_minor - 1) // self.question.fee_minor
            most = max(len(cheapest), min(most, affordable))
        return most if self.orders_max is None else min(most, self.orders_max)

    @property
    def best(self) -> Selection:
        """The best known plan within the limit.

        Raises:
            LookupError: the limit is below the fewest orders possible.
        """
        plan = self.board.at_most(self.orders_max)
        if plan is None:
            raise LookupError(f"no plan has at most {self.orders_max} orders")
        return plan

    @property
    def is_possible(self) -> bool:
        """Whether some plan keeps the limit on orders."""
        return self.orders_max is None or self.orders_max >= self.board.orders_min

    @property
    def bound_minor(self) -> int:
        """No plan within the limit costs less."""
        return min(self.board.bound(self.orders_asked), self.best.cost_minor)

    @property
    def orders_bound(self) -> int:
        """No plan of the best plan's cost, or less, has fewer orders."""
        orders = len(self.best)
        while self.board.bound(orders - 1) <= self.best.cost_minor:
            orders -= 1
        return orders

    @property
    def progress(self) -> tuple[int, ...]:
        """Changes whenever there is something new to tell about the best plan."""
        return (*self.best.key, self.bound_minor, self.orders_bound)

    def adopt(self, other: "Search") -> None:
        """Take over the plans of a search whose offers are all among these."""
        here = {key: index for index, key in enumerate(self.question.offers.keys())}
        there = list(other.question.offers.keys())
        for plan in other.board.plans():
            indices = np.array([here[there[index]] for index in plan.offers.tolist()], dtype=np.int64)
            self.board.add(Selection.of(self.question, indices, plan.units))

    def final(self, plan: Selection) -> Selection:
        """The plan with its orders as late as they can be; plans of the exact search are that already."""
        if self._latest_are_known:
            return plan
        if plan not in self._later:
            self._later[plan] = self._heuristics.later(plan)
        return self._later[plan]

    @property
    def _is_about_the_face(self) -> bool:
        """Whether the least cost is known and only the fewest orders at that cost are not."""
        return self.question.fee_minor == 0 and self.best.cost_minor == self.board.prices_floor_minor

    @property
    def seconds_left(self) -> float:
        return self.deadline - perf_counter()

    def run(self) -> Iterator[None]:
        """Search until all is proven or the time is over; yields whenever the board may have changed."""
        exact = self._exact_search(range(self.board.orders_min, self.orders_asked + 1))
        is_promising = np.count_nonzero(self._line.run_deficit) <= QUICK_RUNS_MAX
        while not exact.is_done and exact.seconds_guessed < self.seconds_left / 4:
            if exact.seconds_guessed > QUICK_SECONDS and not is_promising:
                break
            self.methods.add("exact")
            exact.round()
            yield
        if exact.is_done and not self._open():
            # A limit on what an order holds splits orders, and then other plans may start later.
            self._latest_are_known = self.question.units_max >= self.question.deficit.max()
            return
        self._exact[0] = exact
        yield from self._first_plans()
        # The proof that no cheapest plan has fewer orders gets half of the time, and gives back what it does not need.
        yield from self._improve(self.seconds_left * (0.5 if self._is_about_the_face else 0.0))
        for orders in self._open()[:1]:
            self._branch(orders)
            yield
        yield from self._improve(0.0)
        # What annealing has given up: one number of orders after the other.
        for orders in self._open():
            if self.seconds_left < BRANCH_SECONDS_MIN:
                return
            if not self.board.is_proven(orders):
                self._branch(orders)
                yield

    def _exact_search(self, orders: range) -> ExactSearch:
        return ExactSearch(self.question, self.board, self._line, orders)

    def _open(self) -> list[int]:
        """The numbers of orders with something left to find or prove, the one that matters most first.

        That is the limit; without one it is one order less than the best plan has.
        """
        return [k for k in range(self.orders_asked, self.board.orders_min - 1, -1) if not self.board.is_proven(k)]

    def _first_plans(self) -> Iterator[None]:
        self.methods.add("heuristic")
        if self.seconds_left < 2 * self._flow_seconds:
            return
        prices = self.question.offers.price
        step = gcd(*map(int, np.unique(prices))) or 1
        # So small a fee that it only tells plans of equal cost apart; then fees that matter.
        for fee in (step / 200, float(prices.mean()) / 10, float(prices.mean())):
            for _ in self._heuristics.slopes(max(fee, 1e-3)):
                yield
                if self.seconds_left < 2 * self._flow_seconds:
                    return
        for plan in self.board.plans():
            for _ in self._heuristics.take_away(plan, self.board.orders_min):
                yield
                if self.seconds_left < 0:
                    return

    def _improve(self, seconds_kept: float) -> Iterator[None]:
        """Annealing by turns for every open number of orders, and exact rounds for as much time."""
        failed: dict[int, int] = {}
        annealed_seconds, turn = QUICK_SECONDS, 0
        while self.seconds_left > seconds_kept and (open_now := self._open()):
            started = perf_counter()
            exact = self._cheapest_round(open_now, min(annealed_seconds, self.seconds_left / 2))
            patient = [k for k in open_now if failed.get(k, 0) < (PATIENCE if k == open_now[0] else PATIENCE // 3)]
            if exact is not None:
                self.methods.add("exact")
                exact.round()
                annealed_seconds -= perf_counter() - started
                yield
            elif patient:
                # Every other turn is the main one's.
                orders = patient[0] if turn % 2 == 0 else patient[turn // 2 % len(patient)]
                turn += 1
                is_better = self._heuristics.anneal(orders)
                failed[orders] = 0 if is_better else failed.get(orders, 0) + 1
                annealed_seconds += perf_counter() - started
                if is_better:
                    yield
            elif annealed_seconds < self.seconds_left:
                annealed_seconds = self.seconds_left
            else:
                return

    def _cheapest_round(self, open_now: list[int], seconds_max: float) -> ExactSearch | None:
        """Of the exact searches, for all numbers of orders (0) and for open ones, that of the quickest next round."""
        quickest, least = None, seconds_max
        for number in (0, *open_now):
            if number not in self._exact:
                self._exact[number] = self._exact_search(range(number, number + 1))
            exact = self._exact[number]
            if not exact.is_done and exact.seconds_guessed < least:
                quickest, least = exact, exact.seconds_guessed
        return quickest

    def _branch(self, orders: int) -> None:
        """CP-SAT in the time that is left, for one number of orders."""
        if self.seconds_left < BRANCH_SECONDS_MIN or len(self.question.offers) > BRANCH_OFFERS_MAX:
            return
        from planner.branch import branch  # noqa: PLC0415 # 0.4 s and 60 MB that most questions do not need

        self.methods.add("branch")
        face, known = None, self.board.at_most(orders)
        if self._is_about_the_face and self.board.bound(orders) == self.board.prices_floor_minor:
            face, known = self._face(), self.best
        if known is None:
            return
        found = branch(self.question, self._line, known, orders_max=orders, deadline=self.deadline, face=face)
        if found.plan is not None:
            self.board.add(found.plan)
        if face is None:
            self.board.raise_bound(orders, min(found.bound, INFEASIBLE - 1))
        else:
            # Fewer orders than the bound cost more than the floor, so at least the next whole amount.
            step = gcd(*map(int, np.unique(self.question.offers.price))) or 1
            self.board.raise_bound(min(found.bound, orders + 1) - 1, self.board.prices_floor_minor + step)

    def _face(self) -> "Face":
        """What all plans of least cost have in common, read off the flow's reduced costs."""
        from planner.branch import Face  # noqa: PLC0415 # as above

        line, bought = self._line, np.flatnonzero(self.flow_units)
        spare = line.coverage(bought, self.flow_units[bought]) - line.deficit
        price = self.question.offers.price
        length = distances(line.begin, line.end, price, self.flow_units, spare, -1)
        return Face(price + length[line.begin] == length[line.end], np.diff(length) > 0)
