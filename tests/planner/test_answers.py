"""Answers from the cache, and from a search that is under way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import pytest

from planner.answers import Answer, Answers
from planner.problem import FrontierPoint, Outcome, PlanningProblem, PlanStatus
from planner.worker import Report, Reported
from planner.workers import PlannerInterruptedError, PlannerPool, Solved
from tests.planner.builders import planned, problem

pytestmark = pytest.mark.anyio

PROBLEM = problem(("2026-05-10", "2026-08-10", 200))
ORDER = planned("2026-05-10", 3)
CHEAPEST = Outcome(PlanStatus.OPTIMAL, orders=(ORDER,), cost_minor=15_000, lower_bound_minor=15_000, orders_bound=1)
FOUND = replace(CHEAPEST, status=PlanStatus.FEASIBLE, lower_bound_minor=10_000, solve_milliseconds=1.0)
BETTER = replace(FOUND, lower_bound_minor=12_000)
NOTHING = Outcome(PlanStatus.NO_PLAN_IN_TIME)
VERSION = (7, 1)


@dataclass
class Asked:
    """A question that reached the pool: what it was, how to report on it, and its answer to be."""

    problem: PlanningProblem
    seconds: float
    report: Report
    answer: asyncio.Future[Solved]


@dataclass
class PoolInHand(PlannerPool):
    """A pool whose answers the test gives."""

    asked: list[Asked] = field(default_factory=list)

    async def run(self, problem: PlanningProblem, seconds: float, report: Callable[[Reported], None]) -> Solved:
        def say(outcome: Outcome) -> None:
            report(Reported(lambda: outcome))

        question = Asked(problem, seconds, say, asyncio.get_running_loop().create_future())
        self.asked.append(question)
        return await question.answer


class Follower:
    """Somebody who asks, and what they have been answered so far."""

    def __init__(self, answers: AsyncIterator[Answer]) -> None:
        self.heard: list[Answer] = []
        self._answers = answers
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for answer in self._answers:
            self.heard.append(answer)

    async def hears(self, count: int) -> None:
        while len(self.heard) < count:  # noqa: ASYNC110 # the answers come from this loop
            await asyncio.sleep(0.001)


@pytest.fixture
def pool() -> PoolInHand:
    return PoolInHand()


@pytest.fixture
def answers(pool: PoolInHand) -> Answers:
    return Answers(pool, rows_max=100)


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def ask(answers: Answers, pool: PoolInHand, outcome: Outcome, seconds: float = 2.0) -> Answer:
    """Ask something new, and be answered so after the whole time."""
    count = len(pool.asked)
    asking = asyncio.create_task(answers.solve(VERSION, PROBLEM, seconds))
    await settle()
    assert len(pool.asked) == count + 1, "it was answered without the pool"
    pool.asked[-1].answer.set_result(Solved(outcome, seconds))
    return await asking


@pytest.mark.parametrize("outcome", [CHEAPEST, Outcome(PlanStatus.INFEASIBLE)])
async def test_what_is_proven_is_solved_once_for_any_time(answers: Answers, pool: PoolInHand, outcome: Outcome) -> None:
    assert await ask(answers, pool, outcome, seconds=0.1) == Answer(outcome, from_cache=False)
    for seconds in (0.1, 30.0):
        again = await answers.solve(VERSION, replace(PROBLEM), seconds)
        assert again == Answer(outcome, from_cache=True)
        assert again.outcome is outcome


@pytest.mark.parametrize(
    "outcome",
    [
        FOUND,
        replace(CHEAPEST, orders_bound=0),  # the cost is proven, the number of orders is not
        replace(CHEAPEST, frontier=(FrontierPoint(1, (ORDER,), 15_000, 12_000),)),
    ],
)
async def test_what_is_not_proven_is_for_those_who_would_search_no_longer(
    answers: Answers, pool: PoolInHand, outcome: Outcome
) -> None:
    await ask(answers, pool, outcome, seconds=2.0)
    assert await answers.solve(VERSION, PROBLEM, 2.0) == Answer(outcome, from_cache=True)
    assert await ask(answers, pool, BETTER, seconds=2.1) == Answer(BETTER, from_cache=False)
    assert await answers.solve(VERSION, PROBLEM, 2.0) == Answer(BETTER, from_cache=True)


async def test_what_had_to_wait_for_a_worker_was_searched_for_less(answers: Answers, pool: PoolInHand) -> None:
    asking = asyncio.create_task(answers.solve(VERSION, PROBLEM, 2.0))
    await settle()
    pool.asked[0].answer.set_result(Solved(FOUND, searched_seconds=0.5))
    await asking
    assert (await answers.solve(VERSION, PROBLEM, 0.5)).from_cache
    await ask(answers, pool, BETTER, seconds=0.6)


async def test_no_plan_in_time_is_never_an_answer_for_others(answers: Answers, pool: PoolInHand) -> None:
    await ask(answers, pool, NOTHING)
    await ask(answers, pool, NOTHING)


async def test_another_version_or_problem_is_another_question(answers: Answers, pool: PoolInHand) -> None:
    await ask(answers, pool, CHEAPEST)
    asking = [
        asyncio.create_task(answers.solve((7, 2), PROBLEM, 2.0)),
        asyncio.create_task(answers.solve(VERSION, replace(PROBLEM, orders_max=3), 2.0)),
    ]
    await settle()
    assert [asked.problem.orders_max for asked in pool.asked] == [None, None, 3]
    for asked in pool.asked[1:]:
        asked.answer.set_result(Solved(FOUND, 2.0))
    assert [answer.from_cache for answer in await asyncio.gather(*asking)] == [False, False]


async def test_the_least_used_answers_make_room(pool: PoolInHand) -> None:
    answers = Answers(pool, rows_max=4)  # an order and 1 for the rest: two such outcomes

    async def asked_for(orders_max: int) -> bool:
        """Whether the pool had to be asked."""
        count = len(pool.asked)
        asking = asyncio.create_task(answers.solve(VERSION, replace(PROBLEM, orders_max=orders_max), 1.0))
        await settle()
        for asked in pool.asked[count:]:
            asked.answer.set_result(Solved(CHEAPEST, 1.0))
        await asking
        return len(pool.asked) > count

    assert [await asked_for(number) for number in (1, 2, 1, 3, 1, 2)] == [True, True, False, True, False, True]


async def test_an_answer_larger_than_the_cache_is_answered_all_the_same(pool: PoolInHand) -> None:
    answers = Answers(pool, rows_max=1)
    assert (await ask(answers, pool, CHEAPEST)).outcome == CHEAPEST
    assert (await ask(answers, pool, CHEAPEST)).outcome == CHEAPEST


async def test_equal_questions_at_a_time_share_a_search_and_hear_the_same(answers: Answers, pool: PoolInHand) -> None:
    first = Follower(answers.search(VERSION, PROBLEM, 2.0))
    await settle()
    pool.asked[0].report(FOUND)
    await first.hears(1)
    late = Follower(answers.search(VERSION, replace(PROBLEM), 1.5))
    await late.hears(1)
    pool.asked[0].report(BETTER)
    await first.hears(2)
    await late.hears(2)
    pool.asked[0].answer.set_result(Solved(CHEAPEST, 2.0))
    await asyncio.gather(first.task, late.task)
    assert first.heard == late.heard == [Answer(outcome, from_cache=False) for outcome in (FOUND, BETTER, CHEAPEST)]
    assert len(pool.asked) == 1


async def test_an_outcome_that_is_reported_last_is_told_once(answers: Answers, pool: PoolInHand) -> None:
    asker = Follower(answers.search(VERSION, PROBLEM, 2.0))
    await settle()
    pool.asked[0].report(CHEAPEST)
    await asker.hears(1)
    pool.asked[0].answer.set_result(Solved(CHEAPEST, 2.0))
    await asker.task
    assert asker.heard == [Answer(CHEAPEST, from_cache=False)]


async def test_a_search_survives_the_one_who_began_it_and_stops_with_the_last(
    answers: Answers, pool: PoolInHand
) -> None:
    asking = [asyncio.create_task(answers.solve(VERSION, PROBLEM, 2.0)) for _ in range(3)]
    await settle()
    asking[0].cancel()
    await settle()
    assert not pool.asked[0].answer.cancelled()
    for task in asking[1:]:
        task.cancel()
    await settle()
    assert pool.asked[0].answer.cancelled()
    assert all(task.cancelled() for task in asking)
    await ask(answers, pool, CHEAPEST)


async def test_nobody_joins_a_search_that_is_being_stopped(answers: Answers, pool: PoolInHand) -> None:
    async with aclosing(answers.search(VERSION, PROBLEM, 2.0)) as first:
        reading = asyncio.ensure_future(anext(first))
        await settle()
        pool.asked[0].report(FOUND)
        await reading
    # It has been cancelled, and has not ended yet: no step of the loop lies between.
    assert await ask(answers, pool, CHEAPEST) == Answer(CHEAPEST, from_cache=False)


async def test_who_asked_for_less_time_leaves_a_longer_search_with_what_it_has(
    answers: Answers, pool: PoolInHand
) -> None:
    patient = asyncio.create_task(answers.solve(VERSION, PROBLEM, 30.0))
    await settle()
    hurried = await answers.solve(VERSION, PROBLEM, 0.05)
    assert hurried == Answer(replace(NOTHING, solve_milliseconds=50.0), from_cache=False)
    pool.asked[0].report(FOUND)
    hurried = await answers.solve(VERSION, PROBLEM, 0.05)
    assert hurried == Answer(replace(FOUND, solve_milliseconds=50.0), from_cache=False)
    pool.asked[0].answer.set_result(Solved(CHEAPEST, 30.0))
    assert (await patient).outcome == CHEAPEST
    assert len(pool.asked) == 1


async def test_who_asks_for_more_time_than_a_search_has_begins_a_longer_one(answers: Answers, pool: PoolInHand) -> None:
    short = asyncio.create_task(answers.solve(VERSION, PROBLEM, 1.0))
    await settle()
    long = asyncio.create_task(answers.solve(VERSION, PROBLEM, 2.0))
    await settle()
    assert [asked.seconds for asked in pool.asked] == [1.0, 2.0]
    pool.asked[1].answer.set_result(Solved(BETTER, 2.0))
    pool.asked[0].answer.set_result(Solved(FOUND, 1.0))
    assert [answer.outcome for answer in await asyncio.gather(short, long)] == [FOUND, BETTER]
    # What came last was searched for less and does not replace the better one.
    assert await answers.solve(VERSION, PROBLEM, 1.0) == Answer(BETTER, from_cache=True)


async def test_a_failure_reaches_all_who_share_it_and_is_not_kept(answers: Answers, pool: PoolInHand) -> None:
    asking = [asyncio.create_task(answers.solve(VERSION, PROBLEM, 2.0)) for _ in range(2)]
    await settle()
    pool.asked[0].answer.set_exception(PlannerInterruptedError("killed"))
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(result) for result in results] == [PlannerInterruptedError] * 2
    await ask(answers, pool, CHEAPEST)


async def test_a_slow_reader_hears_the_latest_and_no_outdated_ones(answers: Answers, pool: PoolInHand) -> None:
    async with aclosing(answers.search(VERSION, PROBLEM, 2.0)) as heard:
        reading = asyncio.ensure_future(anext(heard))
        await settle()
        pool.asked[0].report(FOUND)
        assert (await reading).outcome == FOUND
        for bound in range(10_001, 12_001):
            pool.asked[0].report(replace(FOUND, lower_bound_minor=bound))
        assert (await anext(heard)).outcome == BETTER
        pool.asked[0].answer.set_result(Solved(CHEAPEST, 2.0))
        await settle()
        assert (await anext(heard)).outcome == CHEAPEST
        with pytest.raises(StopAsyncIteration):
            await anext(heard)
