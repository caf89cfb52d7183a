"""Invoices and credit notes: as data, and as a page."""

from datetime import date
from typing import Annotated

import strawberry

from db.documents import StoredDocument
from documents.html import html
from documents.texts import Language
from domain.documents import Document as DomainDocument
from domain.documents import DocumentKind, DocumentLine, ItemKind
from domain.orders import PaymentMethod
from resolvers.reads import Page
from schema.context import Info
from schema.money import Money, money
from schema.relay import Node, PageInfo, cursor, global_id, page_info


@strawberry.type(description="One item of a document.")
class DocumentItem:
    kind: ItemKind = strawberry.field(description="What it is about.")
    plan_name: str = strawberry.field(
        description="The plan's name: for a spot that of the plan in force on its first day."
    )
    order_number: str | None = strawberry.field(description="The order that it comes from. Null in a quote.")
    starts_on: date = strawberry.field(description="The first day.")
    ends_before: date = strawberry.field(description="The day after the last day.")
    last_day: date = strawberry.field(description="The last day.")
    months: int | None = strawberry.field(description="Whole months of a spot. Null where it is the rest of a term.")
    units: int = strawberry.field(description="Licence units.")
    accounts: int = strawberry.field(description="Accounts.")
    net: Money = strawberry.field(description="What it costs, without tax.")
    tax_percent: str = strawberry.field(description="The tax rate in percent, as decimal text, such as 10.")


@strawberry.type(description="What is charged at one tax rate.")
class TaxSum:
    percent: str = strawberry.field(description="The tax rate in percent, as decimal text, such as 10.")
    net: Money = strawberry.field(description="Without tax.")
    tax: Money = strawberry.field(description="Consumption tax, rounded down once for this rate and document.")


@strawberry.type(description="Who issues documents: a registered issuer of qualified invoices.")
class Issuer:
    name: str = strawberry.field(description="The name.")
    postal_code: str = strawberry.field(description="The postal code.")
    address: str = strawberry.field(description="The address.")
    registration_number: str = strawberry.field(description="T and 13 digits.")
    bank_account: str = strawberry.field(description="Where transfers go.")


@strawberry.type(description="An invoice, or a credit note that takes something back from one. It never changes.")
class Document(Node):
    kind: DocumentKind = strawberry.field(description="What it is.")
    number: str = strawberry.field(description="Its number, such as INV-2026-00042: without gaps in each year.")
    issued_on: date = strawberry.field(description="The day of issue.")
    due_on: date | None = strawberry.field(description="The last day to pay. Null where nothing is left to pay.")
    refers_to: str | None = strawberry.field(
        description="The number of the invoice that a credit note takes back from. Null for invoices."
    )
    payment_method: PaymentMethod | None = strawberry.field(description="How it is paid. Null in a quote.")
    issuer: Issuer = strawberry.field(description="Who issued it.")
    recipient: str = strawberry.field(description="Whom it was issued to.")
    items: list[DocumentItem] = strawberry.field(description="What it is about.")
    tax_sums: list[TaxSum] = strawberry.field(description="What is charged at each tax rate, the highest first.")
    net: Money = strawberry.field(description="Without tax.")
    tax: Money = strawberry.field(description="Consumption tax.")
    total: Money = strawberry.field(description="With tax: what is charged, or taken back.")
    pdf_path: str = strawberry.field(
        description="Where the PDF is on this server: GET it with the same Authorization header; ?language=EN for"
        " English."
    )
    content: strawberry.Private[DomainDocument]

    @strawberry.field(description="A page to show or print, A4, that loads nothing from elsewhere.")
    def html(
        self, language: Annotated[Language, strawberry.argument(description="Its language.")] = Language.JA
    ) -> str:
        return html(self.content, language)


def document(stored: StoredDocument) -> Document:
    """A stored document as Document."""
    item = stored.document
    return Document(
        id=global_id("Document", stored.id),
        kind=item.kind,
        number=item.number,
        issued_on=item.issued_on,
        due_on=item.due_on,
        refers_to=item.refers_to,
        payment_method=item.payment_method,
        issuer=issuer(item),
        recipient=item.recipient,
        items=document_items(item),
        tax_sums=tax_sums(item),
        net=money(item.net_minor, item.currency),
        tax=money(item.tax_minor, item.currency),
        total=money(item.total_minor, item.currency),
        pdf_path=f"/documents/{global_id('Document', stored.id)}.pdf",
        content=item,
    )


def issuer(item: DomainDocument) -> Issuer:
    """A document's issuer as Issuer."""
    of = item.issuer
    return Issuer(
        name=of.name,
        postal_code=of.postal_code,
        address=of.address,
        registration_number=of.registration_number,
        bank_account=of.bank_account,
    )


def document_items(item: DomainDocument) -> list[DocumentItem]:
    """A document's lines as DocumentItems."""
    return [_item(line, item.currency) for line in item.lines]


def tax_sums(item: DomainDocument) -> list[TaxSum]:
    """A document's tax groups as TaxSums."""
    return [
        TaxSum(
            percent=_percent(group.basis_points),
            net=money(group.net_minor, item.currency),
            tax=money(group.tax_minor, item.currency),
        )
        for group in item.tax_groups
    ]


def _item(line: DocumentLine, currency: str) -> DocumentItem:
    return DocumentItem(
        kind=line.kind,
        plan_name=line.plan_name,
        order_number=line.order_number,
        starts_on=line.period.starts_on,
        ends_before=line.period.ends_before,
        last_day=line.period.last_day,
        months=line.months,
        units=line.units,
        accounts=line.accounts,
        net=money(line.net_minor, currency),
        tax_percent=_percent(line.tax_basis_points),
    )


def _percent(basis_points: int) -> str:
    whole, part = divmod(basis_points, 100)
    return f"{whole}.{part:02d}".rstrip("0") if part else str(whole)


@strawberry.type(description="A document in a connection.")
class DocumentEdge:
    cursor: str = strawberry.field(description="Where this document stands in the connection.")
    node: Document = strawberry.field(description="The document.")


@strawberry.type(description="A customer's invoices and credit notes, newest first.")
class DocumentConnection:
    edges: list[DocumentEdge] = strawberry.field(description="The documents of this page.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")
    customer_id: strawberry.Private[int]

    @strawberry.field(description="How many there are in all. Counted only when asked for.")
    async def total_count(self, info: Info) -> int:
        return await info.context.document_totals.load(self.customer_id)


def document_connection(customer_id: int, page: Page[StoredDocument], after: str | None) -> DocumentConnection:
    """A page of documents as DocumentConnection."""
    edges = [DocumentEdge(cursor=cursor(item.id), node=document(item)) for item in page.items]
    info = page_info(edges, after, has_next=page.has_next)
    return DocumentConnection(edges=edges, page_info=info, customer_id=customer_id)
