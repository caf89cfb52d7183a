"""A planning problem as the covering problem that every solver here is given, and the time each took."""

from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from planner.offers import Days, Offers, spot_offers
from planner.problem import Outcome, PlanningProblem, PlanStatus
from planner.profile import coverage_steps, deficit_by_day
from planner.solve import solve


@dataclass(frozen=True, slots=True)
class Covering:
    """All offers, unreduced, and the units missing per day."""

    offers: Offers
    deficit: Days

    @classmethod
    def of(cls, problem: PlanningProblem) -> "Covering":
        offers = spot_offers(problem)
        days = (problem.contract.ends_before - offers.first_day).days
        return cls(offers, deficit_by_day(problem, coverage_steps(problem), offers.first_day, days))

    @property
    def breakpoints(self) -> int:
        """On how many days the deficit changes."""
        return int(np.count_nonzero(np.diff(self.deficit, prepend=0, append=0)))

    def plain(self) -> dict[str, Any]:
        """The same as lists, for another process."""
        return {
            "start": self.offers.start.tolist(),
            "end": self.offers.end.tolist(),
            "price": self.offers.price.tolist(),
            "deficit": self.deficit.tolist(),
        }


@dataclass(frozen=True, slots=True)
class SolverRun:
    """One run of one solver to a proven optimum."""

    build_seconds: float
    solve_seconds: float
    cost_minor: int

    @property
    def whole_seconds(self) -> float:
        return self.build_seconds + self.solve_seconds


def cheapest(problem: PlanningProblem) -> Outcome:
    """The planner's answer as soon as its cost is proven: without the search for few orders, which comes after.

    Raises:
        RuntimeError: the cost is not proven.
    """
    outcome = solve(problem, seconds=0.0)
    if outcome.status is not PlanStatus.OPTIMAL:
        raise RuntimeError(f"the least cost is not proven: {outcome.lower_bound_minor} to {outcome.cost_minor}")
    return outcome


def median_ratio(numerators: list[float], denominators: list[float]) -> float:
    """The median of the ratios within a round: the machine's drift hits both alike and cancels."""
    return median(one / other for one, other in zip(numerators, denominators, strict=True))
