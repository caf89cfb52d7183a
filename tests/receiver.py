"""A receiver of webhooks on a real socket, which answers as it is told and keeps what came."""

import asyncio
import json
import ssl
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

HANGS_SECONDS = 30
"""After this long, something that should have happened has not."""

DROP = b""
"""The answer of a receiver that closes the connection."""
HANG = None
"""The answer of a receiver that says nothing until the sender has gone."""

DRIP = "drip"
"""The answer of a receiver that goes on and on with its headers."""

Answer = int | bytes | str | None
"""A status, a whole answer, DROP, HANG or DRIP."""


@dataclass(frozen=True)
class Received:
    """A request as it came, and what it was answered."""

    path: str
    headers: dict[str, str]
    body: str
    answer: Answer

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def message(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.body)
        return message


@dataclass
class Receiver:
    """Answers 204, unless ``answers`` holds something else for the path, or ``on_request`` says so."""

    port: int = 0
    scheme: str = "http"
    received: list[Received] = field(default_factory=list)
    answers: dict[str, deque[Answer]] = field(default_factory=lambda: defaultdict(deque))
    on_request: Callable[[str], Answer] | None = None
    connections: int = 0
    answered: int = 0
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def ids(self, path: str = "/hook") -> list[str]:
        """The ids that came, in their order."""
        return [request.id for request in self.received if request.path == path]

    async def wait_for(self, count: int) -> None:
        """Until so many requests have come."""
        async with asyncio.timeout(HANGS_SECONDS):
            while len(self.received) < count:
                self._came.clear()
                await self._came.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        self.connections += 1
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while await self._answered(reader, writer):
                    pass
            writer.close()
        except asyncio.CancelledError:
            writer.transport.abort()
            raise

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = (await reader.readexactly(int(headers["content-length"]))).decode()
        path = first.split(" ")[1]
        answer: Answer = 204
        if self.on_request is not None:
            answer = self.on_request(path)
        elif self.answers[path]:
            answer = self.answers[path].popleft()
        self.received.append(Received(path, headers, body, answer))
        self._came.set()
        if answer is HANG:
            await reader.read()  # until the sender closes
            return False
        if answer is DRIP:
            writer.write(b"HTTP/1.1 200 X\r\n")
            while True:  # until the sender closes
                writer.write(b"x-more: to come\r\n")
                await writer.drain()
                await asyncio.sleep(0.01)
        writer.write(
            answer if isinstance(answer, bytes) else f"HTTP/1.1 {answer} X\r\ncontent-length: 0\r\n\r\n".encode()
        )
        await writer.drain()
        self.answered += 1
        return isinstance(answer, int)


@asynccontextmanager
async def receiving(certificate: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver on a free port of 127.0.0.1; with a certificate it speaks TLS."""
    receiver = Receiver(scheme="https" if certificate else "http")
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(task := asyncio.ensure_future(receiver.serve(reader, writer)))
        await asyncio.wait([task])

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=certificate)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await asyncio.sleep(0)  # transports close in the loop's next round
