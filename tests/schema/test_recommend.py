"""Recommendations over GraphQL: all three forms of demand, the options, and everything an answer says."""

from functools import partial
from typing import Any

import pytest

from domain.money import MINOR_UNITS_MAX
from planner.problem import FrontierPoint, Need, Outcome, PeakCost, PlanStatus, Reason
from resolvers.access import Role
from schema.plan_parts import sentence
from tests.planner.builders import planned
from tests.planner.stand_ins import say
from tests.world import Api, World, confirmed, period, starter

pytestmark = pytest.mark.anyio

RECOMMEND = """
query($input: RecommendInput!) {
  spotPlanRecommend(input: $input) {
    status gap ordersBound fewestProven contractVersion fromCache
    shortfallAccountDays shortfallBoundAccountDays
    netTotal { minorUnits } tax { minorUnits } total { minorUnits }
    fees { minorUnits } cost { minorUnits } lowerBound { minorUnits }
    orders { accounts units startsOn endsBefore lastDay kind months price { total { minorUnits } } reason
             serves { from until accountsMissing } uncovered { from until accountsMissing } neededOn { from until } }
    frontier { ordersMax netTotal { minorUnits } fees { minorUnits } cost { minorUnits } lowerBound { minorUnits }
               proven gap orders { accounts units startsOn endsBefore lastDay kind months net { minorUnits } } }
    baselines { kind ordersCount netTotal { minorUnits } saving { minorUnits } }
    spotsOnly { cost { minorUnits } saving { minorUnits } }
    coverage { from until demand capacityBefore capacityAfter }
    shortfalls { from until accountsMissing reason }
    nearestDemand { from until accounts }
    peaks { from until accounts accountsFewer cost { minorUnits } }
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


def run(begin: str, until: str, missing: int) -> dict[str, Any]:
    return {"from": begin, "until": until, "accountsMissing": missing}


def yen(amount: int) -> dict[str, int]:
    return {"minorUnits": amount}


def spot(units: int, begin: str, end: str, last_day: str, months: int) -> dict[str, Any]:
    items = {"accounts": units * 100, "units": units, "startsOn": begin, "endsBefore": end, "lastDay": last_day}
    return {**items, "kind": "SPOT", "months": months}


TWO_MONTHS = spot(2, "2026-05-01", "2026-07-01", "2026-06-30", 2)
ONE_MONTH = spot(1, "2026-05-20", "2026-06-20", "2026-06-19", 1)


async def test_the_cheapest_plan_with_everything_a_sales_tool_shows(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    sales = await world.token(Role.SALES)
    answer = await recommended(api, sales, {"profile": PROFILE}, customerId=owner.id)
    assert owner.stored is not None

    def coverage(begin: str, until: str, demand: int, after: int) -> dict[str, Any]:
        return {"from": begin, "until": until, "demand": demand, "capacityBefore": 100, "capacityAfter": after}

    def baseline(kind: str, orders: int, net: int) -> dict[str, Any]:
        return {"kind": kind, "ordersCount": orders, "netTotal": yen(net), "saving": yen(net - 25_000)}

    def point(cost: int, *orders: dict[str, Any]) -> dict[str, Any]:
        amounts = {"netTotal": yen(cost), "fees": yen(0), "cost": yen(cost), "lowerBound": yen(cost)}
        return {"ordersMax": len(orders), **amounts, "proven": True, "gap": 0.0, "orders": list(orders)}

    assert answer == {
        "status": "OPTIMAL",
        "gap": 0.0,
        "ordersBound": 2,
        "fewestProven": True,
        "fromCache": False,
        "contractVersion": f"{owner.stored.id}.1",
        "shortfallAccountDays": 0.0,
        "shortfallBoundAccountDays": 0.0,
        "netTotal": yen(25_000),
        "tax": yen(2_500),
        "total": yen(27_500),
        "fees": yen(0),
        "cost": yen(25_000),
        "lowerBound": yen(25_000),
        "orders": [
            {
                **TWO_MONTHS,
                "price": {"total": yen(22_000)},
                "reason": "It serves 2026-05-01 to 2026-06-30, which would be up to 300 accounts short without the"
                " plan; one unit less would leave 2026-05-01 to 2026-06-04 and 2026-06-20 to 2026-06-30"
                " up to 100 accounts short.",
                "serves": [run("2026-05-01", "2026-07-01", 300)],
                "uncovered": [run("2026-05-01", "2026-06-05", 100), run("2026-06-20", "2026-07-01", 100)],
                "neededOn": [
                    {"from": "2026-05-01", "until": "2026-06-05"},
                    {"from": "2026-06-20", "until": "2026-07-01"},
                ],
            },
            {
                **ONE_MONTH,
                "price": {"total": yen(5_500)},
                "reason": "It serves 2026-05-20 to 2026-06-19, which would be up to 300 accounts short without the"
                " plan; one unit less would leave 2026-05-20 to 2026-06-04 up to 100 accounts short.",
                "serves": [run("2026-05-20", "2026-06-20", 300)],
                "uncovered": [run("2026-05-20", "2026-06-05", 100)],
                "neededOn": [{"from": "2026-05-20", "until": "2026-06-05"}],
            },
        ],
        "frontier": [
            point(30_000, {**spot(3, "2026-05-01", "2026-07-01", "2026-06-30", 2), "net": yen(30_000)}),
            point(25_000, {**TWO_MONTHS, "net": yen(20_000)}, {**ONE_MONTH, "net": yen(5_000)}),
        ],
        "baselines": [
            baseline("PEAK_FOR_WHOLE_SPAN", 1, 30_000),
            baseline("ONE_ORDER_PER_DEMAND_STEP", 3, 25_000),
            baseline("MONTH_BY_MONTH", 2, 30_000),
        ],
        "spotsOnly": None,
        "coverage": [
            coverage("2026-05-01", "2026-05-20", 250, 300),
            coverage("2026-05-20", "2026-06-05", 400, 400),
            coverage("2026-06-05", "2026-06-20", 300, 400),
            coverage("2026-06-20", "2026-07-01", 300, 300),
        ],
        "shortfalls": [],
        "nearestDemand": [],
        "peaks": [
            {"from": "2026-05-20", "until": "2026-06-05", "accounts": 400, "accountsFewer": 100, "cost": yen(5_000)}
        ],
    }


async def test_profile_and_csv_say_the_same(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    lines = [f"{line['from']},{line['until']},{line['accounts']}" for line in PROFILE]
    profile = await recommended(api, owner.token, {"profile": PROFILE[::-1]})
    csv = await recommended(api, owner.token, {"csv": "\r\n".join(["from,until,accounts", *lines])})
    assert csv == {**profile, "fromCache": True}  # they are one question
    assert csv["netTotal"] == yen(25_000)


async def test_options_limit_the_plan(api: Api, world: World) -> None:
    owner = await world.customer(starter())

    async def plan(**options: Any) -> tuple[str, int, int, int, list[int]]:
        answer = await recommended(api, owner.token, {"profile": PROFILE}, **options)
        amounts = [answer[name]["minorUnits"] for name in ("netTotal", "fees", "cost")]
        return answer["status"], *amounts, [order["accounts"] for order in answer["orders"]]

    assert await plan(ordersMax=1) == ("OPTIMAL", 30_000, 0, 30_000, [300])
    assert await plan(orderFee=4_999) == ("OPTIMAL", 25_000, 9_998, 34_998, [200, 100])
    assert await plan(orderFee=5_001) == ("OPTIMAL", 30_000, 5_001, 35_001, [300])
    assert await plan(accountsPerOrderMax=199) == ("OPTIMAL", 25_000, 0, 25_000, [100, 100, 100])
    assert await plan(monthsMax=1, ordersMax=1) == ("INFEASIBLE", 0, 0, 0, [])


async def test_a_budget_buys_the_smallest_shortfall(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    profile = [step("2026-05-01", "2026-05-11", 200), step("2026-06-11", "2026-06-26", 300)]
    answer = await recommended(api, owner.token, {"profile": profile}, budget=14_999)
    # Two units for June; May's ten days of a hundred accounts are what is left.
    assert [(order["startsOn"], order["units"]) for order in answer["orders"]] == [("2026-06-11", 2)]
    assert (answer["status"], answer["cost"]) == ("OPTIMAL", yen(10_000))
    assert (answer["shortfallAccountDays"], answer["shortfallBoundAccountDays"]) == (1_000.0, 1_000.0)
    assert answer["shortfalls"] == [{**run("2026-05-01", "2026-05-11", 100), "reason": "OVER_BUDGET"}]


async def test_additional_licences_are_compared_with_spots_alone(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    profile = [step("2026-06-01", "2027-04-01", 200)]  # ten months at 5,000; the year's last 304 days at 30,000
    answer = await recommended(api, owner.token, {"profile": profile}, includeAdditionalLicences=True)
    assert [(order["kind"], order["months"], order["endsBefore"]) for order in answer["orders"]] == [
        ("ADDITIONAL_LICENCE", None, "2027-04-01")
    ]
    net = 30_000 * 304 // 365
    assert (answer["netTotal"], answer["spotsOnly"]) == (
        yen(net),
        {"cost": yen(50_000), "saving": yen(50_000 - net)},
    )


async def test_one_point_of_the_frontier_can_be_asked_for(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    query = """query($input: RecommendInput!) { spotPlanRecommend(input: $input) {
      none: frontier(ordersMax: 0) { ordersMax }
      one: frontier(ordersMax: 1) { ordersMax orders { accounts } }
      nine: frontier(ordersMax: 9) { ordersMax orders { accounts } }
    } }"""
    answer = (await api.data(query, owner.token, input={"demand": {"profile": PROFILE}}))["spotPlanRecommend"]
    assert answer == {
        "none": [],
        "one": [{"ordersMax": 1, "orders": [{"accounts": 300}]}],
        "nine": [{"ordersMax": 2, "orders": [{"accounts": 200}, {"accounts": 100}]}],
    }


async def test_what_is_only_compared_may_be_too_large_for_money(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = (planned("2026-05-01", 1, unit_price_minor=MINOR_UNITS_MAX + 1),)
    outcome = Outcome(
        PlanStatus.OPTIMAL,
        frontier=(FrontierPoint(1, orders, MINOR_UNITS_MAX + 11, MINOR_UNITS_MAX),),
        peaks=(PeakCost(period("2026-05-01", "2026-05-02"), 10, 9, MINOR_UNITS_MAX + 1),),
        spots_only_cost_minor=MINOR_UNITS_MAX + 1,
        shortfall_account_days=37_000_000_000,
    )
    monkeypatch.setattr("planner.workers.solve", partial(say, outcome))
    owner = await world.customer(starter())
    answer = await recommended(api, owner.token, {"profile": PROFILE})
    (point,) = answer["frontier"]
    assert (point["netTotal"], point["fees"], point["cost"], point["lowerBound"]) == (
        None,
        yen(10),
        None,
        yen(MINOR_UNITS_MAX),
    )
    assert [order["net"] for order in point["orders"]] == [None]
    assert [peak["cost"] for peak in answer["peaks"]] == [None]
    assert answer["spotsOnly"] is None
    assert answer["shortfallAccountDays"] == 37_000_000_000


async def test_a_plan_whose_fees_are_too_large_is_refused(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = Outcome(PlanStatus.OPTIMAL, cost_minor=MINOR_UNITS_MAX + 1, lower_bound_minor=0)
    monkeypatch.setattr("planner.workers.solve", partial(say, outcome))
    owner = await world.customer(starter())
    error = await api.error(RECOMMEND, owner.token, input={"demand": {"profile": PROFILE}})
    assert (error["code"], error["amount"]) == ("AMOUNT_TOO_LARGE", str(MINOR_UNITS_MAX + 1))


def test_a_reason_in_words() -> None:
    def needs(*of: tuple[str, str, int]) -> tuple[Need, ...]:
        return tuple(Need(period(begin, until), missing) for begin, until, missing in of)

    assert sentence(Reason(needs(("2026-05-01", "2026-05-02", 1)), ())) == (
        "It serves 2026-05-01, which would be up to 1 account short without the plan;"
        " one unit less would leave nothing short."
    )
    serves = needs(("2026-05-01", "2026-05-03", 7), ("2026-06-01", "2026-06-02", 9), ("2026-07-01", "2026-07-02", 8))
    uncovered = needs(*((f"2026-05-0{day}", f"2026-05-0{day + 1}", day) for day in (1, 3, 5, 7)))
    assert sentence(Reason(serves, uncovered)) == (
        "It serves 2026-05-01 to 2026-05-02, 2026-06-01 and 2026-07-01, which would be up to 9 accounts short"
        " without the plan; one unit less would leave 2026-05-01, 2026-05-03, 2026-05-05 and 1 more run of days"
        " up to 7 accounts short."
    )


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


async def test_what_cannot_be_covered_comes_with_what_could(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    answer = await recommended(api, owner.token, {"profile": [step("2027-03-20", "2027-04-20", 90)]})
    assert answer["status"] == "INFEASIBLE"
    assert answer["nearestDemand"] == [step("2027-03-20", "2027-04-01", 90), step("2027-04-01", "2027-04-20", 0)]
    assert answer["shortfallAccountDays"] == 19 * 90
