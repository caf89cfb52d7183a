"""Spot orders: the object, its preview, and the mutations that place, check out and cancel it."""

from datetime import date, datetime
from typing import Annotated

import strawberry

from domain.customers import Customer as DomainCustomer
from domain.orders import OrderStatus, PaymentMethod
from domain.orders import SpotOrder as DomainSpotOrder
from domain.pricing import PriceLine as DomainPriceLine
from resolvers import spot_orders as use_cases
from resolvers.purchases import SpotItems
from resolvers.spot_orders import CheckoutCommand, PlaceCommand, SpotPreview
from schema.context import Info
from schema.contracts import CapacityStep, capacity_step
from schema.errors import UserError, refusals_in_payload, user_error
from schema.money import Money, Price, money, price
from schema.relay import Node, PageInfo, global_id, key_of


@strawberry.type(description="An order of a spot contract: extra accounts, from any day, for whole months.")
class SpotOrder(Node):
    number: str = strawberry.field(description="The number people use, such as SO-2026-00042.")
    status: OrderStatus = strawberry.field(description="Where the order stands now.")
    accounts: int = strawberry.field(description="Extra accounts.")
    units: int = strawberry.field(description="Extra licence units.")
    months: int = strawberry.field(description="Whole months.")
    starts_on: date = strawberry.field(description="The first day.")
    ends_before: date = strawberry.field(description="The day after the last day.")
    last_day: date = strawberry.field(description="The last day.")
    price: Price = strawberry.field(description="What is charged, held since the order was placed.")
    payment_method: PaymentMethod | None = strawberry.field(description="Null until one is confirmed.")
    payment_due_on: date | None = strawberry.field(description="Null unless it is paid by invoice.")
    terms_version: str = strawberry.field(description="The version of the terms of use that was agreed to.")
    placed_at: datetime = strawberry.field(description="When it was placed.")
    expires_at: datetime = strawberry.field(description="When it expires unless a payment method is confirmed.")
    confirmed_at: datetime | None = strawberry.field(description="When it was confirmed. Null until then.")
    cancelled_at: datetime | None = strawberry.field(description="When it was cancelled. Null if it was not.")
    purchase_id: strawberry.ID = strawberry.field(description="The purchase that it is part of, for node.")


def spot_order(order: DomainSpotOrder, customer: DomainCustomer, now: datetime) -> SpotOrder:
    """A stored order as SpotOrder, with its status at an instant."""
    return SpotOrder(
        id=global_id("SpotOrder", order.id),
        number=order.number,
        status=order.status_at(now, customer.day_at(now)),
        accounts=order.accounts,
        units=order.units,
        months=order.months,
        starts_on=order.period.starts_on,
        ends_before=order.period.ends_before,
        last_day=order.period.last_day,
        price=price(order.charge, order.currency),
        payment_method=order.payment_method,
        payment_due_on=order.payment_due_on,
        terms_version=order.terms_version,
        placed_at=order.placed_at,
        expires_at=order.expires_at,
        confirmed_at=order.confirmed_at,
        cancelled_at=order.cancelled_at,
        purchase_id=global_id("Purchase", order.purchase_id),
    )


async def loaded_spot_order(info: Info, order: DomainSpotOrder) -> SpotOrder:
    """A stored order as SpotOrder, with its customer from the request's loader."""
    customer = await info.context.customers.load(order.customer_id)
    if customer is None:
        raise LookupError(f"order {order.id} has no customer")
    return spot_order(order, customer, info.context.services.clock())


@strawberry.type(description="A spot order in a connection.")
class SpotOrderEdge:
    cursor: str = strawberry.field(description="Where this order stands in the connection.")
    node: SpotOrder = strawberry.field(description="The order.")


@strawberry.type(description="A customer's spot orders, newest first.")
class SpotOrderConnection:
    edges: list[SpotOrderEdge] = strawberry.field(description="The orders of this page.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")
    customer_id: strawberry.Private[int]

    @strawberry.field(description="How many orders there are in all. Counted only when asked for.")
    async def total_count(self, info: Info) -> int:
        return await info.context.spot_order_totals.load(self.customer_id)


@strawberry.input(description="The items of a spot order.")
class SpotOrderInput:
    customer_id: strawberry.ID | None = strawberry.field(
        default=None, description="Whose order. Owners may leave it out: it is their own customer."
    )
    accounts: int = strawberry.field(description="Extra accounts: a positive multiple of accountsPerUnit.")
    starts_on: date = strawberry.field(description="The first day: today or later, inside the main contract.")
    months: int = strawberry.field(description="Whole months, at least one, ending inside the main contract.")


@strawberry.input(description="An order of a spot contract.")
class SpotOrderPlaceInput(SpotOrderInput):
    agreed_terms_version: str = strawberry.field(
        description="The version of the terms of use that was agreed to, as the preview shows it."
    )
    idempotency_key: str = strawberry.field(
        description="Any text of 1 to 200 characters, new for each order: sent again, it never orders twice."
    )


@strawberry.input(description="The confirmation of an order with its payment method.")
class SpotOrderCheckoutInput:
    order_id: strawberry.ID = strawberry.field(description="The order.")
    payment_method: PaymentMethod = strawberry.field(description="How it is paid.")
    expected_total: int = strawberry.field(
        description="The total that was shown, in minor units with tax. Another one is refused, never charged."
    )
    card: str | None = strawberry.field(
        default=None,
        description="The payment provider's name for a card. Left out, the browser gives one with the clientSecret.",
    )
    idempotency_key: str = strawberry.field(
        description="Any text of 1 to 200 characters, new for each checkout: sent again, it never pays twice."
    )


@strawberry.input(description="The cancellation of an order.")
class SpotOrderCancelInput:
    order_id: strawberry.ID = strawberry.field(description="The order.")


@strawberry.type
class SpotOrderPayload:
    """What the payloads of all spot order mutations have; the subclasses are the API's types."""

    order: SpotOrder | None = strawberry.field(default=None, description="The order. Null when it was refused.")
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Every reason for a refusal; empty when all went well."
    )


@strawberry.type(description="The placed order, or why it was refused.")
class SpotOrderPlacePayload(SpotOrderPayload):
    pass


@strawberry.type(description="The confirmed order, or why it was refused.")
class SpotOrderCheckoutPayload(SpotOrderPayload):
    client_secret: str | None = strawberry.field(
        default=None,
        description="For the customer's browser, to give a card or prove that it is theirs. Null where nothing is left"
        " to do.",
    )


@strawberry.type(description="The cancelled order, or why it was refused.")
class SpotOrderCancelPayload(SpotOrderPayload):
    pass


@strawberry.type(description="Consecutive months of a spot contract at one monthly unit price.")
class PriceLine:
    starts_on: date = strawberry.field(description="The first day of the first of these months.")
    months: int = strawberry.field(description="How many months.")
    units: int = strawberry.field(description="Licence units.")
    unit_price: Money = strawberry.field(description="Per unit and month: of the term in force on each first day.")
    net: Money = strawberry.field(description="Months x units x unit price.")


@strawberry.type(description="What an order would be: nothing is stored.")
class SpotOrderPreview:
    starts_on: date = strawberry.field(description="The first day.")
    ends_before: date | None = strawberry.field(description="The day after the last day. Null if months is refused.")
    last_day: date | None = strawberry.field(description="The last day. Null if months is refused.")
    price: Price | None = strawberry.field(description="What would be charged. Null when the order is refused.")
    price_lines: list[PriceLine] = strawberry.field(description="How the price comes about; empty if refused.")
    capacity_before: list[CapacityStep] = strawberry.field(description="Capacity in its period without it.")
    capacity_after: list[CapacityStep] = strawberry.field(description="Capacity in its period with it.")
    refusals: list[UserError] = strawberry.field(description="Everything it would be refused for.")
    terms_version: str = strawberry.field(description="The version of the terms of use to agree to.")


def spot_order_preview(preview: SpotPreview, starts_on: date) -> SpotOrderPreview:
    """A use case's preview as SpotOrderPreview."""
    currency = preview.customer.currency
    return SpotOrderPreview(
        starts_on=starts_on,
        ends_before=preview.period.ends_before if preview.period else None,
        last_day=preview.period.last_day if preview.period else None,
        price=price(preview.charge, currency) if preview.charge else None,
        price_lines=[_price_line(line, currency) for line in preview.price_lines],
        capacity_before=[capacity_step(step) for step in preview.capacity_before],
        capacity_after=[capacity_step(step) for step in preview.capacity_after],
        refusals=[user_error(refusal) for refusal in preview.refusals],
        terms_version=preview.terms_version,
    )


def _price_line(line: DomainPriceLine, currency: str) -> PriceLine:
    return PriceLine(
        starts_on=line.starts_on,
        months=line.months,
        units=line.units,
        unit_price=money(line.unit_price_minor, currency),
        net=money(line.net_minor, currency),
    )


def spot_items(given: SpotOrderInput) -> tuple[int | None, SpotItems]:
    """The customer and the items of an input.

    Raises:
        NotFound: the customer's id is not one.
    """
    customer_id = None
    if given.customer_id is not None:
        customer_id = key_of(given.customer_id, "Customer", "customerId")
    return customer_id, SpotItems(given.accounts, given.starts_on, given.months)


@strawberry.type
class SpotOrderMutations:
    """The part of Mutation about spot orders."""

    @strawberry.mutation(
        description="Order a spot contract. It then awaits a payment method: go on with spotOrderCheckout."
    )
    @refusals_in_payload(SpotOrderPlacePayload)
    async def spot_order_place(
        self, info: Info, input: Annotated[SpotOrderPlaceInput, strawberry.argument(description="The order.")]
    ) -> SpotOrderPlacePayload | None:
        customer_id, items = spot_items(input)
        command = PlaceCommand(customer_id, items, input.agreed_terms_version, input.idempotency_key)
        order = await use_cases.place(info.context.services, info.context.caller, command)
        return SpotOrderPlacePayload(order=await loaded_spot_order(info, order))

    @strawberry.mutation(description="Confirm an order with its payment method. It then gives capacity.")
    @refusals_in_payload(SpotOrderCheckoutPayload)
    async def spot_order_checkout(
        self,
        info: Info,
        input: Annotated[SpotOrderCheckoutInput, strawberry.argument(description="The confirmation.")],
    ) -> SpotOrderCheckoutPayload | None:
        command = CheckoutCommand(
            key_of(input.order_id, "SpotOrder", "orderId"),
            input.payment_method,
            input.expected_total,
            input.idempotency_key,
            input.card,
        )
        result = await use_cases.checkout(info.context.services, info.context.caller, command)
        order = await loaded_spot_order(info, result.order)
        return SpotOrderCheckoutPayload(order=order, client_secret=result.client_secret)

    @strawberry.mutation(
        description="Cancel an order before its first day; a confirmed one is taken back from its invoice by a credit"
        " note. Doing it again changes nothing."
    )
    @refusals_in_payload(SpotOrderCancelPayload)
    async def spot_order_cancel(
        self,
        info: Info,
        input: Annotated[SpotOrderCancelInput, strawberry.argument(description="The cancellation.")],
    ) -> SpotOrderCancelPayload | None:
        order_id = key_of(input.order_id, "SpotOrder", "orderId")
        order = await use_cases.cancel(info.context.services, info.context.caller, order_id)
        return SpotOrderCancelPayload(order=await loaded_spot_order(info, order))
