"""The compiled loops: each against something slower that knows nothing of it."""

from datetime import date
from itertools import combinations_with_replacement, count, product
from random import Random

import numpy as np

from planner.board import Board, Question
from planner.cheapest import SolverFailedError, cheapest_at, cheapest_units
from planner.heuristics import Heuristics, fewest_orders
from planner.line import Line
from planner.native.anneal import anneal
from planner.native.fit import INFEASIBLE, fit, highest
from planner.native.potentials import distances
from planner.native.send_and_split import INFINITE, Network, frontier
from planner.offers import Days, Offers
from tests.planner.builders import offers_of, seeds
from tests.planner.oracle import Interval

BLOCK = 100


def whole(*numbers: int) -> Days:
    return np.array(numbers, dtype=np.int64)


def random_question(random: Random) -> tuple[Offers, Days]:
    """A few chosen offers, the same one twice now and then, that need not cover all days."""
    days = random.randint(1, 15)
    deficit = whole(*(random.choice([0, 1, 2, 5, 30]) for _ in range(days)))
    rows: list[Interval] = []
    for _ in range(random.randint(1, 8)):
        start = random.randrange(days)
        rows.append((start, random.randint(start + 1, days), random.choice([0, random.randint(1, 60)])))
    rows += random.choices(rows, k=random.choice([0, 0, 2]))
    if random.random() < 0.7:
        rows.append((0, days, random.randint(10, 200)))
    return offers_of(rows), deficit


def fitted(offers: Offers, deficit: Days, cap: int, cost_max: int = INFEASIBLE) -> tuple[int, Days]:
    units = np.full(len(offers), -1, dtype=np.int64)
    cost = fit(offers.start, offers.end, offers.price, highest(deficit), cap, cost_max, units)
    return int(cost), units


def assert_covers(offers: Offers, deficit: Days, units: Days, cap: int) -> None:
    assert 0 <= units.min() <= units.max() <= cap
    for day, needed in enumerate(deficit.tolist()):
        assert units[(offers.start <= day) & (day < offers.end)].sum() >= needed


@seeds(500, soak=10_000, block=BLOCK)
def test_the_cheapest_units_of_chosen_offers_are_those_of_the_flow_solver(first_seed: int) -> None:
    possible = impossible = 0
    for seed in range(first_seed, first_seed + BLOCK):
        random = Random(seed)
        offers, deficit = random_question(random)
        cap = random.choice([1, 2, 6, 30, 10**6])
        cost, units = fitted(offers, deficit, cap)
        limits = np.full(len(offers), cap)
        try:
            expected = cheapest_at(offers, deficit, offers.price, limits)
        except SolverFailedError:
            assert cost >= INFEASIBLE, seed
            impossible += 1
            continue
        assert cost == int(expected @ offers.price) == int(units @ offers.price), seed
        assert_covers(offers, deficit, units, cap)
        # What is needed only up to a cost is given up above it.
        assert fitted(offers, deficit, cap, cost)[0] == cost, seed
        assert cost == 0 or fitted(offers, deficit, cap, cost - 1)[0] >= INFEASIBLE, seed
        possible += 1
    assert possible >= 30
    assert impossible >= 10


def test_the_order_of_the_chosen_offers_does_not_matter_for_the_cost() -> None:
    for seed in range(100):
        offers, deficit = random_question(Random(seed))
        mixed = np.array(Random(seed).sample(range(len(offers)), len(offers)))
        assert fitted(offers.select(mixed), deficit, 30)[0] == fitted(offers, deficit, 30)[0]


def test_the_highest_deficit_of_any_run_of_days_is_looked_up() -> None:
    for days in range(1, 20):
        deficit = whole(*Random(days).choices(range(9), k=days))
        table = highest(deficit)
        for begin, end in ((a, b) for a in range(days) for b in range(a + 1, days + 1)):
            row = (end - begin).bit_length() - 1
            assert max(table[row, begin], table[row, end - 2**row]) == deficit[begin:end].max()


def random_network(random: Random) -> tuple[Network, Days]:
    """A few arcs over two to five cells with their needs, shape (cells,)."""
    cells = random.randint(2, 5)
    deficit = whole(*(random.choice([0, 1, 2, 3]) for _ in range(cells)))
    arcs = [(0, cells, random.randint(0, 9), random.choice([1, 4, 15]))] if random.random() < 0.8 else []
    while len(arcs) < 6:
        tail = random.randrange(cells)
        arcs.append((tail, random.randint(tail + 1, cells), random.randint(0, 9), random.choice([1, 1, 4, 15])))
    tails, heads, prices, fixed = (whole(*column) for column in zip(*sorted(arcs), strict=True))
    return Network(np.diff(deficit, prepend=0, append=0), tails, heads, prices, fixed), deficit


def every_cost(network: Network, deficit: Days) -> list[int]:
    """The least cost with at most k arcs, for every k: all units of all arcs tried."""
    most = int(deficit.max())
    units = np.array(list(product(range(most + 1), repeat=len(network.tail))))
    cells = np.arange(len(deficit))
    covers = (network.tail[:, None] <= cells) & (cells < network.head[:, None])
    enough = (units @ covers >= deficit).all(axis=1)
    cost = units @ network.price + (units > 0) @ network.fixed
    used = (units > 0).sum(axis=1)
    return [int(cost[enough & (used <= orders)].min(initial=INFINITE)) for orders in range(len(network.tail) + 1)]


@seeds(500, soak=5_000, block=BLOCK)
def test_send_and_split_has_the_least_cost_of_all_flows_for_every_number_of_arcs(first_seed: int) -> None:
    several = 0
    for seed in range(first_seed, first_seed + BLOCK):
        network, deficit = random_network(Random(seed))
        expected = every_cost(network, deficit)
        answer = frontier(network, len(expected) - 1)
        offers = Offers(date(2026, 1, 1), network.tail, network.head, network.head, network.price)
        assert [min(int(cost), INFINITE) for cost in answer.cost] == expected, seed
        for orders, cost in enumerate(expected):
            if cost < INFINITE:
                units = answer.units(orders)
                assert_covers(offers, deficit, units, int(deficit.sum()))
                assert int(units @ network.price + (units > 0) @ network.fixed) == cost, seed
                assert np.count_nonzero(units) <= orders, seed
        several += len({cost for cost in expected if cost < INFINITE}) > 1
    assert several >= 10


def test_nothing_needed_costs_nothing_whatever_the_arcs() -> None:
    answer = frontier(Network(whole(0, 0, 0), whole(0), whole(2), whole(5), whole(7)), 3)
    assert answer.cost.tolist() == [0, 0, 0, 0]
    assert answer.units(3).tolist() == [0]


def optimal_flow(seed: int) -> tuple[Line, Days, Days, Days] | None:
    """A line of days, prices, an optimal flow on the offers, and what is spare on each cell."""
    random = Random(seed)
    offers, deficit = random_question(random)
    uncovered = [day for day in np.flatnonzero(deficit) if not ((offers.start <= day) & (day < offers.end)).any()]
    if uncovered or not deficit.any():
        return None
    line, units = Line.of(offers, deficit), cheapest_units(offers, deficit)
    bought = np.flatnonzero(units)
    return line, offers.price, units, line.coverage(bought, units[bought]) - line.deficit


@seeds(500, soak=5_000, block=BLOCK)
def test_reduced_costs_are_never_negative_and_nothing_where_the_optimum_buys(first_seed: int) -> None:
    compared = 0
    for seed in range(first_seed, first_seed + BLOCK):
        flow = optimal_flow(seed)
        if flow is None:
            continue
        line, price, units, spare = flow
        assert spare.min() >= 0, seed
        length = distances(line.begin, line.end, price, units, spare, -1)
        reduced = price + length[line.begin] - length[line.end]
        assert reduced.min() >= 0, seed
        assert (reduced[units > 0] == 0).all(), seed
        # A surplus of a day is free: the duals of the days are not negative, and nothing where a unit is spare.
        duals = np.diff(length)
        assert duals.min() >= 0, seed
        assert (duals[spare > 0] == 0).all(), seed
        # Strong duality: they add up to the least cost.
        assert int(duals @ line.deficit) == int(units @ price), seed
        compared += 1
    assert compared >= 50


@seeds(500, soak=5_000, block=BLOCK)
def test_the_distance_from_a_cells_end_to_its_begin_is_what_a_unit_less_saves(first_seed: int) -> None:
    compared = 0
    for seed in range(first_seed, first_seed + BLOCK):
        flow = optimal_flow(seed)
        if flow is None:
            continue
        line, price, units, spare = flow
        rows = [(int(a), int(b), int(p)) for a, b, p in zip(line.begin, line.end, price, strict=True)]
        for cell in np.flatnonzero(line.deficit).tolist():
            length = distances(line.begin, line.end, price, units, spare, cell + 1)
            less = line.deficit.copy()
            less[cell] -= 1
            again = cheapest_units(offers_of(rows), less)
            assert -int(length[cell]) == int(units @ price) - int(again @ offers_of(rows).price), (seed, cell)
            compared += 1
    assert compared >= 200


def question(seed: int) -> Question | None:
    """Offers that cover every day, with a fee and small orders for some seeds."""
    random = Random(seed)
    offers, deficit = random_question(random)
    if optimal_flow(seed) is None:
        return None
    return Question(offers, deficit, max(1, int(deficit.max()) // random.choice([1, 2, 3])), random.choice([0, 7]))


def test_annealing_returns_the_cost_of_its_best_state_and_never_a_worse_one() -> None:
    better = 0
    for seed in range(200):
        asked = question(seed)
        if asked is None:
            continue
        offers = asked.offers
        first = np.arange(len(offers))
        cost = cost_of(asked, first)
        if cost >= INFEASIBLE:
            continue
        results = []
        for _ in range(2):
            chosen, best = first.copy(), first.copy()
            columns = offers.start, offers.end, offers.price, highest(asked.deficit)
            least = anneal(*columns, asked.units_max, asked.fee_minor, chosen, best, 9.0, 0.5, 200, seed)
            results.append((int(least), best.tolist()))
        assert results[0] == results[1], seed
        assert results[0][0] == cost_of(asked, np.array(results[0][1])) <= cost, seed
        better += results[0][0] < cost
    assert better >= 5


def cost_of(asked: Question, chosen: Days) -> int:
    offers = asked.offers.select(chosen)
    cost, units = fitted(offers, asked.deficit, asked.units_max)
    return cost if cost >= INFEASIBLE else cost + asked.fee_minor * int(np.count_nonzero(units))


def test_the_fewest_orders_are_as_few_as_any_cover_has() -> None:
    compared = 0
    for seed in range(400):
        asked = question(seed)
        if asked is None:
            continue
        chosen = fewest_orders(asked)
        board = Board(0, 0, asked.fee_minor)
        found = Heuristics(asked, board).add(chosen, asked.units_max)
        assert found is not None, seed
        assert found.units.max() <= asked.units_max, seed
        least = fewest_by_enumeration(asked)
        assert len(chosen) == least, seed
        compared += least > 1
    assert compared >= 50


def fewest_by_enumeration(asked: Question) -> int:
    """Full orders of every set of offers, each set larger by one than those before, until one covers every day."""
    days = np.flatnonzero(asked.deficit)
    covers = (asked.offers.start[:, None] <= days) & (days < asked.offers.end[:, None])
    held = np.unique(covers, axis=0) * asked.units_max
    for orders in count(1):
        members = np.array(list(combinations_with_replacement(range(len(held)), orders)))
        if (held[members].sum(axis=1) >= asked.deficit[days]).all(axis=1).any():
            return orders
    raise AssertionError("never reached")
