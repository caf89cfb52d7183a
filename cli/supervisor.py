"""Several server processes on one port: started, watched, replaced when one dies, and stopped together.

uvicorn's own supervisor starts plain servers, which do not give notice; it stops all of them for Ctrl-C as for SIGTERM,
hears no second signal, and leaves its workers behind when it is killed itself.
"""

import logging
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from time import monotonic
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from cli.logs import set_up_logs
from cli.server import INTERRUPTED_SECONDS_MAX, log_serving, serve_on
from cli.tracing import is_traced
from planner.worker import preload
from resolvers.services import Services
from settings import Settings

logger = logging.getLogger("spotplan")

BACKLOG = 2_048
"""Connections that wait to be accepted: uvicorn's own number."""
RETRY_SECONDS = 1.0
"""Between starts of a worker that did not come up."""
MARGIN_SECONDS = 10
"""For a worker to close what it has, beyond the time that its requests may take; then it is killed."""
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus_client has each process write down its numbers; it looks at this when it is imported."""
_CONTEXT = get_context("spawn")
"""Not forked: a worker has nothing of this process but what it is given."""


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    line: Connection
    """It says once that it is ready, and is told signals. To it, the line's end is the supervisor's."""
    is_ready: bool = False
    is_silent: bool = False
    """Whether it has said all that it will say: that it is ready, or nothing, for it has died."""


class Supervisor:
    """Keeps ``count`` workers going until a signal stops it.

    Args:
        start: starts a process that answers by the line given, as :meth:`cli.server.Server` does.
        ready: called once, when all of them answer for the first time.
        seconds_max: how long they may take to stop after SIGTERM.
    """

    def __init__(
        self, start: Callable[[Connection], BaseProcess], count: int, ready: Callable[[], None], seconds_max: float
    ) -> None:
        self._start = start
        self._count = count
        self._ready = ready
        self._seconds_max = seconds_max
        self._workers: list[_Worker] = []
        self._start_at = 0.0
        self._was_ready = False
        self._stop_until: float | None = None
        self._exit_code = 0

    def run(self) -> int:
        """The exit code: 0 after a signal, another one where workers could not start or had to be killed."""
        with _signals() as signals:
            while self._workers or self._stop_until is None:
                self._fill()
                ends = {worker.process.sentinel: worker for worker in self._workers}
                lines = {worker.line: worker for worker in self._workers if not worker.is_silent}
                for found in wait([signals, *ends, *lines], self._seconds_to_wait()):
                    if found is signals:
                        for number in signals.recv(64):
                            self._stop(signal.Signals(number))
                    elif isinstance(found, Connection):
                        self._heard(lines[found])
                    elif isinstance(found, int):
                        self._ended(ends[found])
                if self._stop_until is not None and monotonic() >= self._stop_until:
                    self._kill()
        return self._exit_code

    def _fill(self) -> None:
        while self._stop_until is None and len(self._workers) < self._count and monotonic() >= self._start_at:
            ours, theirs = _CONTEXT.Pipe()
            with theirs:
                self._workers.append(_Worker(self._start(theirs), ours))

    def _seconds_to_wait(self) -> float | None:
        until = self._stop_until
        if until is None and len(self._workers) < self._count:
            until = self._start_at
        return None if until is None else max(0.0, until - monotonic())

    def _heard(self, worker: _Worker) -> None:
        worker.is_silent = True
        with suppress(EOFError, OSError):  # it has died, which its sentinel tells as well
            worker.is_ready = worker.line.recv()
        if (
            self._stop_until is None
            and not self._was_ready
            and sum(each.is_ready for each in self._workers) == self._count
        ):
            self._was_ready = True
            self._ready()

    def _ended(self, worker: _Worker) -> None:
        worker.process.join()
        worker.line.close()
        self._workers.remove(worker)
        if METRICS_FOLDER in os.environ:
            mark_process_dead(worker.process.pid)  # type: ignore[no-untyped-call]
        if self._stop_until is not None:
            return
        code = worker.process.exitcode or 0
        if not worker.is_ready and not self._was_ready and code >= 0:
            # It ended by itself, and has said why. The next one would say the same.
            self._exit_code = code or 1
            self._stop(signal.SIGINT)
            return
        logger.warning("server process %d ended with %d; it is replaced", worker.process.pid, code)
        self._start_at = 0.0 if worker.is_ready else monotonic() + RETRY_SECONDS

    def _stop(self, number: signal.Signals) -> None:
        """Pass a signal on. The second one does not wait for proxies, as :class:`cli.server.Server` does not."""
        if self._stop_until is not None:
            number = signal.SIGINT
        seconds = INTERRUPTED_SECONDS_MAX if number is signal.SIGINT else self._seconds_max
        self._stop_until = monotonic() + seconds + MARGIN_SECONDS
        for worker in self._workers:
            with suppress(OSError):  # it has just died
                worker.line.send(int(number))

    def _kill(self) -> None:
        logger.error("%d server processes did not stop in time; they are killed", len(self._workers))
        self._exit_code = 1
        for worker in self._workers:
            worker.process.kill()
        self._stop_until = monotonic() + MARGIN_SECONDS


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """Where the numbers of SIGTERM and SIGINT are read, instead of being raised."""
    reading, writing = socket.socketpair()
    with reading, writing:
        writing.setblocking(False)
        handlers = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
        before = signal.set_wakeup_fd(writing.fileno())
        try:
            yield reading
        finally:
            signal.set_wakeup_fd(before)
            for number, handler in handlers.items():
                signal.signal(number, handler)


def check_settings(settings: Settings) -> None:
    """Find out once what each worker would say.

    Raises:
        SettingInvalidError: as :meth:`Services.open` and :func:`cli.tracing.is_traced`.
    """
    Services.open(settings)
    is_traced(os.environ)


def serve_together(settings: Settings, graphiql: Mapping[str, Any], host: str, port: int) -> int:
    """Serve by ``settings.workers`` processes until a signal stops them; the exit code.

    All accept from one socket, so that whichever is free takes the next connection, and none is lost with a worker.
    """
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server((host, port), backlog=BACKLOG))
        if settings.metrics_port:
            _serve_metrics(settings, stack)
        resource_tracker.ensure_running()  # to start it with the first worker would let Ctrl-C through

        def start(line: Connection) -> BaseProcess:
            process = _CONTEXT.Process(target=_work, args=(settings, graphiql, listening, line))
            # Ctrl-C reaches the whole group: workers inherit that it is held back, and are told by their lines.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                process.start()
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            return process

        def ready() -> None:
            log_serving(host, port, settings.workers)

        seconds_max = settings.shutdown_notice_seconds + settings.shutdown_seconds_max
        return Supervisor(start, settings.workers, ready, seconds_max).run()


def _serve_metrics(settings: Settings, stack: ExitStack) -> None:
    """Have each worker write its numbers into files, and answer scrapes with their sums, of dead ones as well."""
    folder = tempfile.mkdtemp(prefix="spotplan-metrics-")
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    os.environ[METRICS_FOLDER] = folder
    stack.callback(os.environ.pop, METRICS_FOLDER)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    answering, thread = start_http_server(settings.metrics_port, settings.metrics_host, registry)
    stack.callback(thread.join)
    stack.callback(answering.server_close)
    stack.callback(answering.shutdown)


def _work(settings: Settings, graphiql: Mapping[str, Any], listening: socket.socket, line: Connection) -> None:
    """Runs in each worker process."""
    set_up_logs(settings.log)
    preload("schema.app")
    serve_on(settings, graphiql, listening, line)
