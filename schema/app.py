"""The HTTP application: GraphQL, the GraphiQL page, health."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson
import strawberry
from cross_web import HTTPException
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.extensions import SchemaExtension
from strawberry.http.base import BaseRequestProtocol

import schema.enums  # noqa: F401 # registers the enumerations before the schema is built
from db.engine import DatabaseUnavailableError
from resolvers.access import Caller, NotSignedInError, caller_of
from resolvers.services import Services
from schema.context import Context
from schema.contracts import MainContract
from schema.customers import Customer
from schema.errors import USER_ERROR_TYPES, presented
from schema.graphiql import ASSETS, page
from schema.limits import Limits
from schema.root import Mutation, Query
from schema.spot_orders import SpotOrder
from settings import Settings


class PresentErrors(SchemaExtension):
    """Gives every error its code, and hides the text of crashes."""

    def on_operation(self) -> Iterator[None]:
        yield
        result: Any = self.execution_context.result
        if result is not None and result.errors:
            result.errors = [presented(error) for error in result.errors]


class SpotplanSchema(strawberry.Schema):
    def process_errors(self, *_args: Any, **_kwargs: Any) -> None:
        """Nothing: ``presented`` logs what has to be logged, once."""


def build_schema(settings: Settings) -> strawberry.Schema:
    """The GraphQL schema, with the limits of the settings."""
    return SpotplanSchema(
        query=Query,
        mutation=Mutation,
        types=[Customer, MainContract, SpotOrder, *USER_ERROR_TYPES.values()],
        extensions=[PresentErrors, lambda: Limits(settings)],
    )


class GraphQLEndpoint(GraphQL[Context, None]):
    """``/graphql``: operations by POST or GET, and the GraphiQL page for browsers."""

    def __init__(self, services: Services, graphiql: Mapping[str, Any]) -> None:
        super().__init__(build_schema(services.settings), subscription_protocols=())
        self._services = services
        self._page = page(graphiql)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; what fails before GraphQL begins is answered as JSON, too."""
        limited = _limited(receive, self._services.settings.request_bytes_max)
        try:
            response = await self.run(Request(scope, limited))
        except HTTPException as error:
            codes = {405: "METHOD_NOT_ALLOWED", 413: "TOO_LARGE", 415: "UNSUPPORTED_MEDIA_TYPE"}
            refusal = {"message": error.reason, "extensions": {"code": codes.get(error.status_code, "BAD_REQUEST")}}
            response = JSONResponse({"errors": [refusal]}, status_code=error.status_code)
        await response(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        """The request's context, with its caller."""
        try:
            return Context(self._services, await self._caller(request.headers.get("authorization")))
        except (NotSignedInError, DatabaseUnavailableError) as failure:
            return Context(self._services, None, failure)

    async def _caller(self, header: str | None) -> Caller | None:
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise NotSignedInError("The Authorization header must be: Bearer <token>.")
        return await caller_of(self._services.database, token.strip(), self._services.clock())

    def should_render_graphql_ide(self, request: BaseRequestProtocol) -> bool:
        """Only browsers that open the page ask for HTML; tools send ``*/*``."""
        wants_html = "text/html" in request.headers.get("accept", "")
        return request.method == "GET" and request.query_params.get("query") is None and wants_html

    async def render_graphql_ide(self, request: Request) -> Response:
        return self._page

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)

    def decode_json(self, data: str | bytes) -> object:
        """A body, or a parameter of a GET request: always an object, or a list of them."""
        decoded = orjson.loads(data)
        if not isinstance(decoded, dict | list):
            raise HTTPException(400, "The JSON must be an object")
        return decoded


def _limited(receive: Receive, bytes_max: int) -> Receive:
    """``receive`` that stops reading a body above the limit, whatever length it announced."""
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > bytes_max:
            raise HTTPException(413, f"The request has more than {bytes_max} bytes")
        return message

    return counted


def create_app(services: Services, graphiql: Mapping[str, Any] | None = None) -> Starlette:
    """The application; it closes the services when it stops. ``graphiql`` is its page's token, tabs, notice."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await services.planner.warm()
        try:
            yield
        finally:
            await services.close()

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        ready = await services.database.is_ready()
        return PlainTextResponse("ok\n" if ready else "database unavailable\n", status_code=200 if ready else 503)

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/graphql", GraphQLEndpoint(services, graphiql or {})),
            Mount("/graphiql", StaticFiles(directory=ASSETS, check_dir=False)),
        ],
        lifespan=lifespan,
    )
