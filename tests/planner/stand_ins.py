"""Functions that stand in for solve in a worker process, so that a test decides when it says what."""

import os
import time
from pathlib import Path

from planner.problem import Outcome, PlanningProblem
from planner.worker import Report


def stall(marker: Path, problem: PlanningProblem, seconds: float, report: Report) -> Outcome:
    """Tells the process's id in a file, then never answers."""
    tell(marker, os.getpid())
    time.sleep(600)
    raise AssertionError("nobody stopped this worker")


def report_then_stall(
    marker: Path, reported: tuple[Outcome, ...], problem: PlanningProblem, seconds: float, report: Report
) -> Outcome:
    """Reports these outcomes, then as :func:`stall`."""
    for outcome in reported:
        report(outcome)
    return stall(marker, problem, seconds, report)


def step_by_step(
    folder: Path, outcomes: tuple[Outcome, ...], problem: PlanningProblem, seconds: float, report: Report
) -> Outcome:
    """Tells its seconds in a file ``call-...``; reports all but the last outcome, each when its number is a file."""
    tell(folder / f"call-{time.monotonic_ns()}", seconds)
    for number, outcome in enumerate(outcomes):
        while not (folder / str(number)).exists():
            time.sleep(0.005)
        if outcome is not outcomes[-1]:
            report(outcome)
    return outcomes[-1]


def chatter(marker: Path, outcome: Outcome, problem: PlanningProblem, seconds: float, report: Report) -> Outcome:
    """Tells the process's id, then reports without a pause."""
    tell(marker, os.getpid())
    while True:
        report(outcome)


def say(outcome: Outcome, problem: PlanningProblem, seconds: float, report: Report) -> Outcome:
    """Answers this to any question."""
    return outcome


def fail(message: str, problem: PlanningProblem, seconds: float, report: Report) -> Outcome:
    """Crashes."""
    raise ZeroDivisionError(message)


def tell(file: Path, value: float) -> None:
    """Write a number into a file, whole or not at all."""
    started = file.with_suffix(".started")
    started.write_text(str(value))
    started.rename(file)
