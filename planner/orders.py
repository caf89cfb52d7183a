"""Offers and units turned into dated orders, and why each order is there."""

import numpy as np

from domain.months import Period
from planner.offers import Days, Offers, day_of
from planner.problem import CoverageStep, PlannedOrder, PlanningProblem, Reason


def planned_order(problem: PlanningProblem, offers: Offers, index: int, units: int) -> PlannedOrder:
    """Units of one offer as an order."""
    return PlannedOrder(
        period=Period(day_of(offers, offers.start[index]), day_of(offers, offers.end[index])),
        months=int(offers.months[index]),
        units=units,
        accounts=units * problem.contract.accounts_per_unit,
        net_minor=units * int(offers.price[index]),
    )


def planned_orders(problem: PlanningProblem, offers: Offers, units: Days) -> tuple[PlannedOrder, ...]:
    """One order per offer with units, sorted by start, then end."""
    bought = np.flatnonzero(units)
    return tuple(planned_order(problem, offers, index, int(units[index])) for index in bought.tolist())


def reasons(
    problem: PlanningProblem, orders: tuple[PlannedOrder, ...], steps: tuple[CoverageStep, ...]
) -> tuple[Reason, ...]:
    """Per order, the days that one unit less of it would leave short. ``steps`` are with the plan."""
    return tuple(_reason(problem, order, steps) for order in orders)


def _reason(problem: PlanningProblem, order: PlannedOrder, steps: tuple[CoverageStep, ...]) -> Reason:
    needed: list[Period] = []
    missing = 0
    for step in steps:
        if not step.period.overlaps(order.period):
            continue
        missing = max(missing, step.demand - step.capacity_before)
        if step.capacity_after - problem.contract.accounts_per_unit < step.demand:
            piece = _overlap(step.period, order.period)
            if needed and needed[-1].ends_before == piece.starts_on:
                needed[-1] = Period(needed[-1].starts_on, piece.ends_before)
            else:
                needed.append(piece)
    return Reason(tuple(needed), missing)


def _overlap(one: Period, other: Period) -> Period:
    return Period(max(one.starts_on, other.starts_on), min(one.ends_before, other.ends_before))
