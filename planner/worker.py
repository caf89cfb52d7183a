"""One worker process, and how what it reports travels to the server while it still solves."""

import asyncio
import os
import pickle
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from functools import cached_property
from multiprocessing import get_context
from typing import Any, cast

from pebble import ProcessExpired, ProcessPool

from planner.parent import end_with_parent
from planner.problem import Outcome, PlanningProblem

NICENESS = 19
"""Of workers, so that the server, which has 0, answers light requests while they solve.

It is the most there is: beside processes of 10 a server that wakes up may still wait some milliseconds for a processor.
"""
_CONTEXT = get_context("forkserver" if sys.platform == "linux" else "spawn")
"""Never forked from the server, which has threads whose locks a fork would inherit; see planner/fork_server.py."""
_CONTEXT.set_forkserver_preload(["planner.fork_server"])

Report = Callable[[Outcome], None]
Solve = Callable[[PlanningProblem, float, Report], Outcome]

_HEAD = struct.Struct("!Q")
"""Before each message: how many bytes follow."""


class Reported:
    """An outcome on its way through the server: made from its bytes only when somebody reads it.

    That takes milliseconds in which the server answers nobody else, and most reports are out of date before anyone
    has asked for them.
    """

    def __init__(self, read: Callable[[], Outcome]) -> None:
        self._read = read

    @cached_property
    def outcome(self) -> Outcome:
        return self._read()


class WorkerDiedError(RuntimeError):
    """The process ended, or was stopped, before it had answered."""


class Worker:
    """A process behind a pebble pool of its own.

    The workers of one pool share pipes and the locks around them: one that is killed inside a lock or in the
    middle of a message takes the others with it. This one shares nothing, so whoever finds it dead throws it
    away. Methods block unless they are coroutines.
    """

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._pool = ProcessPool(max_workers=1, initializer=_start_worker, initargs=[self._theirs], context=_CONTEXT)
        self._job: Future[Any] | None = None
        self._stopping = threading.Lock()
        self._stopped = False
        self.in_order = True
        """Whether the last job ended by itself; a worker that was interrupted may not be used again."""

    def start(self) -> None:
        """Start the process and load the solver in it.

        Raises:
            WorkerDiedError: it could not be started, or :meth:`stop` was called meanwhile.
        """
        try:
            self._job = self._pool.schedule(os.getpid)
            self._job.result()
        except (ProcessExpired, BrokenProcessPool, CancelledError) as error:
            raise WorkerDiedError(f"a planner worker did not start: {error!r}") from error

    @property
    def is_alive(self) -> bool:
        """Whether it can still be asked; pebble gives its pool up some time after an idle process died."""
        return bool(self._pool.active)

    async def run(
        self, solve: Solve, problem: PlanningProblem, seconds: float, report: Callable[[Reported], None]
    ) -> Reported:
        """Solve in the process; ``report`` is called here with each outcome it reports, the last one included.

        Raises:
            WorkerDiedError: the process is gone.
            Exception: what ``solve`` raised.
        """
        self.in_order = False
        try:
            self._job = self._pool.schedule(_work, args=[solve, problem, seconds])
        except RuntimeError as error:  # pebble gave the pool up: the process was killed while it was idle
            self._ours.close()
            raise WorkerDiedError("a planner worker died while it was idle") from error
        job = asyncio.wrap_future(self._job)
        receiving = asyncio.create_task(self._receive_all(report))
        try:
            await asyncio.wait([job, receiving], return_when=asyncio.FIRST_EXCEPTION)
            if job.cancelled() or (job.done() and isinstance(job.exception(), ProcessExpired | BrokenProcessPool)):
                raise WorkerDiedError("a planner worker died while it solved")
            outcome = await receiving
            self.in_order = True
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
            if not self.in_order:
                # Stopped before it is cancelled: pebble would replace the process of a cancelled job.
                self._pool.stop()  # type: ignore[no-untyped-call] # pebble leaves it unannotated
                job.cancel()
                self._ours.close()
        job.result()
        return cast("Reported", outcome)

    async def _receive_all(self, report: Callable[[Reported], None]) -> Reported | None:
        """Everything up to the mark at the end; the last outcome is the answer."""
        latest = None
        while (outcome := await self._receive_one()) is not None:
            latest = outcome
            report(outcome)
        return latest

    async def _receive_one(self) -> Reported | None:
        (size,) = _HEAD.unpack(await self._receive(_HEAD.size))
        body = await self._receive(size)
        return Reported(lambda: cast("Outcome", pickle.loads(body))) if size else None  # noqa: S301 # our own process's

    async def _receive(self, size: int) -> bytes:
        loop = asyncio.get_running_loop()
        buffer = bytearray(size)
        rest = memoryview(buffer)
        while rest:
            count = await loop.sock_recv_into(self._ours, rest)
            if not count:
                raise WorkerDiedError("a planner worker was stopped while it solved")
            rest = rest[count:]
        return bytes(buffer)

    def stop(self) -> None:
        """End the process, at once where it is solving; safe to call again."""
        with self._stopping:
            if self._stopped:
                return
            self._stopped = True
            self._pool.stop()  # type: ignore[no-untyped-call] # pebble leaves it unannotated
            self._pool.join()
            if self._job is not None:
                self._job.cancel()
            self._theirs.close()
            if self.in_order:  # otherwise the job that was interrupted does it, when it no longer reads
                self._ours.close()


def solve(problem: PlanningProblem, seconds: float, report: Report) -> Outcome:
    """:func:`planner.solve.solve`, which only worker processes load: the solvers take a second and 100 MB."""
    from planner import solve as in_process  # noqa: PLC0415

    return in_process.solve(problem, seconds, report)


_wire: socket.socket
"""In a worker process: the way to the server."""


def _start_worker(wire: socket.socket) -> None:
    """Runs first in each worker process."""
    global _wire  # noqa: PLW0603 # a process's own, set once
    _wire = wire
    # Ctrl-C reaches the whole process group: the server decides when workers stop, so they ignore it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A Python handler, as pebble sets one, waits until native code returns; this ends a solver at once.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent()
    from planner.warm import warm  # noqa: PLC0415 # as in solve

    warm()
    # Only now: a server on a busy machine waits for its workers before it answers anyone.
    os.nice(max(0, NICENESS - os.nice(0)))


def preload(module: str) -> None:
    """Have a module loaded where workers are forked from, before the first one starts.

    Python imports a program's main module anew in each process: what that needs is there then.
    """
    _CONTEXT.set_forkserver_preload(["planner.fork_server", module])


def _work(solve: Solve, problem: PlanningProblem, seconds: float) -> None:
    """A job in a worker process: every outcome is sent, and a mark at the end whatever happened."""
    try:
        _send(solve(problem, seconds, _send))
    finally:
        _send(None)


def _send(outcome: Outcome | None) -> None:
    body = b"" if outcome is None else pickle.dumps(outcome, pickle.HIGHEST_PROTOCOL)
    _wire.sendall(_HEAD.pack(len(body)) + body)
