"""Falls of capacity that were handled: each once, with everybody it deactivated, in statements over whole sets."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

from sqlalchemy import JSON, Table, and_, bindparam, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.pages import NewestOfEach, by_owner, count_of_each
from db.tables import AccountGroupMemberRow, AccountGroupRow, AccountRow, CapacityFallRow, DeactivationRow, EventRow
from domain.accounts import AccountStatus
from domain.customers import DeactivationPolicy
from domain.deactivation import DeactivationReason, FallEffect
from domain.history import ActorKind, EventKind

INT_MAX = 2**31 - 1
"""What the columns of positions can hold."""


@dataclass(frozen=True, slots=True)
class HandledFall:
    """A fall of capacity as it was handled, in accounts."""

    id: int
    customer_id: int
    on: date
    capacity_before: int
    capacity_after: int
    counted_before: int
    deactivated: int
    policy: DeactivationPolicy
    handled_at: datetime


@dataclass(frozen=True, slots=True)
class StoredDeactivation:
    """Whom a fall deactivated, and why; ``position`` counts from 1, the newest account first."""

    position: int
    account_id: int
    reason: DeactivationReason
    previous_status: AccountStatus


@dataclass(frozen=True, slots=True)
class NewFall:
    """A fall of capacity that takes effect at an instant, and whom it deactivates."""

    customer_id: int
    main_contract_id: int
    effect: FallEffect
    policy: DeactivationPolicy
    occurred_at: datetime
    recorded_at: datetime


_PAGES = NewestOfEach(CapacityFallRow, CapacityFallRow.customer_id)


async def add_falls(session: AsyncSession, falls: Sequence[NewFall]) -> dict[int, NewFall]:
    """Record falls; the unique key refuses a second one of a customer for the same day. They by their new ids."""
    if not falls:
        return {}
    rows = [
        {
            "customer_id": item.customer_id,
            "main_contract_id": item.main_contract_id,
            "on_day": item.effect.fall.on,
            "capacity_before": item.effect.fall.capacity_before,
            "capacity_after": item.effect.fall.capacity_after,
            "counted_before": item.effect.counted_before,
            "deactivated": len(item.effect.deactivations),
            "policy": item.policy.value,
            "handled_at": item.recorded_at,
        }
        for item in falls
    ]
    statement = insert(CapacityFallRow).returning(CapacityFallRow.id, sort_by_parameter_order=True)
    return dict(zip(await session.scalars(statement, rows), falls, strict=True))


async def deactivate(session: AsyncSession, falls: Mapping[int, NewFall], statuses: Mapping[int, str]) -> None:
    """Deactivate whom recorded falls deactivate: the record, the status, the built-in group and an event for each.

    ``falls`` by their ids; ``statuses`` are the accounts' statuses before. The built-in groups must exist.
    """
    rows = [
        {
            "fall_id": fall_id,
            "position": position,
            "account_id": item.account_id,
            "reason": item.reason.value,
            "previous_status": statuses[item.account_id],
        }
        for fall_id, fall in falls.items()
        for position, item in enumerate(fall.effect.deactivations, start=1)
    ]
    if not rows:
        return
    await session.execute(insert(_OUT), rows)
    await session.execute(_ENTER_GROUP, {"falls": list(falls)})
    together: dict[tuple[datetime, datetime], list[int]] = defaultdict(list)
    for fall_id, fall in falls.items():
        together[fall.occurred_at, fall.recorded_at].append(fall_id)
    # One change for each status and reason there may be: few, however many accounts.
    kinds = sorted({(row["previous_status"], row["reason"]) for row in rows})
    for (occurred_at, recorded_at), fall_ids in together.items():
        given = {"falls": fall_ids, "occurred": occurred_at, "recorded": recorded_at}
        await session.execute(_CHANGE, given)
        for status, reason in kinds:
            changes = {"status": [status, AccountStatus.DEACTIVATED.value], "reason": [None, reason]}
            await session.execute(_LOG, {**given, "status": status, "reason": reason, "changes": changes})
    session.expire_all()


# Over the tables themselves: the ORM would take the parameters for rows to insert.
_ACCOUNTS, _GROUPS, _MEMBERS, _FALLS, _OUT, _EVENTS = (
    cast("Table", row.__table__)
    for row in (AccountRow, AccountGroupRow, AccountGroupMemberRow, CapacityFallRow, DeactivationRow, EventRow)
)
_OF_FALLS = _OUT.c.fall_id.in_(bindparam("falls", expanding=True))
_CHANGE = (
    update(_ACCOUNTS)
    .where(_ACCOUNTS.c.id.in_(select(_OUT.c.account_id).where(_OF_FALLS)))
    .values(status=AccountStatus.DEACTIVATED.value, deactivated_at=bindparam("occurred"))
)
_ENTER_GROUP = insert(_MEMBERS).from_select(
    ["group_id", "account_id", "customer_id"],
    select(_GROUPS.c.id, _OUT.c.account_id, _FALLS.c.customer_id)
    .join_from(_OUT, _FALLS, _FALLS.c.id == _OUT.c.fall_id)
    .join(_GROUPS, and_(_GROUPS.c.customer_id == _FALLS.c.customer_id, _GROUPS.c.is_built_in))
    .where(_OF_FALLS),
)
_LOGGED = {
    "customer_id": _FALLS.c.customer_id,
    "kind": literal(EventKind.ACCOUNT_DEACTIVATED.value),
    "actor": literal(ActorKind.SYSTEM.value),
    "occurred_at": bindparam("occurred", type_=_EVENTS.c.occurred_at.type),
    "recorded_at": bindparam("recorded", type_=_EVENTS.c.recorded_at.type),
    "account_id": _OUT.c.account_id,
    "capacity_fall_id": _OUT.c.fall_id,
    "changes": bindparam("changes", type_=JSON),
    "counted_after": _FALLS.c.counted_before - _FALLS.c.deactivated,
}
_LOG = insert(_EVENTS).from_select(
    list(_LOGGED),
    select(*_LOGGED.values())
    .join_from(_OUT, _FALLS, _FALLS.c.id == _OUT.c.fall_id)
    .where(_OF_FALLS)
    .where(_OUT.c.previous_status == bindparam("status"))
    .where(_OUT.c.reason == bindparam("reason"))
    .order_by(_OUT.c.fall_id, _OUT.c.position),
)


async def falls_page(
    session: AsyncSession, customer_ids: Collection[int], *, first: int, before_id: int | None
) -> dict[int, list[HandledFall]]:
    """Up to ``first`` falls of each customer, newest first."""
    pages = await _PAGES.read(session, customer_ids, first=first, before_id=before_id)
    return {customer_id: [_fall(row) for row in rows] for customer_id, rows in pages.items()}


async def falls_by_id(session: AsyncSession, ids: Collection[int]) -> dict[int, HandledFall]:
    """The falls that exist among these ids."""
    rows = await session.scalars(select(CapacityFallRow).where(CapacityFallRow.id.in_(ids)))
    return {row.id: _fall(row) for row in rows}


async def fall_counts(session: AsyncSession, customer_ids: Collection[int]) -> dict[int, int]:
    """How many falls of each customer were handled."""
    return await count_of_each(session, CapacityFallRow.customer_id, customer_ids)


async def deactivations_page(
    session: AsyncSession, fall_ids: Collection[int], *, first: int, after: int
) -> dict[int, list[StoredDeactivation]]:
    """Up to ``first`` of those whom each fall deactivated, after a position."""
    last = min(after + first, INT_MAX)  # positions have no gaps
    query = (
        select(DeactivationRow)
        .where(DeactivationRow.fall_id.in_(fall_ids))
        .where(DeactivationRow.position > after, DeactivationRow.position <= last)
        .order_by(DeactivationRow.fall_id, DeactivationRow.position)
    )
    found = by_owner(DeactivationRow.fall_id, fall_ids, await session.scalars(query))
    return {fall_id: [_deactivation(row) for row in rows] for fall_id, rows in found.items()}


def _deactivation(row: DeactivationRow) -> StoredDeactivation:
    return StoredDeactivation(
        row.position, row.account_id, DeactivationReason(row.reason), AccountStatus(row.previous_status)
    )


def _fall(row: CapacityFallRow) -> HandledFall:
    return HandledFall(
        id=row.id,
        customer_id=row.customer_id,
        on=row.on_day,
        capacity_before=row.capacity_before,
        capacity_after=row.capacity_after,
        counted_before=row.counted_before,
        deactivated=row.deactivated,
        policy=DeactivationPolicy(row.policy),
        handled_at=row.handled_at,
    )
