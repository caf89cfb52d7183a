"""Conversations over WebSocket for the fuzzer: the protocol in random order, and what is none of it.

The application is asked as a server would ask it (ASGI), so that whatever escapes it is raised here.
"""

import asyncio
import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from starlette.types import ASGIApp

from tests.schema.fuzz_checks import Fault, Found, check_content, check_words, require
from tests.schema.fuzz_requests import Asked, Requests

CLOSES = {1000, 1009, 4400, 4401, 4408, 4409, 4429}
"""Normal; too large; and of graphql-transport-ws: a bad message, none but connection_init may come first, too slow,
an id that is in use, and connection_init twice."""
SECONDS = 20.0
"""So long may a conversation take before it is one that does not end."""
INITS = (
    "null",
    "7",
    "[]",
    "{}",
    '{"Authorization": 7}',
    '{"Authorization": {"a": []}}',
    '{"authorization": "Basic x"}',
)
ODD = ("", "x", "null", "[]", "7", "{}", '{"type": 7}', '{"type": "start"}', '{"type": "next", "id": "1"}', "NaN")
MESSAGES = (
    '{"type": "ping"}',
    '{"type": "ping", "payload": {"a": 1}}',
    '{"type": "pong"}',
    '{"type": "complete", "id": "1"}',
    '{"type": "complete", "id": "nothing"}',
    '{"type": "complete", "id": 7}',
    '{"type": "complete"}',
    '{"type": "connection_init"}',
    '{"type": "subscribe", "id": "1"}',
    '{"type": "subscribe", "id": null, "payload": {"query": "{ __typename }"}}',
    '{"type": "subscribe", "id": "\\u0000", "payload": {"query": "{ __typename }"}}',
)
ENDING = {"subscribe", "complete"}
SCOPE = {
    "type": "websocket",
    "asgi": {"version": "3.0", "spec_version": "2.4"},
    "http_version": "1.1",
    "scheme": "ws",
    "path": "/graphql",
    "raw_path": b"/graphql",
    "root_path": "",
    "query_string": b"",
    "headers": [(b"host", b"testserver")],
    "client": ("127.0.0.1", 1),
    "server": ("testserver", 80),
    "subprotocols": ["graphql-transport-ws"],
}


@dataclass
class Conversation:
    """What a client says, frame by frame (bytes are frames that are not text), and what it has heard."""

    asked: Asked
    said: list[str | bytes]
    heard: list[dict[str, Any]] = field(default_factory=list)
    closed: tuple[int, str] | None = None

    @property
    def outcome(self) -> str:
        """How it ended, for the count."""
        return f"closed {self.closed[0]}" if self.closed else "answered"

    async def run(self, app: ASGIApp) -> None:
        """Say everything, listen until every operation is over, and leave.

        Raises:
            Fault: it does not end, or is not in form.
        """
        frames: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

        async def send(message: Any) -> None:
            if message["type"] == "websocket.send":
                require(self.closed is None, "a message after the close")
                require("text" in message, "a frame that is not text")
                self.heard.append(json.loads(message["text"]))
            elif message["type"] == "websocket.close":
                self.closed = message.get("code", 1000), message.get("reason") or ""
                frames.put_nowait({"type": "websocket.disconnect", "code": self.closed[0]})

        frames.put_nowait({"type": "websocket.connect"})
        for frame in self.said:
            frames.put_nowait({"type": "websocket.receive", "text" if isinstance(frame, str) else "bytes": frame})
        running = asyncio.ensure_future(app(SCOPE | {"state": {}}, frames.get, send))
        try:
            async with asyncio.timeout(SECONDS):
                while not (running.done() or self.closed or (frames.empty() and self._is_over())):  # noqa: ASYNC110
                    await asyncio.sleep(0.002)
                frames.put_nowait({"type": "websocket.disconnect", "code": 1000})
                await running
        except TimeoutError:
            raise Fault("a conversation that does not end") from None

    def _is_over(self) -> bool:
        """Whether every operation that was not ended by the client was ended by the server."""
        begun: set[str] = set()
        for frame in self.said:
            try:
                message = json.loads(frame)
            except (ValueError, RecursionError):
                return False  # it closes the connection
            if not isinstance(message, dict) or message.get("type") not in ENDING or "id" not in message:
                continue
            if message["type"] == "subscribe":
                begun.add(message["id"])
            else:
                begun.discard(message["id"])
        return begun <= {message.get("id") for message in self.heard if message["type"] in {"complete", "error"}}

    def check(self) -> Found:
        """Look at what was heard.

        Raises:
            Fault: something about it is not as it must be.
        """
        found = Found()
        for message in self.heard:
            kind, payload = message.get("type"), message.get("payload")
            if kind == "next":
                check_content(self.asked, payload, found)
            elif kind == "error":
                check_content(self.asked, {"errors": payload}, found)
            else:
                require(kind in {"connection_ack", "ping", "pong", "complete"}, f"a message {kind}")
            require(message.keys() <= {"type", "id", "payload"}, f"keys {[*message]} of a message")
        if self.closed:
            require(self.closed[0] in CLOSES, f"closed with {self.closed}")
            require(len(self.closed[1].encode()) <= 123, f"a reason that is too long: {self.closed}")  # RFC 6455, 5.5
            check_words(self.asked, self.closed[1])
        return found


def conversation(requests: Requests, rng: Random, tokens: dict[str, str | None]) -> Conversation:
    """What a random caller may say: mostly a few operations, one after the other or all at once."""
    asked = requests.next()
    caller, carried = asked.caller, [asked.carried]
    payload = json.dumps({"Authorization": f"Bearer {tokens[caller]}"}) if tokens[caller] else "{}"
    if rng.random() < 0.1:
        payload, caller = rng.choice(INITS), "nobody"
    said: list[str | bytes] = [f'{{"type": "connection_init", "payload": {payload}}}']
    for number in range(rng.choice((1, 1, 2, 4))):
        key = json.dumps(rng.choice((f"{number}", f"{number}", "1", "\u00e9" * 50)))
        content = asked.content.decode("utf-8", "replace") or '{"query": "{ __typename }"}'
        said.append(f'{{"type": "subscribe", "id": {key}, "payload": {content}}}')
        if rng.random() < 0.15:
            said.append(rng.choice(MESSAGES))
        asked = requests.next(asked.caller)
        carried.append(asked.carried)
    if rng.random() < 0.2:
        odd = (*ODD, b"x", b'{"type": "ping"}', "[" * 100_000, '{"a":' * 100_000, '"' + "x" * 1_000_001 + '"')
        said.insert(rng.randrange(len(said) + 1), rng.choice(odd))
    if rng.random() < 0.05:
        del said[0]
        caller = "nobody"
    carried += [frame for frame in said if isinstance(frame, str)]
    return Conversation(Asked("over WebSocket", caller, "GET", "/graphql", carried=" ".join(carried)), said)
