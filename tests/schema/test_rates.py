"""How often one may ask, in memory and in Redis, and how many solves one may have under way."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakeredis import FakeAsyncRedis, FakeServer
from httpx import ASGITransport, AsyncClient

from resolvers.access import Role
from resolvers.services import Services
from resolvers.turns import Turns
from schema.app import create_app
from schema.rates import Rates
from settings import SettingInvalidError, Settings
from tests.planner.stand_ins import stall
from tests.schema.test_search import INPUT, SEARCH
from tests.served import served, websocket
from tests.world import Api, World, starter

pytestmark = pytest.mark.anyio

VIEWER = "{ viewer { role } }"


@pytest.fixture
def redis_url(monkeypatch: pytest.MonkeyPatch) -> str:
    """A stand-in for Redis that runs its scripts; the client's own part is the library's."""
    server = FakeServer(server_type="redis")
    monkeypatch.setattr("redis.asyncio.Redis.from_url", lambda *_, **__: FakeAsyncRedis(server=server))
    return "redis://stand-in:6379"


@pytest.fixture
def database_url(tmp_path: Path, sqlite_template: Path) -> str:
    """Nothing here depends on the kind of database."""
    file = tmp_path / "spotplan.db"
    file.write_bytes(sqlite_template.read_bytes())
    return f"sqlite:///{file}"


def limited(services: Services, **changes: Any) -> Services:
    return replace(services, settings=replace(services.settings, **changes))


@asynccontextmanager
async def client_of(services: Services, address: str = "127.0.0.1") -> AsyncIterator[Api]:
    transport = ASGITransport(create_app(services), client=(address, 1))
    async with AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield Api(client)


async def test_a_token_may_ask_so_often(services: Services, world: World) -> None:
    first, second = [await world.token(Role.SALES) for _ in range(2)]
    async with client_of(limited(services, rate_signed_in="3/day", rate_anonymous="1/day")) as api:
        for _ in range(3):
            assert (await api.post(VIEWER, first)).status_code == 200
        refused = await api.post(VIEWER, first)
        assert (refused.status_code, refused.headers["content-type"]) == (429, "application/json; charset=utf-8")
        (error,) = refused.json()["errors"]
        seconds = error["extensions"].pop("retryAfterSeconds")
        assert (error["extensions"], refused.headers["retry-after"]) == (
            {"code": "RATE_LIMITED", "retryable": True},
            str(seconds),
        )
        assert error["message"] == f"Too many requests. Try again in {seconds} seconds."
        assert 0 < seconds <= 86_400
        assert (await api.post(VIEWER, second)).status_code == 200
        # Without a token that is accepted, the address counts.
        assert (await api.post(VIEWER, "spt_wrong")).status_code == 200
        assert (await api.post(VIEWER)).status_code == 429


async def test_operations_over_websocket_count_too(services: Services, world: World) -> None:
    token = await world.token(Role.SALES)
    async with served(limited(services, rate_signed_in="1/day")) as address, websocket(address, token) as client:
        await client.subscribe(VIEWER, "1")
        assert (await client.receive())["type"] == "next"
        assert (await client.receive())["type"] == "complete"
        await client.subscribe(VIEWER, "2")
        refused = await client.receive()
        assert (refused["type"], refused["payload"][0]["extensions"]["code"]) == ("error", "RATE_LIMITED")


async def test_servers_on_one_redis_count_together(redis_url: str) -> None:
    settings = Settings(rate_signed_in="4/day", redis_url=redis_url)
    servers = [Rates(settings), Rates(settings)]
    waits = [await servers[number % 2].seconds_to_wait(1, "") for number in range(5)]
    assert waits[:4] == [0, 0, 0, 0]
    assert waits[4] > 0
    assert await servers[0].seconds_to_wait(2, "") == 0
    for server in servers:
        await server.close()


async def test_a_redis_that_does_not_answer_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and never listens
        rates = Rates(Settings(rate_signed_in="1/day", redis_url=f"redis://127.0.0.1:{closed.getsockname()[1]}"))
        with caplog.at_level(logging.WARNING, "spotplan"):
            assert [await rates.seconds_to_wait(1, "") for _ in range(2)] == [0, 0]
        await rates.close()
    assert len(caplog.records) == 2
    assert caplog.records[0].getMessage().startswith("rates are not limited: ")


@pytest.mark.parametrize("changes", [{"rate_signed_in": "often"}, {"redis_url": "mysql://x"}])
def test_rates_that_cannot_be_used_are_refused_at_the_start(changes: dict[str, str]) -> None:
    with pytest.raises(SettingInvalidError, match=r"^SPOTPLAN_RATE_SIGNED_IN, _RATE_ANONYMOUS, _REDIS_URL: "):
        Rates(Settings(**changes))  # type: ignore[arg-type] # both are texts


async def test_a_caller_has_so_many_solves_under_way(
    services: Services, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("planner.workers.solve", partial(stall, tmp_path / "pid"))
    owner = await world.customer(starter())
    few = limited(services, solves_per_caller_max=1)
    recommend = SEARCH.replace("subscription", "query").replace("recommendationSearch", "spotPlanRecommend")
    async with served(few) as address, websocket(address, owner.token) as client, client_of(few) as api:
        await client.subscribe(SEARCH, input=INPUT)
        while not few.turns._taken:  # noqa: ASYNC110 # the server begins the search when it does
            await asyncio.sleep(0.01)
        assert await api.error(recommend, owner.token, input=INPUT) == {
            "message": "Too many of your questions are being solved. Try again in a moment.",
            "code": "TOO_MANY_SOLVES",
            "retryable": True,
        }
        await client.send(type="complete", id="1")
        while few.turns._taken:  # noqa: ASYNC110 # and ends it so
            await asyncio.sleep(0.01)
    assert isinstance(few.turns, Turns)
