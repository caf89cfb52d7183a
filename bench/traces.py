"""Real daily forecasts with at most 12 orders: the planner within its seconds, against CP-SAT's minute.

CP-SAT gets the offers in normal form, the tightest m[j] (:meth:`bench.big_m.BigM.tight`), two workers, and the first
plan that the planner reports as its start. A second run begins at the planner's own answer where that is not proven:
what CP-SAT can still improve there counts for the best known cost. All of it takes some 40 minutes, so the costs are
kept in ``data/trace_bests.json``; ``--long`` computes them again.
"""

import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time

from rich import box
from rich.table import Table

from bench.big_m import BigM, Found, Limits, cp_sat_at_most
from bench.covering import Covering
from bench.problems import NamedProblem, trace_problems
from planner.problem import Outcome
from planner.solve import solve
from planner.warm import warm

BESTS = Path(__file__).parent / "data" / "trace_bests.json"
ORDERS_MAX = 12
SECONDS = {365: 2.0, 730: 10.0}
"""What the planner may take, by the window in days."""
CP_SAT_SECONDS = 60
CP_SAT_WORKERS = 2
CP_SAT_LIMITS = Limits(CP_SAT_SECONDS * 10.0, CP_SAT_SECONDS * CP_SAT_WORKERS, CP_SAT_WORKERS)
"""A minute of both workers' processor time, however long that takes on a machine that has other work."""
FIRST_PLAN_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Reference:
    """What CP-SAT finds and proves from the planner's first plan, and the least of all known costs."""

    start_cost_minor: int
    cp_sat_cost_minor: int
    cp_sat_bound_minor: int
    cp_sat_cpu_seconds: float
    best_cost_minor: int


@dataclass(frozen=True, slots=True)
class TraceTime:
    """The planner's answer to one window, its wall time, and what it is compared with."""

    name: str
    days: int
    seconds: float
    outcome: Outcome
    reference: Reference | None
    """None where no reference was ever computed."""

    @property
    def best_cost_minor(self) -> int:
        """The least cost that anybody has found, this answer included."""
        cost = self.outcome.cost_minor
        return cost if self.reference is None else min(cost, self.reference.best_cost_minor)


def measure(days: int, *, long: bool = False) -> list[TraceTime]:
    """Answer every window of so many days; ``long`` computes the references again, and stores them.

    Raises:
        RuntimeError: a proven bound is above a cost that somebody else found.
    """
    warm()
    problems = trace_problems(days, whole_only=days > 365, orders_max=ORDERS_MAX)
    known = _references(days)
    times = []
    for named in problems:
        started = perf_counter()
        outcome = solve(named.problem, seconds=SECONDS[days])
        seconds = perf_counter() - started
        if long:
            known[named.name] = _reference(named, outcome, known.get(named.name))
            _store(days, known)
        times.append(TraceTime(named.name, named.problem.window.days, seconds, outcome, known.get(named.name)))
    for taken in times:
        _check(taken)
    return times


def table(days: int, times: list[TraceTime]) -> Table:
    """One row per series; the caption sums them up."""
    result = Table(
        title=f"(e) daily forecasts, windows of {days} days, at most {ORDERS_MAX} orders, {SECONDS[days]:g} s",
        caption=_caption(times),
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    result.add_column("series", no_wrap=True)
    headings = ("days", "orders", "s", "cost", "bound", "gap", "CP-SAT", "ratio", "best", "ratio")
    for heading in headings:
        result.add_column(heading, justify="right", no_wrap=True)
    for taken in times:
        outcome = taken.outcome
        result.add_row(
            taken.name,
            f"{taken.days}",
            f"{len(outcome.orders)}",
            f"{taken.seconds:.2f}",
            f"{outcome.cost_minor / 1000:,.0f}",
            f"{outcome.lower_bound_minor / 1000:,.0f}",
            f"{outcome.gap:.1%}",
            *_compared(taken),
        )
    return result


def _compared(taken: TraceTime) -> tuple[str, ...]:
    """What CP-SAT found, the best known cost, and the answer's cost as a multiple of each."""
    if taken.reference is None:
        return "", "", "", ""
    cost, found, best = taken.outcome.cost_minor, taken.reference.cp_sat_cost_minor, taken.best_cost_minor
    return f"{found / 1000:,.0f}", f"{_ratio(cost, found):.3f}", f"{best / 1000:,.0f}", f"{_ratio(cost, best):.3f}"


def _caption(times: list[TraceTime]) -> str:
    short = sum(taken.days < max(other.days for other in times) for taken in times)
    asked = [taken for taken in times if taken.outcome.cost_minor]
    compared = [taken for taken in asked if taken.reference is not None]
    near = sum(_ratio(taken.outcome.cost_minor, taken.best_cost_minor) <= 1.01 for taken in compared)
    proven = sum(taken.outcome.lower_bound_minor == taken.outcome.cost_minor for taken in asked)
    idle = len(times) - len(asked)
    slowest = max(taken.seconds for taken in times)
    return (
        f"costs in thousands; ratio: the answer's to the cost before it. {len(times)} series, {short} of them"
        f" shorter than the window and whole; {idle} never exceed their median. Of the other {len(asked)}:"
        f" {proven} proven optimal. Of {len(compared)} with a reference: {near} within 1 % of the best known cost;"
        f" slowest answer {slowest:.2f} s."
        f" CP-SAT: {CP_SAT_SECONDS} s on {CP_SAT_WORKERS} cores from the planner's first plan, stored in"
        f" data/{BESTS.name}."
    )


def _ratio(cost: int, other: int) -> float:
    return cost / other if other else 1.0


def _check(taken: TraceTime) -> None:
    """Two independent proofs must not contradict each other."""
    outcome, reference = taken.outcome, taken.reference
    if reference is None:
        return
    if outcome.lower_bound_minor > reference.best_cost_minor or reference.cp_sat_bound_minor > outcome.cost_minor:
        raise RuntimeError(f"{taken.name}: {outcome.lower_bound_minor} to {outcome.cost_minor}, but {reference}")


def _reference(named: NamedProblem, answer: Outcome, known: Reference | None) -> Reference:
    """CP-SAT from the planner's first plan, and from its answer if that is not proven."""
    first: list[Outcome] = []
    solve(named.problem, seconds=FIRST_PLAN_SECONDS, report=first.append)
    if not first:  # Nothing is missing.
        return Reference(0, 0, 0, 0.0, 0)
    model = BigM.tight(Covering.of(named.problem))
    started = process_time()
    found = _cp_sat(model, first[0])
    cpu_seconds = process_time() - started
    costs = [found.cost_minor, answer.cost_minor, known.best_cost_minor if known else None]
    if answer.cost_minor > answer.lower_bound_minor:
        costs.append(_cp_sat(model, answer).cost_minor)
    return Reference(
        start_cost_minor=first[0].cost_minor,
        cp_sat_cost_minor=first[0].cost_minor if found.cost_minor is None else found.cost_minor,
        cp_sat_bound_minor=found.bound_minor,
        cp_sat_cpu_seconds=round(cpu_seconds, 1),
        best_cost_minor=min(cost for cost in costs if cost is not None),
    )


def _cp_sat(model: BigM, start: Outcome) -> Found:
    return cp_sat_at_most(model, ORDERS_MAX, CP_SAT_LIMITS, model.units_of(start))


def _references(days: int) -> dict[str, Reference]:
    stored = json.loads(BESTS.read_text())["windows"].get(str(days), {}) if BESTS.exists() else {}
    return {name: Reference(**values) for name, values in stored.items()}


def _store(days: int, references: dict[str, Reference]) -> None:
    """One line per window, the other windows as they are."""
    windows = {other: _references(other) for other in SECONDS} | {days: references}
    blocks = []
    for window, of_window in windows.items():
        lines = [f'   "{name}": {json.dumps(asdict(reference))}' for name, reference in of_window.items()]
        blocks.append(f'  "{window}": {{\n' + ",\n".join(lines) + "\n  }")
    how = (
        f"written by `python -m bench traces --long`: OR-Tools {version('ortools')}, CP-SAT with {CP_SAT_WORKERS}"
        f" workers and {CP_SAT_SECONDS} s of a processor for each from the planner's first plan, at most {ORDERS_MAX}"
        " orders; the best cost is the least of that, the planner's answer, CP-SAT's from that answer, and what was"
        " stored before"
    )
    BESTS.write_text(f'{{"how": {json.dumps(how)},\n "windows": {{\n' + ",\n".join(blocks) + "\n }}\n")
