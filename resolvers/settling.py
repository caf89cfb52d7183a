"""What time alone does to a customer, written down: falls of capacity, and orders that start, end or expire.

Dates decide; this only writes down what they say, in the order in which it happened. Every use case that changes
capacity or counted accounts opens the customer here, which locks the contract and settles it first; every reader of
accounts calls :func:`settle`; the worker settles the rest. So whoever comes first does it, once, and a late worker
lets nobody in.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import zip_longest

from sqlalchemy.ext.asyncio import AsyncSession

from db.accounts import counted_with_status
from db.contracts import (
    LockedContract,
    StoredContract,
    due_customers,
    lock_due,
    locked_contracts,
    next_due_at,
    save_settled,
)
from db.customers import customers_by_id
from db.engine import DatabaseUnavailableError, after_commit
from db.falls import NewFall, add_falls, deactivate
from db.groups import add_built_in_groups
from db.history import LogEntry, add_log
from db.purchases import move_purchase, open_purchases
from db.spot_orders import running_spot_orders, save_statuses
from domain.contracts import MainContract
from domain.customers import Customer
from domain.errors import NotFound
from domain.history import SYSTEM, Change, EventKind, NewEvent
from domain.orders import OrderStatus
from domain.purchases import Purchase
from domain.timetable import Step, Timetable
from resolvers.metrics import FALLS
from resolvers.services import Clock, Services

logger = logging.getLogger("spotplan")

STATUS_EVENTS = {
    OrderStatus.ACTIVE: EventKind.SPOT_STARTED,
    OrderStatus.ENDED: EventKind.SPOT_ENDED,
}
EXPIRED_EVENTS = (EventKind.SPOT_ORDER_EXPIRED, EventKind.CONTRACT_ORDER_EXPIRED)

CUSTOMERS_AT_ONCE = 20
"""So many customers are settled in one transaction, which is as long as any other one has to wait for them."""


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
    opened = await _opened(session, [customer_id], clock)
    if not opened:
        raise NotFound(field="customerId")
    return opened[0]


async def settle(services: Services, customer_ids: Collection[int]) -> None:
    """Settle those of the customers that are due, some at once: before anything is read that time may have moved."""
    now = services.clock()
    async with services.database.read() as session:
        due = await due_customers(session, now, customer_ids)
    for start in range(0, len(due), CUSTOMERS_AT_ONCE):
        async with services.database.write() as session:
            await _opened(session, due[start : start + CUSTOMERS_AT_ONCE], services.clock)


async def settle_all(services: Services) -> int:
    """Settle every customer that is due, some at once; how many were.

    Several processes share the work: each takes contracts that nobody else holds.

    Raises:
        DatabaseUnavailableError.
    """
    failed: set[int] = set()
    settled, at_once = 0, CUSTOMERS_AT_ONCE
    while True:
        now = services.clock()
        async with services.database.read() as session:
            due_at = await next_due_at(session, failed)
        if due_at is None or due_at > now:
            return settled
        taken: list[int] = []
        try:
            async with services.database.write() as session:
                taken = await lock_due(session, now, but=failed, at_most=at_once)
                if not taken:
                    return settled  # another process holds what is left
                await _opened(session, taken, services.clock)
        except DatabaseUnavailableError:
            raise
        except Exception:  # one customer's failure must not keep all others waiting
            if not taken:
                raise
            if len(taken) > 1:
                at_once = 1  # one by one it will show who it was
                continue
            logger.exception("customer %d could not be settled; the next round tries again", taken[0])
            failed.update(taken)
            at_once = CUSTOMERS_AT_ONCE
        else:
            settled += len(taken)


async def _opened(session: AsyncSession, customer_ids: Collection[int], clock: Clock) -> list[Opened]:
    """Lock these customers' contracts, and settle those that are due. Who does not exist is absent."""
    locked = await locked_contracts(session, customer_ids)
    customers = await customers_by_id(session, customer_ids)
    read_at = clock()
    opened = []
    for contract in locked:
        customer = customers[contract.customer_id]
        now = max(read_at, customer.day_begins_at(contract.settled_through))
        opened.append(Opened(customer, contract, now))
    settled = await _settled(session, [item for item in opened if item.locked.is_due(item.now)])
    return settled + [item for item in opened if not item.locked.is_due(item.now)]


async def _settled(session: AsyncSession, due: Sequence[Opened]) -> list[Opened]:
    """Write down everything that time has moved up to now, and when it will move something next.

    Each statement is over all customers, so that there are no more of them for many.
    """
    if not due:
        return []
    orders = await running_spot_orders(session, [item.locked.id for item in due])
    purchases = await open_purchases(session, [item.customer.id for item in due])
    timetables = [
        Timetable(
            customer=item.customer,
            contract=item.contract,
            orders=orders[item.locked.id],
            purchases=purchases[item.customer.id],
            through=item.locked.settled_through,
        )
        for item in due
    ]
    falling = [
        timetable.customer.id for timetable, item in zip(timetables, due, strict=True) if timetable.falls(item.now)
    ]
    counted = await counted_with_status(session, falling)
    statuses = {account.id: status for accounts in counted.values() for account, status in accounts}
    steps = []
    for timetable, item in zip(timetables, due, strict=True):
        accounts = [account for account, _ in counted.get(item.customer.id, ())]
        steps.append([(item, step) for step in timetable.steps(accounts, item.now)])
    for together in zip_longest(*steps):
        await _write(session, [taken for taken in together if taken], statuses)
    settled = [
        replace(
            item,
            locked=replace(
                item.locked,
                settled_through=max(item.locked.settled_through, item.today),
                due_at=timetable.next_due_at(item.now),
            ),
        )
        for timetable, item in zip(timetables, due, strict=True)
    ]
    await save_settled(session, [item.locked for item in settled])
    return settled


async def _write(session: AsyncSession, steps: Sequence[tuple[Opened, Step]], statuses: Mapping[int, str]) -> None:
    """Write down one step of each customer; ``statuses`` are those of the accounts that may go."""
    falls: list[NewFall] = []
    log: list[LogEntry] = []
    wanted: dict[int, OrderStatus] = {}
    for item, step in steps:
        if step.effect:
            policy = item.customer.deactivation_policy
            falls.append(NewFall(item.customer.id, item.locked.id, step.effect, policy, step.occurred_at, item.now))
        for instant, moved, to in step.moves:
            if isinstance(moved, Purchase):
                await move_purchase(session, replace(moved, status=to), item.now)
                events = order_events(moved, to, EXPIRED_EVENTS, instant)
            else:
                wanted[moved.id] = to
                changes: dict[str, Change] = {"status": (moved.status.value, to.value)}
                events = [
                    NewEvent(kind=STATUS_EVENTS[to], occurred_at=instant, changes=changes, spot_order_id=moved.id)
                ]
            log += [LogEntry(item.customer.id, SYSTEM, event, item.now) for event in events]
    await save_statuses(session, wanted)
    handled = await add_falls(session, falls)
    if handled:
        after_commit(session, lambda: FALLS.inc(len(handled)))
    log += [LogEntry(fall.customer_id, SYSTEM, _fell(fall, id_), fall.recorded_at) for id_, fall in handled.items()]
    await add_log(session, log)
    await add_built_in_groups(session, [fall.customer_id for fall in falls if fall.effect.deactivations])
    await deactivate(session, handled, statuses)


def _fell(fall: NewFall, fall_id: int) -> NewEvent:
    capacity = (str(fall.effect.fall.capacity_before), str(fall.effect.fall.capacity_after))
    return NewEvent(
        kind=EventKind.CAPACITY_FELL,
        occurred_at=fall.occurred_at,
        changes={"capacity": capacity},
        capacity_fall_id=fall_id,
    )


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
