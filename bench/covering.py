"""A planning problem as the covering problem that every solver here is given, and the time each took."""

from dataclasses import dataclass
from statistics import median

from planner.offers import Days, Offers, spot_offers
from planner.problem import PlanningProblem
from planner.profile import coverage_steps, deficit_by_day


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


@dataclass(frozen=True, slots=True)
class SolverRun:
    """One run of one solver to a proven optimum."""

    build_seconds: float
    solve_seconds: float
    cost_minor: int

    @property
    def whole_seconds(self) -> float:
        return self.build_seconds + self.solve_seconds


def median_ratio(numerators: list[float], denominators: list[float]) -> float:
    """The median of the ratios within a round: the machine's drift hits both alike and cancels."""
    return median(one / other for one, other in zip(numerators, denominators, strict=True))
