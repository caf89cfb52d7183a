"""(g) A light query while two long solves run, against the same query on an idle server.

The demo server runs in a process of its own. One connection asks ``{ viewer { role } }`` again and again; in every
other phase two clients keep asking for plans of wiggly demand, each time another one, so that both of the server's
workers search all the time. What is compared are the phases of one round, which follow each other.
"""

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import perf_counter
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from tests.processes import free_port, running

LIGHT = "{ viewer { role } }"
RECOMMEND = """
query Recommend($input: RecommendInput!) {
  spotPlanRecommend(input: $input) { status fromCache solveMilliseconds }
}
"""
SOLVES = 2
SOLVE_SECONDS = 2.0
DEMAND_DAYS = 360
ACCOUNTS_PER_UNIT, UNITS_MAX = 100, 30
SAMPLES = 3_000
ROUNDS_SHORT, ROUNDS_LONG = 2, 5


@dataclass(frozen=True, slots=True)
class Phase:
    """Seconds of each light query, and milliseconds of the solves that ended meanwhile."""

    light_seconds: list[float]
    phase_seconds: float
    solve_milliseconds: list[float]

    def percentile_milliseconds(self, percent: float) -> float:
        return float(np.percentile(self.light_seconds, percent)) * 1000


@dataclass(frozen=True, slots=True)
class Round:
    """The same queries without and with the solves."""

    idle: Phase
    loaded: Phase


def measure(*, long: bool = False) -> list[Round]:
    """Idle and loaded phases by turns.

    Raises:
        RuntimeError: the server refuses a query, or answers a solve from its cache.
    """
    with TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        with running("demo", folder=folder, port=port):
            token = _owner_token((folder / "server.log").read_text())
            _phase(port, token)  # Warms the server.
            rounds = []
            for number in range(ROUNDS_LONG if long else ROUNDS_SHORT):
                idle = _phase(port, token)
                with _solving(port, token, number) as solve_milliseconds:
                    rounds.append(Round(idle, _phase(port, token, solve_milliseconds)))
    return rounds


def _owner_token(log: str) -> str:
    """The token that the demo prints for its customer in mid-contract."""
    return next(line.split()[-1] for line in log.splitlines() if line.startswith("  owner of "))


class _Client:
    """One connection that is kept open: as little as possible between the server and the clock."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        self._connection.request("POST", "/graphql", body, self._headers)
        answer: dict[str, Any] = json.loads(self._connection.getresponse().read())
        if answer.get("errors"):
            raise RuntimeError(f"the server answers {answer['errors']}")
        data: dict[str, Any] = answer["data"]
        return data

    def close(self) -> None:
        self._connection.close()


def _phase(port: int, token: str, solve_milliseconds: list[float] | None = None) -> Phase:
    """So many light queries in a row."""
    client, seconds = _Client(port, token), []
    gc.collect()  # The client's own pauses are not the server's.
    gc.freeze()
    begin = perf_counter()
    for _ in range(SAMPLES):
        started = perf_counter()
        client.ask(LIGHT)
        seconds.append(perf_counter() - started)
    whole = perf_counter() - begin
    client.close()
    return Phase(seconds, whole, list(solve_milliseconds or []))


@contextmanager
def _solving(port: int, token: str, seed: int) -> Iterator[list[float]]:
    """Clients that always have a question with the planner; begins when each has had an answer."""
    stop, answered = Event(), [Event() for _ in range(SOLVES)]
    milliseconds: list[float] = []
    failed: list[BaseException] = []

    def solve(number: int) -> None:
        client, rng = _Client(port, token), Random(f"{seed} {number}")
        try:
            while not stop.is_set():
                milliseconds.append(_solve(client, rng))
                answered[number].set()
        except BaseException as error:  # noqa: BLE001 # raised again where it is waited for
            failed.append(error)
        finally:
            answered[number].set()
            client.close()

    threads = [Thread(target=solve, args=(number,)) for number in range(SOLVES)]
    for thread in threads:
        thread.start()
    for event in answered:
        event.wait()
    milliseconds.clear()
    try:
        yield milliseconds
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if failed:
        raise failed[0]


def _solve(client: _Client, rng: Random) -> float:
    """Milliseconds of one solve of demand that nobody has asked for before."""
    first = datetime.now(UTC).date() + timedelta(days=2)  # In no time zone is that the past.
    events = [
        {
            "from": str(first + timedelta(days=day)),
            "until": str(first + timedelta(days=day + 1)),
            "accounts": ACCOUNTS_PER_UNIT * rng.randint(0, UNITS_MAX),
        }
        for day in range(DEMAND_DAYS)
    ]
    question = {"demand": {"events": events}, "seconds": SOLVE_SECONDS}
    answer = client.ask(RECOMMEND, {"input": question})["spotPlanRecommend"]
    if answer["fromCache"]:
        raise RuntimeError("a solve was answered from the cache")
    return float(answer["solveMilliseconds"])


def table(rounds: list[Round]) -> Table:
    """Percentiles per round, and the median of the ratios."""
    result = Table(
        title=f"(g) latency of {LIGHT}, ms, {SAMPLES:,} queries a phase on one connection",
        caption=_caption(rounds),
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    headings = ("round", "idle\np50", "idle\np99", "loaded\np50", "loaded\np99", "p50 is\ntimes", "p99 is\ntimes")
    for heading in headings:
        result.add_column(heading, justify="right", no_wrap=True)
    for number, both in enumerate(rounds, 1):
        values = [phase.percentile_milliseconds(percent) for phase in (both.idle, both.loaded) for percent in (50, 99)]
        ratios = [f"{_ratio(both, 50):.2f}", f"{_ratio(both, 99):.2f}"]
        result.add_row(f"{number}", *(f"{value:.2f}" for value in values), *ratios)
    result.add_section()
    medians = [f"{median(_ratio(both, percent) for both in rounds):.2f}" for percent in (50, 99)]
    result.add_row("median", "", "", "", "", *medians)
    return result


def _ratio(both: Round, percent: float) -> float:
    return both.loaded.percentile_milliseconds(percent) / both.idle.percentile_milliseconds(percent)


def _caption(rounds: list[Round]) -> str:
    solves = [value for both in rounds for value in both.loaded.solve_milliseconds]
    busy = sum(solves) / 1000 / sum(both.loaded.phase_seconds for both in rounds) / SOLVES
    return (
        f"loaded: {SOLVES} clients ask for plans of {DEMAND_DAYS} wiggly days back to back, {SOLVE_SECONDS:g} s each;"
        f" {len(solves)} answers, and workers searched {busy:.0%} of the time"
    )
