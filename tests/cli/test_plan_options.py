"""The whole contract and the limits of a plan, in the file and as options."""

import json
from typing import Any

import pytest

from tests.cli.planning import CONTRACT, CSV, full_problem, problem, run, run_json, step, term

TWO_EVENTS = [step("2026-04-10", "2026-04-20", 300), step("2026-08-10", "2026-08-20", 200)]


def bought(printed: dict[str, Any]) -> list[tuple[str, str, str, int]]:
    return [(order["kind"], order["starts_on"], order["ends_before"], order["accounts"]) for order in printed["orders"]]


def test_terms_price_each_month_by_the_term_in_force() -> None:
    code, printed = run_json(text=json.dumps(full_problem()))
    assert code == 0
    # 3 units from 10 February: 2 months of the first term. 2 units from 31 March: a month of each term.
    assert [(order["starts_on"], order["ends_before"], order["net_price"]) for order in printed["orders"]] == [
        ("2027-02-10", "2027-04-10", 30_000),
        ("2027-03-31", "2027-05-31", 2 * (5_000 + 6_000)),
    ]


def test_additional_licences_and_spots_of_the_contract_give_capacity() -> None:
    changes = {
        "additional_licences": [step("2026-05-01", "2027-04-01", 100)],
        "spots": [step("2027-03-01", "2027-05-01", 150)],
    }
    _, printed = run_json(text=json.dumps(full_problem(**changes)))
    before = [(item["from"], item["capacity_before"]) for item in printed["coverage"]]
    assert [item for index, item in enumerate(before) if index == 0 or item[1] != before[index - 1][1]] == [
        ("2027-02-10", 200),
        ("2027-03-01", 350),
        ("2027-05-01", 200),
    ]


@pytest.mark.parametrize("where", ["file", "option"])
@pytest.mark.parametrize(
    ("changes", "key", "flag", "value", "expected"),
    [
        ({"demand": TWO_EVENTS}, "orders_max", "--orders-max", 1, {"net_total": 5 * 2 * 5_000, "orders_bound": 1}),
        ({}, "accounts_per_order_max", "--accounts-per-order-max", 199, {"net_total": 20_000, "orders_bound": 2}),
        ({}, "order_fee", "--order-fee", 700, {"net_total": 20_000, "fees": 700, "cost": 20_700}),
        ({}, "budget", "--budget", 12_000, {"net_total": 10_000, "shortfall_account_days": 10 * 200}),
        ({}, "months_max", "--months-max", 1, {"net_total": 20_000, "orders_bound": 2}),
        ({}, "earliest_start", "--earliest-start", "2026-04-11", {"status": "INFEASIBLE"}),
        ({}, "today", "--today", "2026-04-11", {"status": "INFEASIBLE"}),
    ],
    ids=["orders_max", "accounts_per_order_max", "order_fee", "budget", "months_max", "earliest_start", "today"],
)
def test_a_limit_in_the_file_or_as_an_option(  # noqa: PLR0917
    where: str, changes: dict[str, Any], key: str, flag: str, value: object, expected: dict[str, Any]
) -> None:
    limit = {key: value} if where == "file" else {}
    option = [] if where == "file" else [f"{flag}={value}"]
    _, printed = run_json(*option, text=json.dumps(problem(**changes, **limit)))
    assert {name: printed[name] for name in expected} == expected


@pytest.mark.parametrize(("key", "reason"), [("earliest_start", "BEFORE_EARLIEST_START"), ("today", "IN_THE_PAST")])
def test_days_before_today_and_before_the_earliest_start_have_reasons_of_their_own(key: str, reason: str) -> None:
    _, printed = run_json(text=json.dumps(problem(**{key: "2026-04-11"})))
    assert [missing["reason"] for missing in printed["shortfalls"]] == [reason]


def test_an_option_replaces_a_limit_of_the_file() -> None:
    given = problem(demand=TWO_EVENTS, orders_max=1, order_fee=900)
    _, printed = run_json("--orders-max=2", "--order-fee=0", text=json.dumps(given))
    assert (printed["net_total"], printed["fees"], len(printed["orders"])) == (15_000, 0, 2)


def test_a_limit_that_is_null_in_the_file_is_none() -> None:
    given = problem(orders_max=None, budget=None, include_additional_licences=None, billing_cycle=None)
    _, printed = run_json(text=json.dumps(given))
    assert printed["net_total"] == 20_000


def test_the_budget_is_spent_where_it_helps_most() -> None:
    code, printed = run_json("--budget=12000", text=json.dumps(problem()))
    assert code == 0
    assert (printed["status"], bought(printed)) == ("OPTIMAL", [("SPOT", "2026-04-20", "2026-05-20", 200)])
    assert printed["shortfalls"] == [
        {"from": "2026-04-10", "until": "2026-04-20", "accounts_missing": 200, "reason": "OVER_BUDGET"}
    ]
    assert printed["shortfall_bound_account_days"] == 2_000


@pytest.mark.parametrize("where", ["file", "option"])
def test_additional_licences_are_bought_where_they_are_cheaper(where: str) -> None:
    allowed = {"include_additional_licences": True} if where == "file" else {}
    option = [] if where == "file" else ["--additional-licences"]
    _, printed = run_json(*option, text=json.dumps(full_problem(**allowed)))
    # 50 days of the annual price, rounded down per unit, against two months of the monthly one.
    licence = 3 * (30_000 * 50 // 365)
    assert bought(printed) == [
        ("ADDITIONAL_LICENCE", "2027-02-10", "2027-04-01", 300),
        ("SPOT", "2027-03-31", "2027-05-31", 200),
    ]
    assert [order["months"] for order in printed["orders"]] == [None, 2]
    assert (printed["cost"], printed["spots_only_cost"]) == (licence + 22_000, 52_000)


def test_additional_licences_of_the_file_can_be_switched_off() -> None:
    given = full_problem(include_additional_licences=True)
    _, printed = run_json("--no-additional-licences", text=json.dumps(given))
    assert (printed["cost"], printed["spots_only_cost"]) == (52_000, None)


def test_the_simple_form_may_be_billed_annually() -> None:
    demand = [step("2026-12-01", "2027-04-01", 200)]
    given = problem(demand=demand, billing_cycle="ANNUAL", annual_unit_price=30_000)
    _, printed = run_json("--additional-licences", text=json.dumps(given))
    assert (printed["cost"], printed["spots_only_cost"]) == (30_000 * 121 // 365, 20_000)


def test_a_csv_billed_annually_has_the_published_price() -> None:
    csv = "2026-12-01,2027-04-01,200\n"
    _, printed = run_json(*CONTRACT, "--billing-cycle=ANNUAL", "--additional-licences", text=csv)
    assert printed["cost"] == 30_000 * 121 // 365
    _, printed = run_json(*CONTRACT, "--additional-licences", text=csv)
    assert printed["cost"] == 4 * 5_000  # billed monthly, a licence costs what a spot costs


def test_a_search_may_take_longer() -> None:
    code, printed = run_json(*CONTRACT, "--seconds=60", text=CSV)
    assert (code, printed["status"]) == (0, "OPTIMAL")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("0.01", "--seconds: 0.01 is not between 0.05 and 3600"),
        ("nan", "--seconds: nan is not between 0.05 and 3600"),
        ("soon", '--seconds: "soon" is not a number'),
    ],
)
def test_seconds_out_of_range_are_refused(given: str, message: str) -> None:
    result = run("-", f"--seconds={given}", text=json.dumps(problem()))
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", message + "\n")


def test_a_term_billed_monthly_needs_no_annual_price() -> None:
    only = term("2026-04-01", "2027-04-01", billing_cycle="MONTHLY", annual_unit_price=None)
    code, _ = run_json(text=json.dumps(full_problem(terms=[only], demand=problem()["demand"])))
    assert code == 0
