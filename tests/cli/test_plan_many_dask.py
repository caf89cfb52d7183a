"""``plan_many`` and ``spotplan plan-many --dask`` on a real cluster of this machine."""

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import dask.config
import pytest
from distributed import Client, LocalCluster

from planner.many import Failure, NamedAnswer, plan_many
from tests.cli.many import answers_of, finished, write_lines
from tests.cli.planning import INSTANCES, problem
from tests.planner.builders import planned
from tests.planner.builders import problem as asked
from tests.planner.many_stand_ins import DIE, misbehave


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=logging.ERROR
        ) as started_cluster,
    ):
        yield started_cluster


def test_a_dask_cluster_gives_the_same_answers(cluster: LocalCluster, tmp_path: Path) -> None:
    given = write_lines(tmp_path / "in.jsonl", [*INSTANCES[:12], problem(name="bad", accounts=1)])
    answers = {}
    for where in (["--dask", cluster.scheduler_address], ["--workers", "2"]):
        out = tmp_path / f"out{where[0]}.jsonl"
        code, said = finished("plan-many", str(given), "--out", str(out), "--seconds", "10", *where, folder=tmp_path)
        assert (code, said.partition(";")[0]) == (1, "13 of 13 problems answered, 1 with errors")
        answers[where[0]] = answers_of(out)
        for answer in answers[where[0]].values():
            answer.pop("solve_milliseconds", None)
    assert answers["--dask"] == answers["--workers"]
    assert {name: answer["cost"] for name, answer in answers["--dask"].items() if "cost" in answer} == {
        instance["name"]: instance["optimal_cost"] for instance in INSTANCES[:12]
    }


def test_a_problem_that_kills_workers_of_a_cluster_stops_no_other(
    cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("planner.many.solve_warm", partial(misbehave, tmp_path))
    problems = [(str(accounts), asked(("2026-05-10", "2026-06-10", accounts))) for accounts in (300, DIE, 400, 500)]
    with Client(cluster.scheduler_address, set_as_default=False) as client:  # type: ignore[no-untyped-call]
        executor = client.get_executor(pure=False)
        answers = {answer.name: answer for answer in plan_many(problems, executor, 60.0, in_flight_max=2)}
    died = Failure("PLANNER_INTERRUPTED", "Each process that tried to solve this died.")
    assert answers.pop(str(DIE)) == NamedAnswer(str(DIE), None, died)
    assert {name: answer.outcome and answer.outcome.orders for name, answer in answers.items()} == {
        str(accounts): (planned("2026-05-10", 1, units=(accounts - 100) // 100),) for accounts in (300, 400, 500)
    }
