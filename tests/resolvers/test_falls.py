"""Days on which capacity falls, on both databases: who is out, from which instant on, and what is written down."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from domain.customers import DeactivationPolicy
from domain.errors import Refused, StartsInThePast
from domain.history import EventKind
from planner.workers import PlannerPool
from resolvers import account_reads, accounts, spot_orders
from resolvers.purchases import SpotItems
from resolvers.settling import settle_all
from tests.resolvers.office import UNIT, Office, behind, numbers, office, term
from tests.world import TestClock, World

pytestmark = pytest.mark.anyio

DURING, NEWEST = "REGISTERED_DURING_SPOT", "NEWEST_OVER_CAPACITY"
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def planner() -> PlannerPool:
    return PlannerPool(1, 1)  # it is not asked anything, so it starts nothing


@pytest.mark.parametrize(
    ("starts_on", "months", "out_on"),
    [
        ("2026-01-31", 1, "2026-03-01"),
        ("2026-01-31", 2, "2026-03-31"),
        ("2028-01-29", 1, "2028-02-29"),
        ("2028-01-30", 1, "2028-03-01"),
        ("2028-01-31", 1, "2028-03-01"),
        ("2027-12-31", 2, "2028-03-01"),
        ("2028-02-29", 12, "2029-03-01"),
    ],
)
async def test_a_spot_lasts_until_the_last_instant_of_its_last_day(
    world: World, clock: TestClock, starts_on: str, months: int, out_on: str
) -> None:
    day_before = str(date.fromisoformat(starts_on) - timedelta(days=1))
    there = await office(world, clock, day_before, [term("2025-12-01", "2029-06-01")])
    await there.register("ab")
    await there.buy(starts_on, months)
    there.begin(starts_on)
    await there.register("cd")
    there.begin(out_on, -MICROSECOND)
    assert await there.signs_in("abcd") == "abcd"
    assert await there.falls() == []
    there.begin(out_on)
    assert await there.signs_in("abcd") == "ab"
    assert await there.falls() == [(out_on, 4, 2, 4, [("d", DURING), ("c", DURING)])]
    last_day = str(date.fromisoformat(out_on) - timedelta(days=1))
    assert [await there.counted_on(day) for day in (day_before, starts_on, last_day, out_on)] == [2, 4, 4, 2]


async def test_who_came_at_the_first_instant_of_a_spot_goes_with_it_who_came_before_stays(
    world: World, clock: TestClock
) -> None:
    there = await office(world, clock, "2026-04-30", [term("2026-04-01", "2027-04-01", units=2)])
    await there.buy("2026-05-01")
    there.begin("2026-05-01", -MICROSECOND)
    await there.register("a")
    there.begin("2026-05-01")
    await there.register("bcde")
    there.begin("2026-06-01")
    assert await there.signs_in("abcde") == "a"
    # There is room for three of them again, but all of them came during the spot.
    assert await there.falls() == [("2026-06-01", 6, 4, 5, [(name, DURING) for name in "edcb"])]


async def test_the_history_tells_first_what_ended_then_what_that_did(world: World, clock: TestClock) -> None:
    there = await office(world, clock, "2026-05-01", [term("2026-04-01", "2027-04-01")])
    await there.buy("2026-05-01")
    await there.register("abc")
    there.begin("2026-06-01")
    assert await settle_all(there.services) == 1
    (page,) = await account_reads.event_pages(
        there.services, [there.owned.customer.id], there.caller, None, first=5, before_id=None
    )
    assert [(event.what.kind, event.what.counted_after) for event in page.items[::-1]] == [
        (EventKind.SPOT_ENDED, None),
        (EventKind.CAPACITY_FELL, None),
        (EventKind.ACCOUNT_DEACTIVATED, 0),
        (EventKind.ACCOUNT_DEACTIVATED, 0),
        (EventKind.ACCOUNT_DEACTIVATED, 0),
    ]


async def test_nobody_goes_while_all_fit(world: World, clock: TestClock) -> None:
    there = await office(world, clock, "2026-05-01", [term("2026-04-01", "2027-04-01", units=2)])
    await there.buy("2026-05-01")
    await there.register("abcd")
    there.begin("2026-06-01")
    assert await there.signs_in("abcd") == "abcd"
    assert await there.falls() == [("2026-06-01", 6, 4, 4, [])]
    assert await account_reads.groups(there.services, [there.owned.customer.id]) == [[]]


async def test_a_spot_that_ends_as_a_smaller_renewal_begins_is_one_fall_with_both_reasons(
    world: World, clock: TestClock
) -> None:
    terms = [term("2026-04-01", "2027-04-01", units=2), term("2027-04-01", "2028-04-01", units=1)]
    there = await office(world, clock, "2027-02-01", terms)
    await there.register("abcd")
    await there.buy("2027-03-01")
    there.begin("2027-03-15")
    await there.register("ef")
    there.begin("2027-04-01", -MICROSECOND)
    assert await there.signs_in("abcdef") == "abcdef"
    clock.now += MICROSECOND
    assert await there.signs_in("abcdef") == "ab"
    gone = [("f", DURING), ("e", DURING), ("d", NEWEST), ("c", NEWEST)]
    assert await there.falls() == [("2027-04-01", 6, 2, 6, gone)]


@pytest.mark.parametrize(
    ("policy", "stay", "gone"),
    [
        (DeactivationPolicy.ALL_REGISTERED_DURING_SPOT, "a", [("d", DURING), ("c", DURING), ("b", DURING)]),
        (DeactivationPolicy.EXCESS_ONLY, "ad", [("c", NEWEST), ("b", NEWEST)]),
    ],
)
async def test_two_spots_that_end_together_are_one_fall_since_the_first_day_of_the_longer_one(
    world: World, clock: TestClock, policy: DeactivationPolicy, stay: str, gone: list[tuple[str, str]]
) -> None:
    there = await office(world, clock, "2026-04-10", [term("2026-04-01", "2027-04-01")])
    await accounts.set_policy(there.services, there.caller, None, policy)
    await there.register("a")
    await there.buy("2026-06-01", months=1)
    await there.buy("2026-05-01", months=2)
    there.begin("2026-05-01")
    await there.register("b")
    there.begin("2026-06-30")
    await there.register("c")
    (newest,) = await there.register("d")
    await accounts.protect(there.services, there.caller, [newest.id], is_protected=True)
    there.begin("2026-07-01")
    assert await there.signs_in("abcd") == stay
    assert await there.falls() == [("2026-07-01", 6, 2, 4, gone)]


async def test_with_the_contract_everybody_ends(world: World, clock: TestClock) -> None:
    there = await office(world, clock, "2027-03-01", [term("2026-04-01", "2027-04-01", units=2)])
    (oldest, _, third) = await there.register("abc")
    await accounts.protect(there.services, there.caller, [oldest.id], is_protected=True)
    await accounts.suspend(there.services, there.caller, [third.id])
    there.begin("2027-04-01", -MICROSECOND)
    assert await there.signs_in("abc") == "ab"
    assert numbers(await there.refused("xy")) == [(2, 1, 4, None)]
    clock.now += MICROSECOND
    assert await there.signs_in("abc") == ""
    assert await there.falls() == [("2027-04-01", 4, 0, 3, [(name, NEWEST) for name in "cba"])]
    assert numbers(await there.refused("x")) == [(1, 0, 0, None)]
    with pytest.raises(Refused) as caught:
        await accounts.reactivate(there.services, there.caller, [oldest.id])
    assert numbers(caught.value.errors) == [(1, 0, 0, None)]
    there.begin("2028-04-01")
    assert await settle_all(there.services) == 0


async def test_falls_that_nobody_looked_at_for_three_months_are_handled_in_their_order(
    world: World, clock: TestClock
) -> None:
    there = await office(world, clock, "2026-04-30", [term("2026-04-01", "2027-04-01")])
    await there.register("a")
    for starts_on, months in (("2026-05-01", 3), ("2026-05-01", 2), ("2026-05-01", 1)):
        await there.buy(starts_on, months)
    there.begin("2026-05-01")
    await there.register("bc")
    there.begin("2026-05-02")
    await there.register("defgh")
    there.begin("2026-09-02", timedelta(hours=9))
    late = clock.now
    # The first of them puts out all who came since 1 May, so that everybody fits on the others.
    assert await settle_all(there.services) == 1
    assert await settle_all(there.services) == 0
    assert await there.falls() == [
        ("2026-06-01", 8, 6, 8, [(name, DURING) for name in "hgfedcb"]),
        ("2026-07-01", 6, 4, 1, []),
        ("2026-08-01", 4, 2, 1, []),
    ]
    began_at = [there.owned.customer.day_begins_at(date(2026, month, 1)) for month in (6, 7, 8)]
    assert await there.events(EventKind.CAPACITY_FELL) == [(at, late, None) for at in began_at]
    assert await there.events(EventKind.ACCOUNT_DEACTIVATED) == [(began_at[0], late, name) for name in "hgfedcb"]
    assert [await there.counted_on(day) for day in ("2026-04-30", "2026-05-01", "2026-05-31", "2026-06-01")] == [
        1, 3, 8, 1,
    ]  # fmt: skip


async def test_each_of_several_falls_that_come_late_finds_who_the_ones_before_it_left(
    world: World, clock: TestClock
) -> None:
    there = await office(world, clock, "2026-04-30", [term("2026-04-01", "2027-04-01")])
    await accounts.set_policy(there.services, there.caller, None, DeactivationPolicy.EXCESS_ONLY)
    for months in (1, 2, 3):
        await there.buy("2026-05-01", months)
    there.begin("2026-05-01")
    people = await there.register("abcdefgh")
    await accounts.protect(there.services, there.caller, [people[-1].id], is_protected=True)
    there.begin("2026-09-02")
    late = clock.now
    assert await there.signs_in("abcdefgh") == "ah"
    assert await there.falls() == [
        ("2026-06-01", 8, 6, 8, [("g", NEWEST), ("f", NEWEST)]),
        ("2026-07-01", 6, 4, 6, [("e", NEWEST), ("d", NEWEST)]),
        ("2026-08-01", 4, 2, 4, [("c", NEWEST), ("b", NEWEST)]),
    ]
    june, july, august = (there.owned.customer.day_begins_at(date(2026, month, 1)) for month in (6, 7, 8))
    assert await there.events(EventKind.ACCOUNT_DEACTIVATED, EventKind.CAPACITY_FELL) == [
        (june, late, None), (june, late, "g"), (june, late, "f"),
        (july, late, None), (july, late, "e"), (july, late, "d"),
        (august, late, None), (august, late, "c"), (august, late, "b"),
    ]  # fmt: skip
    days = ("2026-05-31", "2026-06-01", "2026-06-30", "2026-07-31", "2026-08-01")
    assert [await there.counted_on(day) for day in days] == [8, 6, 6, 4, 2]


@pytest.mark.parametrize(
    ("time_zone", "starts_on", "out_on", "out_at"),
    [
        # Clocks go forward at two in the night of 8 March, and back at two in that of 1 November.
        ("America/New_York", "2026-02-08", "2026-03-08", "2026-03-08T05:00"),
        ("America/New_York", "2026-02-09", "2026-03-09", "2026-03-09T04:00"),
        ("America/New_York", "2026-10-01", "2026-11-01", "2026-11-01T04:00"),
        ("America/New_York", "2026-10-02", "2026-11-02", "2026-11-02T05:00"),
        # In Cairo 24 April 2026 begins at one: there is no midnight.
        ("Africa/Cairo", "2026-03-24", "2026-04-24", "2026-04-23T22:00"),
    ],
)
async def test_a_day_begins_at_midnight_where_the_customer_is(
    world: World, clock: TestClock, *, time_zone: str, starts_on: str, out_on: str, out_at: str
) -> None:
    day_before = str(date.fromisoformat(starts_on) - timedelta(days=1))
    there = await office(world, clock, day_before, [term("2026-01-01", "2027-01-01")], time_zone)
    await there.register("ab")
    await there.buy(starts_on)
    there.begin(starts_on)
    await there.register("cd")
    clock.now = datetime.fromisoformat(out_at).replace(tzinfo=UTC) - MICROSECOND
    assert await there.signs_in("abcd") == "abcd"
    assert await settle_all(there.services) == 0
    clock.now += MICROSECOND
    assert await settle_all(there.services) == 1
    assert await there.signs_in("abcd") == "ab"
    assert await there.falls() == [(out_on, 4, 2, 4, [("d", DURING), ("c", DURING)])]
    assert await there.events(EventKind.CAPACITY_FELL) == [(clock.now, clock.now, None)]


async def full_house_before_a_fall(world: World, clock: TestClock, inside: str) -> Office:
    """Capacity falls from six to two on 1 June; a and b have been there for longer than the spot."""
    there = await office(world, clock, "2026-04-30", [term("2026-04-01", "2027-04-01")])
    await there.register("ab")
    await there.buy("2026-05-01", units=2)
    there.begin("2026-05-01")
    await there.register(inside)
    return there


async def test_who_registers_at_the_instant_of_a_fall_finds_no_capacity_of_the_day_before(
    world: World, clock: TestClock
) -> None:
    there = await full_house_before_a_fall(world, clock, "c")
    there.begin("2026-06-01")
    # Yesterday three more would have fitted.
    answers = await asyncio.gather(
        *(there.register(name) for name in "uvwxyz"),
        settle_all(there.services),
        there.signs_in("c"),
        settle_all(there.services),
        return_exceptions=True,
    )
    refused = [answer for answer in answers[:6] if isinstance(answer, Refused)]
    assert [numbers(refusal.errors) for refusal in refused] == [[(1, 0, 2, None)]] * 6
    assert answers[7] == ""
    assert await there.falls() == [("2026-06-01", 6, 2, 3, [("c", DURING)])]
    assert sorted((await there.names()).values()) == ["a", "b", "c"]


async def test_as_many_as_are_free_after_a_fall_register_at_its_instant(world: World, clock: TestClock) -> None:
    there = await full_house_before_a_fall(world, clock, "cdef")
    (first, *_) = sorted(await there.names())
    await accounts.delete(there.services, there.caller, [first])
    there.begin("2026-06-01")
    answers = await asyncio.gather(
        *(there.register(name) for name in "uvwxyz"),
        settle_all(there.services),
        settle_all(there.services),
        return_exceptions=True,
    )
    refused = [answer for answer in answers[:6] if isinstance(answer, Refused)]
    assert [numbers(refusal.errors) for refusal in refused] == [[(1, 0, 2, None)]] * 5
    assert await there.falls() == [("2026-06-01", 6, 2, 5, [(name, DURING) for name in "fedc"])]
    assert len(await there.signs_in("bcdefuvwxyz")) == 2
    assert await there.counted_on("2026-06-01") == 2


async def test_a_process_whose_clock_is_behind_lets_nobody_in_on_a_day_that_is_over(
    world: World, clock: TestClock
) -> None:
    there = await full_house_before_a_fall(world, clock, "c")
    slow = behind(there.services, clock, timedelta(seconds=10))
    there.begin("2026-06-01")
    assert await settle_all(there.services) == 1
    assert await settle_all(slow) == 0
    assert numbers(await there.refused("x", slow)) == [(1, 0, 2, None)]
    out = next(id_ for id_, name in (await there.names()).items() if name == "c")
    with pytest.raises(Refused) as caught:
        await accounts.reactivate(slow, there.caller, [out])
    assert numbers(caught.value.errors) == [(1, 0, 2, None)]
    version = slow.settings.terms_version
    yesterday = SpotItems(UNIT, date(2026, 5, 31), 1)
    with pytest.raises(Refused) as caught:
        await spot_orders.place(slow, there.caller, spot_orders.PlaceCommand(None, yesterday, version, "slow"))
    assert [(type(error), error.data) for error in caught.value.errors] == [
        (StartsInThePast, {"starts_on": date(2026, 5, 31), "today": date(2026, 6, 1)})
    ]
    # What it is allowed to do happens on the day that has begun.
    people = {name: id_ for id_, name in (await there.names()).items()}
    await accounts.delete(slow, there.caller, [people["a"]])
    (made,) = await there.register("x", slow)
    assert made.counted_since == there.owned.customer.day_begins_at(date(2026, 6, 1))
    assert await there.falls() == [("2026-06-01", 6, 2, 3, [("c", DURING)])]
    assert [await there.counted_on(day) for day in ("2026-05-31", "2026-06-01")] == [3, 2]


async def test_whom_a_slow_process_lets_in_just_before_a_fall_is_out_with_it(world: World, clock: TestClock) -> None:
    there = await full_house_before_a_fall(world, clock, "c")
    slow = behind(there.services, clock, timedelta(seconds=10))
    there.begin("2026-06-01")
    answers = await asyncio.gather(
        *(there.register(name, slow if name in "uvw" else None) for name in "uxvywz"),
        settle_all(slow),
        settle_all(there.services),
        return_exceptions=True,
    )
    let_in = [answer[0].external_id for answer in answers[:6] if isinstance(answer, list)]
    assert set(let_in) <= set("uvw")
    # Whoever was faster than the fall counted before it, the slow clock's day before.
    gone = [(name, DURING) for name in [*sorted(let_in, reverse=True), "c"]]
    ((*fell, out),) = await there.falls()
    assert (fell, sorted(out)) == (["2026-06-01", 6, 2, 3 + len(let_in)], sorted(gone))
    assert await there.signs_in("abcuvwxyz") == "ab"
