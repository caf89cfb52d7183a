"""What time alone does to a customer, written down: falls of capacity, and orders that start, end or expire.

Dates decide; this only writes down what they say, in the order in which it happened. Every use case that changes
capacity or counted accounts opens the customer here, which locks the contract and settles it first; every reader of
accounts calls :func:`settle`; the worker settles the rest. So whoever comes first does it, once, and a late worker
lets nobody in.
"""

import asyncio
import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from db.accounts import counted_accounts
from db.contracts import StoredContract, due_customers, lock_next_due, locked_contract, next_due_at, save_settled
from db.customers import customers_by_id
from db.engine import DatabaseUnavailableError
from db.falls import add_fall, deactivate
from db.groups import built_in_group
from db.history import add_events
from db.spot_orders import save_progress, spot_orders_in_motion
from domain.customers import Customer
from domain.deactivation import FallEffect, effects, falls
from domain.errors import NotFound
from domain.history import SYSTEM, EventKind, NewEvent
from domain.orders import OrderStatus, SpotOrder
from resolvers.services import Clock, Services

logger = logging.getLogger("spotplan")

WORKER_SECONDS_MAX = 30.0
"""The worker looks at least this often, for what another process has made due."""

STATUS_EVENTS = {
    OrderStatus.EXPIRED: EventKind.SPOT_ORDER_EXPIRED,
    OrderStatus.ACTIVE: EventKind.SPOT_STARTED,
    OrderStatus.ENDED: EventKind.SPOT_ENDED,
}


@dataclass(frozen=True, slots=True)
class Opened:
    """A customer whose contract is locked until the transaction ends, and settled; None on the Free plan.

    ``now`` was read inside the lock, and is on no day before one that is settled already: who waited for the lock over
    midnight, or has a slow clock, cannot use the capacity of a day that is over.
    """

    customer: Customer
    stored: StoredContract | None
    now: datetime

    @property
    def today(self) -> date:
        return self.customer.day_at(self.now)


async def open_customer(session: AsyncSession, customer_id: int, clock: Clock) -> Opened:
    """Lock the customer's contract, read everything inside the lock, and settle what is due.

    Raises:
        NotFound: there is no such customer.
    """
    stored = await locked_contract(session, customer_id)
    customer = (await customers_by_id(session, [customer_id])).get(customer_id)
    if customer is None:
        raise NotFound(field="customerId")
    now = clock()
    if stored is not None:
        now = max(now, customer.day_begins_at(stored.settled_through))
        if stored.is_due(now):
            stored = await _settled(session, customer, stored, now)
    return Opened(customer, stored, now)


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


async def work(services: Services) -> None:
    """Settle whatever becomes due, until cancelled."""
    while True:
        seconds = WORKER_SECONDS_MAX
        try:
            await services.refresh_clock()
            await settle_all(services)
            async with services.database.read() as session:
                due_at = await next_due_at(session, ())
            if due_at is not None:
                seconds = min(seconds, max(1.0, (due_at - services.clock()).total_seconds()))
        except DatabaseUnavailableError as failure:
            logger.warning("the worker waits for the database: %s", failure)
        except Exception:
            logger.exception("the worker failed; it goes on with the next round")
        await asyncio.sleep(seconds)


async def _settled(session: AsyncSession, customer: Customer, stored: StoredContract, now: datetime) -> StoredContract:
    """Write down everything that time has moved up to now, and when it will move something next."""
    today, policy = customer.day_at(now), customer.deactivation_policy
    orders = await spot_orders_in_motion(session, stored.id)
    moves = sorted((move for order in orders for move in _moves(order, customer, now)), key=lambda move: move[0])
    through = stored.settled_through
    effects_: list[FallEffect] = []
    statuses: dict[int, str] = {}
    if falls(stored.contract, after=through, until=today):
        accounts = await counted_accounts(session, customer.id)
        statuses = {id_: status for id_, (_, status) in accounts.items()}
        counted = [account for account, _ in accounts.values()]
        effects_ = list(effects(stored.contract, counted, policy, customer, after=through, until=today))
    for effect in effects_:
        occurred_at = customer.day_begins_at(effect.fall.on)
        earlier = [move for move in moves if move[0] <= occurred_at]
        moves = moves[len(earlier) :]
        await _write_moves(session, customer, earlier, now)
        await _write_fall(session, customer, stored, effect=effect, statuses=statuses, now=now)
    await _write_moves(session, customer, moves, now)
    due_at = _next_due_at(customer, stored, orders, now)
    await save_settled(session, stored.id, max(through, today), due_at)
    return replace(stored, settled_through=max(through, today), due_at=due_at)


async def _write_fall(
    session: AsyncSession,
    customer: Customer,
    stored: StoredContract,
    *,
    effect: FallEffect,
    statuses: dict[int, str],
    now: datetime,
) -> None:
    occurred_at = customer.day_begins_at(effect.fall.on)
    fall_id = await add_fall(session, stored, effect, customer.deactivation_policy, now)
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


Move = tuple[datetime, SpotOrder, OrderStatus]
"""When an order moves, the order, and where to."""


def _moves(order: SpotOrder, customer: Customer, now: datetime) -> Iterator[Move]:
    """The moves of an order that time alone makes, up to an instant."""
    status = order.status
    for instant, wanted in _timetable(order, customer):
        if instant <= now:
            yield instant, replace(order, status=status), wanted
            status = wanted


def _timetable(order: SpotOrder, customer: Customer) -> Iterator[tuple[datetime, OrderStatus]]:
    """When time alone will move an order, and where to."""
    if order.status is OrderStatus.AWAITING_PAYMENT_METHOD:
        yield order.expires_at, OrderStatus.EXPIRED
        return
    confirmed_at = order.confirmed_at or order.placed_at
    if order.status is OrderStatus.CONFIRMED:
        # An order may be confirmed in the course of its first day.
        yield max(confirmed_at, customer.day_begins_at(order.period.starts_on)), OrderStatus.ACTIVE
    yield max(confirmed_at, customer.day_begins_at(order.period.ends_before)), OrderStatus.ENDED


async def _write_moves(session: AsyncSession, customer: Customer, moves: list[Move], now: datetime) -> None:
    for _, order, wanted in moves:
        await save_progress(session, replace(order, status=wanted))
    events = [
        NewEvent(
            kind=STATUS_EVENTS[wanted],
            occurred_at=instant,
            changes={"status": (order.status.value, wanted.value)},
            spot_order_id=order.id,
        )
        for instant, order, wanted in moves
    ]
    await add_events(session, customer.id, SYSTEM, events, now)


def _next_due_at(customer: Customer, stored: StoredContract, orders: list[SpotOrder], now: datetime) -> datetime | None:
    """The next instant after now at which time alone moves something; None where nothing is left."""
    later = [instant for order in orders for instant, _ in _timetable(order, customer) if instant > now]
    today, end = customer.day_at(now), stored.contract.ends_before
    fall_days: list[date] = [fall.on for fall in falls(stored.contract, after=today, until=end)]
    return min([*later, *(customer.day_begins_at(day) for day in fall_days[:1])], default=None)
