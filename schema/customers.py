"""Customers with what hangs on them: the main contract, capacity and spot orders."""

from datetime import date
from typing import Annotated

import strawberry

from domain.customers import Customer as DomainCustomer
from domain.customers import CustomerKind
from resolvers import reads
from resolvers.reads import Page
from schema.context import Info
from schema.contracts import CapacityStep, MainContract, capacity_step, main_contract
from schema.relay import Node, PageInfo, cursor, global_id, parse_cursor
from schema.spot_orders import SpotOrderConnection, SpotOrderEdge, spot_order

First = Annotated[int, strawberry.argument(description="How many objects a page has: 1 to 100.")]
After = Annotated[
    str | None, strawberry.argument(description="The cursor to go on after. Leave it out for the first page.")
]


@strawberry.type(description="An organisation whose owner-managers place orders.")
class Customer(Node):
    name: str = strawberry.field(description="The organisation's name.")
    kind: CustomerKind = strawberry.field(description="What the customer is.")
    time_zone: str = strawberry.field(description="The IANA time zone in which its contract days are counted.")
    currency: str = strawberry.field(description="The ISO 4217 code of the currency it is charged in.")
    today: date = strawberry.field(description="The current day in its time zone.")
    record: strawberry.Private[DomainCustomer]

    @strawberry.field(description="The main contract. Null on the Free plan.")
    async def main_contract(self, info: Info) -> MainContract | None:
        stored = await info.context.contracts.load(self.record.id)
        return main_contract(stored, self.currency) if stored else None

    @strawberry.field(
        description="Capacity on every day of a window as runs of equal days; 0 where no paid contract is in force."
    )
    async def capacity_timeline(
        self,
        info: Info,
        from_: Annotated[date, strawberry.argument(name="from", description="The first day.")],
        until: Annotated[date, strawberry.argument(description="The day after the last day, at most 3,700 days on.")],
    ) -> list[CapacityStep]:
        stored = await info.context.contracts.load(self.record.id)
        return [capacity_step(step) for step in reads.timeline(stored.contract if stored else None, from_, until)]

    @strawberry.field(description="Spot orders, newest first.")
    async def spot_orders(self, info: Info, first: First, after: After = None) -> SpotOrderConnection:
        before = parse_cursor(after, int)
        reads.check_page_size(first)
        key = (self.record.id, first, before[0] if before else None)
        page = await info.context.spot_order_pages.load(key)
        now = info.context.services.clock()
        edges = [
            SpotOrderEdge(cursor=cursor(order.id), node=spot_order(order, self.record, now)) for order in page.items
        ]
        info_ = PageInfo(has_next_page=page.has_next, end_cursor=edges[-1].cursor if edges else None)
        return SpotOrderConnection(edges=edges, page_info=info_, customer_id=self.record.id)


def customer(record: DomainCustomer, info: Info) -> Customer:
    """A stored customer as Customer."""
    return Customer(
        id=global_id("Customer", record.id),
        name=record.name,
        kind=record.kind,
        time_zone=record.time_zone,
        currency=record.currency,
        today=record.day_at(info.context.services.clock()),
        record=record,
    )


@strawberry.type(description="A customer in a connection.")
class CustomerEdge:
    cursor: str = strawberry.field(description="Where this customer stands in the connection.")
    node: Customer = strawberry.field(description="The customer.")


@strawberry.type(description="Customers in the order of their names.")
class CustomerConnection:
    edges: list[CustomerEdge] = strawberry.field(description="The customers of this page.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")
    search: strawberry.Private[str | None]

    @strawberry.field(description="How many customers match in all. Counted only when asked for.")
    async def total_count(self, info: Info) -> int:
        return await reads.customer_count(info.context.services, info.context.caller, self.search)


def customer_connection(page: Page[DomainCustomer], search: str | None, info: Info) -> CustomerConnection:
    """A page of customers as CustomerConnection."""
    edges = [CustomerEdge(cursor=cursor(record.name, record.id), node=customer(record, info)) for record in page.items]
    info_ = PageInfo(has_next_page=page.has_next, end_cursor=edges[-1].cursor if edges else None)
    return CustomerConnection(edges=edges, page_info=info_, search=search)
