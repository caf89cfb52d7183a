"""What the database holds of a customer's accounts, in the shape of the oracle's; reading it settles nothing."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from db.contracts import contracts_by_customer
from db.engine import Database
from db.tables import (
    AccountGroupMemberRow,
    AccountGroupRow,
    AccountRow,
    CapacityFallRow,
    DeactivationRow,
    EventRow,
    MainContractRow,
)
from domain.contracts import MainContract
from tests.resolvers.account_model import Entry, Fall, Person


@dataclass
class Rows:
    """A customer's rows. ``log`` is in the order in which it was stored."""

    due_at: datetime | None
    contract: MainContract
    people: dict[int, Person]
    groups: set[str]
    falls: list[Fall]
    log: list[Entry]


DOCUMENTS = ("INVOICE_ISSUED", "CREDIT_NOTE_ISSUED")
"""Left to the tests of money."""


async def rows_of(database: Database, customer_id: int) -> Rows:
    """Everything in one state of the database."""
    async with database.read() as session:
        stored = (await contracts_by_customer(session, [customer_id]))[customer_id]
        people = await _people(session, customer_id)
        groups = await _groups(session, customer_id, people)
        falls, log = await _falls(session, customer_id), await _log(session, customer_id)
        due_at = await session.scalar(select(MainContractRow.due_at).where(MainContractRow.id == stored.id))
        return Rows(due_at, stored.contract, people, groups, falls, log)


async def _people(session: AsyncSession, customer_id: int) -> dict[int, Person]:
    row = AccountRow
    columns = (row.id, row.external_id, row.counted_since, row.status, row.is_protected, row.deactivated_at)
    return {
        id_: Person(id_, external_id, since, set(), status, is_protected, out_at)
        for id_, external_id, since, status, is_protected, out_at in await session.execute(
            select(*columns).where(row.customer_id == customer_id)
        )
    }


async def _groups(session: AsyncSession, customer_id: int, people: dict[int, Person]) -> set[str]:
    """The names of all groups; fills those of the people."""
    group, member = AccountGroupRow, AccountGroupMemberRow
    query = select(group.name, member.account_id).outerjoin(member, member.group_id == group.id)
    names = set()
    for name, account_id in await session.execute(query.where(group.customer_id == customer_id)):
        names.add(name)
        if account_id is not None:
            people[account_id].groups.add(name)
    return names


async def _falls(session: AsyncSession, customer_id: int) -> list[Fall]:
    fall, out = CapacityFallRow, DeactivationRow
    columns = (fall.on_day, fall.policy, fall.capacity_before, fall.capacity_after, fall.counted_before)
    query = (
        select(fall.id, fall.deactivated, *columns, out.account_id, out.reason, out.previous_status)
        .outerjoin(out, out.fall_id == fall.id)
        .where(fall.customer_id == customer_id)
        .order_by(fall.id, out.position)
    )
    falls: dict[int, Fall] = {}
    counts: dict[int, int] = {}
    for id_, count, on, policy, before, after, counted, *who in await session.execute(query):
        gone = falls[id_].out if id_ in falls else ()
        account_id, reason, status = who
        falls[id_] = Fall(
            on, policy, before, after, counted, gone if account_id is None else (*gone, (account_id, reason, status))
        )
        counts[id_] = count
    assert counts == {id_: len(fall.out) for id_, fall in falls.items()}
    return list(falls.values())


async def _log(session: AsyncSession, customer_id: int) -> list[Entry]:
    row = EventRow
    columns = (row.occurred_at, row.kind, row.account_id, row.spot_order_id, row.counted_after)
    query = select(*columns).where(row.customer_id == customer_id).order_by(row.id)
    return [
        (at, kind, account_id or 0, order_id or 0, -1 if counted is None else counted)
        for at, kind, account_id, order_id, counted in await session.execute(query.where(row.kind.not_in(DOCUMENTS)))
    ]
