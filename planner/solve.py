"""The one door: a problem in, a verified outcome out."""

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter

from planner.baselines import baselines
from planner.cheapest import cheapest_units
from planner.offers import in_normal_form, spot_offers
from planner.orders import planned_orders, reasons
from planner.problem import (
    Baseline,
    BaselineKind,
    FrontierPoint,
    Outcome,
    PlannedOrder,
    PlanningProblem,
    PlanStatus,
)
from planner.profile import coverage_steps, deficit_by_day, missing_units, shortfalls, with_orders
from planner.verify import verify

Report = Callable[[Outcome], None]
"""Called with each better plan or bound while the search goes on."""


def solve(problem: PlanningProblem, seconds: float = 2.0, report: Report | None = None) -> Outcome:
    """The cheapest spot contracts for a demand, proven, or the days that nothing can cover.

    Returns:
        OPTIMAL with the plan, its bound, baselines and coverage; or INFEASIBLE with the shortfalls.

    Raises:
        PlanViolationError, SolverFailedError: a bug; no plan leaves unverified.
    """
    started = perf_counter()
    outcome = _solve(problem)
    return replace(outcome, solve_milliseconds=(perf_counter() - started) * 1000)


def _solve(problem: PlanningProblem) -> Outcome:
    steps = coverage_steps(problem)
    if not any(missing_units(problem, step) for step in steps):
        return Outcome(PlanStatus.OPTIMAL, coverage=steps)
    offers = spot_offers(problem)
    uncovered = shortfalls(problem, steps, offers)
    if uncovered:
        return Outcome(PlanStatus.INFEASIBLE, coverage=steps, shortfalls=uncovered)
    days = (problem.contract.ends_before - offers.first_day).days
    deficit = deficit_by_day(problem, steps, offers.first_day, days)
    useful = in_normal_form(offers, deficit)
    orders = planned_orders(problem, useful, cheapest_units(useful, deficit))
    verify(problem, orders)
    simpler = baselines(problem, offers, deficit)
    for baseline in simpler:
        if baseline.orders is not None:
            verify(problem, baseline.orders)
    covered = with_orders(problem, steps, orders)
    return Outcome(
        status=PlanStatus.OPTIMAL,
        orders=orders,
        reasons=reasons(problem, orders, covered),
        cost_minor=sum(order.net_minor for order in orders),
        lower_bound_minor=sum(order.net_minor for order in orders),
        frontier=_frontier(orders, simpler),
        baselines=simpler,
        coverage=covered,
    )


def _frontier(orders: tuple[PlannedOrder, ...], simpler: tuple[Baseline, ...]) -> tuple[FrontierPoint, ...]:
    """The points that are known without a search: the cheapest single order, and the optimum's own."""
    net = sum(order.net_minor for order in orders)
    points = [FrontierPoint(len(orders), orders, net, net)]
    for baseline in simpler:
        if baseline.kind is BaselineKind.PEAK_FOR_WHOLE_SPAN and baseline.orders and len(orders) > 1:
            points.insert(0, FrontierPoint(1, baseline.orders, baseline.net_minor or 0, baseline.net_minor or 0))
    return tuple(points)
