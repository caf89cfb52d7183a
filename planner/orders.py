"""Offers and units turned into dated orders."""

from domain.months import Period
from planner.board import Selection
from planner.offers import Offers, day_of
from planner.problem import PlannedOrder, PlanningProblem


def planned_order(problem: PlanningProblem, offers: Offers, index: int, units: int) -> PlannedOrder:
    """Units of one offer as an order."""
    return PlannedOrder(
        period=Period(day_of(offers, offers.start[index]), day_of(offers, offers.end[index])),
        months=int(offers.months[index]) or None,
        units=units,
        accounts=units * problem.contract.accounts_per_unit,
        net_minor=units * int(offers.price[index]),
        kind=offers.kind(index),
    )


def planned_orders(problem: PlanningProblem, offers: Offers, plan: Selection) -> tuple[PlannedOrder, ...]:
    """A plan's orders, sorted by start, then end."""
    pairs = zip(plan.offers.tolist(), plan.units.tolist(), strict=True)
    return tuple(planned_order(problem, offers, index, units) for index, units in pairs)
