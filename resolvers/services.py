"""What every use case works with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from db.engine import Database
from planner.workers import PlannerPool
from settings import Settings

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The current instant, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Services:
    """The running parts: settings, database, planner, and the clock through which time enters."""

    settings: Settings
    database: Database
    planner: PlannerPool
    clock: Clock = system_clock
