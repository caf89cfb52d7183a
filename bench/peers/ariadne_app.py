"""The schema of ``bench wire`` in Ariadne, as it comes. It runs in an environment of its own: see ``requirements``."""

import sys

import uvicorn
from ariadne import EnumType, QueryType, ScalarType, gql, make_executable_schema
from ariadne.asgi import GraphQL
from wire_data import SDL, Status, orders, viewer

query = QueryType()
query.set_field("viewer", lambda *_: viewer())
query.set_field("orders", lambda *_, first: orders(first))
day = ScalarType("Date", serializer=lambda value: value.isoformat())

if __name__ == "__main__":
    schema = make_executable_schema(gql(SDL), query, day, EnumType("Status", Status), convert_names_case=True)
    uvicorn.run(GraphQL(schema), port=int(sys.argv[1]), log_level="warning")
