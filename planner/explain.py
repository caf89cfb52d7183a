"""Why: what each order is there for, what a peak costs, and what would be feasible where the demand is not."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from itertools import groupby

import numpy as np

from domain.months import Period
from planner.board import Question
from planner.line import Line
from planner.native.potentials import distances
from planner.offers import Days, day_of
from planner.problem import CoverageStep, DemandStep, Need, PeakCost, PlannedOrder, PlanningProblem, Reason

PEAKS_MAX = 5
"""Peaks that are told: the dearest."""
PEAKS_TRIED_MAX = 50
"""Peaks whose cost is computed, the ones that may be dearest first."""


def reasons(
    problem: PlanningProblem, orders: tuple[PlannedOrder, ...], steps: tuple[CoverageStep, ...]
) -> tuple[Reason, ...]:
    """Per order, the days it serves and what one unit less of it leaves short. ``steps`` are with the plan."""
    starts, ends = [step.period.starts_on for step in steps], [step.period.ends_before for step in steps]
    missing = [step.demand - step.capacity_before for step in steps]
    one_less = [step.demand - step.capacity_after + problem.contract.accounts_per_unit for step in steps]
    result = []
    for order in orders:
        within = order.period
        touched = range(bisect_right(ends, within.starts_on), bisect_left(starts, within.ends_before))
        result.append(Reason(_needs(steps, missing, touched, within), _needs(steps, one_less, touched, within)))
    return tuple(result)


def _needs(steps: tuple[CoverageStep, ...], missing: list[int], touched: range, within: Period) -> tuple[Need, ...]:
    """The maximal runs of days with something missing, inside a period."""
    needs = []
    for is_short, run in groupby(touched, key=lambda index: missing[index] > 0):
        if is_short:
            indices = list(run)
            begin = max(steps[indices[0]].period.starts_on, within.starts_on)
            end = min(steps[indices[-1]].period.ends_before, within.ends_before)
            needs.append(Need(Period(begin, end), max(missing[index] for index in indices)))
    return tuple(needs)


def peaks(
    problem: PlanningProblem, question: Question, flow_units: Days, steps: tuple[CoverageStep, ...]
) -> tuple[PeakCost, ...]:
    """What the last unit costs on the peaks where it costs most, the dearest first.

    A peak is a run of days whose deficit is higher than on both sides. One unit less on it moves one unit of supply
    from its end to its begin, so the least cost falls by exactly the length of the shortest residual path between
    the two: the value function of a totally unimodular program is linear between neighbouring integers.
    """
    line = Line.of(question.offers, question.deficit)
    bought = np.flatnonzero(flow_units)
    spare = line.coverage(bought, flow_units[bought]) - line.deficit
    price = question.offers.price
    potential = distances(line.begin, line.end, price, flow_units, spare, -1)
    cells = np.flatnonzero(line.peaks()[line.run])
    begins = cells[np.diff(line.run[cells], prepend=-1) != 0]
    ends = cells[np.diff(line.run[cells], append=-1) != 0] + 1
    # No residual path is shorter than the difference of any potentials, so this is the most that a peak can cost.
    most = potential[ends] - potential[begins]
    found: list[tuple[int, int, int]] = []
    for index in np.lexsort((begins, -most))[:PEAKS_TRIED_MAX].tolist():
        if len(found) >= PEAKS_MAX and sorted(found)[PEAKS_MAX - 1][0] <= -most[index]:
            break
        begin, end = int(begins[index]), int(ends[index])
        length = distances(line.begin, line.end, price, flow_units, spare, end)
        found.append((int(length[begin]), begin, end))
    return tuple(
        _peak_cost(problem, steps, -length, _period(question, line, begin, end), int(line.deficit[begin]))
        for length, begin, end in sorted(found)[:PEAKS_MAX]
        if length < 0
    )


def _period(question: Question, line: Line, begin: int, end: int) -> Period:
    return Period(day_of(question.offers, line.bounds[begin]), day_of(question.offers, line.bounds[end]))


def _peak_cost(
    problem: PlanningProblem, steps: tuple[CoverageStep, ...], saved_minor: int, period: Period, units: int
) -> PeakCost:
    touched = [step for step in steps if step.period.overlaps(period)]
    missing = max(step.demand - step.capacity_before for step in touched)
    fewer = missing - (units - 1) * problem.contract.accounts_per_unit
    return PeakCost(period, max(step.demand for step in touched), fewer, saved_minor)


def nearest_demand(demand: tuple[DemandStep, ...], missing: Mapping[Period, int]) -> tuple[DemandStep, ...]:
    """The demand less the accounts that stay missing in periods that do not overlap."""
    result: list[DemandStep] = []
    for step in demand:
        begin = step.period.starts_on
        while begin < step.period.ends_before:
            inside = next((period for period in missing if period.contains(begin)), None)
            edges = [period.starts_on for period in missing if period.starts_on > begin]
            end = min([step.period.ends_before, *([inside.ends_before] if inside else edges)])
            accounts = step.accounts - (missing[inside] if inside else 0)
            last = result[-1] if result else None
            if last and last.accounts == accounts and last.period.ends_before == begin:
                begin = result.pop().period.starts_on
            result.append(DemandStep(Period(begin, end), accounts))
            begin = end
    return tuple(result)
