"""Plans as sets of orders, searched exhaustively: the frontier, ties, and shortfalls; none of the planner's code."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement

import numpy as np
import numpy.typing as npt

from planner.problem import PlanningProblem
from tests.planner.oracle import accounts_missing, cheap_and_long, rows_of, units_missing

NEVER = 10**15
"""The cost of what so few orders cannot do."""

Running = tuple[tuple[int, int], ...]
"""Orders that are running: (exclusive end, units), sorted."""
Costs = tuple[int, ...]
"""The least cost with at most k orders, k from 0 on; NEVER where so few cannot do it."""


@dataclass(frozen=True)
class Purchase:
    """Orders that cover a day between them."""

    running: Running
    price: int


class FrontierOracle:
    """The least price with at most k orders, by recursion over the first day that is short.

    Orders that no short day asks for are not needed, so only on such a day orders are added, among those that cover
    it: largest first, until it is covered. When an order was started is of no interest later on, so of the offers that
    cover a day a cheaper one that runs at least as long is as good as any.
    """

    def __init__(self, problem: PlanningProblem, orders_max: int) -> None:
        self._rows = rows_of(problem)
        self._missing = sorted((on.toordinal(), units) for on, units in units_missing(problem).items())
        self._units_max = problem.units_per_order_max or NEVER
        self._fee, self._orders_max = problem.order_fee_minor, orders_max
        self._from_day = cache(self._from_day)  # type: ignore[method-assign]
        self._purchases = cache(self._purchases)  # type: ignore[method-assign]

    def costs(self) -> Costs:
        """With fees, for every number of orders up to the limit."""
        found: list[int] = []
        for orders, price in enumerate(self._after(0, ())):
            cost = price + self._fee * orders
            found.append(min([cost, *found[-1:]]))
        return tuple(min(cost, NEVER) for cost in found)

    def _after(self, index: int, running: Running) -> Costs:
        """From the day of an index on, with orders that are running."""
        while index < len(self._missing):
            day, needed = self._missing[index]
            running = tuple(order for order in running if order[0] > day)
            if sum(units for _, units in running) < needed:
                return self._from_day(index, running)
            index += 1
        return (0,) * (self._orders_max + 1)

    def _from_day(self, index: int, running: Running) -> Costs:
        """The same where the day is short."""
        _, needed = self._missing[index]
        least = [NEVER] * (self._orders_max + 1)
        for purchase in self._purchases(index, needed - sum(units for _, units in running)):
            after = self._after(index, _merged(running + purchase.running))
            number = len(purchase.running)
            for orders in range(number, len(least)):
                least[orders] = min(least[orders], after[orders - number] + purchase.price)
        return tuple(least)

    def _purchases(self, index: int, short: int) -> tuple[Purchase, ...]:
        """Every way to cover what is short: without its smallest order each leaves some of it."""
        day, _ = self._missing[index]
        pieces = [
            (units, end, price)
            for _, end, price in cheap_and_long([row for row in self._rows if row[0] <= day < row[1]])
            for units in range(1, self._most_units(index, end) + 1)
        ]
        pieces.sort(reverse=True)

        def ways(first: int, left: int, room: int) -> Iterator[tuple[tuple[int, int, int], ...]]:
            if left <= 0:
                yield ()
            elif room:
                for at in range(first, len(pieces)):
                    for others in ways(at, left - pieces[at][0], room - 1):
                        yield (pieces[at], *others)

        return tuple(
            Purchase(tuple((end, units) for units, end, _ in way), sum(units * price for units, _, price in way))
            for way in ways(0, short, self._orders_max)
        )

    def _most_units(self, index: int, end: int) -> int:
        """More than is missing on the worst day until an order's end is never of use."""
        return min(self._units_max, max(units for day, units in self._missing[index:] if day < end))


def _merged(running: Running) -> Running:
    """Orders of one end as one: what they add up to is all that matters."""
    units_by_end: dict[int, int] = {}
    for end, units in running:
        units_by_end[end] = units_by_end.get(end, 0) + units
    return tuple(sorted(units_by_end.items()))


@dataclass(frozen=True, order=True)
class Best:
    """What sets of orders are compared by; starts are the ordinals of their first days, negative: later is better."""

    short: int
    cost: int
    orders: int
    earliness: int


def best_sets(problem: PlanningProblem, orders_max: int) -> list[Best]:
    """The best set with at most k orders, for k from 0 to ``orders_max``: every one there is has been looked at.

    Sets within the budget only, where there is one; without one those that leave nothing short, if there are any.
    """
    orders = _every_order(problem)
    missing = _Missing(problem)
    best = missing.best(orders, np.zeros((1, 0), dtype=np.int64))
    found = [best]
    for number in range(1, orders_max + 1):
        for first in range(len(orders)):
            # Sets in which no order has a smaller index than the first.
            others = list(combinations_with_replacement(range(first, len(orders)), number - 1))
            rest = np.array(others, dtype=np.int64).reshape(len(others), number - 1)
            members = np.concatenate([np.full((len(rest), 1), first), rest], axis=1)
            best = min(best, missing.best(orders, members))
        found.append(best)
    return found


def _every_order(problem: PlanningProblem) -> npt.NDArray[np.int64]:
    """Every order with up to as many units as are missing at the worst: rows of start, end, price, units."""
    most = min(max(units_missing(problem).values()), problem.units_per_order_max or NEVER)
    return np.array(
        [(start, end, price * units, units) for start, end, price in rows_of(problem) for units in range(1, most + 1)],
        dtype=np.int64,
    ).reshape(-1, 4)


class _Missing:
    """The days on which accounts are missing, those that all orders treat alike only once."""

    def __init__(self, problem: PlanningProblem) -> None:
        missing = {on.toordinal(): accounts for on, accounts in accounts_missing(problem).items()}
        self._problem, self._days = problem, np.array(sorted(missing), dtype=np.int64)
        self._accounts = np.array([missing[day] for day in sorted(missing)], dtype=np.int64)

    def best(self, orders: npt.NDArray[np.int64], members: npt.NDArray[np.int64]) -> Best:
        """The best of sets of orders, given by their indices, shape (sets, orders)."""
        unit, (start, end, price, units) = self._problem.contract.accounts_per_unit, orders.T
        covers = (start[:, None] <= self._days) & (self._days < end[:, None])
        held = (covers * units[:, None])[members].sum(axis=1) * unit
        short = np.maximum(self._accounts - held, 0).sum(axis=1)
        cost = price[members].sum(axis=1) + self._problem.order_fee_minor * members.shape[1]
        if self._problem.budget_minor is not None:
            allowed = cost <= self._problem.budget_minor
            short, cost, members = short[allowed], cost[allowed], members[allowed]
        if not len(members):
            return Best(NEVER, NEVER, NEVER, 0)
        late = -start[members].sum(axis=1)
        at = np.lexsort((late, cost, short))[0]
        return Best(int(short[at]), int(cost[at]), members.shape[1], int(late[at]))
