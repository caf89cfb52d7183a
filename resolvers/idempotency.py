"""One effect per idempotency key, however often and however concurrently it is asked for."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from db.access import KeyUse, add_key_use, key_use
from domain.errors import IdempotencyKeyInvalid, IdempotencyKeyReused

KEY_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request that must take effect once: its key, and what it asks for.

    Raises:
        IdempotencyKeyInvalid: the key is empty, too long, or has control characters.
    """

    customer_id: int
    key: str
    operation: str
    input_hash: str

    def __post_init__(self) -> None:
        if not 1 <= len(self.key) <= KEY_LENGTH_MAX or not self.key.isprintable():
            raise IdempotencyKeyInvalid(length=len(self.key), length_max=KEY_LENGTH_MAX)

    @classmethod
    def of(cls, operation: str, customer_id: int, key: str, command: Any) -> "KeyedRequest":
        """The keyed form of a command, a dataclass of plain values."""
        text = json.dumps(asdict(command), sort_keys=True, default=str)
        return cls(customer_id, key, operation, hashlib.sha256(text.encode()).hexdigest())

    async def earlier_result(self, session: AsyncSession) -> tuple[int, ...] | None:
        """The ids of what this very request has led to already. Call it inside the contract's lock.

        Raises:
            IdempotencyKeyReused: the key was used for something else.
        """
        use = await key_use(session, self.customer_id, self.key)
        if use is None:
            return None
        if (use.operation, use.input_hash) != (self.operation, self.input_hash):
            raise IdempotencyKeyReused(key=self.key)
        return use.result

    async def remember(self, session: AsyncSession, result: tuple[int, ...], now: datetime) -> None:
        """Store the key with its effect: the ids of what it led to."""
        use = KeyUse(self.operation, self.input_hash, result)
        await add_key_use(session, self.customer_id, self.key, use, now)
