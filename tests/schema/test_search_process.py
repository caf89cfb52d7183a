"""Searches against the server as it is really run: a process of its own, with one worker."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from domain.months import ends_before
from tests.processes import free_port, running
from tests.schema.test_search import SEARCH, TRANSPORTS, searching
from tests.served import websocket
from tests.world import World, starter

pytestmark = pytest.mark.anyio


def forecast(days: int) -> str:
    """A season, weeks and noise: with a limit of orders, nobody proves its cheapest plan in half a minute."""
    random = Random(1)
    first = datetime.now(UTC).date() + timedelta(days=2)
    lines = []
    for offset in range(days):
        accounts = 600 + 1_500 * abs(math.sin(offset / 50)) + 400 * (offset % 7 < 5) + random.gauss(0, 150)
        lines.append(f"{first + timedelta(days=offset)},{first + timedelta(days=offset + 1)},{max(0, round(accounts))}")
    return "\n".join(lines)


async def test_searches_that_are_left_free_the_worker(
    database_url: str, world: World, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    today = datetime.now(UTC).date()
    owner = await world.customer(starter(str(today - timedelta(days=2)), str(ends_before(today, 24))))
    hard: dict[str, Any] = {"demand": {"csv": forecast(300)}, "ordersMax": 12, "seconds": 30.0}
    easy = [{"from": str(today + timedelta(days=9)), "until": str(today + timedelta(days=19)), "accounts": 200}]
    environment = {"SPOTPLAN_DATABASE_URL": database_url, "SPOTPLAN_PLANNER_WORKERS": "1"}
    with running("serve", folder=tmp_path_factory.mktemp("serve"), port=free_port(), **environment) as address:
        for transport in TRANSPORTS:
            async with searching(transport, address, owner.token, **hard) as answers:
                first = (await anext(answers))["data"]["recommendationSearch"]
                assert first["status"] == "FEASIBLE"
            question = {"demand": {"profile": easy}, "orderFee": TRANSPORTS.index(transport), "seconds": 10.0}
            async with searching(transport, address, owner.token, **question) as answers:
                last = [item async for item in answers][-1]["data"]["recommendationSearch"]
            assert (last["status"], last["fromCache"]) == ("OPTIMAL", False)
        async with websocket(address, owner.token) as client:
            await client.connection.send('{"type": "subscribe", "id": "1", "payload": {"query": "' + "x" * 1_000_000)
            assert (await client.closed())[0] == 1009
        # It stops although somebody is still searching.
        async with websocket(address, owner.token) as client:
            await client.subscribe(SEARCH, input=hard)
            assert (await client.receive())["type"] == "next"
