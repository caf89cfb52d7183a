"""What is known of a request while it is answered: its id, and the line that is logged of it."""

import logging
import re
from contextvars import ContextVar
from dataclasses import dataclass, field
from secrets import token_hex
from time import perf_counter

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resolvers import metrics

logger = logging.getLogger("spotplan")

ID_FORM = re.compile(r"[\w.:=+/-]{1,128}", re.ASCII)
"""Of an X-Request-Id that is taken over; the ids of the usual proxies have it."""
ROUTES = frozenset({"documents", "graphiql", "graphql", "healthz", "payments", "readyz"})
PROBES = frozenset({"healthz", "readyz"})
"""Counted, but not logged: somebody asks them every few seconds."""
CLIENT_LEFT = 499
"""The status, as proxies write it, of a request whose client left before it was answered."""

Fields = dict[str, str | float | None]


@dataclass(slots=True)
class Seen:
    """A request, or the handshake of a WebSocket with all that comes over it."""

    request_id: str
    is_websocket: bool
    traceparent: str | None
    fields: Fields = field(default_factory=dict)
    """What the line says beside the id, route, status and time."""


_current: ContextVar[Seen | None] = ContextVar("request", default=None)


def current() -> Seen | None:
    """The request that is being answered; None outside of one."""
    return _current.get()


def note(**fields: str | float | None) -> None:
    """Have the request's line say something more."""
    seen = _current.get()
    if seen is not None:
        seen.fields.update(fields)


class ObserveRequests:
    """Gives each request its id, which is answered back, one line in the log, and its place in the metrics.

    The line has no path, query string, address, header or variable: nothing of persons, and no token.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and observe it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if ID_FORM.fullmatch(given) else token_hex(16)
        seen = Seen(request_id, scope["type"] == "websocket", headers.get("traceparent"))
        token = _current.set(seen)
        started, status = perf_counter(), CLIENT_LEFT

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] in {"http.response.start", "websocket.accept"}:
                status = message.get("status", 101)
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            status = 500
            raise
        finally:
            if not seen.is_websocket:
                _ended(scope["path"], status, perf_counter() - started, seen)
            _current.reset(token)


def _ended(path: str, status: int, seconds: float, seen: Seen) -> None:
    name = path.partition("/")[2].partition("/")[0]
    route = name if name in ROUTES else "other"
    metrics.labelled(metrics.REQUEST_SECONDS, route, status).observe(seconds)
    if route not in PROBES:
        line = {"route": route, "status": status, "milliseconds": round(seconds * 1000, 1), **seen.fields}
        logger.info("request", extra={"fields": line})
