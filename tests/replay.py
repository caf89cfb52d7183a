"""What must be true of every database, whatever has happened to it: the history explains each row.

Each customer's events are replayed one after the other, with a capacity that is added up here. Whatever was half done
or done twice (an account without its event, a fall without its accounts, a count beyond capacity) does not add up.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.contracts import StoredContract, contracts_by_customer
from db.customers import customers_by_id
from db.engine import Database
from db.tables import (
    AccountGroupMemberRow,
    AccountGroupRow,
    AccountRow,
    CapacityFallRow,
    CustomerRow,
    DeactivationRow,
    EventRow,
    MainContractRow,
    SpotOrderRow,
)
from domain.accounts import AUTO_DEACTIVATION
from domain.customers import Customer
from domain.deactivation import falls
from domain.months import ONE_DAY

MOVES = {
    "ACCOUNT_REGISTERED": (None, "ACTIVE"),
    "ACCOUNT_DEACTIVATED": ("ACTIVE", "DEACTIVATED"),
    "ACCOUNT_REACTIVATED": ("DEACTIVATED", "ACTIVE"),
    "SPOT_ORDER_PLACED": (None, "AWAITING_PAYMENT_METHOD"),
    "SPOT_ORDER_CONFIRMED": ("AWAITING_PAYMENT_METHOD", "CONFIRMED"),
    "SPOT_ORDER_EXPIRED": ("AWAITING_PAYMENT_METHOD", "EXPIRED"),
    "SPOT_STARTED": ("CONFIRMED", "ACTIVE"),
    "SPOT_ENDED": ("ACTIVE", "ENDED"),
}
"""The status that each event finds and leaves. Nobody suspends or deletes where this is used."""


@dataclass
class Replayed:
    """A customer as its events so far tell it."""

    customer: Customer
    stored: StoredContract
    rows_of_orders: dict[int, Row[Any]]
    rows_of_falls: dict[int, Row[Any]]
    counted: int = 0
    accounts: dict[int, str] = field(default_factory=dict)
    orders: dict[int, str] = field(default_factory=dict)
    groups: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    out: dict[int, set[int]] = field(default_factory=dict)
    """Whom each fall deactivated, in the order of the falls."""
    capacities: dict[date, int] = field(default_factory=dict)

    def capacity(self, day: date) -> int:
        """Capacity on a day, by the orders that are confirmed so far."""
        if day not in self.capacities:
            terms = (term.accounts for term in self.stored.contract.terms if term.period.contains(day))
            bought = (
                self.rows_of_orders[id_].accounts
                for id_, status in self.orders.items()
                if status in {"CONFIRMED", "ACTIVE", "ENDED"}
                and self.rows_of_orders[id_].starts_on <= day < self.rows_of_orders[id_].ends_before
            )
            self.capacities[day] = sum(terms) + sum(bought)
        return self.capacities[day]

    def apply(self, event: Row[Any]) -> None:
        """What an event did, if it fits to what was before."""
        if event.kind == "CAPACITY_FELL":
            self.fall(event)
            return
        if event.kind == "INVOICE_ISSUED":
            return
        statuses = self.accounts if event.account_id is not None else self.orders
        key = event.account_id if event.account_id is not None else event.spot_order_id
        assert (statuses.get(key), event.changes["status"]) == (MOVES[event.kind][0], list(MOVES[event.kind]))
        statuses[key] = MOVES[event.kind][1]
        if event.account_id is None:
            self.capacities.clear()
        elif event.kind == "ACCOUNT_DEACTIVATED":
            self.deactivate(event)
        else:
            self.counted += 1
            assert event.counted_after == self.counted <= self.capacity(self.customer.day_at(event.occurred_at))
            if event.kind == "ACCOUNT_REACTIVATED":
                self.groups[key].remove(AUTO_DEACTIVATION)
            elif "groups" in event.changes:
                self.groups[key].update(event.changes["groups"][1].split("; "))

    def fall(self, event: Row[Any]) -> None:
        """A fall, which no fall before has left behind undone."""
        self.check_fits()
        row = self.rows_of_falls[event.capacity_fall_id]
        assert row.id not in self.out
        self.out[row.id] = set()
        assert event.occurred_at == self.customer.day_begins_at(row.on_day)
        capacities = (self.capacity(row.on_day - ONE_DAY), self.capacity(row.on_day))
        assert (row.capacity_before, row.capacity_after, row.counted_before) == (*capacities, self.counted)
        assert event.changes == {"capacity": [str(capacity) for capacity in capacities]}

    def deactivate(self, event: Row[Any]) -> None:
        """An account goes with the last fall."""
        assert event.capacity_fall_id == [*self.out][-1]
        row = self.rows_of_falls[event.capacity_fall_id]
        self.out[row.id].add(event.account_id)
        self.groups[event.account_id].add(AUTO_DEACTIVATION)
        self.counted -= 1
        assert event.counted_after == row.counted_before - row.deactivated

    def check_fits(self) -> None:
        """After a fall with all its accounts, the others fit."""
        if self.out:
            row = self.rows_of_falls[[*self.out][-1]]
            assert len(self.out[row.id]) == row.deactivated
            assert row.counted_before - row.deactivated <= row.capacity_after


async def check_history(database: Database) -> None:
    """Every row is what the history says, and every fall up to the settled day was handled."""
    async with database.read() as session:
        customers = await customers_by_id(session, list(await session.scalars(select(CustomerRow.id))))
        contracts = await contracts_by_customer(session, [*customers])
        members = select(AccountGroupMemberRow.account_id, AccountGroupRow.name).join(
            AccountGroupRow, AccountGroupRow.id == AccountGroupMemberRow.group_id
        )
        groups: dict[int, set[str]] = defaultdict(set)
        for account_id, name in await session.execute(members):
            groups[account_id].add(name)
        out: dict[int, list[tuple[int, int]]] = defaultdict(list)
        columns = DeactivationRow.fall_id, DeactivationRow.position, DeactivationRow.account_id
        for fall_id, position, account_id in await session.execute(select(*columns)):
            out[fall_id].append((position, account_id))
        for id_, customer in customers.items():
            await _check_customer(session, customer, contracts[id_], groups, out)


async def _check_customer(
    session: AsyncSession,
    customer: Customer,
    stored: StoredContract,
    groups: dict[int, set[str]],
    out: dict[int, list[tuple[int, int]]],
) -> None:
    async def rows(table: type[Any]) -> dict[int, Row[Any]]:
        query = select(table.__table__).where(table.customer_id == customer.id).order_by(table.id)
        return {row.id: row for row in await session.execute(query)}

    accounts, orders, handled = await rows(AccountRow), await rows(SpotOrderRow), await rows(CapacityFallRow)
    replayed = Replayed(customer, stored, orders, handled)
    for event in (await rows(EventRow)).values():
        replayed.apply(event)
    replayed.check_fits()
    assert replayed.accounts == {id_: row.status for id_, row in accounts.items()}
    assert replayed.orders == {id_: row.status for id_, row in orders.items()}
    assert {id_: groups[id_] for id_ in accounts} == {id_: replayed.groups[id_] for id_ in accounts}
    assert replayed.out.keys() == handled.keys()
    for id_, gone in replayed.out.items():
        assert sorted(position for position, _ in out[id_]) == list(range(1, len(gone) + 1))
        assert {account_id for _, account_id in out[id_]} == gone
    days = Counter(row.on_day for row in handled.values())
    assert set(days.values()) <= {1}
    locked = (await session.scalars(select(MainContractRow).where(MainContractRow.customer_id == customer.id))).one()
    assert all(day <= locked.settled_through for day in days)
    fallen = falls(stored.contract, after=stored.contract.starts_on, until=locked.settled_through)
    assert {fall.on for fall in fallen} <= set(days)
    confirmed = sum(status in {"CONFIRMED", "ACTIVE", "ENDED"} for status in replayed.orders.values())
    assert stored.version == 1 + confirmed
