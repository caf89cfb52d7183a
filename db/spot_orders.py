"""Spot orders: stored, found, and page by page."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.pages import NewestOfEach, count_of_each
from db.prepared import Prepared, insertion, one_of
from db.tables import SpotOrderRow
from domain.money import Charge
from domain.months import Period
from domain.orders import RUNNING, OrderStatus, PaymentMethod, SpotOrder

_ADD = insertion(SpotOrderRow)
_BY_ID = Prepared(lambda is_postgresql: select(SpotOrderRow).where(one_of(SpotOrderRow.id, "ids", is_postgresql)))
_PAGES = NewestOfEach(SpotOrderRow, SpotOrderRow.customer_id)


async def add_spot_order(session: AsyncSession, main_contract_id: int, order: SpotOrder) -> SpotOrder:
    """Store a new order; the id it is given replaces the one it came with."""
    id_ = await _ADD.one(
        session,
        customer_id=order.customer_id,
        main_contract_id=main_contract_id,
        purchase_id=order.purchase_id,
        starts_on=order.period.starts_on,
        ends_before=order.period.ends_before,
        months=order.months,
        units=order.units,
        accounts=order.accounts,
        net_minor=order.charge.net_minor,
        tax_minor=order.charge.tax_minor,
        tax_basis_points=order.charge.tax_basis_points,
        currency=order.currency,
        terms_version=order.terms_version,
        placed_at=order.placed_at,
        expires_at=order.expires_at,
        **_progress(order),
    )
    return replace(order, id=id_)


async def save_progress(session: AsyncSession, order: SpotOrder) -> None:
    """Store where an order stands: its status, payment and the instants of its moves."""
    row = await session.get_one(SpotOrderRow, order.id)
    for name, value in _progress(order).items():
        setattr(row, name, value)


async def save_statuses(session: AsyncSession, statuses: Mapping[int, OrderStatus]) -> None:
    """Store where orders stand that time alone has moved, by id."""
    if statuses:
        rows = [{"id": id_, "status": status.value} for id_, status in statuses.items()]
        await session.execute(update(SpotOrderRow), rows)
        session.expire_all()


async def spot_orders_by_id(session: AsyncSession, ids: Collection[int]) -> dict[int, SpotOrder]:
    """The orders that exist among these ids."""
    return {row.id: _order(row) for row in await _BY_ID.all(session, ids=list(ids))}


async def spot_orders_of_purchases(session: AsyncSession, purchase_ids: Collection[int]) -> dict[int, list[SpotOrder]]:
    """The orders of each purchase, oldest first."""
    query = select(SpotOrderRow).where(SpotOrderRow.purchase_id.in_(purchase_ids)).order_by(SpotOrderRow.id)
    found: dict[int, list[SpotOrder]] = defaultdict(list)
    for row in await session.scalars(query):
        order = _order(row)
        found[order.purchase_id].append(order)
    return found


async def running_spot_orders(session: AsyncSession, contract_ids: Collection[int]) -> dict[int, list[SpotOrder]]:
    """Each contract's confirmed orders that have not ended, oldest first."""
    query = (
        select(SpotOrderRow)
        .where(SpotOrderRow.main_contract_id.in_(contract_ids))
        .where(SpotOrderRow.status.in_([status.value for status in RUNNING]))
        .order_by(SpotOrderRow.id)
    )
    found: dict[int, list[SpotOrder]] = {contract_id: [] for contract_id in contract_ids}
    for row in await session.scalars(query):
        found[row.main_contract_id].append(_order(row))
    return found


async def spot_orders_page(
    session: AsyncSession, customer_ids: Collection[int], *, first: int, before_id: int | None
) -> dict[int, list[SpotOrder]]:
    """Up to ``first`` orders of each customer, newest first."""
    pages = await _PAGES.read(session, customer_ids, first=first, before_id=before_id)
    return {customer_id: [_order(row) for row in rows] for customer_id, rows in pages.items()}


async def spot_order_counts(session: AsyncSession, customer_ids: Collection[int]) -> dict[int, int]:
    """How many orders each customer has."""
    return await count_of_each(session, SpotOrderRow.customer_id, customer_ids)


def _progress(order: SpotOrder) -> dict[str, Any]:
    return {
        "status": order.status.value,
        "payment_method": order.payment_method.value if order.payment_method else None,
        "payment_due_on": order.payment_due_on,
        "confirmed_at": order.confirmed_at,
        "cancelled_at": order.cancelled_at,
    }


def _order(row: SpotOrderRow) -> SpotOrder:
    return SpotOrder(
        id=row.id,
        customer_id=row.customer_id,
        purchase_id=row.purchase_id or 0,
        period=Period(row.starts_on, row.ends_before),
        months=row.months,
        units=row.units,
        accounts=row.accounts,
        charge=Charge(row.net_minor, row.tax_minor, row.tax_basis_points),
        currency=row.currency,
        status=OrderStatus(row.status),
        payment_method=PaymentMethod(row.payment_method) if row.payment_method else None,
        payment_due_on=row.payment_due_on,
        terms_version=row.terms_version,
        placed_at=row.placed_at,
        expires_at=row.expires_at,
        confirmed_at=row.confirmed_at,
        cancelled_at=row.cancelled_at,
    )
