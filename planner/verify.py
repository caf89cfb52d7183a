"""A plan checked from the rules alone: no solver, no array, none of the optimiser's own code.

(V1) Every order is a spot contract that the domain allows: months and units at least 1, its end by the month
     rule, inside the main contract, not before the earliest start, not longer than the longest allowed.
(V2) Every order's price is the domain's price.
(V3) On every day, capacity with the plan reaches the demand.
"""

from domain.capacity import capacity_changes, level_steps
from domain.contracts import spot_refusals
from domain.months import ends_before
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
    if order.months is None:
        raise PlanViolationError(f"V1: {order} has no months")
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
    at = 0
    for step in problem.demand:
        while capacity[at][0].ends_before <= step.period.starts_on:
            at += 1
        last = at
        while capacity[last][0].ends_before < step.period.ends_before:
            last += 1
        for index in range(at, last + 1):
            period, available = capacity[index]
            if available < step.accounts:
                first = max(period.starts_on, step.period.starts_on)
                raise PlanViolationError(f"V3: {step.accounts} accounts are needed from {first}, {available} are there")
        at = last
