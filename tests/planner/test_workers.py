"""Solving in worker processes: deadlines, crashes, too many questions."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from planner.problem import Outcome, PlanStatus
from planner.workers import PlannerBusyError, PlannerInterruptedError, PlannerPool
from tests.planner.builders import planned, problem, small_problem, stall

PROBLEM = problem(("2026-05-10", "2026-08-10", 200))
PLENTY = 60.0
"""Seconds: a deadline that is never met unless something hangs."""

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pool() -> AsyncIterator[PlannerPool]:
    """One worker, so that it is known which one solves; two problems are accepted at a time."""
    started = PlannerPool(workers=1, waiting_max=2)
    await started.warm()
    yield started
    await started.close()


@pytest.fixture
def stalled_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Until it is undone, workers do not solve: they write their process id to this file and sleep."""
    marker = tmp_path / "pid"
    monkeypatch.setattr("planner.workers.solve", partial(stall, marker))
    return marker


async def solving_process(marker: Path) -> int:
    """The id of the worker that has begun to solve."""
    while not marker.exists():  # noqa: ASYNC110, ASYNC240 # another process makes the file
        await asyncio.sleep(0.01)
    return int(marker.read_text())  # noqa: ASYNC240


def has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def assert_solved(outcome: Outcome) -> None:
    assert (outcome.status, outcome.orders) == (PlanStatus.OPTIMAL, (planned("2026-05-10", 3),))


async def test_a_problem_is_solved_in_another_process(pool: PlannerPool) -> None:
    assert_solved(await pool.solve(PROBLEM, PLENTY))


async def test_many_problems_are_solved_by_few_workers(planner: PlannerPool) -> None:
    outcomes = await asyncio.gather(*(planner.solve(small_problem(seed), PLENTY) for seed in range(20)))
    assert {outcome.status for outcome in outcomes} == {PlanStatus.OPTIMAL, PlanStatus.INFEASIBLE}


async def test_a_deadline_gives_no_plan_and_stops_the_worker(
    pool: PlannerPool, stalled_worker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.create_task(pool.solve(PROBLEM, 2.0))
    pid = await solving_process(stalled_worker)
    assert await asked == Outcome(PlanStatus.NO_PLAN_IN_TIME, solve_milliseconds=2_000.0)
    monkeypatch.undo()
    assert_solved(await pool.solve(PROBLEM, PLENTY))
    assert has_ended(pid)


async def test_a_deadline_counts_the_time_in_the_queue(pool: PlannerPool) -> None:
    busy = pool._pool.schedule(time.sleep, args=[600])
    outcome = await pool.solve(PROBLEM, 0.1)
    assert outcome.status is PlanStatus.NO_PLAN_IN_TIME
    busy.cancel()  # type: ignore[no-untyped-call]
    assert_solved(await pool.solve(PROBLEM, PLENTY))


async def test_a_worker_killed_while_it_solves_is_replaced(
    pool: PlannerPool, stalled_worker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.create_task(pool.solve(PROBLEM, PLENTY))
    os.kill(await solving_process(stalled_worker), signal.SIGKILL)
    with pytest.raises(PlannerInterruptedError, match="the planner was interrupted; try again"):
        await asked
    monkeypatch.undo()
    assert_solved(await pool.solve(PROBLEM, PLENTY))


async def test_more_problems_than_accepted_are_refused_at_once(pool: PlannerPool, stalled_worker: Path) -> None:
    solving = asyncio.create_task(pool.solve(PROBLEM, PLENTY))
    await solving_process(stalled_worker)
    waiting = asyncio.create_task(pool.solve(PROBLEM, PLENTY))
    await asyncio.sleep(0)
    with pytest.raises(PlannerBusyError, match="2 problems are waiting; try again in a moment"):
        await pool.solve(PROBLEM, PLENTY)
    assert not solving.done()
    assert not waiting.done()
    for asked in (solving, waiting):
        asked.cancel()
    assert [type(result) for result in await asyncio.gather(solving, waiting, return_exceptions=True)] == [
        asyncio.CancelledError
    ] * 2


async def test_a_caller_who_leaves_frees_the_place_and_the_worker(
    pool: PlannerPool, stalled_worker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [asyncio.create_task(pool.solve(PROBLEM, PLENTY)) for _ in range(2)]
    pid = await solving_process(stalled_worker)
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    monkeypatch.undo()
    answers = await asyncio.gather(*(pool.solve(PROBLEM, PLENTY) for _ in range(2)))
    for outcome in answers:
        assert_solved(outcome)
    assert has_ended(pid)


async def test_a_failed_question_frees_its_place(pool: PlannerPool) -> None:
    for _ in range(3):
        with pytest.raises(AttributeError):
            await pool.solve(None, PLENTY)  # type: ignore[arg-type] # any error in the worker will do
    assert_solved(await pool.solve(PROBLEM, PLENTY))


async def test_a_worker_killed_while_it_waits_is_replaced(pool: PlannerPool) -> None:
    pid: int = await asyncio.wrap_future(pool._pool.schedule(os.getpid))
    os.kill(pid, signal.SIGKILL)
    while not has_ended(pid):  # noqa: ASYNC110 # another process ends
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)  # the pool looks after its workers every 0.1 s
    assert_solved(await pool.solve(PROBLEM, PLENTY))
