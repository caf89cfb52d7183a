"""The exact search: send-and-split on a relaxation that grows until its plans cover every day (row generation).

Only some runs of days are kept as constraints, so the network has few terminals and the table is small. Each relaxed
cost is a bound. A relaxed plan that covers all days is optimal; else the run that it leaves shortest is kept as well.

Costs of the table hold three objectives in one number, the first outweighing all of the next: price and fees in their
smallest whole steps, then how early the orders start. Fewer orders come first by themselves, as the table has a cost
for every number of orders.
"""

from math import gcd
from time import perf_counter

import numpy as np

from planner.board import Board, Question, Selection
from planner.line import Line
from planner.native.fit import INFEASIBLE, fit, highest
from planner.native.send_and_split import INFINITE, frontier
from planner.offers import Days

TABLE_BYTES_MAX = 400_000_000
"""Memory that one table may take."""
TERMINALS_MAX = 17
ORDERS_MAX = 64
"""Numbers of orders that the table is made for; there is no frontier worth reading beyond."""
COST_MAX = 2**57
"""Above this the costs in a table could leave their 64 bits."""
PEAKS_AT_FIRST_MAX = 9
SECONDS_PER_CELL_MAX = 4e-9
"""For the guess how long a table takes, until a large one has shown how fast this machine is."""


class ExactSearch:
    """Row generation for one question; every round adds bounds, and plans, to the board.

    Args:
        orders: the numbers of orders to answer. Fewer of them need fewer runs of days, and smaller ones smaller tables.
    """

    def __init__(self, question: Question, board: Board, line: Line, orders: range) -> None:
        self._question, self._board, self._line = question, board, line
        self._open = [number for number in orders if number <= ORDERS_MAX]
        self._orders_max = max(self._open, default=0)
        self._peaks = highest(question.deficit)
        offers = question.offers
        self._step = gcd(question.fee_minor, *map(int, np.unique(offers.price))) or 1
        late = len(question.deficit) + 1
        self._weight = late * self._orders_max + 1
        self._price = offers.price // self._step * self._weight
        self._fixed = question.fee_minor // self._step * self._weight + late - offers.start
        self._kept = self._line.peaks()
        if self._kept.sum() > PEAKS_AT_FIRST_MAX:
            self._kept = np.arange(len(self._kept)) == np.argmax(self._line.run_deficit)
        self._network, self._arcs = self._line.network(self._kept, self._price, self._fixed)
        self._seconds_per_cell = SECONDS_PER_CELL_MAX
        units_max = int(question.deficit.max(initial=0)) * len(line.run_deficit)
        dearest = int(self._price.max(initial=0)) * units_max + int(self._fixed.max(initial=0)) * self._orders_max
        self._is_possible = dearest < COST_MAX

    @property
    def is_done(self) -> bool:
        """Whether every number of orders has its optimal plan, latest starts included."""
        return not self._open

    @property
    def seconds_guessed(self) -> float:
        """How long the next round will take; infinite where it would not fit into memory."""
        terminals, nodes = len(self._network.terminals), len(self._network.supply)
        table_bytes = 8 * 2.0 ** (terminals - 1) * nodes * (self._orders_max + 1)
        if not self._is_possible or table_bytes > TABLE_BYTES_MAX or terminals > TERMINALS_MAX:
            return float("inf")
        return self._cells * self._seconds_per_cell

    @property
    def _cells(self) -> float:
        """Proportional to the work of the next table."""
        return float(3.0 ** (len(self._network.terminals) - 1) * len(self._network.supply) * self._orders_max)

    def round(self) -> None:
        """One table: bounds for all open numbers of orders, their plans, and the runs to keep next."""
        started = perf_counter()
        answer = frontier(self._network, self._orders_max)
        missed = np.zeros(len(self._kept), dtype=np.int64)
        still_open = []
        for orders in self._open:
            cost = int(answer.cost[orders])
            if cost >= INFINITE:
                self._board.raise_bound(orders, INFEASIBLE)
                continue
            self._board.raise_bound(orders, cost // self._weight * self._step)
            units = answer.units(orders)
            chosen = np.flatnonzero(units)
            offers, units = self._arcs[chosen], units[chosen]
            short = self._line.deficit - self._line.coverage(offers, units)
            if (short > 0).any():
                still_open.append(orders)
                worst = np.zeros(len(self._kept), dtype=np.int64)
                np.maximum.at(worst, self._line.run, short)
                missed[np.argmax(worst)] += 1
                self._mend(offers)
            else:
                # Where an order would hold too much it becomes several, and then only the bound is of use.
                self._board.add(Selection.of(self._question, offers, units))
        # A small table takes longer than its cells say.
        self._seconds_per_cell = min(self._seconds_per_cell, (perf_counter() - started) / self._cells)
        self._open = still_open if missed.any() else []
        self._keep(missed)

    def _mend(self, offers: Days) -> None:
        """A plan of the offers of a relaxed one, with units that cover all days, if they can."""
        chosen = self._question.offers.select(offers)
        units = np.zeros(len(offers), dtype=np.int64)
        no_cap = int(self._question.deficit.max())
        if fit(chosen.start, chosen.end, chosen.price, self._peaks, no_cap, INFEASIBLE, units) < INFEASIBLE:
            self._board.add(Selection.of(self._question, offers, units))

    def _keep(self, missed: Days) -> None:
        """Keep the runs that were missed: all of them while the table is small, else the one missed most."""
        if len(self._network.terminals) < PEAKS_AT_FIRST_MAX:
            self._kept = self._kept | (missed > 0)
        elif missed.any():
            self._kept = self._kept.copy()
            self._kept[np.argmax(missed)] = True
        self._network, self._arcs = self._line.network(self._kept, self._price, self._fixed)
