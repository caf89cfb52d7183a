"""Accounts as CSV text: a heading of column names, then an account a line."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from domain.account_errors import (
    AccountsOutOfRange,
    CellsMissing,
    ColumnsInvalid,
    CsvLineUnreadable,
    ExternalIdTaken,
)
from domain.accounts import NewAccount, entry_refusals
from domain.errors import RuleError

LINES_MAX = 100_000
COLUMNS = {"externalid": "external_id", "name": "name", "email": "email", "groups": "groups"}
GROUP_SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class AccountLine:
    """A line of the file, counted from 1 with the heading, and what it says, or why that cannot be used."""

    number: int
    entry: NewAccount
    refusals: tuple[RuleError, ...] = ()


def account_lines(text: str, field: str = "csv") -> list[AccountLine]:
    """Every account in a CSV text, with the refusals of each line by itself and of external ids that repeat.

    Commas, semicolons or tabs separate cells, ``|`` the names in groups. Empty lines are left out. Columns may come
    in any order; external_id, externalId and External ID are one name.

    Raises:
        ColumnsInvalid: the heading lacks the external id or the name, or has other or repeated columns.
        AccountsOutOfRange: there is no account, or there are more than 100,000.
    """
    # Not str.splitlines(): it also splits at form feeds and the like, which stand inside cells and are refused there.
    lines = list(io.StringIO(text.lstrip("\ufeff"), newline=""))
    heading = next((line for line in lines if line.strip()), "")
    separator = next((mark for mark in ",;\t" if mark in heading), ",")
    rows = _rows(lines, separator, field)
    _, names, _ = next(rows, (0, [], None))
    columns = [COLUMNS.get(_plain(name), "") for name in names]
    if "" in columns or len(set(columns)) < len(columns) or not {"external_id", "name"} <= set(columns):
        raise ColumnsInvalid(field=field, heading=heading.strip()[:100])
    found: list[AccountLine] = []
    seen: set[str] = set()
    for number, cells, unreadable in rows:
        if len(found) == LINES_MAX:
            raise AccountsOutOfRange(field=field, accounts=LINES_MAX + 1, accounts_max=LINES_MAX)
        if unreadable is not None:
            found.append(AccountLine(number, NewAccount("", ""), (unreadable,)))
            continue
        entry = _entry(dict(zip(columns, cells, strict=False)))
        refusals = list(entry_refusals(entry, ""))
        if len(cells) != len(columns):
            refusals = [CellsMissing(field=field, cells=len(cells), columns=len(columns))]
        elif entry.external_id in seen:
            refusals.append(ExternalIdTaken(field="externalId", external_id=entry.external_id[:100]))
        seen.add(entry.external_id)
        found.append(AccountLine(number, entry, tuple(refusals)))
    if not found:
        raise AccountsOutOfRange(field=field, accounts=0, accounts_max=LINES_MAX)
    return found


def _rows(lines: Sequence[str], separator: str, field: str) -> Iterator[tuple[int, list[str], RuleError | None]]:
    """Each line that is not empty: the number it begins on, its cells, and whether it cannot be read at all.

    What cannot be read is one line: reading goes on with the next, so that an open quote hides none of the others.
    """
    first = 0
    while first < len(lines):
        reader = csv.reader(map(lines.__getitem__, range(first, len(lines))), delimiter=separator, strict=True)
        number = first + 1
        try:
            for row in reader:
                cells = [cell.strip() for cell in row]
                if any(cells):
                    yield number, cells, None
                number = first + reader.line_num + 1
        except csv.Error as error:
            yield number, [], CsvLineUnreadable(field=field, reason=str(error))
            first = number
        else:
            return


def _entry(cells: dict[str, str]) -> NewAccount:
    groups = [name.strip() for name in cells.get("groups", "").split(GROUP_SEPARATOR)]
    return NewAccount(
        external_id=cells.get("external_id", ""),
        name=cells.get("name", ""),
        email=cells.get("email") or None,
        groups=tuple(name for name in groups if name),
    )


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter not in " _-")
