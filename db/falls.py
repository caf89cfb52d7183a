"""Falls of capacity that were handled: each once, with everybody it deactivated, in statements over whole sets."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

from sqlalchemy import JSON, Table, bindparam, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.contracts import StoredContract
from db.tables import AccountGroupMemberRow, AccountRow, CapacityFallRow, DeactivationRow, EventRow
from domain.accounts import AccountStatus
from domain.customers import DeactivationPolicy
from domain.deactivation import DeactivationReason, FallEffect
from domain.history import ActorKind, EventKind


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


async def add_fall(
    session: AsyncSession, stored: StoredContract, effect: FallEffect, policy: DeactivationPolicy, now: datetime
) -> int:
    """Record a fall; the unique key refuses a second one for the same day. Its id."""
    values = {
        "customer_id": stored.customer_id,
        "main_contract_id": stored.id,
        "on_day": effect.fall.on,
        "capacity_before": effect.fall.capacity_before,
        "capacity_after": effect.fall.capacity_after,
        "counted_before": effect.counted_before,
        "deactivated": len(effect.deactivations),
        "policy": policy.value,
        "handled_at": now,
    }
    statement = insert(CapacityFallRow).returning(CapacityFallRow.id)
    return (await session.execute(statement, values)).scalar_one()


async def deactivate(
    session: AsyncSession,
    *,
    fall_id: int,
    customer_id: int,
    group_id: int,
    effect: FallEffect,
    statuses: Mapping[int, str],
    occurred_at: datetime,
    now: datetime,
) -> None:
    """Deactivate whom a fall deactivates: the record, the status, the built-in group and an event for each.

    ``statuses`` are the accounts' statuses before.
    """
    rows = [
        {
            "fall_id": fall_id,
            "position": position,
            "account_id": item.account_id,
            "reason": item.reason.value,
            "previous_status": statuses[item.account_id],
        }
        for position, item in enumerate(effect.deactivations, start=1)
    ]
    await session.execute(insert(DeactivationRow), rows)
    given = {"fall": fall_id, "occurred": occurred_at, "recorded": now, "group": group_id, "customer": customer_id}
    for statement in (_CHANGE, _ENTER_GROUP):
        await session.execute(statement, given)
    for status, reason in sorted({(row["previous_status"], row["reason"]) for row in rows}):
        changes = {"status": [status, AccountStatus.DEACTIVATED.value], "reason": [None, reason]}
        event = {**given, "status": status, "reason": reason, "changes": changes, "counted": effect.counted_after}
        await session.execute(_LOG, event)
    session.expire_all()


# Over the tables themselves: the ORM would take the parameters for rows to insert.
_ACCOUNTS, _MEMBERS, _OUT, _EVENTS = (
    cast("Table", row.__table__) for row in (AccountRow, AccountGroupMemberRow, DeactivationRow, EventRow)
)
_CHANGE = (
    update(_ACCOUNTS)
    .where(_ACCOUNTS.c.id.in_(select(_OUT.c.account_id).where(_OUT.c.fall_id == bindparam("fall"))))
    .values(status=AccountStatus.DEACTIVATED.value, deactivated_at=bindparam("occurred"))
)
_ENTER_GROUP = insert(_MEMBERS).from_select(
    ["group_id", "account_id", "customer_id"],
    select(
        bindparam("group", type_=_MEMBERS.c.group_id.type),
        _OUT.c.account_id,
        bindparam("customer", type_=_MEMBERS.c.customer_id.type),
    ).where(_OUT.c.fall_id == bindparam("fall")),
)
_LOGGED = {
    "customer_id": bindparam("customer", type_=_EVENTS.c.customer_id.type),
    "kind": literal(EventKind.ACCOUNT_DEACTIVATED.value),
    "actor": literal(ActorKind.SYSTEM.value),
    "occurred_at": bindparam("occurred", type_=_EVENTS.c.occurred_at.type),
    "recorded_at": bindparam("recorded", type_=_EVENTS.c.recorded_at.type),
    "account_id": _OUT.c.account_id,
    "capacity_fall_id": _OUT.c.fall_id,
    "changes": bindparam("changes", type_=JSON),
    "counted_after": bindparam("counted", type_=_EVENTS.c.counted_after.type),
}
_LOG = insert(_EVENTS).from_select(
    list(_LOGGED),
    select(*_LOGGED.values())
    .where(_OUT.c.fall_id == bindparam("fall"))
    .where(_OUT.c.previous_status == bindparam("status"))
    .where(_OUT.c.reason == bindparam("reason"))
    .order_by(_OUT.c.position),
)


async def falls_page(
    session: AsyncSession, customer_id: int, *, first: int, before_id: int | None
) -> list[HandledFall]:
    """Up to ``first`` falls of a customer, newest first."""
    query = select(CapacityFallRow).where(CapacityFallRow.customer_id == customer_id)
    if before_id is not None:
        query = query.where(CapacityFallRow.id < before_id)
    return [_fall(row) for row in await session.scalars(query.order_by(CapacityFallRow.id.desc()).limit(first))]


async def falls_by_id(session: AsyncSession, ids: Collection[int]) -> dict[int, HandledFall]:
    """The falls that exist among these ids."""
    rows = await session.scalars(select(CapacityFallRow).where(CapacityFallRow.id.in_(ids)))
    return {row.id: _fall(row) for row in rows}


async def falls_count(session: AsyncSession, customer_id: int) -> int:
    """How many falls of a customer were handled."""
    query = select(func.count()).select_from(CapacityFallRow).where(CapacityFallRow.customer_id == customer_id)
    return (await session.execute(query)).scalar_one()


async def deactivations_page(
    session: AsyncSession, fall_id: int, *, first: int, after: int | None
) -> list[StoredDeactivation]:
    """Up to ``first`` of those whom a fall deactivated, after a position."""
    query = (
        select(DeactivationRow).where(DeactivationRow.fall_id == fall_id).where(DeactivationRow.position > (after or 0))
    )
    return [
        StoredDeactivation(
            row.position, row.account_id, DeactivationReason(row.reason), AccountStatus(row.previous_status)
        )
        for row in await session.scalars(query.order_by(DeactivationRow.position).limit(first))
    ]


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
