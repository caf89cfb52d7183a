"""Purchases and orders of the main contract: the objects and their connection."""

from datetime import date, datetime

import strawberry

from domain.contracts import BillingCycle
from domain.customers import Customer as DomainCustomer
from domain.documents import ItemKind
from domain.ledger import EntryKind
from domain.orders import OrderStatus, PaymentMethod
from domain.purchases import ContractOrder as DomainContractOrder
from domain.purchases import Purchase as DomainPurchase
from resolvers.reads import Page
from schema.context import Info
from schema.documents import Document, document
from schema.money import Money, Price, money, price
from schema.relay import Node, PageInfo, cursor, global_id, page_info
from schema.spot_orders import SpotOrder, spot_order


@strawberry.type(description="An order of a term, of additional licences or of an upgrade.")
class ContractOrder(Node):
    number: str = strawberry.field(description="The number people use, such as CO-2026-00042.")
    kind: ItemKind = strawberry.field(description="What is ordered.")
    status: OrderStatus = strawberry.field(description="Where the order stands: CONFIRMED once it has taken effect.")
    plan_code: str = strawberry.field(description="The plan's code.")
    units: int = strawberry.field(description="Licence units.")
    accounts: int = strawberry.field(description="Accounts.")
    billing_cycle: BillingCycle = strawberry.field(description="How the term is paid.")
    starts_on: date = strawberry.field(description="The first day.")
    ends_before: date = strawberry.field(description="The day after the last day.")
    last_day: date = strawberry.field(description="The last day.")
    price: Price = strawberry.field(description="What it costs, held since it was placed.")


def contract_order(order: DomainContractOrder, currency: str) -> ContractOrder:
    """A stored order as ContractOrder."""
    return ContractOrder(
        id=global_id("ContractOrder", order.id),
        number=order.number,
        kind=order.kind,
        status=order.status,
        plan_code=order.plan_code,
        units=order.units,
        accounts=order.accounts,
        billing_cycle=order.billing_cycle,
        starts_on=order.period.starts_on,
        ends_before=order.period.ends_before,
        last_day=order.period.last_day,
        price=price(order.charge, currency),
    )


@strawberry.type(description="Money that is owed or settled.")
class LedgerEntry:
    kind: EntryKind = strawberry.field(description="What it records.")
    amount: Money = strawberry.field(
        description="Above zero what is owed (invoices, refunds), below zero what settles it (credit notes, payments)."
    )


@strawberry.type(description="Orders that are paid together, and stand on one invoice.")
class Purchase(Node):
    number: str = strawberry.field(description="The number people use, such as PU-2026-00042.")
    status: OrderStatus = strawberry.field(
        description="Where the payment stands. Its orders go their own ways once it is CONFIRMED."
    )
    payment_method: PaymentMethod | None = strawberry.field(description="Null until one is chosen.")
    payment_due_on: date | None = strawberry.field(description="Null unless it is paid by invoice.")
    net: Money = strawberry.field(description="Without tax.")
    tax: Money = strawberry.field(description="Consumption tax, rounded down once for each rate.")
    total: Money = strawberry.field(description="With tax: what is charged.")
    terms_version: str = strawberry.field(description="The version of the terms of use that was agreed to.")
    placed_at: datetime = strawberry.field(description="When it was placed.")
    expires_at: datetime = strawberry.field(description="When it expires unless it is paid.")
    confirmed_at: datetime | None = strawberry.field(description="When it was confirmed. Null until then.")
    contract_orders: list[ContractOrder] = strawberry.field(description="Its orders of the main contract.")
    record: strawberry.Private[DomainPurchase]

    @strawberry.field(
        description="The bank account to transfer the total to, naming this purchase's number. Null unless a transfer"
        " is awaited."
    )
    def transfer_to(self, info: Info) -> str | None:
        awaited = self.status is OrderStatus.PENDING_PAYMENT and self.payment_method is PaymentMethod.BANK_TRANSFER
        return info.context.services.settings.issuer_bank_account if awaited else None

    @strawberry.field(description="Its spot orders.")
    async def spot_orders(self, info: Info) -> list[SpotOrder]:
        customer = await _customer(info, self.record.customer_id)
        now = info.context.services.clock()
        return [spot_order(order, customer, now) for order in self.record.spot_orders]

    @strawberry.field(description="Its invoice, and what was taken back of it; empty until it is confirmed.")
    async def documents(self, info: Info) -> list[Document]:
        return [document(item) for item in await info.context.purchase_documents.load(self.record.id)]

    @strawberry.field(description="Its entries in the ledger, oldest first: they add up to what is owed for it.")
    async def ledger(self, info: Info) -> list[LedgerEntry]:
        entries = await info.context.purchase_entries.load(self.record.id)
        return [LedgerEntry(kind=item.kind, amount=money(item.amount_minor, self.record.currency)) for item in entries]


async def _customer(info: Info, customer_id: int) -> DomainCustomer:
    customer = await info.context.customers.load(customer_id)
    if customer is None:
        raise LookupError(f"there is no customer {customer_id}")
    return customer


def purchase(item: DomainPurchase) -> Purchase:
    """A stored purchase as Purchase."""
    groups = item.tax_groups
    net, tax = sum(group.net_minor for group in groups), sum(group.tax_minor for group in groups)
    return Purchase(
        id=global_id("Purchase", item.id),
        number=item.number,
        status=item.status,
        payment_method=item.payment_method,
        payment_due_on=item.payment_due_on,
        net=money(net, item.currency),
        tax=money(tax, item.currency),
        total=money(net + tax, item.currency),
        terms_version=item.terms_version,
        placed_at=item.placed_at,
        expires_at=item.expires_at,
        confirmed_at=item.confirmed_at,
        contract_orders=[contract_order(order, item.currency) for order in item.contract_orders],
        record=item,
    )


@strawberry.type(description="A purchase in a connection.")
class PurchaseEdge:
    cursor: str = strawberry.field(description="Where this purchase stands in the connection.")
    node: Purchase = strawberry.field(description="The purchase.")


@strawberry.type(description="A customer's purchases, newest first.")
class PurchaseConnection:
    edges: list[PurchaseEdge] = strawberry.field(description="The purchases of this page.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")
    customer_id: strawberry.Private[int]

    @strawberry.field(description="How many there are in all. Counted only when asked for.")
    async def total_count(self, info: Info) -> int:
        return await info.context.purchase_totals.load(self.customer_id)


def purchase_connection(customer_id: int, page: Page[DomainPurchase], after: str | None) -> PurchaseConnection:
    """A page of purchases as PurchaseConnection."""
    edges = [PurchaseEdge(cursor=cursor(item.id), node=purchase(item)) for item in page.items]
    info = page_info(edges, after, has_next=page.has_next)
    return PurchaseConnection(edges=edges, page_info=info, customer_id=customer_id)
