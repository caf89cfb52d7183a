"""The patterns of the vendor's page, over GraphQL, on both databases."""

from datetime import UTC, datetime

import pytest

from domain.contracts import AdditionalLicence
from tests.people import REACTIVATE, REGISTER, may_sign_in, people, refused, registered
from tests.world import PLACE, Api, TestClock, World, confirmed, period, place_input, starter

pytestmark = pytest.mark.anyio

TIMELINE = """
query Timeline($from: Date!, $until: Date!) {
  customer { capacityTimeline(from: $from, until: $until) { from until accounts } }
}"""


async def timeline(api: Api, token: str, begin: str, until: str) -> list[tuple[str, str, int]]:
    answer = await api.data(TIMELINE, token, **{"from": begin, "until": until})
    return [(step["from"], step["until"], step["accounts"]) for step in answer["customer"]["capacityTimeline"]]


async def test_pattern_01_one_spot_order_makes_starter_200_for_a_month_at_5500_yen(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    payload = (await api.data(PLACE, owner.token, input=place_input()))["spotOrderPlace"]
    assert payload["errors"] == []
    assert payload["order"]["price"] == {
        "net": {"minorUnits": 5_000},
        "tax": {"minorUnits": 500},
        "total": {"minorUnits": 5_500, "amount": "5500", "currency": "JPY"},
    }
    assert payload["order"]["lastDay"] == "2026-05-31"
    # An order without a payment method gives no capacity yet.
    year = ("2026-04-01", "2027-04-01")
    assert await timeline(api, owner.token, *year) == [("2026-04-01", "2027-04-01", 100)]
    await confirmed(api, owner.token, "key-1")
    assert await timeline(api, owner.token, *year) == [
        ("2026-04-01", "2026-05-01", 100),
        ("2026-05-01", "2026-06-01", 200),
        ("2026-06-01", "2027-04-01", 100),
    ]


async def test_pattern_02_spots_overlap_each_other_and_an_additional_licence(api: Api, world: World) -> None:
    licence = AdditionalLicence(period("2026-06-10", "2027-04-01"), 200)
    owner = await world.customer(starter(), licences=(licence,))
    await confirmed(api, owner.token, "a", startsOn="2026-05-15", months=2, accounts=100)
    await confirmed(api, owner.token, "b", startsOn="2026-06-01", months=1, accounts=300)
    assert await timeline(api, owner.token, "2026-05-01", "2026-08-01") == [
        ("2026-05-01", "2026-05-15", 100),
        ("2026-05-15", "2026-06-01", 200),
        ("2026-06-01", "2026-06-10", 500),
        ("2026-06-10", "2026-07-01", 700),
        ("2026-07-01", "2026-07-15", 400),
        ("2026-07-15", "2026-08-01", 300),
    ]


async def test_pattern_03_1_no_spot_before_the_paid_plan_starts(api: Api, world: World) -> None:
    owner = await world.customer(starter("2026-06-01", "2027-06-01"))
    payload = (await api.data(PLACE, owner.token, input=place_input(startsOn="2026-05-31")))["spotOrderPlace"]
    assert payload == {
        "order": None,
        "errors": [
            {
                "__typename": "StartsBeforeContract",
                "code": "STARTS_BEFORE_CONTRACT",
                "field": "startsOn",
                "message": "The spot would start on 2026-05-31, before the main contract starts on 2026-06-01.",
                "startsOn": "2026-05-31",
                "contractStartsOn": "2026-06-01",
            }
        ],
    }
    accepted = await confirmed(api, owner.token, "first-day", startsOn="2026-06-01")
    assert accepted["status"] == "CONFIRMED"
    assert await timeline(api, owner.token, "2026-05-01", "2026-07-02") == [
        ("2026-05-01", "2026-06-01", 0),
        ("2026-06-01", "2026-07-01", 200),
        ("2026-07-01", "2026-07-02", 100),
    ]


async def test_pattern_03_1_no_spot_on_the_free_plan(api: Api, world: World) -> None:
    owner = await world.customer()
    payload = (await api.data(PLACE, owner.token, input=place_input()))["spotOrderPlace"]
    assert payload["order"] is None
    assert [(error["__typename"], error["contractEndedBefore"]) for error in payload["errors"]] == [
        ("NoPaidContract", None)
    ]


async def test_pattern_03_2_no_spot_past_the_end_without_a_renewal(api: Api, world: World) -> None:
    owner = await world.customer(starter("2025-06-01", "2026-06-01"))
    refused = (await api.data(PLACE, owner.token, input=place_input(startsOn="2026-05-02")))["spotOrderPlace"]
    assert refused["order"] is None
    assert refused["errors"] == [
        {
            "__typename": "EndsAfterContract",
            "code": "ENDS_AFTER_CONTRACT",
            "field": "months",
            "message": "The spot would end before 2026-06-02, but the main contract ends before 2026-06-01.",
            "endsBefore": "2026-06-02",
            "contractEndsBefore": "2026-06-01",
        }
    ]
    assert (await confirmed(api, owner.token, "fits", startsOn="2026-05-01"))["status"] == "CONFIRMED"


async def test_pattern_03_2_a_renewal_that_is_ordered_extends_the_end_at_its_own_price(api: Api, world: World) -> None:
    owner = await world.customer(
        starter("2025-06-01", "2026-06-01"),
        starter("2026-06-01", "2027-06-01", units=2, monthly_unit_price_minor=6_000),
    )
    payload = (await api.data(PLACE, owner.token, input=place_input(startsOn="2026-05-02", months=2)))["spotOrderPlace"]
    # The first month begins at the old price, the second one in the renewal.
    assert payload["errors"] == []
    assert payload["order"]["price"]["net"] == {"minorUnits": 11_000}


async def test_pattern_04_when_the_spot_ends_the_100_it_brought_are_out_and_a_new_spot_brings_them_back(
    api: Api, world: World, clock: TestClock
) -> None:
    owner = await world.customer(starter())
    await registered(api, owner.token, people(1, 100))
    full = await refused(api, owner.token, REGISTER, accounts=people(101, 101))
    assert [(error["code"], error["available"], error["nextFreeOn"]) for error in full] == [
        ("CAPACITY_EXCEEDED", 0, None)
    ]
    await confirmed(api, owner.token, "may", startsOn="2026-05-01")
    clock.now = datetime(2026, 4, 30, 15, tzinfo=UTC)  # 1 May in Tokyo
    await registered(api, owner.token, people(101, 200))
    assert await may_sign_in(api, owner.token, "u200")

    clock.now = datetime(2026, 5, 31, 14, 59, 59, tzinfo=UTC)
    assert await may_sign_in(api, owner.token, "u200")
    clock.now = datetime(2026, 5, 31, 15, tzinfo=UTC)  # 1 June in Tokyo: no worker has run
    assert [await may_sign_in(api, owner.token, who) for who in ("u1", "u100", "u101", "u200")] == [
        True, True, False, False,
    ]  # fmt: skip
    out = await api.data(
        """{ customer { accounts(first: 100, status: [DEACTIVATED]) { totalCount edges { node {
             id externalId canSignIn groups { name isBuiltIn } } } }
           capacityFalls(first: 5) { edges { node { on capacityBefore capacityAfter countedBefore countedAfter
             deactivatedCount deactivations(first: 1) { totalCount edges { node { reason previousStatus
               account { externalId } } } } } } } } }""",
        owner.token,
    )
    gone = [edge["node"] for edge in out["customer"]["accounts"]["edges"]]
    assert {item["externalId"] for item in gone} == {f"u{number}" for number in range(101, 201)}
    assert out["customer"]["accounts"]["totalCount"] == 100
    assert all(
        item["canSignIn"] is False and item["groups"] == [{"name": "Auto Deactivation", "isBuiltIn": True}]
        for item in gone
    )
    assert [edge["node"] for edge in out["customer"]["capacityFalls"]["edges"]] == [
        {
            "on": "2026-06-01",
            "capacityBefore": 200,
            "capacityAfter": 100,
            "countedBefore": 200,
            "countedAfter": 100,
            "deactivatedCount": 100,
            "deactivations": {
                "totalCount": 100,
                "edges": [
                    {
                        "node": {
                            "reason": "REGISTERED_DURING_SPOT",
                            "previousStatus": "ACTIVE",
                            "account": {"externalId": "u200"},
                        }
                    }
                ],
            },
        }
    ]

    ids = [item["id"] for item in gone]
    assert [error["code"] for error in await refused(api, owner.token, REACTIVATE, accountIds=ids)] == [
        "CAPACITY_EXCEEDED"
    ]
    await confirmed(api, owner.token, "june", startsOn="2026-06-01")
    payload = (await api.data(REACTIVATE, owner.token, input={"accountIds": ids}))["accountReactivate"]
    assert payload["errors"] == []
    assert {(item["status"], item["canSignIn"], len(item["groups"])) for item in payload["accounts"]} == {
        ("ACTIVE", True, 0)
    }
    assert await may_sign_in(api, owner.token, "u200")
