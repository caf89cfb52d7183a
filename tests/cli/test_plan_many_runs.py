"""``spotplan plan-many`` in processes of its own: killed, interrupted, on a Dask cluster."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.cli.many import answers_of, finished, started, wait_for_lines, wait_until_alone, write_lines
from tests.cli.planning import problem
from tests.customers import customers
from tests.processes import ROOT

KNOWN = {"OPTIMAL", "FEASIBLE", "INFEASIBLE"}


def test_a_run_that_was_killed_half_way_is_finished_by_the_same_command(tmp_path: Path) -> None:
    """A pipe among the files holds the first run half-way, with answers written and others being solved."""
    folder, out = tmp_path / "customers", tmp_path / "out.jsonl"
    folder.mkdir()
    made = list(customers(60))
    for customer in made:
        (folder / f"{customer['name']}.json").write_text(json.dumps(customer))
    pipe = folder / "C0030.json"
    pipe.unlink()
    os.mkfifo(pipe)
    command = ("plan-many", str(folder), "--out", str(out), "--seconds", "0.3", "--workers", "2")

    first = started(*command, folder=tmp_path)
    wait_for_lines(out, 20, first)
    first.kill()
    _, complaints = first.communicate()
    wait_until_alone(first)
    assert first.returncode == -signal.SIGKILL
    before = out.read_bytes()
    assert 20 <= len(answers_of(out)) <= 30, complaints

    pipe.unlink()
    pipe.write_text(json.dumps(made[30]))
    # As if the kill had come in the middle of a line.
    out.write_bytes(before + before.splitlines()[0][:-40])
    code, said = finished(*command, folder=tmp_path)
    assert code == 0, said
    assert said.startswith(f"60 of 60 problems answered, {len(before.splitlines())} of them before; ")
    assert out.read_bytes().startswith(before)
    answers = answers_of(out)
    assert answers.keys() == {customer["name"] for customer in made}
    assert {answer["status"] for answer in answers.values()} <= KNOWN


def test_ctrl_c_ends_the_run_and_keeps_what_is_done(tmp_path: Path) -> None:
    folder, out = tmp_path / "customers", tmp_path / "out.jsonl"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number:02}.json").write_text(json.dumps(problem()))
    os.mkfifo(folder / "09.json".replace("09", "09a"))
    run = started("plan-many", str(folder), "--out", str(out), "--workers", "1", folder=tmp_path)
    wait_for_lines(out, 8, run)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does, to the workers too
    _, said = run.communicate()
    wait_until_alone(run)
    assert run.returncode == 130
    answered = len(answers_of(out))
    assert 8 <= answered < 13
    assert said.count("\n") == 1
    assert said.startswith(f"{answered} of 13 problems answered; ")
    assert said.endswith(" s. Interrupted: the same command goes on.\n")


def test_a_second_run_on_the_same_file_is_refused(tmp_path: Path) -> None:
    folder, out = tmp_path / "customers", tmp_path / "out.jsonl"
    folder.mkdir()
    (folder / "one.json").write_text(json.dumps(problem()))
    os.mkfifo(folder / "two.json")
    command = ("plan-many", str(folder), "--out", str(out), "--workers", "1")
    first = started(*command, folder=tmp_path)
    while not out.exists():
        assert first.poll() is None, first.communicate()
    second = finished(*command, folder=tmp_path)
    first.kill()
    first.communicate()
    wait_until_alone(first)
    assert second == (2, f"--out: another run is writing {out}\n")


def test_without_dask_installed_it_is_said_how_to_get_it(tmp_path: Path) -> None:
    given = write_lines(tmp_path / "in.jsonl", [problem()])
    code = "import sys; sys.modules['distributed'] = None; from cli.main import app; app()"
    refused = subprocess.run(
        [sys.executable, "-c", code, "plan-many", str(given), "--out", "out.jsonl", "--dask", "tcp://127.0.0.1:1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (refused.returncode, refused.stderr) == (2, "--dask: needs Dask: pip install 'spotplan[dask]'\n")
