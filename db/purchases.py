"""Purchases with their orders: stored, found, moved, and page by page."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.commerce_tables import ContractOrderRow, PurchaseRow
from db.pages import NewestOfEach, count_of_each
from db.prepared import insertion
from db.spot_orders import spot_orders_of_purchases
from db.tables import SpotOrderRow
from domain.contract_orders import ContractItem
from domain.contracts import BillingCycle
from domain.documents import ItemKind
from domain.money import Charge
from domain.months import Period
from domain.orders import OPEN, OrderStatus, PaymentMethod
from domain.purchases import ContractOrder, Purchase

OPEN_VALUES = sorted(status.value for status in OPEN)

_ADD = insertion(PurchaseRow)
_PAGES = NewestOfEach(PurchaseRow, PurchaseRow.customer_id)


async def add_purchase(session: AsyncSession, purchase: Purchase) -> Purchase:
    """Store a new purchase without its orders; the id it is given replaces the one it came with."""
    id_ = await _ADD.one(
        session,
        customer_id=purchase.customer_id,
        status=purchase.status.value,
        payment_method=None,
        payment_due_on=None,
        currency=purchase.currency,
        terms_version=purchase.terms_version,
        placed_at=purchase.placed_at,
        expires_at=purchase.expires_at,
        confirmed_at=None,
    )
    return replace(purchase, id=id_)


async def add_contract_order(
    session: AsyncSession, purchase: Purchase, item: ContractItem, charge: Charge
) -> ContractOrder:
    """Store an order of a term, licences or an upgrade, as part of a purchase."""
    term = item.term
    row = ContractOrderRow(
        customer_id=purchase.customer_id,
        purchase_id=purchase.id,
        kind=item.kind.value,
        status=purchase.status.value,
        plan_code=term.plan_code,
        units=item.units,
        accounts_per_unit=term.accounts_per_unit,
        billing_cycle=term.billing_cycle.value,
        starts_on=item.period.starts_on,
        ends_before=item.period.ends_before,
        monthly_unit_price_minor=term.monthly_unit_price_minor,
        annual_unit_price_minor=term.annual_unit_price_minor,
        net_minor=charge.net_minor,
        tax_minor=charge.tax_minor,
        tax_basis_points=charge.tax_basis_points,
    )
    session.add(row)
    await session.flush()
    return _contract_order(row, purchase.placed_at.year)


async def move_purchase(session: AsyncSession, purchase: Purchase, at: datetime) -> None:
    """Store where a purchase stands, and that those of its orders that are still open stand there too."""
    values = {
        "status": purchase.status.value,
        "payment_method": purchase.payment_method.value if purchase.payment_method else None,
        "payment_due_on": purchase.payment_due_on,
        "expires_at": purchase.expires_at,
        "confirmed_at": purchase.confirmed_at,
    }
    await session.execute(update(PurchaseRow).where(PurchaseRow.id == purchase.id).values(**values))

    cancelled_at = at if purchase.status is OrderStatus.CANCELLED else None
    await session.execute(
        update(ContractOrderRow)
        .where(ContractOrderRow.purchase_id == purchase.id, ContractOrderRow.status.in_(OPEN_VALUES))
        .values(status=purchase.status.value, cancelled_at=cancelled_at)
    )
    await session.execute(
        update(SpotOrderRow)
        .where(SpotOrderRow.purchase_id == purchase.id, SpotOrderRow.status.in_(OPEN_VALUES))
        .values(
            status=purchase.status.value,
            payment_method=purchase.payment_method.value if purchase.payment_method else None,
            payment_due_on=purchase.payment_due_on,
            expires_at=purchase.expires_at,
            confirmed_at=purchase.confirmed_at,
            cancelled_at=cancelled_at,
        )
    )
    session.expire_all()


async def cancel_contract_order(session: AsyncSession, order_id: int, at: datetime) -> None:
    """Store that a confirmed order was cancelled."""
    values = {"status": OrderStatus.CANCELLED.value, "cancelled_at": at}
    await session.execute(update(ContractOrderRow).where(ContractOrderRow.id == order_id).values(**values))


async def purchases_by_id(session: AsyncSession, ids: Collection[int]) -> dict[int, Purchase]:
    """The purchases that exist among these ids, with their orders."""
    rows = (await session.scalars(select(PurchaseRow).where(PurchaseRow.id.in_(ids)))).all()
    return await _assembled(session, rows)


async def purchase_of_contract_order(session: AsyncSession, order_id: int) -> int | None:
    """The purchase that an order belongs to; None if there is no such order."""
    return await session.scalar(select(ContractOrderRow.purchase_id).where(ContractOrderRow.id == order_id))


async def open_purchases(session: AsyncSession, customer_ids: Collection[int]) -> dict[int, list[Purchase]]:
    """Each customer's purchases that are not paid yet, oldest first, with their orders."""
    query = (
        select(PurchaseRow)
        .where(PurchaseRow.customer_id.in_(customer_ids), PurchaseRow.status.in_(OPEN_VALUES))
        .order_by(PurchaseRow.id)
    )
    found: dict[int, list[Purchase]] = {customer_id: [] for customer_id in customer_ids}
    for purchase in (await _assembled(session, (await session.scalars(query)).all())).values():
        found[purchase.customer_id].append(purchase)
    return found


async def purchases_page(
    session: AsyncSession, customer_ids: Collection[int], *, first: int, before_id: int | None
) -> dict[int, list[Purchase]]:
    """Up to ``first`` purchases of each customer, newest first, with their orders."""
    pages = await _PAGES.read(session, customer_ids, first=first, before_id=before_id)
    found = await _assembled(session, [row for rows in pages.values() for row in rows])
    return {customer_id: [found[row.id] for row in rows] for customer_id, rows in pages.items()}


async def purchase_counts(session: AsyncSession, customer_ids: Collection[int]) -> dict[int, int]:
    """How many purchases each customer has."""
    return await count_of_each(session, PurchaseRow.customer_id, customer_ids)


async def renewal_order(session: AsyncSession, customer_id: int, starts_on: date) -> ContractOrder | None:
    """The confirmed order of the renewal that begins on a day; None where it was recorded without an order."""
    query = (
        select(ContractOrderRow, PurchaseRow.placed_at)
        .join(PurchaseRow, PurchaseRow.id == ContractOrderRow.purchase_id)
        .where(ContractOrderRow.customer_id == customer_id, ContractOrderRow.starts_on == starts_on)
        .where(ContractOrderRow.kind == ItemKind.RENEWAL.value)
        .where(ContractOrderRow.status == OrderStatus.CONFIRMED.value)
    )
    found = (await session.execute(query)).one_or_none()
    return _contract_order(found[0], found[1].year) if found else None


async def _assembled(session: AsyncSession, rows: Iterable[PurchaseRow]) -> dict[int, Purchase]:
    listed = list(rows)
    if not listed:
        return {}
    ids = [row.id for row in listed]
    spots = await spot_orders_of_purchases(session, ids)
    contract_rows: dict[int, list[ContractOrderRow]] = defaultdict(list)
    query = select(ContractOrderRow).where(ContractOrderRow.purchase_id.in_(ids)).order_by(ContractOrderRow.id)
    for row in await session.scalars(query):
        contract_rows[row.purchase_id].append(row)
    return {
        row.id: Purchase(
            id=row.id,
            customer_id=row.customer_id,
            status=OrderStatus(row.status),
            payment_method=PaymentMethod(row.payment_method) if row.payment_method else None,
            payment_due_on=row.payment_due_on,
            currency=row.currency,
            terms_version=row.terms_version,
            placed_at=row.placed_at,
            expires_at=row.expires_at,
            confirmed_at=row.confirmed_at,
            spot_orders=tuple(spots.get(row.id, ())),
            contract_orders=tuple(_contract_order(item, row.placed_at.year) for item in contract_rows[row.id]),
        )
        for row in listed
    }


def _contract_order(row: ContractOrderRow, year: int) -> ContractOrder:
    return ContractOrder(
        id=row.id,
        customer_id=row.customer_id,
        purchase_id=row.purchase_id,
        kind=ItemKind(row.kind),
        status=OrderStatus(row.status),
        plan_code=row.plan_code,
        units=row.units,
        accounts_per_unit=row.accounts_per_unit,
        billing_cycle=BillingCycle(row.billing_cycle),
        period=Period(row.starts_on, row.ends_before),
        monthly_unit_price_minor=row.monthly_unit_price_minor,
        annual_unit_price_minor=row.annual_unit_price_minor,
        charge=Charge(row.net_minor, row.tax_minor, row.tax_basis_points),
        cancelled_at=row.cancelled_at,
        year=year,
    )
