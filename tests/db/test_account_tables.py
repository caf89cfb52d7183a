"""Accounts, falls and the history: what the database refuses by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db.contracts import add_contract
from db.customers import add_customer
from db.engine import Database
from db.tables import (
    AccountGroupMemberRow,
    AccountGroupRow,
    AccountRow,
    Base,
    CapacityFallRow,
    CustomerRow,
    DeactivationRow,
    EventRow,
    TestClockRow,
)
from domain.contracts import MainContract
from domain.customers import CustomerKind
from tests.world import starter

NOW = datetime(2026, 4, 10, tzinfo=UTC)
CUSTOMER: dict[str, Any] = {
    "name": "Third",
    "kind": "CORPORATE",
    "time_zone": "Asia/Tokyo",
    "currency": "JPY",
    "created_at": NOW,
    "deactivation_policy": "EXCESS_ONLY",
}
ACCOUNT: dict[str, Any] = {
    "customer_id": 1,
    "external_id": "e-2",
    "name": "Ken Ito",
    "email": None,
    "status": "ACTIVE",
    "is_protected": False,
    "registered_at": NOW,
    "counted_since": NOW,
    "deactivated_at": None,
}
DELETED: dict[str, Any] = {**ACCOUNT, "status": "DELETED", "name": ""}
GROUP: dict[str, Any] = {"customer_id": 1, "name": "Teachers", "is_built_in": False}
MEMBER: dict[str, Any] = {"group_id": 2, "account_id": 1, "customer_id": 1}
FALL: dict[str, Any] = {
    "customer_id": 1,
    "main_contract_id": 1,
    "on_day": date(2026, 7, 1),
    "capacity_before": 200,
    "capacity_after": 100,
    "counted_before": 150,
    "deactivated": 150,
    "policy": "EXCESS_ONLY",
    "handled_at": NOW,
}
DEACTIVATION: dict[str, Any] = {
    "fall_id": 1,
    "position": 2,
    "account_id": 2,
    "reason": "NEWEST_OVER_CAPACITY",
    "previous_status": "SUSPENDED",
}
EVENT: dict[str, Any] = {
    "customer_id": 1,
    "kind": "ACCOUNT_REGISTERED",
    "actor": "SYSTEM",
    "occurred_at": NOW,
    "recorded_at": NOW,
    "account_id": 1,
    "changes": {"status": [None, "ACTIVE"]},
    "counted_after": 1,
}

ALLOWED: dict[str, tuple[type[Base], dict[str, Any]]] = {
    "a customer with the other policy": (CustomerRow, CUSTOMER),
    "an account": (AccountRow, ACCOUNT),
    "a deleted account": (AccountRow, DELETED),
    "a deactivated account": (AccountRow, {**ACCOUNT, "status": "DEACTIVATED", "deactivated_at": NOW}),
    "the external id of a deleted account": (AccountRow, {**ACCOUNT, "external_id": "gone"}),
    "a second deleted account of one external id": (AccountRow, {**DELETED, "external_id": "gone"}),
    "another customer's external id": (AccountRow, {**ACCOUNT, "customer_id": 2, "external_id": "theirs-not"}),
    "a group": (AccountGroupRow, GROUP),
    "another customer's name of a group": (AccountGroupRow, {**GROUP, "customer_id": 2}),
    "another customer's built-in group": (AccountGroupRow, {**GROUP, "customer_id": 2, "is_built_in": True}),
    "a member": (AccountGroupMemberRow, MEMBER),
    "a fall that takes all": (CapacityFallRow, FALL),
    "a fall to nothing that takes nobody": (CapacityFallRow, {**FALL, "capacity_after": 0, "deactivated": 0}),
    "a deactivation": (DeactivationRow, DEACTIVATION),
    "an event": (EventRow, EVENT),
    "an event that was recorded late": (EventRow, {**EVENT, "recorded_at": NOW + timedelta(days=9)}),
    "the test clock": (TestClockRow, {"id": 1, "now": NOW}),
}
FORBIDDEN: dict[str, tuple[type[Base], dict[str, Any], str]] = {
    "an unknown policy": (CustomerRow, {**CUSTOMER, "deactivation_policy": "NONE"}, "ck_customers_deactivation_policy"),
    "an unknown status": (AccountRow, {**ACCOUNT, "status": "GONE"}, "ck_accounts_status"),
    "no external id": (AccountRow, {**ACCOUNT, "external_id": ""}, "ck_accounts_external_id"),
    "no name": (AccountRow, {**ACCOUNT, "name": ""}, "ck_accounts_name"),
    "a deleted account with a name": (AccountRow, {**DELETED, "name": "Ken Ito"}, "ck_accounts_name"),
    "a deleted account with an address": (AccountRow, {**DELETED, "email": "ken@example.com"}, "ck_accounts_name"),
    "a deactivated account without its instant": (
        AccountRow, {**ACCOUNT, "status": "DEACTIVATED"}, "ck_accounts_deactivated",
    ),
    "an active account's external id": (AccountRow, {**ACCOUNT, "external_id": "e-1"}, "unique"),
    "a deactivated account's external id": (AccountRow, {**ACCOUNT, "external_id": "out"}, "unique"),
    "a suspended account of a taken external id": (
        AccountRow, {**ACCOUNT, "external_id": "e-1", "status": "SUSPENDED"}, "unique",
    ),
    "nobody's account": (AccountRow, {**ACCOUNT, "customer_id": 99}, "foreign key"),
    "a group without a name": (AccountGroupRow, {**GROUP, "name": ""}, "ck_account_groups_name"),
    "two groups of one name": (AccountGroupRow, {**GROUP, "name": "Learners"}, "unique"),
    "two built-in groups": (AccountGroupRow, {**GROUP, "is_built_in": True}, "unique"),
    "a membership twice": (AccountGroupMemberRow, {**MEMBER, "group_id": 1}, "unique"),
    "another customer's account in a group": (AccountGroupMemberRow, {**MEMBER, "account_id": 4}, "foreign key"),
    "an account in another customer's group": (AccountGroupMemberRow, {**MEMBER, "group_id": 3}, "foreign key"),
    "a membership across customers": (
        AccountGroupMemberRow, {**MEMBER, "account_id": 4, "customer_id": 2}, "foreign key",
    ),
    "a second fall on a day": (CapacityFallRow, {**FALL, "on_day": date(2026, 6, 1)}, "unique"),
    "a fall that does not fall": (CapacityFallRow, {**FALL, "capacity_after": 200}, "ck_capacity_falls_falls"),
    "a fall that rises": (CapacityFallRow, {**FALL, "capacity_after": 300}, "ck_capacity_falls_falls"),
    "a fall below nothing": (CapacityFallRow, {**FALL, "capacity_after": -1}, "ck_capacity_falls_falls"),
    "more out than counted": (CapacityFallRow, {**FALL, "deactivated": 151}, "ck_capacity_falls_deactivated"),
    "fewer than nobody out": (CapacityFallRow, {**FALL, "deactivated": -1}, "ck_capacity_falls_deactivated"),
    "a fall of another customer's contract": (CapacityFallRow, {**FALL, "main_contract_id": 2}, "foreign key"),
    "a place taken twice": (DeactivationRow, {**DEACTIVATION, "position": 1}, "unique"),
    "an account that goes twice": (DeactivationRow, {**DEACTIVATION, "account_id": 1}, "unique"),
    "an unknown reason": (DeactivationRow, {**DEACTIVATION, "reason": "AGE"}, "ck_deactivations_reason"),
    "a deactivation of who did not count": (
        DeactivationRow, {**DEACTIVATION, "previous_status": "DEACTIVATED"}, "ck_deactivations_previous_status",
    ),
    "a deactivation without a fall": (DeactivationRow, {**DEACTIVATION, "fall_id": 99}, "foreign key"),
    "a deactivation of nobody": (DeactivationRow, {**DEACTIVATION, "account_id": 99}, "foreign key"),
    "an event by nobody": (EventRow, {**EVENT, "actor": "NOBODY"}, "ck_events_actor"),
    "an event recorded before it happened": (
        EventRow, {**EVENT, "recorded_at": NOW - timedelta(microseconds=1)}, "ck_events_occurred_at",
    ),
    "an event of an account that never was": (EventRow, {**EVENT, "account_id": 99}, "foreign key"),
    "an event of an order that never was": (EventRow, {**EVENT, "spot_order_id": 99}, "foreign key"),
    "an event of a fall that never was": (EventRow, {**EVENT, "capacity_fall_id": 99}, "foreign key"),
    "an event by a token that never was": (EventRow, {**EVENT, "actor_token_id": 99}, "foreign key"),
    "a second test clock": (TestClockRow, {"id": 2, "now": NOW}, "ck_test_clock_one"),
}  # fmt: skip


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()


async def fill(session: AsyncSession) -> None:
    """Two customers with a contract each; accounts 1 to 3 and groups 1 and 2 of the first, a fall and an event."""
    for name in ("Aoba Academy", "Other"):
        customer = await add_customer(
            session, name=name, kind=CustomerKind.CORPORATE, time_zone="Asia/Tokyo", currency="JPY", now=NOW
        )
        await add_contract(session, customer.id, MainContract((starter(),)), NOW)
    rows: list[tuple[type[Base], dict[str, Any]]] = [
        (AccountRow, {**ACCOUNT, "external_id": "e-1"}),
        (AccountRow, {**ACCOUNT, "external_id": "out", "status": "DEACTIVATED", "deactivated_at": NOW}),
        (AccountRow, {**DELETED, "external_id": "gone"}),
        (AccountRow, {**ACCOUNT, "customer_id": 2, "external_id": "theirs"}),
        (AccountGroupRow, {**GROUP, "name": "Learners"}),
        (AccountGroupRow, {**GROUP, "name": "Auto Deactivation", "is_built_in": True}),
        (AccountGroupRow, {**GROUP, "customer_id": 2, "name": "Learners"}),
        (AccountGroupMemberRow, {**MEMBER, "group_id": 1}),
        (CapacityFallRow, {**FALL, "on_day": date(2026, 6, 1)}),
        (DeactivationRow, {**DEACTIVATION, "position": 1, "account_id": 1, "previous_status": "ACTIVE"}),
        (EventRow, EVENT),
    ]
    for table, values in rows:
        await session.execute(insert(table).values(**values))


async def refusal(session: AsyncSession, table: type[Base], values: dict[str, Any]) -> str:
    """What a database says against a row, which it does not keep."""
    savepoint = await session.begin_nested()
    try:
        await session.execute(insert(table).values(**values))
    except IntegrityError as error:
        return str(error.orig).casefold()
    else:
        return "it is stored"
    finally:
        await savepoint.rollback()


@pytest.mark.anyio
async def test_what_the_rules_allow_is_stored_and_what_they_forbid_is_not(database_url: str) -> None:
    async with opened(database_url) as database, database.write() as session:
        await fill(session)
        allowed = {name: await refusal(session, *row) for name, row in ALLOWED.items()}
        forbidden = {name: await refusal(session, table, values) for name, (table, values, _) in FORBIDDEN.items()}
    assert {name: said for name, said in allowed.items() if said != "it is stored"} == {}
    assert {name: said for name, said in forbidden.items() if FORBIDDEN[name][2] not in said} == {}


@pytest.mark.anyio
async def test_events_are_never_changed_or_removed(database_url: str) -> None:
    async with opened(database_url) as database:
        async with database.write() as session:
            await fill(session)
        statements = ["UPDATE events SET actor = 'OWNER'", "DELETE FROM events WHERE id = 1"]
        if not database.is_sqlite:
            statements += ["TRUNCATE events", "TRUNCATE customers CASCADE"]
        for statement in statements:
            with pytest.raises(DBAPIError, match="events are append-only"):
                await execute(database, statement)
        async with database.read() as session:
            assert [(row.id, row.actor) for row in await session.scalars(select(EventRow))] == [(1, "SYSTEM")]


@pytest.mark.anyio
async def test_ids_that_the_history_names_are_never_given_again(database_url: str) -> None:
    async with opened(database_url) as database, database.write() as session:
        await fill(session)
        last = await session.scalar(insert(AccountRow).values(**ACCOUNT).returning(AccountRow.id))
        assert last == 5
        await session.execute(delete(AccountRow).where(AccountRow.id == last))
        assert await session.scalar(insert(AccountRow).values(**ACCOUNT).returning(AccountRow.id)) == 6


async def execute(database: Database, statement: str) -> None:
    async with database.write() as session:
        await session.execute(text(statement))
