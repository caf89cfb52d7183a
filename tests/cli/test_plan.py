"""``spotplan plan --json``: what it prints, recounted day by day, from JSON and from CSV."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.planning import CONTRACT, CSV, INSTANCES, problem, recount, run, run_json, step


@pytest.mark.parametrize("instance", INSTANCES, ids=[instance["name"] for instance in INSTANCES])
def test_every_instance_is_solved_to_its_known_optimum(instance: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "problem.json"
    file.write_text(json.dumps(instance))
    result = run(str(file), "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    printed = json.loads(result.stdout)
    assert printed["status"] == "OPTIMAL"
    assert printed["net_total"] == printed["cost"] == printed["lower_bound"] == instance["optimal_cost"]
    assert (printed["fees"], printed["gap"], printed["shortfalls"]) == (0, 0, [])
    assert recount(instance, printed["orders"]) == instance["optimal_cost"]
    for point in printed["frontier"]:
        assert recount(instance, point["orders"]) == point["cost"] >= point["lower_bound"]
        assert len(point["orders"]) <= point["orders_max"]
        assert point["proven"] == (point["cost"] == point["lower_bound"])


def test_there_are_forty_instances() -> None:
    assert len(INSTANCES) == 40


def test_json_has_exactly_these_keys_and_values() -> None:
    code, printed = run_json(text=json.dumps(problem(name="ignored")))
    assert code == 0
    assert printed.pop("solve_milliseconds") > 0
    order = {
        "kind": "SPOT",
        "starts_on": "2026-04-10",
        "ends_before": "2026-06-10",
        "months": 2,
        "units": 2,
        "accounts": 200,
        "net_price": 20000,
    }
    days = {"from": "2026-04-10", "until": "2026-05-20"}
    reason = {"serves": [{**days, "accounts_missing": 200}], "uncovered": [{**days, "accounts_missing": 100}]}
    assert printed == {
        "status": "OPTIMAL",
        "net_total": 20000,
        "fees": 0,
        "cost": 20000,
        "lower_bound": 20000,
        "gap": 0.0,
        "orders_bound": 1,
        "fewest_proven": True,
        "spots_only_cost": None,
        "orders": [{**order, "reason": reason}],
        "frontier": [
            {
                "orders_max": 1,
                "net_total": 20000,
                "cost": 20000,
                "lower_bound": 20000,
                "proven": True,
                "orders": [order],
            }
        ],
        "baselines": [
            {"kind": "PEAK_FOR_WHOLE_SPAN", "net_total": 20000, "orders": 1},
            {"kind": "ONE_ORDER_PER_DEMAND_STEP", "net_total": 20000, "orders": 1},
            {"kind": "MONTH_BY_MONTH", "net_total": 20000, "orders": 2},
        ],
        "peaks": [{**days, "accounts": 300, "accounts_fewer": 100, "net_price": 10000}],
        "shortfall_account_days": 0,
        "shortfall_bound_account_days": 0,
        "shortfalls": [],
        "nearest_demand": [],
        "coverage": [{**days, "demand": 300, "capacity_before": 100, "capacity_after": 300}],
    }


def test_csv_takes_the_contract_from_options(tmp_path: Path) -> None:
    file = tmp_path / "demand.csv"
    file.write_text(CSV)
    result = run(str(file), "--json", *CONTRACT)
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    # The published Starter plan: 100 accounts at 5,000 a month. 2 units x 2 months + 2 units x 1 month.
    assert printed["net_total"] == 30000
    assert [(order["starts_on"], order["months"], order["units"]) for order in printed["orders"]] == [
        ("2026-04-10", 2, 2),
        ("2026-07-01", 1, 2),
    ]


def test_csv_from_standard_input_with_its_own_unit_and_price() -> None:
    code, printed = run_json(*CONTRACT, "--accounts-per-unit=50", "--monthly-unit-price=900", text=CSV)
    assert code == 0
    assert printed["net_total"] == 4 * 2 * 900 + 3 * 1 * 900


def test_options_replace_what_the_json_says() -> None:
    code, printed = run_json("--accounts=200", "--months-max=1", text=json.dumps(problem(months_max=12)))
    assert code == 0
    assert [(order["months"], order["units"]) for order in printed["orders"]] == [(1, 1), (1, 1)]
    assert printed["net_total"] == 10000


def test_nothing_to_buy_is_a_plan_without_orders() -> None:
    code, printed = run_json("--accounts=300", text=json.dumps(problem()))
    assert (code, printed["status"], printed["net_total"], printed["orders"]) == (0, "OPTIMAL", 0, [])
    result = run("-", "--accounts=300", text=json.dumps(problem()))
    assert result.stdout == "The main contract covers this demand: nothing to buy.\n"


def test_infeasible_days_have_reasons_and_the_nearest_demand_but_no_total() -> None:
    demand = [step("2026-04-10", "2027-04-03", 300)]
    code, printed = run_json("--earliest-start=2026-04-12", text=json.dumps(problem(demand=demand)))
    assert code == 1
    assert printed.pop("solve_milliseconds") > 0
    totals = ("net_total", "fees", "cost", "lower_bound", "gap", "orders_bound", "fewest_proven", "spots_only_cost")
    assert printed == {
        "status": "INFEASIBLE",
        **dict.fromkeys(totals),
        "orders": [],
        "frontier": [],
        "baselines": [],
        "peaks": [],
        "shortfall_account_days": 2 * 200 + 2 * 300,
        "shortfall_bound_account_days": 2 * 200 + 2 * 300,
        "shortfalls": [
            {"from": "2026-04-10", "until": "2026-04-12", "accounts_missing": 200, "reason": "BEFORE_EARLIEST_START"},
            {"from": "2027-04-01", "until": "2027-04-03", "accounts_missing": 300, "reason": "OUTSIDE_CONTRACT"},
        ],
        "nearest_demand": [
            step("2026-04-10", "2026-04-12", 100),
            step("2026-04-12", "2027-04-01", 300),
            step("2027-04-01", "2027-04-03", 0),
        ],
        "coverage": [
            {"from": "2026-04-10", "until": "2027-04-01", "demand": 300, "capacity_before": 100, "capacity_after": 100},
            {"from": "2027-04-01", "until": "2027-04-03", "demand": 300, "capacity_before": 0, "capacity_after": 0},
        ],
    }


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "problem.json"
    file.write_text("\ufeff" + json.dumps(problem()))
    assert run(str(file), "--json").exit_code == 0
