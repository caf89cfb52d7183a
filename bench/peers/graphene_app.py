"""The schema of ``bench wire`` in Graphene, as it comes. It runs in an environment of its own: see ``requirements``."""

import sys
from typing import Any

import graphene
import uvicorn
from starlette.applications import Starlette
from starlette_graphene3 import GraphQLApp
from wire_data import Order as Data
from wire_data import Status as Statuses
from wire_data import Viewer as Who
from wire_data import orders, viewer

Status = graphene.Enum.from_enum(Statuses)


class Viewer(graphene.ObjectType):
    role = graphene.String(required=True)


class Order(graphene.ObjectType):
    id = graphene.ID(required=True)
    number = graphene.String(required=True)
    status = graphene.Field(Status, required=True)
    accounts = graphene.Int(required=True)
    months = graphene.Int(required=True)
    starts_on = graphene.Date(required=True)
    is_paid = graphene.Boolean(required=True)
    note = graphene.String()


class Query(graphene.ObjectType):
    viewer = graphene.NonNull(Viewer)
    orders = graphene.Field(graphene.NonNull(graphene.List(graphene.NonNull(Order))), first=graphene.Int(required=True))

    @staticmethod
    def resolve_viewer(_root: Any, _info: Any) -> Who:
        return viewer()

    @staticmethod
    def resolve_orders(_root: Any, _info: Any, first: int) -> list[Data]:
        return orders(first)


if __name__ == "__main__":
    app = Starlette()
    app.mount("/graphql", GraphQLApp(graphene.Schema(query=Query)))
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
