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
    marks = _boundaries(start, end, peaks.shape[1])
    excess = _excess(marks, peaks)
    tail, head = np.searchsorted(marks, start), np.searchsorted(marks, end)
    units[:] = 0
    # Flow back from node v + 1 to v: units beyond the need of cell v.
    spare = np.zeros(len(marks), np.int64)
    distance, came = np.empty(len(marks), np.int64), np.empty(len(marks), np.int64)
    cost = 0
    while _shortest_paths(tail, head, price, cap, units, spare, excess, distance, came):
        target = -1
        for v in range(len(marks)):
            if excess[v] < 0 and (target < 0 or distance[v] < distance[target]):
                target = v
        if distance[target] >= INFEASIBLE // 2:
            return INFEASIBLE
        cost += distance[target] * _send(tail, head, cap, units, spare, excess, came, target)
        # Each path is at least as dear as the one before, so the cost can only rise.
        if cost > cost_max:
            return INFEASIBLE
    return cost


@njit(cache=True)
def _boundaries(start: Ints, end: Ints, days: int) -> Ints:
    """All days on which an offer begins or ends, and the first and the last; sorted, each once."""
    marks = np.empty(2 * len(start) + 2, np.int64)
    marks[: len(start)] = start
    marks[len(start) : -2] = end
    marks[-2], marks[-1] = 0, days
    marks.sort()
    nodes = 1
    for index in range(1, len(marks)):
        if marks[index] != marks[nodes - 1]:
            marks[nodes] = marks[index]
            nodes += 1
    return marks[:nodes]


@njit(cache=True)
def _excess(marks: Ints, peaks: Ints) -> Ints:
    """Supply of each boundary: the step between the highest deficits on its two sides."""
    excess = np.zeros(len(marks), np.int64)
    for cell in range(len(marks) - 1):
        length = marks[cell + 1] - marks[cell]
        row = 0
        while 2 << row <= length:
            row += 1
        need = max(peaks[row, marks[cell]], peaks[row, marks[cell + 1] - (1 << row)])
        excess[cell] += need
        excess[cell + 1] -= need
    return excess


@njit(cache=True)
def _shortest_paths(
    tail: Ints,
    head: Ints,
    price: Ints,
    cap: int,
    units: Ints,
    spare: Ints,
    excess: Ints,
    distance: Ints,
    came: Ints,
) -> bool:
    """Distances from the nearest boundary with supply left, by Bellman and Ford; False when none has any.

    ``came`` is the arc that a shortest path arrives by: offer j is j + 1, a step back is orders + 1, negative against
    the direction, 0 where a path begins.
    """
    orders, nodes = len(tail), len(excess)
    changed = False
    for v in range(nodes):
        came[v] = 0
        distance[v] = 0 if excess[v] > 0 else INFEASIBLE
        changed |= excess[v] > 0
    is_left = changed
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
    return is_left


@njit(cache=True)
def _send(tail: Ints, head: Ints, cap: int, units: Ints, spare: Ints, excess: Ints, came: Ints, target: int) -> int:
    """Send what fits along the shortest path to a boundary in need, and return how much that was."""
    back = len(tail) + 1
    amount = -excess[target]
    v = target
    while came[v] != 0:
        arc = came[v]
        if arc == back:
            v += 1
        elif arc == -back:
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
    v = target
    while came[v] != 0:
        arc = came[v]
        if arc == back:
            spare[v] += amount
            v += 1
        elif arc == -back:
            v -= 1
            spare[v] -= amount
        elif arc > 0:
            units[arc - 1] += amount
            v = tail[arc - 1]
        else:
            units[-arc - 1] -= amount
            v = head[-arc - 1]
    return int(amount)
