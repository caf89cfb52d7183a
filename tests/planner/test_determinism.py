"""Equal problems have equal answers, whoever asks and in whatever order the parts are given."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

from planner.demand import DemandEntry, demand_from_events, demand_from_profile
from planner.problem import Outcome, PlanningProblem
from planner.solve import solve
from tests.domain.builders import contract, day, licence, period, spot
from tests.planner.builders import planned, problem, small_problem

ANSWERS = """
from dataclasses import replace
from planner.solve import solve
from tests.planner.builders import larger_problem, small_problem
for problem in map(small_problem, range(40)):
    print(replace(solve(problem, 60.0), solve_milliseconds=0.0))
for problem in map(larger_problem, range(6)):
    # Without any time to search: what is found in a given time depends on the machine.
    print(replace(solve(problem, 0.0), solve_milliseconds=0.0))
"""


def answer(asked: PlanningProblem) -> Outcome:
    """The outcome without the time it took."""
    return replace(solve(asked), solve_milliseconds=0.0)


def test_two_processes_give_the_same_answers() -> None:
    printed = [
        subprocess.run(
            [sys.executable, "-c", ANSWERS],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": "."},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert printed[0] == printed[1]
    assert printed[0].count("PlanStatus.OPTIMAL") >= 30
    assert printed[0].count("PlannedOrder(") >= 100


def test_the_order_of_a_profiles_entries_does_not_matter() -> None:
    entries = [
        DemandEntry(day(begin), day(end), accounts)
        for begin, end, accounts in [
            ("2026-04-20", "2026-05-10", 300),
            ("2026-05-10", "2026-06-01", 500),
            ("2026-07-01", "2026-09-15", 250),
            ("2027-01-10", "2027-01-12", 400),
        ]
    ]
    straight = answer(replace(problem(("2026-04-01", "2026-04-02", 1)), demand=demand_from_profile(entries)))
    assert len(straight.orders) == 3
    for seed in range(5):
        Random(seed).shuffle(entries)
        asked = replace(problem(("2026-04-01", "2026-04-02", 1)), demand=demand_from_profile(entries))
        assert answer(asked) == straight


def test_the_order_of_events_spots_and_licences_does_not_matter() -> None:
    spots = (
        spot("2026-05-01", "2026-06-01", 100),
        spot("2026-05-15", "2026-06-15", 200),
        spot("2026-05-01", "2026-08-01", 100),
    )
    licences = (licence("2026-06-01", "2027-04-01", 100), licence("2026-05-20", "2027-04-01", 200))
    events = [
        DemandEntry(day("2026-05-05"), day("2026-06-20"), 300),
        DemandEntry(day("2026-05-18"), day("2026-07-02"), 450),
        DemandEntry(day("2026-06-10"), day("2026-06-12"), 900),
    ]
    answers = []
    for turn in (1, -1):
        main = contract(licences=licences[::turn], spots=spots[::turn])
        asked = replace(
            problem(("2026-04-01", "2026-04-02", 1), main=main), demand=demand_from_events(events[::turn], main)
        )
        answers.append(answer(asked))
    assert answers[0] == answers[1]
    assert len(answers[0].orders) >= 2


def test_a_step_of_demand_may_be_given_in_pieces() -> None:
    whole = problem(("2026-04-10", "2026-06-20", 300))
    pieces = problem(
        ("2026-04-10", "2026-04-11", 300), ("2026-04-11", "2026-06-01", 300), ("2026-06-01", "2026-06-20", 300)
    )
    assert answer(pieces) == answer(whole)


def test_a_constant_need_of_three_months_is_one_order() -> None:
    outcome = solve(problem(("2026-05-10", "2026-08-10", 200)))
    assert outcome.orders == (planned("2026-05-10", 3),)


def test_a_plateau_under_a_peak_is_one_long_order_and_one_short() -> None:
    outcome = solve(
        problem(("2026-05-10", "2026-06-20", 200), ("2026-06-20", "2026-07-05", 400), ("2026-07-05", "2026-08-10", 200))
    )
    assert outcome.net_minor == 25_000
    assert sum(order.units for order in outcome.orders) == 3
    assert outcome.orders[0] == planned("2026-05-10", 3)
    assert [(order.months, order.units) for order in outcome.orders[1:]] == [(1, 2)]
    assert outcome.orders[1].period.overlaps(period("2026-06-20", "2026-07-05"))


def test_the_same_problem_twice_in_one_process() -> None:
    for seed in range(10):
        assert answer(small_problem(seed)) == answer(small_problem(seed))
