"""Accounts as CSV text, from spreadsheets of every kind, with a number for every line that is wrong."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import account_csv
from domain.account_csv import AccountLine, account_lines
from domain.account_errors import (
    AccountsOutOfRange,
    CellsMissing,
    ColumnsInvalid,
    CsvLineUnreadable,
    EmailInvalid,
    ExternalIdTaken,
    GroupReserved,
    TextInvalid,
)
from domain.accounts import NewAccount, is_text
from tests.domain.builders import SEARCH

MEI = NewAccount("e-1", "Mei Abe", "mei@example.com", ("Learners", "Class A"))
KEN = NewAccount("e-2", "山田 太郎")
HEADING = "externalId,name,email,groups\n"
PLAIN = HEADING + "e-1,Mei Abe,mei@example.com,Learners|Class A\ne-2,山田 太郎,,\n"

Told = list[tuple[int, str, list[tuple[type[Exception], str, dict[str, Any]]]]]


def told(text: str) -> Told:
    """The lines with their numbers, external ids and refusals, as comparable values."""
    return [
        (line.number, line.entry.external_id, [(type(item), item.field, item.data) for item in line.refusals])
        for line in account_lines(text)
    ]


def no_text(text: str, field: str = "name", length_max: int = 200) -> tuple[type[Exception], str, dict[str, Any]]:
    return TextInvalid, field, {"text": text, "length_min": 1, "length_max": length_max}


def unreadable(reason: str) -> list[tuple[type[Exception], str, dict[str, Any]]]:
    return [(CsvLineUnreadable, "csv", {"reason": reason})]


AFTER_A_QUOTE = "',' expected after '\"'"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(PLAIN, id="plain"),
        pytest.param(PLAIN.rstrip("\n"), id="no line end at the end"),
        pytest.param(PLAIN.replace("externalId,name", "External ID , NAME "), id="capitals and spaces in the heading"),
        pytest.param(PLAIN.replace("externalId,name,email", "external_id,Name,E-Mail"), id="other spellings"),
        pytest.param(PLAIN.replace("externalId,name,email", "external-id,name,E Mail"), id="hyphens"),
        pytest.param("\ufeff" + PLAIN, id="byte order mark"),
        pytest.param(PLAIN.replace("\n", "\r\n"), id="Windows line ends"),
        pytest.param(PLAIN.replace("\n", "\r"), id="old Macintosh line ends"),
        pytest.param(PLAIN.replace(",", ";"), id="semicolons"),
        pytest.param(PLAIN.replace(",", "\t"), id="tabs"),
        pytest.param(PLAIN.replace(",", " , ").replace("|", " | "), id="spaces"),
        pytest.param(PLAIN.replace("Mei Abe", '"Mei Abe"').replace("externalId", '"externalId"'), id="quotes"),
        pytest.param(PLAIN.replace("Learners|Class A", "|Learners||Class A|"), id="empty names of groups"),
    ],
)
def test_accounts_are_read(text: str) -> None:
    assert account_lines(text) == [AccountLine(2, MEI), AccountLine(3, KEN)]


def test_columns_may_come_in_any_order_and_two_are_enough() -> None:
    assert account_lines("groups,NAME,externalId\nLearners,Mei Abe,e-1") == [
        AccountLine(2, NewAccount("e-1", "Mei Abe", None, ("Learners",)))
    ]
    assert account_lines("name;External ID\n山田 太郎;e-2") == [AccountLine(2, KEN)]


def test_lines_without_anything_are_left_out_but_counted() -> None:
    text = "\n , ,,\n" + PLAIN.replace("\n", "\n\n,, ,\n")
    assert account_lines(text) == [AccountLine(6, MEI), AccountLine(9, KEN)]


def test_a_comma_decides_what_separates_cells_where_the_heading_has_one() -> None:
    assert account_lines("externalId,name\ne-1,Abe; Mei") == [AccountLine(2, NewAccount("e-1", "Abe; Mei"))]
    assert account_lines('externalId;name\ne-1;"Abe; Mei"') == [AccountLine(2, NewAccount("e-1", "Abe; Mei"))]


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("\n\r\n", "", id="empty lines"),
        pytest.param("e-1,Mei Abe\n", "e-1,Mei Abe", id="no heading"),
        pytest.param("externalId,email\n", "externalId,email", id="no name"),
        pytest.param("name,email\n", "name,email", id="no external id"),
        pytest.param("externalId,name,phone\n", "externalId,name,phone", id="an unknown column"),
        pytest.param("externalId,name,\n", "externalId,name,", id="a column without a name"),
        pytest.param("externalId,name,External ID\n", "externalId,name,External ID", id="a column twice"),
        pytest.param("externalId|name\ne-1|Mei", "externalId|name", id="another separator"),
        pytest.param('externalId,"name\ne-1,Mei', 'externalId,"name', id="an open quote"),
        pytest.param("externalId,name," + "x" * 200, "externalId,name," + "x" * 84, id="cut to 100"),
    ],
)
def test_a_heading_that_cannot_be_used_is_shown(text: str, heading: str) -> None:
    with pytest.raises(ColumnsInvalid) as refused:
        account_lines(text)
    assert (refused.value.field, refused.value.data) == ("csv", {"heading": heading})


def test_a_heading_alone_has_no_account() -> None:
    for text in (HEADING, HEADING + "\n,,,\n"):
        with pytest.raises(AccountsOutOfRange) as refused:
            account_lines(text)
        assert (refused.value.field, refused.value.data) == ("csv", {"accounts": 0, "accounts_max": 100_000})


def test_a_text_has_at_most_100000_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert account_csv.LINES_MAX == 100_000
    monkeypatch.setattr(account_csv, "LINES_MAX", 3)
    text = HEADING + "e-1,A,,\n\ne-2,,,\ne-3,C,,\n"  # bad lines count, empty ones do not
    assert len(account_lines(text)) == 3
    with pytest.raises(AccountsOutOfRange) as refused:
        account_lines(text + "e-4,D,,\n")
    assert (refused.value.field, refused.value.data) == ("csv", {"accounts": 4, "accounts_max": 3})


def test_lines_have_as_many_cells_as_the_heading() -> None:
    text = HEADING + "e-1,Mei\n" + "e-2,Ken,,,\n" + "e-3\n" + "e-4,Ann,,"
    assert told(text) == [
        (2, "e-1", [(CellsMissing, "csv", {"cells": 2, "columns": 4})]),
        (3, "e-2", [(CellsMissing, "csv", {"cells": 5, "columns": 4})]),
        (4, "e-3", [(CellsMissing, "csv", {"cells": 1, "columns": 4})]),
        (5, "e-4", []),
    ]


def test_everything_that_is_wrong_with_a_line_is_told() -> None:
    text = HEADING + "e-1,Mei Abe,mei,Learners|AUTO DEACTIVATION|" + "x" * 101 + "\n,,,A\n"
    assert told(text) == [
        (
            2,
            "e-1",
            [
                (EmailInvalid, "email", {"email": "mei"}),
                (GroupReserved, "groups", {"group": "AUTO DEACTIVATION"}),
                no_text("x" * 100, "groups", 100),
            ],
        ),
        (3, "", [no_text("", "externalId"), no_text("")]),
    ]


def test_an_external_id_is_taken_by_the_first_line_that_has_it_good_or_bad() -> None:
    text = "externalId,name\ne-1,Mei\ne-1,Ken\nE-1,Ann\ne-2,\ne-2,Jun\n" + "x" * 150 + ",A\n" + "x" * 150 + ",B\n"
    taken = [(ExternalIdTaken, "externalId", {"external_id": "e-1"})]
    assert told(text) == [
        (2, "e-1", []),
        (3, "e-1", taken),
        (4, "E-1", []),
        (5, "e-2", [no_text("")]),
        (6, "e-2", [(ExternalIdTaken, "externalId", {"external_id": "e-2"})]),
        (7, "x" * 150, []),
        (8, "x" * 150, [(ExternalIdTaken, "externalId", {"external_id": "x" * 100})]),
    ]


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    # A cell may go on over lines; no name may, so that the line on which it begins is reported.
    text = 'externalId,name\r\n\r\ne-1,"Mei\r\nAbe"\r\ne-2,Ken\r\n"e-3\n\n",Ann\r\ne-4,\r\n'
    assert told(text) == [
        (3, "e-1", [no_text("Mei\r\nAbe")]),
        (5, "e-2", []),
        (6, "e-3", []),  # as with spaces, line breaks at a cell's ends mean nothing
        (9, "e-4", [no_text("")]),
    ]


@pytest.mark.parametrize("mark", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_characters_that_break_lines_elsewhere_break_none_here(mark: str) -> None:
    text = f"externalId,name\ne-1,Mei{mark}Abe\ne-2,Ken{mark}\ne-3,Ann\n"
    assert told(text) == [(2, "e-1", [no_text(f"Mei{mark}Abe")]), (3, "e-2", []), (4, "e-3", [])]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param(
            'e-1,"Mei\ne-2,Ken\ne-3,Ann\n',
            [(2, "", unreadable("unexpected end of data")), (3, "e-2", []), (4, "e-3", [])],
            id="a quote that is never closed hides no other line",
        ),
        pytest.param(
            'e-1,"Mei\ne-2,"Ken"\ne-3,Ann\n',
            [(2, "", unreadable(AFTER_A_QUOTE)), (3, "e-2", []), (4, "e-3", [])],
            id="nor does one that the next line's seems to close",
        ),
        pytest.param(
            'e-1,Mei\ne-2,"Ken',
            [(2, "e-1", []), (3, "", unreadable("unexpected end of data"))],
            id="a file that was cut off",
        ),
        pytest.param(
            'e-1,"Mei" Abe\ne-2,Ken "K" Ito\n',
            [(2, "", unreadable(AFTER_A_QUOTE)), (3, "e-2", [])],
            id="something after a quote",
        ),
        pytest.param(
            "e-1," + "x" * 131_073 + "\ne-2,Ken\n",
            [(2, "", unreadable("field larger than field limit (131072)")), (3, "e-2", [])],
            id="an endless cell",
        ),
        pytest.param(
            'e-1,"' + ("x" * 199 + "\n") * 700 + "e-2,Ken\n",
            [
                (2, "", unreadable("field larger than field limit (131072)")),
                *((number, "x" * 199, [(CellsMissing, "csv", {"cells": 1, "columns": 2})]) for number in range(3, 702)),
                (702, "e-2", []),
            ],
            id="a quote that is open for too long",
        ),
    ],
)
def test_a_line_that_is_no_csv_is_bad_by_itself(text: str, lines: Told) -> None:
    assert told("externalId,name\n" + text) == lines


def test_each_of_many_lines_that_are_no_csv_is_reported() -> None:
    found = account_lines("externalId,name\n" + 'e-1,"Mei" Abe\n' * 5_000)
    assert [line.number for line in found] == list(range(2, 5_002))
    assert {type(refusal) for line in found for refusal in line.refusals} == {CsvLineUnreadable}


texts = st.text("ab,;|\"'. @#\\山\u3000😀", min_size=1, max_size=8).filter(lambda text: is_text(text, 8))
entries = st.builds(
    NewAccount,
    external_id=texts,
    name=texts,
    email=st.one_of(st.none(), st.sampled_from(["mei@example.com", '"a,b;c"@example.com'])),
    groups=st.lists(texts.filter(lambda text: "|" not in text), max_size=3).map(tuple),
)


@settings(SEARCH, max_examples=100)
@given(
    accounts=st.lists(entries, min_size=1, max_size=4, unique_by=lambda entry: entry.external_id),
    separator=st.sampled_from(",;\t"),
    line_end=st.sampled_from(["\r\n", "\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_a_spreadsheet_writes_comes_back(
    accounts: list[NewAccount], separator: str, line_end: str, quoting: Any
) -> None:
    written = io.StringIO()
    writer = csv.writer(written, delimiter=separator, lineterminator=line_end, quoting=quoting)
    writer.writerow(["Name", "External ID", "Groups", "E-Mail"])
    for item in accounts:
        writer.writerow([item.name, item.external_id, "|".join(item.groups), item.email])
    assert account_lines(written.getvalue()) == [AccountLine(2 + index, item) for index, item in enumerate(accounts)]
