"""The cheapest plan, exactly, as a min-cost flow on the line of days.

    minimise    sum_j price[j] x[j]
    subject to  (C1) sum_{j covers t} x[j] >= u[t]  for every day t
                (C2) x[j] >= 0, integer

An offer covers consecutive days, so (C1) has consecutive ones in every column: it is totally unimodular and,
written as differences of neighbouring days, a min-cost flow (Ahuja, Magnanti, Orlin, Network Flows, 1993,
sec. 9.6): a node per day boundary, an arc from start to end per offer, a free arc back per day for surplus,
and u[t] - u[t-1] as the supply of boundary t.

Among the cheapest plans one with the fewest single-unit contracts is taken: (C3) each unit bought adds 1
to a second objective, weighted so that it never outweighs one step of price. That prefers one three-month
contract to three of one month. The arcs are sorted and the solver is deterministic, so equal problems have
equal answers.
"""

from math import gcd

import numpy as np
import numpy.typing as npt
from ortools.graph.python import min_cost_flow

from planner.offers import Days, Offers

_COST_MAX = 2**60
"""Above this, arc costs times nodes could leave the solver's 64-bit range."""


class SolverFailedError(RuntimeError):
    """The flow solver did not answer OPTIMAL for a problem that is known to be feasible: a bug."""


def nodes_of(offers: Offers, deficit: Days) -> Days:
    """The day boundaries that matter: starts, ends and the days on which the deficit changes; sorted."""
    changes = np.flatnonzero(np.diff(deficit, prepend=0, append=0))
    return np.unique(np.concatenate([offers.start, offers.end, changes]))


def cheapest_units(offers: Offers, deficit: Days) -> Days:
    """Units to buy of each offer so that every day's deficit is covered at the least total price.

    Args:
        offers: the offers, sorted by start, then months.
        deficit: units missing per day from ``offers.first_day`` on; shape (days,), int64, not negative. Every
            day with a deficit must be covered by some offer.

    Returns:
        Units per offer; shape (len(offers),), int64.

    Raises:
        SolverFailedError: a day with a deficit has no offer, or numbers are beyond 64 bits.
    """
    return cheapest_at(offers, deficit, _arc_costs(offers, deficit))


def cheapest_at(offers: Offers, deficit: Days, unit_costs: Days, units_max: Days | None = None) -> Days:
    """The same at other costs than the offers' prices, shape (len(offers),), and with the most units of each.

    Nothing breaks ties.
    """
    flow, arcs = flow_model(offers, deficit, unit_costs, units_max)
    status = flow.solve()
    if status != flow.OPTIMAL:
        raise SolverFailedError(f"min-cost flow ended with status {status}")
    return np.asarray(flow.flows(arcs), dtype=np.int64)


def flow_model(
    offers: Offers, deficit: Days, unit_costs: Days, units_max: Days | None = None
) -> tuple[min_cost_flow.SimpleMinCostFlow, npt.NDArray[np.int32]]:
    """The flow network, ready to solve, and the arcs that stand for the offers, in order."""
    nodes = nodes_of(offers, deficit)
    count = len(nodes)
    levels = np.append(deficit, 0)[np.minimum(nodes, len(deficit))]
    supply = np.diff(levels, prepend=0)
    tail = np.concatenate([np.searchsorted(nodes, offers.start), np.arange(1, count)])
    head = np.concatenate([np.searchsorted(nodes, offers.end), np.arange(count - 1)])
    cost = np.concatenate([unit_costs, np.zeros(count - 1, dtype=np.int64)])
    # A cheapest flow sends each unit along one path, so no arc carries more than all supply together.
    capacity = np.full(len(tail), supply[supply > 0].sum(), dtype=np.int64)
    if units_max is not None:
        capacity[: len(offers)] = np.minimum(units_max, capacity[: len(offers)])
    flow = min_cost_flow.SimpleMinCostFlow()
    arcs = flow.add_arcs_with_capacity_and_unit_cost(tail.astype(np.int32), head.astype(np.int32), capacity, cost)
    flow.set_nodes_supplies(np.arange(count, dtype=np.int32), supply)
    return flow, arcs[: len(offers)]


def _arc_costs(offers: Offers, deficit: Days) -> Days:
    """Prices in their smallest whole steps (small costs solve faster), then (C3)."""
    step = max(1, gcd(*map(int, np.unique(offers.price))))
    steps = offers.price // step
    levels = np.append(deficit, 0)[np.minimum(nodes_of(offers, deficit), len(deficit))]
    # In a plan without waste each unit is the last one needed on some stretch between two nodes.
    weight = int(levels.sum()) + 1
    if (int(steps.max(initial=0)) * weight + 1) * (len(levels) + 1) > _COST_MAX:
        return steps  # The tie-break does not fit into 64 bits: price alone decides.
    return np.asarray(steps * weight + 1, dtype=np.int64)
