"""The least cost as a flow, over offers that need not be months."""

from datetime import date
from random import Random

import numpy as np
import pytest

from planner.cheapest import SolverFailedError, cheapest_units
from planner.offers import Offers, in_normal_form, spot_offers
from planner.profile import coverage_steps, deficit_by_day, shortfalls
from tests.planner.builders import larger_problem, offers_of, problem, small_problem
from tests.planner.oracle import Interval, cheapest_cover


def bought(offers: Offers, deficit: list[int]) -> tuple[int, int]:
    """Cost and number of units of the plan, which must cover every day."""
    units = cheapest_units(offers, np.array(deficit, dtype=np.int64)).tolist()
    rows = list(zip(offers.start.tolist(), offers.end.tolist(), offers.price.tolist(), units, strict=True))
    assert min(units) >= 0
    for day, needed in enumerate(deficit):
        assert sum(count for start, end, _, count in rows if start <= day < end) >= needed, day
    return sum(price * count for _, _, price, count in rows), sum(units)


def test_the_warehouse_of_the_textbook_is_leased_for_76_500() -> None:
    """Hillier and Lieberman's leasing problem: thousands of square feet by month, prices per thousand."""
    prices = {1: 650, 2: 1_000, 3: 1_350, 4: 1_600, 5: 1_900}
    rows = [(month, month + length, prices[length]) for month in range(5) for length in range(1, 6 - month)]
    cost, _ = bought(offers_of(rows), [30, 20, 40, 10, 50])
    assert cost == 76_500


def random_rows(random: Random, days: int) -> list[Interval]:
    """Intervals with any price, at least one for each day."""
    rows = {(day, day + 1): random.randint(1, 50) for day in range(days)}
    for _ in range(random.randint(0, 3 * days)):
        start = random.randrange(days)
        rows[start, random.randint(start + 1, days)] = random.randint(1, 90)
    return [(start, end, price) for (start, end), price in rows.items()]


@pytest.mark.parametrize("first_seed", range(0, 400, 100))
def test_cost_and_units_are_those_of_an_exhaustive_search_at_any_price(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 100):
        random = Random(seed)
        days = random.randint(1, 12)
        rows = random_rows(random, days)
        deficit = [random.choice([0, 1, 2, 3]) for _ in range(days)]
        if any(deficit):
            assert bought(offers_of(rows), deficit) == cheapest_cover(rows, dict(enumerate(deficit))), seed


def test_of_equally_cheap_plans_the_one_with_fewest_units_is_taken() -> None:
    rows = [(0, 1, 5), (1, 2, 5), (2, 3, 5), (0, 2, 10), (0, 3, 15)]
    assert cheapest_units(offers_of(rows), np.array([1, 1, 1])).tolist() == [0, 0, 1, 0, 0]


def test_a_cheaper_plan_of_many_units_is_preferred_to_a_dearer_one_of_few() -> None:
    singles = [(day, day + 1, 1_000) for day in range(100)]
    cost, units = bought(offers_of([*singles, (0, 100, 100_001)]), [7] * 100)
    assert (cost, units) == (700_000, 700)


def test_prices_too_large_for_the_tie_break_are_still_exact() -> None:
    # Weighted against 10^12 units a day, prices near 2^40 would not fit into 64 bits.
    rows = [(0, 1, 2**40 - 87), (1, 2, 2**40 + 15), (0, 2, 2**41 - 73), (2, 3, 1)]
    cost, _ = bought(offers_of(rows), [10**12, 10**12, 1])
    assert cost == 10**12 * (2**41 - 73) + 1


def test_free_offers_cost_nothing() -> None:
    assert bought(offers_of([(0, 2, 0), (1, 3, 0), (0, 3, 4)]), [2, 3, 1]) == (0, 3)


def test_a_day_without_an_offer_is_a_failure_of_the_caller() -> None:
    with pytest.raises(SolverFailedError, match="min-cost flow ended with status"):
        cheapest_units(offers_of([(0, 2, 5)]), np.array([1, 1, 1]))


@pytest.mark.parametrize(("first_seed", "larger"), [(0, False), (50, False), (0, True)])
def test_offers_in_normal_form_are_as_good_as_all(first_seed: int, larger: bool) -> None:
    compared = 0
    for seed in range(first_seed, first_seed + 50):
        asked = larger_problem(seed) if larger else small_problem(seed)
        offers, steps = spot_offers(asked), coverage_steps(asked)
        if shortfalls(asked, steps, offers):
            continue
        days = (asked.contract.ends_before - offers.first_day).days
        deficit = deficit_by_day(asked, steps, offers.first_day, days)
        useful = in_normal_form(offers, deficit)
        assert len(useful) <= len(offers), seed
        if deficit.any():
            assert bought(useful, deficit.tolist()) == bought(offers, deficit.tolist()), seed
            compared += 1
    assert compared >= 30


def test_normal_form_of_a_few_events_is_a_fraction_of_all_offers() -> None:
    asked = problem(
        ("2026-04-20", "2026-05-10", 300), ("2026-07-01", "2026-09-15", 200), ("2027-01-10", "2027-01-12", 500)
    )
    offers = spot_offers(asked)
    deficit = deficit_by_day(asked, coverage_steps(asked), offers.first_day, 365)
    useful = in_normal_form(offers, deficit)
    assert len(offers) == 2_025
    assert len(useful) < 220
    assert bought(useful, deficit.tolist()) == bought(offers, deficit.tolist()) == (45_000, 7)


def test_nothing_missing_needs_no_offer() -> None:
    offers = spot_offers(problem(("2026-04-01", "2026-05-01", 100)))
    assert len(in_normal_form(offers, np.zeros(365, dtype=np.int64))) == 0
    assert offers.first_day == date(2026, 4, 1)
