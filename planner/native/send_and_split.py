"""Every point of the frontier at once: send-and-split over the subsets of the terminals, in native code.

    minimise    sum_j (price[j] x[j] + fixed[j] [x[j] > 0])
    subject to  the flow constraints of :mod:`planner.cheapest`, and at most k offers with x[j] > 0

The costs are concave in each arc's flow, so some optimum is an extreme flow, a forest: every arc carries the net
supply of the terminals on one side of it (Erickson, Monma, Veinott, Send-and-split method for minimum-concave-cost
network flows, Mathematics of Operations Research 12, 1987). So with

    F(S, k, v)  the least cost of bringing the net supply b(S) of the terminals S together at node v with k offers

either two disjoint sets meet at v (split), or b(S) came to v along one arc (send):

    F(S, k, v) = min  F(T, i, v) + F(S - T, k - i, v)            over T in S and i
                      F(S, k - 1, w) + price b(S) + fixed        over offers w -> v    (b(S) < 0: v -> w, -b(S))
                      F(S, k, v + 1)                             surplus flows back    (b(S) < 0: v - 1)

A set whose supplies cancel out stands alone and may be anywhere. The last terminal is the root: what all others
bring together there is the answer. Work grows with 3^terminals, memory with 2^terminals.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

Ints = npt.NDArray[np.int64]

INFINITE = 2**60
"""The cost of what cannot be done; two of them still fit into 64 bits."""


@dataclass(frozen=True, eq=False, slots=True)
class Network:
    """Nodes 0..n-1 on a line with their net supply, and arcs that lead to the right, each with its costs.

    ``supply`` has shape (nodes,), sums to 0; ``tail``, ``head``, ``price`` and ``fixed`` have shape (arcs,).

    No arc may be free, with price and fixed cost 0: :meth:`Frontier.units` could leave it out. The fixed costs of
    :mod:`planner.exact` are never 0, because they hold how early an order starts.
    """

    supply: Ints
    tail: Ints
    head: Ints
    price: Ints
    fixed: Ints

    @property
    def terminals(self) -> Ints:
        """The nodes with a supply or a need."""
        return np.flatnonzero(self.supply)


@dataclass(frozen=True, eq=False, slots=True)
class Frontier:
    """``cost[k]`` with at most k offers, at least INFINITE where so few cannot do it; k from 0 on."""

    network: Network
    cost: Ints
    table: npt.NDArray[np.int64]

    def units(self, orders: int) -> Ints:
        """Units per arc of a cheapest flow with at most ``orders`` arcs; shape (arcs,)."""
        net = self.network
        return np.asarray(
            _trace(self.table, net.terminals, net.supply, net.tail, net.head, net.price, net.fixed, orders)
        )


def frontier(network: Network, orders_max: int) -> Frontier:
    """The cheapest flow with at most k offers for every k up to ``orders_max``."""
    terminals = network.terminals
    if not len(terminals):
        return Frontier(network, np.zeros(orders_max + 1, dtype=np.int64), np.zeros((1, 1, 1), dtype=np.int64))
    table = _table(
        terminals, network.supply, network.tail, network.head, network.price, network.fixed, orders_max, INFINITE
    )
    return Frontier(network, table[-1, :, terminals[-1]].copy(), table)


@njit(cache=True)
def _table(
    terminals: Ints, supply: Ints, tail: Ints, head: Ints, price: Ints, fixed: Ints, orders_max: int, infinite: int
) -> Ints:
    """F as above, without the root; shape (2 ** (terminals - 1), orders_max + 1, nodes)."""
    free, nodes = len(terminals) - 1, len(supply)
    sets = 1 << free
    table = np.full((sets, orders_max + 1, nodes), infinite, np.int64)
    table[0] = 0
    net = np.zeros(sets, np.int64)
    least = np.full(sets, orders_max + 1, np.int64)
    most = np.full(sets, -1, np.int64)
    for members in range(1, sets):
        lowest = members & -members
        index = 0
        while lowest >> index != 1:
            index += 1
        net[members] = net[members ^ lowest] + supply[terminals[index]]
        best = table[members]
        if members == lowest:
            best[0, terminals[index]] = 0
        # Split: T holds the lowest member, so that each pair is looked at once.
        rest = members ^ lowest
        part = rest
        while part > 0:
            part = (part - 1) & rest
            one, other = part | lowest, rest ^ part
            for i in range(least[one], most[one] + 1):
                for j in range(least[other], min(most[other], orders_max - i) + 1):
                    into, left, right = best[i + j], table[one, i], table[other, j]
                    for v in range(nodes):
                        together = left[v] + right[v]
                        into[v] = min(into[v], together)
        _send(best, net[members], tail, head, price, fixed, infinite)
        for k in range(orders_max + 1):
            for v in range(nodes):
                if best[k, v] < infinite:
                    least[members] = min(least[members], k)
                    if k == 0 or best[k, v] < best[k - 1, v]:
                        most[members] = k
    return table


@njit(cache=True)
def _send(best: Ints, amount: int, tail: Ints, head: Ints, price: Ints, fixed: Ints, infinite: int) -> None:
    """Let what has come together at each node go on along one arc after another; changes ``best`` (orders, nodes)."""
    orders, nodes = best.shape
    for k in range(orders):
        into = best[k]
        if k > 0:
            before = best[k - 1]
            for v in range(nodes):
                into[v] = min(into[v], before[v])
            if amount > 0:
                for arc in range(len(tail)):
                    at = before[tail[arc]]
                    if at < infinite:
                        cost = at + price[arc] * amount + fixed[arc]
                        into[head[arc]] = min(into[head[arc]], cost)
            elif amount < 0:
                for arc in range(len(tail)):
                    at = before[head[arc]]
                    if at < infinite:
                        cost = at - price[arc] * amount + fixed[arc]
                        into[tail[arc]] = min(into[tail[arc]], cost)
        if amount > 0:
            for v in range(nodes - 2, -1, -1):
                into[v] = min(into[v], into[v + 1])
        elif amount < 0:
            for v in range(1, nodes):
                into[v] = min(into[v], into[v - 1])
        else:
            into[:] = into.min()


@njit(cache=True)
def _trace(
    table: Ints, terminals: Ints, supply: Ints, tail: Ints, head: Ints, price: Ints, fixed: Ints, orders: int
) -> Ints:
    """The flow behind table[-1, orders, root]: units per arc."""
    units = np.zeros(len(tail), np.int64)
    if len(terminals) == 0:
        return units
    nodes = len(supply)
    stack = [(len(table) - 1, orders, terminals[-1])]
    while len(stack) > 0:
        members, k, v = stack.pop()
        if members == 0:
            continue
        amount = 0
        for index in range(len(terminals) - 1):
            if members >> index & 1:
                amount += supply[terminals[index]]
        value = table[members, k, v]
        if k > 0 and table[members, k - 1, v] == value:
            stack.append((members, k - 1, v))
            continue
        if members & (members - 1) == 0 and value == 0:
            continue
        step = 1 if amount > 0 else -1
        if amount != 0 and 0 <= v + step < nodes and table[members, k, v + step] == value:
            stack.append((members, k, v + step))
            continue
        found = False
        if k > 0 and amount != 0:
            for arc in range(len(tail)):
                here, there = (head[arc], tail[arc]) if amount > 0 else (tail[arc], head[arc])
                if here == v and table[members, k - 1, there] + price[arc] * abs(amount) + fixed[arc] == value:
                    units[arc] += abs(amount)
                    stack.append((members, k - 1, there))
                    found = True
                    break
        if found:
            continue
        rest = members & (members - 1)
        lowest = members ^ rest
        first, last = (v, v + 1) if amount != 0 else (0, nodes)
        part = rest
        while part > 0 and not found:
            part = (part - 1) & rest
            one, other = part | lowest, rest ^ part
            for i in range(k + 1):
                for w in range(first, last):
                    if not found and table[one, i, w] + table[other, k - i, w] == value:
                        stack.append((one, i, w))
                        stack.append((other, k - i, w))
                        found = True
        if not found:
            raise RuntimeError("the table does not hold together")
    return units
