"""The application: GraphQL over HTTP, SSE and WebSocket, the GraphiQL page, health."""

import asyncio
import gc
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

import schema.enums  # noqa: F401 # registers the enumerations before the schema is built
from resolvers.services import Services
from resolvers.webhook_delivery import work as deliver_webhooks
from resolvers.worker import work
from schema.accounts import Account, AccountGroup
from schema.contracts import MainContract
from schema.customers import Customer
from schema.documents import Document
from schema.endpoint import GraphQLEndpoint
from schema.errors import USER_ERROR_TYPES
from schema.execution import SpotplanSchema
from schema.falls import CapacityFall
from schema.graphiql import ASSETS
from schema.purchases import ContractOrder, Purchase
from schema.quotes import Quote
from schema.requests import ObserveRequests
from schema.root import Mutation, Query, Subscription
from schema.routes import document_pdfs, payment_events
from schema.spot_orders import SpotOrder
from schema.wire import compressed
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


def build_schema(settings: Settings) -> SpotplanSchema:
    """The GraphQL schema, with the limits of the settings."""
    return SpotplanSchema(settings, Query, Mutation, Subscription, [*NODE_TYPES, *USER_ERROR_TYPES.values()])


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
            Route("/graphql", endpoint),
            WebSocketRoute("/graphql", endpoint),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/payments/webhook", payment_events(services), methods=["POST"]),
            Route("/documents/{id}.pdf", document_pdfs(services, endpoint.context_for)),
            # Where the page is not built there is nothing to serve, not even a crash.
            *([Mount("/graphiql", compressed(StaticFiles(directory=ASSETS)))] if ASSETS.is_dir() else []),
        ],
        middleware=middleware(services.settings),
        lifespan=lifespan,
    )
    app.state.is_stopping = False
    return app


def middleware(settings: Settings) -> list[Middleware]:
    """What observes, outermost; CORS only where there are origins to admit: it takes its time for every request."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.origins,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=["Retry-After"],
    )
    return [Middleware(ObserveRequests), *([cors] if settings.origins else [])]
