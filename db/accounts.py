"""Accounts: registered, found, page by page, and moved."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Integer, String, bindparam, exists, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.pages import by_owner, count_of_each, page_of_each
from db.prepared import Prepared, is_any_of, one_of
from db.tables import AccountGroupMemberRow, AccountRow
from domain.accounts import COUNTED, Account, AccountStatus, NewAccount
from domain.deactivation import CountedAccount

COUNTED_VALUES = sorted(status.value for status in COUNTED)
IDS_PER_STATEMENT = 10_000
"""Both drivers take some 32,000 parameters in one statement."""

_BY_ID = Prepared(lambda is_postgresql: select(AccountRow).where(one_of(AccountRow.id, "ids", is_postgresql)))


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
    return {row.id: _account(row) for row in await _BY_ID.all(session, ids=list(ids))}


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
    if _finds_nobody(chosen):
        return {customer_id: [] for customer_id in customer_ids}
    shape, values = _shape(chosen), _values(chosen)
    if after is not None:
        values |= {"after_name": after[0], "after_id": after[1]}
    rows = await _page(shape, after is not None).all(session, owner_ids=list(customer_ids), first=first, **values)
    pages = by_owner(AccountRow.customer_id, customer_ids, rows)
    return {customer_id: [_account(row) for row in rows] for customer_id, rows in pages.items()}


async def account_counts(session: AsyncSession, customer_ids: Collection[int], chosen: AccountFilter) -> dict[int, int]:
    """How many accounts of each customer match."""
    if _finds_nobody(chosen):
        return dict.fromkeys(customer_ids, 0)
    where = _matches(_shape(chosen))
    return await count_of_each(session, AccountRow.customer_id, customer_ids, *where, **_values(chosen))


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


@dataclass(frozen=True, slots=True)
class _Shape:
    """What of a filter is in the text of a statement."""

    statuses: frozenset[AccountStatus] | None
    is_of_group: bool
    has_text: bool


def _shape(chosen: AccountFilter) -> _Shape:
    return _Shape(chosen.statuses, chosen.group_id is not None, bool(chosen.search))


def _finds_nobody(chosen: AccountFilter) -> bool:
    """PostgreSQL takes no NUL in a text; and no name, external id or e-mail address contains one."""
    return "\0" in (chosen.search or "")


def _values(chosen: AccountFilter) -> dict[str, Any]:
    """What of a filter is not in the text of a statement."""
    values: dict[str, Any] = {}
    if chosen.group_id is not None:
        values["group_id"] = chosen.group_id
    if chosen.search:
        values["search"] = chosen.search.replace("/", "//").replace("%", "/%").replace("_", "/_")
    return values


def _matches(shape: _Shape) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if shape.statuses is None:
        conditions.append(AccountRow.status != AccountStatus.DELETED.value)
    else:
        conditions.append(is_any_of(AccountRow.status, shape.statuses))
    if shape.is_of_group:
        member = exists().where(
            AccountGroupMemberRow.account_id == AccountRow.id,
            AccountGroupMemberRow.group_id == bindparam("group_id", type_=Integer),
        )
        conditions.append(member)
    if shape.has_text:
        text = bindparam("search", type_=String)
        columns = (AccountRow.name, AccountRow.external_id, AccountRow.email)
        conditions.append(or_(*(column.icontains(text, escape="/") for column in columns)))
    return conditions


@cache
def _page(shape: _Shape, is_later: bool) -> Prepared[AccountRow]:
    """There are some hundred of them at most."""
    names = tuple_(AccountRow.name, AccountRow.id)
    after = tuple_(bindparam("after_name", type_=String), bindparam("after_id", type_=Integer))
    where = [*_matches(shape), names > after] if is_later else _matches(shape)
    owned_by = AccountRow.customer_id
    return Prepared(lambda is_postgresql: page_of_each(is_postgresql, AccountRow, owned_by, *where, order=_by_name)[1])


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
