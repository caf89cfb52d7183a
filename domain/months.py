"""Half-open periods of contract days and the month rule.

Contract days are calendar dates in the customer's time zone. A period is always half-open:
``starts_on <= day < ends_before``. A period of n months follows Civil Code art. 143: it ends before the
corresponding day n months later; if that month has no such day, it ends with that month.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

from domain.errors import MonthsOutOfRange

MONTHS_MAX = 600
"""The longest period accepted, in months: it keeps every date inside the calendar and every sum small."""

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A non-empty half-open range of days.

    Raises:
        ValueError: the period is empty or runs backwards.
    """

    starts_on: date
    ends_before: date

    def __post_init__(self) -> None:
        if self.starts_on >= self.ends_before:
            raise ValueError(f"a period must end after it starts: {self.starts_on} to {self.ends_before}")

    @property
    def last_day(self) -> date:
        return self.ends_before - ONE_DAY

    @property
    def days(self) -> int:
        return (self.ends_before - self.starts_on).days

    def contains(self, day: date) -> bool:
        return self.starts_on <= day < self.ends_before

    def overlaps(self, other: "Period") -> bool:
        return self.starts_on < other.ends_before and other.starts_on < self.ends_before


def ends_before(starts_on: date, months: int) -> date:
    """The exclusive end of a period of ``months`` whole months from ``starts_on``.

    Always computed from the original start, never chained: two chained one-month periods from 31 January
    reach 1 April, one two-month period reaches 31 March.

    Raises:
        MonthsOutOfRange: ``months`` is not in 1..600, or the end is past the last day of the calendar.

    Source: Civil Code (Japan) art. 143; the vendor's page, rule 2.
    """
    if not 1 <= months <= MONTHS_MAX:
        raise MonthsOutOfRange(months=months, months_max=MONTHS_MAX)
    year, month_index = divmod(starts_on.year * 12 + starts_on.month - 1 + months, 12)
    if year > date.max.year:
        raise MonthsOutOfRange(months=months, months_max=MONTHS_MAX)
    if starts_on.day <= monthrange(year, month_index + 1)[1]:
        return date(year, month_index + 1, starts_on.day)
    # Civil Code 143: that month has no such day, so the period ends with the month.
    return date(year + (month_index == 11), (month_index + 1) % 12 + 1, 1)


def months_begun(period: Period) -> int:
    """How many months of a period have begun by its last day: the smallest n whose end is not before it."""
    months = (period.ends_before.year - period.starts_on.year) * 12
    months += period.ends_before.month - period.starts_on.month
    months = max(1, months - 1)
    while ends_before(period.starts_on, months) < period.ends_before:
        months += 1
    return months
