"""Query, Mutation and Subscription: each field resolves ids, calls its use case and maps the result."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry

from resolvers import reads
from resolvers import recommend as planning
from resolvers import spot_orders as ordering
from resolvers.access import Role, require
from schema.catalogue import Plan, plan
from schema.context import Info
from schema.customers import After, Customer, CustomerConnection, First, customer, customer_connection
from schema.planning import Recommendation, RecommendInput, recommend_command, recommendation
from schema.relay import Node, parse_cursor, parse_id
from schema.spot_orders import (
    SpotOrderInput,
    SpotOrderMutations,
    SpotOrderPreview,
    loaded_spot_order,
    spot_items,
    spot_order_preview,
)


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
        services, caller = info.context.services, info.context.caller
        require(caller)
        try:
            type_name, key = parse_id(id)
        except ValueError:
            return None
        if type_name == "SpotOrder":
            order = await reads.spot_order(services, caller, key)
            return await loaded_spot_order(info, order) if order else None
        if type_name == "MainContract":
            owner = await reads.contract_customer(services, caller, key)
            return await customer(owner, info).main_contract(info) if owner else None
        record = await reads.customer(services, caller, key) if type_name == "Customer" else None
        return customer(record, info) if record else None

    @strawberry.field(description="The plans on sale.")
    async def plans(self, info: Info) -> list[Plan]:
        return [plan(item) for item in await reads.plans(info.context.services, info.context.caller)]

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
        return customer_connection(page, search, info)

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

    @strawberry.field(description="The cheapest orders for a demand, with what is proven. Nothing is stored.")
    async def spot_plan_recommend(
        self, info: Info, input: Annotated[RecommendInput, strawberry.argument(description="The question.")]
    ) -> Recommendation:
        command = recommend_command(input)
        return recommendation(await planning.recommend(info.context.services, info.context.caller, command))


@strawberry.type(description="Everything that can be changed.")
class Mutation(SpotOrderMutations):
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
