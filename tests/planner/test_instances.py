"""The 40 published instances: the proven optimum, and the whole frontier."""

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from domain.pricing import spot_net_minor
from planner.problem import DemandStep, Outcome, PlannedOrder, PlanningProblem, PlanStatus
from planner.solve import solve
from planner.verify import verify
from tests.domain.builders import contract, day, period, term


@dataclass(frozen=True)
class Instance:
    """A problem with its known answers; ``None`` where so few orders cannot cover the demand."""

    name: str
    problem: PlanningProblem
    optimal_cost: int
    cheapest_with_at_most_orders: dict[int, int | None]


def instance(row: dict[str, Any]) -> Instance:
    unit = row["accounts_per_unit"]
    assert row["accounts"] % unit == 0
    main = contract(
        term(
            row["starts_on"],
            row["ends_before"],
            units=row["accounts"] // unit,
            accounts_per_unit=unit,
            monthly=row["monthly_unit_price"],
        )
    )
    starts_on = day(row["starts_on"])
    demand = tuple(DemandStep(period(step["from"], step["until"]), step["accounts"]) for step in row["demand"])
    at_most = {int(orders): cost for orders, cost in row["cheapest_with_at_most_orders"].items()}
    return Instance(row["name"], PlanningProblem(main, demand, starts_on, starts_on), row["optimal_cost"], at_most)


INSTANCES = [
    instance(row) for row in json.loads((Path(__file__).parent / "data" / "instances.json").read_text("utf-8"))
]


@cache
def answer(name: str) -> Outcome:
    """Each of them is proven long before this time is over."""
    return solve(next(known.problem for known in INSTANCES if known.name == name), seconds=60.0)


def repriced(known: Instance, orders: tuple[PlannedOrder, ...]) -> int:
    """What the domain charges for a plan that covers the demand."""
    verify(known.problem, orders)
    main = known.problem.contract
    return sum(
        spot_net_minor(main, starts_on=order.period.starts_on, months=order.months or 0, units=order.units)
        for order in orders
    )


def test_there_are_40_instances_of_8_points() -> None:
    assert len({known.name for known in INSTANCES}) == 40
    assert {tuple(known.cheapest_with_at_most_orders) for known in INSTANCES} == {tuple(range(1, 9))}


every_instance = pytest.mark.parametrize("known", INSTANCES, ids=lambda known: known.name)


@every_instance
def test_the_published_optimum_is_found_with_the_fewest_orders_and_proven(known: Instance) -> None:
    outcome = answer(known.name)
    assert outcome.status is PlanStatus.OPTIMAL
    assert outcome.cost_minor == outcome.net_minor == outcome.lower_bound_minor == known.optimal_cost
    assert repriced(known, outcome.orders) == known.optimal_cost
    enough = [orders for orders, cost in known.cheapest_with_at_most_orders.items() if cost == known.optimal_cost]
    assert len(outcome.orders) == min(enough)
    assert outcome.fewest_proven


@every_instance
def test_every_point_of_the_frontier_is_the_published_one_and_proven(known: Instance) -> None:
    outcome = answer(known.name)
    points = {point.orders_max: point for point in outcome.frontier}
    last = outcome.frontier[-1]
    assert list(points) == list(range(outcome.frontier[0].orders_max, len(outcome.orders) + 1))
    assert (last.orders, last.cost_minor) == (outcome.orders, known.optimal_cost)
    found = {
        orders: point.cost_minor if (point := points.get(min(orders, last.orders_max))) else None
        for orders in known.cheapest_with_at_most_orders
    }
    assert found == known.cheapest_with_at_most_orders
    for point in outcome.frontier:
        assert point.proven
        assert len(point.orders) <= point.orders_max
        assert repriced(known, point.orders) == point.cost_minor == point.net_minor


@every_instance
def test_a_limit_on_orders_gives_the_published_point_or_none(known: Instance) -> None:
    for orders_max in (1, 2, 3):
        outcome = solve(replace(known.problem, orders_max=orders_max), seconds=60.0)
        cost = known.cheapest_with_at_most_orders[orders_max]
        if cost is None:
            assert (outcome.status, outcome.orders) == (PlanStatus.INFEASIBLE, ())
        else:
            assert (outcome.status, outcome.cost_minor, outcome.lower_bound_minor) == (PlanStatus.OPTIMAL, cost, cost)
            assert len(outcome.orders) <= orders_max
