"""Days that nothing on offer covers: which, how many accounts, and why."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from planner.problem import DemandStep, Outcome, PlanningProblem, PlanStatus, Shortfall, ShortfallReason
from planner.solve import solve
from tests.domain.builders import contract, day, days_of, licence, period, spot, term
from tests.planner.builders import planned, problem, seeds, small_problem, tiny_problem, with_options
from tests.planner.oracle import accounts_missing, demand_on, naive_offers
from tests.planner.order_oracle import best_sets

_R = ShortfallReason
PLENTY = 60.0
"""Seconds that small problems never need."""


def short(begin: str, end: str, accounts: int, reason: ShortfallReason) -> Shortfall:
    return Shortfall(period(begin, end), accounts, reason)


def shortfalls(outcome: Outcome) -> tuple[Shortfall, ...]:
    assert outcome.status is PlanStatus.INFEASIBLE
    assert (outcome.orders, outcome.frontier, outcome.baselines) == ((), (), ())
    assert outcome.net_minor == outcome.lower_bound_minor == 0
    return outcome.shortfalls


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        ("2026-03-20", "2026-04-01", short("2026-03-20", "2026-04-01", 250, _R.OUTSIDE_CONTRACT)),
        ("2027-03-20", "2027-04-03", short("2027-04-01", "2027-04-03", 250, _R.OUTSIDE_CONTRACT)),
        ("2026-04-01", "2026-04-10", short("2026-04-01", "2026-04-10", 150, _R.IN_THE_PAST)),
        ("2026-04-10", "2026-04-30", short("2026-04-10", "2026-04-15", 150, _R.BEFORE_EARLIEST_START)),
    ],
)
def test_each_reason_alone(begin: str, end: str, expected: Shortfall) -> None:
    asked = problem((begin, end, 250), today="2026-04-10", earliest_start="2026-04-15")
    assert shortfalls(solve(asked)) == (expected,)


@pytest.mark.parametrize(
    ("earliest_start", "begin"),
    [
        pytest.param("2027-03-02", "2027-03-10", id="no month fits any more"),
        pytest.param("2027-03-31", "2027-03-31", id="on the last day"),
    ],
)
def test_less_than_a_month_is_left(earliest_start: str, begin: str) -> None:
    asked = problem((begin, "2027-04-01", 200), earliest_start=earliest_start)
    assert shortfalls(solve(asked)) == (short(begin, "2027-04-01", 100, _R.LESS_THAN_A_MONTH_LEFT),)


def test_days_that_only_a_longer_period_reaches_are_short_without_one() -> None:
    # The contract ends on 29 March; a month from 28 February ends on the 27th, one from 1 March too late.
    until_29_march = contract(term("2026-01-01", "2026-03-30"))
    need = ("2026-03-20", "2026-03-30", 200)
    reached = solve(problem(need, main=until_29_march, earliest_start="2026-01-30"))
    assert [(order.period, order.months) for order in reached.orders] == [(period("2026-01-30", "2026-03-30"), 2)]
    for limit in ({"months_max": 1, "earliest_start": "2026-01-30"}, {"earliest_start": "2026-01-31"}):
        asked = problem(need, main=until_29_march, **limit)
        assert shortfalls(solve(asked)) == (short("2026-03-28", "2026-03-30", 100, _R.LESS_THAN_A_MONTH_LEFT),)


def test_several_reasons_follow_each_other_along_the_days() -> None:
    asked = problem(
        ("2026-01-01", "2026-04-05", 200),
        main=contract(term("2026-01-15", "2026-03-30")),
        today="2026-02-01",
        earliest_start="2026-02-10",
    )
    assert shortfalls(solve(asked)) == (
        short("2026-01-01", "2026-01-15", 200, _R.OUTSIDE_CONTRACT),
        short("2026-01-15", "2026-02-01", 100, _R.IN_THE_PAST),
        short("2026-02-01", "2026-02-10", 100, _R.BEFORE_EARLIEST_START),
        short("2026-03-28", "2026-03-30", 100, _R.LESS_THAN_A_MONTH_LEFT),
        short("2026-03-30", "2026-04-05", 200, _R.OUTSIDE_CONTRACT),
    )


def test_a_run_is_joined_across_steps_and_split_where_the_number_changes() -> None:
    # On 6 April demand and capacity rise by 100 at once; on 9 April demand alone; from 13 to 15 nothing is missing.
    asked = problem(
        ("2026-04-01", "2026-04-06", 250),
        ("2026-04-06", "2026-04-09", 350),
        ("2026-04-09", "2026-04-13", 360),
        ("2026-04-13", "2026-04-15", 200),
        ("2026-04-15", "2026-04-18", 360),
        main=contract(licences=(licence("2026-04-06", "2027-04-01", 100),)),
        earliest_start="2026-04-20",
    )
    assert shortfalls(solve(asked)) == (
        short("2026-04-01", "2026-04-09", 150, _R.IN_THE_PAST),
        short("2026-04-09", "2026-04-13", 160, _R.IN_THE_PAST),
        short("2026-04-15", "2026-04-18", 160, _R.IN_THE_PAST),
    )


def test_a_spot_that_is_there_already_covers_days_that_no_order_can() -> None:
    main = contract(spots=(spot("2026-04-01", "2026-05-01", 100),))
    asked = problem(("2026-04-01", "2026-05-01", 200), main=main, earliest_start="2026-04-20")
    assert solve(asked).status is PlanStatus.OPTIMAL
    assert solve(asked).orders == ()


def test_a_contract_that_has_ended_leaves_every_day_short() -> None:
    asked = problem(("2027-03-30", "2027-04-02", 200), earliest_start="2027-04-01")
    assert shortfalls(solve(asked)) == (
        short("2027-03-30", "2027-04-01", 100, _R.IN_THE_PAST),
        short("2027-04-01", "2027-04-02", 200, _R.OUTSIDE_CONTRACT),
    )


@pytest.mark.parametrize("first_seed", range(500, 800, 100))
def test_short_days_are_those_that_no_offer_covers(first_seed: int) -> None:
    infeasible = 0
    for seed in range(first_seed, first_seed + 100):
        asked = small_problem(seed)
        offers, missing = naive_offers(asked), accounts_missing(asked)
        uncovered = {
            on: accounts
            for on, accounts in missing.items()
            if not any(offer.starts_on <= on < offer.ends_before for offer in offers)
        }
        outcome = solve(asked)
        listed = {on: run.accounts_missing for run in outcome.shortfalls for on in days_of(run.period)}
        assert listed == uncovered, seed
        assert sum(run.period.days for run in outcome.shortfalls) == len(uncovered), seed
        assert (outcome.status is PlanStatus.INFEASIBLE) is bool(uncovered), seed
        infeasible += bool(uncovered)
    assert infeasible >= 5


def test_one_day_short_makes_the_whole_demand_infeasible() -> None:
    asked = problem(("2026-04-01", "2026-04-02", 200), ("2026-06-01", "2026-07-01", 200), earliest_start="2026-04-02")
    assert shortfalls(solve(asked)) == (short("2026-04-01", "2026-04-02", 100, _R.IN_THE_PAST),)
    assert asked.earliest_start - day("2026-04-01") == timedelta(days=1)


def taken_away(asked: PlanningProblem, nearest: tuple[DemandStep, ...]) -> dict[date, int]:
    """The accounts by which a demand is lower, on each day where it is."""
    near = replace(asked, demand=nearest)
    fewer = {on: demand_on(asked, on) - demand_on(near, on) for on in days_of(asked.window)}
    return {on: accounts for on, accounts in fewer.items() if accounts}


def listed_by_day(outcome: Outcome) -> dict[date, int]:
    return {on: run.accounts_missing for run in outcome.shortfalls for on in days_of(run.period)}


@pytest.mark.parametrize("first_seed", range(500, 800, 100))
def test_the_nearest_demand_is_lower_by_what_is_short_and_feasible(first_seed: int) -> None:
    infeasible = 0
    for seed in range(first_seed, first_seed + 100):
        asked = with_options(small_problem(seed), seed)
        outcome = solve(asked, PLENTY)
        if outcome.status is not PlanStatus.INFEASIBLE:
            assert outcome.nearest_demand == (), seed
            continue
        infeasible += 1
        assert taken_away(asked, outcome.nearest_demand) == listed_by_day(outcome), seed
        again = solve(replace(asked, demand=outcome.nearest_demand), PLENTY)
        assert again.status is PlanStatus.OPTIMAL, seed
        short = sum(run.period.days * run.accounts_missing for run in outcome.shortfalls)
        assert outcome.shortfall_account_days == outcome.shortfall_bound_account_days == short > 0, seed
    assert infeasible >= 5


@seeds(150, soak=1_000)
def test_too_few_orders_leave_as_little_short_as_any_set_of_so_many(first_seed: int) -> None:
    limited = 0
    for seed in range(first_seed, first_seed + 50):
        asked = replace(with_options(tiny_problem(seed), seed), orders_max=1 + seed % 2)
        outcome = solve(asked, PLENTY)
        if outcome.status is not PlanStatus.INFEASIBLE or outcome.shortfalls[0].reason is not _R.ORDERS_LIMITED:
            continue
        limited += 1
        best = min(best_sets(asked, 1 + seed % 2))
        assert outcome.shortfall_account_days == outcome.shortfall_bound_account_days == best.short > 0, seed
        assert {run.reason for run in outcome.shortfalls} == {_R.ORDERS_LIMITED}, seed
        assert sum(listed_by_day(outcome).values()) == best.short, seed
        assert taken_away(asked, outcome.nearest_demand) == listed_by_day(outcome), seed
        assert (outcome.orders, outcome.cost_minor, outcome.lower_bound_minor) == ((), 0, 0), seed
        again = solve(replace(asked, demand=outcome.nearest_demand), PLENTY)
        assert again.status is PlanStatus.OPTIMAL, seed
        assert len(again.orders) <= 1 + seed % 2, seed
    assert limited >= 2


def test_one_order_for_two_needs_serves_the_larger_one() -> None:
    asked = problem(
        ("2026-05-01", "2026-05-11", 300),
        ("2026-08-01", "2026-08-21", 200),
        main=contract(term("2026-04-01", "2026-09-01")),
        months_max=3,
        orders_max=1,
    )
    outcome = solve(asked, PLENTY)
    # The August need is of 20 days and 100 accounts, the one in May of 10 days and 200: both are 2,000 account-days.
    assert outcome.status is PlanStatus.INFEASIBLE
    assert outcome.shortfall_account_days == outcome.shortfall_bound_account_days == 2_000
    assert len(outcome.shortfalls) == 1
    wider = solve(replace(asked, months_max=4), PLENTY)
    assert wider.orders == (planned("2026-05-01", 4, units=2),)
    longer = solve(replace(asked, demand=(asked.demand[0], step("2026-08-01", "2026-08-22", 200))), PLENTY)
    assert longer.shortfalls == (short("2026-05-01", "2026-05-11", 200, _R.ORDERS_LIMITED),)
    assert longer.nearest_demand == (step("2026-05-01", "2026-05-11", 100), step("2026-08-01", "2026-08-22", 200))


def test_small_orders_may_be_too_few() -> None:
    asked = problem(("2026-05-01", "2026-06-01", 450), orders_max=2, accounts_per_order_max=199)
    outcome = solve(asked, PLENTY)
    # Two orders of 100 accounts each where 350 are missing.
    assert outcome.shortfalls == (short("2026-05-01", "2026-06-01", 150, _R.ORDERS_LIMITED),)
    assert outcome.nearest_demand == (step("2026-05-01", "2026-06-01", 300),)
    assert solve(replace(asked, orders_max=3, accounts_per_order_max=200), PLENTY).status is PlanStatus.OPTIMAL


def test_the_nearest_demand_of_days_that_are_past() -> None:
    asked = problem(("2026-04-01", "2026-04-05", 250), ("2026-04-05", "2026-04-20", 400), earliest_start="2026-04-10")
    assert solve(asked, PLENTY).nearest_demand == (
        step("2026-04-01", "2026-04-10", 100),
        step("2026-04-10", "2026-04-20", 400),
    )


def step(begin: str, end: str, accounts: int) -> DemandStep:
    return DemandStep(period(begin, end), accounts)
