"""``spotplan plan-many``: an answer for each problem, once, whatever some of them are like."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from cli.answer_file import AnswerFile, answer_file
from cli.plan_many import plan_many_command
from planner.many import processes
from planner.processes import SeparateProcesses
from tests.cli.many import answers_of, write_lines
from tests.cli.planning import CONTRACT, CSV, INSTANCES, PIPED, full_problem, problem, run_json, step
from tests.processes import free_port

app = typer.Typer()
app.command()(plan_many_command)


@pytest.fixture(scope="module")
def shared() -> Iterator[SeparateProcesses]:
    with processes(2, 60.0) as executor:
        yield executor


@pytest.fixture(autouse=True)
def _shared_processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs share their processes, which take seconds to start; only those that get so far start them."""

    @contextmanager
    def local(workers: int, seconds: float) -> Iterator[tuple[SeparateProcesses, int]]:
        yield request.getfixturevalue("shared"), 4

    monkeypatch.setattr("cli.plan_many.local_processes", local)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env=PIPED)


def refused(*arguments: str) -> str:
    result = run(*arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    return result.stderr.rstrip("\n")


def summary(result: Result) -> str:
    """The one line of a run that is not watched, without the time it took."""
    assert (result.stdout, result.stderr.count("\n")) == ("", 1)
    words, _, seconds = result.stderr.rpartition("; ")
    assert float(seconds.removesuffix(" s\n")) >= 0
    return words


def test_each_line_is_answered_as_plan_answers_it(tmp_path: Path) -> None:
    given = write_lines(tmp_path / "in.jsonl", INSTANCES)
    result = run(str(given), f"--out={tmp_path / 'out.jsonl'}", "--seconds=10")
    assert (result.exit_code, summary(result)) == (0, "40 of 40 problems answered")
    answers = answers_of(tmp_path / "out.jsonl")
    assert answers.keys() == {instance["name"] for instance in INSTANCES}
    for instance in INSTANCES:
        assert answers[instance["name"]]["cost"] == instance["optimal_cost"]
    for instance in INSTANCES[:5]:
        _, alone = run_json("--seconds=10", text=json.dumps(instance))
        answer = answers[instance["name"]]
        assert {"name": instance["name"], **alone, "solve_milliseconds": None} == {**answer, "solve_milliseconds": None}


def test_bad_ones_have_errors_and_stop_nothing(tmp_path: Path) -> None:
    given = write_lines(
        tmp_path / "in.jsonl",
        [
            problem(name="good"),
            '{"name": "torn", "starts_on": ',
            "",
            problem(name="outside", demand=[step("2027-03-30", "2027-04-02", 300)]),
            problem(name="no multiple", accounts=250),
            full_problem(),
            "[1, 2]",
            problem(name=8),
            "7",
            problem(name="", accounts=300),
        ],
    )
    out = tmp_path / "out.jsonl"
    result = run(str(given), f"--out={out}")
    assert (result.exit_code, summary(result)) == (1, "9 of 9 problems answered, 4 with errors")
    answers = answers_of(out)
    assert {name: answer.get("status") or answer["error"] for name, answer in answers.items()} == {
        "good": "OPTIMAL",
        "2": {
            "code": "INPUT_INVALID",
            "message": "is not JSON: Expecting value: line 1 column 30 (char 29)",
            "field": "FILE",
        },
        "outside": "INFEASIBLE",
        "no multiple": {
            "code": "ACCOUNTS_NOT_MULTIPLE",
            "message": "250 accounts is not a positive multiple of 100.",
            "field": "accounts",
        },
        "6": "OPTIMAL",
        "7": {"code": "INPUT_INVALID", "message": "holds a list of 2; give one object of it", "field": "FILE"},
        "8": "OPTIMAL",
        "9": {"code": "INPUT_INVALID", "message": "7 is not an object", "field": "FILE"},
        "10": "OPTIMAL",
    }


def test_a_folder_is_read_file_by_file(tmp_path: Path) -> None:
    folder = tmp_path / "customers"
    folder.mkdir()
    (folder / "json one.json").write_text(json.dumps(problem(name="not this")))
    (folder / "csv one.csv").write_text(CSV)
    (folder / "bytes.json").write_bytes(b"{\xff")
    (folder / "notes.txt").write_text("no problem")
    (folder / "folder.json").mkdir()
    out = tmp_path / "out.jsonl"
    result = run(str(folder), f"--out={out}", *CONTRACT)
    assert (result.exit_code, summary(result)) == (1, "3 of 3 problems answered, 1 with errors")
    answers = answers_of(out)
    assert {name: answer.get("cost") for name, answer in answers.items()} == {
        "json one": 20_000,
        "csv one": 30_000,
        "bytes": None,
    }
    assert answers["bytes"]["error"] == {
        "code": "INPUT_INVALID",
        "message": "is not UTF-8 text (byte 1)",
        "field": str(folder / "bytes.json"),
    }


def test_options_hold_where_a_problem_says_nothing_itself(tmp_path: Path) -> None:
    two_events = [step("2026-04-10", "2026-04-20", 300), step("2026-08-10", "2026-08-20", 200)]
    given = write_lines(
        tmp_path / "in.jsonl",
        [
            problem(name="default", demand=two_events),
            problem(name="own", demand=two_events, orders_max=2),
            problem(name="none", demand=two_events, orders_max=None),
            full_problem(name="terms"),
        ],
    )
    out = tmp_path / "out.jsonl"
    result = run(str(given), f"--out={out}", "--orders-max=1", "--contract-starts-on=2020-01-01", "--order-fee=10")
    assert result.exit_code == 0
    answers = answers_of(out)
    assert {name: (answer["net_total"], answer["fees"]) for name, answer in answers.items()} == {
        "default": (50_000, 10),
        "own": (15_000, 20),
        "none": (15_000, 20),
        "terms": (63_000, 10),
    }


def test_a_default_that_is_wrong_is_named_as_the_option(tmp_path: Path) -> None:
    given = write_lines(tmp_path / "in.jsonl", [problem(name="default"), problem(name="own", orders_max=1)])
    out = tmp_path / "out.jsonl"
    assert run(str(given), f"--out={out}", "--orders-max=0").exit_code == 1
    answers = answers_of(out)
    assert answers["default"]["error"] == {
        "code": "ORDERS_MAX_OUT_OF_RANGE",
        "message": "At most 0 orders is not a limit from 1 to 1000.",
        "field": "--orders-max",
    }
    assert answers["own"]["status"] == "OPTIMAL"


def test_what_has_an_answer_is_skipped(tmp_path: Path) -> None:
    problems = [problem(name="first"), problem(name="second"), problem(name="bad", accounts=1)]
    given = write_lines(tmp_path / "in.jsonl", problems)
    kept = '{"name": "first", "status": "KEPT"}\n{"name": "other", "status": "KEPT"}\n'
    out = tmp_path / "out.jsonl"
    out.write_text(kept + '{"name": "seco')
    result = run(str(given), f"--out={out}")
    assert (result.exit_code, summary(result)) == (1, "3 of 3 problems answered, 1 of them before, 1 with errors")
    assert out.read_text().startswith(kept)
    assert answers_of(out).keys() == {"first", "other", "second", "bad"}
    whole = out.read_bytes()
    again = run(str(given), f"--out={out}")
    assert (again.exit_code, summary(again)) == (1, "3 of 3 problems answered, 3 of them before, 1 with errors")
    assert out.read_bytes() == whole


@pytest.mark.parametrize("torn", ["{", '{"name"', '{"name": "', '{"name": "second", "status": "OPTIMAL"}'])
def test_a_last_line_without_an_end_is_cut_off(torn: str, tmp_path: Path) -> None:
    given = write_lines(tmp_path / "in.jsonl", [problem(name="second")])
    out = tmp_path / "out.jsonl"
    out.write_text(torn)
    assert run(str(given), f"--out={out}").exit_code == 0
    assert answers_of(out)["second"]["cost"] == 20_000


@pytest.mark.parametrize(
    ("content", "number"),
    [
        ("from,until,accounts\n", 1),
        ("important notes", 1),
        ('{"name": "a", "status": "OPTIMAL"}\n{"name": "b"}\n', 2),
        ('{"name": 7, "status": "OPTIMAL"}\n', 1),
        ('{"name": "a", "status": "OPTIMAL"}\n\n', 2),
        ('{"name": "a", "status": "OPT\n{"name": "b", "status": "OPTIMAL"}\n', 1),
    ],
)
def test_a_file_that_holds_something_else_is_not_touched(content: str, number: int, tmp_path: Path) -> None:
    given = write_lines(tmp_path / "in.jsonl", [problem(name="one")])
    out = tmp_path / "out.jsonl"
    out.write_text(content)
    assert refused(str(given), f"--out={out}") == f"--out: line {number} of {out} is not an answer of plan-many"
    assert out.read_text() == content


def test_two_runs_cannot_write_one_file(tmp_path: Path) -> None:
    given = write_lines(tmp_path / "in.jsonl", [problem(name="one")])
    out = tmp_path / "out.jsonl"
    with answer_file(out) as answers:
        answers.append("one", {"status": "KEPT"})
        assert refused(str(given), f"--out={out}") == f"--out: another run is writing {out}"
    assert out.read_text() == '{"name": "one", "status": "KEPT"}\n'
    assert run(str(given), f"--out={out}").exit_code == 0


@pytest.mark.parametrize(
    ("problems", "message"),
    [
        (
            [problem(name="one"), "", problem(name="two"), problem(name="one")],
            'lines 1 and 4 have the same name, "one"',
        ),
        ([problem(name="2"), problem()], 'lines 1 and 2 have the same name, "2"'),
        (["", " "], "holds no problem"),
    ],
)
def test_lines_that_cannot_be_told_apart_are_refused(problems: list[Any], message: str, tmp_path: Path) -> None:
    given = write_lines(tmp_path / "in.jsonl", problems)
    assert refused(str(given), f"--out={tmp_path / 'out.jsonl'}") == f"{given}: {message}"
    assert not (tmp_path / "out.jsonl").exists()


def test_files_of_the_same_name_are_refused(tmp_path: Path) -> None:
    for name in ("a.json", "b.csv", "b.json"):
        (tmp_path / name).write_text("{}")
    out = tmp_path / "out.jsonl"
    assert refused(str(tmp_path), f"--out={out}") == f"{tmp_path}: b.csv and b.json have the same name"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.jsonl", "--out=out.jsonl"], "none.jsonl: No such file or directory"),
        (["empty", "--out=out.jsonl"], "empty: holds no problem"),
        (["in.jsonl", "--out=no/out.jsonl"], "--out: cannot write no/out.jsonl: No such file or directory"),
        (["in.jsonl", "--out=empty"], "--out: cannot write empty: Is a directory"),
        (["in.jsonl", "--out=./in.jsonl"], "--out: in.jsonl is where problems are read from"),
        (["empty", "--out=empty/out.json"], "--out: empty/out.json is where problems are read from"),
        (["in.jsonl", "--out=out.jsonl", "--seconds=0"], "--seconds: 0 is not between 0.05 and 3600"),
        (["in.jsonl", "--out=out.jsonl", "--workers=0"], "--workers: 0 is not between 1 and 1000"),
        (["in.jsonl", "--out=out.jsonl", "--workers=all"], '--workers: "all" is not a whole number'),
        (
            ["in.jsonl", "--out=out.jsonl", "--workers=2", "--dask=tcp://127.0.0.1:1"],
            "--workers: goes with processes of this machine, not with --dask",
        ),
    ],
)
def test_what_cannot_run_is_refused_in_one_line(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    write_lines(tmp_path / "in.jsonl", [problem(name="one")])
    assert refused(*arguments) == message


def test_an_answer_that_cannot_be_written_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = write_lines(tmp_path / "in.jsonl", [problem(name="one")])

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cli.answer_file.AnswerFile.append", fail)
    out = tmp_path / "out.jsonl"
    assert refused(str(given), f"--out={out}") == f"--out: cannot write {out}: No space left on device"


def test_ctrl_c_while_an_answer_is_written_leaves_it_written_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = write_lines(tmp_path / "in.jsonl", [problem(name=name) for name in ("one", "two", "three")])
    append = AnswerFile.append

    def interrupted(file: AnswerFile, name: str, answer: dict[str, Any]) -> None:
        signal.raise_signal(signal.SIGINT)
        append(file, name, answer)

    monkeypatch.setattr("cli.answer_file.AnswerFile.append", interrupted)
    out = tmp_path / "out.jsonl"
    result = run(str(given), f"--out={out}")
    assert (result.exit_code, len(answers_of(out))) == (130, 1)
    assert result.stderr.startswith("1 of 3 problems answered; ")


def test_a_cluster_that_is_not_there_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.executors.CONNECT_SECONDS_MAX", 0.2)
    given = write_lines(tmp_path / "in.jsonl", [problem(name="one")])
    for address, reason in (
        (f"tcp://127.0.0.1:{free_port()}", "no scheduler answers at "),
        ("carrier-pigeon://7", "no scheduler answers at "),
    ):
        assert refused(str(given), f"--out={tmp_path / 'out.jsonl'}", f"--dask={address}").startswith(
            f"--dask: {reason}{address}: "
        )


def test_a_terminal_sees_how_far_it_is(tmp_path: Path) -> None:
    given = write_lines(tmp_path / "in.jsonl", [problem(name="one"), problem(name="bad", accounts=1)])
    result = CliRunner().invoke(
        app, [str(given), f"--out={tmp_path / 'out.jsonl'}"], env={**PIPED, "TTY_COMPATIBLE": "1"}
    )
    assert result.exit_code == 1
    assert "2/2" in result.stderr
    assert "1 with errors" in result.stderr
    assert "2 of 2 problems answered, 1 with errors; " in result.stderr
