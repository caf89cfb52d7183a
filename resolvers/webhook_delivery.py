"""Delivering events to webhook endpoints: at least once, and for each endpoint in the order of its customer's events.

A process leases an endpoint, sends its events one after the other, and writes down each answer before it sends the next
one. No transaction is open while something is sent. Who crashes between sending and writing down leaves a lease that
runs out, and whoever comes next sends the same event again, under the same id.
"""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import random

from sqlalchemy.ext.asyncio import AsyncSession

from db.engine import DatabaseUnavailableError
from db.history import events_after
from db.webhooks import (
    Lease,
    add_delivery,
    claim_endpoint,
    due_endpoints,
    end_lease,
    leased_endpoint,
    renew_lease,
    save_endpoint,
)
from domain.history import Event
from domain.webhooks import Endpoint, Outcome, after_attempt
from resolvers.services import Services
from resolvers.webhook_sending import Sender

logger = logging.getLogger("spotplan")

POLL_SECONDS = 1.0
AT_ONCE_MAX = 8
"""Endpoints that one process delivers to at a time: one that is slow does not keep the others waiting."""
EVENTS_PER_LEASE_MAX = 100
"""After so many events an endpoint is let go, so that others get their turn."""
LEASE = timedelta(seconds=60)
"""Longer than sending an event and writing down the answer takes."""

Running = set[asyncio.Task[int]]


async def deliver_all(services: Services, sender: Sender) -> int:
    """Deliver everything that can be delivered now; how many events were acknowledged.

    Several processes share the work: each takes endpoints that nobody else has leased.

    Raises:
        DatabaseUnavailableError.
    """
    running: Running = set()
    delivered = 0
    try:
        while True:
            await _start_due(services, sender, running)
            if not running:
                return delivered
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            delivered += sum(task.result() for task in done)
    finally:
        await _stop(running)


async def work(services: Services) -> None:
    """Deliver whatever there is to deliver, until cancelled."""
    sender = Sender(services.settings)
    running: Running = set()
    try:
        while True:
            try:
                await _start_due(services, sender, running)
            except DatabaseUnavailableError as failure:
                logger.warning("webhooks wait for the database: %s", failure)
            except Exception:
                logger.exception("webhooks failed; the next round tries again")
            if running:
                _, running = await asyncio.wait(running, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(POLL_SECONDS)
    finally:
        await _stop(running)


async def _start_due(services: Services, sender: Sender, running: Running) -> None:
    """Lease endpoints that are due, as many as there is room for, and begin to deliver to them."""
    room = AT_ONCE_MAX - len(running)
    if room <= 0:
        return
    async with services.database.read() as session:
        due = await due_endpoints(session, _now(services), room)
    for endpoint_id in due:
        lease = Lease(endpoint_id, secrets.token_hex(8))
        async with services.database.write() as session:
            now = _now(services)
            endpoint = await claim_endpoint(session, lease, now, now + LEASE)
        if endpoint is not None:
            running.add(asyncio.create_task(_delivered(services, sender, lease, endpoint)))


async def _stop(running: Running) -> None:
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def _delivered(services: Services, sender: Sender, lease: Lease, endpoint: Endpoint) -> int:
    """Deliver to an endpoint; how many events were acknowledged. After a failure the lease is left to run out."""
    try:
        return await _deliver(services, sender, lease, endpoint)
    except DatabaseUnavailableError as failure:
        logger.warning("webhook endpoint %d waits for the database: %s", endpoint.id, failure)
    except Exception:
        logger.exception("delivering to webhook endpoint %d failed; its lease runs out, then it goes on", endpoint.id)
    except asyncio.CancelledError:
        # The process stops, as for an update: the next one should not have to wait for the lease to run out.
        async with services.database.write() as session:
            await end_lease(session, lease, _now(services))
        raise
    return 0


async def _deliver(services: Services, sender: Sender, lease: Lease, endpoint: Endpoint) -> int:
    """Send the next events in their order, up to the first that fails, and let go of the endpoint."""
    async with services.database.read() as session:
        events = await events_after(session, endpoint.customer_id, endpoint.position, EVENTS_PER_LEASE_MAX)
    wanted = [event for event in events if endpoint.wants(event.what.kind)]
    current, delivered = endpoint, 0
    async with sender.client() as client:
        for event in wanted:
            outcome = await sender.send(client, current, event)
            after = await _write_down(services, lease, current, event, outcome)
            if after is None or after.position != event.id:
                break
            current, delivered = after, delivered + 1
    async with services.database.write() as session:
        if delivered == len(wanted):
            await _pass_over(session, lease, current.position, events)
        await end_lease(session, lease, _now(services))
    return delivered


async def _write_down(
    services: Services, lease: Lease, sent: Endpoint, event: Event, outcome: Outcome
) -> Endpoint | None:
    """Store how an attempt went, and lease the endpoint for longer.

    None where the attempt moves nothing: meanwhile the endpoint was replayed, removed, or leased to another process.
    """
    async with services.database.write() as session:
        held = await leased_endpoint(session, lease)
        if held is None or held.position != sent.position:
            return None
        now = _now(services)
        after = after_attempt(held, event.id, outcome, now, random())  # noqa: S311 # spreads waits, hides nothing
        await save_endpoint(session, after)
        await add_delivery(session, held.id, event_id=event.id, attempt=held.attempts + 1, outcome=outcome, now=now)
        await renew_lease(session, lease, now + LEASE)
    if not after.is_enabled:
        logger.warning("webhook endpoint %d is disabled: %s", after.id, after.last_error)
    return after


async def _pass_over(session: AsyncSession, lease: Lease, position: int, events: Sequence[Event]) -> None:
    """Move on over events that the endpoint does not want, unless it was replayed meanwhile."""
    held = await leased_endpoint(session, lease)
    if held is not None and held.position == position and events:
        await save_endpoint(session, replace(held, position=events[-1].id))


def _now(services: Services) -> datetime:
    """Real time, as for tokens: receivers do not live by the test clock, and it stands still."""
    return services.sign_in_clock()
