"""What every outcome must say truly of itself, recounted day by day."""

from itertools import pairwise

from planner.problem import Outcome, PlanningProblem, PlanStatus
from planner.solve import solve
from planner.verify import verify
from tests.domain.builders import days_of, recount
from tests.planner.oracle import accounts_missing, bought_on, demand_on


def assert_holds_together(asked: PlanningProblem, outcome: Outcome) -> None:
    """Everything that an outcome says of itself, recounted."""
    assert_recounted(asked, outcome)
    assert_bounds(asked, outcome)
    assert_frontier(asked, outcome)


def assert_recounted(asked: PlanningProblem, outcome: Outcome) -> None:
    missing = accounts_missing(asked)
    left = {on: accounts - bought_on(outcome.orders, on) for on, accounts in missing.items()}
    left = {on: accounts for on, accounts in left.items() if accounts > 0}
    if outcome.status is not PlanStatus.INFEASIBLE:
        verify(asked, outcome.orders, sum(left.values()))
        assert {on: run.accounts_missing for run in outcome.shortfalls for on in days_of(run.period)} == left
        assert outcome.shortfall_account_days == sum(left.values())
        assert asked.budget_minor is not None or not left
    for step in outcome.coverage:
        for on in (step.period.starts_on, step.period.last_day):
            before = recount(asked.contract, on)
            assert (step.demand, step.capacity_before) == (demand_on(asked, on), before)
            assert step.capacity_after == before + bought_on(outcome.orders, on)
    assert sum(step.period.days for step in outcome.coverage) == asked.window.days
    assert len(outcome.reasons) == len(outcome.orders)
    assert sorted(outcome.orders, key=lambda order: order.period) == list(outcome.orders)


def assert_bounds(asked: PlanningProblem, outcome: Outcome) -> None:
    assert outcome.cost_minor == outcome.net_minor + asked.order_fee_minor * len(outcome.orders)
    assert 0 <= outcome.lower_bound_minor <= outcome.cost_minor
    assert 0 <= outcome.shortfall_bound_account_days <= outcome.shortfall_account_days
    assert 0 <= outcome.orders_bound <= len(outcome.orders)
    is_proven = (outcome.lower_bound_minor, outcome.shortfall_bound_account_days) == (
        outcome.cost_minor,
        outcome.shortfall_account_days,
    )
    if outcome.status is PlanStatus.INFEASIBLE:
        assert (outcome.orders, outcome.frontier, outcome.peaks) == ((), (), ())
        assert asked.budget_minor is None
        assert outcome.shortfalls
    else:
        assert (outcome.status is PlanStatus.OPTIMAL) is is_proven
        assert asked.budget_minor is not None or (outcome.gap == 0) is (outcome.status is PlanStatus.OPTIMAL)
    if outcome.spots_only_cost_minor is not None:
        assert asked.additional_licences
        assert outcome.spots_only_cost_minor >= outcome.cost_minor


def assert_frontier(asked: PlanningProblem, outcome: Outcome) -> None:
    points = outcome.frontier
    fewest = points[0].orders_max if points else 0
    assert [point.orders_max for point in points] == list(range(fewest, fewest + len(points)))
    for point in points:
        verify(asked.without_budget(), point.orders)
        assert len(point.orders) <= point.orders_max <= (asked.orders_max or point.orders_max)
        assert point.cost_minor == point.net_minor + asked.order_fee_minor * len(point.orders)
        assert point.lower_bound_minor <= point.cost_minor
        assert point.proven is (point.lower_bound_minor == point.cost_minor)
    for fewer, more in pairwise(points):
        assert fewer.cost_minor >= more.cost_minor
        assert fewer.lower_bound_minor >= more.lower_bound_minor
    if points:
        assert points[-1].cost_minor == outcome.cost_minor


def assert_reports(asked: PlanningProblem, seconds: float) -> None:
    """Each report holds together, none is worse than the one before, and the last of them is not lost."""
    told: list[Outcome] = []
    outcome = solve(asked, seconds, told.append)
    for report in told:
        assert_holds_together(asked, report)
    for earlier, later in pairwise([*told, outcome]):
        assert later.shortfall_bound_account_days >= earlier.shortfall_bound_account_days
        assert later.shortfall_account_days <= earlier.shortfall_account_days
        if later.shortfall_account_days == earlier.shortfall_account_days:
            assert later.lower_bound_minor >= earlier.lower_bound_minor
            assert later.cost_minor <= earlier.cost_minor
            assert later.cost_minor < earlier.cost_minor or len(later.orders) <= len(earlier.orders)
