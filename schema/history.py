"""The history: a customer's events as a connection."""

from datetime import datetime

import strawberry

from domain.history import ActorKind, EventKind
from domain.history import Event as DomainEvent
from resolvers.reads import Page
from schema.accounts import Account, loaded_account
from schema.context import Info
from schema.falls import CapacityFall, capacity_fall
from schema.relay import PageInfo, cursor, global_id, page_info


@strawberry.type(description="A value that an event changed.")
class EventChange:
    name: str = strawberry.field(description="What changed, such as status, groups or capacity.")
    before: str | None = strawberry.field(description="The value before. Null where there was none.")
    after: str | None = strawberry.field(description="The value after. Null where there is none any more.")


@strawberry.type(description="Something that happened to a customer. Events are never changed or removed.")
class CustomerEvent:
    number: int = strawberry.field(description="Rises from event to event.")
    kind: EventKind = strawberry.field(description="What happened.")
    occurred_at: datetime = strawberry.field(description="When it took effect.")
    recorded_at: datetime = strawberry.field(
        description="When it was written down: later than occurredAt only for what time alone did."
    )
    actor: ActorKind = strawberry.field(description="Who caused it.")
    actor_token: int | None = strawberry.field(
        description="The number of the token that the caller signed in with. Null for SYSTEM and the command line."
    )
    changes: list[EventChange] = strawberry.field(description="What changed.")
    counted_after: int | None = strawberry.field(
        description="How many accounts counted against capacity from then on. Null where that did not change."
    )
    spot_order_id: strawberry.ID | None = strawberry.field(
        description="The spot order it is about, for node. Null where it is about none."
    )
    account_key: strawberry.Private[int | None]
    fall_key: strawberry.Private[int | None]

    @strawberry.field(description="The account it is about, as it is now. Null where it is about none.")
    async def account(self, info: Info) -> Account | None:
        return await loaded_account(info, self.account_key) if self.account_key is not None else None

    @strawberry.field(description="The fall of capacity it is about or was caused by. Null where there is none.")
    async def capacity_fall(self, info: Info) -> CapacityFall | None:
        found = await info.context.capacity_falls.load(self.fall_key) if self.fall_key is not None else None
        return capacity_fall(found) if found else None


@strawberry.type(description="An event in a connection.")
class CustomerEventEdge:
    cursor: str = strawberry.field(description="Where this event stands in the connection.")
    node: CustomerEvent = strawberry.field(description="The event.")


@strawberry.type(description="What happened to a customer, newest first.")
class CustomerEventConnection:
    edges: list[CustomerEventEdge] = strawberry.field(description="The events of this page.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")
    customer_id: strawberry.Private[int]
    account_id: strawberry.Private[int | None]

    @strawberry.field(description="How many events there are in all. Counted only when asked for.")
    async def total_count(self, info: Info) -> int:
        return await info.context.event_totals.load(self.customer_id, self.account_id)


def event_connection(
    customer_id: int, account_id: int | None, page: Page[DomainEvent], after: str | None
) -> CustomerEventConnection:
    """A page of events as CustomerEventConnection."""
    edges = [CustomerEventEdge(cursor=cursor(item.id), node=_event(item)) for item in page.items]
    info = page_info(edges, after, has_next=page.has_next)
    return CustomerEventConnection(edges=edges, page_info=info, customer_id=customer_id, account_id=account_id)


def _event(item: DomainEvent) -> CustomerEvent:
    what = item.what
    return CustomerEvent(
        number=item.id,
        kind=what.kind,
        occurred_at=what.occurred_at,
        recorded_at=item.recorded_at,
        actor=item.actor.kind,
        actor_token=item.actor.token_id,
        changes=[EventChange(name=name, before=change[0], after=change[1]) for name, change in what.changes.items()],
        counted_after=what.counted_after,
        spot_order_id=global_id("SpotOrder", what.spot_order_id) if what.spot_order_id is not None else None,
        account_key=what.account_id,
        fall_key=what.capacity_fall_id,
    )
