"""Webhooks: the endpoints of a customer with what was sent there, and the mutations about them."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain.history import EventKind
from domain.webhooks import DELIVERIES_KEPT, Delivery, Endpoint
from resolvers import webhooks as use_cases
from resolvers.reads import Page
from schema.account_mutations import Payload, customer_key
from schema.context import Info
from schema.errors import refusals_in_payload
from schema.instants import utc
from schema.relay import After, First, Node, PageInfo, cursor, global_id, key_of, page_info, parse_id_cursor

WHICH = "The endpoint."


@strawberry.type(description="An attempt to deliver an event.")
class WebhookDelivery:
    event_number: int = strawberry.field(description="The number of the event; the message's id is evt_ and this.")
    attempt: int = strawberry.field(description="Which attempt to deliver this event it was, counted from 1.")
    attempted_at: datetime = strawberry.field(description="When it was.")
    is_acknowledged: bool = strawberry.field(description="Whether the answer was a 2xx status.")
    status_code: int | None = strawberry.field(description="The status of the answer. Null where none came.")
    error: str | None = strawberry.field(description="What went wrong. Null where it was acknowledged.")
    milliseconds: int = strawberry.field(description="How long it took.")


@strawberry.type(description="An attempt in a connection.")
class WebhookDeliveryEdge:
    cursor: str = strawberry.field(description="Where this attempt stands in the connection.")
    node: WebhookDelivery = strawberry.field(description="The attempt.")


@strawberry.type(description=f"Attempts to deliver to an endpoint, newest first; the last {DELIVERIES_KEPT} are kept.")
class WebhookDeliveryConnection:
    edges: list[WebhookDeliveryEdge] = strawberry.field(description="The attempts of this page.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")


@strawberry.type(
    description="Where a customer's events are sent as webhooks (standardwebhooks.com): at least once, one after the"
    " other in their order, and again after a while until a 2xx status acknowledges them."
)
class WebhookEndpoint(Node):
    url: str = strawberry.field(description="The address that is posted to.")
    kinds: list[EventKind] | None = strawberry.field(description="The kinds of events sent there. Null for all.")
    is_enabled: bool = strawberry.field(
        description="False once the last attempt has failed, or the answer was 410; nothing is sent then."
    )
    disabled_at: datetime | None = strawberry.field(description="When it was disabled. Null while it is enabled.")
    attempts: int = strawberry.field(description="How often the event that is next has failed.")
    next_attempt_at: datetime | None = strawberry.field(
        description="When it is tried again. Null unless an attempt has failed."
    )
    last_error: str | None = strawberry.field(
        description="What was wrong with the last attempt. Null where it was acknowledged, or there was none."
    )
    position: int = strawberry.field(description="The number of the last event that was delivered or passed over.")
    created_at: datetime = strawberry.field(description="When it was added.")
    key: strawberry.Private[int]

    @strawberry.field(description="How many events wait to be delivered.")
    async def pending(self, info: Info) -> int:
        return await info.context.webhooks_pending.load(self.key)

    @strawberry.field(description="Attempts, newest first.")
    async def deliveries(self, info: Info, first: First, after: After = None) -> WebhookDeliveryConnection:
        page = await info.context.delivery_pages.load(self.key, first=first, before_id=parse_id_cursor(after))
        return _connection(page, after)


def webhook_endpoint(found: Endpoint) -> WebhookEndpoint:
    """A stored endpoint as WebhookEndpoint, without its secret."""
    return WebhookEndpoint(
        id=global_id("WebhookEndpoint", found.id),
        url=found.url,
        kinds=sorted(found.kinds) if found.kinds is not None else None,
        is_enabled=found.is_enabled,
        disabled_at=found.disabled_at,
        attempts=found.attempts,
        next_attempt_at=found.next_attempt_at,
        last_error=found.last_error,
        position=found.position,
        created_at=found.created_at,
        key=found.id,
    )


def _connection(page: Page[Delivery], after: str | None) -> WebhookDeliveryConnection:
    edges = [
        WebhookDeliveryEdge(
            cursor=cursor(item.id),
            node=WebhookDelivery(
                event_number=item.event_id,
                attempt=item.attempt,
                attempted_at=item.attempted_at,
                is_acknowledged=item.outcome.is_acknowledged,
                status_code=item.outcome.status_code,
                error=item.outcome.error,
                milliseconds=item.outcome.milliseconds,
            ),
        )
        for item in page.items
    ]
    info = page_info(edges, after, has_next=page.has_next)
    return WebhookDeliveryConnection(edges=edges, page_info=info)


@strawberry.input(description="An endpoint to add.")
class WebhookEndpointAddInput:
    customer_id: strawberry.ID | None = strawberry.field(
        default=None, description="Whose events. Owners may leave it out: it is their own customer."
    )
    url: str = strawberry.field(description="An https address, without a user name or password.")
    kinds: list[EventKind] | None = strawberry.field(
        default=None, description="The kinds of events to send. Left out, all, those of later versions included."
    )


@strawberry.input(description="An endpoint to remove.")
class WebhookEndpointRemoveInput:
    endpoint_id: strawberry.ID = strawberry.field(description=WHICH)


@strawberry.input(description="An endpoint to enable.")
class WebhookEndpointEnableInput:
    endpoint_id: strawberry.ID = strawberry.field(description=WHICH)


@strawberry.input(description="An endpoint to give a new secret.")
class WebhookEndpointRotateSecretInput:
    endpoint_id: strawberry.ID = strawberry.field(description=WHICH)


@strawberry.input(description="Where a replay begins: exactly one of the two.", one_of=True)
class WebhookReplayFromInput:
    event_number: int | None = strawberry.field(default=strawberry.UNSET, description="The first event, by number.")
    recorded_at: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="The first event recorded at this instant or later."
    )


@strawberry.input(description="What to send again.")
class WebhookReplayInput:
    endpoint_id: strawberry.ID = strawberry.field(description=WHICH)
    from_: WebhookReplayFromInput = strawberry.field(name="from", description="Where to begin.")


@strawberry.type
class EndpointPayload(Payload):
    """What the payloads of mutations that name an endpoint have."""

    endpoint: WebhookEndpoint | None = strawberry.field(
        default=None, description="The endpoint as it is now. Null when it was refused."
    )


@strawberry.type
class SecretPayload(EndpointPayload):
    """What the payloads of mutations that make a secret have."""

    secret: str | None = strawberry.field(
        default=None,
        description="What the signatures are made with: keep it, it is shown this once. Null when it was refused.",
    )


@strawberry.type(description="The endpoint that was added, or why none was.")
class WebhookEndpointAddPayload(SecretPayload):
    pass


@strawberry.type(description="The endpoint with its new secret, or why it has none.")
class WebhookEndpointRotateSecretPayload(SecretPayload):
    pass


@strawberry.type(description="The endpoint that was enabled, or why it was not.")
class WebhookEndpointEnablePayload(EndpointPayload):
    pass


@strawberry.type(description="The endpoint that is sent everything again, or why it is not.")
class WebhookReplayPayload(EndpointPayload):
    pass


@strawberry.type(description="The endpoint that was removed, or why it was not.")
class WebhookEndpointRemovePayload(Payload):
    removed_endpoint_id: strawberry.ID | None = strawberry.field(
        default=None, description="The endpoint's id. Null when it was refused."
    )


@strawberry.type
class WebhookMutations:
    """The part of Mutation about webhooks."""

    @strawberry.mutation(description="Send a customer's events to an address, from now on. For owners and operators.")
    @refusals_in_payload(WebhookEndpointAddPayload)
    async def webhook_endpoint_add(
        self, info: Info, input: Annotated[WebhookEndpointAddInput, strawberry.argument(description="The endpoint.")]
    ) -> WebhookEndpointAddPayload | None:
        found = await use_cases.add(
            info.context.services, info.context.caller, customer_key(input.customer_id), input.url, input.kinds
        )
        return WebhookEndpointAddPayload(endpoint=webhook_endpoint(found), secret=found.secret)

    @strawberry.mutation(description="Send nothing there any more, and forget what was sent.")
    @refusals_in_payload(WebhookEndpointRemovePayload)
    async def webhook_endpoint_remove(
        self, info: Info, input: Annotated[WebhookEndpointRemoveInput, strawberry.argument(description=WHICH)]
    ) -> WebhookEndpointRemovePayload | None:
        found = await use_cases.remove(info.context.services, info.context.caller, _key(input.endpoint_id))
        return WebhookEndpointRemovePayload(removed_endpoint_id=global_id("WebhookEndpoint", found.id))

    @strawberry.mutation(
        description="Try an endpoint that was disabled, or waits for its next attempt, at once. What happened meanwhile"
        " is delivered too."
    )
    @refusals_in_payload(WebhookEndpointEnablePayload)
    async def webhook_endpoint_enable(
        self, info: Info, input: Annotated[WebhookEndpointEnableInput, strawberry.argument(description=WHICH)]
    ) -> WebhookEndpointEnablePayload | None:
        found = await use_cases.enable(info.context.services, info.context.caller, _key(input.endpoint_id))
        return WebhookEndpointEnablePayload(endpoint=webhook_endpoint(found))

    @strawberry.mutation(
        description="Make a new secret. For a day, signatures with the one before are sent along, for receivers that do"
        " not know the new one yet."
    )
    @refusals_in_payload(WebhookEndpointRotateSecretPayload)
    async def webhook_endpoint_rotate_secret(
        self, info: Info, input: Annotated[WebhookEndpointRotateSecretInput, strawberry.argument(description=WHICH)]
    ) -> WebhookEndpointRotateSecretPayload | None:
        found = await use_cases.rotate_secret(info.context.services, info.context.caller, _key(input.endpoint_id))
        return WebhookEndpointRotateSecretPayload(endpoint=webhook_endpoint(found), secret=found.secret)

    @strawberry.mutation(
        description="Send again everything from an event on, in order and under the same ids: for operators. A disabled"
        " endpoint must be enabled as well."
    )
    @refusals_in_payload(WebhookReplayPayload)
    async def webhook_replay(
        self, info: Info, input: Annotated[WebhookReplayInput, strawberry.argument(description="What.")]
    ) -> WebhookReplayPayload | None:
        instant = input.from_.recorded_at
        start = utc(instant) if instant else input.from_.event_number or 0
        key = _key(input.endpoint_id)
        found = await use_cases.replay(info.context.services, info.context.caller, key, start)
        return WebhookReplayPayload(endpoint=webhook_endpoint(found))


def _key(given: strawberry.ID) -> int:
    return key_of(given, "WebhookEndpoint", "endpointId")
