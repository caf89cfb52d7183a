"""``python -m bench [NAME] [--long]``: measurements as tables. Compare ratios: single times depend on the machine."""

import asyncio
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from time import perf_counter

from rich.console import Console
from rich.table import Table

from bench import attacks, falls, flow, frontier, growth, integer_solvers, latency, load, pages, service, traces, wire
from bench.problems import instance_problems, year_problems

Tables = Iterator[Table]


def _service(_long: bool) -> Tables:
    yield service.run(instance_problems())


def _flow(_long: bool) -> Tables:
    yield flow.table(flow.measure(year_problems()))


def _solvers(_long: bool) -> Tables:
    yield integer_solvers.table(integer_solvers.measure(year_problems()))


def _frontier(long: bool) -> Tables:
    yield frontier.table(frontier.measure(long=long))


def _traces(long: bool) -> Tables:
    for days in traces.SECONDS:
        yield traces.table(days, traces.measure(days, long=long))


def _growth(long: bool) -> Tables:
    effort = growth.LONG if long else growth.SHORT
    yield growth.table(effort, growth.measure(effort))


def _latency(long: bool) -> Tables:
    yield latency.table(latency.measure(long=long))


def _falls(long: bool) -> Tables:
    yield from falls.tables(falls.measure(long=long))


def _attacks(_long: bool) -> Tables:
    yield attacks.table(asyncio.run(attacks.measure()))


def _wire(_long: bool) -> Tables:
    yield wire.table(wire.measure())


def _pages(_long: bool) -> Tables:
    yield pages.table(pages.measure())


def _load(long: bool) -> Tables:
    yield from load.tables(*load.measure(long=long))


BENCHES: dict[str, Callable[[bool], Tables]] = {
    "service": _service,
    "flow": _flow,
    "solvers": _solvers,
    "frontier": _frontier,
    "latency": _latency,
    "traces": _traces,
    "growth": _growth,
    "falls": _falls,
    "attacks": _attacks,
    "wire": _wire,
    "load": _load,
    "pages": _pages,
}
SHORT = ("service", "flow", "frontier", "latency")
"""What runs without a name; the others take one to three minutes each."""


def main() -> None:
    """Run one measurement, or the short ones."""
    parser = ArgumentParser(prog="python -m bench", description="Measurements, printed as tables.")
    parser.add_argument("name", nargs="?", choices=BENCHES, help=f"one of them; without it: {', '.join(SHORT)}")
    parser.add_argument("--long", action="store_true", help="more instances, seeds, rounds and time; up to 40 minutes")
    arguments = parser.parse_args()
    console = Console(highlight=False)
    started = perf_counter()
    for name in (arguments.name,) if arguments.name else SHORT:
        for table in BENCHES[name](arguments.long):
            console.print(table)
    console.print(f"{perf_counter() - started:.0f} seconds in all")


if __name__ == "__main__":
    main()
