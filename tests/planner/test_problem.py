"""What can be asked at all."""

import pickle
import pickletools
from dataclasses import fields

import pytest

from domain.errors import EarliestStartInThePast, HorizonTooLong, MonthsOutOfRange
from planner.problem import Outcome, PlanStatus
from planner.solve import solve
from tests.domain.builders import contract, day, period, term
from tests.planner.builders import planned, problem

APRIL = ("2026-04-01", "2026-05-01", 200)


def test_ten_years_are_planned_and_a_day_more_is_not() -> None:
    # 3,700 days from 1 January 2026.
    longest = contract(term("2026-01-01", "2036-02-18"))
    assert problem(APRIL, main=longest, earliest_start="2026-01-01").contract is longest
    with pytest.raises(HorizonTooLong) as refused:
        problem(APRIL, main=contract(term("2026-01-01", "2036-02-19")), earliest_start="2026-01-01")
    assert refused.value.data == {"days": 3_701, "days_max": 3_700}


def test_only_the_days_from_the_earliest_start_on_count_as_horizon() -> None:
    old = contract(term("2000-01-01", "2030-01-01"))
    assert problem(APRIL, main=old, earliest_start="2026-04-01").earliest_start == day("2026-04-01")
    with pytest.raises(HorizonTooLong) as refused:
        problem(APRIL, main=old, earliest_start="1999-01-01")
    assert refused.value.data == {"days": 10_958, "days_max": 3_700}


@pytest.mark.parametrize("months_max", [0, -1, 601])
def test_the_longest_order_has_1_to_600_months(months_max: int) -> None:
    with pytest.raises(MonthsOutOfRange) as refused:
        problem(APRIL, months_max=months_max)
    assert refused.value.field == "monthsMax"
    assert refused.value.data == {"months": months_max, "months_max": 600}


def test_the_earliest_start_is_not_before_today() -> None:
    with pytest.raises(EarliestStartInThePast) as refused:
        problem(APRIL, earliest_start="2026-04-09", today="2026-04-10")
    assert refused.value.data == {"earliest_start": day("2026-04-09"), "today": day("2026-04-10")}


def test_steps_are_sorted_and_share_no_day() -> None:
    may = ("2026-05-01", "2026-06-01", 300)
    assert problem(APRIL, may).window == period("2026-04-01", "2026-06-01")
    for wrong in ((may, APRIL), (APRIL, ("2026-04-30", "2026-05-02", 1)), (APRIL, APRIL)):
        with pytest.raises(ValueError, match="overlap or are out of order"):
            problem(*wrong)


def test_there_is_a_demand_and_it_is_not_negative() -> None:
    with pytest.raises(ValueError, match="there is no demand"):
        problem()
    with pytest.raises(ValueError, match="demand is negative"):
        problem(("2026-04-01", "2026-05-01", -1))


def test_an_outcome_adds_up_its_orders_and_its_gap() -> None:
    orders = (planned("2026-04-01", 2), planned("2026-05-01", 1, units=2))
    outcome = Outcome(PlanStatus.FEASIBLE, orders, cost_minor=20_000, lower_bound_minor=15_000)
    assert outcome.net_minor == 20_000
    assert outcome.gap == 0.25
    assert (Outcome(PlanStatus.OPTIMAL).net_minor, Outcome(PlanStatus.OPTIMAL).gap) == (0, 0.0)


def test_problem_and_outcome_travel_between_processes() -> None:
    asked = problem(APRIL, additional_licences=True), problem(APRIL, ("2027-03-01", "2027-04-20", 300))
    outcomes = [solve(one) for one in asked]
    for part in fields(Outcome):
        assert any(getattr(outcome, part.name) for outcome in outcomes), f"nothing in {part.name} was tried"
    for value in (*asked, *outcomes):
        assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 # its own bytes
    # Values that are pickled in a dataclass's own way are built field by field.
    for outcome in outcomes:
        assert "BUILD" not in {operation.name for operation, _, _ in pickletools.genops(pickle.dumps(outcome))}
