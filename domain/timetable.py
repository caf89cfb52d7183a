"""What time alone does to a customer: orders that start, end or expire, and falls of capacity, in their order."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from domain.contracts import MainContract
from domain.customers import Customer
from domain.deactivation import CapacityFall, CountedAccount, FallEffect, effects, falls
from domain.orders import OrderStatus, SpotOrder
from domain.purchases import Purchase

Move = tuple[datetime, SpotOrder | Purchase, OrderStatus]
"""When an order or a purchase moves, which, and where to."""


@dataclass(frozen=True, slots=True)
class Step:
    """Moves in their order, and the fall of capacity that follows them at an instant; None where none does."""

    moves: tuple[Move, ...]
    effect: FallEffect | None
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Timetable:
    """A customer's contract (None on the Free plan), its running spot orders and its purchases that are not paid.

    Everything up to and including the day ``through`` has been written down before.
    """

    customer: Customer
    contract: MainContract | None
    orders: Sequence[SpotOrder]
    purchases: Sequence[Purchase]
    through: date

    def falls(self, now: datetime) -> tuple[CapacityFall, ...]:
        """The falls of capacity by an instant. Where there are none, :meth:`steps` need not know the accounts."""
        if self.contract is None:
            return ()
        return falls(self.contract, after=self.through, until=self.customer.day_at(now))

    def steps(self, counted: Sequence[CountedAccount], now: datetime) -> Iterator[Step]:
        """What has happened by an instant, in its order. What falls on an instant comes after what moves on it."""
        moves = sorted(self._moves(now), key=lambda move: move[0])
        for effect in self._effects(counted, now):
            occurred_at = self.customer.day_begins_at(effect.fall.on)
            earlier = tuple(move for move in moves if move[0] <= occurred_at)
            moves = moves[len(earlier) :]
            yield Step(earlier, effect, occurred_at)
        if moves:
            yield Step(tuple(moves), None, moves[-1][0])

    def next_due_at(self, now: datetime) -> datetime | None:
        """The next instant after now at which time alone moves something; None where nothing is left."""
        later = [instant for order in self.orders for instant, _ in self._stations(order) if instant > now]
        later += [purchase.expires_at for purchase in self.purchases if not purchase.is_expired(now)]
        if self.contract:
            coming = falls(self.contract, after=self.customer.day_at(now), until=self.contract.ends_before)
            later += [self.customer.day_begins_at(fall.on) for fall in coming[:1]]
        return min(later, default=None)

    def _effects(self, counted: Sequence[CountedAccount], now: datetime) -> Iterable[FallEffect]:
        if self.contract is None:
            return ()
        policy, today = self.customer.deactivation_policy, self.customer.day_at(now)
        return effects(self.contract, counted, policy, self.customer, after=self.through, until=today)

    def _moves(self, now: datetime) -> Iterator[Move]:
        for order in self.orders:
            status = order.status
            for instant, wanted in self._stations(order):
                if instant <= now:
                    yield instant, replace(order, status=status), wanted
                    status = wanted
        for purchase in self.purchases:
            if purchase.is_expired(now):
                yield purchase.expires_at, purchase, OrderStatus.EXPIRED

    def _stations(self, order: SpotOrder) -> Iterator[tuple[datetime, OrderStatus]]:
        """When time alone moves a confirmed order, and where to."""
        confirmed_at = order.confirmed_at or order.placed_at
        if order.status is OrderStatus.CONFIRMED:
            # An order may be confirmed in the course of its first day.
            yield max(confirmed_at, self.customer.day_begins_at(order.period.starts_on)), OrderStatus.ACTIVE
        yield max(confirmed_at, self.customer.day_begins_at(order.period.ends_before)), OrderStatus.ENDED
