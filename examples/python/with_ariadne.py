"""A purchase with a client that ariadne-codegen generated: answers are typed objects. Prints what it got as JSON.

SPOTPLAN_TOKEN=... python with_ariadne.py [http://127.0.0.1:8000]
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import date, timedelta
from uuid import uuid4

from spotplan_client import (
    Client,
    DemandInput,
    DemandStepInput,
    GraphQLClientGraphQLMultiError,
    PlaceSpotOrderPlaceErrorsEndsAfterContract,
    RecommendInput,
    SpotOrderInput,
    SpotOrderPlaceInput,
)


def connected(address: str, token: str) -> Client:
    authorization = {"Authorization": f"Bearer {token}"}
    return Client(
        url=f"{address}/graphql",
        headers=authorization,
        ws_url=f"{address.replace('http', 'ws', 1)}/graphql",
        ws_connection_init_payload=authorization,
    )


def peak(today: date, accounts: int) -> DemandInput:
    """200 accounts more than there are on any day, for 40 days from the first day of the next month on."""
    begin = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    step = {"from": begin, "until": begin + timedelta(days=40), "accounts": accounts + 200}
    return DemandInput(profile=[DemandStepInput.model_validate(step)])


async def pages(client: Client, first: int) -> AsyncIterator[list[str]]:
    after = None
    while True:
        customer = (await client.orders(first=first, after=after)).customer
        if customer is None:
            return
        yield [f"{edge.node.number} {edge.node.status.value}" for edge in customer.spot_orders.edges]
        if not customer.spot_orders.page_info.has_next_page:
            return
        after = customer.spot_orders.page_info.end_cursor


async def purchase(client: Client) -> dict[str, object]:
    customer = (await client.start()).viewer.customer
    if customer is None or customer.main_contract is None:
        raise SystemExit("Sign in with the token of an owner whose contract is paid")
    contract = customer.main_contract
    covered = (await client.capacity(customer.today, contract.ends_before)).customer
    capacity = max(step.accounts for step in covered.capacity_timeline) if covered else 0
    question = RecommendInput(demand=peak(customer.today, capacity))
    plan = (await client.recommend(question)).spot_plan_recommend
    searched = [answer.recommendation_search async for answer in client.search(question)]

    item = plan.orders[0]
    if item.months is None:
        raise SystemExit("Only spots were asked for")
    spot = SpotOrderInput(accounts=item.accounts, startsOn=item.starts_on, months=item.months)
    terms_version = (await client.preview(spot)).spot_order_preview.terms_version

    def order(starts_on: date) -> SpotOrderPlaceInput:
        return SpotOrderPlaceInput(
            accounts=spot.accounts,
            startsOn=starts_on,
            months=spot.months,
            agreedTermsVersion=terms_version,
            idempotencyKey=str(uuid4()),
        )

    placed = (await client.place(order(spot.starts_on))).spot_order_place
    refused = (await client.place(order(contract.ends_before))).spot_order_place
    if placed is None or placed.order is None or refused is None:
        raise SystemExit("Nothing was ordered")
    refusals: list[list[object]] = []
    for error in refused.errors:
        if isinstance(error, PlaceSpotOrderPlaceErrorsEndsAfterContract):
            refusals.append([error.typename__, (error.ends_before - error.contract_ends_before).days])
        else:
            refusals.append([error.typename__, error.message])
    return {
        "plan": [plan.status.value, plan.net_total.minor_units, len(plan.orders)],
        "search": [searched[-1].status.value, searched[-1].net_total.minor_units],
        "order": [placed.order.number, placed.order.status.value, placed.order.price.total.minor_units],
        "placedAt": placed.order.placed_at.isoformat(),
        "refusals": refusals,
        "pages": [page async for page in pages(client, first=1)],
    }


async def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    async with connected(address, os.environ.get("SPOTPLAN_TOKEN", "")) as client:
        report = await purchase(client)
    async with connected(address, "unknown") as stranger:
        try:
            await stranger.start()
        except GraphQLClientGraphQLMultiError as error:
            report["stranger"] = [(each.extensions or {}).get("code") for each in error.errors]
    print(json.dumps(report, indent=2))


asyncio.run(main())
