"""Accounts from a CSV text: every bad line is reported, and all good ones are registered or none."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from db.tables import AccountGroupMemberRow, AccountGroupRow, AccountRow, EventRow, IdempotencyKeyRow
from domain import accounts as account_rules
from domain.account_errors import (
    AccountsOutOfRange,
    CapacityExceeded,
    CellsMissing,
    ColumnsInvalid,
    EmailInvalid,
    ExternalIdTaken,
    GroupsOutOfRange,
    LinesInvalid,
)
from domain.errors import IdempotencyKeyReused, NotFound, Refused, RuleError
from resolvers import account_import, accounts
from resolvers.access import Caller, ForbiddenError, Role
from resolvers.account_import import ImportCommand, ImportReport, import_accounts
from resolvers.services import Services
from tests.world import Owned, TestClock, World, starter

pytestmark = pytest.mark.anyio

OPERATOR = Caller(Role.OPERATOR, None)
HEADING = "externalId,name,email,groups\n"
GOOD = HEADING + "e-1,Mei Abe,mei@example.com,Learners|Class A\ne-2,山田 太郎,,Learners\ne-3,Ken Ito,,\n"
STORED = (AccountRow, AccountGroupRow, AccountGroupMemberRow, EventRow, IdempotencyKeyRow)

Told = list[tuple[type[RuleError], str, dict[str, Any]]]


def told(refusals: Iterable[RuleError]) -> Told:
    """Refusals as comparable values."""
    return [(type(refusal), refusal.field, refusal.data) for refusal in refusals]


def bad(report: ImportReport) -> list[tuple[int, str, Told]]:
    return [(line.number, line.external_id, told(line.refusals)) for line in report.bad_lines]


def taken(external_id: str) -> Told:
    return [(ExternalIdTaken, "externalId", {"external_id": external_id})]


async def imported(
    services: Services, owner: Owned, csv: str, *, skip: bool = False, key: str | None = None
) -> ImportReport:
    return await import_accounts(services, OPERATOR, ImportCommand(owner.customer.id, csv, skip, key))


async def counts(services: Services) -> list[int]:
    """How many accounts, groups, memberships, events and keys there are."""
    async with services.database.read() as session:
        return [(await session.execute(select(func.count()).select_from(table))).scalar_one() for table in STORED]


async def external_ids(services: Services, owner: Owned) -> list[str]:
    async with services.database.read() as session:
        query = select(AccountRow.external_id).where(AccountRow.customer_id == owner.customer.id)
        return list(await session.scalars(query.order_by(AccountRow.id)))


async def test_all_accounts_are_registered_with_their_groups_and_an_event_each(
    world: World, services: Services, clock: TestClock
) -> None:
    owner = await world.customer(starter())
    caller = Caller(Role.OWNER, owner.customer.id, 1)
    assert await import_accounts(services, caller, ImportCommand(None, GOOD)) == ImportReport(3, 3, ())
    async with services.database.read() as session:
        found = list(await session.scalars(select(AccountRow).order_by(AccountRow.id)))
        assert [
            (row.id, row.customer_id, row.external_id, row.name, row.email, row.status, row.is_protected)
            for row in found
        ] == [
            (1, owner.customer.id, "e-1", "Mei Abe", "mei@example.com", "ACTIVE", False),
            (2, owner.customer.id, "e-2", "山田 太郎", None, "ACTIVE", False),
            (3, owner.customer.id, "e-3", "Ken Ito", None, "ACTIVE", False),
        ]
        assert {(row.registered_at, row.counted_since, row.deactivated_at) for row in found} == {
            (clock.now, clock.now, None)
        }
        groups = await session.execute(
            select(AccountGroupRow.name, AccountGroupRow.is_built_in, AccountGroupMemberRow.account_id)
            .join(AccountGroupMemberRow, AccountGroupMemberRow.group_id == AccountGroupRow.id)
            .order_by(AccountGroupRow.name, AccountGroupMemberRow.account_id)
        )
        assert [tuple(row) for row in groups] == [
            ("Class A", False, 1),
            ("Learners", False, 1),
            ("Learners", False, 2),
        ]
        events = list(await session.scalars(select(EventRow).order_by(EventRow.id)))
    assert {
        (event.customer_id, event.kind, event.actor, event.actor_token_id, event.occurred_at, event.recorded_at)
        for event in events
    } == {(owner.customer.id, "ACCOUNT_REGISTERED", "OWNER", 1, clock.now, clock.now)}
    assert [(event.account_id, event.changes, event.counted_after) for event in events] == [
        (1, {"status": [None, "ACTIVE"], "groups": [None, "Class A; Learners"]}, 1),
        (2, {"status": [None, "ACTIVE"], "groups": [None, "Learners"]}, 2),
        (3, {"status": [None, "ACTIVE"]}, 3),
    ]


async def test_every_bad_line_is_reported_and_nothing_stored_or_the_good_ones_alone(
    world: World, services: Services
) -> None:
    owner, other = await world.customer(starter()), await world.customer(starter(), name="Other")
    await imported(services, owner, "externalId,name\ne-2,Ann Oda\n")
    await imported(services, other, "externalId,name\ne-6,Theirs\n")  # another customer's ids are free here
    before = await counts(services)
    csv = GOOD + "e-4,Jun\ne-3,Again,,\n\ne-5,Eri Mori,eri,\ne-5,Eri Mori,,\ne-6,Kai Ono,,Learners\n"
    wrong = [
        (3, "e-2", taken("e-2")),
        (5, "e-4", [(CellsMissing, "csv", {"cells": 2, "columns": 4})]),
        (6, "e-3", taken("e-3")),
        (8, "e-5", [(EmailInvalid, "email", {"email": "eri"})]),
        (9, "e-5", taken("e-5")),
    ]
    refused = await imported(services, owner, csv, key="k")
    assert (refused.lines, refused.imported, bad(refused)) == (8, 0, wrong)
    assert told(refused.refusals) == [(LinesInvalid, "csv", {"bad_lines": 5, "lines": 8})]
    assert await counts(services) == before

    report = await imported(services, owner, csv, skip=True)
    assert (report.lines, report.imported, bad(report), report.refusals) == (8, 3, wrong, ())
    assert await external_ids(services, owner) == ["e-2", "e-1", "e-3", "e-6"]


async def test_a_deleted_accounts_external_id_is_free_again(world: World, services: Services) -> None:
    owner = await world.customer(starter())
    await imported(services, owner, GOOD)
    await accounts.delete(services, OPERATOR, [2])
    assert bad(await imported(services, owner, GOOD, skip=True)) == [(2, "e-1", taken("e-1")), (4, "e-3", taken("e-3"))]
    assert await external_ids(services, owner) == ["e-1", "e-2", "e-3", "e-2"]


async def test_there_is_room_for_all_good_lines_or_none_is_imported(world: World, services: Services) -> None:
    owner = await world.customer(starter(), starter("2027-04-01", "2028-04-01", units=2))
    lines = [f"u{number},User\n" for number in range(101)]
    refused = await imported(services, owner, "externalId,name\n" + "".join(lines))
    assert (refused.lines, refused.imported, refused.bad_lines) == (101, 0, ())
    numbers = {"requested": 101, "available": 100, "capacity": 100}
    assert told(refused.refusals) == [(CapacityExceeded, "csv", {**numbers, "next_free_on": date(2027, 4, 1)})]
    assert await counts(services) == [0, 0, 0, 0, 0]
    # Lines that are skipped need no room.
    report = await imported(services, owner, "externalId,name\n" + "".join(lines[:100]) + "u100,\n", skip=True)
    assert (report.lines, report.imported, len(report.bad_lines)) == (101, 100, 1)
    again = await imported(services, owner, "externalId,name\nu101,User\n")
    assert [data["available"] for _, _, data in told(again.refusals)] == [0]
    assert await counts(services) == [100, 0, 0, 100, 0]


async def test_without_a_paid_contract_nobody_is_imported(world: World, services: Services) -> None:
    owner = await world.customer()
    refused = await imported(services, owner, GOOD)
    assert told(refused.refusals) == [
        (CapacityExceeded, "csv", {"requested": 3, "available": 0, "capacity": 0, "next_free_on": None})
    ]
    assert await counts(services) == [0, 0, 0, 0, 0]


async def test_where_all_lines_are_bad_and_skipped_none_is_imported(world: World, services: Services) -> None:
    owner = await world.customer(starter())
    report = await imported(services, owner, HEADING + "e-1,,,\n", skip=True, key="k")
    assert (report.lines, report.imported, len(report.bad_lines), report.refusals) == (1, 0, 1, ())
    assert await counts(services) == [0, 0, 0, 0, 1]
    again = await imported(services, owner, HEADING + "e-1,,,\n", skip=True, key="k")
    assert (again.imported, bad(again)) == (0, bad(report))


async def test_many_accounts_are_registered_step_by_step_in_one_order(
    world: World, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_import, "ENTRIES_PER_STEP", 4)
    owner = await world.customer(starter())
    csv = HEADING + "".join(f"u{number},User,,All|Class {number % 3}\n" for number in range(10))
    steps: list[tuple[int, int]] = []
    command = ImportCommand(owner.customer.id, csv)
    report = await import_accounts(services, OPERATOR, command, lambda done, total: steps.append((done, total)))
    assert report == ImportReport(10, 10, ())
    assert steps == [(4, 10), (8, 10), (10, 10)]
    assert await external_ids(services, owner) == [f"u{number}" for number in range(10)]
    # Groups are made once, whatever step needs them first.
    assert await counts(services) == [10, 4, 20, 10, 0]
    async with services.database.read() as session:
        counted = await session.scalars(select(EventRow.counted_after).order_by(EventRow.id))
        assert list(counted) == list(range(1, 11))


async def test_groups_that_there_are_already_are_used(world: World, services: Services) -> None:
    owner = await world.customer(starter())
    await imported(services, owner, GOOD)
    await imported(services, owner, HEADING + "e-4,Jun Ota,,Learners|learners\n")
    async with services.database.read() as session:
        names = list(await session.scalars(select(AccountGroupRow.name).order_by(AccountGroupRow.id)))
    assert names == ["Class A", "Learners", "learners"]


async def test_too_many_groups_in_a_later_step_undo_the_earlier_ones(
    world: World, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert account_rules.GROUPS_PER_CUSTOMER_MAX == 1_000
    monkeypatch.setattr(account_import, "ENTRIES_PER_STEP", 2)
    monkeypatch.setattr(accounts, "GROUPS_PER_CUSTOMER_MAX", 2)
    owner = await world.customer(starter())
    with pytest.raises(Refused) as refused:
        await imported(services, owner, GOOD + "e-4,Jun Ota,,Class B\n", key="k")
    assert told(refused.value.errors) == [(GroupsOutOfRange, "csv", {"groups": 3, "groups_max": 2})]
    assert await counts(services) == [0, 0, 0, 0, 0]


async def test_an_import_that_is_sent_again_is_answered_like_the_first(
    world: World, services: Services, clock: TestClock
) -> None:
    owner = await world.customer(starter())
    await imported(services, owner, "externalId,name\ne-2,Ann Oda\n")
    csv = GOOD + "e-4,,,\n"
    first = await imported(services, owner, csv, skip=True, key="k")
    assert (first.imported, [line.number for line in first.bad_lines]) == (2, [3, 5])
    before = await counts(services)
    clock.now += timedelta(days=30)
    again = await imported(services, owner, csv, skip=True, key="k")
    # By now the ids of lines 2 and 4 are taken as well, by these very lines.
    assert (again.lines, again.imported, bad(again), again.refusals) == (4, 2, bad(first), ())
    assert await counts(services) == before

    for changed in (
        ImportCommand(owner.customer.id, csv, False, "k"),
        ImportCommand(owner.customer.id, GOOD, True, "k"),
    ):
        with pytest.raises(IdempotencyKeyReused):
            await import_accounts(services, OPERATOR, changed)
    assert await counts(services) == before
    # Without a key, or with another, it is a new request.
    for key in (None, "other"):
        fresh = await imported(services, owner, csv, skip=True, key=key)
        assert (fresh.imported, [line.number for line in fresh.bad_lines]) == (0, [2, 3, 4, 5])


async def test_a_refused_import_may_be_sent_again_with_its_key(world: World, services: Services) -> None:
    owner = await world.customer(starter())
    await imported(services, owner, "externalId,name\ne-1,Ann Oda\n")
    assert (await imported(services, owner, GOOD, key="k")).imported == 0
    await accounts.delete(services, OPERATOR, [1])
    assert await imported(services, owner, GOOD, key="k") == ImportReport(3, 3, ())


async def test_what_cannot_be_read_is_refused_at_once(services: Services) -> None:
    refusals: dict[str, RuleError] = {
        "": ColumnsInvalid(heading=""),
        "externalId,mail\n": ColumnsInvalid(heading="externalId,mail"),
        HEADING: AccountsOutOfRange(field="csv", accounts=0, accounts_max=100_000),
    }
    for csv, refusal in refusals.items():
        with pytest.raises(type(refusal)) as refused:
            await import_accounts(services, OPERATOR, ImportCommand(99, csv))
        assert told([refused.value]) == told([refusal])


async def test_only_owners_and_operators_import_each_within_their_reach(world: World, services: Services) -> None:
    owner, other = await world.customer(starter()), await world.customer(starter(), name="Other")
    with pytest.raises(ForbiddenError):
        await import_accounts(services, Caller(Role.SALES, None), ImportCommand(owner.customer.id, GOOD))
    with pytest.raises(NotFound):
        await import_accounts(services, Caller(Role.OWNER, other.customer.id), ImportCommand(owner.customer.id, GOOD))
    with pytest.raises(NotFound):
        await import_accounts(services, OPERATOR, ImportCommand(99, GOOD))
    assert await counts(services) == [0, 0, 0, 0, 0]
