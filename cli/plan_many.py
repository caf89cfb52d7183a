"""``spotplan plan-many``: a folder or a file of problems, an answer for each, on all processors or on a cluster.

Each answer is a line of ``--out``: ``name`` and what ``spotplan plan --json`` prints, or ``name`` and ``error``
with its ``code``, ``message`` and ``field``. A run that was stopped goes on where it was: what has an answer is
skipped. Exit code: 0 when all are answered, 1 when some have errors, 2 when it could not run, 130 after Ctrl-C.
"""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from cli.answer_file import AnswerFile, answer_file
from cli.errors import InputError
from cli.executors import Solver, local_processes, on_dask, processors
from cli.many_sources import SUFFIXES, Sources, sources
from cli.plan_data import as_data
from cli.plan_file import read_problem
from cli.plan_options import Seconds, read_count, read_seconds, with_problem_options
from cli.plan_words import counted
from planner.many import ExecutorLostError, Failure, NamedAnswer, plan_many
from planner.problem import PlanningProblem

WORKERS_MAX = 1_000
INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells know it."""


@with_problem_options
def plan_many_command(
    path: Annotated[
        Path,
        typer.Argument(metavar="DIR|FILE", help="A folder of *.json and *.csv, or a file with a JSON object per line."),
    ],
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The answers, one JSON object per line; added to.")],
    workers: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Processes. One per processor unless given.")
    ] = None,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Solve on the Dask cluster with this scheduler.")
    ] = None,
    seconds: Seconds = "2",
    options: Mapping[str, object],
) -> None:
    """Plan for many customers.

    Options about the problem hold for the problems that say nothing of it themselves. Problems that have an answer
    in --out are skipped, so the same command goes on with a run that was stopped.
    """
    try:
        seconds_max = read_seconds(seconds)
        solver = _solver(workers, dask, seconds_max)
        _check_apart(path, out)
        found = sources(path)
        with answer_file(out) as answers:
            code = _Run(found, answers, options, seconds_max).answer_all(solver)
    except (InputError, ExecutorLostError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    raise typer.Exit(code)


def _solver(workers: str | None, dask: str | None, seconds: float) -> Solver:
    if dask is None:
        count = processors() if workers is None else read_count("--workers", workers, WORKERS_MAX)
        return local_processes(count, seconds)
    if workers is not None:
        raise InputError("--workers", "goes with processes of this machine, not with --dask")
    return on_dask(dask)


def _check_apart(path: Path, out: Path) -> None:
    is_in_folder = path.is_dir() and out.suffix in SUFFIXES and out.resolve().parent == path.resolve()
    if is_in_folder or out.resolve() == path.resolve():
        raise InputError("--out", f"{out} is where problems are read from")


class _Run:
    """One run over all problems."""

    def __init__(self, found: Sources, answers: AnswerFile, defaults: Mapping[str, object], seconds: float) -> None:
        self._found = found
        self._answers = answers
        self._defaults = defaults
        self._seconds = seconds
        self._console = Console(stderr=True, highlight=False)
        there = [answers.failed_by_name[name] for name in found.names if name in answers.failed_by_name]
        self._before = self._done = len(there)
        self._failed = sum(there)

    def answer_all(self, solver: Solver) -> int:
        """Answer what has no answer yet, show how it goes, and say how it ended; the exit code."""
        started = time.perf_counter()
        code = 0
        if self._before < len(self._found.names):
            with _progress(self._console) as progress:
                shown = progress.add_task("", total=len(self._found.names), completed=self._done, failed=self._failed)
                try:
                    self._answer(solver, lambda: progress.update(shown, completed=self._done, failed=self._failed))
                except KeyboardInterrupt:
                    code = INTERRUPTED
        self._console.print(self._summary(time.perf_counter() - started, code), soft_wrap=True)
        return code or (1 if self._failed else 0)

    def _answer(self, solver: Solver, show: Callable[[], object]) -> None:
        def keep(answer: NamedAnswer) -> None:
            with _interrupts_held_back():
                self._answers.append(answer.name, _data(answer))
                self._done += 1
                self._failed += answer.failure is not None
            show()

        with solver as (executor, in_flight_max):
            problems = self._readable(keep)
            with closing(plan_many(problems, executor, self._seconds, in_flight_max)) as solved:
                for answer in solved:
                    keep(answer)

    def _readable(self, keep: Callable[[NamedAnswer], None]) -> Iterator[tuple[str, PlanningProblem]]:
        """The problems without an answer; those that cannot be read are kept as answers at once."""
        for source in self._found.one_by_one():
            if source.name in self._answers.failed_by_name:
                continue
            try:
                problem = read_problem(source.text(), defaults=self._defaults, is_csv=source.is_csv)
            except InputError as error:
                keep(NamedAnswer(source.name, None, Failure(error.code, error.message, error.field)))
            else:
                yield source.name, problem

    def _summary(self, seconds: float, code: int) -> str:
        before = f", {self._before:,} of them before" if self._before else ""
        errors = f", {self._failed:,} with errors" if self._failed else ""
        total = counted(len(self._found.names), "problem")
        summary = f"{self._done:,} of {total} answered{before}{errors}; {seconds:,.1f} s"
        return f"{summary}. Interrupted: the same command goes on." if code == INTERRUPTED else summary


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Ctrl-C comes before or after what is done here, so that no answer is written and not counted."""
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held:
        raise KeyboardInterrupt


def _data(answer: NamedAnswer) -> dict[str, object]:
    if answer.outcome is not None:
        return as_data(answer.outcome)
    return {"error": asdict(answer.failure) if answer.failure else None}


class _Speed(ProgressColumn):
    """Answers a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:.1f}/s")


def _progress(console: Console) -> Progress:
    """A bar for a terminal; nothing where there is none."""
    failed = TextColumn("{task.fields[failed]} with errors")
    columns = (BarColumn(), MofNCompleteColumn(), failed, _Speed(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)
