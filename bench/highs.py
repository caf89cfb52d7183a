"""HiGHS in a process of its own: highspy and ortools do not load together.

Reads one question as JSON per line, solves it and writes one line of times and cost; it times itself,
so that neither its start nor the pipe is counted.
"""

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from signal import SIGKILL
from threading import Timer
from time import perf_counter
from typing import Any

import numpy as np

OVERTIME = 5
"""How many times a time limit the child may take before it is given up."""


def solve(problem: dict[str, Any], *, integer: bool) -> dict[str, float | int]:
    """Cover every day at the least cost; ``integer`` false gives the linear relaxation.

    Raises:
        RuntimeError: HiGHS has not proven an optimum.
    """
    import highspy  # noqa: PLC0415 # only in the child process

    started = perf_counter()
    lp = _covering(problem)
    if integer:
        lp.integrality_ = [highspy.HighsVarType.kInteger] * lp.num_col_
    highs = _highs(lp)
    built = perf_counter()
    highs.run()
    solved = perf_counter()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise RuntimeError(f"HiGHS ended with {highs.getModelStatus()}")
    cost = round(highs.getInfo().objective_function_value)
    return {"build_seconds": built - started, "solve_seconds": solved - built, "cost_minor": cost}


def at_most(problem: dict[str, Any], *, orders_max: int, seconds_max: float) -> dict[str, Any]:
    """The same with at most so many orders, as the big-M model of :mod:`bench.big_m`, within a time limit.

    Returns:
        ``solve_seconds``, ``cost_minor`` (None without a plan) and ``bound_minor``.

    Raises:
        RuntimeError: HiGHS says that there is no plan, or fails.
    """
    import highspy  # noqa: PLC0415 # only in the child process

    highs = _highs(_with_orders(_covering(problem), orders_max))
    highs.setOptionValue("time_limit", seconds_max)
    started = perf_counter()
    highs.run()
    seconds = perf_counter() - started
    status, info = highs.getModelStatus(), highs.getInfo()
    if status not in {highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kTimeLimit}:
        raise RuntimeError(f"HiGHS ended with {status}")
    has_plan = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    cost = round(info.objective_function_value) if has_plan else None
    bound = cost if status == highspy.HighsModelStatus.kOptimal else math.ceil(max(0.0, info.mip_dual_bound) - 1e-6)
    return {"solve_seconds": seconds, "cost_minor": cost, "bound_minor": bound}


def _covering(problem: dict[str, Any]) -> Any:  # highspy is only in the child process
    """A column of units per offer, a row per day with a deficit."""
    import highspy  # noqa: PLC0415

    lp = highspy.HighsLp()
    start, end = np.array(problem["start"]), np.array(problem["end"])
    deficit = np.array(problem["deficit"])
    days = np.flatnonzero(deficit)
    first_row, last_row = np.searchsorted(days, start), np.searchsorted(days, end)
    lp.num_col_, lp.num_row_ = len(start), len(days)
    lp.col_cost_ = np.array(problem["price"], dtype=float)
    lp.col_lower_ = np.zeros(len(start))
    lp.col_upper_ = np.full(len(start), float(deficit.max()))
    lp.row_lower_ = deficit[days].astype(float)
    lp.row_upper_ = np.full(len(days), highspy.kHighsInf)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = np.concatenate([[0], np.cumsum(last_row - first_row)])
    lp.a_matrix_.index_ = np.concatenate([np.arange(a, b) for a, b in zip(first_row, last_row, strict=True)])
    lp.a_matrix_.value_ = np.ones(int((last_row - first_row).sum()))
    return lp


def _with_orders(lp: Any, orders_max: int) -> Any:  # as above
    """A binary column per offer, a row per offer that allows units only where it is 1, and a row that counts them."""
    import highspy  # noqa: PLC0415

    offers, days = lp.num_col_, lp.num_row_
    units_max = np.array(lp.col_upper_)
    starts, covered = np.array(lp.a_matrix_.start_), np.array(lp.a_matrix_.index_)
    link, count = days + np.arange(offers), np.full(offers, days + offers)
    lp.num_col_, lp.num_row_ = 2 * offers, days + offers + 1
    lp.col_cost_ = np.concatenate([lp.col_cost_, np.zeros(offers)])
    lp.col_lower_ = np.zeros(2 * offers)
    lp.col_upper_ = np.concatenate([units_max, np.ones(offers)])
    lp.row_lower_ = np.concatenate([lp.row_lower_, np.full(offers + 1, -highspy.kHighsInf)])
    lp.row_upper_ = np.concatenate([lp.row_upper_, np.zeros(offers), [orders_max]])
    # Each column of units gets its link at its end; after them each binary column has its link and its count.
    lp.a_matrix_.index_ = np.concatenate([np.insert(covered, starts[1:], link), np.stack([link, count], 1).ravel()])
    values = np.stack([-units_max, np.ones(offers)], 1).ravel()
    lp.a_matrix_.value_ = np.concatenate([np.ones(len(covered) + offers), values])
    ends = starts + np.arange(offers + 1)
    lp.a_matrix_.start_ = np.concatenate([ends, ends[-1] + 2 * np.arange(1, offers + 1)])
    lp.integrality_ = [highspy.HighsVarType.kInteger] * (2 * offers)
    return lp


def _highs(lp: Any) -> Any:  # as above
    import highspy  # noqa: PLC0415

    highs = highspy.Highs()  # type: ignore[no-untyped-call] # highspy leaves it unannotated
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("mip_rel_gap", 0.0)
    highs.setOptionValue("mip_abs_gap", 0.5)  # Costs are whole numbers.
    highs.passModel(lp)
    return highs


class HighsProcess:
    """The child, kept warm over all rounds."""

    def __init__(self) -> None:
        self._child = _child()

    def solve(self, problem: dict[str, Any], *, integer: bool) -> dict[str, Any]:
        """Solve in the child; arguments and answer as in :func:`solve`.

        Raises:
            RuntimeError: the child has ended.
        """
        answer = self._ask({"problem": problem, "integer": integer})
        if answer is None:
            raise RuntimeError("the HiGHS process has ended; its message is above")
        return answer

    def at_most(self, problem: dict[str, Any], *, orders_max: int, seconds_max: float) -> dict[str, Any]:
        """Solve in the child; arguments and answer as in :func:`at_most`.

        HiGHS does not look at the clock everywhere: its presolve was seen at it for ten minutes. A child that has not
        answered after OVERTIME times the limit is replaced, and nothing is proven.

        Raises:
            RuntimeError: the child has ended by itself.
        """
        watch = Timer(OVERTIME * seconds_max, self._child.kill)
        watch.start()
        answer = self._ask({"problem": problem, "orders_max": orders_max, "seconds_max": seconds_max})
        watch.cancel()
        if answer is not None:
            return answer
        if self._child.wait() != -SIGKILL:
            raise RuntimeError("the HiGHS process has ended; its message is above")
        self.close()
        self._child = _child()
        return {"solve_seconds": seconds_max, "cost_minor": None, "bound_minor": 0}

    def _ask(self, question: dict[str, Any]) -> dict[str, Any] | None:
        """The child's answer; None when it has ended."""
        if self._child.stdin is None or self._child.stdout is None:
            raise RuntimeError("the HiGHS process has no pipes")
        self._child.stdin.write(json.dumps(question) + "\n")
        self._child.stdin.flush()
        for line in self._child.stdout:
            if line.startswith("{"):  # HiGHS greets on the same output.
                answer: dict[str, Any] = json.loads(line)
                return answer
        return None

    def close(self) -> None:
        """The end of its input stops the child."""
        with self._child:
            pass


def _child() -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "bench.highs"]
    root = Path(__file__).parents[1]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root)


@contextmanager
def highs_process() -> Iterator[HighsProcess]:
    """HiGHS for as long as the block runs."""
    with closing(HighsProcess()) as highs:
        yield highs


def main() -> None:
    """Answer problems until the input ends."""
    for line in sys.stdin:
        question = json.loads(line)
        answer = at_most(**question) if "orders_max" in question else solve(**question)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
