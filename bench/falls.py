"""(h) A day on which 100,000 accounts of 1,000 customers go, against bare SQL; and the API meanwhile.

Each customer has 100 accounts from before a spot contract of 100, and 100 from during it, who go when it ends. The day
begins in ten time zones one after the other. In each, :func:`resolvers.settling.settle_all` and the statements of
:mod:`bench.bare_falls` take turns on two copies of one database. In the end both copies must hold the same rows.

Meanwhile: a server in a process of its own is asked light questions, before and while it settles all of them.
"""

import asyncio
import gc
import json
import resource
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from time import perf_counter
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from bench.bare_falls import Day, settle_postgresql, settle_sqlite
from bench.fall_world import ACCOUNTS, ZONES, Prepared, Store, connected, day_in, prepare, stores
from bench.serving import UNLIMITED
from db.engine import Database
from planner.workers import PlannerPool
from resolvers.services import Services
from resolvers.settling import settle_all
from settings import Settings
from tests.processes import Server, free_port

CUSTOMERS = 1_000
RUNS_SHORT, RUNS_LONG = 1, 3
IDLE_ROUNDS, WARMING_ROUNDS = 300, 20
QUESTIONS = {
    "{ viewer { role } }": "query Viewer { viewer { role } }",
    "signInAllowed": 'query SignIn($idle: ID) { signInAllowed(externalId: "u1", customerId: $idle) }',
    "accountRegister": """mutation Register($idle: ID, $who: String!) { accountRegister(
      input: {customerId: $idle, accounts: [{externalId: $who, name: "New"}]}) { errors { message } } }""",
}
ADVANCE = "mutation Advance($to: DateTime!) { testClockAdvance(input: {to: $to}) { errors { message } } }"


@dataclass(frozen=True, slots=True)
class Turn:
    """The customers of one time zone: seconds of both."""

    ours_seconds: float
    bare_seconds: float

    @property
    def ratio(self) -> float:
        return self.ours_seconds / self.bare_seconds


@dataclass(frozen=True, slots=True)
class Run:
    """All time zones; the most resident memory before the first turn, and after the last one, in megabytes."""

    turns: list[Turn]
    megabytes_before: float
    megabytes_after: float

    @property
    def ratio(self) -> float:
        return sum(turn.ours_seconds for turn in self.turns) / sum(turn.bare_seconds for turn in self.turns)


@dataclass(frozen=True, slots=True)
class Answers:
    """Seconds of each question's answers, idle and while the server settles, and how long that took."""

    idle: dict[str, list[float]]
    meanwhile: dict[str, list[float]]
    settling_seconds: float


@dataclass(slots=True)
class Measured:
    """One kind of database."""

    kind: str
    customers: int
    runs: list[Run] = field(default_factory=list)
    answers: list[Answers] = field(default_factory=list)


def measure(*, long: bool = False, customers: int = CUSTOMERS) -> list[Measured]:
    """Both kinds.

    Raises:
        RuntimeError: the copies differ in the end, or a question is answered with an error.
    """
    found = []
    with stores() as both:
        for store in both:
            measured = Measured(store.kind, customers)
            address = store.create("template")
            with _process() as process:
                prepared = process.submit(prepare, address, customers).result()
            for number in range(RUNS_LONG if long else RUNS_SHORT):
                measured.runs.append(_run(store, number, customers))
                measured.answers.append(_ask(store, number, prepared))
            found.append(measured)
    return found


@contextmanager
def _process() -> Iterator[Executor]:
    """A process of its own, whose memory nothing else has used."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        yield executor


def _run(store: Store, number: int, customers: int) -> Run:
    names = [f"ours_{number}", f"bare_{number}"]
    ours, bare = (store.create(name, "template") for name in names)
    with _process() as process:
        run = process.submit(_take_turns, ours, bare, customers // len(ZONES)).result()
    digests = [store.digests(name) for name in names]
    different = [table for table in digests[0] if digests[0][table] != digests[1][table]]
    if different:
        raise RuntimeError(f"{store.kind}: {', '.join(different)} differ")
    return run


def _take_turns(ours: str, bare: str, customers: int) -> Run:
    return asyncio.run(_turns(ours, bare, customers))


async def _turns(ours: str, bare: str, customers: int) -> Run:
    days = [day_in(zone) for zone in ZONES]
    instants = [days[0].recorded]
    database = Database(ours)
    services = Services(Settings(), database, PlannerPool(1, 1), lambda: instants[-1])
    turns: list[Turn] = []
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        settle_bare = await _bare(bare, stack)
        before = _peak_megabytes()
        for day in days:
            instants.append(day.recorded)
            if len(turns) % 2:
                ours_seconds = await _seconds(settle_all(services), customers)
                bare_seconds = await _seconds(settle_bare(day), customers)
            else:
                bare_seconds = await _seconds(settle_bare(day), customers)
                ours_seconds = await _seconds(settle_all(services), customers)
            turns.append(Turn(ours_seconds, bare_seconds))
    return Run(turns, before, _peak_megabytes())


async def _bare(address: str, stack: AsyncExitStack) -> Callable[[Day], Awaitable[int]]:
    """The bare statements on a connection that is as durable as ours."""
    if not address.startswith("sqlite"):
        connection = await stack.enter_async_context(connected(address))
        return lambda day: settle_postgresql(connection, day)
    file = stack.enter_context(closing(sqlite3.connect(address.removeprefix("sqlite:///"), isolation_level=None)))
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        file.execute(f"PRAGMA {pragma}")

    async def settle(day: Day) -> int:
        return settle_sqlite(file, day)

    return settle


async def _seconds(settling: Awaitable[int], customers: int) -> float:
    gc.collect()
    started = perf_counter()
    settled = await settling
    seconds = perf_counter() - started
    if settled != customers:
        raise RuntimeError(f"{settled} customers were settled, not {customers}")
    return seconds


def _peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1_000_000 if sys.platform == "darwin" else 1_000)


class _Client:
    """One connection that is kept open: as little as possible between the server and the clock."""

    def __init__(self, address: str, prepared: Prepared) -> None:
        self._connection = HTTPConnection(address.removeprefix("http://"), timeout=600)
        self._headers = {"Authorization": f"Bearer {prepared.token}", "Content-Type": "application/json"}

    def ask(self, query: str, **variables: Any) -> float:
        """Seconds until the answer."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        started = perf_counter()
        self._connection.request("POST", "/graphql", body, self._headers)
        answer = json.loads(self._connection.getresponse().read())
        seconds = perf_counter() - started
        payload = next(iter((answer.get("data") or {}).values()), None)
        if "errors" in answer or (isinstance(payload, dict) and payload.get("errors")):
            raise RuntimeError(f"the server answers {answer}")
        return seconds

    def close(self) -> None:
        self._connection.close()


def _ask(store: Store, number: int, prepared: Prepared) -> Answers:
    environment = {
        "SPOTPLAN_DATABASE_URL": store.create(f"asked_{number}", "template"),
        "SPOTPLAN_CLOCK": "test",
        "SPOTPLAN_PLANNER_WORKERS": "1",
        "SPOTPLAN_RATE_SIGNED_IN": UNLIMITED,
    }
    with TemporaryDirectory() as folder:
        server = Server("serve", folder=Path(folder), port=free_port(), **environment)
        try:
            server.wait_until_up()
            answers = _phases(server.address, prepared)
            server.stop()
        finally:
            server.kill()
        if server.errors:
            raise RuntimeError("; ".join(server.errors))
    return answers


def _phases(address: str, prepared: Prepared) -> Answers:
    """Questions to an idle server, and then until it has settled everybody."""
    asking, settling = _Client(address, prepared), _Client(address, prepared)
    idle: dict[str, list[float]] = {name: [] for name in QUESTIONS}
    meanwhile: dict[str, list[float]] = {name: [] for name in QUESTIONS}
    took: list[float] = []
    to = day_in(ZONES[-1]).recorded.isoformat()
    thread = Thread(target=lambda: took.append(settling.ask(ADVANCE, to=to)))
    gc.collect()  # the client's own pauses are not the server's
    gc.freeze()
    for number in range(IDLE_ROUNDS + WARMING_ROUNDS):
        for name, query in QUESTIONS.items():
            seconds = asking.ask(query, idle=prepared.idle_customer, who=f"idle {number}")
            if number >= WARMING_ROUNDS:
                idle[name].append(seconds)
    thread.start()
    number = 0
    while thread.is_alive():
        for name, query in QUESTIONS.items():
            meanwhile[name].append(asking.ask(query, idle=prepared.idle_customer, who=f"meanwhile {number}"))
        number += 1
    thread.join()
    for client in (asking, settling):
        client.close()
    if not took:
        raise RuntimeError("the server did not settle")
    return Answers(idle, meanwhile, took[0])


def tables(found: list[Measured]) -> Iterator[Table]:
    """Times against bare SQL, then answers meanwhile."""
    yield _times_table(found)
    yield _answers_table(found)


def _table(title: str, caption: str, headings: tuple[str, ...]) -> Table:
    table = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    return table


def _times_table(found: list[Measured]) -> Table:
    customers = found[0].customers
    title = f"(h) capacity falls for {customers:,} customers, {customers * ACCOUNTS:,} accounts go"
    caption = "ratio: of all seconds, and the least and most of ten time zones; MB: peak before, and how it grew"
    table = _table(title, caption, ("", "settle_all\ns", "bare SQL\ns", "ratio", "ratios", "MB", "more\nMB"))
    for item in found:
        for run in item.runs:
            ratios = [turn.ratio for turn in run.turns]
            table.add_row(
                item.kind,
                f"{sum(turn.ours_seconds for turn in run.turns):.1f}",
                f"{sum(turn.bare_seconds for turn in run.turns):.1f}",
                f"{run.ratio:.2f}",
                f"{min(ratios):.2f} to {max(ratios):.2f}",
                f"{run.megabytes_before:.0f}",
                f"{run.megabytes_after - run.megabytes_before:.0f}",
            )
    return table


def _answers_table(found: list[Measured]) -> Table:
    caption = "one connection asks the three by turns; another has the clock set, which settles everybody"
    headings = ("", "", "idle\np50", "p99", "max", "meanwhile\np50", "p99", "max", "answers", "in s")
    table = _table("(h) answers on an idle server, and while it settles all of them, ms", caption, headings)
    for item in found:
        for answers in item.answers:
            for name in QUESTIONS:
                idle, meanwhile = answers.idle[name], answers.meanwhile[name]
                count = f"{len(meanwhile)}"
                seconds = f"{answers.settling_seconds:.1f}"
                table.add_row(item.kind, name, *_percentiles(idle), *_percentiles(meanwhile), count, seconds)
    return table


def _percentiles(seconds: list[float]) -> list[str]:
    return [f"{float(np.percentile(seconds, percent)) * 1000:.1f}" for percent in (50, 99, 100)]
