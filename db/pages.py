"""A page, or a count, of what each of many owners has: one statement for all, by an index for each.

A window function would be shorter, but it ranks all rows of an owner to take the first few of them.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Integer, Select, bindparam, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from db.prepared import Prepared, one_of
from db.tables import Base, CustomerRow

R = TypeVar("R", bound=Base)
Order = Callable[[Any], Sequence[ColumnElement[Any]]]
"""The order of a page's rows, given their columns."""


def newest_first(row: Any) -> Sequence[ColumnElement[Any]]:
    """The order of most connections."""
    return (row.id.desc(),)


def page_of_each(
    is_postgresql: bool,
    rows: type[R],
    owned_by: InstrumentedAttribute[int],
    *where: ColumnElement[bool],
    order: Order = newest_first,
    owner: InstrumentedAttribute[int] = CustomerRow.id,
) -> tuple[type[R], Select[R]]:
    """Up to ``first`` rows of each of ``owner_ids``, which are places: what rows are called in it, and the select."""
    limit = bindparam("first", type_=Integer)
    of_one = select(rows).where(owned_by == owner, *where).order_by(*order(rows)).limit(limit).correlate(owner.class_)
    is_in_page: ColumnElement[bool]
    if is_postgresql:
        page, is_in_page = aliased(rows, of_one.lateral()), true()
    else:  # SQLite has no LATERAL, but IN is as good there
        page = aliased(rows)
        is_in_page = page.id.in_(of_one.with_only_columns(rows.id))  # type: ignore[attr-defined]
    query = select(page).select_from(owner.class_).join(page, is_in_page)
    return page, query.where(one_of(owner, "owner_ids", is_postgresql)).order_by(*order(page))


class NewestOfEach(Generic[R]):
    """The pages of a connection whose newest row is first. ``where`` may have places of its own."""

    def __init__(
        self,
        rows: type[R],
        owned_by: InstrumentedAttribute[int],
        *where: ColumnElement[bool],
        owner: InstrumentedAttribute[int] = CustomerRow.id,
    ) -> None:
        self._owned_by = owned_by
        earlier: ColumnElement[bool] = rows.id < bindparam("before_id", type_=Integer)  # type: ignore[attr-defined]

        def pages(*more: ColumnElement[bool]) -> Prepared[R]:
            return Prepared(
                lambda is_postgresql: page_of_each(is_postgresql, rows, owned_by, *where, *more, owner=owner)[1]
            )

        self._newest, self._earlier = pages(), pages(earlier)

    async def read(
        self, session: AsyncSession, owner_ids: Collection[int], *, first: int, before_id: int | None, **values: Any
    ) -> dict[int, list[R]]:
        """Up to ``first`` rows of each owner, newest first, of those before an id where one is given."""
        if before_id is not None:
            values["before_id"] = before_id
        query = self._newest if before_id is None else self._earlier
        rows = await query.all(session, owner_ids=list(owner_ids), first=first, **values)
        return by_owner(self._owned_by, owner_ids, rows)


def by_owner(owned_by: InstrumentedAttribute[int], owner_ids: Collection[int], rows: Iterable[R]) -> dict[int, list[R]]:
    """The rows of each owner, in their order."""
    found: dict[int, list[R]] = {owner_id: [] for owner_id in owner_ids}
    for row in rows:
        found[getattr(row, owned_by.key)].append(row)
    return found


async def count_of_each(
    session: AsyncSession,
    owned_by: InstrumentedAttribute[int],
    owner_ids: Collection[int],
    *where: ColumnElement[bool],
    **values: Any,
) -> dict[int, int]:
    """How many rows each owner has; 0 for those without any. ``values`` are of places in ``where``."""
    query = select(owned_by, func.count()).where(owned_by.in_(owner_ids), *where).group_by(owned_by)
    return defaultdict(int, {owner_id: count for owner_id, count in await session.execute(query, values)})  # noqa: C416 # rows
