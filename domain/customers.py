"""A customer: an organisation with its own time zone, in which its contract days are counted."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo


class CustomerKind(StrEnum):
    """Corporate customers may pay by invoice."""

    CORPORATE = "CORPORATE"
    INDIVIDUAL = "INDIVIDUAL"


@dataclass(frozen=True, slots=True)
class Customer:
    """An organisation whose owner-managers place orders."""

    id: int
    name: str
    kind: CustomerKind
    time_zone: str
    currency: str
    created_at: datetime

    @property
    def is_corporate(self) -> bool:
        return self.kind is CustomerKind.CORPORATE

    def day_at(self, now: datetime) -> date:
        """The calendar day in the customer's time zone at an instant."""
        return now.astimezone(ZoneInfo(self.time_zone)).date()
