"""Recommendations that are refused: bad questions, amounts too large, no contract, a busy planner."""

from dataclasses import replace
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient

from domain.money import MINOR_UNITS_MAX
from planner.workers import PlannerPool
from resolvers.services import Services
from schema.app import create_app
from tests.schema.test_recommend import PROFILE, RECOMMEND, step
from tests.world import Api, World, starter

pytestmark = pytest.mark.anyio


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
            {"demand": {"events": [step("2026-05-01", "2026-06-01", -1)]}},
            {
                "code": "DEMAND_ACCOUNTS_OUT_OF_RANGE",
                "field": "demand.events[0]",
                "message": "-1 accounts is not between 0 and 10000000.",
                "accounts": -1,
                "accountsMax": 10_000_000,
            },
        ),
        (
            {"demand": {"profile": [step("2026-05-01", "2026-06-01", 150), step("2026-05-31", "2026-07-01", 200)]}},
            {
                "code": "DEMAND_OVERLAPS",
                "field": "demand.profile[1]",
                "message": "The entry that starts on 2026-05-31 overlaps one that ends before 2026-06-01.",
                "startsOn": "2026-05-31",
                "previousEndsBefore": "2026-06-01",
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
            {"ordersMax": 1_001},
            {
                "code": "ORDERS_MAX_OUT_OF_RANGE",
                "field": "ordersMax",
                "message": "At most 1001 orders is not a limit from 1 to 1000.",
                "ordersMax": 1_001,
                "ordersMaxLimit": 1_000,
            },
        ),
        (
            {"accountsPerOrderMax": 99},
            {
                "code": "ACCOUNTS_PER_ORDER_TOO_FEW",
                "field": "accountsPerOrderMax",
                "message": "At most 99 accounts per order is less than one unit of 100.",
                "accountsPerOrderMax": 99,
                "accountsPerUnit": 100,
            },
        ),
        (
            {"orderFee": -1},
            {
                "code": "ORDER_FEE_OUT_OF_RANGE",
                "field": "orderFee",
                "message": "-1 minor units per order is not between 0 and 2147483647.",
                "orderFee": -1,
                "orderFeeMax": MINOR_UNITS_MAX,
            },
        ),
        (
            {"budget": -1},
            {
                "code": "BUDGET_OUT_OF_RANGE",
                "field": "budget",
                "message": "A budget of -1 minor units is not between 0 and 2147483647.",
                "budget": -1,
                "budgetMax": MINOR_UNITS_MAX,
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


async def test_a_contract_of_more_than_ten_years_is_refused(api: Api, world: World) -> None:
    owner = await world.customer(starter("2026-04-01", "2036-05-29"))
    error = await api.error(RECOMMEND, owner.token, input={"demand": {"profile": PROFILE}})
    assert error == {
        "code": "HORIZON_TOO_LONG",
        "field": "customerId",
        "message": "The contract has 3702 days from the earliest start on; at most 3700 can be planned.",
        "days": 3_702,
        "daysMax": 3_700,
    }


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
