"""The line of days folded to what matters for a deficit: boundaries, cells between them, runs of equal deficit.

All offers cover a cell whole or not at all, and its deficit is one number, so a cell is one constraint (row
compression). Neighbouring cells of equal deficit form a run. Any part of the runs may be kept as constraints: the days
of the others are folded into one node each, which gives a relaxation. Days without a deficit need no constraint at all.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planner.cheapest import nodes_of
from planner.native.send_and_split import Network
from planner.offers import Days, Offers

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class Line:
    """Offers over folded days.

    ``deficit`` is units per cell, shape (cells,); ``begin`` and ``end`` are the cells that each offer covers, end
    exclusive, shape (offers,); ``run`` is each cell's run, ``run_deficit`` the deficit of each run.
    """

    bounds: Days
    deficit: Days
    begin: Days
    end: Days
    run: Days
    run_deficit: Days

    @classmethod
    def of(cls, offers: Offers, deficit: Days) -> "Line":
        """Fold a deficit in units per day, shape (days,)."""
        bounds = nodes_of(offers, deficit)
        cells = np.append(deficit, 0)[np.minimum(bounds[:-1], len(deficit))]
        run = np.cumsum(np.diff(cells, prepend=cells[:1]) != 0)
        firsts = np.flatnonzero(np.diff(run, prepend=-1))
        begin, end = np.searchsorted(bounds, offers.start), np.searchsorted(bounds, offers.end)
        return cls(bounds, cells, begin, end, run, cells[firsts])

    def coverage(self, offers: Days, units: Days) -> Days:
        """Units per cell that offers, given by their indices, add up to; shape (cells,)."""
        change = np.zeros(len(self.bounds), dtype=np.int64)
        np.add.at(change, self.begin[offers], units)
        np.add.at(change, self.end[offers], -units)
        return np.asarray(np.cumsum(change)[:-1])

    def peaks(self) -> Mask:
        """The runs whose deficit is higher than on both sides; shape (runs,)."""
        levels = np.concatenate([[0], self.run_deficit, [0]])
        return np.asarray((levels[1:-1] > levels[:-2]) & (levels[1:-1] > levels[2:]))

    def network(self, kept: Mask, price: Days, fixed: Days) -> tuple[Network, Days]:
        """The flow network of the kept runs, and the offer behind each of its arcs.

        Offers that cover the same kept cells are one arc, at the lowest ``price``, then the lowest ``fixed``.
        """
        is_kept = kept[self.run]
        node = np.concatenate([[0], np.cumsum(is_kept)])
        supply = np.diff(self.deficit[is_kept], prepend=0, append=0)
        tail, head = node[self.begin], node[self.end]
        order = np.lexsort((fixed, price, head, tail))
        tail, head = tail[order], head[order]
        is_first = np.append(True, (np.diff(tail) != 0) | (np.diff(head) != 0)) & (tail < head)
        chosen = order[is_first]
        return Network(supply, tail[is_first], head[is_first], price[chosen], fixed[chosen]), chosen
