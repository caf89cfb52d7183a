"""Webhook endpoints: added, removed, enabled, given a new secret, replayed, and read. Sales has no part in them."""

import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from db.history import first_event_since, last_event_id
from db.webhooks import (
    add_endpoint,
    all_endpoints,
    deliveries_page,
    endpoint_by_id,
    endpoints_of_customers,
    pending_counts,
    remove_endpoint,
    save_endpoint,
)
from domain.errors import NotFound
from domain.history import EventKind
from domain.webhook_errors import (
    NothingToReplay,
    WebhookEndpointsOutOfRange,
    WebhookKindsMissing,
    WebhookUrlTaken,
)
from domain.webhooks import (
    ENDPOINTS_PER_CUSTOMER_MAX,
    SECRET_OVERLAP,
    Delivery,
    Endpoint,
    check_url,
    started_again,
)
from resolvers.access import Caller, Role, customer_in_reach, require
from resolvers.reads import Page, check_page_size, of_each, pages
from resolvers.services import Services, system_clock
from resolvers.settling import open_customer

ROLES = (Role.OWNER, Role.OPERATOR)
"""Who may see and change endpoints."""
SECRET_BYTES = 32


async def add(
    services: Services, caller: Caller | None, customer_id: int | None, url: str, kinds: Sequence[EventKind] | None
) -> Endpoint:
    """Send a customer's events to an address from now on; only those of some kinds where kinds are given.

    Raises:
        WebhookUrlInvalid, WebhookUrlTaken, WebhookKindsMissing, WebhookEndpointsOutOfRange.
        NotFound: no such customer for this caller.
    """
    meant = customer_in_reach(require(caller, *ROLES), customer_id)
    check_url(url, http_allowed=services.settings.webhook_http == "allowed")
    if kinds is not None and not kinds:
        raise WebhookKindsMissing
    async with services.database.write() as session:
        await open_customer(session, meant, services.clock)
        present = (await endpoints_of_customers(session, [meant])).get(meant, [])
        if any(endpoint.url == url for endpoint in present):
            raise WebhookUrlTaken
        if len(present) >= ENDPOINTS_PER_CUSTOMER_MAX:
            raise WebhookEndpointsOutOfRange(endpoints_max=ENDPOINTS_PER_CUSTOMER_MAX)
        return await add_endpoint(
            session,
            customer_id=meant,
            url=url,
            secret=_new_secret(),
            kinds=frozenset(kinds) if kinds is not None else None,
            position=await last_event_id(session, meant),
            now=services.sign_in_clock(),
        )


async def remove(services: Services, caller: Caller | None, endpoint_id: int) -> Endpoint:
    """Send nothing there any more, and forget what was sent.

    Raises:
        NotFound: no such endpoint for this caller.
    """
    async with _opened(services, caller, endpoint_id, *ROLES) as (session, found):
        await remove_endpoint(session, found.id)
        return found


async def enable(services: Services, caller: Caller | None, endpoint_id: int) -> Endpoint:
    """Try an endpoint that was disabled, or that waits for its next attempt, again at once.

    Raises:
        NotFound: no such endpoint for this caller.
    """
    async with _opened(services, caller, endpoint_id, *ROLES) as (session, found):
        enabled = replace(started_again(found, found.position), disabled_at=None)
        await save_endpoint(session, enabled)
        return enabled


async def rotate_secret(services: Services, caller: Caller | None, endpoint_id: int) -> Endpoint:
    """Give an endpoint a new secret. The one before signs as well for a day, so that nothing is refused meanwhile.

    Raises:
        NotFound: no such endpoint for this caller.
    """
    async with _opened(services, caller, endpoint_id, *ROLES) as (session, found):
        until = system_clock() + SECRET_OVERLAP  # signatures go by the system's clock, too
        rotated = replace(found, secret=_new_secret(), previous_secret=found.secret, previous_secret_until=until)
        await save_endpoint(session, rotated)
        return rotated


async def replay(services: Services, caller: Caller | None, endpoint_id: int, start: int | datetime) -> Endpoint:
    """Send again everything from an event's number, or from the first event recorded at an instant or later.

    Raises:
        NotFound: there is no such endpoint.
        NothingToReplay: nothing from there on was delivered or passed over. A replay never leaves out an event.
    """
    async with _opened(services, caller, endpoint_id, Role.OPERATOR) as (session, found):
        first = await first_event_since(session, found.customer_id, start) if isinstance(start, datetime) else start
        if first is None or not 0 < first <= found.position:
            raise NothingToReplay(position=found.position)
        replayed = started_again(found, first - 1)
        await save_endpoint(session, replayed)
        return replayed


async def endpoint(services: Services, caller: Caller | None, endpoint_id: int) -> Endpoint | None:
    """An endpoint in the caller's reach; None where there is none, or not for this caller."""
    signed_in = require(caller)
    async with services.database.read() as session:
        found = await endpoint_by_id(session, endpoint_id)
    return found if found is not None and _reaches(signed_in, found) else None


async def endpoints(services: Services, customer_ids: Sequence[int], caller: Caller | None) -> list[list[Endpoint]]:
    """The endpoints of each customer, in the same places, oldest first; of customers that were reached already."""
    require(caller, *ROLES)
    return await of_each(services, customer_ids, endpoints_of_customers)


async def every_endpoint(services: Services) -> list[tuple[Endpoint, int]]:
    """All endpoints, customer by customer, and how many events wait for each. For the command line."""
    async with services.database.read() as session:
        found = await all_endpoints(session)
        counts = await pending_counts(session, [item.id for item in found])
    return [(item, counts.get(item.id, 0)) for item in found]


async def pending(services: Services, endpoint_ids: Sequence[int]) -> list[int]:
    """How many events wait to be delivered to each endpoint, in the same places."""
    return await of_each(services, endpoint_ids, pending_counts)


async def delivery_pages(
    services: Services, endpoint_ids: Sequence[int], *, first: int, before_id: int | None
) -> list[Page[Delivery]]:
    """A page of the attempts to deliver to each endpoint, newest first; of endpoints that were reached already."""
    check_page_size(first)
    return pages(await of_each(services, endpoint_ids, deliveries_page, first=first + 1, before_id=before_id), first)


@asynccontextmanager
async def _opened(
    services: Services, caller: Caller | None, endpoint_id: int, *roles: Role
) -> AsyncIterator[tuple[AsyncSession, Endpoint]]:
    """A transaction with an endpoint in the caller's reach, locked.

    Raises:
        NotFound.
    """
    signed_in = require(caller, *roles)
    async with services.database.write() as session:
        found = await endpoint_by_id(session, endpoint_id, locked=True)
        if found is None or not _reaches(signed_in, found):
            raise NotFound(field="endpointId")
        yield session, found


def _reaches(caller: Caller, found: Endpoint) -> bool:
    return caller.role is Role.OPERATOR or (caller.role is Role.OWNER and caller.customer_id == found.customer_id)


def _new_secret() -> str:
    return "whsec_" + b64encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii")
