"""The API behind a real server and real sockets in the test's own process, where its workers can be watched."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from httpx import AsyncClient
from websockets.asyncio.client import ClientConnection, connect

from resolvers.services import Services
from schema.app import create_app

HANGS_SECONDS = 30
"""After this long, something that should have happened has not."""


@asynccontextmanager
async def served(services: Services, **options: Any) -> AsyncIterator[str]:
    """The server's address. The services are left open: other tests use the same workers."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_app(services), lifespan="off", log_level="error", timeout_graceful_shutdown=1, **options
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listening]))
    try:
        while not server.started:  # noqa: ASYNC110 # uvicorn has no event for it
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listening.close()


class Socket:
    """A client of graphql-transport-ws."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def subscribe(self, query: str, key: str = "1", **variables: Any) -> None:
        await self.send(type="subscribe", id=key, payload={"query": query, "variables": variables})

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(HANGS_SECONDS):
            text = await self.connection.recv()
        assert isinstance(text, str), "clients parse no binary frames"
        message: dict[str, Any] = json.loads(text)
        return message

    async def closed(self) -> tuple[int | None, str | None]:
        """The code and reason with which the server closes the connection."""
        async with asyncio.timeout(HANGS_SECONDS):
            await self.connection.wait_closed()
        return self.connection.close_code, self.connection.close_reason


@asynccontextmanager
async def websocket(address: str, token: str | None = None, **options: Any) -> AsyncIterator[Socket]:
    """A connection on which connection_init has been acknowledged, with the token in its payload."""
    async with connection(address, **options) as client:
        payload = {} if token is None else {"Authorization": f"Bearer {token}"}
        await client.send(type="connection_init", payload=payload)
        assert await client.receive() == {"type": "connection_ack"}
        yield client


@asynccontextmanager
async def connection(address: str, **options: Any) -> AsyncIterator[Socket]:
    """A connection on which nothing has been said yet."""
    options = {"subprotocols": ["graphql-transport-ws"], "proxy": None, **options}
    async with connect(f"{address.replace('http', 'ws', 1)}/graphql", **options) as opened:
        yield Socket(opened)


@asynccontextmanager
async def events(
    address: str, query: str, token: str | None = None, **variables: Any
) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
    """Server-sent events as (kind, data)."""
    headers = {"Accept": "text/event-stream"} | ({"Authorization": f"Bearer {token}"} if token else {})
    body = {"query": query, "variables": variables}
    async with (
        AsyncClient(timeout=HANGS_SECONDS) as client,
        client.stream("POST", f"{address}/graphql", json=body, headers=headers) as response,
    ):
        assert response.headers["content-type"].startswith("text/event-stream")
        yield _parsed(response.aiter_lines())


async def _parsed(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, Any]]:
    kind = ""
    async for line in lines:
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data:"):
            data = line.removeprefix("data:").strip()
            yield kind, json.loads(data) if data else None
