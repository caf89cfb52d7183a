"""A plan checked from the rules alone: no solver, no array, none of the optimiser's own code.

(V1) Every order is one that the domain allows: a spot contract with months and units at least 1 and its end by the
     month rule, or, where asked for, an additional licence until the end of its term; inside the main contract, not
     before the earliest start, not longer or larger than the longest and largest allowed.
(V2) Every order's price is the domain's price.
(V3) On every day, capacity with the plan reaches the demand; with a budget, what it lacks is the shortfall stated.
(V4) There are no more orders than allowed, and with a budget prices and fees stay within it.
"""

from domain.capacity import capacity_changes, level_steps
from domain.contracts import spot_refusals
from domain.months import ends_before
from domain.pricing import additional_licence_net_minor, spot_net_minor
from planner.problem import OrderKind, PlannedOrder, PlanningProblem


class PlanViolationError(RuntimeError):
    """A plan breaks a constraint: always a bug, never the caller's fault."""


def verify(problem: PlanningProblem, orders: tuple[PlannedOrder, ...], shortfall_account_days: int = 0) -> None:
    """Recompute feasibility and cost of a plan, with what it may leave short.

    Raises:
        PlanViolationError: names the first violation with its numbers.
    """
    for order in orders:
        _verify_order(problem, order)
    if problem.orders_max is not None and len(orders) > problem.orders_max:
        raise PlanViolationError(f"V4: {len(orders)} orders, not at most {problem.orders_max}")
    cost = sum(order.net_minor + problem.order_fee_minor for order in orders)
    if problem.budget_minor is not None and cost > problem.budget_minor:
        raise PlanViolationError(f"V4: {cost} is over the budget of {problem.budget_minor}")
    short, where = _shortfall(problem, orders)
    if short != shortfall_account_days:
        raise PlanViolationError(f"V3: {short} account-days are short, not {shortfall_account_days}: {where}")


def _verify_order(problem: PlanningProblem, order: PlannedOrder) -> None:
    if order.accounts != order.units * problem.contract.accounts_per_unit or order.units < 1:
        raise PlanViolationError(f"V1: {order} is not {problem.contract.accounts_per_unit} accounts per unit")
    if order.period.starts_on < max(problem.earliest_start, problem.contract.starts_on):
        raise PlanViolationError(f"V1: {order} starts too early")
    if order.accounts > (problem.accounts_per_order_max or order.accounts):
        raise PlanViolationError(f"V1: {order} is larger than {problem.accounts_per_order_max} accounts")
    price = _spot_price(problem, order) if order.kind is OrderKind.SPOT else _licence_price(problem, order)
    if order.net_minor != price:
        raise PlanViolationError(f"V2: {order} costs {price}")


def _spot_price(problem: PlanningProblem, order: PlannedOrder) -> int:
    contract, starts_on, months = problem.contract, order.period.starts_on, order.months
    if months is None or months > (problem.months_max or months):
        raise PlanViolationError(f"V1: {order} runs too long")
    refusals = spot_refusals(contract, accounts=order.accounts, starts_on=starts_on, months=months, today=problem.today)
    if refusals:
        raise PlanViolationError(f"V1: {order}: {refusals[0]}")
    if order.period.ends_before != ends_before(starts_on, months):
        raise PlanViolationError(f"V1: {order} does not end by the month rule")
    return spot_net_minor(contract, starts_on=starts_on, months=months, units=order.units)


def _licence_price(problem: PlanningProblem, order: PlannedOrder) -> int:
    if not problem.additional_licences or order.months is not None:
        raise PlanViolationError(f"V1: {order} is no additional licence that was asked for")
    if order.period.starts_on >= problem.contract.ends_before:
        raise PlanViolationError(f"V1: {order} starts after the contract")
    term = problem.contract.term_on(order.period.starts_on)
    if order.period.ends_before != term.period.ends_before:
        raise PlanViolationError(f"V1: {order} does not end with its term")
    return additional_licence_net_minor(term, starts_on=order.period.starts_on, units=order.units)


def _shortfall(problem: PlanningProblem, orders: tuple[PlannedOrder, ...]) -> tuple[int, str]:
    """Account-days that stay short, and the first days of them in words."""
    changes = capacity_changes(problem.contract) + [(order.period, order.accounts) for order in orders]
    capacity = level_steps(changes, problem.window)
    short, where = 0, ""
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
                until = min(period.ends_before, step.period.ends_before)
                short += (until - first).days * (step.accounts - available)
                where = where or f"{step.accounts} accounts are needed from {first}, {available} are there"
        at = last
    return short, where
