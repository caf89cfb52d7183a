"""The cheapest units of a few chosen offers, in native code, for a search that asks it a hundred thousand times.

    minimise    sum_j price[j] x[j]   over the chosen offers j
    subject to  sum_{j covers t} x[j] >= u[t]  for every day t,   0 <= x[j] <= cap, integer

The same min-cost flow as :mod:`planner.cheapest`, on the few day boundaries that the chosen offers have: between two of
them only the highest deficit counts. Solved by successive shortest paths (Ahuja, Magnanti, Orlin, Network Flows,
1993, sec. 9.7).
"""

import numpy as np
import numpy.typing as npt
from numba import njit

Ints = npt.NDArray[np.int64]

INFEASIBLE = 2**60
"""The cost of a set of offers that leaves a needed day uncovered."""


def highest(deficit: Ints) -> Ints:
    """A table to look up the highest deficit of any run of days: shape (levels, days), row r of runs of 2 ** r."""
    rows = [deficit]
    while 2 ** len(rows) <= len(deficit):
        last, half = rows[-1], 2 ** (len(rows) - 1)
        row = last.copy()
        row[:-half] = np.maximum(last[:-half], last[half:])
        rows.append(row)
    return np.array(rows)


@njit(cache=True)
def fit(start: Ints, end: Ints, price: Ints, peaks: Ints, cap: int, cost_max: int, units: Ints) -> int:
    """Write the cheapest units of each offer into ``units`` and return their cost.

    INFEASIBLE is returned for offers that cannot cover every day, or only for more than ``cost_max``; ``units``
    are of no use then.

    Args:
        start, end, price: the chosen offers, shape (orders,), in any order; one may be there several times.
        peaks: from :func:`highest`.
        cap: the most units of each.
        units: written; shape (orders,).
    """
    orders, days = len(start), peaks.shape[1]
    marks = np.empty(2 * orders + 2, np.int64)
    marks[:orders] = start
    marks[orders : 2 * orders] = end
    marks[2 * orders] = 0
    marks[2 * orders + 1] = days
    marks.sort()
    nodes = 0
    for index in range(len(marks)):
        if index == 0 or marks[index] != marks[nodes - 1]:
            marks[nodes] = marks[index]
            nodes += 1
    marks = marks[:nodes]
    # Excess of each boundary: the step of the highest deficits of the cells beside it.
    excess = np.zeros(nodes, np.int64)
    for cell in range(nodes - 1):
        length = marks[cell + 1] - marks[cell]
        row = 0
        while 2 << row <= length:
            row += 1
        need = max(peaks[row, marks[cell]], peaks[row, marks[cell + 1] - (1 << row)])
        excess[cell] += need
        excess[cell + 1] -= need
    tail, head = np.searchsorted(marks, start), np.searchsorted(marks, end)
    units[:] = 0
    spare = np.zeros(nodes, np.int64)  # flow back from node v + 1 to v: units beyond the need of cell v
    cost = 0
    distance = np.empty(nodes, np.int64)
    # The arc a shortest path came by: offer j is j + 1, a step back is orders + 1, negative against the direction.
    came = np.empty(nodes, np.int64)
    while True:
        any_left = False
        for v in range(nodes):
            distance[v] = INFEASIBLE
            came[v] = 0
            if excess[v] > 0:
                distance[v] = 0
                any_left = True
        if not any_left:
            return cost
        changed = True
        while changed:
            changed = False
            for j in range(orders):
                a, b = tail[j], head[j]
                if units[j] < cap and distance[a] + price[j] < distance[b]:
                    distance[b] = distance[a] + price[j]
                    came[b] = j + 1
                    changed = True
                if units[j] > 0 and distance[b] - price[j] < distance[a]:
                    distance[a] = distance[b] - price[j]
                    came[a] = -(j + 1)
                    changed = True
            for v in range(nodes - 1):
                if spare[v] > 0 and distance[v] < distance[v + 1]:
                    distance[v + 1] = distance[v]
                    came[v + 1] = -(orders + 1)
                    changed = True
            for v in range(nodes - 2, -1, -1):
                if distance[v + 1] < distance[v]:
                    distance[v] = distance[v + 1]
                    came[v] = orders + 1
                    changed = True
        target = -1
        for v in range(nodes):
            if excess[v] < 0 and (target < 0 or distance[v] < distance[target]):
                target = v
        if target < 0 or distance[target] >= INFEASIBLE // 2:
            return INFEASIBLE
        # Walk back twice: how much fits, then send it.
        amount = -excess[target]
        v = target
        while came[v] != 0:
            arc = came[v]
            if arc == orders + 1:
                v += 1
            elif arc == -(orders + 1):
                v -= 1
                amount = min(amount, spare[v])
            elif arc > 0:
                amount = min(amount, cap - units[arc - 1])
                v = tail[arc - 1]
            else:
                amount = min(amount, units[-arc - 1])
                v = head[-arc - 1]
        amount = min(amount, excess[v])
        excess[v] -= amount
        excess[target] += amount
        cost += amount * distance[target]
        # Each path is at least as dear as the one before, so the cost can only rise.
        if cost > cost_max:
            return INFEASIBLE
        v = target
        while came[v] != 0:
            arc = came[v]
            if arc == orders + 1:
                spare[v] += amount
                v += 1
            elif arc == -(orders + 1):
                v -= 1
                spare[v] -= amount
            elif arc > 0:
                units[arc - 1] += amount
                v = tail[arc - 1]
            else:
                units[-arc - 1] -= amount
                v = head[-arc - 1]
