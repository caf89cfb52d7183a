"""The search as a subscription, over WebSocket and over server-sent events, with a real server."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient, RemoteProtocolError
from websockets.exceptions import ConnectionClosed

from domain.money import MINOR_UNITS_MAX
from planner.problem import Outcome, PlanStatus
from resolvers.services import Services
from tests.planner.builders import planned
from tests.planner.stand_ins import fail, report_then_stall, stall, step_by_step
from tests.schema.test_recommend import PROFILE
from tests.served import HANGS_SECONDS, events, served, websocket
from tests.world import Api, World, confirmed, starter

pytestmark = pytest.mark.anyio

SEARCH = """
subscription($input: RecommendInput!) {
  recommendationSearch(input: $input) { status cost { minorUnits } lowerBound { minorUnits } fromCache }
}"""
RECOMMEND = """
query($input: RecommendInput!) {
  spotPlanRecommend(input: $input) { status cost { minorUnits } lowerBound { minorUnits } fromCache }
}"""
ORDERS = (planned("2026-05-01", 2, units=3),)
FOUND = Outcome(PlanStatus.FEASIBLE, ORDERS, cost_minor=30_000, lower_bound_minor=10_000)
BETTER = replace(FOUND, lower_bound_minor=12_000)
CHEAPEST = replace(FOUND, status=PlanStatus.OPTIMAL, lower_bound_minor=30_000)
INPUT = {"demand": {"profile": PROFILE}, "seconds": 30.0}
TRANSPORTS = ["websocket", "sse"]


@asynccontextmanager
async def searching(transport: str, address: str, token: str, **changes: Any) -> AsyncIterator[AsyncIterator[Any]]:
    """A search's answers; leaving the context is the client that leaves."""
    question = {**INPUT, **changes}
    if transport == "sse":
        async with events(address, SEARCH, token, input=question) as received:
            yield (data async for kind, data in received if kind == "next")
        return
    async with websocket(address, token) as client:
        await client.subscribe(SEARCH, input=question)

        async def answers() -> AsyncIterator[Any]:
            while (message := await client.receive())["type"] == "next":
                yield message["payload"]
            assert message == {"type": "complete", "id": "1"}

        yield answers()


@dataclass(frozen=True)
class Live:
    """A running server, and a customer's owner who asks it."""

    address: str
    token: str
    api: Api


@pytest.fixture
async def live(services: Services, world: World, api: Api) -> AsyncIterator[Live]:
    owner = await world.customer(starter())
    async with served(services) as address:
        yield Live(address, owner.token, api)


def solve_is(monkeypatch: pytest.MonkeyPatch, stand_in: partial[Outcome]) -> None:
    """What workers call instead of solve, until the patches are undone."""
    monkeypatch.setattr("planner.workers.solve", stand_in)


async def pid_in(marker: Path) -> int:
    async with asyncio.timeout(HANGS_SECONDS):
        while not marker.exists():  # noqa: ASYNC110, ASYNC240 # another process makes the file
            await asyncio.sleep(0.01)
    return int(marker.read_text())  # noqa: ASYNC240


async def ends(pid: int) -> None:
    """Wait for a process's end."""
    async with asyncio.timeout(HANGS_SECONDS):
        while True:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            await asyncio.sleep(0.01)


def answer(outcome: Outcome, *, from_cache: bool = False) -> dict[str, Any]:
    return {
        "status": outcome.status.value,
        "cost": {"minorUnits": outcome.cost_minor},
        "lowerBound": {"minorUnits": outcome.lower_bound_minor},
        "fromCache": from_cache,
    }


def searched(outcome: Outcome) -> dict[str, Any]:
    return {"data": {"recommendationSearch": answer(outcome)}}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_search_ends_with_what_recommend_answers(live: Live, transport: str) -> None:
    async with searching(transport, live.address, live.token) as answers:
        last = [item async for item in answers][-1]["data"]["recommendationSearch"]
    recommended = (await live.api.data(RECOMMEND, live.token, input=INPUT))["spotPlanRecommend"]
    assert (last["status"], last["cost"], last["fromCache"]) == ("OPTIMAL", {"minorUnits": 25_000}, False)
    assert recommended == {**last, "fromCache": True}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_better_plans_arrive_while_the_search_goes_on(
    live: Live, transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = (FOUND, BETTER, CHEAPEST)
    solve_is(monkeypatch, partial(step_by_step, tmp_path, outcomes))
    async with searching(transport, live.address, live.token) as answers:
        for number, outcome in enumerate(outcomes):
            (tmp_path / str(number)).touch()
            assert await anext(answers) == searched(outcome)
        assert [item async for item in answers] == []


async def test_a_plan_on_the_way_that_is_too_large_for_money_is_left_out(
    live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    too_large = replace(FOUND, cost_minor=MINOR_UNITS_MAX + 1)
    for number in range(2):
        (tmp_path / str(number)).touch()
    solve_is(monkeypatch, partial(step_by_step, tmp_path, (too_large, BETTER)))
    async with searching("sse", live.address, live.token) as answers:
        assert [item async for item in answers] == [searched(BETTER)]
    solve_is(monkeypatch, partial(step_by_step, tmp_path, (FOUND, too_large)))
    async with searching("sse", live.address, live.token, ordersMax=9) as answers:
        last = [item async for item in answers][-1]
    assert [error["extensions"]["code"] for error in last["errors"]] == ["AMOUNT_TOO_LARGE"]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_when_the_client_leaves_the_worker_stops(
    live: Live, services: Services, transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "pid"
    solve_is(monkeypatch, partial(report_then_stall, marker, (FOUND,)))
    async with searching(transport, live.address, live.token) as answers:
        assert await anext(answers) == searched(FOUND)
        pid = await pid_in(marker)
    await ends(pid)
    monkeypatch.undo()
    result = (await live.api.data(RECOMMEND, live.token, input=INPUT))["spotPlanRecommend"]
    assert (result["status"], result["fromCache"]) == ("OPTIMAL", False)


async def test_completing_a_subscription_stops_the_worker_and_keeps_the_connection(
    live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "pid"
    solve_is(monkeypatch, partial(stall, marker))
    async with websocket(live.address, live.token) as client:
        await client.subscribe(SEARCH, input=INPUT)
        pid = await pid_in(marker)
        await client.send(type="complete", id="1")
        await ends(pid)
        await client.subscribe("{ viewer { role } }", key="2")
        assert (await client.receive())["payload"] == {"data": {"viewer": {"role": "OWNER"}}}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_worker_killed_while_it_searches_costs_one_retryable_error(
    live: Live, transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "pid"
    solve_is(monkeypatch, partial(report_then_stall, marker, (FOUND,)))
    async with searching(transport, live.address, live.token) as answers:
        assert await anext(answers) == searched(FOUND)
        os.kill(await pid_in(marker), signal.SIGKILL)
        refused = [item async for item in answers]
    assert refused == [
        {
            "data": None,
            "errors": [
                {
                    "message": "The planner was interrupted. Try again.",
                    "extensions": {"code": "PLANNER_INTERRUPTED", "retryable": True},
                }
            ],
        }
    ]
    monkeypatch.undo()
    async with searching(transport, live.address, live.token) as answers:
        assert [item async for item in answers][-1]["data"]["recommendationSearch"]["status"] == "OPTIMAL"


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("changes", "extensions"),
    [
        (
            {"ordersMax": 0},
            {"code": "ORDERS_MAX_OUT_OF_RANGE", "field": "ordersMax", "ordersMax": 0, "ordersMaxLimit": 1_000},
        ),
        ({"customerId": "Q3VzdG9tZXI6OTk="}, {"code": "NOT_FOUND", "field": "customerId"}),
    ],
)
async def test_a_refused_search_has_one_typed_error(
    live: Live, transport: str, changes: dict[str, Any], extensions: dict[str, Any]
) -> None:
    async with searching(transport, live.address, live.token, **changes) as answers:
        (refused,) = [item async for item in answers]
    assert (refused["data"], [error["extensions"] for error in refused["errors"]]) == (None, [extensions])


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_search_needs_a_token(live: Live, transport: str) -> None:
    async with searching(transport, live.address, "spt_wrong") as answers:
        (refused,) = [item async for item in answers]
    assert [error["extensions"] for error in refused["errors"]] == [{"code": "NOT_SIGNED_IN"}]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_crash_of_the_solver_shows_none_of_its_text(
    live: Live, transport: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    solve_is(monkeypatch, partial(fail, "secret of the house"))
    async with searching(transport, live.address, live.token) as answers:
        (crashed,) = [item async for item in answers]
    (error,) = crashed["errors"]
    assert error["extensions"] == {"code": "INTERNAL"}
    assert error["message"].startswith("Internal error ")
    assert "secret" not in str(crashed)
    assert "secret of the house" in caplog.text


async def test_limits_hold_for_subscriptions(live: Live) -> None:
    deep = "subscription { recommendationSearch { " + "orders { " * 20 + "x" + " }" * 20 + " } }"
    async with events(live.address, deep, live.token) as received:
        refusal = [data async for kind, data in received if kind == "next"]
    assert [error["extensions"]["code"] for error in refusal[0]["errors"]] == ["TOO_COSTLY"]
    async with websocket(live.address, live.token) as client:
        await client.subscribe(deep)
        message = await client.receive()
        assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "TOO_COSTLY")


async def test_a_subscription_is_refused_where_only_one_answer_fits(live: Live) -> None:
    async with AsyncClient() as client:
        response = await client.post(f"{live.address}/graphql", json={"query": SEARCH, "variables": {"input": INPUT}})
    assert response.status_code == 400
    assert response.json() == {
        "errors": [
            {
                "message": "A subscription needs Accept: text/event-stream, or a WebSocket",
                "extensions": {"code": "BAD_REQUEST"},
            }
        ]
    }


async def test_two_who_ask_the_same_at_a_time_share_one_search(
    live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    solve_is(monkeypatch, partial(step_by_step, tmp_path, (FOUND, BETTER)))
    async with searching("websocket", live.address, live.token) as first:
        (tmp_path / "0").touch()
        assert await anext(first) == searched(FOUND)
        async with searching("sse", live.address, live.token) as second:
            assert await anext(second) == searched(FOUND)
        # The second has left; the first is answered all the same.
        (tmp_path / "1").touch()
        assert [item async for item in first] == [searched(BETTER)]
    assert len(list(tmp_path.glob("call-*"))) == 1  # noqa: ASYNC240


async def test_the_same_question_is_solved_once_until_the_contract_changes(live: Live) -> None:
    async def recommended() -> tuple[int, bool]:
        result = (await live.api.data(RECOMMEND, live.token, input=INPUT))["spotPlanRecommend"]
        return result["cost"]["minorUnits"], result["fromCache"]

    assert [await recommended() for _ in range(3)] == [(25_000, False), (25_000, True), (25_000, True)]
    await confirmed(live.api, live.token, accounts=100, startsOn="2026-05-01", months=2)
    assert [await recommended() for _ in range(2)] == [(15_000, False), (15_000, True)]


async def test_when_the_time_is_over_the_best_so_far_is_the_answer(
    live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    solve_is(monkeypatch, partial(report_then_stall, tmp_path / "pid", (FOUND, BETTER)))
    result = await live.api.data(RECOMMEND, live.token, input={**INPUT, "seconds": 1.0})
    assert result == {"spotPlanRecommend": answer(BETTER)}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_server_that_stops_waits_for_no_search(
    services: Services, world: World, transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "pid"
    solve_is(monkeypatch, partial(report_then_stall, marker, (FOUND,)))
    owner = await world.customer(starter())
    async with AsyncExitStack() as clients:
        async with served(services) as address:
            answers = await clients.enter_async_context(searching(transport, address, owner.token))
            assert await anext(answers) == searched(FOUND)
        await ends(await pid_in(marker))
        with pytest.raises((ConnectionClosed, RemoteProtocolError)):
            await anext(answers)
