"""Functions that stand in for solving in the processes of ``plan_many``: they die, hang or fail when told to."""

import os
import signal
import sys
import time
from pathlib import Path

from domain.errors import HorizonTooLong
from planner.many import solve_warm
from planner.problem import Outcome, PlanningProblem


def misbehave(folder: Path, problem: PlanningProblem, seconds: float) -> Outcome:
    """Does what the first step's accounts mean below, or solves; leaves a file per attempt in the folder."""
    accounts = problem.demand[0].accounts
    (folder / f"{accounts}-{time.monotonic_ns()}").write_text(str(os.getpid()))
    attempts = len(list(folder.glob(f"{accounts}-*")))
    if accounts == DIE or (accounts == DIE_ONCE and attempts == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if accounts == HANG:
        time.sleep(600)
    if accounts == RAISE:
        raise ZeroDivisionError("a bug,\nin two lines")
    if accounts == REFUSE:
        raise HorizonTooLong(days=4_000, days_max=3_700)
    if accounts == LEAVE:
        sys.exit("gone")
    return solve_warm(problem, seconds)


DIE, DIE_ONCE, HANG, RAISE, REFUSE, LEAVE = 201, 202, 203, 204, 205, 206
"""Accounts: 200 more than a contract of no use, so that each would be an ordinary problem."""
