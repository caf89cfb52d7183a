"""Optima by HiGHS, in a process of its own because it and ortools do not load in one.

Reads a JSON list of questions from standard input and writes the list of answers as the last line of standard output,
where HiGHS greets first. All questions have "offers": [[start, end, price], ...] on a line of days. Those with

- "deficit": [units per day], ask for the least cost that covers it. The linear relaxation is enough: its optimum is
  never above the cheapest plan's cost, so a plan that costs no more is a cheapest one.
- "missing": [accounts per day], ask for [least shortfall in account-days, least cost of that] within "budget", as an
  integer program. "unit" is the accounts of a unit.
"""

import json
import sys
from typing import Any

import highspy
import numpy as np


def solved(program: highspy.HighsLp) -> float:
    solver = highspy.Highs()  # type: ignore[no-untyped-call] # highspy leaves it unannotated
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.passModel(program)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise RuntimeError(f"HiGHS ended with {solver.getModelStatus()}")
    return float(solver.getObjectiveValue())


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
    return solved(program)


def most_useful(question: dict[str, Any]) -> tuple[float, float]:
    """Columns: units per offer, integer, then accounts short per day. Rows: the days, the budget, the shortfall."""
    offers, missing = np.array(question["offers"], dtype=int).reshape(-1, 3), np.array(question["missing"], dtype=int)
    days, count = np.flatnonzero(missing), len(offers)
    covers = (offers[:, 0] <= days[:, None]) & (days[:, None] < offers[:, 1])
    cost = np.concatenate([offers[:, 2], 0 * days])
    short = np.concatenate([np.zeros(count), np.ones(len(days))])
    rows = np.vstack([np.hstack([covers * question["unit"], np.eye(len(days))]), cost, short])
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = rows.shape[1], rows.shape[0]
    program.col_lower_, program.col_upper_ = 0.0 * cost, np.full(len(cost), highspy.kHighsInf)
    program.row_lower_ = np.append(missing[days], [0.0, 0.0])
    program.row_upper_ = np.append(np.full(len(days), highspy.kHighsInf), [question["budget"], highspy.kHighsInf])
    row, column = np.nonzero(rows)
    program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    program.a_matrix_.start_ = np.searchsorted(row, np.arange(len(rows) + 1))
    program.a_matrix_.index_, program.a_matrix_.value_ = column, rows[row, column].astype(float)
    integer, continuous = highspy.HighsVarType.kInteger, highspy.HighsVarType.kContinuous
    program.integrality_ = [integer] * count + [continuous] * len(days)
    program.col_cost_ = short
    shortfall = solved(program)
    program.row_upper_ = np.append(program.row_upper_[:-1], round(shortfall))
    program.col_cost_ = cost.astype(float)
    return shortfall, solved(program)


if __name__ == "__main__":
    answers = [
        most_useful(question) if "missing" in question else least_cost(question["offers"], question["deficit"])
        for question in json.load(sys.stdin)
    ]
    json.dump(answers, sys.stdout)
