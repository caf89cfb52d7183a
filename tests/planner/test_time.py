"""An answer in the time that was asked for, by a clock that the test holds; and what is told on the way."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from planner.problem import Outcome, PlanningProblem, PlanStatus
from planner.solve import solve
from planner.verify import verify
from tests.planner.builders import larger_problem
from tests.planner.checks import assert_holds_together

WIGGLY = list(range(0, 20, 2))
"""Daily forecasts: nothing about their number of orders is proven for long."""

MODULES = ("solve", "search", "exact", "branch", "shortage", "shortage_model")


class Clock:
    """Every look at it takes some time."""

    def __init__(self, tick_seconds: float) -> None:
        self.now, self.tick_seconds = 1_000.0, tick_seconds

    def __call__(self) -> float:
        self.now += self.tick_seconds
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Clock]:
    def start(tick_seconds: float) -> Clock:
        clock = Clock(tick_seconds)
        for module in MODULES:
            monkeypatch.setattr(f"planner.{module}.perf_counter", clock)
        return clock

    return start


def options(problem: PlanningProblem, seed: int) -> list[PlanningProblem]:
    cost = solve(problem, 0.0).cost_minor
    return [
        problem,
        replace(problem, order_fee_minor=500),
        replace(problem, orders_max=1 + seed % 4, accounts_per_order_max=10 * (3 + seed)),
        replace(problem, budget_minor=cost // 2),
        replace(problem, budget_minor=cost + 1_000, orders_max=12),
        replace(problem, additional_licences=True),
    ]


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_no_work_is_begun_after_the_deadline(seconds: float, clock: Callable[[float], Clock]) -> None:
    for seed in WIGGLY[:5]:
        for asked in options(larger_problem(seed), seed):
            held = clock(0.05)
            begun = held.now
            outcome = solve(asked, seconds)
            # Looks at the clock after the deadline: each piece of work takes one before and one after it.
            assert held.now - begun <= seconds + 20 * held.tick_seconds, seed
            assert outcome.status is not PlanStatus.NO_PLAN_IN_TIME


def test_without_any_time_there_is_a_plan_at_the_least_cost() -> None:
    for seed in WIGGLY:
        asked = larger_problem(seed)
        outcome = solve(asked, 0.0)
        verify(asked, outcome.orders)
        assert outcome.status is PlanStatus.OPTIMAL, seed
        assert outcome.cost_minor == outcome.lower_bound_minor, seed
        assert outcome.orders_bound >= 1, seed
        for other in options(asked, seed):
            assert_holds_together(other, solve(other, 0.0))


def test_the_first_report_has_the_least_cost_and_its_proof() -> None:
    for seed in WIGGLY:
        asked = larger_problem(seed)
        told: list[Outcome] = []
        outcome = solve(asked, 0.05, told.append)
        assert told[0].status is PlanStatus.OPTIMAL, seed
        assert told[0].cost_minor == told[0].lower_bound_minor == outcome.cost_minor, seed
        assert len(outcome.orders) <= len(told[0].orders), seed
        verify(asked, told[0].orders)


def test_reports_get_better_and_the_answer_is_the_best_of_them() -> None:
    reports = 0
    for seed in WIGGLY[:2]:
        for asked in options(larger_problem(seed), seed):
            told: list[Outcome] = []
            outcome = solve(asked, 0.25, told.append)
            known = [*told, outcome]
            for earlier, later in pairwise(known):
                assert later.lower_bound_minor >= earlier.lower_bound_minor or asked.budget_minor is not None, seed
                assert later.shortfall_bound_account_days >= earlier.shortfall_bound_account_days, seed
                assert (later.shortfall_account_days, later.cost_minor, len(later.orders)) <= (
                    earlier.shortfall_account_days,
                    earlier.cost_minor,
                    len(earlier.orders),
                ), seed
                assert later.orders_bound >= earlier.orders_bound or later.cost_minor < earlier.cost_minor, seed
            reports += len(told)
    assert reports >= 14


def test_nobody_is_told_anything_where_there_is_nothing_to_search() -> None:
    told: list[Outcome] = []
    asked = larger_problem(0)
    nothing = replace(asked, demand=tuple(replace(step, accounts=0) for step in asked.demand))
    assert solve(nothing, 0.1, told.append).status is PlanStatus.OPTIMAL
    assert told == []
