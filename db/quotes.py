"""Saved recommendations and quotes."""

from collections.abc import Collection
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.commerce_tables import PurchaseRow, QuoteRow, SavedRecommendationRow
from db.documents import content_of, document_of
from db.pages import count_of_each, page_of_each
from db.prepared import is_on_postgresql
from domain.contracts import BillingCycle, Term
from domain.documents import DocumentKind, ItemKind
from domain.held import HeldItem
from domain.money import Charge
from domain.months import Period
from domain.orders import OrderStatus
from domain.quotes import Quote, SavedRecommendation

UNPAID_VALUES = frozenset({OrderStatus.CANCELLED.value, OrderStatus.EXPIRED.value})
"""Of purchases that came to nothing: what is confirmed is only ever taken back order by order."""


async def add_recommendation(session: AsyncSession, saved: SavedRecommendation) -> SavedRecommendation:
    """Store a recommendation; the id it is given replaces the one it came with."""
    row = SavedRecommendationRow(
        customer_id=saved.customer_id,
        contract_version=saved.contract_version,
        saved_at=saved.saved_at,
        status=saved.status,
        items=[_values(item) for item in saved.items],
    )
    session.add(row)
    await session.flush()
    return replace(saved, id=row.id)


async def recommendation_by_id(session: AsyncSession, recommendation_id: int) -> SavedRecommendation | None:
    """A saved recommendation; None if there is none."""
    row = await session.get(SavedRecommendationRow, recommendation_id)
    if row is None:
        return None
    items = tuple(_item(values) for values in row.items)
    return SavedRecommendation(
        row.id, row.customer_id, row.contract_version, row.saved_at, row.status, items, row.purchase_id
    )


async def mark_ordered(session: AsyncSession, recommendation_id: int, purchase_id: int) -> None:
    """Remember the purchase that a recommendation became."""
    statement = update(SavedRecommendationRow).where(SavedRecommendationRow.id == recommendation_id)
    await session.execute(statement.values(purchase_id=purchase_id))


async def add_quote(session: AsyncSession, quote: Quote) -> Quote:
    """Store a quote; the id it is given replaces the one it came with, and is in its number."""
    row = QuoteRow(
        customer_id=quote.customer_id,
        issued_on=quote.document.issued_on,
        issued_at=quote.issued_at,
        valid_until=quote.valid_until,
        items=[_values(item) for item in quote.items],
        content=content_of(quote.document),
        total_minor=quote.document.total_minor,
    )
    session.add(row)
    await session.flush()
    quote = replace(quote, id=row.id)
    quote = replace(quote, document=replace(quote.document, number=quote.number))
    row.content = content_of(quote.document)
    await session.flush()
    return quote


async def quote_by_id(session: AsyncSession, quote_id: int) -> Quote | None:
    """A quote; None if there is none."""
    query = select(QuoteRow, PurchaseRow.status).outerjoin(PurchaseRow, PurchaseRow.id == QuoteRow.purchase_id)
    found = (await session.execute(query.where(QuoteRow.id == quote_id))).one_or_none()
    return _quote(found[0], found[1]) if found else None


async def quotes_page(
    session: AsyncSession, customer_ids: Collection[int], *, first: int, before_id: int | None
) -> dict[int, list[Quote]]:
    """Up to ``first`` quotes of each customer, newest first."""
    query = _page(is_on_postgresql(session), before_id is not None)
    values = {"owner_ids": list(customer_ids), "first": first, "before_id": before_id}
    found: dict[int, list[Quote]] = {customer_id: [] for customer_id in customer_ids}
    for item, status in await session.execute(query, values):
        found[item.customer_id].append(_quote(item, status))
    return found


@cache
def _page(is_postgresql: bool, is_earlier: bool) -> Select[QuoteRow, str]:
    where = [QuoteRow.id < bindparam("before_id")] if is_earlier else []
    row, query = page_of_each(is_postgresql, QuoteRow, QuoteRow.customer_id, *where)
    return query.add_columns(PurchaseRow.status).outerjoin(PurchaseRow, PurchaseRow.id == row.purchase_id)


async def quote_counts(session: AsyncSession, customer_ids: Collection[int]) -> dict[int, int]:
    """How many quotes each customer has."""
    return await count_of_each(session, QuoteRow.customer_id, customer_ids)


async def mark_accepted(session: AsyncSession, quote_id: int, purchase_id: int) -> None:
    """Remember the purchase that a quote became."""
    await session.execute(update(QuoteRow).where(QuoteRow.id == quote_id).values(purchase_id=purchase_id))


def _quote(row: QuoteRow, purchase_status: str | None) -> Quote:
    return Quote(
        id=row.id,
        customer_id=row.customer_id,
        issued_at=row.issued_at,
        valid_until=row.valid_until,
        items=tuple(_item(values) for values in row.items),
        document=document_of(DocumentKind.QUOTE, row.issued_on, row.content),
        purchase_id=None if purchase_status in UNPAID_VALUES else row.purchase_id,
    )


def _values(item: HeldItem) -> dict[str, Any]:
    term = item.term
    return {
        "kind": item.kind.value,
        "days": [str(item.period.starts_on), str(item.period.ends_before)],
        "months": item.months,
        "units": item.units,
        "accounts": item.accounts,
        "charge": [item.charge.net_minor, item.charge.tax_minor, item.charge.tax_basis_points],
        "term": {
            "days": [str(term.period.starts_on), str(term.period.ends_before)],
            "plan_code": term.plan_code,
            "units": term.units,
            "accounts_per_unit": term.accounts_per_unit,
            "billing_cycle": term.billing_cycle.value,
            "prices": [term.monthly_unit_price_minor, term.annual_unit_price_minor],
        }
        if term
        else None,
    }


def _item(values: dict[str, Any]) -> HeldItem:
    term = values["term"]
    return HeldItem(
        kind=ItemKind(values["kind"]),
        period=_period(values["days"]),
        months=values["months"],
        units=values["units"],
        accounts=values["accounts"],
        charge=Charge(*values["charge"]),
        term=Term(
            _period(term["days"]),
            term["plan_code"],
            term["units"],
            term["accounts_per_unit"],
            BillingCycle(term["billing_cycle"]),
            *term["prices"],
        )
        if term
        else None,
    )


def _period(days: list[str]) -> Period:
    return Period(date.fromisoformat(days[0]), date.fromisoformat(days[1]))
