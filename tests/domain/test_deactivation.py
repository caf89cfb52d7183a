"""Who is out when capacity falls (page, rule 7 and pattern 04), against a recount day by day."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.contracts import AdditionalLicence, BillingCycle, MainContract, SpotContract, Term
from domain.customers import Customer, CustomerKind, DeactivationPolicy
from domain.deactivation import (
    CapacityFall,
    CountedAccount,
    Deactivation,
    DeactivationReason,
    FallEffect,
    deactivated_by,
    effects,
    falls,
    next_day_with_room,
)
from domain.months import Period
from tests.domain.builders import SEARCH, contract, day, licence, recount, spot, term

ALL, EXCESS = DeactivationPolicy.ALL_REGISTERED_DURING_SPOT, DeactivationPolicy.EXCESS_ONLY
DURING_SPOT, NEWEST = DeactivationReason.REGISTERED_DURING_SPOT, DeactivationReason.NEWEST_OVER_CAPACITY
ONE_DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)


def customer(time_zone: str = "Asia/Tokyo") -> Customer:
    return Customer(1, "Aoba Academy", CustomerKind.CORPORATE, time_zone, "JPY", datetime(2026, 1, 1, tzinfo=UTC))


def at_noon(on: str) -> datetime:
    """Noon in Tokyo."""
    return datetime.fromisoformat(f"{on}T12:00:00+09:00")


def account(id_: int, since: datetime | str, *, is_protected: bool = False) -> CountedAccount:
    return CountedAccount(id_, at_noon(since) if isinstance(since, str) else since, is_protected)


def people(first: int, last: int, since: str) -> list[CountedAccount]:
    return [account(number, since) for number in range(first, last + 1)]


def out(
    main: MainContract, counted: Sequence[CountedAccount], policy: DeactivationPolicy = ALL, *, after: str, until: str
) -> list[tuple[str, list[int]]]:
    """The days of falls with the ids of those who go."""
    found = effects(main, counted, policy, customer(), after=day(after), until=day(until))
    return [(str(effect.fall.on), [item.account_id for item in effect.deactivations]) for effect in found]


class TestFalls:
    """The days on which capacity falls."""

    main = contract(
        term("2026-04-01", "2027-04-01", units=2),
        term("2027-04-01", "2028-04-01", units=1),
        licences=(licence("2026-06-01", "2027-04-01", 100),),
        spots=(
            spot("2026-05-01", "2026-06-01", 100),  # ends as the licence begins: no fall
            spot("2026-05-15", "2026-07-15", 200),
            spot("2026-06-15", "2026-07-15", 100),
            spot("2027-03-15", "2027-04-15", 300),
        ),
    )

    def test_each_has_the_capacity_before_and_after_and_the_first_day_of_what_ended(self) -> None:
        assert falls(self.main, after=day("2026-04-01"), until=day("2030-01-01")) == (
            CapacityFall(day("2026-07-15"), 600, 300, day("2026-05-15")),
            CapacityFall(day("2027-04-01"), 600, 400, None),
            CapacityFall(day("2027-04-15"), 400, 100, day("2027-03-15")),
            CapacityFall(day("2028-04-01"), 100, 0, None),
        )

    @pytest.mark.parametrize(
        ("after", "until", "found"),
        [
            ("2026-07-14", "2026-07-15", ["2026-07-15"]),
            ("2026-07-15", "2027-03-31", []),
            ("2026-07-14", "2026-07-14", []),
            ("2026-07-16", "2026-07-14", []),
            ("2026-01-01", "2026-07-15", ["2026-07-15"]),
            ("2028-03-31", "2028-04-01", ["2028-04-01"]),
            ("2028-04-01", "2030-01-01", []),
            ("2027-04-14", "9999-12-31", ["2027-04-15", "2028-04-01"]),
        ],
    )
    def test_those_after_one_day_up_to_and_including_another(self, after: str, until: str, found: list[str]) -> None:
        assert [str(fall.on) for fall in falls(self.main, after=day(after), until=day(until))] == found

    def test_a_spot_that_ends_as_a_longer_one_begins_makes_no_fall(self) -> None:
        main = contract(spots=(spot("2026-05-01", "2026-06-01", 100), spot("2026-06-01", "2026-07-01", 100)))
        assert out(main, people(1, 200, "2026-05-10"), after="2026-05-10", until="2026-06-30") == []


class TestPattern04:
    """100 accounts and 100 more by a spot; the spot ends."""

    main = contract(spots=(spot("2026-05-01", "2026-06-01", 100),))
    regulars = people(1, 100, "2026-04-10")

    @pytest.mark.parametrize("policy", [ALL, EXCESS])
    def test_the_100_that_came_with_the_spot_are_out_the_newest_first(self, policy: DeactivationPolicy) -> None:
        everybody = [*self.regulars, *people(101, 200, "2026-05-10")]
        assert out(self.main, everybody, policy, after="2026-05-10", until="2026-06-01") == [
            ("2026-06-01", list(range(200, 100, -1)))
        ]

    @pytest.mark.parametrize("policy", [ALL, EXCESS])
    def test_nobody_goes_while_all_fit(self, policy: DeactivationPolicy) -> None:
        everybody = [*self.regulars[:50], *people(101, 150, "2026-05-10")]
        assert out(self.main, everybody, policy, after="2026-05-10", until="2026-06-01") == [("2026-06-01", [])]

    def test_one_too_many_takes_all_of_the_spot_or_one(self) -> None:
        everybody = [*self.regulars[:60], *people(101, 141, "2026-05-10")]
        during = list(range(141, 100, -1))
        assert out(self.main, everybody, ALL, after="2026-05-10", until="2026-06-01") == [("2026-06-01", during)]
        assert out(self.main, everybody, EXCESS, after="2026-05-10", until="2026-06-01") == [("2026-06-01", [141])]

    def test_the_spots_first_day_is_the_customers_own(self) -> None:
        began_at = datetime(2026, 4, 30, 15, tzinfo=UTC)  # 1 May in Tokyo
        everybody = [*self.regulars[:99], account(101, began_at - MICROSECOND), account(102, began_at)]
        assert out(self.main, everybody, after="2026-05-10", until="2026-06-01") == [("2026-06-01", [102])]
        # In Kathmandu that day begins three and a quarter hours later, so that one newest goes, but not for the spot.
        fall = CapacityFall(day("2026-06-01"), 200, 100, day("2026-05-01"))
        assert deactivated_by(fall, everybody, ALL, customer("Asia/Kathmandu")) == (Deactivation(102, NEWEST),)
        assert deactivated_by(fall, everybody, ALL, customer()) == (Deactivation(102, DURING_SPOT),)

    def test_who_came_in_the_same_instant_goes_by_id_the_last_first(self) -> None:
        everybody = [*self.regulars[:99], account(7_002, "2026-05-10"), account(7_003, "2026-05-10")]
        assert out(self.main, everybody, EXCESS, after="2026-05-10", until="2026-06-01") == [("2026-06-01", [7_003])]

    def test_an_older_account_that_was_reactivated_during_the_spot_goes_with_it(self) -> None:
        everybody = [*people(2, 101, "2026-04-20"), account(1, "2026-05-20")]
        assert out(self.main, everybody, after="2026-05-20", until="2026-06-01") == [("2026-06-01", [1])]


def test_spots_that_end_together_take_everybody_since_the_first_of_them() -> None:
    main = contract(spots=(spot("2026-05-15", "2026-06-15", 100), spot("2026-04-15", "2026-06-15", 100)))
    everybody = [*people(1, 90, "2026-04-10"), *people(91, 110, "2026-04-20"), *people(111, 120, "2026-05-20")]
    assert out(main, everybody, after="2026-05-20", until="2026-06-15") == [("2026-06-15", list(range(120, 90, -1)))]


def test_a_spot_that_goes_on_keeps_nobody_who_came_during_the_one_that_ends() -> None:
    main = contract(spots=(spot("2026-05-01", "2026-06-01", 100), spot("2026-05-15", "2026-07-15", 100)))
    everybody = [*people(1, 100, "2026-04-10"), *people(101, 180, "2026-05-10"), *people(181, 201, "2026-05-20")]
    assert out(main, everybody, after="2026-05-20", until="2026-07-15") == [
        ("2026-06-01", list(range(201, 100, -1))),
        ("2026-07-15", []),
    ]
    assert out(main, everybody, EXCESS, after="2026-05-20", until="2026-07-15") == [
        ("2026-06-01", [201]),
        ("2026-07-15", list(range(200, 100, -1))),
    ]


def test_a_smaller_renewal_takes_more_than_those_of_the_spot_and_says_why() -> None:
    main = contract(
        term("2026-04-01", "2027-04-01", units=2),
        term("2027-04-01", "2028-04-01", units=1),
        spots=(spot("2027-03-01", "2027-04-01", 100),),
    )
    everybody = [*people(1, 150, "2026-04-10"), *people(151, 160, "2027-03-10")]
    fall = CapacityFall(day("2027-04-01"), 300, 100, day("2027-03-01"))
    assert deactivated_by(fall, everybody, ALL, customer()) == (
        *(Deactivation(number, DURING_SPOT) for number in range(160, 150, -1)),
        *(Deactivation(number, NEWEST) for number in range(150, 100, -1)),
    )
    assert out(main, everybody, after="2027-03-10", until="2027-04-01") == [("2027-04-01", list(range(160, 100, -1)))]


def test_an_ended_licence_takes_the_newest_only() -> None:
    main = contract(
        term("2026-04-01", "2027-04-01"),
        term("2027-04-01", "2028-04-01"),
        licences=(licence("2026-06-01", "2027-04-01", 100),),
    )
    assert out(main, people(1, 102, "2026-06-10"), after="2026-06-10", until="2027-04-01") == [
        ("2027-04-01", [102, 101])
    ]


def test_when_the_contract_ends_everybody_goes_protected_or_not() -> None:
    everybody = [account(1, "2026-04-10", is_protected=True), account(2, "2026-04-11"), account(3, "2026-04-09")]
    assert out(contract(), everybody, EXCESS, after="2026-04-11", until="2027-04-01") == [("2027-04-01", [2, 3, 1])]
    assert out(contract(), everybody, ALL, after="2026-04-11", until="2027-04-01") == [("2027-04-01", [2, 1, 3])]


def test_protection_counts_for_excess_only() -> None:
    main = contract(spots=(spot("2026-05-01", "2026-06-01", 100),))
    everybody = [
        *people(1, 99, "2026-04-10"),
        *(account(n, "2026-05-10", is_protected=n == 102) for n in (100, 101, 102)),
    ]
    assert out(main, everybody, EXCESS, after="2026-05-10", until="2026-06-01") == [("2026-06-01", [101, 100])]
    assert out(main, everybody, ALL, after="2026-05-10", until="2026-06-01") == [("2026-06-01", [102, 101, 100])]


def test_an_effect_counts_who_is_left() -> None:
    main = contract(spots=(spot("2026-05-01", "2026-06-01", 100),))
    counted = people(1, 101, "2026-05-10")
    first, second = effects(main, counted, EXCESS, customer(), after=day("2026-05-10"), until=day("2027-04-01"))
    assert (first.fall.on, first.counted_before, first.counted_after) == (day("2026-06-01"), 101, 100)
    assert (second.fall.on, second.counted_before, second.counted_after) == (day("2027-04-01"), 100, 0)


@pytest.mark.parametrize(
    ("wanted", "policy", "found"),
    [
        pytest.param(21, ALL, "2026-05-01", id="the spot that begins has room"),
        pytest.param(121, EXCESS, "2026-08-01", id="more than that: the spot after it"),
        pytest.param(220, ALL, "2026-08-01", id="all of it"),
        pytest.param(221, ALL, None, id="more than there will ever be"),
        pytest.param(20, ALL, "2026-04-11", id="tomorrow as much as today"),
    ],
)
def test_the_next_day_with_room(wanted: int, policy: DeactivationPolicy, found: str | None) -> None:
    main = contract(spots=(spot("2026-05-01", "2026-06-01", 100), spot("2026-08-01", "2026-09-01", 200)))
    counted = people(1, 80, "2026-04-10")
    room = next_day_with_room(main, counted, policy, customer(), wanted=wanted, today=day("2026-04-10"))
    assert room == (day(found) if found else None)


@pytest.mark.parametrize(("policy", "found"), [(ALL, "2026-06-01"), (EXCESS, None)])
def test_a_fall_that_takes_more_than_the_excess_makes_room(policy: DeactivationPolicy, found: str | None) -> None:
    main = contract(spots=(spot("2026-05-01", "2026-06-01", 100),))
    counted = [*people(1, 60, "2026-04-10"), *people(61, 200, "2026-05-10")]
    room = next_day_with_room(main, counted, policy, customer(), wanted=40, today=day("2026-05-10"))
    assert room == (day(found) if found else None)


def test_there_is_no_room_before_the_contract_and_after_it() -> None:
    def room(today: str) -> date | None:
        return next_day_with_room(contract(), [], ALL, customer(), wanted=1, today=day(today))

    assert room("2026-03-01") == day("2026-04-01")
    assert room("2027-03-30") == day("2027-03-31")
    assert [room(today) for today in ("2027-03-31", "2027-04-01", "2030-01-01")] == [None, None, None]


# What follows draws contracts at random. America/Sao_Paulo had no midnight on 4 November 2018, and 23 o'clock twice on
# 16 February 2019.
FIRST_DAY = date(2018, 10, 25)
ENDS = [20, 45, 60, 90, 115, 140]
"""Few days on which anything ends, so that much ends together."""
LESS = settings(SEARCH, max_examples=100)


@dataclass(frozen=True)
class Case:
    """A customer with its contract and who counts; everybody was registered by the end of ``today``."""

    main: MainContract
    counted: list[CountedAccount]
    policy: DeactivationPolicy
    customer: Customer
    today: date
    until: date

    def effects(self, after: date, until: date, counted: list[CountedAccount] | None = None) -> list[FallEffect]:
        given = self.counted if counted is None else counted
        return list(effects(self.main, given, self.policy, self.customer, after=after, until=until))


def on(offset: int) -> date:
    return FIRST_DAY + timedelta(days=offset)


additions = st.lists(st.tuples(st.integers(0, 110), st.sampled_from(ENDS), st.sampled_from([2, 4])), max_size=5)
registrations = st.lists(st.tuples(st.integers(0, 24 * 140), st.sampled_from([0, 0, 1, 2]), st.booleans()), max_size=12)


@st.composite
def contracts(draw: st.DrawFn) -> MainContract:
    """Units of two accounts; everything inside the contract, as orders are."""
    cuts = [0, *sorted(draw(st.sets(st.sampled_from(ENDS), min_size=1, max_size=3)))]
    units = draw(st.tuples(*[st.integers(1, 3)] * 3))
    terms = tuple(
        Term(Period(on(begin), on(end)), "STARTER", count, 2, BillingCycle.ANNUAL, 5_000, 30_000)
        for (begin, end), count in zip(pairwise(cuts), units, strict=False)
    )
    added = [
        (Period(on(begin), on(min(end, cuts[-1]))), accounts)
        for begin, end, accounts in draw(additions)
        if begin < min(end, cuts[-1])
    ]
    licences = tuple(AdditionalLicence(*item) for item in added[:1])
    return MainContract(terms, licences, tuple(SpotContract(*item) for item in added[1:]))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    main = draw(contracts())
    who = customer(draw(st.sampled_from(["Asia/Tokyo", "America/Sao_Paulo", "Pacific/Kiritimati"])))
    today = draw(st.integers(0, 140))
    begins = [item.period.starts_on for item in main.spots if item.period.starts_on <= on(today)] or [on(0)]
    counted = []
    for id_, (hour, edge, is_protected) in enumerate(draw(registrations), start=100):
        since = who.day_begins_at(on(0)) + timedelta(hours=hour % (24 * today + 1))
        if edge:  # the first instant of a spot, or the last before it: where an error of one shows
            since = who.day_begins_at(begins[hour % len(begins)]) - MICROSECOND * (edge - 1)
        counted.append(CountedAccount(id_, since, is_protected))
    return Case(main, counted, draw(st.sampled_from([ALL, EXCESS])), who, on(today), on(draw(st.integers(0, 145))))


def day_of(case: Case, item: CountedAccount) -> date:
    return item.counted_since.astimezone(ZoneInfo(case.customer.time_zone)).date()


def told(case: Case) -> list[FallEffect]:
    """What the rules say happens, day by day, asking every account on every day."""
    found: list[FallEffect] = []
    left = list(case.counted)
    today = case.today
    while today < case.until:
        yesterday, today = today, today + ONE_DAY
        before, capacity = recount(case.main, yesterday), recount(case.main, today)
        if capacity >= before:
            continue
        ended = [item.period for item in case.main.spots if item.period.ends_before == today]
        count, gone = len(left), gone_on_a_fall(case, left, capacity, ended)
        left = [item for item in left if item.id not in {one.account_id for one in gone}]
        began_on = min((period.starts_on for period in ended), default=None)
        found.append(FallEffect(CapacityFall(today, before, capacity, began_on), count, tuple(gone)))
    return found


def gone_on_a_fall(case: Case, counted: list[CountedAccount], capacity: int, ended: list[Period]) -> list[Deactivation]:
    left = sorted(counted, key=lambda item: (item.counted_since, item.id), reverse=True)
    gone: list[Deactivation] = []
    if len(left) <= capacity:
        return gone
    if case.policy is ALL:
        during = [item for item in left if any(period.contains(day_of(case, item)) for period in ended)]
        gone = [Deactivation(item.id, DURING_SPOT) for item in during]
        left = [item for item in left if item not in during]
    while len(left) > capacity:
        first = left[0]
        if case.policy is EXCESS:
            first = next((item for item in left if not item.is_protected), first)
        left.remove(first)
        gone.append(Deactivation(first.id, NEWEST))
    return gone


@SEARCH
@given(case=cases())
def test_effects_are_those_of_a_recount_day_by_day(case: Case) -> None:
    assert case.effects(case.today, case.until) == told(case)


@LESS
@given(case=cases())
def test_nobody_goes_while_all_fit_and_afterwards_they_always_fit(case: Case) -> None:
    for effect in case.effects(case.today, case.until):
        fitted = effect.counted_before <= effect.fall.capacity_after
        assert (effect.deactivations == ()) is fitted
        assert effect.counted_after <= effect.fall.capacity_after or fitted
        assert len({item.account_id for item in effect.deactivations}) == len(effect.deactivations)


@LESS
@given(case=cases())
def test_excess_only_takes_exactly_the_excess_newest_first_and_protected_accounts_last(case: Case) -> None:
    by_id = {item.id: item for item in case.counted}
    for fall in falls(case.main, after=case.today, until=case.until):
        gone = deactivated_by(fall, case.counted, EXCESS, case.customer)
        assert len(gone) == max(0, len(case.counted) - fall.capacity_after)
        assert {item.reason for item in gone} <= {NEWEST}
        going = [by_id[item.account_id] for item in gone]
        order = [(not item.is_protected, item.counted_since, item.id) for item in going]
        assert order == sorted(order, reverse=True)
        staying = [item for item in case.counted if item not in going]
        assert all(key > (not item.is_protected, item.counted_since, item.id) for key in order for item in staying)


@LESS
@given(case=cases())
def test_all_registered_during_the_spot_go_if_anybody_has_to(case: Case) -> None:
    for fall in falls(case.main, after=case.today, until=case.until):
        gone = {item.account_id: item.reason for item in deactivated_by(fall, case.counted, ALL, case.customer)}
        ended = [item.period.starts_on for item in case.main.spots if item.period.ends_before == fall.on]
        during = {item.id for item in case.counted if ended and day_of(case, item) >= min(ended)}
        if gone:
            assert {id_ for id_, reason in gone.items() if reason is DURING_SPOT} == during
            assert len(gone) == max(len(during), len(case.counted) - fall.capacity_after)
        else:
            assert len(case.counted) <= fall.capacity_after


@LESS
@given(case=cases(), seed=st.integers(0, 99))
def test_the_order_in_which_accounts_come_does_not_matter(case: Case, seed: int) -> None:
    shuffled = Random(seed).sample(case.counted, len(case.counted))
    assert case.effects(case.today, case.until, shuffled) == case.effects(case.today, case.until)


@LESS
@given(case=cases(), pause=st.integers(0, 140))
def test_a_worker_that_stops_on_any_day_and_goes_on_later_does_the_same(case: Case, pause: int) -> None:
    at_once = case.effects(case.today, case.until)
    middle = min(case.until, case.today + timedelta(days=pause))
    first = case.effects(case.today, middle)
    gone = {item.account_id for effect in first for item in effect.deactivations}
    left = [item for item in case.counted if item.id not in gone]
    assert first + case.effects(max(middle, case.today), case.until, left) == at_once


@LESS
@given(case=cases(), wanted=st.integers(0, 8))
def test_the_next_day_with_room_is_the_first_that_a_recount_finds(case: Case, wanted: int) -> None:
    gone = {effect.fall.on: len(effect.deactivations) for effect in told(replace(case, until=case.main.ends_before))}
    left, found, today = len(case.counted), None, case.today + ONE_DAY
    while today < case.main.ends_before and found is None:
        left -= gone.get(today, 0)
        found = today if left + wanted <= recount(case.main, today) else None
        today += ONE_DAY
    room = next_day_with_room(case.main, case.counted, case.policy, case.customer, wanted=wanted, today=case.today)
    assert room == found
