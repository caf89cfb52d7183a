"""Invoices and credit notes with gapless numbers, and the ledger."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db.commerce_tables import DocumentNumberRow, DocumentRow, LedgerEntryRow
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
    found: dict[int, list[StoredDocument]] = {id_: [] for id_ in purchase_ids}
    query = select(DocumentRow).where(DocumentRow.purchase_id.in_(purchase_ids)).order_by(DocumentRow.id)
    for row in await session.scalars(query):
        found[row.purchase_id].append(_stored(row))
    return found


async def documents_page(
    session: AsyncSession, customer_id: int, *, first: int, before_id: int | None
) -> list[StoredDocument]:
    """Up to ``first`` documents of a customer, newest first."""
    query = select(DocumentRow).where(DocumentRow.customer_id == customer_id)
    if before_id is not None:
        query = query.where(DocumentRow.id < before_id)
    return [_stored(row) for row in await session.scalars(query.order_by(DocumentRow.id.desc()).limit(first))]


async def documents_count(session: AsyncSession, customer_id: int) -> int:
    """How many documents a customer has."""
    query = select(func.count()).select_from(DocumentRow).where(DocumentRow.customer_id == customer_id)
    return (await session.execute(query)).scalar_one()


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


async def entries_of_purchase(session: AsyncSession, purchase_id: int) -> list[LedgerEntry]:
    """A purchase's entries, oldest first."""
    query = select(LedgerEntryRow).where(LedgerEntryRow.purchase_id == purchase_id).order_by(LedgerEntryRow.id)
    return [_entry(row) for row in await session.scalars(query)]


async def balance(session: AsyncSession, customer_id: int) -> int:
    """What a customer owes, in minor units; below zero where money is to be given back."""
    query = select(func.coalesce(func.sum(LedgerEntryRow.amount_minor), 0))
    return int((await session.execute(query.where(LedgerEntryRow.customer_id == customer_id))).scalar_one())


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
