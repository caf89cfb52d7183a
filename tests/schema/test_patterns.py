"""The patterns of the vendor's page, over GraphQL, on both databases."""

import pytest

from domain.contracts import AdditionalLicence
from tests.world import PLACE, Api, World, confirmed, period, place_input, starter

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
