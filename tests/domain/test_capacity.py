"""Capacity over time, against a recount day by day."""

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.capacity import CapacityStep, capacity_on, capacity_timeline, level_steps
from domain.contracts import AdditionalLicence, BillingCycle, MainContract, SpotContract, Term
from domain.months import Period
from tests.domain.builders import SEARCH, contract, day, days_of, licence, period, recount, spot, term

FIRST_DAY = date(2028, 1, 1)


@st.composite
def periods(draw: st.DrawFn) -> Period:
    starts_on = FIRST_DAY + timedelta(days=draw(st.integers(min_value=-20, max_value=100)))
    return Period(starts_on, starts_on + timedelta(days=draw(st.integers(min_value=1, max_value=60))))


@st.composite
def contracts(draw: st.DrawFn) -> MainContract:
    cuts = sorted(draw(st.sets(st.integers(min_value=-10, max_value=110), min_size=2, max_size=4)))
    edges = [FIRST_DAY + timedelta(days=cut) for cut in cuts]
    accounts = st.sampled_from([100, 200, 300])  # few values, so that neighbours are often equal
    return MainContract(
        terms=tuple(
            Term(Period(begin, end), "STARTER", draw(st.integers(1, 3)), 100, BillingCycle.ANNUAL, 5_000, 30_000)
            for begin, end in pairwise(edges)
        ),
        additional_licences=tuple(
            AdditionalLicence(draw(periods()), draw(accounts)) for _ in range(draw(st.integers(0, 2)))
        ),
        spots=tuple(SpotContract(draw(periods()), draw(accounts)) for _ in range(draw(st.integers(0, 5)))),
    )


@SEARCH
@given(main=contracts(), window=periods())
def test_timeline_is_the_recount_of_every_day(main: MainContract, window: Period) -> None:
    steps = capacity_timeline(main, window)
    listed = {on: step.accounts for step in steps for on in days_of(step.period)}
    assert listed == {on: recount(main, on) for on in days_of(window)}


@SEARCH
@given(main=contracts(), window=periods())
def test_steps_are_contiguous_maximal_and_cover_the_window(main: MainContract, window: Period) -> None:
    steps = capacity_timeline(main, window)
    assert steps[0].period.starts_on == window.starts_on
    assert steps[-1].period.ends_before == window.ends_before
    for earlier, later in pairwise(steps):
        assert earlier.period.ends_before == later.period.starts_on
        assert earlier.accounts != later.accounts


@SEARCH
@given(main=contracts(), on=st.dates(min_value=date(2027, 12, 1), max_value=date(2028, 6, 30)))
def test_capacity_on_a_day_is_the_recount(main: MainContract, on: date) -> None:
    assert capacity_on(main, on) == recount(main, on)


def test_a_starter_contract_with_spots_and_a_licence() -> None:
    main = contract(
        term("2026-04-01", "2027-04-01"),
        term("2027-04-01", "2028-04-01", units=2),
        licences=(licence("2026-06-01", "2027-04-01", 100),),
        spots=(spot("2026-05-01", "2026-06-01", 100), spot("2026-05-15", "2026-06-15", 200)),
    )
    assert capacity_timeline(main, period("2026-03-01", "2027-06-01")) == (
        CapacityStep(period("2026-03-01", "2026-04-01"), 0),
        CapacityStep(period("2026-04-01", "2026-05-01"), 100),
        CapacityStep(period("2026-05-01", "2026-05-15"), 200),
        # On 1 June a spot of 100 ends and a licence of 100 begins: no change, so one step.
        CapacityStep(period("2026-05-15", "2026-06-15"), 400),
        CapacityStep(period("2026-06-15", "2027-06-01"), 200),
    )


def test_a_customer_without_contract_has_no_capacity() -> None:
    window = period("2026-04-01", "2026-05-01")
    assert capacity_timeline(None, window) == (CapacityStep(window, 0),)
    assert capacity_on(None, day("2026-04-01")) == 0


def test_levels_outside_the_window_do_not_count() -> None:
    april = period("2026-04-01", "2026-05-01")
    outside = [(period("2026-03-01", "2026-04-01"), 5), (period("2026-05-01", "2026-06-01"), 7)]
    assert level_steps(outside, april) == ((april, 0),)
