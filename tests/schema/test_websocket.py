"""graphql-transport-ws with a real server: who is asking, what is refused, and what is never sent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from resolvers.access import Role
from resolvers.services import Services
from tests.planner.stand_ins import stall
from tests.schema.test_search import INPUT, SEARCH
from tests.served import Socket, connection, served, websocket
from tests.world import Api, TestClock, World, placed, starter

pytestmark = pytest.mark.anyio

VIEWER = "{ viewer { role } }"
BYTES_MAX = 2_000


@pytest.fixture
async def address(services: Services) -> AsyncIterator[str]:
    """A server whose own limit of a message's size is higher than the application's."""
    settings = replace(services.settings, request_bytes_max=BYTES_MAX, operations_per_websocket_max=2)
    async with served(replace(services, settings=settings)) as url:
        yield url


async def answer(client: Socket, query: str, key: str = "1", **variables: Any) -> dict[str, Any]:
    """The payload of an operation with one result."""
    await client.subscribe(query, key, **variables)
    message = await client.receive()
    assert (message["type"], message["id"]) == ("next", key)
    assert await client.receive() == {"type": "complete", "id": key}
    payload: dict[str, Any] = message["payload"]
    return payload


@asynccontextmanager
async def after(address: str, payload: dict[str, Any] | None, **options: Any) -> AsyncIterator[Socket]:
    """A connection after a connection_init with this payload."""
    async with connection(address, **options) as client:
        await client.send(type="connection_init", **({} if payload is None else {"payload": payload}))
        assert await client.receive() == {"type": "connection_ack"}
        yield client


async def test_the_token_comes_with_connection_init_or_with_the_handshake(address: str, world: World) -> None:
    sales = {"Authorization": f"Bearer {await world.token(Role.SALES)}"}
    operator = {"Authorization": f"Bearer {await world.token(Role.OPERATOR)}"}
    lower_case = {name.lower(): value for name, value in sales.items()}

    async def role(payload: dict[str, Any] | None, **options: Any) -> Any:
        async with after(address, payload, **options) as client:
            return (await answer(client, VIEWER))["data"]["viewer"]["role"]

    assert await role(sales) == "SALES"
    assert await role(lower_case) == "SALES"
    assert await role(None, additional_headers=operator) == "OPERATOR"
    assert await role(sales, additional_headers=operator) == "SALES"


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({}, "Sign in: send the header Authorization: Bearer <token>."),
        ({"Authorization": {"token": 1}}, "The Authorization header must be: Bearer <token>."),
    ],
)
async def test_operations_without_a_token_are_refused_one_by_one(
    address: str, payload: dict[str, Any], message: str
) -> None:
    async with after(address, payload) as client:
        refused = await answer(client, VIEWER)
        assert (refused["errors"][0]["message"], refused["errors"][0]["extensions"]) == (
            message,
            {"code": "NOT_SIGNED_IN"},
        )
        assert (await answer(client, "{ __typename }", "2"))["data"] == {"__typename": "Query"}


async def test_a_token_that_ends_signs_the_connection_out(address: str, world: World, clock: TestClock) -> None:
    token = await world.token(Role.SALES, valid_for=timedelta(hours=1))
    async with websocket(address, token) as client:
        assert (await answer(client, VIEWER))["data"] == {"viewer": {"role": "SALES"}}
        clock.now += timedelta(hours=2)
        refused = await answer(client, VIEWER, "2")
        assert refused["errors"][0]["extensions"] == {"code": "NOT_SIGNED_IN"}


async def test_each_operation_reads_anew(address: str, world: World, api: Api) -> None:
    owner = await world.customer(starter())
    query = "{ customer { spotOrders(first: 1) { totalCount } } }"
    async with websocket(address, owner.token) as client:
        for count in range(2):
            found = (await answer(client, query))["data"]["customer"]
            assert found == {"spotOrders": {"totalCount": count}}
            await placed(api, owner.token)


async def test_operations_that_cannot_run_have_a_typed_error(address: str, world: World) -> None:
    async with websocket(address, await world.token(Role.SALES)) as client:
        for query in ("{ nothing }", "{ viewer", "subscription { nothing }"):
            await client.subscribe(query)
            message = await client.receive()
            assert (message["type"], message["id"]) == ("error", "1")
            assert [error["extensions"]["code"] for error in message["payload"]] == ["GRAPHQL_INVALID"]


async def test_a_connection_runs_so_many_operations_at_a_time(
    address: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("planner.workers.solve", partial(stall, tmp_path / "pid"))
    owner = await world.customer(starter())
    async with websocket(address, owner.token) as client:
        for key in ("1", "2"):
            await client.subscribe(SEARCH, key, input=INPUT)
        await client.subscribe(VIEWER, "3")
        assert await client.receive() == {
            "type": "error",
            "id": "3",
            "payload": [
                {
                    "message": "At most 2 operations run on a connection.",
                    "extensions": {"code": "TOO_MANY_OPERATIONS", "operationsMax": 2, "retryable": True},
                }
            ],
        }
        await client.send(type="complete", id="1")
        assert (await answer(client, VIEWER, "4"))["data"] == {"viewer": {"role": "OWNER"}}


@pytest.mark.parametrize(
    "message",
    [
        "{",
        "[]",
        "null",
        '"text"',
        b"{}",
        "{}",
        '{"type": "unheard_of"}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "1", "payload": null}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "variables": []}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "operationName": 1}}',
        '{"type": "complete", "id": []}',
    ],
)
async def test_what_is_no_message_of_the_protocol_closes_the_connection(
    services: Services, message: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(services) as address, websocket(address) as client:
        await client.connection.send(message)
        code, _ = await client.closed()
    assert code == 4400
    assert caplog.records == []  # and nothing crashed


async def test_a_message_above_the_limit_closes_the_connection(address: str) -> None:
    async with websocket(address) as client:
        frame = '{{"type": "ping", "payload": {{"filler": "{}"}}}}'
        await client.connection.send(frame.format("x" * (BYTES_MAX - len(frame) + 6)))
        assert await client.receive() == {"type": "pong"}
        await client.connection.send(frame.format("é" * (BYTES_MAX - len(frame))))
        assert await client.closed() == (1009, "A message has at most 2000 bytes")


async def test_only_graphql_transport_ws_is_spoken(address: str) -> None:
    for subprotocols in (["graphql-ws"], ["graphql-sse"], None):
        async with connection(address, subprotocols=subprotocols) as client:
            assert await client.closed() == (4406, "Subprotocol not acceptable")


async def test_operations_before_connection_init_close_the_connection(address: str) -> None:
    async with connection(address) as client:
        await client.subscribe(VIEWER)
        assert await client.closed() == (4401, "Unauthorized")


async def test_a_reason_that_repeats_what_was_said_is_cut_to_what_a_close_may_have(address: str) -> None:
    async with after(address, {}) as client:
        await client.send(type="é" * 90)
        assert await client.closed() == (4400, "Unknown message type: " + "é" * 50)  # 123 bytes at most


async def test_a_client_that_says_nothing_is_not_waited_for(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schema.endpoint.CONNECTION_INIT_MAX", timedelta(seconds=0.05))
    async with served(services) as address, connection(address) as client:
        assert await client.closed() == (4408, "Connection initialisation timeout")


async def test_pages_of_other_origins_may_not_connect(address: str) -> None:
    for origin in ("https://elsewhere.example", "null"):
        with pytest.raises(InvalidStatus, match="HTTP 403"):
            async with connection(address, origin=origin):
                pass
    async with websocket(address, origin=address):
        pass


async def test_pages_of_configured_origins_may_connect(services: Services) -> None:
    settings = replace(services.settings, cors_origins="https://app.example.com")
    async with served(replace(services, settings=settings)) as address:
        async with websocket(address, origin="https://app.example.com"):
            pass
        with pytest.raises(InvalidStatus, match="HTTP 403"):
            async with connection(address, origin="https://example.com"):
                pass
