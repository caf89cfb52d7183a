"""CP-SAT for what the other searches leave open, on the cells of the line of days.

minimise    sum_j price[j] x[j] + fee sum_j y[j]     or, on the optimal face,     sum_j y[j]
subject to  (B1) sum_{j covers c} x[j] >= u[c]  for every cell c
            (B2) x[j] <= m[j] y[j],   m[j] = min(most units of an order, highest deficit that j covers)
            (B3) sum_j y[j] <= k
            (B4) on the optimal face: only offers of reduced cost 0, and nothing spare where a unit has a price
"""

from dataclasses import dataclass
from time import perf_counter

import numpy as np
from ortools.sat.python import cp_model

from planner.board import Question, Selection
from planner.line import Line, Mask


@dataclass(frozen=True, eq=False, slots=True)
class Face:
    """The plans of least cost without limits: the offers they use, and the cells they cover exactly."""

    offers: Mask
    exact_cells: Mask


@dataclass(frozen=True, slots=True)
class Found:
    """A better plan if there was one, and a proven bound of the objective."""

    plan: Selection | None
    bound: int


def branch(
    question: Question, line: Line, known: Selection, *, orders_max: int, deadline: float, face: Face | None
) -> Found:
    """Search for a cheaper plan of at most so many orders, or for one of fewer orders on the face.

    Without a face the bound is of the cost in minor units, with one of the number of orders.
    """
    model = cp_model.CpModel()
    kept = np.arange(len(question.offers)) if face is None else np.flatnonzero(face.offers)
    most = np.array([int(line.deficit[line.begin[j] : line.end[j]].max(initial=0)) for j in kept.tolist()])
    held = np.minimum(most, question.units_max)
    # One order of an offer is enough unless it could hold more than an order may.
    counts = [
        model.new_int_var(0, int(-(-top // size)) if size else 0, "") for top, size in zip(most, held, strict=True)
    ]
    units = [model.new_int_var(0, int(top), "") for top in most]
    for unit, number, size in zip(units, counts, held.tolist(), strict=True):
        model.add(unit <= size * number)
    model.add(cp_model.LinearExpr.sum(counts) <= orders_max)
    for cell in np.flatnonzero(line.deficit).tolist():
        covering = [units[i] for i in np.flatnonzero((line.begin[kept] <= cell) & (line.end[kept] > cell)).tolist()]
        total, needed = cp_model.LinearExpr.sum(covering), int(line.deficit[cell])
        model.add(total == needed) if face is not None and face.exact_cells[cell] else model.add(total >= needed)
    if face is None:
        prices = question.offers.price[kept].tolist()
        fees = [question.fee_minor] * len(counts)
        model.minimize(cp_model.LinearExpr.weighted_sum(units + counts, prices + fees))
    else:
        model.minimize(cp_model.LinearExpr.sum(counts))
    for variables, weights in ((units, known.units), (counts, np.ones(len(known), dtype=np.int64))):
        values = np.zeros(len(question.offers), dtype=np.int64)
        np.add.at(values, known.offers, weights)
        for variable, value in zip(variables, values[kept].tolist(), strict=True):
            model.add_hint(variable, value)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = max(0.0, deadline - perf_counter())
    # One core per question: the other solves somebody else's.
    solver.parameters.num_workers = 1
    status = solver.solve(model)
    if status == cp_model.INFEASIBLE:
        # Only the limit on orders can be too strict, as the known plan covers all days.
        return Found(None, orders_max + 1)
    bound = max(0, int(np.ceil(solver.best_objective_bound - 1e-6)))
    if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        return Found(None, bound)
    bought = np.array([solver.value(unit) for unit in units], dtype=np.int64)
    return Found(Selection.of(question, kept[bought > 0], bought[bought > 0]), bound)
