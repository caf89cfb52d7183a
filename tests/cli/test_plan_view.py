"""What a person sees: tables and a chart in 80 columns, and in words what is proven."""

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from cli.plan_words import licence_words, nearest_words, proven_words
from planner.problem import CoverageStep, Need, Outcome, PlanStatus, Reason, Shortfall, ShortfallReason
from tests.cli.planning import INSTANCES, full_problem, lines, problem, run, run_json, step
from tests.domain.builders import period
from tests.planner.builders import planned
from tests.planner.builders import problem as asked

RULE = "─"


def test_infeasible_days_and_the_nearest_demand_are_tables() -> None:
    demand = [step("2026-04-10", "2027-04-03", 1300)]
    result = run("-", "--earliest-start=2026-04-12", text=json.dumps(problem(demand=demand)))
    assert result.exit_code == 1
    assert lines(result) == [
        "No plan: no spot contract can cover 4 days of the demand.",
        "",
        "      from     last day   days   accounts missing   why",
        RULE * 77,
        "2026-04-10   2026-04-11      2              1,200   before the earliest start",
        "2027-04-01   2027-04-02      2              1,300   outside the main contract",
        "",
        "The nearest demand that can be covered has 5,000 account-days less; proven: none",
        "is nearer.",
        "",
        "      from     last day   accounts asked   nearest",
        RULE * 50,
        "2026-04-10   2026-04-11            1,300       100",
        "2027-04-01   2027-04-02            1,300         0",
    ]


def test_limits_that_are_too_tight_are_said_in_words() -> None:
    result = run("-", "--accounts-per-order-max=100", "--orders-max=1", text=json.dumps(problem()))
    assert result.exit_code == 1
    assert lines(result)[:5] == [
        "No plan: within the limits on orders, 40 days of the demand stay short at best.",
        "",
        "      from     last day   days   accounts missing   why",
        RULE * 68,
        "2026-04-10   2026-05-19     40                100   limits on orders",
    ]


def test_less_than_a_month_left_is_said_in_words() -> None:
    changes = {"demand": [step("2027-03-20", "2027-03-21", 300)]}
    result = run("-", "--earliest-start=2027-03-10", text=json.dumps(problem(**changes)))
    assert result.exit_code == 1
    assert "2027-03-20   2027-03-20      1                200   less than a month is left" in lines(result)


def test_a_person_sees_orders_what_is_proven_why_what_else_and_coverage() -> None:
    changes = {
        "accounts": 1000,
        "demand": [
            step("2026-04-01", "2026-04-10", 600),
            step("2026-04-10", "2026-05-20", 1300),
            step("2026-05-20", "2026-06-01", 1000),
        ],
    }
    result = run("-", text=json.dumps(problem(**changes)))
    assert result.exit_code == 0
    assert lines(result) == [
        "        starts     last day   months   accounts   price without tax",
        RULE * 67,
        "1   2026-04-10   2026-06-09        2        300              30,000",
        "",
        "         total                                               30,000",
        "Proven: no plan is cheaper, and none of this cost has fewer orders.",
        "",
        "Why: accounts missing while it runs, and with one unit less; (+n): n more runs.",
        "",
        "    accounts missing                with one unit less",
        RULE * 65,
        "1   300: 2026-04-10 to 2026-05-19   100: 2026-04-10 to 2026-05-19",
        "",
        "compared with                              orders    price   the plan saves",
        RULE * 75,
        "one order of the peak for the whole span        1   30,000                0",
        "one order per step of the demand                1   30,000                0",
        "month by month, the most that is missing        2   30,000                0",
        "",
        "Peaks: what the last unit there costs, when no limit is put on orders.",
        "",
        "      from     last day   accounts   with so many fewer   it costs less by",
        RULE * 74,
        "2026-04-10   2026-05-19      1,300                  100             10,000",
        "",
        "accounts, 1 day per column",
        "1,300 │" + " " * 9 + "▓" * 40 + "░" * 12,
        "1,200 │" + " " * 9 + "▓" * 40 + "░" * 12,
        "1,100 │" + " " * 9 + "▓" * 40 + "░" * 12,
        "1,000 │" + "·" * 9 + "█" * 52,
        "  900 │" + "·" * 9 + "█" * 52,
        "  800 │" + "·" * 9 + "█" * 52,
        "  700 └" + "─" * 61,
        "       2026-04-01                    2026-05",
        "       █ needed, in the main contract  · spare in the main contract",
        "       ▓ needed, in the plan's orders  ░ spare in the plan's orders",
    ]


def test_licences_and_fees_are_shown_where_there_are_any() -> None:
    given = full_problem(include_additional_licences=True, order_fee=100)
    assert lines(run("-", text=json.dumps(given)))[:27] == [
        "    what          starts     last day   months   accounts   price without tax",
        RULE * 77,
        "1   licence   2027-02-10   2027-03-31                 300              12,327",
        "2   spot      2027-03-31   2027-05-30        2        200              22,000",
        "",
        "                   total                                               34,327",
        "                fees (2)                                                  200",
        "                    cost                                               34,527",
        "Proven: no plan is cheaper, fees included, and none of this cost has fewer",
        "orders.",
        "Additional licences save 17,673 (33.9%); the best found without them: 52,200.",
        "",
        "Why: accounts missing while it runs, and with one unit less; (+n): n more runs.",
        "",
        "    accounts missing                with one unit less",
        RULE * 65,
        "1   300: 2027-02-10 to 2027-03-31   100: 2027-02-10 to 2027-03-30",
        "2   300: 2027-03-31 to 2027-05-19   100: 2027-04-01 to 2027-05-19",
        "",
        "With fewer orders:",
        "",
        "orders at most     cost   above the last   proven",
        RULE * 49,
        "             1   63,100   28,573 (82.8%)   yes",
        "             2   34,527                0   yes",
        "",
        "compared with                              orders     cost   the plan saves",
    ]


def test_a_budget_shows_what_stays_short() -> None:
    result = run("-", "--budget=12000", text=json.dumps(problem()))
    assert result.exit_code == 0
    printed = lines(result)
    assert printed[5:13] == [
        "Within the budget of 12,000, 2,000 account-days of the demand stay short.",
        "Proven: no plan within it leaves less short, and of those that leave as little",
        "none is cheaper.",
        "",
        "What stays short:",
        "",
        "      from     last day   days   accounts missing   why",
        RULE * 67,
    ]
    assert printed[13] == "2026-04-10   2026-04-19     10                200   over the budget"
    assert "300 │" + "!" * 10 + "▓" * 30 in printed
    assert printed[-1] == "     ! needed, stays short"
    assert not any(line.startswith("compared with") for line in printed)


def test_simpler_ways_that_break_the_limits_save_nothing() -> None:
    changes = {"demand": [step("2026-04-10", "2026-04-20", 300), step("2026-08-10", "2026-08-20", 200)]}
    printed = lines(run("-", "--orders-max=1", text=json.dumps(problem(**changes))))
    assert [line for line in printed if line.startswith(("one order", "month by"))] == [
        "one order of the peak for the whole span        1   50,000                 0",
        "one order per step of the demand                2   15,000   over the limits",
        "month by month, the most that is missing        2   15,000   over the limits",
    ]


def test_a_long_frontier_is_cut_before_its_last_line() -> None:
    steps = [step(f"2026-{month:02}-01", f"2026-{month:02}-02", 100 + 100 * month) for month in range(4, 13)]
    far = [step(f"2027-{month:02}-10", f"2027-{month:02}-11", 200) for month in (2, 4, 6, 8, 10, 12)]
    given = problem(ends_before="2028-04-01", demand=steps + far)
    printed = lines(run("-", text=json.dumps(given)))
    first = printed.index("With fewer orders:") + 4
    table = printed[first : printed.index("", first)]
    numbers = [line.split()[0] for line in table]
    assert numbers == [*(str(number) for number in range(1, 11)), "...", "15"]
    assert table[-2].endswith("4 more")
    assert table[-1].endswith("0   yes")


@pytest.mark.parametrize("instance", INSTANCES, ids=[instance["name"] for instance in INSTANCES])
def test_the_view_fits_into_80_columns_and_holds_every_order(instance: dict[str, Any]) -> None:
    result = run("-", text=json.dumps(instance))
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert max(len(line) for line in lines(result)) <= 80
    _, printed = run_json(text=json.dumps(instance))
    for order in printed["orders"]:
        last_day = date.fromisoformat(order["ends_before"]) - timedelta(days=1)
        assert f"   {order['starts_on']}   {last_day} " in result.stdout
        assert f" {order['net_price']:,}" in result.stdout


def test_an_ascii_terminal_gets_ascii() -> None:
    result = run("-", text=json.dumps(problem()), charset="ascii")
    assert result.exit_code == 0
    assert result.stdout.isascii()
    assert "+ needed, in the plan's orders" in result.stdout


PLAN = Outcome(
    PlanStatus.OPTIMAL,
    orders=(planned("2026-05-01", 2), planned("2026-08-01", 1)),
    cost_minor=15_000,
    lower_bound_minor=15_000,
    orders_bound=2,
)
SHORT = Shortfall(period("2026-05-01", "2026-05-11"), 30, ShortfallReason.OVER_BUDGET)
ASKED = asked(("2026-05-01", "2026-06-01", 200))


@pytest.mark.parametrize(
    ("limits", "changes", "words"),
    [
        ({}, {}, "Proven: no plan is cheaper, and none of this cost has fewer orders."),
        ({}, {"orders_bound": 1}, "Proven: no plan is cheaper."),
        (
            {"orders_max": 9},
            {"orders": PLAN.orders * 3, "orders_bound": 4},
            "Proven: no plan within the limits is cheaper, and none of this cost has fewer than 4 orders.",
        ),
        (
            {"order_fee_minor": 1},
            {"status": PlanStatus.FEASIBLE, "lower_bound_minor": 14_000},
            "Proven: no plan costs less than 14,000, fees included. A cheaper one, by 6.7% at most, is not ruled out.",
        ),
        (
            {"budget_minor": 20_000},
            {"status": PlanStatus.FEASIBLE, "lower_bound_minor": 0},
            "Not proven to be the cheapest.",
        ),
    ],
)
def test_what_is_proven_of_a_plan(limits: dict[str, Any], changes: dict[str, Any], words: str) -> None:
    assert proven_words(replace(ASKED, **limits), replace(PLAN, **changes)) == [words]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            "Proven: no plan within it leaves less short, and of those that leave as little none is cheaper.",
        ),
        (
            {"status": PlanStatus.FEASIBLE},
            "Proven: no plan within it leaves less short. A cheaper one that leaves as little is not ruled out.",
        ),
        (
            {"status": PlanStatus.FEASIBLE, "shortfall_bound_account_days": 1},
            "Proven: no plan within it leaves less than 1 account-day short.",
        ),
        (
            {"status": PlanStatus.FEASIBLE, "shortfall_bound_account_days": 0},
            "Whether a plan within it leaves less short is not known.",
        ),
    ],
)
def test_what_is_proven_within_a_budget(changes: dict[str, Any], words: str) -> None:
    within = replace(PLAN, shortfalls=(SHORT,), shortfall_account_days=300, shortfall_bound_account_days=300)
    assert proven_words(replace(ASKED, budget_minor=15_000), replace(within, **changes)) == [
        "Within the budget of 15,000, 300 account-days of the demand stay short.",
        words,
    ]


@pytest.mark.parametrize(
    ("spots_only", "words"),
    [
        (30_000, "Additional licences save 15,000 (50.0%); the best found without them: 30,000."),
        (15_000, "Additional licences save nothing here."),
        (None, "No plan of spot contracts alone was found."),
    ],
)
def test_what_licences_save(spots_only: int | None, words: str) -> None:
    outcome = replace(PLAN, spots_only_cost_minor=spots_only)
    assert licence_words(replace(ASKED, additional_licences=True), outcome) == [words]
    assert licence_words(ASKED, outcome) == []


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        (300, "; proven: none is nearer."),
        (200, ", of those found; proven: it takes 200 account-days less."),
        (0, ", of those found."),
    ],
)
def test_how_near_the_nearest_demand_is(bound: int, words: str) -> None:
    outcome = Outcome(PlanStatus.INFEASIBLE, shortfall_account_days=300, shortfall_bound_account_days=bound)
    assert nearest_words(outcome) == "The nearest demand that can be covered has 300 account-days less" + words


def test_reasons_beyond_a_dozen_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    need = Need(period("2026-05-01", "2026-05-02"), 1_000)
    coverage = (CoverageStep(period("2026-05-01", "2026-06-01"), 1_100, 100, 1_500),)
    outcome = replace(PLAN, orders=PLAN.orders[:1] * 14, reasons=(Reason((need,) * 3, ()),) * 14, coverage=coverage)
    monkeypatch.setattr("planner.solve.solve", lambda problem, seconds: outcome)
    printed = lines(run("-", text=json.dumps(problem())))
    assert "12   1,000: 2026-05-01 (+2)   nothing" in printed
    assert " " * 30 + "... 2 more" in printed
    assert "13   1,000: 2026-05-01 (+2)   nothing" not in printed


def test_no_plan_in_time_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.solve.solve", lambda problem, seconds: Outcome(PlanStatus.NO_PLAN_IN_TIME))
    result = run("-", text=json.dumps(problem()))
    assert (result.exit_code, result.stdout) == (1, "No plan was found in time.\n")
