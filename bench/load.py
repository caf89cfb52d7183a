"""(i) A mixture of 200 connections against two server processes on PostgreSQL, undisturbed and while it is restarted.

In the second half PostgreSQL is restarted as an operator does it, and as after a crash. What clients see must be typed
and retryable, and what was acknowledged must be there once: that is looked up in the database, by idempotency key.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import httpx
import numpy as np
import psutil
from prometheus_client.parser import text_string_to_metric_families
from rich import box
from rich.table import Table
from sqlalchemy import func, select

from bench.load_client import PAID, Failed, Found, Load, Owner, run
from bench.serving import serving
from db.engine import Database
from db.migrate import migrate
from db.tables import AccountRow, IdempotencyKeyRow, SpotOrderRow
from domain.global_ids import parse_id
from domain.months import ends_before
from planner.workers import PlannerPool
from resolvers.services import Services, system_clock
from settings import Settings
from tests.postgresql import PostgresqlServer, postgresql
from tests.processes import Server
from tests.world import World, starter

CONNECTIONS = 200
SERVERS = 2
BUYERS, PLANNERS = 40, 10
PAUSE_SECONDS = 2.0
"""Of each connection between two requests, on average."""
SECONDS_SHORT, SECONDS_LONG = 10.0, 60.0
WARMING_SECONDS, RESTARTED_SECONDS_MIN = 2.0, 14.0
RESTARTS = ("fast", "immediate")
KINDS = ("viewer", "page", "register", "order", "checkout", "plan, known", "plan, new")


@dataclass(frozen=True, slots=True)
class Restart:
    """A restart of PostgreSQL: from when it was asked for until it accepted connections again."""

    how: str
    began: float
    ended: float


@dataclass(slots=True)
class Phase:
    """What the clients saw, and what the processes used."""

    name: str
    seconds: float
    found: Found
    load_average: float
    megabytes: list[tuple[float, float]] = field(default_factory=list)
    """Of the server processes, and of their planners, at the start, after ten seconds and in the end."""
    processor_shares: dict[str, float] = field(default_factory=dict)
    """Of one processor."""
    solves: Counter[str] = field(default_factory=Counter)
    restarts: list[Restart] = field(default_factory=list)


@dataclass(slots=True)
class Stored:
    """What became of all that was acknowledged."""

    acknowledged: int
    lost: int
    doubled: int
    given_up: int


def measure(*, long: bool = False) -> tuple[list[Phase], Stored]:
    """Both phases, and what is stored afterwards."""
    seconds = SECONDS_LONG if long else SECONDS_SHORT
    with postgresql() as database, TemporaryDirectory() as folder, _process() as process:
        address = database.address
        migrate(address)
        owners = asyncio.run(_owners(address))
        with serving(address, Path(folder), SERVERS) as served:
            load = Load(served.port, owners[:BUYERS], owners[BUYERS:], CONNECTIONS, PAUSE_SECONDS, 0.0, "")
            running = Running(process, served.server, database, served.metrics_port)
            _phase("", load, WARMING_SECONDS, running)
            phases = [_phase("undisturbed", load, seconds, running)]
            phases.append(_phase("restarted", load, max(seconds, RESTARTED_SECONDS_MIN), running))
        for line in served.server.errors[:5]:
            print(line)
        return phases, asyncio.run(_stored(address, [phase.found for phase in phases]))


@dataclass(frozen=True, slots=True)
class Running:
    """What a phase works with."""

    process: Executor
    server: Server
    database: PostgresqlServer
    metrics_port: int


@contextmanager
def _process() -> Iterator[Executor]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        executor.submit(os.getpid).result()
        yield executor


async def _owners(address: str) -> list[Owner]:
    """Customers with far more room than they need."""
    database = Database(address)
    services = Services(Settings(), database, PlannerPool(1, 1), system_clock)
    world, first = World(services), datetime.now(UTC).date() - timedelta(days=30)
    term = starter(str(first), str(ends_before(first, 24)), units=1_000)
    try:
        owned = [await world.customer(term, name=f"C{number}") for number in range(BUYERS + PLANNERS)]
    finally:
        await database.close()
    return [Owner(each.id, each.token) for each in owned]


def _phase(name: str, load: Load, seconds: float, running: Running) -> Phase:
    usage = _Usage(running.server, running.database)
    solves = _solves(running.metrics_port)
    began = monotonic()
    future = running.process.submit(run, replace(load, until=began + seconds, name=name))
    megabytes = [usage.megabytes()]
    restarts = []
    if name == "restarted":
        for number, how in enumerate(RESTARTS, 1):
            sleep(max(0.0, began + seconds * number / (len(RESTARTS) + 1) - monotonic()))
            asked = monotonic()
            running.database.restart(how)
            restarts.append(Restart(how, asked, monotonic()))
    else:
        sleep(min(10.0, seconds))
        megabytes.append(usage.megabytes())
    found: Found = future.result()
    megabytes.append(usage.megabytes())
    took = monotonic() - began
    shares = {"the clients": found.processor_seconds / took, **usage.shares(took)}
    solved = _solves(running.metrics_port) - solves
    return Phase(name, seconds, found, os.getloadavg()[0], megabytes, shares, solved, restarts)


class _Usage:
    """Memory and processor time of the server's processes and of their planners."""

    def __init__(self, server: Server, database: PostgresqlServer) -> None:
        self._postmaster = psutil.Process(database.pid)
        self._servers = [
            child for child in psutil.Process(server.pid).children() if "spawn_main" in " ".join(child.cmdline())
        ]
        self._before = self._seconds()

    def megabytes(self) -> tuple[float, float]:
        """Resident, of the server processes and of those that they have started."""
        servers = sum(process.memory_info().rss for process in self._servers)
        return servers / 1e6, sum(process.memory_info().rss for process in self._planners()) / 1e6

    def shares(self, seconds: float) -> dict[str, float]:
        """Of one processor; what ended meanwhile is left out."""
        return {
            name: sum(used - self._before[name].get(pid, 0.0) for pid, used in now.items()) / seconds
            for name, now in self._seconds().items()
        }

    def _planners(self) -> list[psutil.Process]:
        return [child for process in self._servers for child in process.children(recursive=True)]

    def _seconds(self) -> dict[str, dict[int, float]]:
        backends = self._postmaster.children() if self._postmaster.is_running() else []
        groups = {f"server {number}": [process] for number, process in enumerate(self._servers, 1)}
        groups |= {"planners": self._planners(), "PostgreSQL": backends}
        return {name: {each.pid: _used(each) for each in processes} for name, processes in groups.items()}


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _solves(metrics_port: int) -> Counter[str]:
    page = httpx.get(f"http://127.0.0.1:{metrics_port}/metrics").text
    return Counter(
        {
            sample.labels["outcome"]: int(sample.value)
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == "spotplan_solve_seconds_count"
        }
    )


async def _stored(address: str, found: list[Found]) -> Stored:
    """Each key's effect is there, and there are no effects without one."""
    database = Database(address)
    acknowledged = {key: parse_id(made)[1] for each in found for key, made in each.acknowledged.items()}
    try:
        async with database.read() as session:
            rows = await session.execute(select(IdempotencyKeyRow.key, IdempotencyKeyRow.operation))
            kept = {row.key: row.operation for row in rows}
            accounts = set(await session.scalars(select(AccountRow.id)))
            rows = await session.execute(select(SpotOrderRow.id, SpotOrderRow.status))
            orders = {row.id: row.status for row in rows}
            named = await session.scalar(select(func.count(AccountRow.external_id.distinct()))) or 0
    finally:
        await database.close()
    paid = {order_id for order_id, status in orders.items() if status in {"CONFIRMED", "ACTIVE", "ENDED"}}
    lost = sum(
        key not in kept or made_id not in (paid if key.endswith(PAID) else accounts | set(orders))
        for key, made_id in acknowledged.items()
    )
    placed = Counter(kept.values())["spotOrderPlace"]
    doubled = len(accounts) - named + len(orders) - placed
    return Stored(len(acknowledged), lost, doubled, sum(len(each.given_up) for each in found))


def tables(phases: list[Phase], stored: Stored) -> Iterator[Table]:
    """Answers of each phase, errors, and what was kept."""
    for phase in phases:
        yield _answers(phase)
        if phase.found.failed:
            yield _errors(phase.found.failed)
    yield _after(phases, stored)


def _table(title: str, caption: str | None, headings: tuple[str, ...]) -> Table:
    table = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    return table


def _answers(phase: Phase) -> Table:
    shares = ", ".join(f"{name} {share:.0%}" for name, share in phase.processor_shares.items())
    memory = ", ".join(f"{servers:.0f} + {planners:.0f}" for servers, planners in phase.megabytes)
    solves = ", ".join(f"{count} {outcome}" for outcome, count in phase.solves.items() if count) or "none"
    caption = f"of a processor: {shares}; load average {phase.load_average:.1f}\n"
    caption += f"MB of servers + planners: {memory}; solves: {solves}"
    title = f"(i) {CONNECTIONS} connections, {SERVERS} servers, {phase.name}, {phase.seconds:.0f} s; ms"
    table = _table(title, caption, ("", "answers", "a second", "p50", "p99", "max"))
    for kind in (*KINDS, "all"):
        times = [seconds for _, name, seconds in phase.found.answered if kind in {name, "all"}]
        if times:
            percentiles = [f"{float(np.percentile(times, percent)) * 1000:.0f}" for percent in (50, 99, 100)]
            table.add_row(kind, f"{len(times):,}", f"{len(times) / phase.seconds:.0f}", *percentiles)
    return table


def _errors(failed: list[Failed]) -> Table:
    table = _table("errors", None, ("code", "status", "retryable", "times"))
    for (code, status, retryable), times in Counter(
        (each.code, each.status, each.retryable) for each in failed
    ).items():
        table.add_row(code, f"{status}", "yes" if retryable else "NO", f"{times:,}")
    return table


def _after(phases: list[Phase], stored: Stored) -> Table:
    caption = "s: without PostgreSQL; from then to the first answer; from the last answer before to the first one after"
    table = _table("PostgreSQL restarted", caption, ("", "away", "answers after", "none for"))
    for phase in phases:
        times = sorted(at for at, _, _ in phase.found.answered)
        for restart in phase.restarts:
            before = max(at for at in times if at < restart.began)
            after = min(at for at in times if at > restart.ended)
            gap = max(np.diff([at for at in times if before <= at <= after]))
            table.add_row(
                restart.how, f"{restart.ended - restart.began:.1f}", f"{after - restart.ended:.2f}", f"{gap:.1f}"
            )
    table.add_section()
    table.add_row("acknowledged", f"{stored.acknowledged:,}", "", "")
    table.add_row("of these lost", f"{stored.lost}", "", "")
    table.add_row("made twice", f"{stored.doubled}", "", "")
    table.add_row("never answered", f"{stored.given_up}", "", "")
    return table
