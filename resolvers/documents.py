"""Invoices and credit notes: issued with the next number, entered into the ledger, written into the history."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from db.catalogue import all_plans
from db.documents import StoredDocument, add_document, add_entry, documents_of_purchases, next_serial
from domain.contracts import MainContract
from domain.documents import (
    Document,
    DocumentKind,
    DocumentLine,
    ItemKind,
    TaxGroup,
    taken_back,
)
from domain.history import Change, EventKind, NewEvent
from domain.ledger import EntryKind, LedgerEntry
from domain.purchases import ContractOrder, Purchase
from resolvers.services import issuer_of
from resolvers.work import Work

PREFIXES = {DocumentKind.INVOICE: "INV", DocumentKind.CREDIT_NOTE: "CN", DocumentKind.QUOTE: "Q"}


def plan_on(contract: MainContract | None, day: date) -> str:
    """The code of the plan that a spot adds accounts to on its first day; empty where none is in force."""
    terms = (*contract.earlier, *contract.terms) if contract else ()
    return next((term.plan_code for term in terms if term.period.contains(day)), "")


async def purchase_lines(work: Work, purchase: Purchase) -> tuple[DocumentLine, ...]:
    """What a purchase says on a document."""
    names = {plan.code: plan.name for plan in await all_plans(work.session)}
    codes = [plan_on(work.contract, order.period.starts_on) for order in purchase.spot_orders]
    spots = [
        DocumentLine(
            kind=ItemKind.SPOT,
            plan_name=names.get(code, code),
            period=order.period,
            months=order.months,
            units=order.units,
            accounts=order.accounts,
            net_minor=order.charge.net_minor,
            tax_basis_points=order.charge.tax_basis_points,
            order_number=order.number,
        )
        for order, code in zip(purchase.spot_orders, codes, strict=True)
    ]
    return (*spots, *(_contract_line(order, names) for order in purchase.contract_orders))


def _contract_line(order: ContractOrder, names: dict[str, str]) -> DocumentLine:
    return DocumentLine(
        kind=order.kind,
        plan_name=names.get(order.plan_code, order.plan_code),
        period=order.period,
        months=None,
        units=order.units,
        accounts=order.accounts,
        net_minor=order.charge.net_minor,
        tax_basis_points=order.charge.tax_basis_points,
        order_number=order.number,
    )


async def issue_invoice(work: Work, purchase: Purchase) -> int:
    """The invoice of a confirmed purchase; its id."""
    lines = await purchase_lines(work, purchase)
    document = draft(work, DocumentKind.INVOICE, lines, purchase.tax_groups)
    document = replace(document, payment_method=purchase.payment_method, due_on=purchase.payment_due_on)
    return await _issue(work, purchase, document, None)


async def issue_credit_note(work: Work, purchase: Purchase, order_number: str) -> int:
    """The credit note that takes an order back from its purchase's invoice; what it gives back, with tax.

    Raises:
        LookupError: the order stands on no invoice.
    """
    invoice, *notes = (await documents_of_purchases(work.session, [purchase.id]))[purchase.id]
    gone_before = {line.order_number for note in notes for line in note.document.lines}
    standing = [line for line in invoice.document.lines if line.order_number not in gone_before]
    lines, groups = taken_back(standing, order_number)
    if not lines:
        raise LookupError(f"{order_number} stands on no invoice")
    document = draft(work, DocumentKind.CREDIT_NOTE, lines, groups)
    document = replace(document, payment_method=purchase.payment_method, refers_to=invoice.document.number)
    await _issue(work, purchase, document, invoice)
    return document.total_minor


def draft(work: Work, kind: DocumentKind, lines: Sequence[DocumentLine], groups: tuple[TaxGroup, ...]) -> Document:
    """A document of today for the customer, without a number yet."""
    return Document(
        kind=kind,
        number="",
        issued_on=work.today,
        currency=work.customer.currency,
        issuer=issuer_of(work.settings),
        recipient=work.customer.name,
        recipient_kind=work.customer.kind,
        lines=tuple(lines),
        tax_groups=groups,
    )


async def _issue(work: Work, purchase: Purchase, document: Document, invoice: StoredDocument | None) -> int:
    kind, year = document.kind, document.issued_on.year
    serial = await next_serial(work.session, kind, year)
    document = replace(document, number=f"{PREFIXES[kind]}-{year}-{serial:05d}")
    document_id = await add_document(
        work.session,
        document,
        serial=serial,
        customer_id=purchase.customer_id,
        purchase_id=purchase.id,
        invoice_id=invoice.id if invoice else None,
        now=work.now,
    )
    is_invoice = kind is DocumentKind.INVOICE
    entry = LedgerEntry(
        kind=EntryKind.INVOICE if is_invoice else EntryKind.CREDIT_NOTE,
        customer_id=purchase.customer_id,
        purchase_id=purchase.id,
        document_id=document_id,
        amount_minor=document.total_minor if is_invoice else -document.total_minor,
    )
    await add_entry(work.session, entry, work.now)
    changes: dict[str, Change] = {
        "purchase": (purchase.number, purchase.number),
        "number": (None, document.number),
        "total": (None, str(document.total_minor)),
    }
    if document.refers_to is not None:
        changes["refersTo"] = (document.refers_to, document.refers_to)
    event = NewEvent(
        kind=EventKind.INVOICE_ISSUED if is_invoice else EventKind.CREDIT_NOTE_ISSUED,
        occurred_at=work.now,
        changes=changes,
    )
    await work.log(event)
    return document_id
