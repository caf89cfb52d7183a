"""Bearer tokens, stored as hashes, and idempotency keys."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from sqlalchemy import BindParameter, ColumnElement, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from db.pages import NewestOfEach
from db.prepared import Prepared, insertion
from db.tables import AccessTokenRow, IdempotencyKeyRow, UtcDateTime

TOKENS_LISTED_MAX = 100


@dataclass(frozen=True, slots=True)
class StoredToken:
    """Who a token, or a ``subject`` of an OpenID Connect provider, stands for, and until when.

    ``id`` is the number it was stored under; 0 before that.
    """

    role: str
    customer_id: int | None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    subject: str | None = None
    id: int = 0

    def is_valid(self, now: datetime) -> bool:
        """Whether it may still be used."""
        return now < self.expires_at and (self.revoked_at is None or now < self.revoked_at)


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What an idempotency key was used for: the operation, a hash of its input, and the ids of what it led to."""

    operation: str
    input_hash: str
    result: tuple[int, ...]


async def add_token(session: AsyncSession, token_hash: str, token: StoredToken) -> StoredToken:
    """Store a token by its hash; the id it is given replaces the one it came with."""
    row = AccessTokenRow(
        token_hash=token_hash,
        role=token.role,
        customer_id=token.customer_id,
        created_at=token.created_at,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
        subject=token.subject,
    )
    session.add(row)
    await session.flush()
    return replace(token, id=row.id)


def _is_valid(now: datetime | BindParameter[datetime]) -> tuple[ColumnElement[bool], ...]:
    unrevoked = or_(AccessTokenRow.revoked_at.is_(None), AccessTokenRow.revoked_at > now)
    return AccessTokenRow.expires_at > now, unrevoked


_VALID = NewestOfEach(
    AccessTokenRow,
    cast("InstrumentedAttribute[int]", AccessTokenRow.customer_id),
    *_is_valid(bindparam("now", type_=UtcDateTime)),
)
_BY_HASH = Prepared(
    lambda _is_postgresql: select(AccessTokenRow).where(AccessTokenRow.token_hash == bindparam("token_hash"))
)


async def token_by_hash(session: AsyncSession, token_hash: str) -> StoredToken | None:
    """The token with this hash, valid or not."""
    rows = await _BY_HASH.all(session, token_hash=token_hash)
    return _token(rows[0]) if rows else None


async def token_by_id(session: AsyncSession, token_id: int) -> StoredToken | None:
    """The token with this number, valid or not; locked until the transaction ends where that writes."""
    row = await session.get(AccessTokenRow, token_id, with_for_update=True)
    return _token(row) if row else None


async def valid_tokens(session: AsyncSession, now: datetime) -> list[StoredToken]:
    """What may still be used, of everybody, newest first, at most 100."""
    query = select(AccessTokenRow).where(*_is_valid(now)).order_by(AccessTokenRow.id.desc()).limit(TOKENS_LISTED_MAX)
    return [_token(row) for row in await session.scalars(query)]


async def valid_tokens_of_customers(
    session: AsyncSession, now: datetime, customer_ids: Collection[int]
) -> dict[int, list[StoredToken]]:
    """What each customer's owners may still use, newest first, at most 100."""
    pages = await _VALID.read(session, customer_ids, first=TOKENS_LISTED_MAX, before_id=None, now=now)
    return {customer_id: [_token(row) for row in rows] for customer_id, rows in pages.items()}


async def change_token(session: AsyncSession, token_id: int, role: str, customer_id: int | None) -> None:
    """Store what a person may do now."""
    changed = update(AccessTokenRow).where(AccessTokenRow.id == token_id)
    await session.execute(changed.values(role=role, customer_id=customer_id))


async def save_revoked(session: AsyncSession, token: StoredToken) -> None:
    """Store when a token that is locked ends."""
    changed = update(AccessTokenRow).where(AccessTokenRow.id == token.id)
    await session.execute(changed.values(revoked_at=token.revoked_at))


def _token(row: AccessTokenRow) -> StoredToken:
    return StoredToken(
        role=row.role,
        customer_id=row.customer_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        subject=row.subject,
        id=row.id,
    )


_KEY = Prepared(
    lambda _is_postgresql: (
        select(IdempotencyKeyRow)
        .where(IdempotencyKeyRow.customer_id == bindparam("customer_id"))
        .where(IdempotencyKeyRow.key == bindparam("key"))
    )
)
_ADD_KEY = insertion(IdempotencyKeyRow)


async def key_use(session: AsyncSession, customer_id: int, key: str) -> KeyUse | None:
    """What a customer's idempotency key was used for, if it was used."""
    rows = await _KEY.all(session, customer_id=customer_id, key=key)
    return KeyUse(rows[0].operation, rows[0].input_hash, tuple(rows[0].result)) if rows else None


async def add_key_use(session: AsyncSession, customer_id: int, key: str, use: KeyUse, now: datetime) -> None:
    """Remember an idempotency key, in the transaction of its effect."""
    await _ADD_KEY.one(
        session,
        customer_id=customer_id,
        key=key,
        operation=use.operation,
        input_hash=use.input_hash,
        result=list(use.result),
        created_at=now,
    )
