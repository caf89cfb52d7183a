"""The 40 published instances: the proven optimum, and the frontier's points where they are claimed."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from planner.problem import DemandStep, PlanningProblem, PlanStatus
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


def test_there_are_40_instances() -> None:
    assert len({known.name for known in INSTANCES}) == 40


@pytest.mark.parametrize("known", INSTANCES, ids=lambda known: known.name)
def test_the_published_optimum_is_found_and_proven(known: Instance) -> None:
    outcome = solve(known.problem)
    assert outcome.status is PlanStatus.OPTIMAL
    assert outcome.net_minor == outcome.lower_bound_minor == known.optimal_cost
    assert outcome.gap == 0
    verify(known.problem, outcome.orders)


@pytest.mark.parametrize("known", INSTANCES, ids=lambda known: known.name)
def test_points_of_the_frontier_called_proven_are_the_published_ones(known: Instance) -> None:
    outcome = solve(known.problem)
    assert outcome.frontier[-1].net_minor == known.optimal_cost
    proven = {point.orders_max: point.net_minor for point in outcome.frontier if point.proven}
    published = {orders: known.cheapest_with_at_most_orders.get(orders, known.optimal_cost) for orders in proven}
    assert proven == published
    # A single order is the one point that needs no search, so it is there whenever it exists.
    assert proven.get(1) == known.cheapest_with_at_most_orders[1]
