"""(a) The call that proves the least cost against the bare flow solver, on all offers and on the planner's graph."""

from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

import numpy as np
from ortools.graph.python import min_cost_flow
from rich import box
from rich.table import Table

from bench.covering import Covering, cheapest, median_ratio
from bench.problems import NamedProblem
from planner.cheapest import flow_model
from planner.offers import Offers, in_normal_form

ROUNDS = 25


@dataclass(slots=True)
class FlowTimes:
    """Seconds per round: the three kinds of run follow each other in every round."""

    name: str
    covering: Covering
    reduced: Offers
    whole: list[float] = field(default_factory=list)
    bare_all: list[float] = field(default_factory=list)
    bare_reduced: list[float] = field(default_factory=list)


def measure(problems: list[NamedProblem]) -> list[FlowTimes]:
    """All problems in every round, so that a slow moment of the machine hits no single one of them."""
    times = []
    for named in problems:
        covering = Covering.of(named.problem)
        reduced = in_normal_form(covering.offers, covering.deficit)
        times.append(FlowTimes(named.name, covering, reduced))
    for number in range(ROUNDS + 1):
        for named, taken in zip(problems, times, strict=True):
            whole, cost = _whole_call(named)
            bare_all = _bare(textbook_flow(taken.covering), cost)
            bare_reduced = _bare(flow_model(taken.reduced, taken.covering.deficit, taken.reduced.price)[0], None)
            if number:  # The first round warms caches.
                taken.whole.append(whole)
                taken.bare_all.append(bare_all)
                taken.bare_reduced.append(bare_reduced)
    return times


def table(times: list[FlowTimes]) -> Table:
    """Medians in milliseconds and medians of the ratios within a round."""
    result = Table(
        title=f"(a) planner call against the bare flow solver, ms, {ROUNDS} rounds",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    result.add_column("problem", no_wrap=True)
    headings = ("offers", "kept", "call", "solver,\nall", "call is\ntimes", "solver,\nkept", "call is\ntimes")
    for heading in headings:
        result.add_column(heading, justify="right", no_wrap=True)
    for taken in times:
        result.add_row(
            taken.name,
            f"{len(taken.covering.offers):,}",
            f"{len(taken.reduced):,}",
            f"{median(taken.whole) * 1000:.2f}",
            f"{median(taken.bare_all) * 1000:.2f}",
            f"{median_ratio(taken.whole, taken.bare_all):.2f}",
            f"{median(taken.bare_reduced) * 1000:.2f}",
            f"{median_ratio(taken.whole, taken.bare_reduced):.2f}",
        )
    return result


def textbook_flow(covering: Covering) -> min_cost_flow.SimpleMinCostFlow:
    """The plain formulation: a node per day boundary, an arc per offer at its price, free arcs back."""
    offers, days = covering.offers, len(covering.deficit)
    supply = np.diff(covering.deficit, prepend=0, append=0)
    back = np.arange(days)
    tail = np.concatenate([offers.start, back + 1]).astype(np.int32)
    head = np.concatenate([offers.end, back]).astype(np.int32)
    cost = np.concatenate([offers.price, np.zeros(days, dtype=np.int64)])
    capacity = np.full(len(tail), supply[supply > 0].sum(), dtype=np.int64)
    flow = min_cost_flow.SimpleMinCostFlow()
    flow.add_arcs_with_capacity_and_unit_cost(tail, head, capacity, cost)
    flow.set_nodes_supplies(np.arange(days + 1, dtype=np.int32), supply)
    return flow


def _whole_call(named: NamedProblem) -> tuple[float, int]:
    started = perf_counter()
    outcome = cheapest(named.problem)
    return perf_counter() - started, outcome.net_minor


def _bare(flow: min_cost_flow.SimpleMinCostFlow, cost: int | None) -> float:
    """Seconds of the solver alone; ``cost`` is checked where the arc costs are plain prices."""
    started = perf_counter()
    status = flow.solve()
    seconds = perf_counter() - started
    if status != flow.OPTIMAL or (cost is not None and flow.optimal_cost() != cost):
        raise RuntimeError(f"status {status}, cost {flow.optimal_cost()} where the planner says {cost}")
    return seconds
