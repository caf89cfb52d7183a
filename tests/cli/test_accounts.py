"""``spotplan accounts import`` and ``spotplan expire`` as an operator uses them."""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from cli.accounts import accounts_app
from cli.expire import expire
from db.accounts import add_accounts
from domain.accounts import NewAccount
from resolvers import accounts
from resolvers.services import Services
from settings import Settings
from tests.processes import ROOT, spotplan
from tests.world import World, starter

HEADING = "externalId,name,email,groups\n"
LONG_AGO = datetime(2024, 5, 1, tzinfo=UTC)

app = typer.Typer()
app.add_typer(accounts_app, name="accounts")
app.command()(expire)


class Place:
    """A folder with a database, in which the commands run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder}/spotplan.db"

    def prepare(self, use: Callable[[World], Awaitable[object]]) -> None:
        """Store what a test needs."""

        async def prepared() -> None:
            services = Services.open(Settings(database_url=self.url))
            try:
                await use(World(services))
            finally:
                await services.close()

        asyncio.run(prepared())

    def rows(self, query: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.folder / "spotplan.db")
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def change(self, statement: str, *rows: tuple[object, ...]) -> None:
        connection = sqlite3.connect(self.folder / "spotplan.db")
        with connection:
            connection.executemany(statement, rows or [()])
        connection.close()

    def file(self, text: str | bytes) -> str:
        path = self.folder / "people.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)

    def run(self, *arguments: str, **environment: str) -> Result:
        """A command in this process; printed into a pipe of 80 columns."""
        pipe = {"COLUMNS": "80", "FORCE_COLOR": None, "TTY_COMPATIBLE": None}
        return CliRunner().invoke(app, arguments, env={**pipe, "SPOTPLAN_DATABASE_URL": self.url, **environment})

    def refused(self, *arguments: str, **environment: str) -> str:
        """The one line on standard error of a command that could not begin."""
        result = self.run(*arguments, **environment)
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
        return result.stderr.rstrip("\n")


@pytest.fixture
def place(tmp_path: Path, sqlite_template: Path) -> Place:
    """With a customer number 1, Aoba Academy, that has room for 100 accounts at any time."""
    shutil.copy(sqlite_template, tmp_path / "spotplan.db")
    made = Place(tmp_path)
    made.prepare(lambda world: world.customer(starter("2024-04-01", "2999-04-01")))
    return made


def printed(result: Result) -> list[str]:
    """What is printed for a person, without spaces at the ends of lines."""
    assert result.stderr == ""
    return [line.rstrip() for line in result.stdout.splitlines()]


def people(count: int) -> str:
    return HEADING + "".join(f"u{number},山田 {number},u{number}@example.com,A|B\n" for number in range(count))


def test_thousands_are_imported_by_a_process_of_its_own(place: Place) -> None:
    place.prepare(lambda world: world.customer(starter("2024-04-01", "2999-04-01", units=20), name="Large"))
    file = place.file(people(2_000))
    done = spotplan(
        "accounts", "import", file, "--customer", "Large", folder=place.folder, SPOTPLAN_DATABASE_URL=place.url
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "2,000 of 2,000 accounts were imported.\n", "")
    assert place.rows("SELECT customer_id, status, count(DISTINCT external_id) FROM accounts GROUP BY 1, 2") == [
        (2, "ACTIVE", 2_000)
    ]
    assert place.rows("SELECT actor, kind, count(*), max(counted_after) FROM events GROUP BY 1, 2") == [
        ("OPERATOR", "ACCOUNT_REGISTERED", 2_000, 2_000)
    ]


BAD = (
    HEADING
    + "u1,Mei Abe,,\n"
    + "u2,Ken Ito\n"
    + "long-" * 10
    + ",Ann Oda,ann,AUTO DEACTIVATION\n"
    + "[bold]u3[/x]\x1b[31m,Jun Ota,jun,\n"
    + "u1,Again,,\n"
    + '"u4,Eri Mori,,\n'
    + "u5,Kai Ono,,\n"
)


def test_every_bad_line_is_reported_and_no_account_imported(place: Place) -> None:
    result = place.run("accounts", "import", place.file(BAD), "--customer", "1")
    assert result.exit_code == 3
    assert printed(result) == [
        "line   external id                      what is wrong",
        "────────────────────────────────────────────────────────────────────────────────",
        "   3   u2                               The line has 2 cells, the heading 4.",
        "   4   long-long-long-long-long-long…   email: 'ann' is not an e-mail address.",
        "                                        groups: The group 'AUTO DEACTIVATION' is",
        "                                        filled by itself.",
        r"   5   [bold]u3[/x]\x1b[31m             externalId: '[bold]u3[/x]\x1b[31m' has",
        "                                        not 1 to 200 printable characters",
        "                                        without spaces at its ends.",
        "                                        email: 'jun' is not an e-mail address.",
        "   6   u1                               externalId: The external id 'u1' is",
        "                                        taken.",
        "   7                                    The line is no CSV: unexpected end of",
        "                                        data.",
        "",
        "5 of 7 lines cannot be imported, so none was.",
        "With --skip-bad-lines the other 2 would be.",
        "0 of 7 accounts were imported.",
    ]
    assert place.rows("SELECT * FROM accounts") == []


def test_a_wide_terminal_shows_a_reason_in_a_line(place: Place) -> None:
    result = place.run("accounts", "import", place.file(BAD), "--customer", "1", COLUMNS="160")
    assert [line.split("   ")[-1].strip() for line in printed(result)[2:9]] == [
        "The line has 2 cells, the heading 4.",
        "email: 'ann' is not an e-mail address.",
        "groups: The group 'AUTO DEACTIVATION' is filled by itself.",
        r"externalId: '[bold]u3[/x]\x1b[31m' has not 1 to 200 printable characters without spaces at its ends.",
        "email: 'jun' is not an e-mail address.",
        "externalId: The external id 'u1' is taken.",
        "The line is no CSV: unexpected end of data.",
    ]


def test_good_lines_are_imported_where_bad_ones_are_to_be_skipped(place: Place) -> None:
    file = place.file(BAD)
    result = place.run("accounts", "import", file, "--customer", "Aoba Academy", "--skip-bad-lines")
    assert (result.exit_code, printed(result)[-2:]) == (3, ["", "2 of 7 accounts were imported."])
    assert place.rows("SELECT external_id FROM accounts ORDER BY id") == [("u1",), ("u5",)]
    # Once more: these two are taken now, and nothing is left to skip to.
    again = place.run("accounts", "import", file, "--customer", "Aoba Academy")
    assert (again.exit_code, printed(again)[-3:]) == (
        3,
        ["", "7 of 7 lines cannot be imported, so none was.", "0 of 7 accounts were imported."],
    )


def test_where_not_all_fit_none_is_imported(place: Place) -> None:
    result = place.run("accounts", "import", place.file(people(101)), "--customer", "1")
    assert (result.exit_code, printed(result)) == (
        3,
        ["101 accounts were requested, but 100 of 100 are free today.", "0 of 101 accounts were imported."],
    )
    assert place.run("accounts", "import", place.file(people(100)), "--customer", "1").exit_code == 0
    assert place.rows("SELECT count(*) FROM accounts") == [(100,)]


def test_a_byte_order_mark_and_semicolons_as_spreadsheets_write_them(place: Place) -> None:
    file = place.file("\ufeffName;External ID\r\n山田\u3000太郎;u1\r\n")
    result = place.run("accounts", "import", file, "--customer", "1")
    assert (result.exit_code, printed(result)) == (0, ["1 of 1 accounts were imported."])
    assert place.rows("SELECT external_id, name FROM accounts") == [("u1", "山田\u3000太郎")]


def test_a_file_that_cannot_be_used_is_refused_in_one_line(place: Place) -> None:
    given = ("--customer", "1")
    nowhere = str(place.folder / "none.csv")
    assert place.refused("accounts", "import", nowhere, *given) == (
        f"spotplan: cannot read {nowhere}: No such file or directory"
    )
    assert place.refused("accounts", "import", str(place.folder), *given) == (
        f"spotplan: cannot read {place.folder}: Is a directory"
    )
    file = place.file("externalId,name\nu1,山田\n".encode("shift-jis"))
    assert place.refused("accounts", "import", file, *given) == f"spotplan: cannot read {file}: it is not UTF-8"
    assert place.refused("accounts", "import", place.file("id,name\n"), *given) == (
        "spotplan: The first line names the columns externalId, name and, as wanted, email and groups; not 'id,name'."
    )
    assert place.refused("accounts", "import", place.file(HEADING), *given) == (
        "spotplan: A request names 1 to 100000 accounts, not 0."
    )


def test_too_many_groups_are_refused_in_one_line(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "GROUPS_PER_CUSTOMER_MAX", 1)
    assert place.refused("accounts", "import", place.file(people(2)), "--customer", "1") == (
        "spotplan: 2 groups are more than the 1 there may be."
    )
    assert place.rows("SELECT * FROM accounts") == []


@pytest.mark.parametrize("name", ["2", "99999999999999999999", "Aoba", "aoba academy", "", "Aoba\udcffAcademy"])
def test_a_customer_that_does_not_exist_is_refused_in_one_line(place: Place, name: str) -> None:
    said = place.refused("accounts", "import", place.file(people(1)), "--customer", name)
    if "\udcff" in name:
        assert said == "spotplan: the customer's name is not in this terminal's encoding"
    else:
        assert said == f"spotplan: 0 customers are called {name!r}"
    assert place.rows("SELECT * FROM accounts") == []


def test_a_customer_is_found_by_its_exact_name_among_many_that_contain_it(place: Place) -> None:
    names = [*(f"A {number} Aoba Academy" for number in range(101)), "Twins", "Twins"]
    place.change(
        "INSERT INTO customers (name, kind, time_zone, currency, created_at)"
        " VALUES (?, 'CORPORATE', 'Asia/Tokyo', 'JPY', '2024-04-01 00:00:00.000000')",
        *((name,) for name in names),
    )
    result = place.run("accounts", "import", place.file(people(1)), "--customer", "Aoba Academy")
    assert (result.exit_code, printed(result)) == (0, ["1 of 1 accounts were imported."])
    assert place.rows("SELECT customer_id FROM accounts") == [(1,)]
    assert place.refused("accounts", "import", place.file(people(1)), "--customer", "Twins") == (
        "spotplan: 2 customers are called 'Twins'"
    )


def test_a_database_without_the_tables_is_refused_in_one_line(tmp_path: Path) -> None:
    empty = Place(tmp_path)
    said = "spotplan: the database has not the current tables: run `spotplan migrate` first"
    assert empty.refused("accounts", "import", empty.file(people(1)), "--customer", "1") == said
    assert empty.refused("expire", "--now") == said
    assert empty.refused("expire") == said


@pytest.mark.parametrize("clock", ["nonsense", "", "Test"])
def test_a_clock_that_does_not_exist_is_refused_in_one_line(place: Place, clock: str) -> None:
    said = f"spotplan: SPOTPLAN_CLOCK must be system or test, not {clock!r}"
    assert place.refused("expire", "--now", SPOTPLAN_CLOCK=clock) == said
    assert place.refused("accounts", "import", place.file(people(1)), "--customer", "1", SPOTPLAN_CLOCK=clock) == said


def test_the_test_clock_says_what_day_it_is(place: Place) -> None:
    place.prepare(lambda world: world.customer(starter("2024-04-01", "2025-04-01"), name="Over"))
    file = place.file(people(1))
    assert place.run("accounts", "import", file, "--customer", "Over").exit_code == 3
    place.change("INSERT INTO test_clock VALUES (1, '2024-06-01 00:00:00.000000')")
    place.change("UPDATE main_contracts SET settled_through = '2024-04-01'")
    assert place.run("accounts", "import", file, "--customer", "Over", SPOTPLAN_CLOCK="test").exit_code == 0
    assert place.rows("SELECT registered_at FROM accounts") == [("2024-06-01 00:00:00.000000",)]


async def has_ended(world: World) -> None:
    """Customer 2, whose contract is over and whose three accounts nobody has deactivated yet."""
    owner = await world.customer(starter("2024-04-01", "2025-04-01"), name="Over")
    async with world.services.database.write() as session:
        entries = [NewAccount(f"u{number}", "Mei Abe") for number in range(3)]
        await add_accounts(session, owner.customer.id, entries, LONG_AGO)


STATUSES = "SELECT status, count(*) FROM accounts GROUP BY status"


def test_what_is_due_is_settled_now_and_once(place: Place) -> None:
    place.prepare(has_ended)
    # Neither contract has ever been settled.
    assert printed(place.run("expire", "--now")) == ["2 customers settled"]
    for said in ("0 customers settled", "1 customer settled"):
        assert printed(place.run("expire", "--now")) == [said]
        assert place.rows(STATUSES) == [("DEACTIVATED", 3)]
        assert place.rows("SELECT on_day, counted_before, deactivated FROM capacity_falls") == [("2025-04-01", 3, 3)]
        place.prepare(lambda world: world.customer(starter("2024-04-01", "2999-04-01"), name="Third"))


def test_processes_of_their_own_settle_until_they_are_asked_to_stop(place: Place) -> None:
    place.prepare(has_ended)
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "cli.main", "expire"],
            cwd=place.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "SPOTPLAN_DATABASE_URL": place.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        for worker, sent in zip(workers, (signal.SIGTERM, signal.SIGINT), strict=True):
            assert worker.stdout is not None
            said = worker.stdout.readline()
            assert said.endswith(" INFO spotplan settling what becomes due, until it is stopped\n")
            for _ in range(600):
                if place.rows("SELECT count(*) FROM main_contracts WHERE settled_through > '2025-04-01'") == [(2,)]:
                    break
                time.sleep(0.05)
            worker.send_signal(sent)
            assert (worker.communicate(timeout=30)[0], worker.returncode) == ("", 0)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    assert place.rows(STATUSES) == [("DEACTIVATED", 3)]
    assert place.rows("SELECT on_day, deactivated FROM capacity_falls") == [("2025-04-01", 3)]
