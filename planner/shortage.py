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

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from math import isqrt
from time import perf_counter

import numpy as np

from planner.board import Question, Selection
from planner.cheapest import cheapest_at
from planner.offers import Days, Offers

PRICES_OF_MONEY = 2**14
"""How many prices of money are told apart: a finer scale makes the flow solver slower."""
MODEL_SIZE_MAX = 2_000_000
"""Offers times days above which CP-SAT would spend the time on reading its model."""
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

    @property
    def progress(self) -> tuple[int, ...]:
        """Changes whenever there is something new to tell."""
        known = self.shortfall_account_days, self.shortfall_bound_account_days, self.cost_bound_minor
        return (*known, *self.plan.key)


def most_useful(shortage: Shortage, deadline: float) -> Iterator[Useful]:
    """Better and better plans and bounds, until proven or the deadline, on the clock of ``perf_counter``.

    The first is to buy nothing, at once: it keeps every limit.
    """
    best = nothing_bought(shortage)
    if not len(shortage.question.offers):
        best = replace(best, shortfall_bound_account_days=best.shortfall_account_days)
    yield best
    if best.shortfall_account_days == best.shortfall_bound_account_days:
        return
    best = yield from _by_prices_of_money(shortage, best, deadline)
    yield from _by_constraints(shortage, best, deadline)


def nothing_bought(shortage: Shortage) -> Useful:
    """The plan without orders."""
    nothing = Selection.of(shortage.question, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    return Useful(nothing, int(shortage.accounts_missing.sum()), 0, 0)


def _by_constraints(shortage: Shortage, best: Useful, deadline: float) -> Iterator[Useful]:
    """CP-SAT: first the least shortfall, and when that is proven the least cost."""
    size = len(offers_to_search(shortage.question)) * int(np.count_nonzero(shortage.accounts_missing))
    if size > MODEL_SIZE_MAX or perf_counter() > deadline:
        return
    # Imported here, because the constraint solver takes 0.4 s to load and few questions need it.
    from planner.shortage_model import ShortageModel  # noqa: PLC0415

    model = ShortageModel(shortage)
    plan, bound = model.least_shortfall(best.plan, deadline)
    best = better(shortage, best, plan or best.plan, bound)
    yield best
    if best.shortfall_account_days > best.shortfall_bound_account_days:
        return
    plan, cost_bound = model.least_cost(best.plan, best.shortfall_account_days, deadline)
    best = better(shortage, best, plan or best.plan, 0)
    yield replace(best, cost_bound_minor=min(cost_bound, best.plan.cost_minor))


def _by_prices_of_money(shortage: Shortage, best: Useful, deadline: float) -> Generator[Useful, None, Useful]:
    """Flows at different prices of money against account-days: plans, and a bound of the shortfall."""
    question, budget = shortage.question, shortage.budget_minor
    flow = _MoneyFlow(shortage)
    kept = offers_to_search(question)
    low, high = (0, 0) if budget is None else (1, flow.highest_price)
    for _ in range(PRICES_OF_MONEY.bit_length()):
        # The right price is mostly far below the highest, so the first steps halve its logarithm.
        price = low if budget is None else max((low + high) // 2 if high < 3 * low else isqrt(low * high), low)
        units, bound = flow.solve(kept, price)
        plan = _trimmed(shortage, Selection.of(question, np.flatnonzero(units), units[units > 0]))
        best = better(shortage, best, plan, bound if len(kept) == len(question.offers) else 0)
        yield best
        if budget is None or high - low <= 1 or perf_counter() > deadline:
            break
        low, high = (price, high) if int(units @ question.offers.price) > budget else (low, price)
    if len(kept) < len(question.offers) and perf_counter() < deadline:
        _, bound = flow.solve(np.arange(len(question.offers)), high)
        best = better(shortage, best, best.plan, bound)
        yield best
    return best


def _trimmed(shortage: Shortage, plan: Selection) -> Selection:
    """The orders of a plan that cover most account-days for their money, as many as the limits allow."""
    if shortage.allows(plan):
        return plan
    question = shortage.question
    offers, missing = question.offers.select(plan.offers), shortage.accounts_missing
    held = plan.units * shortage.accounts_per_unit
    covered = [
        int(np.minimum(missing[begin:end], most).sum())
        for begin, end, most in zip(offers.start, offers.end, held, strict=True)
    ]
    cost = offers.price * plan.units + question.fee_minor
    first = np.argsort(-np.array(covered) / np.maximum(cost, 1), kind="stable")
    fits = np.ones(len(first), dtype=bool)
    if shortage.budget_minor is not None:
        fits = np.cumsum(cost[first]) <= shortage.budget_minor
    chosen = np.sort(first[fits][: shortage.orders_max])
    return Selection.of(question, plan.offers[chosen], plan.units[chosen])


class _MoneyFlow:
    """The flow in which a unit may be left out of a day for what it is worth there, and money has a price."""

    def __init__(self, shortage: Shortage) -> None:
        self._question, self._budget = shortage.question, shortage.budget_minor or 0
        deficit, per_unit = self._question.deficit, shortage.accounts_per_unit
        days = np.flatnonzero(deficit)
        # Leaving a unit out is an arc over its day: the last unit of a day, and the others, which are all needed whole.
        self._days = np.concatenate([days, days])
        last = shortage.accounts_missing[days] - (deficit[days] - 1) * per_unit
        self._worth = np.concatenate([last, np.full(len(days), per_unit)])
        self._left_out_max = np.concatenate([np.ones(len(days), dtype=np.int64), deficit[days]])
        offers = self._question.offers
        paid = offers.price > 0
        # Account-days that a minor unit can save at the most: at that price of money nothing is worth buying.
        saved_most = float(((offers.end - offers.start)[paid] / offers.price[paid]).max(initial=0.0)) * per_unit
        self._steps = max(1, int(PRICES_OF_MONEY / saved_most)) if saved_most else 1
        self.highest_price = int(saved_most * self._steps) + 1

    def solve(self, kept: Days, price_of_money: int) -> tuple[Days, int]:
        """Units of every offer, of which only the kept ones are bought, and the bound of the shortfall they prove."""
        offers, deficit, nothing = self._question.offers.select(kept), self._question.deficit, 0 * self._days
        every = Offers(
            offers.first_day,
            np.concatenate([offers.start, self._days]),
            np.concatenate([offers.end, self._days + 1]),
            np.concatenate([offers.months, nothing]),
            np.concatenate([offers.price, nothing]),
        )
        costs = np.concatenate([offers.price * price_of_money, self._worth * self._steps])
        units_max = np.concatenate([np.full(len(offers), deficit.max()), self._left_out_max])
        flow = cheapest_at(every, deficit, costs, units_max)
        units = np.zeros(len(self._question.offers), dtype=np.int64)
        units[kept] = flow[: len(kept)]
        relaxed = int(flow @ costs) - price_of_money * self._budget
        return units, -(-relaxed // self._steps)


def offers_to_search(question: Question) -> Days:
    """The offers to search: all of them, or of very many those that begin or end where the need changes."""
    offers = question.offers
    if len(offers) <= OFFERS_MAX:
        return np.arange(len(offers))
    changes = np.zeros(len(question.deficit) + 1, dtype=bool)
    changes[np.flatnonzero(np.diff(question.deficit, prepend=0, append=0))] = True
    kept = np.flatnonzero(changes[offers.start] | changes[offers.end])
    return kept if len(kept) <= OFFERS_MAX else kept[:: -(-len(kept) // OFFERS_MAX)]


def better(shortage: Shortage, best: Useful, plan: Selection, bound: int) -> Useful:
    """The better of two plans with the better of two bounds of the shortfall."""
    short = shortage.shortfall(plan)
    bound = max(bound, best.shortfall_bound_account_days)
    if shortage.allows(plan) and (short, *plan.key) < (best.shortfall_account_days, *best.plan.key):
        return Useful(plan, short, bound, 0)
    return Useful(best.plan, best.shortfall_account_days, bound, 0)
