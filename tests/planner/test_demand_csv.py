"""A profile as CSV text, from spreadsheets of every kind."""

import pytest

from domain.errors import CsvLineInvalid, DemandAccountsOutOfRange, DemandEntriesOutOfRange, DemandOverlaps
from planner.demand import demand_from_csv
from planner.problem import DemandStep
from tests.domain.builders import day, period

STEPS = (
    DemandStep(period("2026-04-01", "2026-05-01"), 300),
    DemandStep(period("2026-05-01", "2026-06-01"), 250),
)
PLAIN = "2026-04-01,2026-05-01,300\n2026-05-01,2026-06-01,250\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(PLAIN, id="plain"),
        pytest.param(PLAIN.rstrip("\n"), id="no line end at the end"),
        pytest.param("from,until,accounts\n" + PLAIN, id="heading"),
        pytest.param(" From , UNTIL,Accounts\n" + PLAIN, id="heading in capitals, with spaces"),
        pytest.param("\ufefffrom,until,accounts\n" + PLAIN, id="byte order mark and heading"),
        pytest.param("\ufeff" + PLAIN, id="byte order mark"),
        pytest.param(PLAIN.replace("\n", "\r\n"), id="Windows line ends"),
        pytest.param(PLAIN.replace("\n", "\r"), id="old Macintosh line ends"),
        pytest.param(PLAIN.replace(",", ";"), id="semicolons"),
        pytest.param("from;until;accounts\r\n" + PLAIN.replace(",", ";"), id="semicolons and heading"),
        pytest.param(PLAIN.replace(",", "\t"), id="tabs"),
        pytest.param(PLAIN.replace(",", " , "), id="spaces"),
        pytest.param('"2026-04-01","2026-05-01","300"\n2026-05-01,2026-06-01,250', id="quotes"),
        pytest.param("\n".join(reversed(PLAIN.splitlines())), id="not sorted"),
        pytest.param(PLAIN.replace("\n", "\n\n \n") + "\n,,\n", id="blank lines"),
    ],
)
def test_a_profile_is_read(text: str) -> None:
    assert demand_from_csv(text) == STEPS


@pytest.mark.parametrize(
    ("text", "line", "shown"),
    [
        pytest.param("2026-04-01,2026-05-01", 1, "2026-04-01,2026-05-01", id="too few columns"),
        pytest.param("2026-04-01,2026-05-01,300,x", 1, "2026-04-01,2026-05-01,300,x", id="too many columns"),
        pytest.param("2026-04-01,2026-05-01,", 1, "2026-04-01,2026-05-01,", id="no number"),
        pytest.param("2026-04-01,2026-05-01,3.5", 1, "2026-04-01,2026-05-01,3.5", id="not a whole number"),
        pytest.param("2026-04-01,2026-05-01,many", 1, "2026-04-01,2026-05-01,many", id="not a number"),
        pytest.param("2026-04-31,2026-05-01,300", 1, "2026-04-31,2026-05-01,300", id="no such day"),
        pytest.param("2026/04/01,2026-05-01,300", 1, "2026/04/01,2026-05-01,300", id="slashes"),
        pytest.param("until,from,accounts\n" + PLAIN, 1, "until,from,accounts", id="a heading of another order"),
        pytest.param(PLAIN + "from,until,accounts", 3, "from,until,accounts", id="a heading in the middle"),
        pytest.param("from,until,accounts\n" + PLAIN + "x", 4, "x", id="counted with the heading"),
        pytest.param("from,until,accounts\n\n\n" + PLAIN + "\nx", 7, "x", id="counted with blank lines"),
        pytest.param(PLAIN + "2026-06-01;2026-07-01;5", 3, "2026-06-01;2026-07-01;5", id="another separator"),
        pytest.param("2026-04-01,2026-05-01," + "9" * 5_000, 1, "2026-04-01,2026-05-01," + "9" * 78, id="cut to 100"),
    ],
)
def test_a_wrong_line_is_named_by_its_number_and_text(text: str, line: int, shown: str) -> None:
    with pytest.raises(CsvLineInvalid) as refused:
        demand_from_csv(text)
    assert refused.value.field == "demand.csv"
    assert refused.value.data == {"line": line, "text": shown}


@pytest.mark.parametrize("text", ["", "\n\n", "from,until,accounts\n", "\ufeff", ",,\n"])
def test_a_text_without_entries_is_refused(text: str) -> None:
    with pytest.raises(DemandEntriesOutOfRange) as refused:
        demand_from_csv(text)
    assert refused.value.field == "demand.csv"
    assert refused.value.data == {"entries": 0, "entries_max": 4_000}


def test_entries_are_checked_as_those_of_a_profile() -> None:
    with pytest.raises(DemandOverlaps) as overlaps:
        demand_from_csv(PLAIN + "2026-05-31,2026-06-02,1")
    assert overlaps.value.field == "demand.csv[2]"
    assert overlaps.value.data == {"starts_on": day("2026-05-31"), "previous_ends_before": day("2026-06-01")}
    with pytest.raises(DemandAccountsOutOfRange) as too_many:
        demand_from_csv("from,until,accounts\n2026-04-01,2026-05-01,10000001")
    assert too_many.value.field == "demand.csv[0]"


@pytest.mark.parametrize("text", ["\nfrom,until,accounts\n" + PLAIN, "\n" + PLAIN.replace(",", ";")])
def test_blank_lines_may_come_first(text: str) -> None:
    assert demand_from_csv(text) == STEPS


@pytest.mark.parametrize("text", ["20260401,2026-05-01,300", "2026-W14-3,2026-05-01,300", "2026-04-01,2026-05-01,3_00"])
def test_other_ways_to_write_days_and_numbers_are_refused(text: str) -> None:
    with pytest.raises(CsvLineInvalid):
        demand_from_csv(text)


def test_a_cell_longer_than_the_reader_takes_is_a_wrong_line() -> None:
    with pytest.raises(CsvLineInvalid) as refused:
        demand_from_csv(PLAIN + "x" * 140_000)
    assert refused.value.data["line"] == 3


def test_lines_are_counted_inside_quotes_too() -> None:
    with pytest.raises(CsvLineInvalid) as refused:
        demand_from_csv('"2026-04-01\n",2026-05-01,300\nx')
    assert refused.value.data == {"line": 3, "text": "x"}
