"""The three ways to say what is needed - a profile, events, CSV text - turned into demand steps.

Every refusal names the entry it is about and the numbers in it.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from domain.capacity import capacity_changes, level_steps
from domain.contracts import MainContract
from domain.errors import (
    CsvLineInvalid,
    DemandAccountsOutOfRange,
    DemandEntriesOutOfRange,
    DemandOverlaps,
    DemandPeriodInvalid,
)
from domain.months import Period
from planner.problem import DemandStep

ENTRIES_MAX = 4_000
"""Ten years of days: more than any contract asks for."""
ACCOUNTS_MAX = 10_000_000

# Only these are promised: Python itself would read 2026-W14-3 and 3_00 as well.
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_WHOLE_NUMBER = r"-?[0-9]{1,18}"


@dataclass(frozen=True, slots=True)
class DemandEntry:
    """One line of a demand as it was given, unchecked: ``ends_before`` is exclusive."""

    starts_on: date
    ends_before: date
    accounts: int


def demand_from_profile(entries: Sequence[DemandEntry], field: str = "demand.profile") -> tuple[DemandStep, ...]:
    """Steps of total accounts, in any order, without overlap; days between them need nothing.

    Raises:
        DemandEntriesOutOfRange, DemandPeriodInvalid, DemandAccountsOutOfRange, DemandOverlaps.
    """
    steps = _checked(entries, field)
    order = sorted(range(len(steps)), key=lambda index: steps[index].period)
    for earlier, later in pairwise(order):
        if steps[earlier].period.overlaps(steps[later].period):
            raise DemandOverlaps(
                field=f"{field}[{later}]",
                starts_on=steps[later].period.starts_on,
                previous_ends_before=steps[earlier].period.ends_before,
            )
    return tuple(steps[index] for index in order)


def demand_from_events(
    entries: Sequence[DemandEntry], contract: MainContract, field: str = "demand.events"
) -> tuple[DemandStep, ...]:
    """Extra accounts on top of the main contract and its additional licences, summed where events overlap.

    Spots that are confirmed already count towards the extra accounts: they were bought for such events.

    Raises:
        DemandEntriesOutOfRange, DemandPeriodInvalid, DemandAccountsOutOfRange.
    """
    steps = _checked(entries, field)
    extra = [(step.period, step.accounts) for step in steps]
    window = Period(min(step.period.starts_on for step in steps), max(step.period.ends_before for step in steps))
    without_spots = MainContract(contract.terms, contract.additional_licences)
    # Days without an event need nothing new, so they are no demand: only what an event touches is kept.
    added, there = (
        {period.starts_on: accounts for period, accounts in level_steps(changes, window)}
        for changes in (extra, capacity_changes(without_spots))
    )
    wanted: list[DemandStep] = []
    event = capacity = 0
    for begin, end in pairwise(sorted({*added, *there, window.ends_before})):
        event, capacity = added.get(begin, event), there.get(begin, capacity)
        if event:
            wanted.append(DemandStep(Period(begin, end), event + capacity))
    return tuple(wanted) or (DemandStep(window, 0),)


def demand_from_csv(text: str, field: str = "demand.csv") -> tuple[DemandStep, ...]:
    """A profile as CSV text with the columns from, until, accounts.

    Dates are ISO 8601, ``until`` is exclusive, the heading is optional; commas, semicolons or tabs separate.

    Raises:
        CsvLineInvalid: with the line's number and text; otherwise as :func:`demand_from_profile`.
    """
    lines = text.lstrip("\ufeff").splitlines()
    first_line = next((line for line in lines if line.strip()), "")
    separator = next((mark for mark in ",;\t" if mark in first_line), ",")
    reader = csv.reader(lines, delimiter=separator)
    entries: list[DemandEntry] = []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            heading = not entries and [cell.lower() for cell in cells] == ["from", "until", "accounts"]
            if not heading and any(cells):
                entries.append(_csv_entry(cells, field, reader.line_num))
    except csv.Error:  # such as a cell longer than the reader takes
        raise CsvLineInvalid(field=field, line=reader.line_num, text=lines[reader.line_num - 1][:100]) from None
    return demand_from_profile(entries, field)


def _csv_entry(cells: Sequence[str], field: str, number: int) -> DemandEntry:
    invalid = CsvLineInvalid(field=field, line=number, text=",".join(cells)[:100])
    if len(cells) != 3 or not all(map(re.fullmatch, (_DAY, _DAY, _WHOLE_NUMBER), cells)):
        raise invalid
    try:
        return DemandEntry(date.fromisoformat(cells[0]), date.fromisoformat(cells[1]), int(cells[2]))
    except ValueError:  # no such day
        raise invalid from None


def _checked(entries: Iterable[DemandEntry], field: str) -> list[DemandStep]:
    """The entries as steps, each of them a non-empty period with a number of accounts in range."""
    listed = list(entries)
    if not 1 <= len(listed) <= ENTRIES_MAX:
        raise DemandEntriesOutOfRange(field=field, entries=len(listed), entries_max=ENTRIES_MAX)
    steps = []
    for index, entry in enumerate(listed):
        where = f"{field}[{index}]"
        if entry.starts_on >= entry.ends_before:
            raise DemandPeriodInvalid(field=where, starts_on=entry.starts_on, ends_before=entry.ends_before)
        if not 0 <= entry.accounts <= ACCOUNTS_MAX:
            raise DemandAccountsOutOfRange(field=where, accounts=entry.accounts, accounts_max=ACCOUNTS_MAX)
        steps.append(DemandStep(Period(entry.starts_on, entry.ends_before), entry.accounts))
    return steps
