"""Answers that are there already: from a cache, or from the same question being solved for somebody else."""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Protocol

from cachetools import LRUCache
from cachetools.keys import hashkey

from planner.problem import Outcome, PlanningProblem, PlanStatus
from planner.worker import Reported
from planner.workers import Solved

PAUSE_SECONDS = 0.1
"""The shortest time between two outcomes for one follower: what comes faster than that is not read by anyone."""


class Solver(Protocol):
    """What solves new questions: :class:`planner.workers.PlannerPool`, or something around it."""

    async def run(self, problem: PlanningProblem, seconds: float, report: Callable[[Reported], None]) -> Solved:
        """Solve within ``seconds``, and report what was found until then."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """An outcome, and whether it was there before the question was asked."""

    outcome: Outcome
    from_cache: bool


class Answers:
    """Answers of a pool's workers; equal questions are solved once.

    A question is its problem and the version of what the problem was made from. An answer that proves all it
    says is good for ever, any other only for those who would not have searched for longer. Askers who come
    while their question is being solved join in, on the same condition; the worker stops when the last of
    them has left.

    Args:
        pool: where new questions are solved.
        rows_max: what the cache may hold, in days' runs, orders and the like; see :func:`rows`.
    """

    def __init__(self, pool: Solver, rows_max: int) -> None:
        self._pool = pool
        self._cache: LRUCache[Hashable, Solved] = LRUCache(rows_max, lambda solved: rows(solved.outcome))
        self._searches: dict[Hashable, _Search] = {}

    async def solve(self, version: Hashable, problem: PlanningProblem, seconds: float) -> Answer:
        """The last answer of :meth:`search`; those before it are not even read."""
        async with aclosing(self._search(version, problem, seconds)) as found:
            async for reported, from_cache in found:
                latest = reported, from_cache
        return Answer(latest[0].outcome, latest[1])

    async def search(self, version: Hashable, problem: PlanningProblem, seconds: float) -> AsyncGenerator[Answer, None]:
        """Better plans and bounds as they are found, then the final answer, within ``seconds``.

        Raises:
            PlannerBusyError, PlannerInterruptedError: both may succeed when tried again.
            Exception: what solving the problem raised.
        """
        async with aclosing(self._search(version, problem, seconds)) as found:
            async for reported, from_cache in found:
                yield Answer(reported.outcome, from_cache)

    async def _search(
        self, version: Hashable, problem: PlanningProblem, seconds: float
    ) -> AsyncGenerator[tuple[Reported, bool], None]:
        key = hashkey(version, problem)  # remembers its hash: a problem may hold thousands of steps
        kept = self._cache.get(key)
        if kept is not None and serves(kept, seconds):
            yield Reported(lambda: kept.outcome), True
            return
        search = self._searches.get(key)
        if search is None or not search.can_be_joined(seconds):
            search = self._begin(key, problem, seconds)
        async with aclosing(search.follow(seconds)) as outcomes:
            async for reported in outcomes:
                yield reported, False

    def _begin(self, key: Hashable, problem: PlanningProblem, seconds: float) -> "_Search":
        def ended(solved: Solved | None) -> None:
            if self._searches.get(key) is search:
                del self._searches[key]
            if solved is not None:
                self._keep(key, solved)

        search = _Search(seconds, lambda report: self._pool.run(problem, seconds, report), ended)
        self._searches[key] = search
        return search

    def _keep(self, key: Hashable, solved: Solved) -> None:
        kept = self._cache.get(key)
        if solved.outcome.status is PlanStatus.NO_PLAN_IN_TIME or (kept and serves(kept, solved.searched_seconds)):
            return
        if rows(solved.outcome) <= self._cache.maxsize:  # it would be an error to the cache
            self._cache[key] = solved


def serves(solved: Solved, seconds: float) -> bool:
    """Whether who would search for so long may have this answer instead."""
    return is_settled(solved.outcome) or solved.searched_seconds >= seconds


def is_settled(outcome: Outcome) -> bool:
    """Whether more time could not make it better: all that it says is proven."""
    if outcome.status is PlanStatus.INFEASIBLE:
        return outcome.shortfall_account_days == outcome.shortfall_bound_account_days
    return outcome.fewest_proven and all(point.proven for point in outcome.frontier)


def rows(outcome: Outcome) -> int:
    """How large an outcome is: its orders, the frontier's, steps of coverage and other parts; at least 1."""
    plans = sum(1 + len(point.orders) for point in outcome.frontier)
    plans += sum(1 + len(baseline.orders or ()) for baseline in outcome.baselines)
    reasons = sum(1 + len(reason.serves) + len(reason.uncovered) for reason in outcome.reasons)
    parts = len(outcome.orders) + len(outcome.coverage) + len(outcome.shortfalls)
    return 1 + plans + reasons + parts + len(outcome.nearest_demand) + len(outcome.peaks)


class _Search:
    """A solve under way which any number of askers follow; it is cancelled when the last one leaves."""

    def __init__(
        self,
        seconds: float,
        run: Callable[[Callable[[Reported], None]], Awaitable[Solved]],
        ended: Callable[[Solved | None], None],
    ) -> None:
        self._seconds = seconds
        self._ended = ended
        self._latest: Reported | None = None
        self._followers: set[asyncio.Event] = set()
        self._abandoned = False
        self._task = asyncio.ensure_future(run(self._heard))
        self._task.add_done_callback(self._done)

    def can_be_joined(self, seconds: float) -> bool:
        """Whether it is as good as an own search for so long."""
        return self._seconds >= seconds and not self._abandoned

    async def follow(self, seconds: float) -> AsyncGenerator[Reported, None]:
        """Each outcome that is better than the one before; the latest, where several came at once."""
        # The search ends by itself at its own deadline; only who asked for less time has an earlier one.
        deadline = asyncio.get_running_loop().time() + seconds if seconds < self._seconds else None
        news = asyncio.Event()
        self._followers.add(news)
        shown: Reported | None = None
        try:
            while not self._task.done() and _seconds_left(deadline) > 0:
                if self._latest is not None and self._latest is not shown:
                    shown = self._latest
                    yield shown
                    await asyncio.wait([self._task], timeout=min(PAUSE_SECONDS, _seconds_left(deadline)))
                else:
                    await _wait(news, deadline)
                    news.clear()
            final = self._final(seconds)
            if final is not shown:
                yield final
        finally:
            self._followers.discard(news)
            if not self._followers:
                self._abandoned = True
                self._task.cancel()

    def _final(self, seconds: float) -> Reported:
        """What there is when the search has ended, or this follower's time has."""
        if self._task.done():
            outcome = self._task.result().outcome
            return self._latest if self._latest and self._latest.outcome is outcome else Reported(lambda: outcome)
        latest = self._latest.outcome if self._latest else Outcome(PlanStatus.NO_PLAN_IN_TIME)
        return Reported(lambda: replace(latest, solve_milliseconds=seconds * 1000))

    def _heard(self, reported: Reported) -> None:
        self._latest = reported
        self._wake_followers()

    def _done(self, task: "asyncio.Future[Solved]") -> None:
        has_failed = task.cancelled() or task.exception() is not None
        self._ended(None if has_failed else task.result())
        self._wake_followers()

    def _wake_followers(self) -> None:
        for news in self._followers:
            news.set()


def _seconds_left(deadline: float | None) -> float:
    return math.inf if deadline is None else deadline - asyncio.get_running_loop().time()


async def _wait(news: asyncio.Event, deadline: float | None) -> None:
    """Wait for news, but not beyond the deadline, an instant of the loop's clock."""
    with suppress(TimeoutError):
        async with asyncio.timeout_at(deadline):
            await news.wait()
