"""What a scrape asks at that moment, and what is counted only once it is stored; on both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from db.engine import DatabaseUnavailableError
from planner.workers import PlannerPool
from resolvers import gauges
from resolvers.gauges import ServicesCollector, webhooks_behind
from resolvers.settling import settle_all
from tests.resolvers.office import office, term
from tests.webhook_scene import Scene, opened_scene
from tests.world import TestClock, World

pytestmark = pytest.mark.anyio


@pytest.fixture
def planner() -> PlannerPool:
    return PlannerPool(1, 1)  # it is not asked anything, so it starts nothing


@pytest.fixture
async def scene(world: World, clock: TestClock) -> AsyncIterator[Scene]:
    async with opened_scene(world.services, clock) as opened:
        yield opened


async def test_webhooks_are_behind_by_the_age_of_the_oldest_event_that_waits(scene: Scene) -> None:
    assert await webhooks_behind(scene.services) == (0, 0.0)
    await scene.endpoint("/refuses")
    await scene.endpoint("/takes")
    await scene.happened()
    scene.clock.now += timedelta(seconds=40)
    await scene.happened()
    scene.clock.now += timedelta(seconds=2)
    assert await webhooks_behind(scene.services) == (2, 42.0)
    scene.receiver.answers["/refuses"].append(500)
    await scene.deliver()
    assert await webhooks_behind(scene.services) == (1, 42.0)
    scene.receiver.answers["/refuses"].append(410)  # which disables it
    scene.clock.now += timedelta(days=1)
    await scene.deliver()
    assert await webhooks_behind(scene.services) == (0, 0.0)


async def test_a_scrape_reads_the_pool_of_connections_and_leaves_out_what_the_database_does_not_say(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(_services: object) -> None:
        raise DatabaseUnavailableError("password")

    collector = ServicesCollector(scene.services, asyncio.get_running_loop())
    pool = "reader" if scene.services.database.is_sqlite else "all"

    async def scraped() -> dict[tuple[str, str], float]:
        families = await asyncio.to_thread(lambda: list(collector.collect()))
        return {(item.name, item.labels.get("pool", "")): item.value for family in families for item in family.samples}

    async with scene.services.database.read() as session:
        await session.connection()
        found = await scraped()
    assert found["spotplan_database_connections_in_use", pool] == 1
    assert found["spotplan_database_connections_max", pool] == 10
    assert found["spotplan_planner_problems", ""] == 0
    assert found["spotplan_webhook_endpoints_behind", ""] == 0
    monkeypatch.setattr(gauges, "webhooks_behind", unavailable)
    assert {name for name, _ in await scraped()} == {
        "spotplan_database_connections_in_use",
        "spotplan_database_connections_max",
        "spotplan_planner_problems",
    }


async def test_falls_are_counted_when_they_are_stored(
    world: World, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def falls() -> float:
        return REGISTRY.get_sample_value("spotplan_capacity_falls_total") or 0.0

    async def fail(*_: object) -> None:
        raise DatabaseUnavailableError

    there = await office(world, clock, "2026-01-01", [term("2025-12-01", "2029-06-01")])
    await there.buy("2026-01-31", 1)
    before = falls()
    there.begin("2026-03-01")
    with monkeypatch.context() as patch:
        patch.setattr("resolvers.settling.save_settled", fail)
        with pytest.raises(DatabaseUnavailableError):
            await settle_all(world.services)
    assert falls() - before == 0
    assert await settle_all(world.services) == 1
    assert falls() - before == 1
