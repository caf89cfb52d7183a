"""What Prometheus is told of the moment at which it asks."""

import asyncio
import logging
from collections.abc import Iterable
from time import monotonic

from prometheus_client import Gauge, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from db.engine import DatabaseUnavailableError
from db.webhooks import endpoints_behind
from resolvers.services import Services

logger = logging.getLogger("spotplan")

SCRAPE_SECONDS_MAX = 5.0
"""How long a scrape waits for the database; what was asked of it is left out then."""

KEEP_SECONDS = 1.0
KEEP_WEBHOOKS_SECONDS = 5.0
"""How often several processes write down what they have: scrapes are answered by none of them."""


class ServicesCollector(Collector):
    """What is so at the moment of a scrape: the planner's queue, connections in use, webhooks that are behind.

    Args:
        services: of this process.
        loop: where they live; scrapes come in other threads.
    """

    def __init__(self, services: Services, loop: asyncio.AbstractEventLoop) -> None:
        self._services = services
        self._loop = loop

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that nothing is asked of the database before the first scrape."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The gauges; those of webhooks only where the database answers in time."""
        problems = self._services.planner.problems
        yield GaugeMetricFamily("spotplan_planner_problems", "Problems waiting or being solved.", problems)
        in_use = GaugeMetricFamily("spotplan_database_connections_in_use", "Of each pool.", labels=["pool"])
        size = GaugeMetricFamily("spotplan_database_connections_max", "Of each pool.", labels=["pool"])
        for name, (used, used_max) in self._services.database.connections().items():
            in_use.add_metric([name], used)
            size.add_metric([name], used_max)
        yield from (in_use, size)
        asking = asyncio.run_coroutine_threadsafe(webhooks_behind(self._services), self._loop)
        try:
            count, seconds = asking.result(SCRAPE_SECONDS_MAX)
        except (DatabaseUnavailableError, TimeoutError) as failure:
            asking.cancel()
            logger.warning("no metrics of webhooks: %s", type(failure).__name__)
            return
        yield GaugeMetricFamily("spotplan_webhook_endpoints_behind", "With events to deliver or to pass over.", count)
        yield GaugeMetricFamily("spotplan_webhook_lag_seconds", "Age of the oldest event that waits for one.", seconds)


async def webhooks_behind(services: Services) -> tuple[int, float]:
    """How many enabled endpoints have events waiting, and for how many seconds the oldest of these has waited.

    Raises:
        DatabaseUnavailableError.
    """
    await services.refresh_clock()
    async with services.database.read() as session:
        count, since = await endpoints_behind(session)
    return count, max(0.0, (services.clock() - since).total_seconds()) if since else 0.0


async def keep_gauges(services: Services) -> None:
    """Write the same gauges into this process's file again and again, until cancelled.

    Of all processes together, scrapes then show the sum; of webhooks, which are the database's, the latest.
    """
    problems = Gauge("spotplan_planner_problems", "Problems waiting or being solved.", multiprocess_mode="livesum")
    in_use, size = (
        Gauge(f"spotplan_database_connections_{name}", "Of each pool.", ["pool"], multiprocess_mode="livesum")
        for name in ("in_use", "max")
    )
    behind = Gauge(
        "spotplan_webhook_endpoints_behind",
        "With events to deliver or to pass over.",
        multiprocess_mode="livemostrecent",
    )
    lag = Gauge(
        "spotplan_webhook_lag_seconds",
        "Age of the oldest event that waits for one.",
        multiprocess_mode="livemostrecent",
    )
    ask_at = 0.0
    while True:
        problems.set(services.planner.problems)
        for name, (used, used_max) in services.database.connections().items():
            in_use.labels(name).set(used)
            size.labels(name).set(used_max)
        if monotonic() >= ask_at:
            ask_at = monotonic() + KEEP_WEBHOOKS_SECONDS
            try:
                async with asyncio.timeout(SCRAPE_SECONDS_MAX):
                    count, seconds = await webhooks_behind(services)
            except (DatabaseUnavailableError, TimeoutError) as failure:
                logger.warning("no metrics of webhooks: %s", type(failure).__name__)
            else:
                behind.set(count)
                lag.set(seconds)
        await asyncio.sleep(KEEP_SECONDS)
