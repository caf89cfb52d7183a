"""Falls of capacity: those to come, those that were handled, and whom they deactivate."""

from datetime import date, datetime

import strawberry

from db.falls import HandledFall
from domain.accounts import AccountStatus
from domain.customers import DeactivationPolicy
from domain.deactivation import DeactivationReason, FallEffect
from resolvers.account_reads import Preview
from resolvers.reads import Page, check_page_size
from schema.accounts import Account, loaded_accounts
from schema.context import Info
from schema.relay import After, First, Node, PageInfo, cursor, global_id, page_info, parse_id_cursor


@strawberry.type(description="An account that a fall of capacity deactivates.")
class Deactivation:
    account: Account = strawberry.field(description="The account as it is now.")
    reason: DeactivationReason = strawberry.field(description="Why it is deactivated.")
    previous_status: AccountStatus = strawberry.field(description="What it was before.")


@strawberry.type(description="A deactivation in a connection.")
class DeactivationEdge:
    cursor: str = strawberry.field(description="Where this deactivation stands in the connection.")
    node: Deactivation = strawberry.field(description="The deactivation.")


@strawberry.type(description="Whom a fall of capacity deactivates, the newest account first.")
class DeactivationConnection:
    edges: list[DeactivationEdge] = strawberry.field(description="The deactivations of this page.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")
    total_count: int = strawberry.field(description="How many there are in all.")


def _connection(
    edges: list[DeactivationEdge], total: int, after: str | None, *, has_next: bool
) -> DeactivationConnection:
    info = page_info(edges, after, has_next=has_next)
    return DeactivationConnection(edges=edges, page_info=info, total_count=total)


@strawberry.type(description="A day on which capacity fell, as it was handled: once.")
class CapacityFall(Node):
    on: date = strawberry.field(description="The first day with less capacity.")
    capacity_before: int = strawberry.field(description="Capacity on the day before, in accounts.")
    capacity_after: int = strawberry.field(description="Capacity on this day, in accounts.")
    counted_before: int = strawberry.field(description="How many accounts counted before it.")
    counted_after: int = strawberry.field(description="How many accounts counted after it.")
    deactivated_count: int = strawberry.field(description="How many accounts it deactivated.")
    policy: DeactivationPolicy = strawberry.field(description="The policy of that day.")
    handled_at: datetime = strawberry.field(
        description="When it was written down. Nobody could sign in after the day began, however late this was."
    )
    key: strawberry.Private[int]

    @strawberry.field(description="Whom it deactivated. For owners and operators.")
    async def deactivations(self, info: Info, first: First, after: After = None) -> DeactivationConnection:
        page = await info.context.deactivation_pages.load(
            self.key, info.context.caller, first=first, after=parse_id_cursor(after) or 0
        )
        accounts = await loaded_accounts(info, [item.account_id for item in page.items])
        edges = [
            DeactivationEdge(
                cursor=cursor(item.position),
                node=Deactivation(account=account, reason=item.reason, previous_status=item.previous_status),
            )
            for item, account in zip(page.items, accounts, strict=True)
        ]
        return _connection(edges, self.deactivated_count, after, has_next=page.has_next)


def capacity_fall(item: HandledFall) -> CapacityFall:
    """A stored fall as CapacityFall."""
    return CapacityFall(
        id=global_id("CapacityFall", item.id),
        on=item.on,
        capacity_before=item.capacity_before,
        capacity_after=item.capacity_after,
        counted_before=item.counted_before,
        counted_after=item.counted_before - item.deactivated,
        deactivated_count=item.deactivated,
        policy=item.policy,
        handled_at=item.handled_at,
        key=item.id,
    )


@strawberry.type(description="A fall of capacity in a connection.")
class CapacityFallEdge:
    cursor: str = strawberry.field(description="Where this fall stands in the connection.")
    node: CapacityFall = strawberry.field(description="The fall.")


@strawberry.type(description="Falls of a customer's capacity that were handled, newest first.")
class CapacityFallConnection:
    edges: list[CapacityFallEdge] = strawberry.field(description="The falls of this page.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")
    customer_id: strawberry.Private[int]

    @strawberry.field(description="How many falls there were in all. Counted only when asked for.")
    async def total_count(self, info: Info) -> int:
        return await info.context.fall_totals.load(self.customer_id)


def capacity_fall_connection(customer_id: int, page: Page[HandledFall], after: str | None) -> CapacityFallConnection:
    """A page of falls as CapacityFallConnection."""
    edges = [CapacityFallEdge(cursor=cursor(item.id), node=capacity_fall(item)) for item in page.items]
    info = page_info(edges, after, has_next=page.has_next)
    return CapacityFallConnection(edges=edges, page_info=info, customer_id=customer_id)


@strawberry.type(description="A day to come on which capacity falls, and what it does if nothing else changes.")
class UpcomingCapacityFall:
    on: date = strawberry.field(description="The first day with less capacity.")
    capacity_before: int = strawberry.field(description="Capacity on the day before, in accounts.")
    capacity_after: int = strawberry.field(description="Capacity on this day, in accounts.")
    accounts_affected: int = strawberry.field(
        description="How many accounts it will deactivate; deactivationPreview says which."
    )


def upcoming_capacity_fall(effect: FallEffect) -> UpcomingCapacityFall:
    """A fall to come as UpcomingCapacityFall."""
    return UpcomingCapacityFall(
        on=effect.fall.on,
        capacity_before=effect.fall.capacity_before,
        capacity_after=effect.fall.capacity_after,
        accounts_affected=len(effect.deactivations),
    )


@strawberry.type(description="Whom a day to come would deactivate if nothing else changes. Nothing is stored.")
class DeactivationPreview:
    on: date = strawberry.field(description="The day.")
    capacity: int = strawberry.field(description="Capacity on this day, in accounts.")
    counted_after: int = strawberry.field(description="How many accounts would count from this day on.")
    deactivated_count: int = strawberry.field(
        description="How many accounts this day deactivates: 0 where capacity does not fall, or everybody fits."
    )
    effect: strawberry.Private[FallEffect | None]

    @strawberry.field(description="Whom this day deactivates.")
    async def deactivations(self, info: Info, first: First, after: After = None) -> DeactivationConnection:
        check_page_size(first)
        begin = parse_id_cursor(after) or 0
        everybody = self.effect.deactivations if self.effect else ()
        chosen = everybody[begin : begin + first]
        accounts = await loaded_accounts(info, [item.account_id for item in chosen])
        edges = []
        for position, (item, account) in enumerate(zip(chosen, accounts, strict=True), start=begin + 1):
            node = Deactivation(account=account, reason=item.reason, previous_status=account.status)
            edges.append(DeactivationEdge(cursor=cursor(position), node=node))
        return _connection(edges, len(everybody), after, has_next=begin + first < len(everybody))


def deactivation_preview(item: Preview) -> DeactivationPreview:
    """A use case's preview as DeactivationPreview."""
    return DeactivationPreview(
        on=item.on,
        capacity=item.capacity,
        counted_after=item.counted,
        deactivated_count=len(item.effect.deactivations) if item.effect else 0,
        effect=item.effect,
    )
