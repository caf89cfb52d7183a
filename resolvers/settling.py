"""What time alone does to a customer, written down: falls of capacity, and orders that start, end or expire.

Dates decide; this only writes down what they say, in the order in which it happened. Every use case that changes
capacity or counted accounts opens the customer here, which locks the contract and settles it first; every reader of
accounts calls :func:`settle`; the worker settles the rest. So whoever comes first does it, once, and a late worker
lets nobody in.
"""

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from db.accounts import counted_accounts
from db.contracts import (
    LockedContract,
    StoredContract,
    due_customers,
    lock_next_due,
    locked_contract,
    next_due_at,
    save_settled,
)
from db.customers import customers_by_id
from db.engine import DatabaseUnavailableError
from db.falls import add_fall, deactivate
from db.groups import built_in_group
from db.history import add_events
from db.purchases import move_open_orders, open_purchases, save_purchase
from db.spot_orders import running_spot_orders, save_progress
from domain.contracts import MainContract
from domain.customers import Customer
from domain.deactivation import FallEffect, effects, falls
from domain.errors import NotFound
from domain.history import SYSTEM, Change, EventKind, NewEvent
from domain.orders import OrderStatus, SpotOrder
from domain.purchases import Purchase
from resolvers.services import Clock, Services

logger = logging.getLogger("spotplan")

STATUS_EVENTS = {
    OrderStatus.ACTIVE: EventKind.SPOT_STARTED,
    OrderStatus.ENDED: EventKind.SPOT_ENDED,
}
EXPIRED_EVENTS = (EventKind.SPOT_ORDER_EXPIRED, EventKind.CONTRACT_ORDER_EXPIRED)


@dataclass(frozen=True, slots=True)
class Opened:
    """A customer whose contract is locked until the transaction ends, and settled.

    ``now`` was read inside the lock, and is on no day before one that is settled already: who waited for the lock over
    midnight, or has a slow clock, cannot use the capacity of a day that is over.
    """

    customer: Customer
    locked: LockedContract
    now: datetime

    @property
    def stored(self) -> StoredContract | None:
        """The contract; None on the Free plan."""
        return self.locked.stored

    @property
    def contract(self) -> MainContract | None:
        """The contract's terms and what was added to them; None on the Free plan."""
        return self.locked.stored.contract if self.locked.stored else None

    @property
    def today(self) -> date:
        return self.customer.day_at(self.now)


async def open_customer(session: AsyncSession, customer_id: int, clock: Clock) -> Opened:
    """Lock the customer's contract, read everything inside the lock, and settle what is due.

    Raises:
        NotFound: there is no such customer.
    """
    locked = await locked_contract(session, customer_id)
    customer = (await customers_by_id(session, [customer_id])).get(customer_id)
    if customer is None or locked is None:
        raise NotFound(field="customerId")
    now = max(clock(), customer.day_begins_at(locked.settled_through))
    if locked.is_due(now):
        locked = await _settled(session, customer, locked, now)
    return Opened(customer, locked, now)


async def settle(services: Services, customer_ids: Collection[int]) -> None:
    """Settle those of the customers that are due: before anything is read that time may have moved."""
    now = services.clock()
    async with services.database.read() as session:
        due = await due_customers(session, now, customer_ids)
    for customer_id in due:
        async with services.database.write() as session:
            await open_customer(session, customer_id, services.clock)


async def settle_all(services: Services) -> int:
    """Settle every customer that is due, each in a transaction of its own; how many were.

    Several processes share the work: each takes contracts that nobody else holds.

    Raises:
        DatabaseUnavailableError.
    """
    failed: set[int] = set()
    settled = 0
    while True:
        now = services.clock()
        async with services.database.read() as session:
            due_at = await next_due_at(session, failed)
        if due_at is None or due_at > now:
            return settled
        customer_id: int | None = None
        try:
            async with services.database.write() as session:
                customer_id = await lock_next_due(session, now, failed)
                if customer_id is None:
                    return settled  # another process holds what is left
                await open_customer(session, customer_id, services.clock)
        except DatabaseUnavailableError:
            raise
        except Exception:  # one customer's failure must not keep all others waiting
            if customer_id is None:
                raise
            logger.exception("customer %d could not be settled; the next round tries again", customer_id)
            failed.add(customer_id)
        else:
            settled += 1


async def _settled(session: AsyncSession, customer: Customer, locked: LockedContract, now: datetime) -> LockedContract:
    """Write down everything that time has moved up to now, and when it will move something next."""
    today, policy = customer.day_at(now), customer.deactivation_policy
    contract = locked.stored.contract if locked.stored else None
    orders = await running_spot_orders(session, locked.id)
    purchases = await open_purchases(session, customer.id)
    moves: list[Move] = [move for order in orders for move in _moves(order, customer, now)]
    moves += [
        (purchase.expires_at, purchase, OrderStatus.EXPIRED) for purchase in purchases if purchase.is_expired(now)
    ]
    moves.sort(key=lambda move: move[0])
    through = locked.settled_through
    effects_: list[FallEffect] = []
    statuses: dict[int, str] = {}
    if contract and falls(contract, after=through, until=today):
        accounts = await counted_accounts(session, customer.id)
        statuses = {id_: status for id_, (_, status) in accounts.items()}
        counted = [account for account, _ in accounts.values()]
        effects_ = list(effects(contract, counted, policy, customer, after=through, until=today))
    for effect in effects_:
        occurred_at = customer.day_begins_at(effect.fall.on)
        earlier = [move for move in moves if move[0] <= occurred_at]
        moves = moves[len(earlier) :]
        await _write_moves(session, customer, earlier, now)
        await _write_fall(session, customer, locked, effect=effect, statuses=statuses, now=now)
    await _write_moves(session, customer, moves, now)
    later = [instant for order in orders for instant, _ in _timetable(order, customer) if instant > now]
    later += [purchase.expires_at for purchase in purchases if not purchase.is_expired(now)]
    if contract:
        coming = falls(contract, after=today, until=contract.ends_before)
        later += [customer.day_begins_at(fall.on) for fall in coming[:1]]
    due_at = min(later, default=None)
    await save_settled(session, locked.id, max(through, today), due_at)
    return replace(locked, settled_through=max(through, today), due_at=due_at)


async def _write_fall(
    session: AsyncSession,
    customer: Customer,
    locked: LockedContract,
    *,
    effect: FallEffect,
    statuses: dict[int, str],
    now: datetime,
) -> None:
    occurred_at = customer.day_begins_at(effect.fall.on)
    fall_id = await add_fall(session, locked, effect, customer.deactivation_policy, now)
    fell = NewEvent(
        kind=EventKind.CAPACITY_FELL,
        occurred_at=occurred_at,
        changes={"capacity": (str(effect.fall.capacity_before), str(effect.fall.capacity_after))},
        capacity_fall_id=fall_id,
    )
    await add_events(session, customer.id, SYSTEM, [fell], now)
    if effect.deactivations:
        group = await built_in_group(session, customer.id)
        await deactivate(
            session,
            fall_id=fall_id,
            customer_id=customer.id,
            group_id=group.id,
            effect=effect,
            statuses=statuses,
            occurred_at=occurred_at,
            now=now,
        )


Move = tuple[datetime, SpotOrder | Purchase, OrderStatus]
"""When an order or a purchase moves, which, and where to."""


def _moves(order: SpotOrder, customer: Customer, now: datetime) -> Iterator[Move]:
    """The moves of a confirmed order that time alone makes, up to an instant."""
    status = order.status
    for instant, wanted in _timetable(order, customer):
        if instant <= now:
            yield instant, replace(order, status=status), wanted
            status = wanted


def _timetable(order: SpotOrder, customer: Customer) -> Iterator[tuple[datetime, OrderStatus]]:
    """When time alone will move a confirmed order, and where to."""
    confirmed_at = order.confirmed_at or order.placed_at
    if order.status is OrderStatus.CONFIRMED:
        # An order may be confirmed in the course of its first day.
        yield max(confirmed_at, customer.day_begins_at(order.period.starts_on)), OrderStatus.ACTIVE
    yield max(confirmed_at, customer.day_begins_at(order.period.ends_before)), OrderStatus.ENDED


async def _write_moves(session: AsyncSession, customer: Customer, moves: list[Move], now: datetime) -> None:
    events: list[NewEvent] = []
    for instant, moved, wanted in moves:
        if isinstance(moved, Purchase):
            purchase = replace(moved, status=wanted)
            await save_purchase(session, purchase)
            await move_open_orders(session, purchase, now)
            events += order_events(moved, wanted, EXPIRED_EVENTS, instant)
            continue
        await save_progress(session, replace(moved, status=wanted))
        changes: dict[str, Change] = {"status": (moved.status.value, wanted.value)}
        event = NewEvent(kind=STATUS_EVENTS[wanted], occurred_at=instant, changes=changes, spot_order_id=moved.id)
        events.append(event)
    await add_events(session, customer.id, SYSTEM, events, now)


def order_events(
    purchase: Purchase, wanted: OrderStatus, kinds: tuple[EventKind, EventKind], instant: datetime
) -> list[NewEvent]:
    """An event for each order of a purchase that moves as a whole: kinds are of spot orders, and of contract orders."""
    before = None if wanted is OrderStatus.AWAITING_PAYMENT_METHOD else purchase.status.value
    change: dict[str, Change] = {"status": (before, wanted.value)}
    spots = [
        NewEvent(kind=kinds[0], occurred_at=instant, changes=change, spot_order_id=order.id)
        for order in purchase.spot_orders
    ]
    contracts = [
        NewEvent(kind=kinds[1], occurred_at=instant, changes={**change, "order": (order.number, order.number)})
        for order in purchase.contract_orders
    ]
    return [*spots, *contracts]
