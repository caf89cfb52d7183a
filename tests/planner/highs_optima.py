"""Optima by HiGHS, in a process of its own because it and ortools do not load in one.

Reads a JSON list of {"offers": [[start, end, price], ...], "deficit": [units per day]} from standard input and
writes the list of least costs as the last line of standard output, where HiGHS greets first. The linear relaxation
is enough: its optimum is never above the cheapest plan's cost, so a plan that costs no more is a cheapest one.
"""

import json
import sys

import highspy
import numpy as np


def least_cost(offers: list[list[int]], deficit: list[int]) -> float:
    """Columns: units per offer, then surplus per day. Row t: coverage of t less that of t-1, and surplus."""
    days, count = len(deficit), len(offers)
    rows: list[int] = []
    values: list[float] = []
    begins: list[int] = []
    for start, end, _ in offers:
        begins.append(len(rows))
        rows.append(start)
        values.append(1.0)
        if end < days:
            rows.append(end)
            values.append(-1.0)
    for day in range(days):
        begins.append(len(rows))
        rows.append(day)
        values.append(-1.0)
        if day + 1 < days:
            rows.append(day + 1)
            values.append(1.0)
    levels = np.diff(np.array(deficit, dtype=float), prepend=0.0)
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = count + days, days
    program.col_cost_ = np.array([price for _, _, price in offers] + [0] * days, dtype=float)
    program.col_lower_ = np.zeros(count + days)
    program.col_upper_ = np.full(count + days, highspy.kHighsInf)
    program.row_lower_ = program.row_upper_ = levels
    program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    program.a_matrix_.start_ = np.array([*begins, len(rows)])
    program.a_matrix_.index_ = np.array(rows)
    program.a_matrix_.value_ = np.array(values)
    solver = highspy.Highs()  # type: ignore[no-untyped-call] # highspy leaves it unannotated
    solver.setOptionValue("output_flag", False)
    solver.passModel(program)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise RuntimeError(f"HiGHS ended with {solver.getModelStatus()}")
    return float(solver.getObjectiveValue())


if __name__ == "__main__":
    problems = json.load(sys.stdin)
    json.dump([least_cost(problem["offers"], problem["deficit"]) for problem in problems], sys.stdout)
