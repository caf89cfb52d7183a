"""A database from before accounts, with data: nothing is lost on the way up, down and up again."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import pytest
from alembic import command
from sqlalchemy import Connection, MetaData, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db.access import key_use
from db.contracts import LONG_AGO, contracts_by_customer
from db.engine import Database
from db.migrate import alembic_config, migrate
from db.tables import CapacityFallRow
from resolvers.settling import open_customer

T = TypeVar("T")
Rows = dict[str, list[dict[str, Any]]]
"""Rows by their table's name."""

NOW = datetime(2026, 4, 10, tzinfo=UTC)
# The first customer's contract has ended, the second one's lies far in the future, the third one is on the Free plan.
CREATED_AT = {1: datetime(2020, 1, 5, 10, tzinfo=UTC), 2: datetime(2021, 2, 1, 23, 30, tzinfo=UTC), 3: NOW}
PRICES = {"plan_code": "STARTER", "accounts_per_unit": 100, "monthly_unit_price_minor": 5_000}
PRICES |= {"billing_cycle": "ANNUAL", "annual_unit_price_minor": 30_000}
ORDER: dict[str, Any] = {
    "customer_id": 1,
    "main_contract_id": 10,
    "months": 1,
    "units": 1,
    "accounts": 100,
    "net_minor": 5_000,
    "tax_minor": 500,
    "tax_basis_points": 1_000,
    "currency": "JPY",
    "terms_version": "2026-04-01",
    "payment_method": None,
    "payment_due_on": None,
    "placed_at": datetime(2020, 4, 10, tzinfo=UTC),
    "expires_at": datetime(2020, 4, 10, 0, 30, tzinfo=UTC),
    "confirmed_at": None,
    "cancelled_at": None,
}
PAID = {"status": "CONFIRMED", "payment_method": "INVOICE", "payment_due_on": date(2020, 5, 31), "confirmed_at": NOW}


def term_row(id_: int, contract: int, begin: str, end: str, previous: str | None = None) -> dict[str, Any]:
    days = {"starts_on": date.fromisoformat(begin), "ends_before": date.fromisoformat(end)}
    before = date.fromisoformat(previous) if previous else None
    return {"id": id_, "main_contract_id": contract, **days, "previous_ends_before": before, "units": 1, **PRICES}


def order_row(id_: int, begin: str, end: str, **more: Any) -> dict[str, Any]:
    return {**ORDER, "id": id_, "starts_on": date.fromisoformat(begin), "ends_before": date.fromisoformat(end), **more}


def key_row(key: str, operation: str, order: int, customer: int = 1) -> dict[str, Any]:
    named = {"customer_id": customer, "key": key, "operation": operation}
    return {**named, "input_hash": f"hash of {key}", "spot_order_id": order, "created_at": NOW}


OLD: Rows = {
    "customers": [
        {
            "id": id_,
            "name": f"Customer {id_}",
            "kind": "CORPORATE",
            "time_zone": "America/New_York" if id_ == 2 else "Asia/Tokyo",
            "currency": "JPY",
            "created_at": created_at,
        }
        for id_, created_at in CREATED_AT.items()
    ],
    "access_tokens": [
        {
            "id": 4,
            "token_hash": "x",
            "role": "OWNER",
            "customer_id": 1,
            "created_at": NOW,
            "expires_at": NOW + timedelta(days=1),
        }
    ],
    "main_contracts": [{"id": 10, "customer_id": 1, "version": 7}, {"id": 11, "customer_id": 2, "version": 1}],
    "terms": [
        term_row(1, 10, "2020-04-01", "2021-04-01"),
        term_row(2, 10, "2021-04-01", "2022-04-01", "2021-04-01"),
        term_row(3, 11, "2999-04-01", "3000-04-01"),
    ],
    "additional_licences": [
        {
            "id": 1,
            "main_contract_id": 10,
            "term_starts_on": date(2020, 4, 1),
            "starts_on": date(2020, 6, 1),
            "ends_before": date(2021, 4, 1),
            "units": 2,
            "accounts": 200,
        }
    ],
    "spot_orders": [
        order_row(7, "2020-05-01", "2020-06-01", **PAID),
        order_row(8, "2020-07-01", "2020-08-01", status="AWAITING_PAYMENT_METHOD"),
        order_row(42, "2999-05-01", "2999-06-01", **PAID, customer_id=2, main_contract_id=11),
        order_row(43, "2020-05-01", "2020-06-01", status="CANCELLED", cancelled_at=NOW),
    ],
    "idempotency_keys": [
        key_row("a", "spotOrderPlace", 7),
        key_row("b", "spotOrderCheckout", 7),
        key_row("c", "spotOrderCancel", 43),
        key_row("a", "spotOrderPlace", 42, customer=2),
    ],
}


async def insert_all(session: AsyncSession, rows: Rows) -> None:
    def inserted(connection: Connection) -> None:
        metadata = MetaData()
        metadata.reflect(connection)
        for name, values in rows.items():
            connection.execute(insert(metadata.tables[name]), values)

    await (await session.connection()).run_sync(inserted)


async def read_all(session: AsyncSession) -> Rows:
    """Every row of every table that there is, in the order of keys, with instants in UTC."""

    def read(connection: Connection) -> Rows:
        metadata = MetaData()
        metadata.reflect(connection)
        return {
            table.name: [
                {name: in_utc(value) for name, value in row.items()}
                for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()
            ]
            for table in metadata.sorted_tables
        }

    return await (await session.connection()).run_sync(read)


def in_utc(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)  # SQLite keeps no time zone


def run(url: str, use: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """Do something in a transaction of its own, on a connection as the server has them."""

    async def used() -> T:
        database = Database(url)
        try:
            async with database.write() as session:
                if database.is_sqlite:
                    assert (await session.execute(text("PRAGMA foreign_keys"))).scalar_one() == 1
                    assert (await session.execute(text("PRAGMA foreign_key_check"))).all() == []
                return await use(session)
        finally:
            await database.close()

    return asyncio.run(used())


ORPHAN = key_row("d", "spotOrderPlace", 99)
NEWER: Rows = {
    "accounts": [
        {
            "customer_id": 1,
            "external_id": "e-1",
            "name": "Mei Abe",
            "status": "ACTIVE",
            "is_protected": False,
            "registered_at": NOW,
            "counted_since": NOW,
        }
    ],
    "events": [
        {
            "customer_id": 1,
            "kind": "POLICY_CHANGED",
            "actor": "SYSTEM",
            "occurred_at": NOW,
            "recorded_at": NOW,
            "changes": {},
        }
    ],
    "idempotency_keys": [
        {
            "customer_id": 1,
            "key": "import",
            "operation": "accountImport",
            "input_hash": "hash",
            "result": [3],
            "created_at": NOW,
        }
    ],
}
"""What only the newer tables hold."""


def test_a_database_from_before_accounts_loses_nothing_going_up_down_and_up_again(database_url: str) -> None:
    config = alembic_config(database_url)
    command.downgrade(config, "base")
    command.upgrade(config, "0001")
    run(database_url, lambda session: insert_all(session, OLD))
    for _ in range(2):
        before = datetime.now(UTC).date()
        migrate(database_url)
        yesterdays = {day - timedelta(days=1) for day in (before, datetime.now(UTC).date())}
        check_new_columns(run(database_url, read_all), yesterdays)
        run(database_url, check_what_the_server_reads)

        run(database_url, lambda session: insert_all(session, NEWER))
        command.downgrade(config, "0001")
        assert {name: rows for name, rows in run(database_url, read_all).items() if name in OLD} == OLD
        # A key still refers to an order that there is.
        with pytest.raises(IntegrityError):
            run(database_url, lambda session: insert_all(session, {"idempotency_keys": [ORPHAN]}))


def without_orders(rows: list[dict[str, Any]], columns: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows with some columns only, and without the order of an idempotency key."""
    return [{name: row[name] for name in columns if name != "spot_order_id"} for row in rows]


def check_new_columns(found: Rows, yesterdays: set[date]) -> None:
    # A customer on the Free plan is locked by a contract without terms.
    free = [row for row in found["main_contracts"] if row["customer_id"] == 3]
    assert [(row["version"], row["due_at"]) for row in free] == [(1, None)]
    found["main_contracts"] = [row for row in found["main_contracts"] if row["customer_id"] != 3]
    # Each order was a purchase of its own, which keeps its number, its status and its instants.
    assert [(row["id"], row["purchase_id"]) for row in found["spot_orders"]] == [(id_, id_) for id_ in (7, 8, 42, 43)]
    alike = ("id", "customer_id", "payment_method", "currency", "placed_at", "expires_at", "confirmed_at")
    assert [[row[name] for name in alike] for row in found["purchases"]] == [
        [row[name] for name in alike] for row in found["spot_orders"]
    ]
    for name, rows in OLD.items():
        assert without_orders(found[name], rows[0]) == without_orders(rows, rows[0])
    assert [row["deactivation_policy"] for row in found["customers"]] == ["ALL_REGISTERED_DURING_SPOT"] * 3
    for table in ("terms", "additional_licences"):
        owners = [1 if row["main_contract_id"] == 10 else 2 for row in found[table]]
        assert [row["recorded_at"] for row in found[table]] == [CREATED_AT[owner] for owner in owners]
    past, future = found["main_contracts"]
    assert past["settled_through"] == date(2020, 4, 1)
    assert future["settled_through"] in yesterdays  # no day that is not over counts as settled
    assert [row["due_at"] for row in (past, future)] == [LONG_AGO, LONG_AGO]
    assert [(row["customer_id"], row["key"], row["result"]) for row in found["idempotency_keys"]] == [
        (1, "a", [7]),
        (1, "b", [7]),
        (1, "c", [43]),
        (2, "a", [42]),
    ]
    assert "spot_order_id" not in found["idempotency_keys"][0]
    filled = {name for name, rows in found.items() if rows}
    assert filled - set(OLD) == {"alembic_version", "plans", "plan_prices", "purchases", "tax_rates"}


async def check_what_the_server_reads(session: AsyncSession) -> None:
    """Through the repositories; and settling finds every fall that there was, without keeping it."""
    stored = (await contracts_by_customer(session, [1, 2, 3]))[1]
    assert (stored.id, stored.version, len(stored.contract.terms)) == (10, 7, 2)
    use = await key_use(session, 1, "c")
    assert use is not None
    assert (use.operation, use.input_hash, use.result) == ("spotOrderCancel", "hash of c", (43,))
    for customer_id, due_at in ((1, None), (2, datetime(2999, 5, 1, 4, tzinfo=UTC))):
        assert (await open_customer(session, customer_id, lambda: NOW)).locked.due_at == due_at, customer_id
    falls = await session.execute(select(CapacityFallRow.on_day, CapacityFallRow.deactivated))
    assert [tuple(row) for row in falls] == [(date(2021, 4, 1), 0), (date(2022, 4, 1), 0)]
    await session.rollback()
