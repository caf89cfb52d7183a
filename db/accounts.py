"""Accounts: registered, found, page by page, and moved."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, false, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.pages import by_owner, count_of_each, page_of_each
from db.tables import AccountGroupMemberRow, AccountRow
from domain.accounts import COUNTED, Account, AccountStatus, NewAccount
from domain.deactivation import CountedAccount

COUNTED_VALUES = sorted(status.value for status in COUNTED)
IDS_PER_STATEMENT = 10_000
"""Both drivers take some 32,000 parameters in one statement."""


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Which accounts are meant: of these statuses, in this group, with this text in a name, external id or e-mail."""

    statuses: frozenset[AccountStatus] | None = None
    group_id: int | None = None
    search: str | None = None


async def add_accounts(
    session: AsyncSession, customer_id: int, entries: Sequence[NewAccount], now: datetime
) -> list[Account]:
    """Store new active accounts, in the same places."""
    rows = [
        {
            "customer_id": customer_id,
            "external_id": entry.external_id,
            "name": entry.name,
            "email": entry.email,
            "status": AccountStatus.ACTIVE.value,
            "is_protected": False,
            "registered_at": now,
            "counted_since": now,
        }
        for entry in entries
    ]
    statement = insert(AccountRow).returning(AccountRow.id, sort_by_parameter_order=True)
    ids = (await session.scalars(statement, rows)).all()
    return [
        Account(
            id_, customer_id, entry.external_id, entry.name, entry.email, AccountStatus.ACTIVE, False, now, now, None
        )
        for id_, entry in zip(ids, entries, strict=True)
    ]


async def accounts_by_id(session: AsyncSession, ids: Collection[int]) -> dict[int, Account]:
    """The accounts that exist among these ids, deleted ones too."""
    rows = await session.scalars(select(AccountRow).where(AccountRow.id.in_(ids)))
    return {row.id: _account(row) for row in rows}


async def account_by_external_id(session: AsyncSession, customer_id: int, external_id: str) -> Account | None:
    """The account with an external id that is not deleted."""
    query = select(AccountRow).where(AccountRow.customer_id == customer_id, AccountRow.external_id == external_id)
    row = await session.scalar(query.where(AccountRow.status != AccountStatus.DELETED.value))
    return _account(row) if row else None


async def taken_external_ids(session: AsyncSession, customer_id: int, external_ids: Sequence[str]) -> set[str]:
    """Those of the external ids that accounts of the customer have."""
    taken: set[str] = set()
    for start in range(0, len(external_ids), IDS_PER_STATEMENT):
        query = (
            select(AccountRow.external_id)
            .where(AccountRow.customer_id == customer_id)
            .where(AccountRow.external_id.in_(external_ids[start : start + IDS_PER_STATEMENT]))
            .where(AccountRow.status != AccountStatus.DELETED.value)
        )
        taken.update(await session.scalars(query))
    return taken


async def counted_accounts(session: AsyncSession, customer_id: int) -> list[CountedAccount]:
    """The accounts that count against capacity."""
    return [account for account, _ in (await counted_with_status(session, [customer_id]))[customer_id]]


async def counted_with_status(
    session: AsyncSession, customer_ids: Collection[int]
) -> dict[int, list[tuple[CountedAccount, str]]]:
    """The accounts of each customer that count against capacity, each with its status."""
    found: dict[int, list[tuple[CountedAccount, str]]] = {customer_id: [] for customer_id in customer_ids}
    if not found:
        return found
    query = (
        select(
            AccountRow.customer_id, AccountRow.id, AccountRow.counted_since, AccountRow.is_protected, AccountRow.status
        )
        .where(AccountRow.customer_id.in_(customer_ids))
        .where(AccountRow.status.in_(COUNTED_VALUES))
    )
    for customer_id, id_, since, protected, status in await session.execute(query):
        found[customer_id].append((CountedAccount(id_, since, protected), status))
    return found


async def counted_count(session: AsyncSession, customer_id: int) -> int:
    """How many accounts count against capacity."""
    return (await counted_counts(session, [customer_id]))[customer_id]


async def counted_counts(session: AsyncSession, customer_ids: Collection[int]) -> dict[int, int]:
    """How many accounts of each customer count against capacity."""
    return await count_of_each(session, AccountRow.customer_id, customer_ids, AccountRow.status.in_(COUNTED_VALUES))


async def accounts_page(
    session: AsyncSession,
    customer_ids: Collection[int],
    chosen: AccountFilter,
    *,
    first: int,
    after: tuple[str, int] | None,
) -> dict[int, list[Account]]:
    """Up to ``first`` accounts of each customer after a (name, id), in the order of name, then id."""
    later = [tuple_(AccountRow.name, AccountRow.id) > after] if after is not None else []
    owned_by = AccountRow.customer_id
    where = [*_matches(chosen), *later]
    _, query = page_of_each(session, AccountRow, owned_by, customer_ids, *where, first=first, order=_by_name)
    pages = by_owner(owned_by, customer_ids, await session.scalars(query))
    return {customer_id: [_account(row) for row in rows] for customer_id, rows in pages.items()}


async def account_counts(session: AsyncSession, customer_ids: Collection[int], chosen: AccountFilter) -> dict[int, int]:
    """How many accounts of each customer match."""
    return await count_of_each(session, AccountRow.customer_id, customer_ids, *_matches(chosen))


async def change_accounts(session: AsyncSession, ids: Sequence[int], **values: Any) -> None:
    """Set columns of these accounts to the same values."""
    for start in range(0, len(ids), IDS_PER_STATEMENT):
        chosen = AccountRow.id.in_(ids[start : start + IDS_PER_STATEMENT])
        await session.execute(
            update(AccountRow).where(chosen).values(**values).execution_options(synchronize_session=False)
        )
    session.expire_all()


def _by_name(row: Any) -> Sequence[ColumnElement[Any]]:
    return row.name, row.id


def _matches(chosen: AccountFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if chosen.statuses is None:
        conditions.append(AccountRow.status != AccountStatus.DELETED.value)
    else:
        conditions.append(AccountRow.status.in_(sorted(status.value for status in chosen.statuses)))
    if chosen.group_id is not None:
        member = exists().where(
            AccountGroupMemberRow.account_id == AccountRow.id, AccountGroupMemberRow.group_id == chosen.group_id
        )
        conditions.append(member)
    if chosen.search:
        # PostgreSQL takes no NUL in a text; and none contains one.
        columns = (AccountRow.name, AccountRow.external_id, AccountRow.email)
        found = [column.icontains(chosen.search, autoescape=True) for column in columns]
        conditions.append(false() if "\0" in chosen.search else found[0] | found[1] | found[2])
    return conditions


def _account(row: AccountRow) -> Account:
    return Account(
        id=row.id,
        customer_id=row.customer_id,
        external_id=row.external_id,
        name=row.name,
        email=row.email,
        status=AccountStatus(row.status),
        is_protected=row.is_protected,
        registered_at=row.registered_at,
        counted_since=row.counted_since,
        deactivated_at=row.deactivated_at,
    )
