"""Groups of accounts and who is in them."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.pages import count_of_each
from db.tables import AccountGroupMemberRow, AccountGroupRow
from domain.accounts import AUTO_DEACTIVATION


@dataclass(frozen=True, slots=True)
class Group:
    """A customer's group of accounts."""

    id: int
    customer_id: int
    name: str
    is_built_in: bool


async def groups_of_customers(session: AsyncSession, customer_ids: Collection[int]) -> dict[int, list[Group]]:
    """The groups of these customers, in the order of their names."""
    query = select(AccountGroupRow).where(AccountGroupRow.customer_id.in_(customer_ids)).order_by(AccountGroupRow.name)
    groups: dict[int, list[Group]] = defaultdict(list)
    for row in await session.scalars(query):
        groups[row.customer_id].append(_group(row))
    return groups


async def group_by_id(session: AsyncSession, group_id: int) -> Group | None:
    """A group; None if there is none."""
    row = await session.get(AccountGroupRow, group_id)
    return _group(row) if row else None


async def groups_of_accounts(session: AsyncSession, account_ids: Collection[int]) -> dict[int, list[Group]]:
    """The groups that each of these accounts is in, in the order of their names."""
    query = (
        select(AccountGroupMemberRow.account_id, AccountGroupRow)
        .join(AccountGroupRow, AccountGroupRow.id == AccountGroupMemberRow.group_id)
        .where(AccountGroupMemberRow.account_id.in_(account_ids))
        .order_by(AccountGroupRow.name)
    )
    groups: dict[int, list[Group]] = defaultdict(list)
    for account_id, row in await session.execute(query):
        groups[account_id].append(_group(row))
    return groups


async def member_counts(session: AsyncSession, group_ids: Collection[int]) -> dict[int, int]:
    """How many accounts are in each group."""
    return await count_of_each(session, AccountGroupMemberRow.group_id, group_ids)


async def add_groups(session: AsyncSession, customer_id: int, names: Iterable[str]) -> list[Group]:
    """Make groups of these names. Call it inside the contract's lock, for names that there are not."""
    rows = [
        AccountGroupRow(customer_id=customer_id, name=name, is_built_in=name == AUTO_DEACTIVATION) for name in names
    ]
    session.add_all(rows)
    await session.flush()
    return [_group(row) for row in rows]


async def built_in_group(session: AsyncSession, customer_id: int) -> Group:
    """The customer's Auto Deactivation group, made when it is first needed. Call it inside the contract's lock."""
    query = select(AccountGroupRow).where(AccountGroupRow.customer_id == customer_id, AccountGroupRow.is_built_in)
    row = await session.scalar(query)
    return _group(row) if row else (await add_groups(session, customer_id, [AUTO_DEACTIVATION]))[0]


async def add_built_in_groups(session: AsyncSession, customer_ids: Collection[int]) -> None:
    """Make the customers' Auto Deactivation groups that there are not yet. Call it inside the contracts' locks."""
    query = select(AccountGroupRow.customer_id).where(AccountGroupRow.customer_id.in_(customer_ids))
    there = set(await session.scalars(query.where(AccountGroupRow.is_built_in)))
    rows = [
        {"customer_id": customer_id, "name": AUTO_DEACTIVATION, "is_built_in": True}
        for customer_id in customer_ids
        if customer_id not in there
    ]
    if rows:
        await session.execute(insert(AccountGroupRow), rows)


async def delete_group(session: AsyncSession, group_id: int) -> None:
    """Delete a group and everybody's membership in it; the accounts stay."""
    await session.execute(delete(AccountGroupMemberRow).where(AccountGroupMemberRow.group_id == group_id))
    await session.execute(delete(AccountGroupRow).where(AccountGroupRow.id == group_id))


async def add_members(session: AsyncSession, customer_id: int, members: Collection[tuple[int, int]]) -> None:
    """Put accounts into groups: pairs of group and account that there are not yet."""
    if members:
        rows = [{"group_id": group, "account_id": account, "customer_id": customer_id} for group, account in members]
        await session.execute(insert(AccountGroupMemberRow), rows)


async def remove_members(
    session: AsyncSession, account_ids: Collection[int], group_ids: Collection[int] | None = None
) -> None:
    """Take accounts out of groups; out of all of them where none are named."""
    statement = delete(AccountGroupMemberRow).where(AccountGroupMemberRow.account_id.in_(account_ids))
    if group_ids is not None:
        statement = statement.where(AccountGroupMemberRow.group_id.in_(group_ids))
    await session.execute(statement.execution_options(synchronize_session=False))


def _group(row: AccountGroupRow) -> Group:
    return Group(row.id, row.customer_id, row.name, row.is_built_in)
