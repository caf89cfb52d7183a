"""The three ways to say what is needed, and every way to say it wrong."""

from datetime import date, timedelta
from random import Random

import pytest

from domain.contracts import MainContract
from domain.errors import (
    DemandAccountsOutOfRange,
    DemandEntriesOutOfRange,
    DemandOverlaps,
    DemandPeriodInvalid,
    RuleError,
)
from planner.demand import DemandEntry, demand_from_events, demand_from_profile
from planner.problem import DemandStep, PlanningProblem
from planner.solve import solve
from tests.domain.builders import contract, day, days_of, licence, period, recount, spot, term
from tests.planner.builders import planned

ONE_DAY = timedelta(days=1)


def entry(begin: str, end: str, accounts: int) -> DemandEntry:
    return DemandEntry(day(begin), day(end), accounts)


def step(begin: str, end: str, accounts: int) -> DemandStep:
    return DemandStep(period(begin, end), accounts)


def plan(main: MainContract, demand: tuple[DemandStep, ...], today: str = "2026-04-01") -> PlanningProblem:
    return PlanningProblem(main, demand, day(today), day(today))


def test_a_profile_is_total_accounts_sorted_by_day() -> None:
    entries = [entry("2026-06-01", "2026-07-01", 300), entry("2026-04-01", "2026-05-01", 200)]
    assert demand_from_profile(entries) == (
        step("2026-04-01", "2026-05-01", 200),
        step("2026-06-01", "2026-07-01", 300),
    )


def test_entries_may_touch() -> None:
    entries = [entry("2026-04-01", "2026-05-01", 200), entry("2026-05-01", "2026-05-02", 0)]
    assert demand_from_profile(entries) == (step("2026-04-01", "2026-05-01", 200), step("2026-05-01", "2026-05-02", 0))


GOOD = entry("2026-04-01", "2026-05-01", 200)


@pytest.mark.parametrize("form", ["profile", "events"])
@pytest.mark.parametrize(
    ("wrong", "kind", "data"),
    [
        (
            entry("2026-06-01", "2026-06-01", 1),
            DemandPeriodInvalid,
            {"starts_on": date(2026, 6, 1), "ends_before": date(2026, 6, 1)},
        ),
        (
            entry("2026-06-02", "2026-06-01", 1),
            DemandPeriodInvalid,
            {"starts_on": date(2026, 6, 2), "ends_before": date(2026, 6, 1)},
        ),
        (
            entry("2026-06-01", "2026-06-02", -1),
            DemandAccountsOutOfRange,
            {"accounts": -1, "accounts_max": 10_000_000},
        ),
        (
            entry("2026-06-01", "2026-06-02", 10_000_001),
            DemandAccountsOutOfRange,
            {"accounts": 10_000_001, "accounts_max": 10_000_000},
        ),
    ],
)
def test_a_wrong_entry_is_named_with_its_numbers(
    form: str, wrong: DemandEntry, kind: type[RuleError], data: dict[str, object]
) -> None:
    entries = [GOOD, entry("2026-05-01", "2026-06-01", 10_000_000), wrong]
    with pytest.raises(kind) as refused:
        demand_from_profile(entries) if form == "profile" else demand_from_events(entries, contract())
    assert refused.value.field == f"demand.{form}[2]"
    assert refused.value.data == data


@pytest.mark.parametrize("form", ["profile", "events"])
@pytest.mark.parametrize("number", [0, 4_001])
def test_a_demand_has_1_to_4_000_entries(form: str, number: int) -> None:
    entries = [DemandEntry(day("2026-01-01") + ONE_DAY * i, day("2026-01-02") + ONE_DAY * i, 1) for i in range(number)]
    with pytest.raises(DemandEntriesOutOfRange) as refused:
        demand_from_profile(entries) if form == "profile" else demand_from_events(entries, contract())
    assert refused.value.field == f"demand.{form}"
    assert refused.value.data == {"entries": number, "entries_max": 4_000}
    if number:
        assert len(demand_from_profile(entries[:4_000])) == 4_000


@pytest.mark.parametrize(
    ("entries", "field", "starts_on", "previous_ends_before"),
    [
        pytest.param(
            [("2026-04-01", "2026-05-01"), ("2026-06-01", "2026-07-01"), ("2026-04-30", "2026-05-02")],
            "demand.profile[2]",
            "2026-04-30",
            "2026-05-01",
            id="by a day",
        ),
        pytest.param(
            [("2026-04-15", "2026-04-16"), ("2026-04-01", "2026-05-01")],
            "demand.profile[0]",
            "2026-04-15",
            "2026-05-01",
            id="one inside the other, given first",
        ),
        pytest.param(
            [("2026-04-01", "2026-05-01"), ("2026-04-01", "2026-05-01")],
            "demand.profile[1]",
            "2026-04-01",
            "2026-05-01",
            id="the same twice",
        ),
        pytest.param(
            [("2026-04-01", "2026-07-01"), ("2026-05-01", "2026-05-02"), ("2026-06-01", "2026-06-02")],
            "demand.profile[1]",
            "2026-05-01",
            "2026-07-01",
            id="a long one over two short ones",
        ),
    ],
)
def test_entries_of_a_profile_share_no_day(
    entries: list[tuple[str, str]], field: str, starts_on: str, previous_ends_before: str
) -> None:
    with pytest.raises(DemandOverlaps) as refused:
        demand_from_profile([entry(begin, end, 100) for begin, end in entries])
    assert refused.value.field == field
    assert refused.value.data == {
        "starts_on": day(starts_on),
        "previous_ends_before": day(previous_ends_before),
    }


def test_events_come_on_top_of_the_main_contract_and_add_up() -> None:
    main = contract(licences=(licence("2026-05-10", "2027-04-01", 50),))
    entries = [entry("2026-05-20", "2026-06-10", 40), entry("2026-05-01", "2026-06-01", 30)]
    assert demand_from_events(entries, main) == (
        step("2026-05-01", "2026-05-10", 130),
        step("2026-05-10", "2026-05-20", 180),
        step("2026-05-20", "2026-06-01", 220),
        step("2026-06-01", "2026-06-10", 190),
    )


def test_events_sit_on_the_term_in_force() -> None:
    renewed = contract(term(), term("2027-04-01", "2028-04-01", units=3))
    entries = [entry("2027-03-20", "2027-04-10", 100)]
    assert demand_from_events(entries, renewed) == (
        step("2027-03-20", "2027-04-01", 200),
        step("2027-04-01", "2027-04-10", 400),
    )


def test_a_step_ends_where_an_event_does_even_if_the_contract_makes_up_for_it() -> None:
    main = contract(licences=(licence("2026-05-10", "2027-04-01", 50),))
    entries = [entry("2026-05-01", "2026-05-10", 80), entry("2026-05-10", "2026-05-20", 30)]
    assert demand_from_events(entries, main) == (
        step("2026-05-01", "2026-05-10", 180),
        step("2026-05-10", "2026-05-20", 180),
    )


def test_days_without_an_event_are_no_demand() -> None:
    entries = [entry("2026-05-01", "2026-05-02", 10), entry("2026-08-01", "2026-08-02", 20)]
    assert demand_from_events(entries, contract()) == (
        step("2026-05-01", "2026-05-02", 110),
        step("2026-08-01", "2026-08-02", 120),
    )


def test_an_event_outside_the_contract_needs_its_own_accounts_only() -> None:
    entries = [entry("2026-03-30", "2026-04-02", 10)]
    assert demand_from_events(entries, contract()) == (
        step("2026-03-30", "2026-04-01", 10),
        step("2026-04-01", "2026-04-02", 110),
    )


def test_a_confirmed_spot_counts_towards_the_event_it_was_bought_for() -> None:
    main = contract(spots=(spot("2026-05-01", "2026-06-01", 100),))
    demand = demand_from_events([entry("2026-05-10", "2026-05-20", 250)], main)
    # 350 in total, as if the spot were not there; 200 are, so two units are missing and not three.
    assert demand == (step("2026-05-10", "2026-05-20", 350),)
    assert solve(plan(main, demand)).orders == (planned("2026-05-10", 1, units=2),)


@pytest.mark.parametrize("seed", range(30))
def test_events_are_the_recount_of_every_day(seed: int) -> None:
    random = Random(seed)
    main = contract(licences=(licence("2026-04-20", "2026-05-05", 50),), spots=(spot("2026-04-10", "2026-05-10", 100),))
    entries = []
    for _ in range(random.randint(1, 6)):
        begin = day("2026-03-25") + ONE_DAY * random.randrange(50)
        entries.append(DemandEntry(begin, begin + ONE_DAY * random.randint(1, 10), random.randint(1, 5)))
    demand = demand_from_events(entries, main)
    listed = {on: wanted.accounts for wanted in demand for on in days_of(wanted.period)}
    without_spots = contract(licences=main.additional_licences)
    extra = {
        on: sum(event.accounts for event in entries if event.starts_on <= on < event.ends_before)
        for event in entries
        for on in days_of(period(str(event.starts_on), str(event.ends_before)))
    }
    assert listed == {on: accounts + recount(without_spots, on) for on, accounts in extra.items()}
    assert sum(wanted.period.days for wanted in demand) == len(listed)


def test_events_that_need_nothing_are_planned_with_nothing() -> None:
    demand = demand_from_events([entry("2026-05-01", "2026-06-01", 0)], contract())
    assert solve(plan(contract(), demand)).orders == ()
