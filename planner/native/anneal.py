"""A plan of at most so many orders improved by simulated annealing over which offers it takes, in native code.

Kirkpatrick, Gelatt, Vecchi, Optimization by simulated annealing, Science 220, 1983. A state is the offers of the
orders; its cost is that of their cheapest units (:mod:`planner.native.fit`). A move takes another offer for one order:
near in start, of another length, or any. Equal seeds give equal plans.
"""

import numpy as np
from numba import njit

from planner.native.fit import INFEASIBLE, Ints, fit

NEAR, WIDE = 12, 60
"""How far away, in the list of offers sorted by start, a move looks: mostly near, sometimes wider."""


@njit(cache=True)
def anneal(
    start: Ints,
    end: Ints,
    price: Ints,
    peaks: Ints,
    cap: int,
    fee: int,
    chosen: Ints,
    best: Ints,
    hot: float,
    cold: float,
    steps: int,
    seed: int,
) -> int:
    """Run ``steps`` moves from ``chosen``, which ends as the last state; ``best`` gets the best state seen.

    Args:
        start, end, price: all offers, sorted by start, shape (offers,); price is in any unit.
        peaks, cap: as for :func:`planner.fit.fit`.
        fee: added for each order with units, in the unit of the prices.
        chosen: the offers of the orders, shape (orders,); must cover every day.
        hot, cold: the temperatures at the first and the last move, in the unit of the prices.

    Returns:
        The cost of ``best``.
    """
    np.random.seed(seed)
    offers, orders = len(start), len(chosen)
    starts, ends, prices = start[chosen], end[chosen], price[chosen]
    units, kept = np.empty(orders, np.int64), np.empty(orders, np.int64)
    cost = fit(starts, ends, prices, peaks, cap, INFEASIBLE, kept) + fee * _used(kept)
    least = cost
    best[:] = chosen
    for step in range(steps):
        temperature = hot * (cold / hot) ** (step / steps)
        slot = np.random.randint(orders)
        if np.random.random() < 0.5:
            # An order that takes no units costs nothing to move.
            for other in range(orders):
                if kept[other] == 0:
                    slot = other
        kind = np.random.random()
        if kind < 0.5:
            offer = chosen[slot] + np.random.randint(-NEAR, NEAR + 1)
        elif kind < 0.75:
            offer = chosen[slot] + np.random.randint(-WIDE, WIDE + 1)
        elif kind < 0.9:
            offer = chosen[slot] + 2 * np.random.randint(2) - 1
        else:
            offer = np.random.randint(offers)
        if offer < 0 or offer >= offers or offer == chosen[slot]:
            continue
        was = chosen[slot]
        starts[slot], ends[slot], prices[slot] = start[offer], end[offer], price[offer]
        # The cost that is just acceptable is drawn first, so that a worse state is given up early.
        cost_max = int(cost - temperature * np.log(1.0 - np.random.random()))
        found = fit(starts, ends, prices, peaks, cap, cost_max, units)
        if found < INFEASIBLE:
            found += fee * _used(units)
        if found <= cost_max:
            cost = found
            chosen[slot] = offer
            kept[:] = units
            if cost < least:
                least = cost
                best[:] = chosen
        else:
            starts[slot], ends[slot], prices[slot] = start[was], end[was], price[was]
    return least


@njit(cache=True)
def _used(units: Ints) -> int:
    used = 0
    for held in units:
        used += held > 0
    return used
