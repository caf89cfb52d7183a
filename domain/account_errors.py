"""Refusals about accounts, groups and the days when capacity falls; see :mod:`domain.errors`."""

from dataclasses import dataclass
from datetime import date, datetime

from domain.errors import RuleError


@dataclass(eq=False, kw_only=True)
class CapacityExceeded(RuleError):
    """Fewer accounts are free than were requested; nextFreeOn is the first later day with room for all of them."""

    template = "{requested} accounts were requested, but {available} of {capacity} are free today."
    field: str = "accounts"
    requested: int
    available: int
    capacity: int
    next_free_on: date | None = None

    @property
    def message(self) -> str:
        """One English sentence, with the next day that has room if there is one."""
        day = self.next_free_on
        return super().message[:-1] + (f"; there is room for them on {day}." if day else ".")


@dataclass(eq=False, kw_only=True)
class AccountsOutOfRange(RuleError):
    """A request names 1 to accountsMax accounts."""

    template = "A request names 1 to {accounts_max} accounts, not {accounts}."
    field: str = "accounts"
    accounts: int
    accounts_max: int


@dataclass(eq=False, kw_only=True)
class TextInvalid(RuleError):
    """A text has lengthMin to lengthMax printable characters, and no space at its ends."""

    template = "{text!r} has not {length_min} to {length_max} printable characters without spaces at its ends."
    field: str = "accounts"
    text: str
    length_min: int
    length_max: int


@dataclass(eq=False, kw_only=True)
class EmailInvalid(RuleError):
    """An e-mail address has one @ with something before and after it, and no spaces."""

    template = "{email!r} is not an e-mail address."
    field: str = "accounts"
    email: str


@dataclass(eq=False, kw_only=True)
class ExternalIdTaken(RuleError):
    """Another account of the customer has this external id, or another entry of the same request."""

    template = "The external id {external_id!r} is taken."
    field: str = "accounts"
    external_id: str


@dataclass(eq=False, kw_only=True)
class GroupReserved(RuleError):
    """The built-in group is filled by itself: nobody can be put into it, and it cannot be deleted."""

    template = "The group {group!r} is filled by itself."
    field: str = "groups"
    group: str


@dataclass(eq=False, kw_only=True)
class GroupsOutOfRange(RuleError):
    """An account is in at most groupsMax groups, and a customer has at most groupsMax of them."""

    template = "{groups} groups are more than the {groups_max} there may be."
    field: str = "groups"
    groups: int
    groups_max: int


@dataclass(eq=False, kw_only=True)
class AccountMoveRefused(RuleError):
    """An account in this status cannot take this step."""

    template = "The account {external_id!r} is {status} and cannot become {wanted}."
    field: str = "accountIds"
    external_id: str
    status: str
    wanted: str


@dataclass(eq=False, kw_only=True)
class DayInThePast(RuleError):
    """Only today and later days can be asked about."""

    template = "{day} is before today, {today}."
    field: str = "on"
    day: date
    today: date


@dataclass(eq=False, kw_only=True)
class DayInTheFuture(RuleError):
    """Only today and earlier days are known."""

    template = "{day} is after today, {today}."
    field: str = "on"
    day: date
    today: date


@dataclass(eq=False, kw_only=True)
class ColumnsInvalid(RuleError):
    """A CSV of accounts begins with a line of column names: externalId and name, and e-mail and groups as wanted."""

    template = "The first line names the columns externalId, name and, as wanted, email and groups; not {heading!r}."
    field: str = "csv"
    heading: str


@dataclass(eq=False, kw_only=True)
class CellsMissing(RuleError):
    """A CSV line has as many cells as its heading has names."""

    template = "The line has {cells} cells, the heading {columns}."
    field: str = "csv"
    cells: int
    columns: int


@dataclass(eq=False, kw_only=True)
class CsvLineUnreadable(RuleError):
    """A CSV line can be read as cells: its quotes are closed, and no cell is endless."""

    template = "The line is no CSV: {reason}."
    field: str = "csv"
    reason: str


@dataclass(eq=False, kw_only=True)
class LinesInvalid(RuleError):
    """Some CSV lines cannot be imported, so that none was; badLines says which."""

    template = "{bad_lines} of {lines} lines cannot be imported, so none was."
    field: str = "csv"
    bad_lines: int
    lines: int


@dataclass(eq=False, kw_only=True)
class TestClockOff(RuleError):
    """The time can only be set where the server was started with SPOTPLAN_CLOCK=test."""

    __test__ = False
    template = "The clock is the system's: start the server with SPOTPLAN_CLOCK=test to set it."
    field: str = "to"


@dataclass(eq=False, kw_only=True)
class ClockRunsBackwards(RuleError):
    """The test clock only goes forward, and not beyond the calendar."""

    template = "The clock cannot be set from {now:%Y-%m-%d %H:%M:%S} UTC to {to:%Y-%m-%d %H:%M:%S} UTC."
    field: str = "to"
    now: datetime
    to: datetime
