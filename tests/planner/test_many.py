"""Many problems on any executor: all answered, whatever happens to some of them."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from planner.many import ExecutorLostError, Failure, NamedAnswer, plan_many, processes
from planner.problem import Outcome, PlanningProblem, PlanStatus
from planner.processes import SeparateProcesses
from planner.solve import solve
from tests.planner.builders import planned, problem, small_problem
from tests.planner.many_stand_ins import DIE, DIE_ONCE, HANG, LEAVE, RAISE, REFUSE, misbehave

PLENTY = 60.0
"""Seconds: more than any of this takes."""
INTERRUPTED = Failure("PLANNER_INTERRUPTED", "Each process that tried to solve this died.")


@pytest.fixture(scope="module")
def executor() -> Iterator[SeparateProcesses]:
    with processes(2, PLENTY) as started:
        yield started


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], int]:
    """Problems misbehave as their accounts say; how often one was tried."""
    monkeypatch.setattr("planner.many.solve_warm", partial(misbehave, tmp_path))
    return lambda accounts: len(list(tmp_path.glob(f"{accounts}-*")))


def asked(accounts: int) -> PlanningProblem:
    return problem(("2026-05-10", "2026-06-10", accounts))


def with_good_ones(*bad: int) -> list[tuple[str, PlanningProblem]]:
    """Named after their accounts: bad ones between twelve good ones that need 400 to 1,500 accounts."""
    good = [400 + 100 * number for number in range(12)]
    return [(str(accounts), asked(accounts)) for accounts in [*good[:3], *bad, *good[3:]]]


def assert_good_ones_answered(answers: dict[str, NamedAnswer]) -> None:
    for accounts in range(400, 1_600, 100):
        units = (accounts - 100) // 100
        outcome = answers[str(accounts)].outcome
        assert outcome is not None
        assert outcome.orders == (planned("2026-05-10", 1, units=units),)


def by_name(answers: Iterator[NamedAnswer]) -> dict[str, NamedAnswer]:
    listed = list(answers)
    assert len({answer.name for answer in listed}) == len(listed)
    return {answer.name: answer for answer in listed}


class Immediate(Executor):
    """Solves while it is asked, and remembers how many were in flight."""

    def __init__(self, result: Callable[[PlanningProblem], Outcome]) -> None:
        self._result = result

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(self._result(args[0]))
        return future


def test_answers_are_what_solve_says(executor: SeparateProcesses) -> None:
    problems = [(f"seed {seed}", small_problem(seed)) for seed in range(20)]
    answers = by_name(plan_many(iter(problems), executor, PLENTY))
    assert len(answers) == 20
    for name, one in problems:
        outcome, expected = answers[name].outcome, solve(one, PLENTY)
        assert outcome is not None
        assert (outcome.status, outcome.orders, outcome.shortfalls) == (
            expected.status,
            expected.orders,
            expected.shortfalls,
        )
    assert {answer.outcome.status for answer in answers.values() if answer.outcome} == {
        PlanStatus.OPTIMAL,
        PlanStatus.INFEASIBLE,
    }


def test_no_problems_are_no_answers() -> None:
    assert list(plan_many([], Immediate(solve))) == []


def test_of_an_endless_supply_only_what_is_needed_is_read() -> None:
    read: list[int] = []

    def endless() -> Iterator[tuple[str, PlanningProblem]]:
        for number in count():
            read.append(number)
            yield str(number), asked(400)

    with closing(plan_many(endless(), Immediate(solve), PLENTY, in_flight_max=5)) as answers:
        assert len(list(islice(answers, 10))) == 10
    assert len(read) <= 10 + 5


def test_answers_come_before_all_problems_are_read() -> None:
    def one_then_fail() -> Iterator[tuple[str, PlanningProblem]]:
        yield "first", asked(400)
        raise LookupError("the second problem")

    answers = plan_many(one_then_fail(), Immediate(solve), PLENTY, in_flight_max=1)
    assert next(answers).name == "first"
    with pytest.raises(LookupError, match="the second problem"):
        next(answers)


@pytest.mark.parametrize(
    ("accounts", "failure"),
    [
        (RAISE, Failure("PLANNER_FAILED", "ZeroDivisionError: a bug, in two lines")),
        (LEAVE, Failure("PLANNER_FAILED", "SystemExit: gone")),
        (
            REFUSE,
            Failure(
                "HORIZON_TOO_LONG",
                "The contract has 4000 days from the earliest start on; at most 3700 can be planned.",
                "customerId",
            ),
        ),
    ],
)
def test_a_problem_that_fails_is_answered_with_why(
    accounts: int, failure: Failure, executor: SeparateProcesses, attempts: Callable[[int], int]
) -> None:
    answers = by_name(plan_many(with_good_ones(accounts), executor, PLENTY))
    assert answers[str(accounts)] == NamedAnswer(str(accounts), None, failure)
    assert attempts(accounts) == 1
    assert_good_ones_answered(answers)


def test_a_problem_that_kills_its_process_twice_is_given_up(
    executor: SeparateProcesses, attempts: Callable[[int], int]
) -> None:
    answers = by_name(plan_many(with_good_ones(DIE), executor, PLENTY))
    assert answers[str(DIE)] == NamedAnswer(str(DIE), None, INTERRUPTED)
    assert attempts(DIE) == 2
    assert_good_ones_answered(answers)
    assert all(attempts(accounts) == 1 for accounts in range(400, 1_600, 100))


def test_a_problem_whose_process_was_killed_once_is_tried_again(
    executor: SeparateProcesses, attempts: Callable[[int], int]
) -> None:
    answers = by_name(plan_many(with_good_ones(DIE_ONCE), executor, PLENTY))
    outcome = answers[str(DIE_ONCE)].outcome
    assert outcome is not None
    assert outcome.orders == (planned("2026-05-10", 1, units=2),)
    assert attempts(DIE_ONCE) == 2
    assert_good_ones_answered(answers)


def test_the_standard_librarys_pool_breaks_but_all_are_answered(attempts: Callable[[int], int]) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        answers = by_name(plan_many(with_good_ones(DIE, DIE_ONCE), pool, PLENTY, in_flight_max=4))
    assert answers[str(DIE)] == NamedAnswer(str(DIE), None, INTERRUPTED)
    # Which of the two broke the pool is open: then each is tried in a process of its own, one of them twice.
    assert attempts(DIE) in {2, 3}
    assert answers[str(DIE_ONCE)].outcome is not None
    assert_good_ones_answered(answers)


def test_threads_are_an_executor_too() -> None:
    with ThreadPoolExecutor(1) as threads:
        assert_good_ones_answered(by_name(plan_many(with_good_ones(), threads, PLENTY)))


def test_a_problem_that_hangs_is_stopped_and_its_process_replaced(attempts: Callable[[int], int]) -> None:
    with SeparateProcesses(1, job_seconds_max=3.0) as short:
        answers = by_name(plan_many(with_good_ones(HANG), short, 0.5))
    failure = answers[str(HANG)].failure
    assert failure is not None
    assert failure.code == "PLANNER_TIMED_OUT"
    assert attempts(HANG) == 1
    assert_good_ones_answered(answers)


def test_a_process_killed_while_it_waits_is_replaced(executor: SeparateProcesses) -> None:
    for pid in {executor.submit(os.getpid).result() for _ in range(8)}:
        os.kill(pid, signal.SIGKILL)
    assert_good_ones_answered(by_name(plan_many(with_good_ones(), executor, PLENTY)))


def test_an_executor_that_is_shut_down_takes_no_problems() -> None:
    shut = ThreadPoolExecutor(1)
    shut.shutdown()
    with pytest.raises(ExecutorLostError, match="cannot schedule new futures after shutdown"):
        next(plan_many([("one", asked(400))], shut))


def test_an_executor_that_drops_problems_is_lost() -> None:
    class Dropping(Executor):
        def submit(self, *_: Any, **__: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    with pytest.raises(ExecutorLostError, match="problems were cancelled that were to be solved"):
        next(plan_many([("one", asked(400))], Dropping()))


def test_who_stops_listening_cancels_what_was_not_begun() -> None:
    class Waiting(Immediate):
        futures: list[Future[Any]] = []  # noqa: RUF012 # of one test

        def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
            future = super().submit(fn, *args) if not self.futures else Future()
            self.futures.append(future)
            return future

    waiting = Waiting(solve)
    with closing(plan_many([(str(number), asked(400)) for number in range(5)], waiting, PLENTY)) as answers:
        assert next(answers).name == "0"
    assert [future.cancelled() for future in waiting.futures] == [False, True, True, True, True]


def test_processes_stop_at_once_when_they_shall_not_be_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started = SeparateProcesses(2, job_seconds_max=600)
    jobs = [started.submit(misbehave, tmp_path, asked(HANG), PLENTY) for _ in range(6)]
    while len(pids := [int(file.read_text() or 0) for file in tmp_path.glob(f"{HANG}-*")]) < 2 or 0 in pids:
        time.sleep(0.01)  # other processes make the files
    started.shutdown(wait=False)
    assert all(job.done() for job in jobs)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(RuntimeError):
        started.submit(os.getpid)
