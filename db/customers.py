"""Customers: by id, and page by page in the order of their names."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, false, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from db.prepared import Prepared, one_of
from db.tables import CustomerRow, MainContractRow
from domain.customers import Customer, CustomerKind, DeactivationPolicy

_BY_ID = Prepared(lambda is_postgresql: select(CustomerRow).where(one_of(CustomerRow.id, "ids", is_postgresql)))


async def customers_by_id(session: AsyncSession, ids: Collection[int]) -> dict[int, Customer]:
    """The customers that exist among these ids."""
    return {row.id: _customer(row) for row in await _BY_ID.all(session, ids=list(ids))}


async def customers_page(
    session: AsyncSession, *, first: int, after: tuple[str, int] | None, search: str | None
) -> list[Customer]:
    """Up to ``first`` customers after a (name, id), in the order of name, then id."""
    query = select(CustomerRow).where(*_matches(search)).order_by(CustomerRow.name, CustomerRow.id).limit(first)
    if after is not None:
        query = query.where(tuple_(CustomerRow.name, CustomerRow.id) > after)
    return [_customer(row) for row in await session.scalars(query)]


async def customers_count(session: AsyncSession, search: str | None) -> int:
    """How many customers match."""
    query = select(func.count()).select_from(CustomerRow).where(*_matches(search))
    return (await session.execute(query)).scalar_one()


async def add_customer(
    session: AsyncSession, *, name: str, kind: CustomerKind, time_zone: str, currency: str, now: datetime
) -> Customer:
    """Store a new customer, on the Free plan as long as its main contract has no terms."""
    row = CustomerRow(
        name=name,
        kind=kind.value,
        time_zone=time_zone,
        currency=currency,
        created_at=now,
        deactivation_policy=DeactivationPolicy.ALL_REGISTERED_DURING_SPOT.value,
    )
    session.add(row)
    await session.flush()
    # No day that is not over yet may count as settled, wherever the customer is.
    through = now.date() - timedelta(days=1)
    session.add(MainContractRow(customer_id=row.id, version=1, settled_through=through, due_at=None))
    await session.flush()
    return _customer(row)


async def save_policy(session: AsyncSession, customer_id: int, policy: DeactivationPolicy) -> None:
    """Store who is deactivated when capacity falls."""
    row = await session.get_one(CustomerRow, customer_id)
    row.deactivation_policy = policy.value


def _matches(search: str | None) -> list[ColumnElement[bool]]:
    if not search:
        return []
    # PostgreSQL takes no NUL in a text; and no name contains one.
    return [false() if "\0" in search else CustomerRow.name.icontains(search, autoescape=True)]


def _customer(row: CustomerRow) -> Customer:
    return Customer(
        row.id,
        row.name,
        CustomerKind(row.kind),
        row.time_zone,
        row.currency,
        row.created_at,
        DeactivationPolicy(row.deactivation_policy),
    )
