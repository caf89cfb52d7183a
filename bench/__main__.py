"""``python -m bench``: every measurement as a table. Compare ratios: single times depend on the machine."""

from time import perf_counter

from rich.console import Console

from bench import flow, integer_solvers, service
from bench.problems import instance_problems, year_problems


def main() -> None:
    """Run all measurements, the shortest first."""
    console = Console(highlight=False)
    started = perf_counter()
    year = year_problems()
    console.print(service.run(instance_problems()))
    console.print(flow.table(flow.measure(year)))
    console.print(integer_solvers.table(integer_solvers.measure(year)))
    console.print(f"{perf_counter() - started:.0f} seconds in all")


if __name__ == "__main__":
    main()
