"""The domain rules turned into what the optimiser sees: intervals with a price, on a line of days.

Days are offsets from ``first_day``. ``domain.months`` is the rule; the month arithmetic here is the same rule
over whole arrays (a test compares them day by day), because a long contract has 50,000 offers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from domain.contracts import MainContract
from domain.pricing import additional_licence_net_minor
from planner.problem import OrderKind, PlanningProblem

Days = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Offers:
    """What may be ordered; arrays of equal length, sorted by start, then end.

    ``start`` and ``end`` are day offsets from ``first_day`` (end exclusive), ``price`` is net, in minor units
    per licence unit. ``months`` is 0 for an additional licence, which runs to its term's end.
    """

    first_day: date
    start: Days
    end: Days
    months: Days
    price: Days

    def __len__(self) -> int:
        return len(self.start)

    def select(self, chosen: npt.NDArray[np.bool_] | Days) -> "Offers":
        """The offers of a mask or of indices, in that order."""
        return Offers(self.first_day, self.start[chosen], self.end[chosen], self.months[chosen], self.price[chosen])

    def keys(self) -> Iterator[tuple[int, int, int]]:
        """Start, end and months of each: no two offers have the same."""
        return zip(self.start.tolist(), self.end.tolist(), self.months.tolist(), strict=True)

    def kind(self, index: int) -> OrderKind:
        return OrderKind.SPOT if self.months[index] else OrderKind.ADDITIONAL_LICENCE


def period_ends(first_day: date, days: int, months: int) -> Days:
    """Exclusive ends of periods of 1..``months`` months from each of ``days`` days: shape (days, months).

    Source: Civil Code (Japan) art. 143, as in :func:`domain.months.ends_before`.
    """
    # Days and months are counted as integers since 1970; only their conversion needs the calendar.
    origin = int(np.datetime64(first_day, "D").astype(np.int64))
    starts = origin + np.arange(days)
    start_month = starts.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    day_of_month = (starts - _first_days(start_month))[:, None]
    end_month = start_month[:, None] + np.arange(1, months + 1)[None, :]
    month_first = _first_days(end_month) - origin
    next_first = _first_days(end_month + 1) - origin
    corresponding = month_first + day_of_month
    # Civil Code 143: where the month has no such day the period ends with the month.
    return np.where(corresponding < next_first, corresponding, next_first)


def _first_days(months: Days) -> Days:
    """The first days of months, both counted since January 1970."""
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def unit_price_by_day(contract: MainContract, first_day: date, days: int) -> Days:
    """The monthly unit price of the term in force on each of ``days`` days; shape (days,)."""
    prices = np.zeros(days, dtype=np.int64)
    for term in contract.terms:
        begin = max(0, (term.period.starts_on - first_day).days)
        end = max(0, (term.period.ends_before - first_day).days)
        prices[begin:end] = term.monthly_unit_price_minor
    return prices


def spot_offers(problem: PlanningProblem) -> Offers:
    """Every spot contract that the rules allow from the earliest start on; empty when none fits."""
    contract = problem.contract
    first_day = max(problem.earliest_start, contract.starts_on)
    days = (contract.ends_before - first_day).days
    if days <= 0:
        return Offers(first_day, *(np.zeros(0, dtype=np.int64) for _ in range(4)))
    # No month is shorter than 28 days, so no more than this many fit.
    months_max = max(1, min(days // 28, problem.months_max or days))
    ends = period_ends(first_day, days, months_max)
    fits = ends <= days
    month_first_days = np.concatenate([np.arange(days)[:, None], ends[:, :-1]], axis=1)
    prices_by_day = unit_price_by_day(contract, first_day, days)
    # Rule 4: each month at the price of the term in force on its first day.
    prices = np.cumsum(prices_by_day[np.minimum(month_first_days, days - 1)], axis=1)
    start, months_index = np.nonzero(fits)
    return Offers(first_day, start, ends[fits], months_index + 1, prices[fits])


def licence_offers(problem: PlanningProblem) -> Offers:
    """An additional licence from every day from the earliest start on, until the end of the term of that day."""
    contract = problem.contract
    first_day = max(problem.earliest_start, contract.starts_on)
    rows = [
        ((day - first_day).days, (term.period.ends_before - first_day).days, price)
        for term in contract.terms
        for day in _days_between(max(first_day, term.period.starts_on), term.period.ends_before)
        for price in [additional_licence_net_minor(term, starts_on=day, units=1)]
    ]
    start, end, price = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return Offers(first_day, start, end, np.zeros(len(rows), dtype=np.int64), price)


def _days_between(begin: date, end: date) -> Iterator[date]:
    return (begin + timedelta(days=offset) for offset in range((end - begin).days))


def all_offers(problem: PlanningProblem) -> Offers:
    """Everything that the problem allows to be bought."""
    spots = spot_offers(problem)
    if not problem.additional_licences:
        return spots
    licences = licence_offers(problem)
    together = [
        np.concatenate(pair)
        for pair in (
            (spots.start, licences.start),
            (spots.end, licences.end),
            (spots.months, licences.months),
            (spots.price, licences.price),
        )
    ]
    order = np.lexsort((together[3], together[1], together[0]))
    return Offers(spots.first_day, *(column[order] for column in together))


def day_of(offers: Offers, offset: int) -> date:
    """The calendar day of a day offset."""
    return offers.first_day + timedelta(days=int(offset))


def in_normal_form(offers: Offers, deficit: Days) -> Offers:
    """The offers that a plan in normal form can use for a deficit in units per day; shape (days,).

    (N1) A plan stays feasible, becomes no dearer and has no more orders, when an order whose first day is not
         needed moves one day right, unless the moved order costs more or no longer fits. (An additional
         licence gets a day shorter; it never gets dearer.)
    (N2) Where no order can move, each start is a day on which the deficit rises, or the end of another order,
         or the last start at which this length fits, or the last before its price goes up. So starts outside
         the closure of these are not needed by some cheapest plan, whatever the number of its orders, nor by
         the one of them with the latest starts.
    (N3) An order that ends before the first missing unit is never needed, and of those from one day that
         reach past the last missing unit only the cheapest is.

    Next to licences the spots that plans of spots alone can use are kept, so that such a plan is one of all offers.
    """
    useful, spots = _normal(offers, deficit), offers.months > 0
    if not spots.all():
        useful[spots] |= _normal(offers.select(spots), deficit)
    return offers.select(useful)


def _normal(offers: Offers, deficit: Days) -> npt.NDArray[np.bool_]:
    """The offers that N1 to N3 leave; shape (offers,)."""
    needed = np.flatnonzero(deficit)
    if not len(needed):
        return np.zeros(len(offers), dtype=bool)
    useful = np.asarray(
        (offers.end > needed[0]) & (offers.start <= needed[-1]) & ~_dearer_to_the_end(offers, needed[-1])
    )
    offers = offers.select(useful)
    candidate = np.zeros(len(deficit) + 1, dtype=bool)
    candidate[:-1] = np.diff(deficit, prepend=0) > 0
    stays = _cannot_move_right(offers)
    while True:
        used = candidate[offers.start] | stays
        reached = candidate.copy()
        reached[offers.end[used]] = True
        if np.array_equal(reached, candidate):
            useful[useful] = used
            return useful
        candidate = reached


def _dearer_to_the_end(offers: Offers, last_needed: int) -> npt.NDArray[np.bool_]:
    """The offers that reach past the last missing unit, and are not the cheapest of their start to do so."""
    reaching = np.flatnonzero(offers.end > last_needed)
    by_price = reaching[np.lexsort((reaching, offers.price[reaching], offers.start[reaching]))]
    dearer = np.zeros(len(offers), dtype=bool)
    dearer[by_price[1:][np.diff(offers.start[by_price]) == 0]] = True
    return dearer


def _cannot_move_right(offers: Offers) -> npt.NDArray[np.bool_]:
    """The offers of which the next day's offer of equal length, or end for a licence, does not exist or costs more."""
    term = np.where(offers.months == 0, offers.end, 0)
    by_length = np.lexsort((offers.start, term, offers.months))
    next_is_same = (np.diff(offers.months[by_length]) == 0) & (np.diff(term[by_length]) == 0)
    dearer = np.diff(offers.price[by_length]) > 0
    stays = np.zeros(len(offers), dtype=bool)
    stays[by_length] = np.append(~next_is_same | dearer, True)
    return stays
