"""Webhook endpoints: stored, claimed by one process at a time, and how far each has been delivered.

Events of a customer are added inside its contract's lock, so that their ids rise in the order of commits: whoever has
seen one has seen all before it. That is what lets a position say what was delivered.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.pages import NewestOfEach
from db.tables import EventRow
from db.webhook_tables import WebhookDeliveryRow, WebhookEndpointRow
from domain.history import EventKind
from domain.webhooks import DELIVERIES_KEPT, Delivery, Endpoint, Outcome

_DELIVERIES = NewestOfEach(WebhookDeliveryRow, WebhookDeliveryRow.endpoint_id, owner=WebhookEndpointRow.id)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to deliver to an endpoint, under a token that nobody else has."""

    endpoint_id: int
    token: str


async def add_endpoint(
    session: AsyncSession,
    *,
    customer_id: int,
    url: str,
    secret: str,
    kinds: frozenset[EventKind] | None,
    position: int,
    now: datetime,
) -> Endpoint:
    """Store an endpoint that gets the events after a position."""
    row = WebhookEndpointRow(
        customer_id=customer_id,
        url=url,
        secret=secret,
        kinds=sorted(kinds) if kinds is not None else None,
        position=position,
        attempts=0,
        created_at=now,
        leased_until=now,
    )
    session.add(row)
    await session.flush()
    return _endpoint(row)


async def save_endpoint(session: AsyncSession, endpoint: Endpoint) -> None:
    """Store what may change about an endpoint. Call it with the row locked."""
    row = await session.get_one(WebhookEndpointRow, endpoint.id)
    row.secret = endpoint.secret
    row.previous_secret = endpoint.previous_secret
    row.previous_secret_until = endpoint.previous_secret_until
    row.position = endpoint.position
    row.attempts = endpoint.attempts
    row.next_attempt_at = endpoint.next_attempt_at
    row.last_error = endpoint.last_error
    row.disabled_at = endpoint.disabled_at
    await session.flush()


async def remove_endpoint(session: AsyncSession, endpoint_id: int) -> None:
    """Remove an endpoint and the record of its deliveries. Call it with the row locked."""
    await session.execute(delete(WebhookDeliveryRow).where(WebhookDeliveryRow.endpoint_id == endpoint_id))
    await session.execute(delete(WebhookEndpointRow).where(WebhookEndpointRow.id == endpoint_id))


async def endpoint_by_id(session: AsyncSession, endpoint_id: int, *, locked: bool = False) -> Endpoint | None:
    """An endpoint, whoever delivers to it; with ``locked`` nobody else changes it until the transaction ends."""
    query = select(WebhookEndpointRow).where(WebhookEndpointRow.id == endpoint_id)
    row = await session.scalar(query.with_for_update() if locked else query)
    return _endpoint(row) if row else None


async def endpoints_of_customers(session: AsyncSession, customer_ids: Collection[int]) -> dict[int, list[Endpoint]]:
    """The endpoints of these customers, oldest first; customers without any are absent."""
    query = select(WebhookEndpointRow).where(WebhookEndpointRow.customer_id.in_(customer_ids))
    found: dict[int, list[Endpoint]] = defaultdict(list)
    for endpoint in await _endpoints(session, query.order_by(WebhookEndpointRow.id)):
        found[endpoint.customer_id].append(endpoint)
    return found


async def all_endpoints(session: AsyncSession) -> list[Endpoint]:
    """Every endpoint, customer by customer."""
    query = select(WebhookEndpointRow).order_by(WebhookEndpointRow.customer_id, WebhookEndpointRow.id)
    return await _endpoints(session, query)


async def due_endpoints(session: AsyncSession, now: datetime, limit: int) -> list[int]:
    """Endpoints with something to deliver or to pass over that nobody works on, the one left alone for longest first.

    One statement. An enabled endpoint without events costs one look into the index of its customer's events.
    """
    has_events = exists().where(
        EventRow.customer_id == WebhookEndpointRow.customer_id, EventRow.id > WebhookEndpointRow.position
    )
    query = select(WebhookEndpointRow.id).where(*_is_free(now), has_events)
    return list(
        await session.scalars(query.order_by(WebhookEndpointRow.leased_until, WebhookEndpointRow.id).limit(limit))
    )


async def claim_endpoint(session: AsyncSession, lease: Lease, now: datetime, until: datetime) -> Endpoint | None:
    """Lease an endpoint to one process until an instant; None where another process was faster."""
    statement = (
        update(WebhookEndpointRow)
        .where(WebhookEndpointRow.id == lease.endpoint_id, *_is_free(now))
        .values(lease_token=lease.token, leased_until=until)
        .returning(WebhookEndpointRow)
    )
    row = await session.scalar(statement)
    return _endpoint(row) if row else None


async def leased_endpoint(session: AsyncSession, lease: Lease) -> Endpoint | None:
    """Lock a leased endpoint; None where it was removed, or another process has it now."""
    row = await session.scalar(select(WebhookEndpointRow).where(*_is_of(lease)).with_for_update())
    return _endpoint(row) if row else None


async def renew_lease(session: AsyncSession, lease: Lease, until: datetime) -> None:
    """Lease an endpoint for longer."""
    await session.execute(update(WebhookEndpointRow).where(*_is_of(lease)).values(leased_until=until))


async def end_lease(session: AsyncSession, lease: Lease, now: datetime) -> None:
    """Let go of an endpoint."""
    await session.execute(update(WebhookEndpointRow).where(*_is_of(lease)).values(lease_token=None, leased_until=now))


async def pending_counts(session: AsyncSession, endpoint_ids: Collection[int]) -> dict[int, int]:
    """How many events wait to be delivered to each endpoint; those without any are absent."""
    kinds_query = select(WebhookEndpointRow.id, WebhookEndpointRow.kinds).where(WebhookEndpointRow.id.in_(endpoint_ids))
    kinds = dict((await session.execute(kinds_query)).all())
    query = (
        select(WebhookEndpointRow.id, EventRow.kind, func.count())
        .join(EventRow, EventRow.customer_id == WebhookEndpointRow.customer_id)
        .where(WebhookEndpointRow.id.in_(endpoint_ids), EventRow.id > WebhookEndpointRow.position)
        .group_by(WebhookEndpointRow.id, EventRow.kind)
    )
    counts: dict[int, int] = defaultdict(int)
    for id_, kind, count in await session.execute(query):
        wanted = kinds[id_]
        if wanted is None or kind in wanted:
            counts[id_] += count
    return counts


async def endpoints_behind(session: AsyncSession) -> tuple[int, datetime | None]:
    """How many enabled endpoints have events after their position, and when the oldest of these was recorded."""
    oldest = (
        select(EventRow.recorded_at)
        .where(EventRow.customer_id == WebhookEndpointRow.customer_id, EventRow.id > WebhookEndpointRow.position)
        .order_by(EventRow.id)
        .limit(1)
        .correlate(WebhookEndpointRow)
        .scalar_subquery()
    )
    behind = select(oldest.label("since")).where(WebhookEndpointRow.disabled_at.is_(None)).subquery()
    count, since = (await session.execute(select(func.count(behind.c.since), func.min(behind.c.since)))).one()
    return count, since


async def add_delivery(
    session: AsyncSession, endpoint_id: int, *, event_id: int, attempt: int, outcome: Outcome, now: datetime
) -> None:
    """Record an attempt, and forget the one that is one too many."""
    row = {
        "endpoint_id": endpoint_id,
        "event_id": event_id,
        "attempt": attempt,
        "attempted_at": now,
        "status_code": outcome.status_code,
        "error": outcome.error,
        "milliseconds": outcome.milliseconds,
    }
    await session.execute(insert(WebhookDeliveryRow).values(row))
    last_too_many = (
        select(WebhookDeliveryRow.id)
        .where(WebhookDeliveryRow.endpoint_id == endpoint_id)
        .order_by(WebhookDeliveryRow.id.desc())
        .offset(DELIVERIES_KEPT)
        .limit(1)
        .scalar_subquery()
    )
    await session.execute(
        delete(WebhookDeliveryRow)
        .where(WebhookDeliveryRow.endpoint_id == endpoint_id)
        .where(WebhookDeliveryRow.id <= last_too_many)
    )


async def deliveries_page(
    session: AsyncSession, endpoint_ids: Collection[int], *, first: int, before_id: int | None
) -> dict[int, list[Delivery]]:
    """Up to ``first`` attempts to deliver to each endpoint, newest first."""
    pages = await _DELIVERIES.read(session, endpoint_ids, first=first, before_id=before_id)
    return {endpoint_id: [_delivery(row) for row in rows] for endpoint_id, rows in pages.items()}


def _delivery(row: WebhookDeliveryRow) -> Delivery:
    outcome = Outcome(row.status_code, row.error, row.milliseconds)
    return Delivery(row.id, row.event_id, row.attempt, row.attempted_at, outcome)


def _is_free(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Enabled, with no wait before the next attempt, and leased to nobody."""
    next_attempt_at = WebhookEndpointRow.next_attempt_at
    return (
        WebhookEndpointRow.disabled_at.is_(None),
        WebhookEndpointRow.leased_until <= now,
        or_(next_attempt_at.is_(None), next_attempt_at <= now),
    )


def _is_of(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    return WebhookEndpointRow.id == lease.endpoint_id, WebhookEndpointRow.lease_token == lease.token


async def _endpoints(session: AsyncSession, query: Select[WebhookEndpointRow]) -> list[Endpoint]:
    return [_endpoint(row) for row in await session.scalars(query)]


def _endpoint(row: WebhookEndpointRow) -> Endpoint:
    return Endpoint(
        id=row.id,
        customer_id=row.customer_id,
        url=row.url,
        secret=row.secret,
        previous_secret=row.previous_secret,
        previous_secret_until=row.previous_secret_until,
        kinds=frozenset(map(EventKind, row.kinds)) if row.kinds is not None else None,
        position=row.position,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        last_error=row.last_error,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )
