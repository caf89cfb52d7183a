"""(b) The call that proves the least cost against HiGHS and CP-SAT on the plain integer model of the same problem.

    minimise    sum_j price[j] x[j]
    subject to  sum_{j covers t} x[j] >= u[t]  for every day t with u[t] > 0,   x[j] >= 0 integer

All three must prove the same cost. HiGHS also gets the linear relaxation, whose optimum is the same because the
matrix is totally unimodular: nobody should have to take the gap to a MIP search for the gap to HiGHS.
"""

from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

import numpy as np
from rich import box
from rich.table import Table

from bench.covering import Covering, SolverRun, cheapest, median_ratio
from bench.highs import HighsProcess, highs_process
from bench.problems import NamedProblem

ROUNDS = 5
SOLVERS = ("HiGHS MIP", "HiGHS LP", "CP-SAT")
CP_SAT_SECONDS_MAX = 60.0


@dataclass(slots=True)
class IntegerTimes:
    """The runs of one problem, per solver in the order of rounds."""

    name: str
    covering: Covering
    planner_seconds: list[float] = field(default_factory=list)
    runs: dict[str, list[SolverRun]] = field(default_factory=lambda: {name: [] for name in SOLVERS})


def measure(problems: list[NamedProblem]) -> list[IntegerTimes]:
    """Every solver on every problem in each round.

    Raises:
        RuntimeError: two solvers prove different costs, or one proves none.
    """
    cp_sat(Covering.of(problems[0].problem))  # Loads the solver, so that no measured round pays for it.
    times = [IntegerTimes(named.name, Covering.of(named.problem)) for named in problems]
    with highs_process() as highs:
        for _ in range(ROUNDS):
            for named, taken in zip(problems, times, strict=True):
                _round(named, taken, highs)
    return times


def _round(named: NamedProblem, taken: IntegerTimes, highs: HighsProcess) -> None:
    cheapest(named.problem)  # The other solvers leave cold caches; a server that plans is warm.
    started = perf_counter()
    outcome = cheapest(named.problem)
    taken.planner_seconds.append(perf_counter() - started)
    problem = taken.covering.plain()
    runs = {
        "HiGHS MIP": SolverRun(**highs.solve(problem, integer=True)),
        "HiGHS LP": SolverRun(**highs.solve(problem, integer=False)),
        "CP-SAT": cp_sat(taken.covering),
    }
    for name, run in runs.items():
        if run.cost_minor != outcome.net_minor:
            raise RuntimeError(f"{named.name}: {name} proves {run.cost_minor}, not {outcome.net_minor}")
        taken.runs[name].append(run)


def table(times: list[IntegerTimes]) -> Table:
    """Median milliseconds, and how many times as long as the planner's call they are."""
    title = f"(b) other solvers against the planner call, ms, {ROUNDS} rounds, equal costs"
    result = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    result.add_column("problem", no_wrap=True)
    for heading in ("solver", "call", "solve", "is times", "with build", "is times"):
        result.add_column(heading, justify="left" if heading == "solver" else "right", no_wrap=True)
    for taken in times:
        for number, name in enumerate(SOLVERS):
            bare = [run.solve_seconds for run in taken.runs[name]]
            whole = [run.whole_seconds for run in taken.runs[name]]
            result.add_row(
                "" if number else taken.name,
                name,
                "" if number else f"{median(taken.planner_seconds) * 1000:.1f}",
                f"{median(bare) * 1000:,.0f}",
                f"{median_ratio(bare, taken.planner_seconds):,.0f}",
                f"{median(whole) * 1000:,.0f}",
                f"{median_ratio(whole, taken.planner_seconds):,.0f}",
            )
        result.add_section()
    return result


def cp_sat(covering: Covering) -> SolverRun:
    """CP-SAT on the plain model, with as many workers as it chooses.

    Raises:
        RuntimeError: it has not proven an optimum in time.
    """
    from ortools.sat.python import cp_model  # noqa: PLC0415 # 0.4 s that only this part needs

    started = perf_counter()
    offers, deficit = covering.offers, covering.deficit
    model = cp_model.CpModel()
    units_max = int(deficit.max())
    units = [model.new_int_var(0, units_max, "") for _ in range(len(offers))]
    for day in np.flatnonzero(deficit).tolist():
        covers = np.flatnonzero((offers.start <= day) & (offers.end > day)).tolist()
        model.add(cp_model.LinearExpr.sum([units[index] for index in covers]) >= int(deficit[day]))
    model.minimize(cp_model.LinearExpr.weighted_sum(units, offers.price.tolist()))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = CP_SAT_SECONDS_MAX
    built = perf_counter()
    status = solver.solve(model)
    solved = perf_counter()
    if status != cp_model.OPTIMAL:
        raise RuntimeError(f"CP-SAT ended with {solver.status_name(status)}")
    return SolverRun(built - started, solved - built, round(solver.objective_value))
