"""``spotplan plan-many`` on a thousand customers, killed again and again."""

import os
import signal
from pathlib import Path

import pytest

from tests.cli.many import answers_of, finished, started, wait_for_lines, wait_until_alone, write_lines
from tests.customers import customers

pytestmark = pytest.mark.soak


def test_a_thousand_customers_are_all_answered_once_however_often_it_is_killed(tmp_path: Path) -> None:
    made = list(customers(1_000))
    given, out = write_lines(tmp_path / "in.jsonl", made), tmp_path / "out.jsonl"
    command = ("plan-many", str(given), "--out", str(out), "--seconds", "1")
    before = b""
    for lines in (1, 150, 151, 400, 500, 800):
        run = started(*command, folder=tmp_path)
        wait_for_lines(out, lines, run)
        # The run alone, or its workers with it.
        os.kill(run.pid, signal.SIGKILL) if lines % 2 else os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        wait_until_alone(run)
        after = out.read_bytes()
        assert after.startswith(before)
        before = after[: after.rfind(b"\n") + 1]
        assert lines <= before.count(b"\n") < 1_000
    code, said = finished(*command, folder=tmp_path)
    assert (code, said.startswith("1,000 of 1,000 problems answered, ")) == (0, True), said
    assert out.read_bytes().startswith(before)
    answers = answers_of(out)
    assert answers.keys() == {customer["name"] for customer in made}
    statuses = [answer["status"] for answer in answers.values()]
    assert set(statuses) == {"OPTIMAL", "FEASIBLE", "INFEASIBLE"}
    assert statuses.count("OPTIMAL") > 800
