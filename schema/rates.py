"""How often a caller may ask: by token, or by address without one. By the library limits, in memory or in Redis."""

import logging
from math import ceil
from time import time
from typing import Any

from limits import parse
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string

from settings import SettingInvalidError, Settings

logger = logging.getLogger("spotplan")

REDIS_SECONDS_MAX = 1
"""How long Redis may take to answer, before the request goes on without it."""


class Rates:
    """Counts operations. Where Redis does not answer, they are let through: it guards, but must not stop us."""

    def __init__(self, settings: Settings) -> None:
        """Read the settings.

        Raises:
            SettingInvalidError: a rate is none, or Redis cannot be used.
        """
        options: dict[str, Any] = {
            "implementation": "redispy",
            "wrap_exceptions": True,
            "socket_timeout": REDIS_SECONDS_MAX,
            "socket_connect_timeout": REDIS_SECONDS_MAX,
        }
        try:
            self._by_token = parse(settings.rate_signed_in)
            self._by_address = parse(settings.rate_anonymous)
            if settings.redis_url:
                self._storage: Any = storage_from_string(f"async+{settings.redis_url}", **options)
            else:
                self._storage = storage_from_string("async+memory://")
        except (ValueError, ConfigurationError) as error:
            raise SettingInvalidError(f"SPOTPLAN_RATE_SIGNED_IN, _RATE_ANONYMOUS, _REDIS_URL: {error}") from None
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)

    async def seconds_to_wait(self, token_id: int | None, address: str) -> int:
        """Count an operation; 0 where it may run, else the seconds after which to try again."""
        item, key = (self._by_address, address) if token_id is None else (self._by_token, str(token_id))
        try:
            if await self._limiter.hit(item, key):
                return 0
            window = await self._limiter.get_window_stats(item, key)
        except StorageError as error:
            logger.warning("rates are not limited: %s", error.storage_error)
            return 0
        return max(1, ceil(window.reset_time - time()))

    async def close(self) -> None:
        """Close the connections to Redis."""
        if hasattr(self._storage, "bridge"):
            await self._storage.bridge.storage.aclose()


def too_often(seconds: int) -> tuple[str, dict[str, Any]]:
    """The message and the extensions of the refusal."""
    extensions = {"code": "RATE_LIMITED", "retryable": True, "retryAfterSeconds": seconds}
    return f"Too many requests. Try again in {seconds} seconds.", extensions
