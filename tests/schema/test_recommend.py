"""Recommendations over GraphQL: all three forms of demand, what was proven, and refusals."""

from dataclasses import replace
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient

from planner.workers import PlannerPool
from resolvers.access import Role
from resolvers.services import Services
from schema.app import create_app
from tests.world import Api, World, confirmed, starter

pytestmark = pytest.mark.anyio

RECOMMEND = """
query($input: RecommendInput!) {
  spotPlanRecommend(input: $input) {
    status gap contractVersion
    netTotal { minorUnits } tax { minorUnits } total { minorUnits } lowerBound { minorUnits }
    orders { accounts units startsOn endsBefore lastDay months price { total { minorUnits } } reason
             neededOn { from until } }
    frontier { ordersMax netTotal { minorUnits } proven }
    baselines { kind ordersCount netTotal { minorUnits } saving { minorUnits } }
    coverage { from until demand capacityBefore capacityAfter }
    shortfalls { from until accountsMissing reason }
  }
}"""


async def recommended(api: Api, token: str, demand: dict[str, Any], **options: Any) -> dict[str, Any]:
    answer = await api.data(RECOMMEND, token, input={"demand": demand, **options})
    recommendation: dict[str, Any] = answer["spotPlanRecommend"]
    return recommendation


def step(begin: str, until: str, accounts: int) -> dict[str, Any]:
    return {"from": begin, "until": until, "accounts": accounts}


# Capacity is 100: two units are missing for two months, a third one for 16 days across them.
PROFILE = [
    step("2026-05-01", "2026-05-20", 250),
    step("2026-05-20", "2026-06-05", 400),
    step("2026-06-05", "2026-07-01", 300),
]


async def test_the_cheapest_plan_with_everything_a_sales_tool_shows(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    sales = await world.token(Role.SALES)
    answer = await recommended(api, sales, {"profile": PROFILE}, customerId=owner.id)
    assert owner.stored is not None

    def coverage(begin: str, until: str, demand: int, after: int) -> dict[str, Any]:
        return {"from": begin, "until": until, "demand": demand, "capacityBefore": 100, "capacityAfter": after}

    def baseline(kind: str, orders: int, net: int) -> dict[str, Any]:
        saving = {"minorUnits": net - 25_000}
        return {"kind": kind, "ordersCount": orders, "netTotal": {"minorUnits": net}, "saving": saving}

    assert answer == {
        "status": "OPTIMAL",
        "gap": 0.0,
        "contractVersion": f"{owner.stored.id}.1",
        "netTotal": {"minorUnits": 25_000},
        "tax": {"minorUnits": 2_500},
        "total": {"minorUnits": 27_500},
        "lowerBound": {"minorUnits": 25_000},
        "orders": [
            {
                "accounts": 200,
                "units": 2,
                "startsOn": "2026-05-01",
                "endsBefore": "2026-07-01",
                "lastDay": "2026-06-30",
                "months": 2,
                "price": {"total": {"minorUnits": 22_000}},
                "reason": "Up to 300 accounts are missing in its period;"
                " one unit less would leave 2026-05-01 to 2026-06-04, 2026-06-20 to 2026-06-30 short.",
                "neededOn": [
                    {"from": "2026-05-01", "until": "2026-06-05"},
                    {"from": "2026-06-20", "until": "2026-07-01"},
                ],
            },
            {
                "accounts": 100,
                "units": 1,
                "startsOn": "2026-05-20",
                "endsBefore": "2026-06-20",
                "lastDay": "2026-06-19",
                "months": 1,
                "price": {"total": {"minorUnits": 5_500}},
                "reason": "Up to 300 accounts are missing in its period;"
                " one unit less would leave 2026-05-20 to 2026-06-04 short.",
                "neededOn": [{"from": "2026-05-20", "until": "2026-06-05"}],
            },
        ],
        "frontier": [
            {"ordersMax": 1, "netTotal": {"minorUnits": 30_000}, "proven": True},
            {"ordersMax": 2, "netTotal": {"minorUnits": 25_000}, "proven": True},
        ],
        "baselines": [
            baseline("PEAK_FOR_WHOLE_SPAN", 1, 30_000),
            baseline("ONE_ORDER_PER_DEMAND_STEP", 3, 25_000),
            baseline("MONTH_BY_MONTH", 2, 30_000),
        ],
        "coverage": [
            coverage("2026-05-01", "2026-05-20", 250, 300),
            coverage("2026-05-20", "2026-06-05", 400, 400),
            coverage("2026-06-05", "2026-06-20", 300, 400),
            coverage("2026-06-20", "2026-07-01", 300, 300),
        ],
        "shortfalls": [],
    }


async def test_profile_and_csv_say_the_same(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    lines = [f"{line['from']},{line['until']},{line['accounts']}" for line in PROFILE]
    answers = [
        await recommended(api, owner.token, {"profile": PROFILE[::-1]}),
        await recommended(api, owner.token, {"csv": "\r\n".join(["from,until,accounts", *lines])}),
    ]
    assert answers[0] == answers[1]
    assert answers[0]["netTotal"] == {"minorUnits": 25_000}


async def test_events_add_up_on_top_of_the_contract_and_confirmed_spots_count(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    events = [step("2026-05-01", "2026-05-10", 120), step("2026-05-08", "2026-05-20", 60)]
    answer = await recommended(api, owner.token, {"events": events})
    assert [(item["accounts"], item["startsOn"]) for item in answer["orders"]] == [(200, "2026-05-01")]
    await confirmed(api, owner.token, accounts=100)
    answer = await recommended(api, owner.token, {"events": events})
    assert [(item["accounts"], item["startsOn"]) for item in answer["orders"]] == [(100, "2026-05-01")]
    assert owner.stored is not None
    assert answer["contractVersion"] == f"{owner.stored.id}.2"


async def test_capacity_that_suffices_needs_no_order(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    answer = await recommended(api, owner.token, {"profile": [step("2026-05-01", "2026-06-01", 100)]})
    assert (answer["status"], answer["orders"], answer["total"]) == ("OPTIMAL", [], {"minorUnits": 0})


async def test_what_nothing_can_cover_is_named_with_days_accounts_and_reason(api: Api, world: World) -> None:
    owner = await world.customer(starter("2026-04-01", "2026-06-15"))
    profile = [
        step("2026-03-30", "2026-04-03", 90),
        step("2026-04-08", "2026-04-12", 130),
        step("2026-06-10", "2026-06-20", 101),
    ]
    answer = await recommended(api, owner.token, {"profile": profile}, earliestStart="2026-05-20", monthsMax=3)
    assert (answer["status"], answer["orders"], answer["total"]) == ("INFEASIBLE", [], {"minorUnits": 0})

    def shortfall(begin: str, until: str, missing: int, reason: str) -> dict[str, Any]:
        return {"from": begin, "until": until, "accountsMissing": missing, "reason": reason}

    assert answer["shortfalls"] == [
        shortfall("2026-03-30", "2026-04-01", 90, "OUTSIDE_CONTRACT"),
        shortfall("2026-04-08", "2026-04-10", 30, "IN_THE_PAST"),
        shortfall("2026-04-10", "2026-04-12", 30, "BEFORE_EARLIEST_START"),
        shortfall("2026-06-10", "2026-06-15", 1, "LESS_THAN_A_MONTH_LEFT"),
        shortfall("2026-06-15", "2026-06-20", 101, "OUTSIDE_CONTRACT"),
    ]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        (
            {"demand": {"profile": []}},
            {
                "code": "DEMAND_ENTRIES_OUT_OF_RANGE",
                "field": "demand.profile",
                "message": "A demand has 1 to 4000 entries, not 0.",
                "entries": 0,
                "entriesMax": 4_000,
            },
        ),
        (
            {"demand": {"csv": "from,until,accounts\n2026-05-01,2026-06-01,many"}},
            {
                "code": "CSV_LINE_INVALID",
                "field": "demand.csv",
                "message": "Line 2 is not from,until,accounts (such as 2026-04-01,2026-05-01,300):"
                " '2026-05-01,2026-06-01,many'.",
                "line": 2,
                "text": "2026-05-01,2026-06-01,many",
            },
        ),
        (
            {"demand": {"events": [step("2026-05-02", "2026-05-02", 1)]}},
            {
                "code": "DEMAND_PERIOD_INVALID",
                "field": "demand.events[0]",
                "message": "The entry from 2026-05-02 until 2026-05-02 holds no day (the end is exclusive).",
                "startsOn": "2026-05-02",
                "endsBefore": "2026-05-02",
            },
        ),
        (
            {"seconds": 31.0},
            {
                "code": "SECONDS_OUT_OF_RANGE",
                "field": "seconds",
                "message": "31.0 is not between 0.05 and 30.0 seconds.",
                "seconds": 31.0,
                "secondsMin": 0.05,
                "secondsMax": 30.0,
            },
        ),
        (
            {"earliestStart": "2026-04-09"},
            {
                "code": "EARLIEST_START_IN_THE_PAST",
                "field": "earliestStart",
                "message": "The earliest start 2026-04-09 is before today, 2026-04-10.",
                "earliestStart": "2026-04-09",
                "today": "2026-04-10",
            },
        ),
        (
            {"monthsMax": 0},
            {
                "code": "MONTHS_OUT_OF_RANGE",
                "field": "monthsMax",
                "message": "0 is not a whole number of months from 1 to 600 that ends inside the calendar.",
                "months": 0,
                "monthsMax": 600,
            },
        ),
        (
            {"demand": {"profile": [step("2026-05-01", "2026-06-01", 10_000_000)]}, "monthsMax": 1},
            None,
        ),
    ],
)
async def test_a_bad_question_is_refused_with_its_field_and_numbers(
    api: Api, world: World, changes: dict[str, Any], error: dict[str, Any] | None
) -> None:
    owner = await world.customer(starter())
    question = {"demand": {"profile": PROFILE}, **changes}
    if error is None:  # 99,999 units for a month is much, and yet an amount that can be shown
        answer = await api.data(RECOMMEND, owner.token, input=question)
        assert answer["spotPlanRecommend"]["netTotal"] == {"minorUnits": 499_995_000}
    else:
        assert await api.error(RECOMMEND, owner.token, input=question) == error


async def test_exactly_one_form_of_demand_is_asked_for(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    question = {"demand": {"profile": PROFILE, "csv": "2026-05-01,2026-06-01,150"}}
    error = await api.error(RECOMMEND, owner.token, input=question)
    assert error["code"] == "GRAPHQL_INVALID"
    assert "exactly one" in error["message"].lower()


async def test_an_amount_beyond_32_bits_is_refused(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    question = {"demand": {"profile": [step("2026-05-01", "2026-09-15", 10_000_000)]}}
    error = await api.error(RECOMMEND, owner.token, input=question)
    assert (error["code"], error["amount"]) == ("AMOUNT_TOO_LARGE", "2749972500")


@pytest.mark.parametrize("ended", [True, False])
async def test_there_is_no_plan_without_a_paid_contract(api: Api, world: World, ended: bool) -> None:
    owner = await world.customer(*([starter("2025-04-01", "2026-04-01")] if ended else []))
    error = await api.error(RECOMMEND, owner.token, input={"demand": {"profile": PROFILE}})
    assert (error["code"], error["contractEndedBefore"]) == ("NO_PAID_CONTRACT", "2026-04-01" if ended else None)


async def test_a_busy_planner_is_a_retryable_error(services: Services, world: World) -> None:
    owner = await world.customer(starter())
    full = PlannerPool(workers=1, waiting_max=0)
    try:
        async with AsyncClient(
            transport=ASGITransport(create_app(replace(services, planner=full))), base_url="http://testserver"
        ) as client:
            error = await Api(client).error(RECOMMEND, owner.token, input={"demand": {"profile": PROFILE}})
    finally:
        await full.close()
    assert error == {
        "message": "The planner is busy. Try again in a moment.",
        "code": "PLANNER_BUSY",
        "retryable": True,
    }
