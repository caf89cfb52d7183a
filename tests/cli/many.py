"""What the tests of ``spotplan plan-many`` share."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.processes import ROOT


def write_lines(path: Path, problems: Iterable[dict[str, Any] | str]) -> Path:
    """A file of problems; text is a line as it stands."""
    lines = [item if isinstance(item, str) else json.dumps(item) for item in problems]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def answers_of(out: Path) -> dict[str, dict[str, Any]]:
    """The answers by name: every line whole, none twice."""
    content = out.read_bytes()
    assert content == b"" or content.endswith(b"\n")
    answers = [json.loads(line) for line in content.splitlines()]
    by_name = {answer["name"]: answer for answer in answers}
    assert len(by_name) == len(answers)
    return by_name


def started(*arguments: str, folder: Path) -> "subprocess.Popen[str]":
    """``spotplan`` in a process and a process group of its own, as from a shell."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finished(*arguments: str, folder: Path) -> tuple[int, str]:
    """Run ``spotplan`` to its end, however long that takes: its exit code and standard error."""
    run = started(*arguments, folder=folder)
    said, complaints = run.communicate()
    assert said == ""
    return run.returncode, complaints


def wait_for_lines(out: Path, count: int, run: "subprocess.Popen[str]") -> None:
    """Wait until so many answers are written."""
    while not out.exists() or out.read_bytes().count(b"\n") < count:
        assert run.poll() is None, run.communicate()
        time.sleep(0.005)  # another process writes the file


def wait_until_alone(run: "subprocess.Popen[str]") -> None:
    """Wait until no process of the run's group is left, after the run itself ended."""
    run.wait()
    while True:
        try:
            os.killpg(run.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.005)
