"""What the last unit on a run of days costs: against asking again with so many accounts less."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import groupby

import pytest

from domain.months import Period
from planner.problem import DemandStep, PeakCost, PlanningProblem
from planner.solve import solve
from tests.domain.builders import contract, day, days_of, period, spot, term
from tests.planner.builders import larger_problem, planned, problem, seeds, small_problem, with_options
from tests.planner.oracle import cheapest_cover, demand_on, rows_of, units_missing

PLENTY = 60.0
AT_ONCE = 0.0


def lowered(asked: PlanningProblem, within: Period, accounts_fewer: int) -> PlanningProblem:
    """The demand on the days of a period lowered, never below nothing."""
    steps = tuple(
        DemandStep(Period(on, on + timedelta(days=1)), demand_on(asked, on) - accounts_fewer * within.contains(on))
        for on in days_of(asked.window)
    )
    return replace(asked, demand=tuple(replace(step, accounts=max(0, step.accounts)) for step in steps))


def assert_asking_again_costs_less(asked: PlanningProblem, peak: PeakCost, cost_minor: int) -> None:
    again = solve(lowered(asked, peak.period, peak.accounts_fewer), AT_ONCE)
    assert cost_minor - again.cost_minor == peak.net_minor
    # One unit less is missing on each of the days, and as much as before on all others.
    before, after = units_missing(asked), units_missing(lowered(asked, peak.period, peak.accounts_fewer))
    assert {on: units - after.get(on, 0) for on, units in before.items()} == {
        on: int(peak.period.contains(on)) for on in before
    }
    assert peak.accounts == max(demand_on(asked, on) for on in days_of(peak.period))


def naive_peaks(asked: PlanningProblem) -> Iterator[Period]:
    """The runs of days on which more units are missing than on the day before and on the day after."""
    missing = units_missing(asked)
    edge = timedelta(days=1)
    window = Period(asked.window.starts_on - edge, asked.window.ends_before + edge)
    runs = [list(days) for _, days in groupby(days_of(window), key=lambda on: missing.get(on, 0))]
    levels = [missing.get(run[0], 0) for run in runs]
    for index in range(1, len(runs) - 1):
        if levels[index - 1] < levels[index] > levels[index + 1]:
            yield Period(runs[index][0], runs[index + 1][0])


@seeds(200, soak=2_000)
def test_peaks_of_small_problems_are_the_five_dearest_of_all(first_seed: int) -> None:
    told = 0
    for seed in range(first_seed, first_seed + 50):
        asked = small_problem(seed)
        outcome = solve(asked, PLENTY)
        if not outcome.orders:
            assert outcome.peaks == (), seed
            continue
        saved = []
        for within in naive_peaks(asked):
            less = {on.toordinal(): units - within.contains(on) for on, units in units_missing(asked).items()}
            again = cheapest_cover(rows_of(asked), less)
            saved.append(outcome.net_minor - (again[0] if again else 0))
        assert [peak.net_minor for peak in outcome.peaks] == sorted(filter(None, saved), reverse=True)[:5], seed
        for peak in outcome.peaks:
            assert peak.period in list(naive_peaks(asked)), seed
            assert_asking_again_costs_less(asked, peak, outcome.net_minor)
        told += len(outcome.peaks)
    assert told >= 30


@seeds(40, soak=400, block=20)
def test_peaks_of_larger_problems_are_what_asking_again_saves(first_seed: int) -> None:
    told = 0
    for seed in range(first_seed, first_seed + 20):
        asked = larger_problem(seed)
        outcome = solve(asked, AT_ONCE)
        savings = [peak.net_minor for peak in outcome.peaks]
        assert savings == sorted(savings, reverse=True), seed
        assert len(savings) <= 5, seed
        assert min(savings, default=1) > 0, seed
        for peak in outcome.peaks:
            assert_asking_again_costs_less(asked, peak, outcome.net_minor)
        told += len(savings)
    assert told >= 50


@pytest.mark.parametrize("seed", [0, 116])
def test_of_many_peaks_the_dearest_are_told(seed: int) -> None:
    """Forecasts in which a first look at the prices would take others for the dearest."""
    asked = larger_problem(seed)
    outcome, unit = solve(asked, AT_ONCE), asked.contract.accounts_per_unit
    # A whole unit less, so that one unit less is missing however full the last one is.
    again = [solve(lowered(asked, within, unit), AT_ONCE) for within in naive_peaks(asked)]
    saved = sorted((outcome.net_minor - other.net_minor for other in again), reverse=True)
    assert [peak.net_minor for peak in outcome.peaks] == [saving for saving in saved[:5] if saving]
    assert len(again) > 20


def test_five_peaks_are_told_of_seven() -> None:
    # One unit for 1, 2, ... 7 months, in another order, a month apart.
    lengths, begin, steps = (3, 1, 7, 5, 2, 6, 4), 0, []
    for months in lengths:
        steps.append((month(begin), month(begin + months), 200))
        begin += months + 1
    asked = problem(*steps, main=contract(term("2026-04-01", "2030-04-01")))
    told = solve(asked, PLENTY).peaks
    assert [peak.net_minor for peak in told] == [35_000, 30_000, 25_000, 20_000, 15_000]
    assert [(peak.period.starts_on, peak.accounts, peak.accounts_fewer) for peak in told[:2]] == [
        (day(month(6)), 200, 100),
        (day(month(23)), 200, 100),
    ]


def month(number: int) -> str:
    """The first day of a month, counted from April 2026."""
    return f"{2026 + (number + 3) // 12}-{(number + 3) % 12 + 1:02}-01"


@seeds(100, soak=1_000)
def test_peaks_are_told_as_without_limits_on_orders(first_seed: int) -> None:
    told = 0
    for seed in range(first_seed, first_seed + 50):
        asked = replace(with_options(small_problem(seed), seed), order_fee_minor=20_000)
        outcome, unlimited = solve(asked, 0.05), solve(asked.without_limits(), PLENTY)
        assert outcome.peaks == unlimited.peaks, seed
        for peak in outcome.peaks:
            assert_asking_again_costs_less(asked.without_limits(), peak, unlimited.net_minor)
        told += len(outcome.peaks)
    assert told >= 30


def test_the_last_unit_of_a_peak_costs_its_month() -> None:
    # Three units for a week in June, one until September; then two for three days over a month's end.
    asked = problem(
        ("2026-06-01", "2026-06-08", 360),
        ("2026-06-08", "2026-09-01", 200),
        ("2026-10-30", "2026-11-02", 250),
        main=contract(spots=(spot("2026-07-01", "2026-07-11", 50),)),
    )
    assert solve(asked, PLENTY).peaks == (
        # 60 accounts less are a unit less; a month of the third unit would not be needed.
        PeakCost(period("2026-06-01", "2026-06-08"), 360, 60, 5_000),
        PeakCost(period("2026-10-30", "2026-11-02"), 250, 50, 5_000),
    )


def test_a_peak_that_a_longer_need_covers_anyway_costs_nothing_and_is_not_told() -> None:
    # Two units are needed for two days, one on either side for so long that two chains of months overlap there.
    asked = problem(
        ("2026-06-01", "2026-06-20", 200), ("2026-06-20", "2026-06-22", 300), ("2026-06-22", "2026-07-10", 200)
    )
    outcome = solve(asked, PLENTY)
    assert outcome.net_minor == 10_000
    assert outcome.peaks == ()


def test_a_peak_across_a_renewal_costs_what_is_paid_for_it() -> None:
    main = contract(term("2026-04-01", "2026-07-01"), term("2026-07-01", "2027-07-01", monthly=7_000))
    # Both months begin at the old price only if the first does on 30 May: from the 31st on the second one is July.
    outcome = solve(problem(("2026-06-10", "2026-07-20", 200), main=main), PLENTY)
    assert outcome.orders == (planned("2026-05-30", 2),)
    assert outcome.peaks == (PeakCost(period("2026-06-10", "2026-07-20"), 200, 100, 10_000),)
