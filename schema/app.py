"""The application: GraphQL over HTTP, SSE and WebSocket, the GraphiQL page, health."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import orjson
import strawberry
from cross_web import HTTPException
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.extensions import SchemaExtension
from strawberry.http.base import BaseRequestProtocol
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

import schema.enums  # noqa: F401 # registers the enumerations before the schema is built
from db.engine import DatabaseUnavailableError
from resolvers.access import Caller, NotSignedInError, caller_of
from resolvers.services import Services
from resolvers.webhook_delivery import work as deliver_webhooks
from resolvers.worker import work
from schema.accounts import Account, AccountGroup
from schema.context import Context
from schema.contracts import MainContract
from schema.customers import Customer
from schema.documents import Document
from schema.errors import USER_ERROR_TYPES, presented
from schema.falls import CapacityFall
from schema.graphiql import ASSETS, page
from schema.limits import Limits
from schema.observed import Observed
from schema.purchases import ContractOrder, Purchase
from schema.quotes import Quote
from schema.requests import ObserveRequests
from schema.root import Mutation, Query, Subscription
from schema.routes import document_pdfs, limited, payment_events
from schema.spot_orders import SpotOrder
from schema.websocket import TextAdapter, TransportHandler
from settings import Settings

NODE_TYPES = [
    Account,
    AccountGroup,
    CapacityFall,
    ContractOrder,
    Customer,
    Document,
    MainContract,
    Purchase,
    Quote,
    SpotOrder,
]
CONNECTION_INIT_MAX = timedelta(seconds=10)
"""A WebSocket is closed when its client has not said connection_init by then."""


class PresentErrors(SchemaExtension):
    """Gives every error its code, and hides the text of crashes."""

    def on_operation(self) -> Iterator[None]:
        yield
        self._present(self.execution_context.result)

    def on_stream_result(self, result: Any) -> Iterator[None]:
        self._present(result)
        yield

    def _present(self, result: Any) -> None:
        if result is not None and result.errors:
            result.errors = [presented(error) for error in result.errors]


class SpotplanSchema(strawberry.Schema):
    def process_errors(self, *_args: Any, **_kwargs: Any) -> None:
        """Nothing: ``presented`` logs what has to be logged, once."""

    async def execute(self, *args: Any, **given: Any) -> ExecutionResult:
        """Run a query or mutation; subscriptions are streamed, or refused."""
        allowed = set(given.get("allowed_operation_types") or OperationType)
        given["allowed_operation_types"] = allowed - {OperationType.SUBSCRIPTION}
        try:
            return await super().execute(*args, **given)
        except InvalidOperationTypeError as error:
            if error.operation_type is not OperationType.SUBSCRIPTION:
                raise
            raise HTTPException(400, "A subscription needs Accept: text/event-stream, or a WebSocket") from None


def build_schema(settings: Settings) -> strawberry.Schema:
    """The GraphQL schema, with the limits of the settings."""
    return SpotplanSchema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[
            Account,
            AccountGroup,
            CapacityFall,
            ContractOrder,
            Customer,
            Document,
            MainContract,
            Purchase,
            SpotOrder,
            *USER_ERROR_TYPES.values(),
        ],
        extensions=[Observed, PresentErrors, lambda: Limits(settings)],
    )


class GraphQLEndpoint(GraphQL[Context, None]):
    """``/graphql``: operations by POST or GET, as SSE and over WebSocket, and the GraphiQL page for browsers.

    Pages of other origins may not open a WebSocket, which is strawberry's default.
    """

    websocket_adapter_class = TextAdapter
    graphql_transport_ws_handler_class = TransportHandler

    def __init__(self, services: Services, graphiql: Mapping[str, Any]) -> None:
        settings = services.settings
        super().__init__(
            build_schema(settings),
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL),
            connection_init_wait_timeout=CONNECTION_INIT_MAX,
            max_subscriptions_per_connection=settings.operations_per_websocket_max,
        )
        self.message_bytes_max = settings.request_bytes_max
        self._services = services
        self._page = page(graphiql)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; what fails before GraphQL begins is answered as JSON, too."""
        if scope["type"] == "websocket":
            await self.run(WebSocket(scope, receive, send))
            return
        counted = limited(receive, self.message_bytes_max)
        try:
            response = await self.run(Request(scope, counted))
        except HTTPException as error:
            codes = {405: "METHOD_NOT_ALLOWED", 413: "TOO_LARGE", 415: "UNSUPPORTED_MEDIA_TYPE"}
            refusal = {"message": error.reason, "extensions": {"code": codes.get(error.status_code, "BAD_REQUEST")}}
            response = JSONResponse({"errors": [refusal]}, status_code=error.status_code)
        await response(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        """The request's context; a WebSocket's operations ask for one each."""
        if isinstance(request, WebSocket):
            return Context(self._services, None)
        return await self.context_for(request.headers.get("authorization"))

    async def context_for(self, authorization: str | None) -> Context:
        """A context for one operation, with its caller."""
        try:
            await self._services.refresh_clock()
            return Context(self._services, await self._caller(authorization))
        except (NotSignedInError, DatabaseUnavailableError) as failure:
            return Context(self._services, None, failure)

    async def _caller(self, header: str | None) -> Caller | None:
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise NotSignedInError("The Authorization header must be: Bearer <token>.")
        return await caller_of(self._services.database, token.strip(), self._services.sign_in_clock())

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


def create_app(services: Services, graphiql: Mapping[str, Any] | None = None) -> Starlette:
    """The application, with workers that settle what is due and deliver webhooks; it closes the services when it stops.

    ``graphiql`` is its page's token, tabs and notice.
    """

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        workers = [asyncio.create_task(work(services)), asyncio.create_task(deliver_webhooks(services))]
        try:
            await services.planner.warm()
            # What is loaded by now stays: full collections need not look at it, which would hold up every request.
            gc.collect()
            gc.freeze()
            yield
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            await services.close()

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        if request.app.state.is_stopping:
            return PlainTextResponse("stopping\n", status_code=503)
        ready = await services.database.is_ready()
        return PlainTextResponse("ok\n" if ready else "database unavailable\n", status_code=200 if ready else 503)

    endpoint = GraphQLEndpoint(services, graphiql or {})
    app = Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/payments/webhook", payment_events(services), methods=["POST"]),
            Route("/documents/{id}.pdf", document_pdfs(services, endpoint.context_for)),
            Route("/graphql", endpoint),
            WebSocketRoute("/graphql", endpoint),
            Mount("/graphiql", StaticFiles(directory=ASSETS, check_dir=False)),
        ],
        middleware=[Middleware(ObserveRequests)],
        lifespan=lifespan,
    )
    app.state.is_stopping = False
    return app
