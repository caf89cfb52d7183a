"""The most useful plan within a budget: the smallest shortfall in account-days, then the least cost."""

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from planner.problem import Outcome, PlanningProblem, PlanStatus, Shortfall, ShortfallReason
from planner.solve import solve
from planner.verify import verify
from tests.domain.builders import contract, period, term
from tests.planner.builders import larger_problem, planned, problem, seeds, small_problem, tiny_problem, with_options
from tests.planner.oracle import accounts_missing, bought_on, highs_answers, rows_of
from tests.planner.order_oracle import best_sets

BLOCK = 25
PLENTY = 20.0
_R = ShortfallReason


def answer(outcome: Outcome) -> tuple[PlanStatus, int, int]:
    return outcome.status, outcome.shortfall_account_days, outcome.cost_minor


def recounted_shortfall(problem: PlanningProblem, outcome: Outcome) -> int:
    missing = accounts_missing(problem).items()
    return sum(max(0, accounts - bought_on(outcome.orders, on)) for on, accounts in missing)


def assert_bounds(problem: PlanningProblem, outcome: Outcome, seed: int) -> None:
    """What must hold even where nothing is proven."""
    verify(problem, outcome.orders, outcome.shortfall_account_days)
    assert outcome.shortfall_account_days == recounted_shortfall(problem, outcome), seed
    listed = sum(short.period.days * short.accounts_missing for short in outcome.shortfalls)
    assert listed == outcome.shortfall_account_days, seed
    assert outcome.cost_minor == outcome.net_minor + problem.order_fee_minor * len(outcome.orders), seed
    assert outcome.cost_minor <= (problem.budget_minor or 0), seed
    assert 0 <= outcome.shortfall_bound_account_days <= outcome.shortfall_account_days, seed
    assert 0 <= outcome.lower_bound_minor <= outcome.cost_minor, seed
    is_proven = (
        outcome.shortfall_bound_account_days == outcome.shortfall_account_days
        and outcome.lower_bound_minor == outcome.cost_minor
    )
    assert (outcome.status is PlanStatus.OPTIMAL) is is_proven, seed


def budgeted(problem: PlanningProblem, seed: int) -> PlanningProblem:
    """A budget from nothing to exactly what covering everything costs."""
    random = Random(seed)
    cost = solve(problem, PLENTY).cost_minor or 20_000
    budget = random.choice([cost, cost - 1, random.randint(0, cost), random.randint(0, cost), random.randint(0, cost)])
    return replace(problem, budget_minor=budget)


@seeds(100, soak=1_000, block=BLOCK)
def test_shortfall_and_cost_are_those_of_all_sets_of_up_to_two_orders(first_seed: int) -> None:
    kinds: Counter[str] = Counter()
    for seed in range(first_seed, first_seed + BLOCK):
        asked = replace(budgeted(with_options(tiny_problem(seed), seed), seed), orders_max=1 + seed % 2)
        if not accounts_missing(asked):
            continue
        outcome = solve(asked, PLENTY)
        best = min(best_sets(asked, 1 + seed % 2))
        assert_bounds(asked, outcome, seed)
        assert answer(outcome) == (PlanStatus.OPTIMAL, best.short, best.cost), seed
        kinds["nothing bought"] += not outcome.orders
        kinds["in between"] += bool(outcome.orders and outcome.shortfall_account_days)
    assert kinds["nothing bought"] >= 2, kinds
    assert kinds["in between"] >= 5, kinds


HIGHS_PROBLEMS = 16


def highs_problem(seed: int) -> PlanningProblem:
    """Any number of orders without fees, so that only units count."""
    asked = replace(small_problem(seed), additional_licences=seed % 3 == 0)
    return budgeted(asked, seed)


def as_json(asked: PlanningProblem) -> dict[str, Any]:
    """The problem on a line of days, written down by naive code; days outside the contract are left out."""
    first_day = asked.contract.starts_on.toordinal()
    missing = [0] * (asked.contract.ends_before.toordinal() - first_day)
    for on, accounts in accounts_missing(asked).items():
        if asked.contract.starts_on <= on < asked.contract.ends_before:
            missing[on.toordinal() - first_day] = accounts
    return {
        "offers": [[start - first_day, end - first_day, price] for start, end, price in rows_of(asked)],
        "missing": missing,
        "unit": asked.contract.accounts_per_unit,
        "budget": asked.budget_minor,
    }


@pytest.fixture(scope="module")
def highs_optima() -> list[tuple[int, int]]:
    answers = highs_answers([as_json(highs_problem(seed)) for seed in range(HIGHS_PROBLEMS)])
    return [(round(short), round(cost)) for short, cost in answers]


def test_shortfall_and_cost_are_what_highs_proves(highs_optima: list[tuple[int, int]]) -> None:
    proven = 0
    for seed in range(HIGHS_PROBLEMS):
        asked = highs_problem(seed)
        inside = sum(as_json(asked)["missing"])
        outside = sum(accounts_missing(asked).values()) - inside
        outcome = solve(asked, 1.0)
        short, cost = highs_optima[seed]
        assert_bounds(asked, outcome, seed)
        assert outcome.shortfall_bound_account_days <= short + outside, seed
        assert (outcome.shortfall_account_days, outcome.cost_minor) >= (short + outside, cost), seed
        if outcome.status is PlanStatus.OPTIMAL:
            assert answer(outcome) == (PlanStatus.OPTIMAL, short + outside, cost), seed
            proven += bool(outcome.orders)
    assert proven >= 8


# Two units for three months and one more in June: 35,000 yen.
SUMMER = problem(
    ("2026-05-01", "2026-06-01", 300), ("2026-06-01", "2026-07-01", 400), ("2026-07-01", "2026-08-01", 300)
)


def test_a_budget_of_exactly_the_least_cost_covers_everything() -> None:
    outcome = solve(replace(SUMMER, budget_minor=35_000), PLENTY)
    assert answer(outcome) == (PlanStatus.OPTIMAL, 0, 35_000)
    assert outcome.shortfalls == ()
    unlimited = solve(SUMMER, PLENTY)
    assert (outcome.orders, outcome.frontier, outcome.peaks) == (unlimited.orders, unlimited.frontier, unlimited.peaks)


def test_a_yen_less_leaves_the_least_useful_month_short() -> None:
    outcome = solve(replace(SUMMER, budget_minor=34_999), PLENTY)
    # A unit in June serves 30 days, in May and July 31.
    assert answer(outcome) == (PlanStatus.OPTIMAL, 3_000, 30_000)
    assert outcome.shortfalls == (Shortfall(period("2026-06-01", "2026-07-01"), 100, _R.OVER_BUDGET),)
    assert (outcome.shortfall_bound_account_days, outcome.lower_bound_minor) == (3_000, 30_000)
    assert [(step.demand, step.capacity_after) for step in outcome.coverage] == [(300, 300), (400, 300), (300, 300)]


def test_a_budget_of_nothing_buys_nothing() -> None:
    outcome = solve(replace(SUMMER, budget_minor=0), PLENTY)
    assert answer(outcome) == (PlanStatus.OPTIMAL, 31 * 200 + 30 * 300 + 31 * 200, 0)
    assert (outcome.orders, outcome.reasons) == ((), ())
    assert [short.accounts_missing for short in outcome.shortfalls] == [200, 300, 200]


def test_fees_count_towards_the_budget() -> None:
    june = problem(("2026-06-01", "2026-07-01", 300), main=contract(term("2026-05-20", "2026-07-10")))
    for budget, short, cost in ((5_999, 6_000, 0), (6_000, 3_000, 6_000), (10_999, 3_000, 6_000), (11_000, 0, 11_000)):
        outcome = solve(replace(june, budget_minor=budget, order_fee_minor=1_000), PLENTY)
        assert answer(outcome) == (PlanStatus.OPTIMAL, short, cost), budget
        assert outcome.net_minor == max(0, cost - 1_000), budget


def test_a_limit_on_orders_and_a_budget_combine() -> None:
    one = replace(SUMMER, budget_minor=45_000, orders_max=1)
    assert answer(solve(one, PLENTY)) == (PlanStatus.OPTIMAL, 0, 45_000)
    # Within 44,999 one order of two units is the most useful; two orders would cover all.
    outcome = solve(replace(one, budget_minor=44_999), PLENTY)
    assert answer(outcome) == (PlanStatus.OPTIMAL, 3_000, 30_000)
    assert answer(solve(replace(one, budget_minor=44_999, orders_max=2), PLENTY)) == (PlanStatus.OPTIMAL, 0, 35_000)


def test_days_that_nothing_covers_stay_short_with_their_own_reason() -> None:
    asked = problem(("2026-04-01", "2026-06-10", 200), earliest_start="2026-04-11", budget_minor=5_000)
    outcome = solve(asked, PLENTY)
    # Ten days have passed; 61 days would need two months and a bit, one month covers 31 of them.
    assert answer(outcome) == (PlanStatus.OPTIMAL, (10 + 60 - 31) * 100, 5_000)
    assert outcome.shortfalls[0] == Shortfall(period("2026-04-01", "2026-04-11"), 100, _R.IN_THE_PAST)
    assert {short.reason for short in outcome.shortfalls[1:]} == {_R.OVER_BUDGET}
    rich = solve(replace(asked, budget_minor=10_000), PLENTY)
    assert answer(rich) == (PlanStatus.OPTIMAL, 1_000, 10_000)
    assert [short.reason for short in rich.shortfalls] == [_R.IN_THE_PAST]


def test_a_contract_that_has_ended_has_nothing_to_buy_for_any_budget() -> None:
    outcome = solve(problem(("2027-03-30", "2027-04-02", 200), earliest_start="2027-04-01", budget_minor=5_000), PLENTY)
    assert answer(outcome) == (PlanStatus.OPTIMAL, 2 * 100 + 200, 0)
    assert [short.reason for short in outcome.shortfalls] == [_R.IN_THE_PAST, _R.OUTSIDE_CONTRACT]


def test_a_last_unit_that_is_needed_in_part_counts_for_that_part() -> None:
    # A unit in May serves 31 days of 50 accounts, in July 31 of 60, in September 30 of 55.
    asked = problem(
        ("2026-05-01", "2026-06-01", 150), ("2026-07-01", "2026-08-01", 160), ("2026-09-01", "2026-10-01", 155)
    )
    short = {5: 31 * 50, 7: 31 * 60, 9: 30 * 55}
    for budget, served in ((4_999, ()), (5_000, (7,)), (10_000, (7, 9)), (14_999, (7, 9)), (15_000, (5, 7, 9))):
        outcome = solve(replace(asked, budget_minor=budget), PLENTY)
        left = sum(short.values()) - sum(short[month] for month in served)
        assert answer(outcome) == (PlanStatus.OPTIMAL, left, 5_000 * len(served)), budget
        assert [order.period.starts_on.month for order in outcome.orders] == sorted(served)


def test_of_two_units_the_one_that_is_needed_whole_is_bought() -> None:
    # 110 accounts are missing for a month, 100 in another: the second unit of the first would serve ten.
    asked = problem(("2026-05-01", "2026-06-01", 210), ("2026-07-01", "2026-08-01", 200), budget_minor=10_000)
    outcome = solve(asked, PLENTY)
    assert answer(outcome) == (PlanStatus.OPTIMAL, 31 * 10, 10_000)
    assert outcome.orders == (planned("2026-05-01", 1), planned("2026-07-01", 1))


def test_a_renewals_lower_price_is_worth_waiting_for() -> None:
    main = contract(term("2026-04-01", "2026-06-01"), term("2026-06-01", "2027-04-01", monthly=2_500))
    outcome = solve(problem(("2026-05-01", "2026-08-01", 200), main=main, budget_minor=5_000), PLENTY)
    assert answer(outcome) == (PlanStatus.OPTIMAL, 31 * 100, 5_000)
    assert sum(order.months or 0 for order in outcome.orders) == 2


@pytest.mark.parametrize("seed", range(6))
def test_bounds_hold_on_larger_problems_and_a_larger_budget_leaves_no_more_short(seed: int) -> None:
    asked = larger_problem(seed)
    cost = solve(asked, 0.0).cost_minor
    outcomes = [solve(replace(asked, budget_minor=cost * share // 10), 0.1) for share in (0, 3, 6, 10)]
    for share, outcome in zip((0, 3, 6, 10), outcomes, strict=True):
        assert_bounds(replace(asked, budget_minor=cost * share // 10), outcome, seed)
    assert answer(outcomes[-1])[1] == 0
    for less, more in ((0, 1), (1, 2), (2, 3)):
        assert outcomes[more].shortfall_bound_account_days <= outcomes[less].shortfall_account_days
