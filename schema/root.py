"""Query, Mutation and Subscription: each field resolves ids, calls its use case and maps the result."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import date
from typing import Annotated

import strawberry

from domain.global_ids import parse_id
from resolvers import account_reads, catalogue, reads
from resolvers import contract_orders as contracting
from resolvers import recommend as planning
from resolvers import spot_orders as ordering
from resolvers.access import Role, require
from schema.account_mutations import AccountMutations, customer_key
from schema.catalogue import CatalogueMutations, Plan, TaxRate, plan, tax_rate
from schema.clock import ClockMutations
from schema.context import Info
from schema.customers import Customer, CustomerConnection, customer, customer_connection
from schema.falls import DeactivationPreview, deactivation_preview
from schema.nodes import NODES
from schema.planning import Recommendation, RecommendInput, recommend_command, recommendation
from schema.purchase_mutations import (
    ContractItemInput,
    ContractOrderPreview,
    PurchaseMutations,
    contract_items,
    contract_order_preview,
)
from schema.quotes import QuoteMutations
from schema.relay import After, First, Node, parse_cursor
from schema.spot_orders import (
    SpotOrderInput,
    SpotOrderMutations,
    SpotOrderPreview,
    spot_items,
    spot_order_preview,
)
from schema.tokens import TokenMutations
from schema.webhooks import WebhookMutations


@strawberry.type(description="Who is signed in.")
class Viewer:
    role: Role = strawberry.field(description="What the caller may do.")

    @strawberry.field(description="The owner's customer. Null for sales and operators.")
    async def customer(self, info: Info) -> Customer | None:
        caller = require(info.context.caller)
        if caller.customer_id is None:
            return None
        record = await info.context.customers.load(caller.customer_id)
        return customer(record, info) if record else None


@strawberry.type(description="Everything that can be read.")
class Query:
    @strawberry.field(description="Who is signed in.")
    def viewer(self, info: Info) -> Viewer:
        return Viewer(role=require(info.context.caller).role)

    @strawberry.field(description="An object by its global id. Null if there is none, or not for this caller.")
    async def node(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The global id.")]
    ) -> Node | None:
        require(info.context.caller)
        try:
            type_name, key = parse_id(id)
        except ValueError:
            return None
        return await NODES[type_name](info, key) if type_name in NODES else None

    @strawberry.field(description="The plans on sale.")
    async def plans(self, info: Info) -> list[Plan]:
        return [plan(item) for item in await reads.plans(info.context.services, info.context.caller)]

    @strawberry.field(description="Every consumption tax rate, oldest first.")
    async def tax_rates(self, info: Info) -> list[TaxRate]:
        return [tax_rate(item) for item in await catalogue.tax_rates(info.context.services, info.context.caller)]

    @strawberry.field(description="Customers in the order of their names, for sales and operators.")
    async def customers(
        self,
        info: Info,
        first: First,
        after: After = None,
        search: Annotated[
            str | None, strawberry.argument(description="Only names that contain this text, in any case.")
        ] = None,
    ) -> CustomerConnection:
        page = await reads.customer_list(
            info.context.services,
            info.context.caller,
            first=first,
            after=parse_cursor(after, str, int),
            search=search,
        )
        return customer_connection(page, search, after, info)

    @strawberry.field(description="A customer. Null if there is none, or not for this caller.")
    async def customer(
        self,
        info: Info,
        id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Its global id. Owners may leave it out: it is their own customer."),
        ] = None,
    ) -> Customer | None:
        require(info.context.caller)
        try:
            type_name, key = parse_id(id) if id is not None else ("Customer", None)
        except ValueError:
            return None
        if type_name != "Customer":
            return None
        record = await reads.customer(info.context.services, info.context.caller, key)
        return customer(record, info) if record else None

    @strawberry.field(description="The exact days, price and capacity of a spot order. Nothing is stored.")
    async def spot_order_preview(
        self, info: Info, input: Annotated[SpotOrderInput, strawberry.argument(description="The items.")]
    ) -> SpotOrderPreview:
        customer_id, items = spot_items(input)
        preview = await ordering.preview(info.context.services, info.context.caller, customer_id, items)
        return spot_order_preview(preview, items.starts_on)

    @strawberry.field(
        description="Whom a day to come would deactivate if nothing else changes. For owners and operators."
    )
    async def deactivation_preview(
        self,
        info: Info,
        on: Annotated[date, strawberry.argument(description="The day: today or later.")],
        customer_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Whose accounts. Owners may leave it out: it is their own customer."),
        ] = None,
    ) -> DeactivationPreview:
        key = customer_key(customer_id)
        return deactivation_preview(await account_reads.preview(info.context.services, info.context.caller, key, on))

    @strawberry.field(
        description="Whether the account with an external id may sign in now; false where there is none."
        " For the platform's login, with an owner's or operator's token."
    )
    async def sign_in_allowed(
        self,
        info: Info,
        external_id: Annotated[str, strawberry.argument(description="The platform's own id of the account.")],
        customer_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Whose account. Owners may leave it out: it is their own customer."),
        ] = None,
    ) -> bool:
        key = customer_key(customer_id)
        return await account_reads.sign_in_allowed(info.context.services, info.context.caller, key, external_id)

    @strawberry.field(
        description="The exact days and price of an order of the main contract, and whom it would strand. Nothing is"
        " stored."
    )
    async def contract_order_preview(
        self,
        info: Info,
        item: Annotated[ContractItemInput, strawberry.argument(description="What is to be ordered.")],
        customer_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Whose contract. Owners may leave it out: it is their own customer."),
        ] = None,
    ) -> ContractOrderPreview:
        services, caller = info.context.services, info.context.caller
        found = await contracting.preview(services, caller, customer_key(customer_id), contract_items(item))
        return contract_order_preview(found)

    @strawberry.field(description="The cheapest orders for a demand, with what is proven. Nothing is stored.")
    async def spot_plan_recommend(
        self, info: Info, input: Annotated[RecommendInput, strawberry.argument(description="The question.")]
    ) -> Recommendation:
        command = recommend_command(input)
        return recommendation(await planning.recommend(info.context.services, info.context.caller, command))


@strawberry.type(description="Everything that can be changed.")
class Mutation(
    SpotOrderMutations,
    PurchaseMutations,
    QuoteMutations,
    AccountMutations,
    CatalogueMutations,
    ClockMutations,
    WebhookMutations,
    TokenMutations,
):
    pass


@strawberry.type(description="Everything that can be watched, over WebSocket (graphql-transport-ws) or SSE.")
class Subscription:
    @strawberry.subscription(
        description="As spotPlanRecommend, with better plans and bounds while they are searched: the last one is the"
        " answer. Whoever leaves earlier ends the search."
    )
    async def recommendation_search(
        self, info: Info, input: Annotated[RecommendInput, strawberry.argument(description="The question.")]
    ) -> AsyncGenerator[Recommendation, None]:
        command = recommend_command(input)
        search = planning.recommendation_search(info.context.services, info.context.caller, command)
        async with aclosing(search) as answers:
            async for answer in answers:
                yield recommendation(answer)
