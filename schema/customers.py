"""Customers with what hangs on them: the main contract, capacity and spot orders."""

from datetime import date, datetime
from typing import Annotated

import strawberry

from db.accounts import AccountFilter
from domain.accounts import AccountStatus
from domain.capacity import capacity_on
from domain.customers import Customer as DomainCustomer
from domain.customers import CustomerKind, DeactivationPolicy
from resolvers import reads
from resolvers.reads import Page
from schema.accounts import AccountConnection, AccountGroup, account_connection, account_group
from schema.context import Info
from schema.contracts import CapacityStep, MainContract, capacity_step, main_contract
from schema.documents import DocumentConnection, document_connection
from schema.falls import (
    CapacityFallConnection,
    UpcomingCapacityFall,
    capacity_fall_connection,
    upcoming_capacity_fall,
)
from schema.history import CustomerEventConnection, event_connection
from schema.instants import utc
from schema.money import Money
from schema.plan_parts import money_or_null
from schema.purchases import PurchaseConnection, purchase_connection
from schema.quotes import QuoteConnection, quote_connection
from schema.relay import (
    After,
    First,
    Node,
    PageInfo,
    cursor,
    global_id,
    key_of,
    page_info,
    parse_cursor,
    parse_id_cursor,
)
from schema.spot_orders import SpotOrderConnection, SpotOrderEdge, spot_order
from schema.tokens import AccessToken, access_token
from schema.webhooks import WebhookEndpoint, webhook_endpoint


@strawberry.type(description="An organisation whose owner-managers place orders.")
class Customer(Node):
    name: str = strawberry.field(description="The organisation's name.")
    kind: CustomerKind = strawberry.field(description="What the customer is.")
    time_zone: str = strawberry.field(description="The IANA time zone in which its contract days are counted.")
    currency: str = strawberry.field(description="The ISO 4217 code of the currency it is charged in.")
    today: date = strawberry.field(description="The current day in its time zone.")
    deactivation_policy: DeactivationPolicy = strawberry.field(
        description="Who is deactivated when a spot contract ends and not everybody fits."
    )
    record: strawberry.Private[DomainCustomer]

    @strawberry.field(description="The main contract. Null on the Free plan.")
    async def main_contract(self, info: Info) -> MainContract | None:
        stored = await info.context.contracts.load(self.record.id, None)
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
        stored = await info.context.contracts.load(self.record.id, None)
        return [capacity_step(step) for step in reads.timeline(stored.contract if stored else None, from_, until)]

    @strawberry.field(description="Capacity on one day, in accounts: as it is known now, or as it was known earlier.")
    async def capacity(
        self,
        info: Info,
        on: Annotated[date, strawberry.argument(description="The day.")],
        as_known_at: Annotated[
            datetime | None,
            strawberry.argument(description="Leaves out what was recorded after this instant. Left out, it is now."),
        ] = None,
    ) -> int:
        known_at = utc(as_known_at) if as_known_at is not None else None
        stored = await info.context.contracts.load(self.record.id, known_at)
        return capacity_on(stored.contract if stored else None, on)

    @strawberry.field(description="How many accounts count against capacity: ACTIVE and SUSPENDED ones.")
    async def account_count(
        self,
        info: Info,
        on: Annotated[
            date | None, strawberry.argument(description="At the end of an earlier day. Left out, it is now.")
        ] = None,
    ) -> int:
        return await info.context.counted_on.load(self.record, on)

    @strawberry.field(description="Accounts in the order of their names. For owners and operators.")
    async def accounts(
        self,
        info: Info,
        first: First,
        *,
        after: After = None,
        status: Annotated[
            list[AccountStatus] | None,
            strawberry.argument(description="Only of these statuses. Left out, all but DELETED."),
        ] = None,
        group_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only those in this group.")] = None,
        search: Annotated[
            str | None,
            strawberry.argument(description="Only those with this text in the name, external id or e-mail address."),
        ] = None,
    ) -> AccountConnection:
        chosen = AccountFilter(
            frozenset(status) if status is not None else None,
            key_of(group_id, "AccountGroup", "groupId") if group_id is not None else None,
            search,
        )
        page = await info.context.account_pages.load(
            self.record.id, info.context.caller, chosen, first=first, after=parse_cursor(after, str, int)
        )
        return account_connection(self.record.id, chosen, page, after)

    @strawberry.field(description="Its groups of accounts, in the order of their names.")
    async def account_groups(self, info: Info) -> list[AccountGroup]:
        return [account_group(group) for group in await info.context.groups.load(self.record.id)]

    @strawberry.field(
        description="The days to come on which capacity falls, and how many accounts each will deactivate if nothing"
        " else changes."
    )
    async def upcoming_capacity_falls(self, info: Info) -> list[UpcomingCapacityFall]:
        return [upcoming_capacity_fall(effect) for effect in await info.context.upcoming_falls.load(self.record)]

    @strawberry.field(description="The days on which capacity fell, newest first.")
    async def capacity_falls(self, info: Info, first: First, after: After = None) -> CapacityFallConnection:
        page = await info.context.fall_pages.load(self.record.id, first=first, before_id=parse_id_cursor(after))
        return capacity_fall_connection(self.record.id, page, after)

    @strawberry.field(description="What happened, newest first. For owners and operators.")
    async def events(
        self,
        info: Info,
        first: First,
        after: After = None,
        account_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only of this account.")] = None,
    ) -> CustomerEventConnection:
        before_id = parse_id_cursor(after)
        account_key = key_of(account_id, "Account", "accountId") if account_id is not None else None
        page = await info.context.event_pages.load(
            self.record.id, info.context.caller, account_key, first=first, before_id=before_id
        )
        return event_connection(self.record.id, account_key, page, after)

    @strawberry.field(description="Purchases, newest first.")
    async def purchases(self, info: Info, first: First, after: After = None) -> PurchaseConnection:
        page = await info.context.purchase_pages.load(self.record.id, first=first, before_id=parse_id_cursor(after))
        return purchase_connection(self.record.id, page, after)

    @strawberry.field(description="Invoices and credit notes, newest first.")
    async def documents(self, info: Info, first: First, after: After = None) -> DocumentConnection:
        page = await info.context.document_pages.load(self.record.id, first=first, before_id=parse_id_cursor(after))
        return document_connection(self.record.id, page, after)

    @strawberry.field(description="Quotes, newest first.")
    async def quotes(self, info: Info, first: First, after: After = None) -> QuoteConnection:
        page = await info.context.quote_pages.load(self.record.id, first=first, before_id=parse_id_cursor(after))
        return quote_connection(self.record.id, page, self.today, after)

    @strawberry.field(
        description="What it owes, below zero where money is to be given back. Null where an Int cannot hold it."
    )
    async def balance(self, info: Info) -> Money | None:
        return money_or_null(await info.context.balances.load(self.record.id), self.currency)

    @strawberry.field(description="Where its events are sent, oldest endpoint first. For owners and operators.")
    async def webhook_endpoints(self, info: Info) -> list[WebhookEndpoint]:
        found = await info.context.webhook_endpoints.load(self.record.id, info.context.caller)
        return [webhook_endpoint(item) for item in found]

    @strawberry.field(
        description="What its owners may still sign in with, newest first, at most 100. For owners and operators."
    )
    async def access_tokens(self, info: Info) -> list[AccessToken]:
        found = await info.context.access_tokens.load(self.record.id, info.context.caller)
        return [access_token(item) for item in found]

    @strawberry.field(description="Spot orders, newest first.")
    async def spot_orders(self, info: Info, first: First, after: After = None) -> SpotOrderConnection:
        page = await info.context.spot_order_pages.load(self.record.id, first=first, before_id=parse_id_cursor(after))
        now = info.context.services.clock()
        edges = [
            SpotOrderEdge(cursor=cursor(order.id), node=spot_order(order, self.record, now)) for order in page.items
        ]
        info_ = page_info(edges, after, has_next=page.has_next)
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
        deactivation_policy=record.deactivation_policy,
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


def customer_connection(
    page: Page[DomainCustomer], search: str | None, after: str | None, info: Info
) -> CustomerConnection:
    """A page of customers as CustomerConnection."""
    edges = [CustomerEdge(cursor=cursor(record.name, record.id), node=customer(record, info)) for record in page.items]
    info_ = page_info(edges, after, has_next=page.has_next)
    return CustomerConnection(edges=edges, page_info=info_, search=search)
