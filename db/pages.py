"""A page, or a count, of what each of many owners has: one statement for all, by an index for each.

A window function would be shorter, but it ranks all rows of an owner to take the first few of them.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from db.tables import Base, CustomerRow

R = TypeVar("R", bound=Base)
Order = Callable[[Any], Sequence[ColumnElement[Any]]]
"""The order of a page's rows, given their columns."""


def newest_first(row: Any) -> Sequence[ColumnElement[Any]]:
    """The order of most connections."""
    return (row.id.desc(),)


def page_of_each(
    session: AsyncSession,
    rows: type[R],
    owned_by: InstrumentedAttribute[int],
    owner_ids: Collection[int],
    *where: ColumnElement[bool],
    first: int,
    order: Order = newest_first,
    owner: InstrumentedAttribute[int] = CustomerRow.id,
) -> tuple[type[R], Select[R]]:
    """Up to ``first`` rows of each owner, in their order: what they are called in the statement, and the statement."""
    if len(owner_ids) == 1:  # most pages are; to make a subquery takes longer than to run it
        (owner_id,) = owner_ids
        alone = select(rows).where(owned_by == owner_id, *where).order_by(*order(rows)).limit(first)
        return rows, alone
    of_one = select(rows).where(owned_by == owner, *where).order_by(*order(rows)).limit(first).correlate(owner.class_)
    if session.get_bind().dialect.name == "sqlite":  # it has no LATERAL, but IN is as good there
        page = aliased(rows)
        is_in_page: ColumnElement[bool] = page.id.in_(of_one.with_only_columns(rows.id))  # type: ignore[attr-defined]
    else:
        page, is_in_page = aliased(rows, of_one.lateral()), true()
    query = select(page).select_from(owner.class_).join(page, is_in_page).where(owner.in_(owner_ids))
    return page, query.order_by(*order(page))


async def newest_of_each(
    session: AsyncSession,
    rows: type[R],
    owned_by: InstrumentedAttribute[int],
    owner_ids: Collection[int],
    *where: ColumnElement[bool],
    first: int,
    before_id: int | None,
    owner: InstrumentedAttribute[int] = CustomerRow.id,
) -> dict[int, list[R]]:
    """Up to ``first`` rows of each owner, newest first, of those before an id where one is given."""
    if before_id is not None:
        where = (*where, rows.id < before_id)  # type: ignore[attr-defined]
    _, query = page_of_each(session, rows, owned_by, owner_ids, *where, first=first, owner=owner)
    return by_owner(owned_by, owner_ids, await session.scalars(query))


def by_owner(owned_by: InstrumentedAttribute[int], owner_ids: Collection[int], rows: Iterable[R]) -> dict[int, list[R]]:
    """The rows of each owner, in their order."""
    found: dict[int, list[R]] = {owner_id: [] for owner_id in owner_ids}
    for row in rows:
        found[getattr(row, owned_by.key)].append(row)
    return found


async def count_of_each(
    session: AsyncSession, owned_by: InstrumentedAttribute[int], owner_ids: Collection[int], *where: ColumnElement[bool]
) -> dict[int, int]:
    """How many rows each owner has; 0 for those without any."""
    query = select(owned_by, func.count()).where(owned_by.in_(owner_ids), *where).group_by(owned_by)
    return defaultdict(int, {owner_id: count for owner_id, count in await session.execute(query)})  # noqa: C416 # rows
