"""A purchase with gql: operations as text, checked against the committed schema. Prints what it got as JSON.

SPOTPLAN_TOKEN=... python with_gql.py [http://127.0.0.1:8000]
"""

import asyncio
import json
import os
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from gql import Client, GraphQLRequest, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport

SCHEMA = (Path(__file__).parents[2] / "schema" / "schema.graphql").read_text("utf-8")

START = gql("{ viewer { role customer { name today mainContract { endsBefore } } } }")

CAPACITY = gql("""
query Capacity($from: Date!, $until: Date!) {
  customer { capacityTimeline(from: $from, until: $until) { accounts } }
}""")

SEARCH = gql("""
subscription Search($input: RecommendInput!) {
  recommendationSearch(input: $input) { status netTotal { minorUnits } orders { accounts startsOn months } }
}""")

PREVIEW = gql("query Preview($input: SpotOrderInput!) { spotOrderPreview(input: $input) { termsVersion } }")

PLACE = gql("""
mutation Place($input: SpotOrderPlaceInput!) {
  spotOrderPlace(input: $input) {
    order { number status price { total { minorUnits } } }
    errors { __typename message ... on EndsAfterContract { endsBefore contractEndsBefore } }
  }
}""")


def peak(today: date, accounts: int) -> dict[str, Any]:
    """200 accounts more than there are on any day, for 40 days from the first day of the next month on."""
    begin = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    until = begin + timedelta(days=40)
    return {"profile": [{"from": begin.isoformat(), "until": until.isoformat(), "accounts": accounts + 200}]}


def about(request: GraphQLRequest, given: dict[str, Any]) -> GraphQLRequest:
    """An operation with its one variable."""
    return GraphQLRequest(request, variable_values={"input": given})


async def purchase(address: str, token: str) -> dict[str, Any]:
    authorization = {"Authorization": f"Bearer {token}"}
    http = HTTPXAsyncTransport(f"{address}/graphql", headers=authorization)
    socket = WebsocketsTransport(f"{address.replace('http', 'ws', 1)}/graphql", init_payload=authorization)

    # Against the schema, a field that does not exist is refused here, before anything is sent.
    async with Client(schema=SCHEMA, transport=http) as session:
        viewer = (await session.execute(START))["viewer"]
        customer = viewer["customer"]
        days = {"from": customer["today"], "until": customer["mainContract"]["endsBefore"]}
        covered = (await session.execute(GraphQLRequest(CAPACITY, variable_values=days)))["customer"]
        capacity = max(step["accounts"] for step in covered["capacityTimeline"])
        question = {"demand": peak(date.fromisoformat(customer["today"]), capacity)}
        async with Client(schema=SCHEMA, transport=socket) as stream:
            answers = [answer async for answer in stream.subscribe(about(SEARCH, question))]
        plan = answers[-1]["recommendationSearch"]
        item = plan["orders"][0]
        preview = await session.execute(about(PREVIEW, item))
        asked = {**item, "agreedTermsVersion": preview["spotOrderPreview"]["termsVersion"]}

        async def place(**changes: str) -> dict[str, Any]:
            given = {**asked, "idempotencyKey": str(uuid4()), **changes}
            payload: dict[str, Any] = (await session.execute(about(PLACE, given)))["spotOrderPlace"]
            return payload

        placed = await place()
        refused = await place(startsOn=customer["mainContract"]["endsBefore"])
    return {"viewer": viewer["role"], "plan": plan, "order": placed["order"], "refusals": refused["errors"]}


async def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    report = await purchase(address, os.environ.get("SPOTPLAN_TOKEN", ""))
    try:
        await purchase(address, "unknown")
    except TransportQueryError as error:
        report["stranger"] = [each["extensions"]["code"] for each in error.errors or []]
    print(json.dumps(report, indent=2))


asyncio.run(main())
