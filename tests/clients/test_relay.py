"""examples/relay: relay-compiler and relay-runtime, type-checked and run against a real server."""

import json
from dataclasses import replace

import pytest

from resolvers.services import Services
from tests.clients.conftest import EXAMPLES, CommandFailed, NpmCopy
from tests.processes import spotplan
from tests.served import served
from tests.world import Api, World, placed, starter

pytestmark = pytest.mark.anyio


async def test_pages_mutations_and_nodes_meet_in_the_store(
    npm_copy: NpmCopy, services: Services, world: World, api: Api, database_url: str
) -> None:
    owner = await world.customer(starter())
    numbers = [(await placed(api, owner.token, f"key-{index}"))["number"] for index in range(3)]
    await npm_copy.script("relay", "build")
    documents = npm_copy.folder / "examples" / "relay" / "persisted-documents.json"
    assert documents.read_text() == (EXAMPLES / "relay" / "persisted-documents.json").read_text()
    done = spotplan(
        "operations", "register", str(documents), folder=npm_copy.folder, SPOTPLAN_DATABASE_URL=database_url
    )
    assert done.stdout == "6 operations are registered, 6 of them new\n", done.stderr

    strict = replace(services, settings=replace(services.settings, operations="persisted"))
    async with served(strict) as address:
        printed = await npm_copy.script(
            "relay", "start", address, SPOTPLAN_TOKEN=owner.token, SPOTPLAN_OPERATIONS="persisted"
        )
    waiting = [f"{number} AWAITING_PAYMENT_METHOD" for number in reversed(numbers)]
    result = json.loads(printed)
    new = result["byId"]
    assert result == {
        "firstPage": waiting[:2],
        "allPages": waiting,
        "refusals": [
            {
                "__typename": "EndsAfterContract",
                "message": "The spot would end before 2027-05-01, but the main contract ends before 2027-04-01.",
                "endsBefore": "2027-05-01",
                "contractEndsBefore": "2027-04-01",
            }
        ],
        # Neither the new order nor its cancellation made Relay ask for the list again.
        "placed": ["SO-2026-00004 AWAITING_PAYMENT_METHOD", *waiting],
        "cancelled": ["SO-2026-00004 CANCELLED", *waiting],
        "byId": {"id": new["id"], "number": "SO-2026-00004", "status": "CANCELLED"},
        "sent": [
            "mainStartQuery",
            "ordersPageQuery",
            "mainPreviewQuery",
            "ordersPlaceMutation",
            "ordersPlaceMutation",
            "ordersCancelMutation",
            "mainOrderQuery",
        ],
    }


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("hasPreviousPage: Boolean!", "", "@connection used on invalid field 'spotOrders'"),
        ("number: String!", "label: String!", "The type `SpotOrder` has no field `number`"),
        ("accountsPerUnit: Int!", "accountsPerUnit: Int", "'number | null | undefined' is not assignable"),
    ],
)  # fmt: skip
async def test_a_schema_that_breaks_the_program_fails_its_build(
    npm_copy: NpmCopy, old: str, new: str, told: str
) -> None:
    npm_copy.break_schema(old, new)
    with pytest.raises(CommandFailed) as failed:
        await npm_copy.script("relay", "build")
    assert told in str(failed.value)
