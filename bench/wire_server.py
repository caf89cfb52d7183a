"""A server of ``bench wire`` in a process of its own: ``python -m bench.wire_server KIND PORT [FOLDER]``.

``bare`` is Starlette alone, with answers from files; ``ours`` the schema of bench/peers behind our endpoint;
``whole`` the application as it is, except that whoever asks is signed in without a look at the database.
"""

import gc
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

import schema.endpoint
from bench.peers.wire_data import Order as Data
from bench.peers.wire_data import Status, orders
from bench.peers.wire_data import Viewer as Who
from bench.peers.wire_data import viewer as who
from bench.serving import UNLIMITED
from resolvers.access import Caller, Role
from resolvers.services import Services
from schema.app import create_app, middleware
from schema.endpoint import GraphQLEndpoint
from schema.execution import SpotplanSchema
from settings import Settings

strawberry.enum(Status)


@strawberry.type
class Viewer:
    """Who asks."""

    role: str


@strawberry.type
class Order:
    """Eight fields of the usual kinds."""

    id: strawberry.ID
    number: str
    status: Status
    accounts: int
    months: int
    starts_on: date
    is_paid: bool
    note: str | None


@strawberry.type
class Query:
    """The same as in Ariadne and Graphene."""

    @strawberry.field
    def viewer(self) -> Viewer:
        found: Who = who()
        return Viewer(role=found.role)

    @strawberry.field
    def orders(self, first: int) -> list[Order]:
        found: list[Data] = orders(first)
        return found  # type: ignore[return-value] # resolvers may return anything with the fields


def bare(folder: Path) -> ASGIApp:
    """Reads a request, and answers with a file's bytes."""

    def route(file: Path) -> Route:
        content = file.read_bytes()

        async def answer(request: Request) -> Response:
            await request.body()
            return Response(content, media_type="application/json")

        return Route(f"/{file.stem}", answer, methods=["POST"])

    return Starlette(routes=[route(file) for file in folder.glob("*.json")])


def ours(folder: Path) -> ASGIApp:
    """The endpoint with all its middleware."""
    services = _services(folder)
    endpoint = GraphQLEndpoint(SpotplanSchema(services.settings, Query), services, {})
    return Starlette(routes=[Route("/graphql", endpoint)], middleware=middleware(services.settings))


def whole(folder: Path) -> ASGIApp:
    """The whole application."""
    caller = Caller(Role.OWNER, 1, 1)

    async def sign_in(services: Services, token: str) -> Caller:
        return caller

    schema.endpoint.sign_in = sign_in  # type: ignore[attr-defined]
    return create_app(_services(folder))


def _services(folder: Path) -> Services:
    settings = Settings(
        database_url=f"sqlite:///{folder}/spotplan.db",
        planner_workers=1,
        rate_signed_in=UNLIMITED,
        rate_anonymous=UNLIMITED,
    )
    return Services.open(settings)


KINDS: dict[str, Callable[[Path], ASGIApp]] = {"bare": bare, "ours": ours, "whole": whole}

if __name__ == "__main__":
    kind, port, folder = sys.argv[1:]
    app = KINDS[kind](Path(folder))
    gc.collect()
    gc.freeze()  # as the application does once it has started, which is left out here
    uvicorn.run(app, port=int(port), log_level="warning", lifespan="off", access_log=False)
