"""A plan checked from the rules alone: no solver, no array, none of the optimiser's own code.

(V1) Every order is a spot contract that the domain allows: months and units at least 1, its end by the month
     rule, inside the main contract, not before the earliest start, not longer than the longest allowed.
(V2) Every order's price is the domain's price.
(V3) On every day, capacity with the plan reaches the demand.
"""

from datetime import date

from domain.capacity import capacity_changes, level_steps
from domain.contracts import spot_refusals
from domain.months import Period, ends_before
from domain.pricing import spot_net_minor
from planner.problem import PlannedOrder, PlanningProblem


class PlanViolationError(RuntimeError):
    """A plan breaks a constraint: always a bug, never the caller's fault."""


def verify(problem: PlanningProblem, orders: tuple[PlannedOrder, ...]) -> None:
    """Recompute feasibility and cost of a plan.

    Raises:
        PlanViolationError: names the first violation with its numbers.
    """
    for order in orders:
        _verify_order(problem, order)
    _verify_coverage(problem, orders)


def _verify_order(problem: PlanningProblem, order: PlannedOrder) -> None:
    contract, starts_on = problem.contract, order.period.starts_on
    refusals = spot_refusals(
        contract, accounts=order.accounts, starts_on=starts_on, months=order.months, today=problem.today
    )
    if refusals:
        raise PlanViolationError(f"V1: {order}: {refusals[0]}")
    if order.period.ends_before != ends_before(starts_on, order.months):
        raise PlanViolationError(f"V1: {order} does not end by the month rule")
    if starts_on < problem.earliest_start or order.months > (problem.months_max or order.months):
        raise PlanViolationError(f"V1: {order} starts too early or runs too long")
    if order.accounts != order.units * contract.accounts_per_unit:
        raise PlanViolationError(f"V1: {order} is not {contract.accounts_per_unit} accounts per unit")
    price = spot_net_minor(contract, starts_on=starts_on, months=order.months, units=order.units)
    if order.net_minor != price:
        raise PlanViolationError(f"V2: {order} costs {price}")


def _verify_coverage(problem: PlanningProblem, orders: tuple[PlannedOrder, ...]) -> None:
    changes = capacity_changes(problem.contract) + [(order.period, order.accounts) for order in orders]
    capacity = level_steps(changes, problem.window)
    demand = [(step.period, step.accounts) for step in problem.demand]
    for (period, available), (_, needed) in _side_by_side(capacity, demand):
        if available < needed:
            raise PlanViolationError(f"V3: {needed} accounts are needed from {period}, {available} are there")


def _side_by_side(
    capacity: tuple[tuple[Period, int], ...], demand: list[tuple[Period, int]]
) -> list[tuple[tuple[date, int], tuple[date, int]]]:
    """Pairs of a capacity step and a demand step that share a day, by a merge of the two sorted lists."""
    pairs = []
    at_capacity = at_demand = 0
    while at_capacity < len(capacity) and at_demand < len(demand):
        (have, available), (want, needed) = capacity[at_capacity], demand[at_demand]
        if have.overlaps(want):
            first = max(have.starts_on, want.starts_on)
            pairs.append(((first, available), (first, needed)))
        if have.ends_before <= want.ends_before:
            at_capacity += 1
        else:
            at_demand += 1
    return pairs
