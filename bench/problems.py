"""The planning problems that are measured: a year of days, twelve months, three kinds of demand."""

import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from statistics import median_low
from typing import Any

from domain.contracts import AdditionalLicence, BillingCycle, MainContract, Term
from domain.months import Period, ends_before
from planner.problem import DemandStep, PlanningProblem

MONTHLY_UNIT_PRICE_MINOR = 5_000
TRACES = Path(__file__).parent / "data" / "traces.json"
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
    instances: list[dict[str, Any]] = json.loads(INSTANCES.read_text())
    return [NamedProblem(instance["name"], _instance(instance)) for instance in instances]


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
    return _year_problem(date(2026, 4, 1), levels, capacity, unit)


def _seasonal() -> PlanningProblem:
    """Highest in autumn, a tenth lower at weekends: changes on most days."""
    first = date(2026, 4, 1)
    levels = []
    for offset in range(365):
        season = 500 + 300 * math.sin(2 * math.pi * (offset - 90) / 365)
        weekend = (first + timedelta(days=offset)).weekday() >= 5
        levels.append(round(season * (0.9 if weekend else 1.0)))
    return _year_problem(first, levels, capacity=500, unit=10)


def _forecasts() -> Iterator[NamedProblem]:
    """Real daily maxima: the median is the contract, a thirtieth of the range above it the licence unit."""
    for name, series in json.loads(TRACES.read_text())["series"].items():
        levels = series["daily_max"]
        capacity = median_low(levels)
        unit = max(1, (max(levels) - capacity) // 30)
        first = date.fromisoformat(series["start"])
        yield NamedProblem(f"forecast {name}", _year_problem(first, levels, capacity, unit))


def _year_problem(first: date, levels: Sequence[int], capacity: int, unit: int) -> PlanningProblem:
    """A contract of twelve months; ``levels`` are the accounts needed on each of its days."""
    year = Period(first, ends_before(first, 12))
    if year.days != len(levels):
        raise ValueError(f"{len(levels)} days of demand for a year of {year.days}")
    demand = []
    begin = first
    for accounts, run in groupby(levels):
        until = begin + timedelta(days=len(list(run)))
        demand.append(DemandStep(Period(begin, until), accounts))
        begin = until
    return PlanningProblem(_contract(year, capacity, unit), tuple(demand), today=first, earliest_start=first)


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
