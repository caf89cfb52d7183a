"""examples/typescript: graphql-codegen and urql, type-checked and run against a real server."""

import json
from dataclasses import replace
from typing import Any

import pytest

from resolvers.services import Services
from tests.clients.conftest import CommandFailed, NpmCopy
from tests.processes import spotplan
from tests.served import served
from tests.world import Owned, World, starter

pytestmark = pytest.mark.anyio


@pytest.fixture
async def owner(world: World) -> Owned:
    return await world.customer(starter(units=3))


def order(number: str, total: int) -> dict[str, Any]:
    return {"number": number, "again": number, "previewed": total, "total": total, "agreed": "2026-04-01"}


async def test_a_purchase_by_persisted_documents_alone(
    npm_copy: NpmCopy, services: Services, owner: Owned, database_url: str
) -> None:
    await npm_copy.script("typescript", "build")
    documents = npm_copy.folder / "examples" / "typescript" / "src" / "gql" / "persisted-documents.json"
    done = spotplan(
        "operations", "register", str(documents), folder=npm_copy.folder, SPOTPLAN_DATABASE_URL=database_url
    )
    assert done.stdout == "8 operations are registered, 8 of them new\n", done.stderr

    strict = replace(services, settings=replace(services.settings, operations="persisted"))
    async with served(strict) as address:
        printed = await npm_copy.script(
            "typescript", "start", address, SPOTPLAN_TOKEN=owner.token, SPOTPLAN_OPERATIONS="persisted"
        )
    capacity = {"__typename": "CapacityStep", "from": "2026-04-10", "until": "2027-04-01", "accounts": 300}
    net = {"__typename": "Money", "minorUnits": 65_000, "amount": "65000", "currency": "JPY"}
    assert json.loads(printed) == {
        "viewer": {"role": "OWNER", "name": "Aoba Academy", "capacity": [capacity]},
        "plan": {"status": "OPTIMAL", "net": net, "bound": 65_000, "orders": 3},
        "searches": {"websocket": "OPTIMAL 65000 JPY", "events": "OPTIMAL 65000 JPY"},
        "orders": [order("SO-2026-00001", 44_000), order("SO-2026-00002", 16_500), order("SO-2026-00003", 11_000)],
        "payments": ["expected 43999, it costs 44000", "CONFIRMED"],
        "refusals": [
            ["AccountsNotMultiple", "150 is not a multiple of 100"],
            ["EndsAfterContract", "it would end on 2027-05-01, the contract ends on 2027-04-01"],
            ["TermsNotAgreed", "the terms of use are now those of 2026-04-01"],
            ["MonthsOutOfRange", "0 is not a whole number of months from 1 to 600 that ends inside the calendar."],
        ],
        "pages": [
            ["SO-2026-00003 AWAITING_PAYMENT_METHOD", "SO-2026-00002 AWAITING_PAYMENT_METHOD"],
            ["SO-2026-00001 CONFIRMED"],
        ],
        "stranger": ["NOT_SIGNED_IN"],
    }

    # The documents were asked by their hashes: sent as texts, the first one is refused.
    async with served(strict) as address:
        with pytest.raises(CommandFailed, match="Only persisted operations are answered here"):
            await npm_copy.script("typescript", "start", address, SPOTPLAN_TOKEN=owner.token, SPOTPLAN_OPERATIONS="any")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("contractEndsBefore: Date!", "contractEnds: Date!", 'Cannot query field "contractEndsBefore" on type'),
        ("price: Price!", "price: Price", "'.*price' is possibly 'null'"),
    ],
)
async def test_a_schema_that_breaks_the_program_fails_its_build(
    npm_copy: NpmCopy, old: str, new: str, told: str
) -> None:
    npm_copy.break_schema(old, new)
    with pytest.raises(CommandFailed, match=told):
        await npm_copy.script("typescript", "build")
