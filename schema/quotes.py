"""Saved recommendations and quotes: the objects, and the mutations that save, issue, order and accept them."""

from datetime import date
from typing import Annotated

import strawberry

from documents.html import html
from documents.texts import Language
from domain.documents import Document as DomainDocument
from domain.orders import PaymentMethod
from domain.quotes import Quote as DomainQuote
from domain.quotes import QuoteStatus
from resolvers import quotes as use_cases
from resolvers.contract_orders import LicenceItems
from resolvers.purchases import SpotItems
from resolvers.quotes import OrderCommand, QuoteCommand, QuoteItems
from resolvers.reads import Page
from schema.account_mutations import Payload, customer_key
from schema.context import Info
from schema.documents import DocumentItem, Issuer, TaxSum, document_items, issuer, tax_sums
from schema.errors import refusals_in_payload
from schema.money import Money, money
from schema.planning import Recommendation, RecommendInput, recommend_command, recommendation
from schema.purchase_mutations import AGREED, KEY, LicenceInput, RenewalInput, TermInput, renewal_items, term_items
from schema.purchases import Purchase, purchase
from schema.relay import Node, PageInfo, cursor, global_id, key_of, page_info

METHOD = "INVOICE or BANK_TRANSFER, to check out at once. Left out, go on with purchaseCheckout."
EXPECTED = "The total that was shown, in minor units with tax. Another one is refused, never charged."


@strawberry.type(description="An offer at held prices until its last day.")
class Quote(Node):
    number: str = strawberry.field(description="The number people use, such as Q-2026-00042.")
    status: QuoteStatus = strawberry.field(description="Where it stands today.")
    issued_on: date = strawberry.field(description="The day of issue.")
    valid_until: date = strawberry.field(description="The last day on which it can be accepted.")
    issuer: Issuer = strawberry.field(description="Who issued it.")
    recipient: str = strawberry.field(description="Whom it was issued to.")
    items: list[DocumentItem] = strawberry.field(description="What it offers.")
    tax_sums: list[TaxSum] = strawberry.field(description="What is charged at each tax rate, the highest first.")
    net: Money = strawberry.field(description="Without tax.")
    tax: Money = strawberry.field(description="Consumption tax.")
    total: Money = strawberry.field(description="With tax: what is charged when it is accepted.")
    pdf_path: str = strawberry.field(
        description="Where the PDF is on this server: GET it with the same Authorization header; ?language=EN for"
        " English."
    )
    purchase_id: strawberry.ID | None = strawberry.field(
        description="The purchase that it became, for node. Null until it is accepted, and again where that was"
        " cancelled or expired before it was paid."
    )
    content: strawberry.Private[DomainDocument]

    @strawberry.field(description="A page to show or print, A4, that loads nothing from elsewhere.")
    def html(
        self, language: Annotated[Language, strawberry.argument(description="Its language.")] = Language.JA
    ) -> str:
        return html(self.content, language)


def quote(item: DomainQuote, today: date) -> Quote:
    """A stored quote as Quote, with its status on a day."""
    content = item.document
    return Quote(
        id=global_id("Quote", item.id),
        number=item.number,
        status=item.status_on(today),
        issued_on=content.issued_on,
        valid_until=item.valid_until,
        issuer=issuer(content),
        recipient=content.recipient,
        items=document_items(content),
        tax_sums=tax_sums(content),
        net=money(content.net_minor, content.currency),
        tax=money(content.tax_minor, content.currency),
        total=money(content.total_minor, content.currency),
        pdf_path=f"/documents/{global_id('Quote', item.id)}.pdf",
        purchase_id=global_id("Purchase", item.purchase_id) if item.purchase_id is not None else None,
        content=content,
    )


async def loaded_quote(info: Info, item: DomainQuote) -> Quote:
    """A stored quote as Quote, with its customer from the request's loader."""
    customer = await info.context.customers.load(item.customer_id)
    if customer is None:
        raise LookupError(f"quote {item.id} has no customer")
    return quote(item, customer.day_at(info.context.services.clock()))


@strawberry.type(description="A quote in a connection.")
class QuoteEdge:
    cursor: str = strawberry.field(description="Where this quote stands in the connection.")
    node: Quote = strawberry.field(description="The quote.")


@strawberry.type(description="A customer's quotes, newest first.")
class QuoteConnection:
    edges: list[QuoteEdge] = strawberry.field(description="The quotes of this page.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")
    customer_id: strawberry.Private[int]

    @strawberry.field(description="How many there are in all. Counted only when asked for.")
    async def total_count(self, info: Info) -> int:
        return await info.context.quote_totals.load(self.customer_id)


def quote_connection(customer_id: int, page: Page[DomainQuote], today: date, after: str | None) -> QuoteConnection:
    """A page of quotes as QuoteConnection."""
    edges = [QuoteEdge(cursor=cursor(item.id), node=quote(item, today)) for item in page.items]
    info = page_info(edges, after, has_next=page.has_next)
    return QuoteConnection(edges=edges, page_info=info, customer_id=customer_id)


@strawberry.input(description="A spot contract.")
class SpotInput:
    accounts: int = strawberry.field(description="Extra accounts: a positive multiple of accountsPerUnit.")
    starts_on: date = strawberry.field(description="The first day.")
    months: int = strawberry.field(description="Whole months.")


@strawberry.input(description="An item of a quote: exactly one of the four.", one_of=True)
class QuoteItemInput:
    spot: SpotInput | None = strawberry.field(default=strawberry.UNSET, description="A spot contract.")
    term: TermInput | None = strawberry.field(default=strawberry.UNSET, description="A paid contract from Free.")
    renewal: RenewalInput | None = strawberry.field(default=strawberry.UNSET, description="A renewal.")
    additional_licence: LicenceInput | None = strawberry.field(
        default=strawberry.UNSET, description="Additional licences."
    )


@strawberry.input(description="A quote of a saved recommendation, or of single items.")
class QuoteIssueInput:
    customer_id: strawberry.ID | None = strawberry.field(
        default=None, description="For whom. It may be left out for a recommendation, which is somebody's."
    )
    recommendation_id: strawberry.ID | None = strawberry.field(
        default=None, description="The saved recommendation. Left out, the items are quoted."
    )
    items: list[QuoteItemInput] = strawberry.field(
        default_factory=list, description="What is quoted, at today's prices. Not looked at for a recommendation."
    )
    valid_until: date = strawberry.field(description="The last day on which it can be accepted: today or later.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.input(description="The acceptance of a quote.")
class QuoteAcceptInput:
    quote_id: strawberry.ID = strawberry.field(description="The quote.")
    agreed_terms_version: str = strawberry.field(description=AGREED)
    expected_total: int = strawberry.field(description=EXPECTED)
    payment_method: PaymentMethod | None = strawberry.field(default=None, description=METHOD)
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.input(description="The order of a saved recommendation.")
class RecommendationOrderInput:
    recommendation_id: strawberry.ID = strawberry.field(description="The saved recommendation.")
    agreed_terms_version: str = strawberry.field(description=AGREED)
    expected_total: int = strawberry.field(description=EXPECTED)
    payment_method: PaymentMethod | None = strawberry.field(default=None, description=METHOD)
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="The saved recommendation, or why it was not saved.")
class RecommendationSavePayload(Payload):
    recommendation_id: strawberry.ID | None = strawberry.field(
        default=None, description="For recommendationOrder and quoteIssue. Null when it was refused."
    )
    recommendation: Recommendation | None = strawberry.field(
        default=None, description="The recommendation. Null when it was refused."
    )


@strawberry.type(description="The purchase with all orders, or why none was placed.")
class RecommendationOrderPayload(Payload):
    purchase: Purchase | None = strawberry.field(default=None, description="The purchase. Null when it was refused.")


@strawberry.type(description="The quote, or why it was not issued.")
class QuoteIssuePayload(Payload):
    quote: Quote | None = strawberry.field(default=None, description="The quote. Null when it was refused.")


@strawberry.type(description="The purchase that the quote became, or why it was not accepted.")
class QuoteAcceptPayload(Payload):
    purchase: Purchase | None = strawberry.field(default=None, description="The purchase. Null when it was refused.")


def _quote_item(given: QuoteItemInput) -> QuoteItems:
    if given.spot:
        return SpotItems(given.spot.accounts, given.spot.starts_on, given.spot.months)
    if given.term:
        return term_items(given.term)
    if given.renewal:
        return renewal_items(given.renewal)
    licence = given.additional_licence
    return LicenceItems(licence.units, licence.starts_on) if licence else SpotItems(0, date.min, 0)


def _order(key: int, given: RecommendationOrderInput | QuoteAcceptInput) -> OrderCommand:
    return OrderCommand(
        key, given.agreed_terms_version, given.expected_total, given.payment_method, given.idempotency_key
    )


@strawberry.type
class QuoteMutations:
    """The part of Mutation about saved recommendations and quotes."""

    @strawberry.mutation(description="Ask for a recommendation and keep it, so that it can be ordered or quoted.")
    @refusals_in_payload(RecommendationSavePayload)
    async def recommendation_save(
        self, info: Info, input: Annotated[RecommendInput, strawberry.argument(description="The question.")]
    ) -> RecommendationSavePayload | None:
        saved, answer = await use_cases.save(info.context.services, info.context.caller, recommend_command(input))
        return RecommendationSavePayload(
            recommendation_id=global_id("SavedRecommendation", saved.id), recommendation=recommendation(answer)
        )

    @strawberry.mutation(
        description="Place all orders of a saved recommendation as one purchase, or none: refused with what changed if"
        " contract, prices or spots are not as they were."
    )
    @refusals_in_payload(RecommendationOrderPayload)
    async def recommendation_order(
        self, info: Info, input: Annotated[RecommendationOrderInput, strawberry.argument(description="The order.")]
    ) -> RecommendationOrderPayload | None:
        key = key_of(input.recommendation_id, "SavedRecommendation", "recommendationId")
        command = _order(key, input)
        found = await use_cases.order_recommendation(info.context.services, info.context.caller, command)
        return RecommendationOrderPayload(purchase=purchase(found))

    @strawberry.mutation(
        description="Issue a quote, whose prices are held until its last day. For sales and operators."
    )
    @refusals_in_payload(QuoteIssuePayload)
    async def quote_issue(
        self, info: Info, input: Annotated[QuoteIssueInput, strawberry.argument(description="The quote.")]
    ) -> QuoteIssuePayload | None:
        saved = input.recommendation_id
        command = QuoteCommand(
            customer_key(input.customer_id),
            key_of(saved, "SavedRecommendation", "recommendationId") if saved is not None else None,
            tuple(_quote_item(item) for item in input.items),
            input.valid_until,
            input.idempotency_key,
        )
        found = await use_cases.issue(info.context.services, info.context.caller, command)
        return QuoteIssuePayload(quote=await loaded_quote(info, found))

    @strawberry.mutation(description="Order what a quote offers, at its prices, once. For owners and operators.")
    @refusals_in_payload(QuoteAcceptPayload)
    async def quote_accept(
        self, info: Info, input: Annotated[QuoteAcceptInput, strawberry.argument(description="The acceptance.")]
    ) -> QuoteAcceptPayload | None:
        command = _order(key_of(input.quote_id, "Quote", "quoteId"), input)
        found = await use_cases.accept(info.context.services, info.context.caller, command)
        return QuoteAcceptPayload(purchase=purchase(found))
