"""CP-SAT for the most useful plan: :mod:`planner.shortage` has the model."""

from time import perf_counter

import numpy as np
from ortools.sat.python import cp_model

from planner.board import Selection
from planner.offers import Offers
from planner.shortage import Shortage, offers_to_search


class ShortageModel:
    """(S1)-(S4) of :mod:`planner.shortage`."""

    def __init__(self, shortage: Shortage) -> None:
        self._shortage = shortage
        question = shortage.question
        self._kept = offers_to_search(question)
        self._is_whole = len(self._kept) == len(question.offers)
        offers = question.offers.select(self._kept)
        self._model = cp_model.CpModel()
        tops = [int(question.deficit[a:b].max(initial=0)) for a, b in zip(offers.start, offers.end, strict=True)]
        self._units = [self._model.new_int_var(0, top, "") for top in tops]
        self._counts = self._orders(tops)
        fees = [question.fee_minor] * len(self._counts)
        self._cost = cp_model.LinearExpr.weighted_sum([*self._units, *self._counts], [*offers.price.tolist(), *fees])
        if shortage.budget_minor is not None:
            self._model.add(self._cost <= shortage.budget_minor)
        if shortage.orders_max is not None:
            self._model.add(cp_model.LinearExpr.sum(self._counts) <= shortage.orders_max)
        self._short = self._cover(offers)

    def _orders(self, tops: list[int]) -> list[cp_model.IntVar]:
        """(S2), where the number of orders matters."""
        question = self._shortage.question
        if self._shortage.orders_max is None and not question.fee_minor:
            return []
        counts = []
        for unit, top in zip(self._units, tops, strict=True):
            held = min(top, question.units_max)
            counts.append(self._model.new_int_var(0, -(-top // held) if held else 0, ""))
            self._model.add(unit <= held * counts[-1])
        return counts

    def _cover(self, offers: Offers) -> cp_model.LinearExprT:
        """(S1), a row for neighbouring days that need the same and are covered by the same offers; the shortfall."""
        missing, per_unit = self._shortage.accounts_missing, self._shortage.accounts_per_unit
        edges = np.unique(
            np.concatenate([offers.start, offers.end, np.flatnonzero(np.diff(missing, prepend=0, append=0))])
        )
        terms: list[cp_model.IntVar] = []
        weights: list[int] = []
        for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            accounts, days = int(missing[begin]), end - begin
            if accounts <= 0:
                continue
            needed = -(-accounts // per_unit)
            covering = np.flatnonzero((offers.start <= begin) & (offers.end >= end)).tolist()
            short = self._model.new_int_var(0, needed, "")
            is_short = self._model.new_bool_var("")
            self._model.add(cp_model.LinearExpr.sum([self._units[j] for j in covering]) + short >= needed)
            # Only days that are short may count what their last unit holds too many.
            self._model.add(short >= is_short)
            terms += [short, is_short]
            weights += [per_unit * days, -(needed * per_unit - accounts) * days]
        return cp_model.LinearExpr.weighted_sum(terms, weights)

    def least_shortfall(self, known: Selection, deadline: float) -> tuple[Selection | None, int]:
        """A plan of less shortfall if there was time for one, and a proven bound of it in account-days."""
        self._model.minimize(self._short)
        return self._solve(known, deadline)

    def least_cost(self, known: Selection, shortfall: int, deadline: float) -> tuple[Selection | None, int]:
        """A cheaper plan of at most this shortfall if there was time for one, and a proven bound of its cost."""
        self._model.add(self._short <= shortfall)
        self._model.minimize(self._cost)
        return self._solve(known, deadline)

    def _solve(self, known: Selection, deadline: float) -> tuple[Selection | None, int]:
        """A plan if there was time for one, and the bound that was proven."""
        question = self._shortage.question
        seconds = deadline - perf_counter()
        if seconds <= 0:
            return None, 0
        self._model.clear_hints()  # type: ignore[no-untyped-call] # ortools leaves it unannotated
        bought = np.zeros(len(question.offers), dtype=np.int64)
        np.add.at(bought, known.offers, known.units)
        for unit, offer in zip(self._units, self._kept.tolist(), strict=True):
            self._model.add_hint(unit, int(bought[offer]))
        solver = cp_model.CpSolver()
        solver.parameters.max_time_in_seconds = seconds
        solver.parameters.num_workers = 1
        status = solver.solve(self._model)
        bound = max(0, int(np.ceil(solver.best_objective_bound - 1e-6)))
        if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
            return None, bound if self._is_whole else 0
        units = np.array([solver.value(unit) for unit in self._units], dtype=np.int64)
        return Selection.of(question, self._kept[units > 0], units[units > 0]), bound if self._is_whole else 0
