"""Shortest paths in the residual network of a flow on the line of days: the dual prices that no solver tells.

For an optimal flow no cycle of the residual network is negative, so the distances are well defined; with them as
potentials every arc's reduced cost is at least 0, and 0 where an optimum uses it (Ahuja, Magnanti, Orlin, Network
Flows, 1993, sec. 9.3).
"""

import numpy as np
from numba import njit

from planner.native.fit import Ints

UNREACHED = 2**60


@njit(cache=True)
def distances(tail: Ints, head: Ints, price: Ints, units: Ints, spare: Ints, source: int) -> Ints:
    """Lengths of shortest residual paths to every node; from all nodes at once where ``source`` is negative.

    Args:
        tail, head, price, units: the offers and an optimal flow on them; shape (offers,), sorted by tail.
        spare: the flow from node v + 1 back to v, what is bought beyond the need; shape (nodes - 1,).
    """
    nodes = len(spare) + 1
    length = np.zeros(nodes, np.int64)
    if source >= 0:
        length[:] = UNREACHED
        length[source] = 0
    changed = True
    while changed:
        changed = False
        for arc in range(len(tail)):
            a, b = tail[arc], head[arc]
            if length[a] < UNREACHED and length[a] + price[arc] < length[b]:
                length[b] = length[a] + price[arc]
                changed = True
            if units[arc] > 0 and length[b] < UNREACHED and length[b] - price[arc] < length[a]:
                length[a] = length[b] - price[arc]
                changed = True
        for v in range(nodes - 1):
            if spare[v] > 0 and length[v] < length[v + 1]:
                length[v + 1] = length[v]
                changed = True
        for v in range(nodes - 2, -1, -1):
            if length[v + 1] < length[v]:
                length[v] = length[v + 1]
                changed = True
    return length
