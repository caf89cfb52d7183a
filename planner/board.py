"""What is known of a question while it is searched: the best plans by their number of orders, and proven bounds."""

from dataclasses import dataclass, field

import numpy as np

from planner.native.fit import INFEASIBLE
from planner.offers import Days, Offers


@dataclass(frozen=True, eq=False, slots=True)
class Question:
    """Offers, all of them useful, and the units missing per day, shape (days,); what an order may hold and costs.

    ``units_max`` is the most units of one order, ``fee_minor`` is added to the prices for each order.
    """

    offers: Offers
    deficit: Days
    units_max: int
    fee_minor: int


@dataclass(frozen=True, eq=False, slots=True)
class Selection:
    """Orders: for each the index of its offer and its units; one offer may be there several times."""

    offers: Days
    units: Days
    cost_minor: int
    starts: int
    """The sum of the orders' first days: among equals, later is better."""

    @classmethod
    def of(cls, question: Question, offers: Days, units: Days) -> "Selection":
        """Orders in the offers' order, none of them empty, each within the most units of one order."""
        most = question.units_max
        pieces = -(-units // most)
        index = np.repeat(offers, pieces)
        held = np.full(len(index), most, dtype=np.int64)
        ends = np.cumsum(pieces)[pieces > 0] - 1
        held[ends] = (units - (pieces - 1) * most)[pieces > 0]
        order = np.lexsort((-held, index))
        index, held = index[order], held[order]
        cost = int(question.offers.price[index] @ held) + question.fee_minor * len(index)
        return cls(index, held, cost, int(question.offers.start[index].sum()))

    def __len__(self) -> int:
        return len(self.offers)

    @property
    def key(self) -> tuple[int, int, int]:
        """Cheapest first, then the fewest orders, then the latest starts."""
        return self.cost_minor, len(self), -self.starts


@dataclass(slots=True)
class Board:
    """Plans and bounds of one question.

    No plan's prices are below ``prices_floor_minor``, and no plan has fewer than ``orders_min`` orders.
    """

    prices_floor_minor: int
    orders_min: int
    fee_minor: int = 0
    _best: dict[int, Selection] = field(default_factory=dict)
    _bounds: dict[int, int] = field(default_factory=dict)

    def add(self, plan: Selection) -> bool:
        """Keep a plan if it is better than all of as few orders; whether it was."""
        known = self.at_most(len(plan))
        if known is not None and known.key <= plan.key:
            return False
        self._best[len(plan)] = plan
        return True

    def at_most(self, orders: int | None) -> Selection | None:
        """The best known plan of at most so many orders, or of any number."""
        fitting = [plan for count, plan in self._best.items() if orders is None or count <= orders]
        return min(fitting, key=lambda plan: plan.key) if fitting else None

    def plans(self) -> list[Selection]:
        """The best plan of each number of orders, the most orders first."""
        return [self._best[count] for count in sorted(self._best, reverse=True)]

    def raise_bound(self, orders: int, cost_minor: int) -> None:
        """It is proven that no plan of at most so many orders costs less than this; INFEASIBLE: there is none."""
        self._bounds[orders] = max(cost_minor, self._bounds.get(orders, 0))

    def bound(self, orders: int) -> int:
        """No plan of at most so many orders costs less; INFEASIBLE where so few cannot cover all days.

        A bound for more orders holds for fewer as well. With a fee, plans of k orders or fewer cost at least
        what is proven of those, and all others at least the lowest prices and k + 1 fees.
        """
        bound = self._direct(orders)
        if self.fee_minor and bound < INFEASIBLE:
            for fewer in range(self.orders_min, orders):
                others = self.prices_floor_minor + self.fee_minor * (fewer + 1)
                bound = max(bound, min(self._direct(fewer), others))
        return bound

    def _direct(self, orders: int) -> int:
        if orders < self.orders_min:
            return INFEASIBLE
        known = [bound for count, bound in self._bounds.items() if count >= orders]
        return max([self.prices_floor_minor + self.fee_minor * self.orders_min, *known])

    def is_proven(self, orders: int) -> bool:
        """Whether nothing better is left to find but later starts."""
        plan = self.at_most(orders)
        return plan.cost_minor == self.bound(orders) if plan else self.bound(orders) >= INFEASIBLE
