"""The planning problems that are measured: a year of days with three kinds of demand, instances, real series."""

import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from statistics import median_low
from typing import Any

from domain.contracts import AdditionalLicence, BillingCycle, MainContract, Term
from domain.months import Period, ends_before, months_begun
from planner.problem import DemandStep, PlanningProblem

MONTHLY_UNIT_PRICE_MINOR = 5_000
TRACES = Path(__file__).parent / "data" / "traces.json"
FORECASTS = ("r1A", "r1B", "r1C", "r2A")
"""The series that stand for daily forecasts in the tables of single solves."""
INSTANCES = Path(__file__).parents[1] / "tests" / "planner" / "data" / "instances.json"


@dataclass(frozen=True, slots=True)
class NamedProblem:
    """A problem with the name it has in the tables."""

    name: str
    problem: PlanningProblem


def year_problems() -> list[NamedProblem]:
    """365 days x 12 months: 5 to 8 events that a person types, a season with weekends, daily forecasts."""
    return [
        *(NamedProblem(f"interactive {rises}", _interactive(rises)) for rises in (5, 6, 7, 8)),
        NamedProblem("seasonal", _seasonal()),
        *_forecasts(),
    ]


def instance_problems() -> list[NamedProblem]:
    """The instances with a known optimum that the tests use."""
    return [NamedProblem(instance["name"], _instance(instance)) for instance in _instances()]


def instance_frontiers() -> dict[str, dict[int, int | None]]:
    """By instance and K: the known least cost with at most K orders; None where so few cannot cover the demand."""
    return {
        instance["name"]: {int(orders): cost for orders, cost in instance["cheapest_with_at_most_orders"].items()}
        for instance in _instances()
    }


def _instances() -> list[dict[str, Any]]:
    instances: list[dict[str, Any]] = json.loads(INSTANCES.read_text())
    return instances


def _interactive(rises: int) -> PlanningProblem:
    """Events of 5 to 80 days that do not touch, each with some hundreds of accounts above the contract."""
    rng = random.Random(rises)
    capacity, unit, days = 300, 100, 365
    levels = [capacity] * days
    share = days // rises
    for event in range(rises):
        length = rng.randint(5, min(80, share - 5))
        begin = event * share + rng.randint(1, share - length - 1)
        levels[begin : begin + length] = [capacity + unit * rng.randint(1, 8)] * length
    return problem_of_levels(_year(date(2026, 4, 1)), levels, capacity, unit)


def _seasonal() -> PlanningProblem:
    """Highest in autumn, a tenth lower at weekends: changes on most days."""
    first = date(2026, 4, 1)
    levels = []
    for offset in range(365):
        season = 500 + 300 * math.sin(2 * math.pi * (offset - 90) / 365)
        weekend = (first + timedelta(days=offset)).weekday() >= 5
        levels.append(round(season * (0.9 if weekend else 1.0)))
    return problem_of_levels(_year(first), levels, capacity=500, unit=10)


def trace_problems(days_max: int, *, orders_max: int, whole_only: bool = False) -> list[NamedProblem]:
    """The first ``days_max`` days of every real series; shorter series whole, or left out with ``whole_only``.

    The window's median is the contract and a thirtieth of the range above it the licence unit. The contract has
    the fewest whole months that hold the window.
    """
    return [
        NamedProblem(name, replace(_trace_problem(series, days_max), orders_max=orders_max))
        for name, series in _series().items()
        if not whole_only or len(series["daily_max"]) >= days_max
    ]


def _forecasts() -> Iterator[NamedProblem]:
    for name in FORECASTS:
        yield NamedProblem(f"forecast {name}", _trace_problem(_series()[name], 365))


def _series() -> dict[str, Any]:
    series: dict[str, Any] = json.loads(TRACES.read_text())["series"]
    return series


def _trace_problem(series: dict[str, Any], days_max: int) -> PlanningProblem:
    levels = series["daily_max"][:days_max]
    capacity = median_low(levels)
    unit = max(1, (max(levels) - capacity) // 30)
    first = date.fromisoformat(series["start"])
    months = months_begun(Period(first, first + timedelta(days=len(levels))))
    return problem_of_levels(Period(first, ends_before(first, months)), levels, capacity, unit)


def problem_of_levels(contract: Period, levels: Sequence[int], capacity: int, unit: int) -> PlanningProblem:
    """``levels`` are the accounts needed on each day from the contract's first on, ``capacity`` those it has.

    Raises:
        ValueError: there are more levels than the contract has days.
    """
    if len(levels) > contract.days:
        raise ValueError(f"{len(levels)} days of demand for a contract of {contract.days}")
    demand = []
    first = begin = contract.starts_on
    for accounts, run in groupby(levels):
        until = begin + timedelta(days=len(list(run)))
        demand.append(DemandStep(Period(begin, until), accounts))
        begin = until
    return PlanningProblem(_contract(contract, capacity, unit), tuple(demand), today=first, earliest_start=first)


def _year(first: date) -> Period:
    return Period(first, ends_before(first, 12))


def _instance(instance: dict[str, Any]) -> PlanningProblem:
    period = _period(instance["starts_on"], instance["ends_before"])
    contract = _contract(period, instance["accounts"], instance["accounts_per_unit"], instance["monthly_unit_price"])
    demand = tuple(DemandStep(_period(step["from"], step["until"]), step["accounts"]) for step in instance["demand"])
    return PlanningProblem(contract, demand, today=period.starts_on, earliest_start=period.starts_on)


def _contract(period: Period, capacity: int, unit: int, price: int = MONTHLY_UNIT_PRICE_MINOR) -> MainContract:
    units, rest = divmod(capacity, unit)
    term = Term(period, "STARTER", units, unit, BillingCycle.MONTHLY, price, 0)
    # A median need not be whole units; an additional licence makes up the rest.
    return MainContract((term,), (AdditionalLicence(period, rest),) if rest else ())


def _period(starts_on: str, ends: str) -> Period:
    return Period(date.fromisoformat(starts_on), date.fromisoformat(ends))
