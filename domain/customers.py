"""A customer: an organisation with its own time zone, in which its contract days are counted."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from zoneinfo import ZoneInfo


class CustomerKind(StrEnum):
    """Corporate customers may pay by invoice."""

    CORPORATE = "CORPORATE"
    INDIVIDUAL = "INDIVIDUAL"


class DeactivationPolicy(StrEnum):
    """Who is deactivated when a spot contract ends and not everybody fits: see :mod:`domain.deactivation`."""

    ALL_REGISTERED_DURING_SPOT = "ALL_REGISTERED_DURING_SPOT"
    EXCESS_ONLY = "EXCESS_ONLY"


@dataclass(frozen=True, slots=True)
class Customer:
    """An organisation whose owner-managers place orders."""

    id: int
    name: str
    kind: CustomerKind
    time_zone: str
    currency: str
    created_at: datetime
    deactivation_policy: DeactivationPolicy = DeactivationPolicy.ALL_REGISTERED_DURING_SPOT

    @property
    def is_corporate(self) -> bool:
        return self.kind is CustomerKind.CORPORATE

    def day_at(self, now: datetime) -> date:
        """The calendar day in the customer's time zone at an instant."""
        return now.astimezone(ZoneInfo(self.time_zone)).date()

    def day_begins_at(self, day: date) -> datetime:
        """The first instant of a calendar day in the customer's time zone, in UTC.

        Where a clock change leaves out midnight, it is the instant of that change.
        """
        return datetime.combine(day, time.min, ZoneInfo(self.time_zone)).astimezone(UTC)
