"""Invoices and credit notes with gapless numbers, and the ledger."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db.commerce_tables import DocumentNumberRow, DocumentRow, LedgerEntryRow
from db.pages import NewestOfEach, by_owner, count_of_each
from domain.customers import CustomerKind
from domain.documents import Document, DocumentKind, DocumentLine, Issuer, ItemKind, TaxGroup
from domain.ledger import EntryKind, LedgerEntry
from domain.months import Period
from domain.orders import PaymentMethod


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as it was issued, and the purchase that it is about."""

    id: int
    customer_id: int
    purchase_id: int
    issued_at: datetime
    document: Document


_PAGES = NewestOfEach(DocumentRow, DocumentRow.customer_id)


async def next_serial(session: AsyncSession, kind: DocumentKind, year: int) -> int:
    """The next number of a kind in a year. Its row stays locked until the transaction ends, so there is no gap."""
    statement = (
        update(DocumentNumberRow)
        .where(DocumentNumberRow.kind == kind.value, DocumentNumberRow.year == year)
        .values(last=DocumentNumberRow.last + 1)
        .returning(DocumentNumberRow.last)
        .execution_options(synchronize_session=False)
    )
    given = await session.scalar(statement)
    if given is not None:
        return given
    try:
        async with session.begin_nested():
            await session.execute(insert(DocumentNumberRow).values(kind=kind.value, year=year, last=1))
    except IntegrityError:  # another transaction was the year's first in the meantime
        given = await session.scalar(statement)
        if given is None:
            raise
        return given
    return 1


async def add_document(
    session: AsyncSession,
    document: Document,
    *,
    serial: int,
    customer_id: int,
    purchase_id: int,
    invoice_id: int | None,
    now: datetime,
) -> int:
    """Store a document as it is issued; its id."""
    statement = insert(DocumentRow).values(
        kind=document.kind.value,
        year=document.issued_on.year,
        serial=serial,
        customer_id=customer_id,
        purchase_id=purchase_id,
        invoice_id=invoice_id,
        issued_on=document.issued_on,
        issued_at=now,
        total_minor=document.total_minor,
        content=content_of(document),
    )
    return (await session.execute(statement.returning(DocumentRow.id))).scalar_one()


async def documents_by_id(session: AsyncSession, ids: Collection[int]) -> dict[int, StoredDocument]:
    """The documents that exist among these ids."""
    rows = await session.scalars(select(DocumentRow).where(DocumentRow.id.in_(ids)))
    return {row.id: _stored(row) for row in rows}


async def documents_of_purchases(
    session: AsyncSession, purchase_ids: Collection[int]
) -> dict[int, list[StoredDocument]]:
    """The documents of each purchase, oldest first: an invoice and what was taken back of it."""
    query = select(DocumentRow).where(DocumentRow.purchase_id.in_(purchase_ids)).order_by(DocumentRow.id)
    found = by_owner(DocumentRow.purchase_id, purchase_ids, await session.scalars(query))
    return {purchase_id: [_stored(row) for row in rows] for purchase_id, rows in found.items()}


async def documents_page(
    session: AsyncSession, customer_ids: Collection[int], *, first: int, before_id: int | None
) -> dict[int, list[StoredDocument]]:
    """Up to ``first`` documents of each customer, newest first."""
    pages = await _PAGES.read(session, customer_ids, first=first, before_id=before_id)
    return {customer_id: [_stored(row) for row in rows] for customer_id, rows in pages.items()}


async def document_counts(session: AsyncSession, customer_ids: Collection[int]) -> dict[int, int]:
    """How many documents each customer has."""
    return await count_of_each(session, DocumentRow.customer_id, customer_ids)


async def add_entry(session: AsyncSession, entry: LedgerEntry, now: datetime) -> None:
    """Append an entry to the ledger."""
    await session.execute(
        insert(LedgerEntryRow).values(
            customer_id=entry.customer_id,
            purchase_id=entry.purchase_id,
            kind=entry.kind.value,
            document_id=entry.document_id,
            payment_id=entry.payment_id,
            amount_minor=entry.amount_minor,
            recorded_at=now,
            note=entry.note,
        )
    )


async def entries_of_purchases(session: AsyncSession, purchase_ids: Collection[int]) -> dict[int, list[LedgerEntry]]:
    """The entries of each purchase, oldest first."""
    query = select(LedgerEntryRow).where(LedgerEntryRow.purchase_id.in_(purchase_ids)).order_by(LedgerEntryRow.id)
    found = by_owner(LedgerEntryRow.purchase_id, purchase_ids, await session.scalars(query))
    return {purchase_id: [_entry(row) for row in rows] for purchase_id, rows in found.items()}


async def balances(session: AsyncSession, customer_ids: Collection[int]) -> dict[int, int]:
    """What each customer owes, in minor units; below zero where money is to be given back."""
    query = select(LedgerEntryRow.customer_id, func.sum(LedgerEntryRow.amount_minor))
    query = query.where(LedgerEntryRow.customer_id.in_(customer_ids)).group_by(LedgerEntryRow.customer_id)
    found = {customer_id: int(amount_minor) for customer_id, amount_minor in await session.execute(query)}
    return dict.fromkeys(customer_ids, 0) | found


def content_of(document: Document) -> dict[str, Any]:
    """A document as JSON values, without its kind and day, which have columns of their own."""
    issuer = document.issuer
    return {
        "number": document.number,
        "currency": document.currency,
        "issuer": [
            issuer.name,
            issuer.postal_code,
            issuer.address,
            issuer.registration_number,
            issuer.bank_account,
        ],
        "recipient": document.recipient,
        "recipient_kind": document.recipient_kind.value,
        "lines": [
            {
                "kind": line.kind.value,
                "plan_name": line.plan_name,
                "starts_on": str(line.period.starts_on),
                "ends_before": str(line.period.ends_before),
                "months": line.months,
                "units": line.units,
                "accounts": line.accounts,
                "net_minor": line.net_minor,
                "tax_basis_points": line.tax_basis_points,
                "order_number": line.order_number,
            }
            for line in document.lines
        ],
        "tax_groups": [[group.basis_points, group.net_minor, group.tax_minor] for group in document.tax_groups],
        "payment_method": document.payment_method.value if document.payment_method else None,
        "due_on": str(document.due_on) if document.due_on else None,
        "valid_until": str(document.valid_until) if document.valid_until else None,
        "refers_to": document.refers_to,
    }


def document_of(kind: DocumentKind, issued_on: date, content: dict[str, Any]) -> Document:
    """The document that :func:`content_of` was made from."""
    return Document(
        kind=kind,
        number=content["number"],
        issued_on=issued_on,
        currency=content["currency"],
        issuer=Issuer(*content["issuer"]),
        recipient=content["recipient"],
        lines=tuple(
            DocumentLine(
                kind=ItemKind(line["kind"]),
                plan_name=line["plan_name"],
                period=Period(date.fromisoformat(line["starts_on"]), date.fromisoformat(line["ends_before"])),
                months=line["months"],
                units=line["units"],
                accounts=line["accounts"],
                net_minor=line["net_minor"],
                tax_basis_points=line["tax_basis_points"],
                order_number=line["order_number"],
            )
            for line in content["lines"]
        ),
        tax_groups=tuple(TaxGroup(*group) for group in content["tax_groups"]),
        payment_method=PaymentMethod(content["payment_method"]) if content["payment_method"] else None,
        due_on=date.fromisoformat(content["due_on"]) if content["due_on"] else None,
        valid_until=date.fromisoformat(content["valid_until"]) if content["valid_until"] else None,
        refers_to=content["refers_to"],
        # Documents never change: those from before it was stored have none.
        recipient_kind=CustomerKind(content.get("recipient_kind", CustomerKind.CORPORATE)),
    )


def _stored(row: DocumentRow) -> StoredDocument:
    document = document_of(DocumentKind(row.kind), row.issued_on, row.content)
    return StoredDocument(row.id, row.customer_id, row.purchase_id, row.issued_at, document)


def _entry(row: LedgerEntryRow) -> LedgerEntry:
    return LedgerEntry(
        kind=EntryKind(row.kind),
        customer_id=row.customer_id,
        purchase_id=row.purchase_id,
        document_id=row.document_id,
        payment_id=row.payment_id,
        amount_minor=row.amount_minor,
        note=row.note,
    )
