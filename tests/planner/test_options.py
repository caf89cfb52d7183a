"""Whatever options are combined: the plan is verified, its bounds hold, and a restriction never makes it cheaper."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.problem import PlanningProblem, PlanStatus
from planner.solve import solve
from tests.planner.checks import assert_holds_together, assert_reports
from tests.planner.strategies import options, problems, unlimited_problems

SECONDS = 0.1
"""Most of these problems need a few milliseconds; where it is not enough only bounds are compared."""

few = settings(derandomize=True, deadline=None, max_examples=100, database=None)
many = settings(deadline=None, max_examples=5_000)


@few
@given(problems())
def test_every_outcome_holds_together(asked: PlanningProblem) -> None:
    assert_holds_together(asked, solve(asked, SECONDS))


@few
@given(problems())
def test_successive_reports_are_never_worse(asked: PlanningProblem) -> None:
    assert_reports(asked, SECONDS)


def proven(asked: PlanningProblem) -> tuple[int, int] | None:
    """Shortfall and cost, both proven to be the least; None where they are not proven, or nothing is possible."""
    outcome = solve(asked, SECONDS)
    return (outcome.shortfall_account_days, outcome.cost_minor) if outcome.status is PlanStatus.OPTIMAL else None


def assert_no_cheaper(restricted: PlanningProblem, free: PlanningProblem) -> None:
    with_it, without = proven(restricted), proven(free)
    if with_it and without:
        assert with_it >= without
    if with_it and not with_it[0]:
        # What a restricted plan covers is possible without the restriction as well.
        assert solve(free, SECONDS).status is not PlanStatus.INFEASIBLE


RESTRICTIONS: dict[str, Any] = {
    "orders_max": None,
    "accounts_per_order_max": None,
    "order_fee_minor": 0,
    "budget_minor": None,
    "months_max": None,
    "additional_licences": True,
}
"""What each option is without a restriction."""

restrictions = pytest.mark.parametrize("name", RESTRICTIONS)


def assert_restricted(name: str, data: st.DataObject) -> None:
    plain = data.draw(unlimited_problems())
    restricted = replace(plain, **data.draw(options(plain, always=name)))
    if name == "additional_licences":
        restricted = replace(restricted, additional_licences=False)
    assert_no_cheaper(restricted, replace(restricted, **{name: RESTRICTIONS[name]}))


def assert_later(asked: PlanningProblem, days: int) -> None:
    later = asked.earliest_start.fromordinal(asked.earliest_start.toordinal() + days)
    assert_no_cheaper(replace(asked, earliest_start=later), asked)


@restrictions
@settings(few, max_examples=25)
@given(data=st.data())
def test_a_restriction_never_makes_the_proven_optimum_cheaper(name: str, data: st.DataObject) -> None:
    assert_restricted(name, data)


@few
@given(problems(), st.integers(1, 30))
def test_a_later_start_never_makes_the_proven_optimum_cheaper(asked: PlanningProblem, days: int) -> None:
    assert_later(asked, days)


@pytest.mark.soak
@many
@given(problems())
def test_every_of_many_outcomes_holds_together(asked: PlanningProblem) -> None:
    assert_holds_together(asked, solve(asked, SECONDS))
    assert_reports(asked, SECONDS)


@pytest.mark.soak
@restrictions
@settings(many, max_examples=1_000)
@given(data=st.data())
def test_a_restriction_never_makes_any_of_many_optima_cheaper(name: str, data: st.DataObject) -> None:
    assert_restricted(name, data)


@pytest.mark.soak
@many
@given(problems(), st.integers(1, 30))
def test_a_later_start_never_makes_any_of_many_optima_cheaper(asked: PlanningProblem, days: int) -> None:
    assert_later(asked, days)
