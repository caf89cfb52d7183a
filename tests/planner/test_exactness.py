"""The cost is the least there is: against an exhaustive search, and against another solver."""

from collections import Counter

import pytest

from planner.problem import Outcome, PlanningProblem, PlanStatus
from planner.solve import solve
from tests.planner.builders import larger_problem, small_problem
from tests.planner.oracle import cheapest, highs_answers, naive_offers, units_missing

BLOCK = 50
HIGHS_PROBLEMS = 100
PLENTY = 60.0
"""Seconds that small problems never need."""
AT_ONCE = 0.0
"""The cost optimum needs no search."""


def proven(outcome: Outcome) -> bool:
    return outcome.status is PlanStatus.OPTIMAL and outcome.gap == 0 and outcome.lower_bound_minor == outcome.net_minor


@pytest.mark.parametrize("first_seed", range(0, 500, BLOCK))
def test_cost_is_that_of_an_exhaustive_search(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + BLOCK):
        problem = small_problem(seed)
        outcome, best = solve(problem, PLENTY), cheapest(problem)
        if best is None:
            assert (outcome.status, outcome.orders) == (PlanStatus.INFEASIBLE, ()), seed
            assert outcome.shortfalls, seed
        else:
            assert proven(outcome), seed
            assert not outcome.shortfalls, seed
            assert outcome.net_minor == best[0], seed


def test_the_small_problems_are_of_every_kind() -> None:
    kinds: Counter[str] = Counter()
    for seed in range(500):
        problem = small_problem(seed)
        best, contract = cheapest(problem), problem.contract
        kinds["infeasible"] += best is None
        kinds["nothing missing"] += best == (0, 0)
        if not best or best == (0, 0):
            continue
        kinds["solved"] += 1
        kinds["solved, price changes"] += len({term.monthly_unit_price_minor for term in contract.terms}) > 1
        kinds["solved, starts on a month end"] += contract.starts_on.day > 28
        kinds["solved, with spots"] += bool(contract.spots)
        kinds["solved, limited months"] += problem.months_max is not None
        last_missing = max(units_missing(problem))
        one_month = [offer for offer in naive_offers(problem) if offer.months == 1]
        kinds["solved, only longer reach the end"] += all(offer.ends_before <= last_missing for offer in one_month)
    assert kinds["infeasible"] >= 50, kinds
    assert kinds["solved"] >= 300, kinds
    assert min(kinds.values()) >= 10, kinds


def as_json(problem: PlanningProblem) -> dict[str, object]:
    """The problem on a line of days, written down by naive code."""
    first_day, missing = problem.contract.starts_on, units_missing(problem)
    deficit = [0] * (problem.contract.ends_before - first_day).days
    for on, units in missing.items():
        deficit[(on - first_day).days] = units
    offers = [
        [(offer.starts_on - first_day).days, (offer.ends_before - first_day).days, offer.price]
        for offer in naive_offers(problem)
    ]
    return {"offers": offers, "deficit": deficit}


@pytest.fixture(scope="module")
def highs_optima() -> list[float]:
    return highs_answers([as_json(larger_problem(seed)) for seed in range(HIGHS_PROBLEMS)])


@pytest.mark.parametrize("first_seed", range(0, HIGHS_PROBLEMS, BLOCK))
def test_cost_is_what_highs_proves(first_seed: int, highs_optima: list[float]) -> None:
    assert len(highs_optima) == HIGHS_PROBLEMS
    for seed in range(first_seed, first_seed + BLOCK):
        outcome = solve(larger_problem(seed), AT_ONCE)
        assert proven(outcome), seed
        assert outcome.orders, seed
        assert outcome.net_minor == pytest.approx(highs_optima[seed], abs=1e-3), seed
