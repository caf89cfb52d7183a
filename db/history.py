"""The append-only log of a customer's events."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import ColumnElement, Table, bindparam, case, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.pages import NewestOfEach, count_of_each
from db.tables import CustomerRow, EventRow
from domain.history import Actor, ActorKind, Event, EventKind, NewEvent

_ADD = insert(cast("Table", EventRow.__table__))  # the session's own way of inserting takes three times as long
_PAGES = NewestOfEach(EventRow, EventRow.customer_id)
_PAGES_OF_ACCOUNT = NewestOfEach(EventRow, EventRow.customer_id, EventRow.account_id == bindparam("account_id"))


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An event that is to be appended."""

    customer_id: int
    actor: Actor
    event: NewEvent
    recorded_at: datetime


async def add_events(
    session: AsyncSession, customer_id: int, actor: Actor, events: Iterable[NewEvent], now: datetime
) -> None:
    """Append a customer's events, in their order."""
    await add_log(session, [LogEntry(customer_id, actor, event, now) for event in events])


async def add_log(session: AsyncSession, entries: Iterable[LogEntry]) -> None:
    """Append events of any customers, in their order."""
    rows = [
        {
            "customer_id": entry.customer_id,
            "kind": entry.event.kind.value,
            "actor": entry.actor.kind.value,
            "actor_token_id": entry.actor.token_id,
            "occurred_at": entry.event.occurred_at,
            "recorded_at": entry.recorded_at,
            "account_id": entry.event.account_id,
            "spot_order_id": entry.event.spot_order_id,
            "capacity_fall_id": entry.event.capacity_fall_id,
            "changes": {name: list(change) for name, change in entry.event.changes.items()},
            "counted_after": entry.event.counted_after,
        }
        for entry in entries
    ]
    if rows:
        await session.execute(_ADD, rows)


async def events_page(
    session: AsyncSession,
    customer_ids: Collection[int],
    *,
    account_id: int | None,
    first: int,
    before_id: int | None,
) -> dict[int, list[Event]]:
    """Up to ``first`` events of each customer, newest first; of one account where one is named."""
    about = {"account_id": account_id} if account_id is not None else {}
    read = _PAGES_OF_ACCOUNT if about else _PAGES
    pages = await read.read(session, customer_ids, first=first, before_id=before_id, **about)
    return {customer_id: [_event(row) for row in rows] for customer_id, rows in pages.items()}


async def events_after(session: AsyncSession, customer_id: int, after_id: int, limit: int) -> list[Event]:
    """The next events of a customer after a number, oldest first."""
    query = select(EventRow).where(EventRow.customer_id == customer_id, EventRow.id > after_id)
    return [_event(row) for row in await session.scalars(query.order_by(EventRow.id).limit(limit))]


async def last_event_id(session: AsyncSession, customer_id: int) -> int:
    """The number of a customer's last event; 0 where there is none."""
    return await session.scalar(select(func.max(EventRow.id)).where(EventRow.customer_id == customer_id)) or 0


async def first_event_since(session: AsyncSession, customer_id: int, instant: datetime) -> int | None:
    """The number of a customer's first event that was recorded at an instant or later; None where there is none."""
    query = select(func.min(EventRow.id)).where(EventRow.customer_id == customer_id)
    return await session.scalar(query.where(EventRow.recorded_at >= instant))


async def event_counts(session: AsyncSession, customer_ids: Collection[int], account_id: int | None) -> dict[int, int]:
    """How many events there are of each customer; of one account where one is named."""
    return await count_of_each(session, EventRow.customer_id, customer_ids, *_about(account_id))


async def events_since(
    session: AsyncSession, customer_id: int, instant: datetime, kinds: Iterable[EventKind]
) -> list[Event]:
    """The events of some kinds that were recorded at an instant or later, oldest first, at most 100."""
    query = (
        select(EventRow)
        .where(EventRow.customer_id == customer_id, EventRow.recorded_at >= instant)
        .where(EventRow.kind.in_(sorted(kind.value for kind in kinds)))
        .order_by(EventRow.id)
        .limit(100)
    )
    return [_event(row) for row in await session.scalars(query)]


async def counted_before(
    session: AsyncSession, customer_ids: Collection[int], instants: Mapping[str, datetime]
) -> dict[int, int]:
    """How many accounts of each customer counted against capacity just before an instant, as the log tells.

    ``instants`` are by the time zones of the customers, which are as many as there are.
    """
    kind = EventRow.occurred_at.type
    instant = case({zone: literal(at, kind) for zone, at in instants.items()}, value=CustomerRow.time_zone)
    counted = (
        select(EventRow.counted_after)
        .where(EventRow.customer_id == CustomerRow.id)
        .where(EventRow.counted_after.is_not(None))
        .where(EventRow.occurred_at < instant)
        .order_by(EventRow.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = select(CustomerRow.id, counted).where(CustomerRow.id.in_(customer_ids))
    return {customer_id: count or 0 for customer_id, count in await session.execute(query)}


def _about(account_id: int | None) -> list[ColumnElement[bool]]:
    return [EventRow.account_id == account_id] if account_id is not None else []


def _event(row: EventRow) -> Event:
    return Event(
        id=row.id,
        customer_id=row.customer_id,
        actor=Actor(ActorKind(row.actor), row.actor_token_id),
        recorded_at=row.recorded_at,
        what=NewEvent(
            kind=EventKind(row.kind),
            occurred_at=row.occurred_at,
            changes={name: (before, after) for name, (before, after) in row.changes.items()},
            account_id=row.account_id,
            spot_order_id=row.spot_order_id,
            capacity_fall_id=row.capacity_fall_id,
            counted_after=row.counted_after,
        ),
    )
