"""The application: GraphQL over HTTP, SSE and WebSocket, the GraphiQL page, health."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import strawberry
from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

import schema.enums  # noqa: F401 # registers the enumerations before the schema is built
from resolvers.services import Services
from resolvers.webhook_delivery import work as deliver_webhooks
from resolvers.worker import work
from schema.accounts import Account, AccountGroup
from schema.contracts import MainContract
from schema.customers import Customer
from schema.documents import Document
from schema.endpoint import GraphQLEndpoint
from schema.errors import USER_ERROR_TYPES, presented
from schema.executor import PlainExecutor
from schema.falls import CapacityFall
from schema.graphiql import ASSETS
from schema.limits import Documents, Limits
from schema.observed import Observed
from schema.purchases import ContractOrder, Purchase
from schema.quotes import Quote
from schema.requests import ObserveRequests
from schema.root import Mutation, Query, Subscription
from schema.routes import document_pdfs, payment_events
from schema.spot_orders import SpotOrder
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

COMPRESS_LEVEL = 5
"""Of gzip: higher levels take twice the time and save some percent."""


class PresentErrors(SchemaExtension):
    """Gives every error its code, and hides the text of crashes, before others look at them."""

    def __init__(self, errors_max: int) -> None:
        self._errors_max = errors_max

    def on_operation(self) -> Iterator[None]:
        yield
        if self.execution_context.result is not None:
            _present(self.execution_context.result, self._errors_max)

    def on_stream_result(self, result: Any) -> Iterator[None]:
        _present(result, self._errors_max)
        yield


class SpotplanSchema(strawberry.Schema):
    errors_max: int

    def process_errors(self, *_args: Any, **_kwargs: Any) -> None:
        """Nothing: ``presented`` logs what has to be logged, once."""

    async def execute(self, *args: Any, **given: Any) -> ExecutionResult:
        """Run a query or mutation.

        Raises:
            InvalidOperationTypeError: it is a subscription, which is streamed instead, or not among the types allowed.
        """
        allowed = set(given.get("allowed_operation_types") or OperationType)
        given["allowed_operation_types"] = allowed - {OperationType.SUBSCRIPTION}
        try:
            result = await super().execute(*args, **given)
        except CannotGetOperationTypeError as error:
            result = ExecutionResult(None, [GraphQLError(error.as_http_error_reason())])
        _present(result, self.errors_max)  # those that came before any extension was asked, too
        return result


def _present(result: Any, errors_max: int) -> None:
    found = result.errors or []
    if len(found) > errors_max:
        more = f"{len(found) - errors_max + 1} more errors are not listed."
        found = [*found[: errors_max - 1], GraphQLError(more, extensions={"code": "TOO_MANY_ERRORS"})]
    if found:
        result.errors = [presented(error) for error in found]


def build_schema(settings: Settings) -> strawberry.Schema:
    """The GraphQL schema, with the limits of the settings."""
    documents = Documents()
    schema = SpotplanSchema(
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
        execution_context_class=PlainExecutor,
        extensions=[Observed, lambda: PresentErrors(settings.errors_max), lambda: Limits(settings, documents)],
    )
    schema.errors_max = settings.errors_max
    return schema


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
            await endpoint.rates.close()
            await services.close()

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        if request.app.state.is_stopping:
            return PlainTextResponse("stopping\n", status_code=503)
        ready = await services.database.is_ready()
        return PlainTextResponse("ok\n" if ready else "database unavailable\n", status_code=200 if ready else 503)

    endpoint = GraphQLEndpoint(build_schema(services.settings), services, graphiql or {})
    app = Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/payments/webhook", payment_events(services), methods=["POST"]),
            Route("/documents/{id}.pdf", document_pdfs(services, endpoint.context_for)),
            Route("/graphql", endpoint),
            WebSocketRoute("/graphql", endpoint),
            # Where the page is not built there is nothing to serve, not even a crash.
            *([Mount("/graphiql", StaticFiles(directory=ASSETS))] if ASSETS.is_dir() else []),
        ],
        middleware=_middleware(services.settings),
        lifespan=lifespan,
    )
    app.state.is_stopping = False
    return app


def _middleware(settings: Settings) -> list[Middleware]:
    """CORS outside compression, so that pages of other origins can read refusals, too; what observes, outermost."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.origins,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=["Retry-After"],
    )
    return [Middleware(ObserveRequests), cors, Middleware(GZipMiddleware, compresslevel=COMPRESS_LEVEL)]
