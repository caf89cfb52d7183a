"""The most useful plan where not everything can be covered: within a budget, or within limits that are too tight.

    lexicographically minimise   (S) sum_c days[c] short(s[c])           the shortfall in account-days
                                 (T) sum_j price[j] x[j] + fee y[j]      its cost
    subject to  (S1) sum_{j covers c} x[j] + s[c] >= u[c]   for every cell c;  s[c] units stay missing
                (S2) x[j] <= m[j] y[j],  m[j] = min(most units of an order, highest deficit that j covers)
                (S3) sum_j y[j] <= k
                (S4) sum_j price[j] x[j] + fee y[j] <= budget

The last unit of a day may hold more accounts than are missing there: short(s) = s units - what it holds too many, and
short(0) = 0. Without (S2)-(S4) and with (S4) in the objective at a price, this is the min-cost flow again, with an arc
per cell that leaves a unit out: its optimum is a bound and its flow a plan (Lagrangian relaxation; Ahuja, Magnanti,
Orlin, Network Flows, 1993, ch. 16). CP-SAT begins from the best of these plans.
"""

from dataclasses import dataclass
from time import perf_counter

import numpy as np
from ortools.sat.python import cp_model

from planner.board import Question, Selection
from planner.cheapest import cheapest_at
from planner.offers import Days, Offers

MULTIPLIER_STEPS_MAX = 2**24
"""Whole numbers that an account-day is divided into, to tell prices of money apart."""
FLOW_COST_MAX = 2**48
"""Above this, arc costs times nodes could leave the flow solver's 64-bit range."""
MULTIPLIER_ROUNDS = 24
OFFERS_MAX = 3_000
"""With more offers than this only those that begin or end where the need changes are searched."""


@dataclass(frozen=True, eq=False, slots=True)
class Shortage:
    """What is missing on each day, in accounts and in units of ``accounts_per_unit``; shape (days,) each."""

    question: Question
    accounts_missing: Days
    accounts_per_unit: int
    orders_max: int | None
    budget_minor: int | None

    def shortfall(self, plan: Selection) -> int:
        """Account-days that a plan leaves short."""
        offers, change = self.question.offers, np.zeros(len(self.accounts_missing) + 1, dtype=np.int64)
        np.add.at(change, offers.start[plan.offers], plan.units)
        np.add.at(change, offers.end[plan.offers], -plan.units)
        left = self.accounts_missing - np.cumsum(change)[:-1] * self.accounts_per_unit
        return int(left[left > 0].sum())

    def allows(self, plan: Selection) -> bool:
        """Whether a plan keeps the limits."""
        few_enough = self.orders_max is None or len(plan) <= self.orders_max
        return few_enough and (self.budget_minor is None or plan.cost_minor <= self.budget_minor)


@dataclass(frozen=True, eq=False, slots=True)
class Useful:
    """The most useful plan found; with proven bounds: no plan leaves less short, and none of that costs less."""

    plan: Selection
    shortfall_account_days: int
    shortfall_bound_account_days: int
    cost_bound_minor: int


def most_useful(shortage: Shortage, deadline: float) -> Useful:
    """Search until proven or until the deadline, on the clock of :func:`time.perf_counter`."""
    nothing = Selection.of(shortage.question, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    best = Useful(nothing, int(shortage.accounts_missing.sum()), 0, 0)
    best = _by_prices_of_money(shortage, best, deadline)
    model = _Model(shortage)
    found = model.least_shortfall(best, deadline)
    if found.shortfall_account_days > found.shortfall_bound_account_days:
        return found
    return model.least_cost(found, deadline)


def _by_prices_of_money(shortage: Shortage, best: Useful, deadline: float) -> Useful:
    """Flows at different prices of money against account-days: plans, and a bound of the shortfall."""
    question, per_unit = shortage.question, shortage.accounts_per_unit
    offers, deficit = question.offers, question.deficit
    last = shortage.accounts_missing - (deficit - 1) * per_unit  # what the last unit of a day is there for
    days = np.flatnonzero(deficit)
    left_out = Offers(
        offers.first_day, *([np.tile(days, 2), np.tile(days + 1, 2)] + [np.zeros(2 * len(days), np.int64)] * 2)
    )
    every = Offers(
        offers.first_day,
        np.concatenate([offers.start, left_out.start]),
        np.concatenate([offers.end, left_out.end]),
        np.concatenate([offers.months, left_out.months]),
        np.concatenate([offers.price, left_out.price]),
    )
    worth = np.concatenate([last[days], np.full(len(days), per_unit)])
    units_max = np.concatenate([np.full(len(offers), deficit.max()), np.ones(len(days), np.int64), deficit[days]])
    budget = shortage.budget_minor
    # The highest price of money: at it, no offer is worth its price.
    paid = offers.price > 0
    saved_most = float(((offers.end - offers.start)[paid] / offers.price[paid]).max(initial=0.0)) * per_unit
    highest = max(saved_most * float(offers.price.max(initial=0)), float(per_unit))
    steps = int(min(max(FLOW_COST_MAX / highest, 1), MULTIPLIER_STEPS_MAX))
    low, high = 0, 0 if budget is None else int(saved_most * steps) + 1
    for _ in range(MULTIPLIER_ROUNDS):
        price_of_money = low if budget is None else (low + high) // 2
        costs = np.concatenate([offers.price * price_of_money, worth * steps])
        units = cheapest_at(every, deficit, costs, units_max)
        bought, spent = units[: len(offers)], int(units[: len(offers)] @ offers.price)
        relaxed = int(units @ costs) - price_of_money * (budget or 0)
        plan = Selection.of(question, np.flatnonzero(bought), bought[bought > 0])
        best = _better(shortage, best, plan, -(-relaxed // steps))
        if budget is None or high - low <= 1 or perf_counter() > deadline:
            break
        low, high = (price_of_money, high) if spent > budget else (low, price_of_money)
    return best


def _better(shortage: Shortage, best: Useful, plan: Selection, bound: int) -> Useful:
    """The better of two plans with the better of two bounds of the shortfall."""
    short = shortage.shortfall(plan)
    bound = max(bound, best.shortfall_bound_account_days)
    if shortage.allows(plan) and (short, *plan.key) < (best.shortfall_account_days, *best.plan.key):
        return Useful(plan, short, bound, 0)
    return Useful(best.plan, best.shortfall_account_days, bound, 0)


class _Model:
    """(S1)-(S4) for CP-SAT."""

    def __init__(self, shortage: Shortage) -> None:
        self._shortage = shortage
        question = shortage.question
        self._kept = _kept(question)
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

    def least_shortfall(self, best: Useful, deadline: float) -> Useful:
        self._model.minimize(self._short)
        plan, bound = self._solve(best.plan, deadline)
        known_bound = max(best.shortfall_bound_account_days, bound if self._is_whole else 0)
        return (
            _better(self._shortage, best, plan, known_bound)
            if plan
            else _better(self._shortage, best, best.plan, known_bound)
        )

    def least_cost(self, best: Useful, deadline: float) -> Useful:
        self._model.add(self._short <= best.shortfall_account_days)
        self._model.minimize(self._cost)
        plan, bound = self._solve(best.plan, deadline)
        better = _better(self._shortage, best, plan or best.plan, 0)
        cost_bound = min(bound, better.plan.cost_minor) if self._is_whole else 0
        return Useful(better.plan, better.shortfall_account_days, better.shortfall_bound_account_days, cost_bound)

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
            return None, bound
        units = np.array([solver.value(unit) for unit in self._units], dtype=np.int64)
        return Selection.of(question, self._kept[units > 0], units[units > 0]), bound


def _kept(question: Question) -> Days:
    """The offers to search: all of them, or of very many those that begin or end where the need changes."""
    offers = question.offers
    if len(offers) <= OFFERS_MAX:
        return np.arange(len(offers))
    changes = np.zeros(len(question.deficit) + 1, dtype=bool)
    changes[np.flatnonzero(np.diff(question.deficit, prepend=0, append=0))] = True
    kept = np.flatnonzero(changes[offers.start] | changes[offers.end])
    return kept if len(kept) <= OFFERS_MAX else kept[:: -(-len(kept) // OFFERS_MAX)]
