"""GraphQL over HTTP without GraphQL: media types, parameters, and refusals as JSON.

Source: the GraphQL over HTTP draft, https://graphql.github.io/graphql-over-http/draft/.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive
from strawberry.http.parse_content_type import parse_content_type
from strawberry.http.streaming import SSETransport

RESPONSE = "application/graphql-response+json"
JSON = "application/json"
EVENTS = "text/event-stream"
HTML = "text/html"

NAMES = ("query", "variables", "operationName", "extensions", "documentId")
"""Of the parameters, in the order of :class:`Parameters`."""
WILDCARDS = {"*/*": JSON, "application/*": JSON, "text/*": EVENTS}
"""What a range of media types gets. The draft wants JSON for ``*/*``, for clients from before its own media type."""

COMPRESS_MIN = 500
"""Answers with fewer bytes are sent as they are."""
COMPRESS_LEVEL = 5
"""Of gzip: higher levels take twice the time and save some percent."""


class EventStream(SSETransport):
    r"""Server-sent events with lines that end in \n: urql reads no others, though the standard allows \r\n as well."""

    def encode_event(self, event: str, data: str | None = None) -> str:
        return super().encode_event(event, data).replace("\r\n", "\n")

    def encode_comment(self, comment: str) -> str:
        return super().encode_comment(comment).replace("\r\n", "\n")


class WireError(Exception):
    """A request that is refused before GraphQL begins, with its HTTP status.

    ``code`` is the stable name in the error's extensions; ``headers`` go with the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str = "BAD_REQUEST",
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers
        self.error = {"message": message, "extensions": {"code": code, **extensions}}


@dataclass(slots=True)
class Parameters:
    """A request's parameters, of the types that the draft asks for. ``document_id`` is a persisted operation's."""

    query: str | None
    variables: dict[str, Any] | None
    operation_name: str | None
    extensions: dict[str, Any] | None
    document_id: str | None


def accepted(request: Request) -> list[str]:
    """Those of our media types that the client accepts, the preferred one first.

    Raises:
        WireError: the method is neither GET nor POST (405), or there is none of our media types (406).
    """
    if request.method not in {"GET", "POST"}:
        message = "GraphQL is asked by GET or POST"
        raise WireError(405, message, "METHOD_NOT_ALLOWED", {"Allow": "GET, POST"})
    kinds = list(_kinds(request.headers.get("accept", JSON)))
    if not kinds:
        raise WireError(406, f"The answer is {RESPONSE}, {JSON} or {EVENTS}", "NOT_ACCEPTABLE")
    return kinds


@lru_cache(maxsize=64)
def _kinds(accept: str) -> tuple[str, ...]:
    weighed: list[tuple[float, str]] = []
    for part in accept.split(","):
        name, _, parameters = part.partition(";")
        name = name.strip().lower()
        kind = WILDCARDS.get(name, name)
        if kind in {RESPONSE, JSON, EVENTS, HTML} and (weight := _weight(parameters)) > 0:
            weighed.append((weight, kind))
    # The sort is stable: of equal weights, the one that stands first is preferred.
    return tuple(kind for _, kind in sorted(weighed, key=lambda item: -item[0]))


def _weight(parameters: str) -> float:
    """The ``q`` of a media range; one that is no number counts as 1."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 1
    return 1


async def parameters_of(request: Request, seconds_max: float) -> Parameters:
    """The parameters in a request's body, or in its address.

    Raises:
        WireError: the body is not JSON in UTF-8 (415), is too large (413) or too slow (408: ``seconds_max`` for all of
            it), or a parameter is malformed (400).
    """
    if request.method == "GET":
        found: dict[str, Any] = dict(request.query_params)
        for name in ("variables", "extensions"):
            if found.get(name):
                found[name] = _decoded(found[name].encode(), f"The parameter {name}")
            else:
                found.pop(name, None)
        return _checked(found)
    if not _is_json(request.headers.get("content-type", "")):
        raise WireError(415, f"The body must be {JSON} in UTF-8", "UNSUPPORTED_MEDIA_TYPE")
    try:
        async with asyncio.timeout(seconds_max):
            body = await request.body()
    except TimeoutError:
        message = f"The body took longer than {seconds_max} seconds"
        raise WireError(408, message, "TOO_SLOW", {"Connection": "close"}) from None
    decoded = _decoded(body, "The body")
    if isinstance(decoded, list):
        raise WireError(400, "Batches are not answered: send one operation in a request")
    if not isinstance(decoded, dict):
        raise WireError(400, "The body must be a JSON object")
    return _checked(decoded)


@lru_cache(maxsize=64)
def _is_json(content_type: str) -> bool:
    kind, options = parse_content_type(content_type)
    return kind.lower() == JSON and options.get("charset", "utf-8").lower() in {"utf-8", "utf8"}


def _decoded(data: bytes, what: str) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:  # bytes that are not UTF-8 and too deep nesting, too
        raise WireError(400, f"{what} cannot be read as JSON: {error}") from None


def _checked(given: dict[str, Any]) -> Parameters:
    for name in ("query", "operationName", "documentId"):
        if (value := given.get(name)) is not None and not isinstance(value, str):
            raise WireError(400, f"The parameter {name} must be a string")
    for name in ("variables", "extensions"):
        if (value := given.get(name)) is not None and not isinstance(value, dict):
            raise WireError(400, f"The parameter {name} must be an object")
    return Parameters(*map(given.get, NAMES))


def limited(receive: Receive, bytes_max: int) -> Receive:
    """``receive`` that stops reading a body above the limit, whatever length it announced.

    Raises:
        WireError: when called after too many bytes (413).
    """
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > bytes_max:
            message_text = f"The request has more than {bytes_max} bytes"
            raise WireError(413, message_text, "TOO_LARGE", {"Connection": "close"}, bytesMax=bytes_max)
        return message

    return counted


def answer(content: Any, kind: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer of one of the two media types."""
    media_type = f"{kind}; charset=utf-8"
    return Response(orjson.dumps(content), status_code=status, media_type=media_type, headers=headers)


def compressed(app: ASGIApp) -> ASGIApp:
    """What compresses an application's answers, and a response is one, for clients that take gzip."""
    return GZipMiddleware(app, COMPRESS_MIN, COMPRESS_LEVEL)


def refused(error: WireError, kind: str) -> Response:
    """The answer to what was refused, in JSON for clients that prefer something else."""
    return answer({"errors": [error.error]}, RESPONSE if kind == RESPONSE else JSON, error.status, error.headers)
