"""The worker: does whatever time makes due, in the server or in a process of its own."""

import asyncio
import logging

from db.contracts import next_due_at
from db.engine import DatabaseUnavailableError
from resolvers.payments import refund
from resolvers.services import Services
from resolvers.settling import settle_all

logger = logging.getLogger("spotplan")

SECONDS_MAX = 30.0
"""The worker looks at least this often, for what another process has made due."""


async def work(services: Services) -> None:
    """Settle whatever becomes due and pay back what is to be paid back, until cancelled."""
    while True:
        seconds = SECONDS_MAX
        try:
            await services.refresh_clock()
            await settle_all(services)
            await refund(services)
            async with services.database.read() as session:
                due_at = await next_due_at(session, ())
            if due_at is not None:
                seconds = min(seconds, max(1.0, (due_at - services.clock()).total_seconds()))
        except DatabaseUnavailableError as failure:
            logger.warning("the worker waits for the database: %s", failure)
        except Exception:
            logger.exception("the worker failed; it goes on with the next round")
        await asyncio.sleep(seconds)
