"""Demand against capacity before and after the plan, and why each order is in it."""

from datetime import date
from itertools import pairwise

import pytest

from domain.months import Period
from planner.explain import reasons
from planner.problem import CoverageStep, Need, PlannedOrder, PlanningProblem, Reason
from planner.profile import coverage_steps, with_orders
from planner.solve import solve
from tests.domain.builders import contract, days_of, period, recount, spot
from tests.planner.builders import larger_problem, planned, problem, small_problem
from tests.planner.oracle import bought_on, demand_on


def covered(begin: str, end: str, demand: int, before: int, after: int) -> CoverageStep:
    return CoverageStep(period(begin, end), demand, before, after)


def need(begin: str, end: str, accounts_missing: int) -> Need:
    return Need(period(begin, end), accounts_missing)


def test_coverage_of_a_small_plan() -> None:
    main = contract(spots=(spot("2026-05-20", "2026-06-20", 100),))
    asked = problem(("2026-05-01", "2026-06-01", 300), ("2026-06-10", "2026-06-25", 200), main=main)
    outcome = solve(asked)
    # Two units in May; one of them for a month longer, or another one, from 20 June when the spot has ended.
    assert outcome.net_minor == 15_000
    plan = (planned("2026-05-01", 1, units=2), planned("2026-06-20", 1))
    assert with_orders(asked, coverage_steps(asked), plan) == (
        covered("2026-05-01", "2026-05-20", 300, 100, 300),
        covered("2026-05-20", "2026-06-01", 300, 200, 400),
        covered("2026-06-01", "2026-06-10", 0, 200, 200),
        covered("2026-06-10", "2026-06-20", 200, 200, 200),
        covered("2026-06-20", "2026-06-25", 200, 100, 200),
    )
    assert reasons(asked, plan, with_orders(asked, coverage_steps(asked), plan)) == (
        Reason((need("2026-05-01", "2026-06-01", 200),), (need("2026-05-01", "2026-05-20", 100),)),
        Reason((need("2026-06-20", "2026-06-25", 100),), (need("2026-06-20", "2026-06-25", 100),)),
    )


def test_an_order_can_be_needed_on_several_runs_of_days() -> None:
    asked = problem(
        ("2026-05-01", "2026-05-05", 180), ("2026-05-05", "2026-05-11", 190), ("2026-05-20", "2026-06-10", 150)
    )
    plan = (planned("2026-05-01", 2),)
    assert solve(asked).reasons == (
        Reason(runs := (need("2026-05-01", "2026-05-11", 90), need("2026-05-20", "2026-06-10", 50)), runs),
    )
    assert reasons(asked, plan, with_orders(asked, coverage_steps(asked), plan)) == solve(asked).reasons


def test_an_order_that_is_not_needed_has_no_days() -> None:
    asked = problem(("2026-05-01", "2026-06-01", 200))
    plan = (planned("2026-05-01", 1), planned("2026-05-01", 1), planned("2026-09-01", 1))
    assert reasons(asked, plan, with_orders(asked, coverage_steps(asked), plan)) == (
        Reason((need("2026-05-01", "2026-06-01", 100),), ()),
        Reason((need("2026-05-01", "2026-06-01", 100),), ()),
        Reason((), ()),
    )


def problem_of(seed: int) -> PlanningProblem:
    return small_problem(seed) if seed % 5 else larger_problem(seed)


@pytest.mark.parametrize("first_seed", range(0, 100, 50))
def test_steps_are_the_recount_of_every_day_and_maximal(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 50):
        asked = problem_of(seed)
        outcome = solve(asked, 0.05)
        listed = {
            on: (step.demand, step.capacity_before, step.capacity_after)
            for step in outcome.coverage
            for on in days_of(step.period)
        }
        expected = {}
        for on in days_of(asked.window):
            before = recount(asked.contract, on)
            expected[on] = (demand_on(asked, on), before, before + bought_on(outcome.orders, on))
        assert listed == expected, seed
        for earlier, later in pairwise(outcome.coverage):
            assert earlier.period.ends_before == later.period.starts_on, seed
            assert earlier != CoverageStep(earlier.period, later.demand, later.capacity_before, later.capacity_after), (
                seed
            )


def runs_of(missing: dict[date, int]) -> tuple[Need, ...]:
    """The days with something missing as maximal runs."""
    runs: list[Need] = []
    for on, accounts in sorted(missing.items()):
        if accounts <= 0:
            continue
        next_day = date.fromordinal(on.toordinal() + 1)
        if runs and runs[-1].period.ends_before == on:
            last = runs.pop()
            runs.append(Need(Period(last.period.starts_on, next_day), max(last.accounts_missing, accounts)))
        else:
            runs.append(Need(Period(on, next_day), accounts))
    return tuple(runs)


def recounted_reason(asked: PlanningProblem, order: PlannedOrder, orders: tuple[PlannedOrder, ...]) -> Reason:
    days = [on for on in days_of(order.period) if asked.window.contains(on)]
    missing = {on: demand_on(asked, on) - recount(asked.contract, on) for on in days}
    less = {on: missing[on] - bought_on(orders, on) + asked.contract.accounts_per_unit for on in days}
    return Reason(runs_of(missing), runs_of(less))


@pytest.mark.parametrize("first_seed", range(0, 100, 50))
def test_an_order_is_needed_on_the_days_that_a_unit_less_would_leave_short(first_seed: int) -> None:
    orders = 0
    for seed in range(first_seed, first_seed + 50):
        asked = problem_of(seed)
        outcome = solve(asked, 0.05)
        expected = tuple(recounted_reason(asked, order, outcome.orders) for order in outcome.orders)
        assert outcome.reasons == expected, seed
        # A cheapest plan has no order that nothing needs.
        assert all(reason.uncovered and reason.accounts_missing > 0 for reason in outcome.reasons), seed
        orders += len(outcome.orders)
    assert orders >= 100
