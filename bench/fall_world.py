"""Databases on which capacity falls for many customers on one day: a template of each kind, copies, their rows."""

import asyncio
import hashlib
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import asyncpg
from sqlalchemy import Table, update
from sqlalchemy.ext.asyncio import AsyncSession

from bench.bare_falls import Day
from db.accounts import add_accounts
from db.clock import start_clock
from db.contracts import add_contract
from db.customers import add_customer
from db.engine import Database
from db.history import add_events
from db.migrate import migrate
from db.spot_orders import add_spot_order
from db.tables import Base, MainContractRow
from domain.accounts import NewAccount
from domain.contracts import BillingCycle, MainContract, Term
from domain.customers import Customer, CustomerKind
from domain.history import SYSTEM, EventKind, NewEvent
from domain.money import Charge
from domain.months import ONE_DAY, Period
from domain.orders import OrderStatus, PaymentMethod, SpotOrder
from resolvers.access import Role
from resolvers.tokens import issue_token
from schema.relay import global_id
from tests.postgresql import postgresql

ZONES = (
    "Pacific/Auckland",
    "Asia/Tokyo",
    "Asia/Shanghai",
    "Asia/Kolkata",
    "Asia/Dubai",
    "Europe/Athens",
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Los_Angeles",
)
"""The day begins in one after the other."""
TERM = Period(date(2026, 4, 1), date(2027, 4, 1))
SPOT = Period(date(2026, 5, 1), date(2026, 6, 1))
REGISTERED_ON = (date(2026, 4, 10), date(2026, 5, 10))
"""When the accounts that stay and those that go were registered."""
ACCOUNTS = 100
"""Of the main contract, and of the spot."""
BEFORE = datetime(2026, 5, 20, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Who can be asked: an operator's token, and a customer with room for whom nothing falls."""

    token: str
    idle_customer: str


def day_in(zone: str) -> Day:
    """The day on which the spots end, a minute after it began in a time zone."""
    customer = Customer(0, "", CustomerKind.CORPORATE, zone, "JPY", BEFORE)
    occurred = customer.day_begins_at(SPOT.ends_before)
    return Day(
        on=SPOT.ends_before,
        since=customer.day_begins_at(SPOT.starts_on),
        occurred=occurred,
        recorded=occurred + timedelta(minutes=1),
        next=customer.day_begins_at(TERM.ends_before),
    )


def prepare(address: str, customers: int) -> Prepared:
    """Migrate a database and fill it with so many customers, a tenth in each time zone."""
    migrate(address)
    return asyncio.run(_prepare(address, customers))


async def _prepare(address: str, customers: int) -> Prepared:
    database = Database(address)
    try:
        for number in range(customers):
            async with database.write() as session:
                await _add_due_customer(session, number, ZONES[number % len(ZONES)])
        async with database.write() as session:
            await start_clock(session, BEFORE)
            idle = await _add_customer(session, "Idle", "Asia/Tokyo", units=1_000)
            await _register(session, idle, range(1, ACCOUNTS + 1), BEFORE)
        valid_for = timedelta(days=1)
        token = await issue_token(
            database, role=Role.OPERATOR, customer_id=None, now=datetime.now(UTC), valid_for=valid_for
        )
    finally:
        await database.close()
    return Prepared(token, global_id("Customer", idle.id))


async def _add_customer(session: AsyncSession, name: str, zone: str, units: int) -> Customer:
    now = datetime(2026, 4, 1, 12, tzinfo=UTC)
    customer = await add_customer(
        session, name=name, kind=CustomerKind.CORPORATE, time_zone=zone, currency="JPY", now=now
    )
    term = Term(
        period=TERM,
        plan_code="STARTER",
        units=units,
        accounts_per_unit=ACCOUNTS,
        billing_cycle=BillingCycle.ANNUAL,
        monthly_unit_price_minor=5_000,
        annual_unit_price_minor=30_000,
    )
    stored = await add_contract(session, customer.id, MainContract((term,)), now)
    await _settle(session, stored.id, customer.day_begins_at(TERM.ends_before))
    return customer


async def _add_due_customer(session: AsyncSession, number: int, zone: str) -> None:
    customer = await _add_customer(session, f"Customer {number:05}", zone, units=1)
    contract_id = customer.id  # both tables begin empty and grow together
    placed_at = datetime(2026, 4, 20, tzinfo=UTC)
    order = SpotOrder(
        id=0,
        customer_id=customer.id,
        purchase_id=0,
        period=SPOT,
        months=1,
        units=1,
        accounts=ACCOUNTS,
        charge=Charge(5_000, 500, 1_000),
        currency="JPY",
        status=OrderStatus.ACTIVE,
        payment_method=PaymentMethod.INVOICE,
        payment_due_on=date(2026, 5, 31),
        terms_version="2026-04-01",
        placed_at=placed_at,
        expires_at=placed_at + timedelta(minutes=30),
        confirmed_at=placed_at,
        cancelled_at=None,
    )
    await add_spot_order(session, contract_id, order)
    await _settle(session, contract_id, customer.day_begins_at(SPOT.ends_before))
    for part, day in enumerate(REGISTERED_ON):
        instant = customer.day_begins_at(day) + timedelta(hours=9)
        await _register(session, customer, range(part * ACCOUNTS + 1, (part + 1) * ACCOUNTS + 1), instant)


async def _settle(session: AsyncSession, contract_id: int, due_at: datetime) -> None:
    values = {"settled_through": BEFORE.date() - ONE_DAY, "due_at": due_at}
    await session.execute(update(MainContractRow).where(MainContractRow.id == contract_id).values(**values))


async def _register(session: AsyncSession, customer: Customer, numbers: range, now: datetime) -> None:
    entries = [NewAccount(f"u{number}", f"User {number:04}", f"u{number}@example.com") for number in numbers]
    accounts = await add_accounts(session, customer.id, entries, now)
    events = [
        NewEvent(
            kind=EventKind.ACCOUNT_REGISTERED,
            occurred_at=now,
            changes={"status": (None, "ACTIVE")},
            account_id=account.id,
            counted_after=number,
        )
        for number, account in zip(numbers, accounts, strict=True)
    ]
    await add_events(session, customer.id, SYSTEM, events, now)


class Store(Protocol):
    """A kind of database: a template, and copies of it."""

    kind: str

    def address(self, name: str) -> str:
        """Where the database of a name is."""
        ...

    def create(self, name: str, template: str | None = None) -> str:
        """Make a database, empty or as a copy; its address."""
        ...

    def digests(self, name: str) -> dict[str, str]:
        """A digest of each table's rows."""
        ...


class SqliteStore:
    """Files of a folder."""

    kind = "SQLite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def address(self, name: str) -> str:
        return f"sqlite:///{self._file(name)}"

    def create(self, name: str, template: str | None = None) -> str:
        if template is not None:
            with closing(sqlite3.connect(self._file(template))) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            shutil.copy(self._file(template), self._file(name))
        return self.address(name)

    def digests(self, name: str) -> dict[str, str]:
        with closing(sqlite3.connect(self._file(name))) as connection:
            return {table.name: _digest(connection.execute(_all_of(table))) for table in Base.metadata.sorted_tables}

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.db"


class PostgresqlStore:
    """Databases of a server that a wheel carries."""

    kind = "PostgreSQL"

    def __init__(self, server: str) -> None:
        self._server = server

    def address(self, name: str) -> str:
        return self._server.replace("/postgres?", f"/{name}?")

    def create(self, name: str, template: str | None = None) -> str:
        copied = f" TEMPLATE {template}" if template is not None else ""
        asyncio.run(self._execute(f"CREATE DATABASE {name}{copied}"))
        return self.address(name)

    def digests(self, name: str) -> dict[str, str]:
        return asyncio.run(self._digests(name))

    async def _execute(self, statement: str) -> None:
        async with connected(self._server) as connection:
            await connection.execute(statement)

    async def _digests(self, name: str) -> dict[str, str]:
        async with connected(self.address(name)) as connection:
            return {
                table.name: _digest(tuple(row) for row in await connection.fetch(_all_of(table)))
                for table in Base.metadata.sorted_tables
            }


@asynccontextmanager
async def connected(address: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A plain connection to PostgreSQL."""
    connection = await asyncpg.connect(address)
    try:
        yield connection
    finally:
        await connection.close()


@contextmanager
def stores() -> Iterator[list[Store]]:
    """One store of each kind."""
    with tempfile.TemporaryDirectory(prefix="spotplan-bench-") as name, postgresql() as server:
        yield [SqliteStore(Path(name)), PostgresqlStore(server.address)]


def _all_of(table: Table) -> str:
    """Rows in the order of their keys. Of events, only the order of each customer's own matters, not the numbers."""
    names = [column.name for column in table.columns]
    keys = [column.name for column in table.primary_key]
    if table.name == "events":
        names, keys = [name for name in names if name != "id"], ["customer_id", "id"]
    quoted, order = (", ".join(f'"{name}"' for name in some) for some in (names, keys))
    return f'SELECT {quoted} FROM "{table.name}" ORDER BY {order}'  # noqa: S608 # our own tables' names


def _digest(rows: Iterator[Any]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr(row).encode())
    return digest.hexdigest()
