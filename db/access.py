"""Bearer tokens, stored as hashes, and idempotency keys."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from db.tables import AccessTokenRow, IdempotencyKeyRow


@dataclass(frozen=True, slots=True)
class StoredToken:
    """Who a token stands for, and until when. ``id`` is the number it was stored under; 0 before that."""

    role: str
    customer_id: int | None
    expires_at: datetime
    id: int = 0


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What an idempotency key was used for: the operation, a hash of its input, and the ids of what it led to."""

    operation: str
    input_hash: str
    result: tuple[int, ...]


async def add_token(session: AsyncSession, token_hash: str, token: StoredToken, now: datetime) -> None:
    """Store a token by its hash."""
    session.add(
        AccessTokenRow(
            token_hash=token_hash,
            role=token.role,
            customer_id=token.customer_id,
            created_at=now,
            expires_at=token.expires_at,
        )
    )
    await session.flush()


async def token_by_hash(session: AsyncSession, token_hash: str) -> StoredToken | None:
    """The token with this hash, expired or not."""
    row = await session.scalar(select(AccessTokenRow).where(AccessTokenRow.token_hash == token_hash))
    return StoredToken(row.role, row.customer_id, row.expires_at, row.id) if row else None


async def key_use(session: AsyncSession, customer_id: int, key: str) -> KeyUse | None:
    """What a customer's idempotency key was used for, if it was used."""
    row = await session.get(IdempotencyKeyRow, (customer_id, key))
    return KeyUse(row.operation, row.input_hash, tuple(row.result)) if row else None


async def add_key_use(session: AsyncSession, customer_id: int, key: str, use: KeyUse, now: datetime) -> None:
    """Remember an idempotency key, in the transaction of its effect."""
    session.add(
        IdempotencyKeyRow(
            customer_id=customer_id,
            key=key,
            operation=use.operation,
            input_hash=use.input_hash,
            result=list(use.result),
            created_at=now,
        )
    )
    await session.flush()
