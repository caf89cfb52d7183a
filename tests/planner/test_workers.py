"""Solving in worker processes: deadlines, crashes, too many questions."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from planner.problem import Outcome, PlanStatus
from planner.solve import solve
from planner.worker import WorkerDiedError
from planner.workers import MARGIN_SECONDS, PlannerBusyError, PlannerInterruptedError, PlannerPool
from tests.planner.builders import planned, problem, small_problem
from tests.planner.stand_ins import chatter, report_then_stall, stall, step_by_step

PROBLEM = problem(("2026-05-10", "2026-08-10", 200))
PLENTY = 60.0
"""Seconds: a deadline that is never met unless something hangs."""

pytestmark = pytest.mark.anyio


FOUND = Outcome(PlanStatus.FEASIBLE, (planned("2026-05-10", 3),), cost_minor=15_000, lower_bound_minor=10_000)
BETTER = replace(FOUND, lower_bound_minor=12_000)


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


async def test_a_deadline_counts_the_time_in_the_queue(pool: PlannerPool, stalled_worker: Path) -> None:
    busy = asyncio.create_task(pool.solve(PROBLEM, PLENTY))
    await solving_process(stalled_worker)
    outcome = await pool.solve(PROBLEM, 0.1)
    assert outcome.status is PlanStatus.NO_PLAN_IN_TIME
    busy.cancel()


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
    pid: int = await asyncio.wrap_future(next(iter(pool._workers))._pool.schedule(os.getpid))
    os.kill(pid, signal.SIGKILL)
    while not has_ended(pid):  # noqa: ASYNC110 # another process ends
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)  # the pool looks after its workers every 0.1 s
    assert_solved(await pool.solve(PROBLEM, PLENTY))


async def test_a_deadline_leaves_the_last_outcome_that_was_reported(
    pool: PlannerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "pid"
    monkeypatch.setattr("planner.workers.solve", partial(report_then_stall, marker, (FOUND, BETTER)))
    assert await pool.solve(PROBLEM, 2.0) == replace(BETTER, solve_milliseconds=2_000.0)
    monkeypatch.undo()
    assert_solved(await pool.solve(PROBLEM, PLENTY))
    assert has_ended(await solving_process(marker))


async def test_outcomes_arrive_while_the_worker_still_solves(
    pool: PlannerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("planner.workers.solve", partial(step_by_step, tmp_path, (FOUND, BETTER)))
    heard: asyncio.Queue[Outcome] = asyncio.Queue()
    asked = asyncio.create_task(pool.solve(PROBLEM, PLENTY, heard.put_nowait))
    for number, outcome in enumerate((FOUND, BETTER)):
        (tmp_path / str(number)).touch()
        assert await heard.get() == outcome
    assert await asked == BETTER
    assert heard.empty()


async def test_a_worker_is_told_what_is_left_of_the_time(
    pool: PlannerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("planner.workers.solve", partial(step_by_step, tmp_path, (FOUND,)))
    first = asyncio.create_task(pool.run(PROBLEM, PLENTY, lambda _reported: None))
    while not list(tmp_path.glob("call-*")):  # noqa: ASYNC110, ASYNC240 # another process makes the file
        await asyncio.sleep(0.01)
    second = asyncio.create_task(pool.run(PROBLEM, PLENTY, lambda _reported: None))
    await asyncio.sleep(0.5)  # the time that is waited for, which must be missing
    (tmp_path / "0").touch()
    solved = await asyncio.gather(first, second)
    told = [float(file.read_text()) for file in sorted(tmp_path.glob("call-*"))]  # noqa: ASYNC240
    assert told[0] <= PLENTY - MARGIN_SECONDS
    assert told[1] <= PLENTY - MARGIN_SECONDS - 0.5
    assert solved[1].searched_seconds == pytest.approx(told[1] + MARGIN_SECONDS)


async def test_workers_leave_the_processor_to_the_server(pool: PlannerPool, stalled_worker: Path) -> None:
    asked = asyncio.create_task(pool.solve(PROBLEM, PLENTY))
    pid = await solving_process(stalled_worker)
    assert os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0)
    asked.cancel()


async def test_a_worker_killed_in_the_middle_of_a_message_takes_nothing_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages of megabytes without a pause: at any instant one is on its way."""
    two = PlannerPool(workers=2, waiting_max=4)
    await two.warm()
    large = replace(FOUND, coverage=solve(PROBLEM).coverage * 20_000)
    try:
        for number in range(2):
            markers = [tmp_path / f"{number}-{name}" for name in "ab"]
            asked = []
            for marker in markers:
                with monkeypatch.context() as patch:
                    patch.setattr("planner.workers.solve", partial(chatter, marker, large))
                    asked.append(asyncio.create_task(two.solve(PROBLEM, PLENTY)))
                    pid = await solving_process(marker)
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(PlannerInterruptedError):
                await asked[1]
            assert_solved(await two.solve(PROBLEM, PLENTY))  # by the replacement: the other one is still busy
            assert not asked[0].done()
            asked[0].cancel()
    finally:
        await two.close()


async def test_a_pool_that_closes_interrupts_who_still_waits(pool: PlannerPool, stalled_worker: Path) -> None:
    asked = asyncio.create_task(pool.solve(PROBLEM, PLENTY))
    pid = await solving_process(stalled_worker)
    await pool.close()
    with pytest.raises(PlannerInterruptedError):
        await asked
    assert has_ended(pid)


async def test_a_worker_that_does_not_start_is_said_when_the_pool_warms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.worker._start_worker", os._exit)  # which fails: a socket is no status
    broken = PlannerPool(workers=1, waiting_max=1)
    try:
        with pytest.raises(WorkerDiedError, match="a planner worker did not start"):
            await broken.warm()
    finally:
        await broken.close()
