"""The plain big-M model of "the cheapest plan with at most K orders", and CP-SAT on it.

minimise    sum_j price[j] x[j]
subject to  sum_{j covers t} x[j] >= u[t]  for every day t with u[t] > 0
            x[j] <= m[j] y[j],   sum_j y[j] <= K,   x[j] >= 0 integer, y[j] binary
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, inf
from threading import Event, Thread
from time import perf_counter, process_time
from typing import TYPE_CHECKING

import numpy as np

from bench.covering import Covering
from planner.offers import Days, Offers, in_normal_form
from planner.problem import Outcome

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

CPU_WATCH_SECONDS = 0.2


@dataclass(frozen=True, eq=False, slots=True)
class BigM:
    """Offers, the units missing per day, and each offer's m[j]; shapes (offers,), (days,), (offers,)."""

    offers: Offers
    deficit: Days
    units_max: Days

    @classmethod
    def plain(cls, covering: Covering) -> "BigM":
        """As one writes it down: all offers, and the highest deficit for every m[j]."""
        units_max = np.full(len(covering.offers), covering.deficit.max(), dtype=np.int64)
        return cls(covering.offers, covering.deficit, units_max)

    @classmethod
    def tight(cls, covering: Covering) -> "BigM":
        """As well as it is done without another method: offers in normal form, m[j] the highest deficit of j's days."""
        offers = in_normal_form(covering.offers, covering.deficit)
        highest = [covering.deficit[start:end].max() for start, end in zip(offers.start, offers.end, strict=True)]
        return cls(offers, covering.deficit, np.array(highest, dtype=np.int64))

    def units_of(self, outcome: Outcome) -> Days:
        """A plan's units of each offer; shape (offers,).

        Raises:
            KeyError: the plan has an order that is not among the offers.
        """
        pairs = zip(self.offers.start.tolist(), self.offers.end.tolist(), strict=True)
        index = {pair: number for number, pair in enumerate(pairs)}
        units = np.zeros(len(self.offers), dtype=np.int64)
        for order in outcome.orders:
            first, last = order.period.starts_on, order.period.ends_before
            units[index[(first - self.offers.first_day).days, (last - self.offers.first_day).days]] += order.units
        return units


@dataclass(frozen=True, slots=True)
class Found:
    """How a solver ended: the best cost if it found a plan, and its bound; equal when it is proven."""

    solve_seconds: float
    cost_minor: int | None
    bound_minor: int

    @property
    def is_proven(self) -> bool:
        return self.cost_minor == self.bound_minor


@dataclass(frozen=True, slots=True)
class Limits:
    """When CP-SAT ends without a proof, and on how many workers; 0: as many as it chooses.

    ``cpu_seconds`` are those of the whole process, so that other work on the machine does not weaken a reference.
    """

    seconds: float
    cpu_seconds: float = inf
    workers: int = 0


def cp_sat_at_most(model: BigM, orders_max: int, limits: Limits, start: Days | None = None) -> Found:
    """CP-SAT for one K, from the units of a plan if there is one.

    Raises:
        RuntimeError: it says that there is no plan.
    """
    from ortools.sat.python import cp_model  # noqa: PLC0415 # 0.4 s that only this part needs

    offers, deficit = model.offers, model.deficit
    program = cp_model.CpModel()
    units = [program.new_int_var(0, most, "") for most in model.units_max.tolist()]
    bought = [program.new_bool_var("") for _ in units]
    for unit, is_bought, most in zip(units, bought, model.units_max.tolist(), strict=True):
        program.add(unit <= most * is_bought)
    program.add(cp_model.LinearExpr.sum(bought) <= orders_max)
    for day in np.flatnonzero(deficit).tolist():
        covers = np.flatnonzero((offers.start <= day) & (offers.end > day)).tolist()
        program.add(cp_model.LinearExpr.sum([units[index] for index in covers]) >= int(deficit[day]))
    program.minimize(cp_model.LinearExpr.weighted_sum(units, offers.price.tolist()))
    if start is not None:
        for unit, is_bought, value in zip(units, bought, start.tolist(), strict=True):
            program.add_hint(unit, value)
            program.add_hint(is_bought, value > 0)
    return _solved(program, limits)


def _solved(program: "cp_model.CpModel", limits: Limits) -> Found:
    from ortools.sat.python import cp_model  # noqa: PLC0415 # as above

    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = limits.seconds
    solver.parameters.num_workers = limits.workers
    started = perf_counter()
    with _stopped(solver, process_time() + limits.cpu_seconds):
        status = solver.solve(program)
    seconds = perf_counter() - started
    if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE, cp_model.UNKNOWN}:
        raise RuntimeError(f"CP-SAT ended with {solver.status_name(status)}")
    cost = None if status == cp_model.UNKNOWN else round(solver.objective_value)
    return Found(seconds, cost, ceil(solver.best_objective_bound - 1e-6))


@contextmanager
def _stopped(solver: "cp_model.CpSolver", cpu_end: float) -> Iterator[None]:
    """Stop the solver once the process has used so much of its processors, on the clock of ``process_time``."""
    has_ended = Event()

    def watch() -> None:
        while process_time() < cpu_end:
            if has_ended.wait(CPU_WATCH_SECONDS):
                return
        solver.stop_search()

    watching = Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        has_ended.set()
        watching.join()
