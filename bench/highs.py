"""HiGHS in a process of its own: highspy and ortools do not load together.

Reads one covering problem as JSON per line, solves it and writes one line of times and cost; it times itself,
so that neither its start nor the pipe is counted.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np


def solve(problem: dict[str, Any], *, integer: bool) -> dict[str, float | int]:
    """Cover every day at the least cost; ``integer`` false gives the linear relaxation.

    Raises:
        RuntimeError: HiGHS has not proven an optimum.
    """
    import highspy  # noqa: PLC0415 # only in the child process

    started = perf_counter()
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
    if integer:
        lp.integrality_ = [highspy.HighsVarType.kInteger] * len(start)
    highs = highspy.Highs()  # type: ignore[no-untyped-call] # highspy leaves it unannotated
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("mip_rel_gap", 0.0)
    highs.passModel(lp)
    built = perf_counter()
    highs.run()
    solved = perf_counter()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise RuntimeError(f"HiGHS ended with {highs.getModelStatus()}")
    cost = round(highs.getInfo().objective_function_value)
    return {"build_seconds": built - started, "solve_seconds": solved - built, "cost_minor": cost}


class HighsProcess:
    """The child, kept warm over all rounds."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def solve(self, problem: dict[str, Any], *, integer: bool) -> dict[str, Any]:
        """Solve in the child; arguments and answer as in :func:`solve`."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the HiGHS process has no pipes")
        self._process.stdin.write(json.dumps({**problem, "integer": integer}) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("{"):  # HiGHS greets on the same output.
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise RuntimeError("the HiGHS process has ended; its message is above")


@contextmanager
def highs_process() -> Iterator[HighsProcess]:
    """A child that is stopped by the end of its input."""
    command = [sys.executable, "-m", "bench.highs"]
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        yield HighsProcess(process)


def main() -> None:
    """Answer problems until the input ends."""
    for line in sys.stdin:
        problem = json.loads(line)
        print(json.dumps(solve(problem, integer=problem["integer"])), flush=True)


if __name__ == "__main__":
    main()
