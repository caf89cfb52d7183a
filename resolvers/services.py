"""What every use case works with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from db.engine import Database
from planner.answers import Answers
from planner.workers import PlannerPool
from settings import Settings

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The current instant, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Services:
    """The running parts: settings, database, planner with its answers, and the clock through which time enters."""

    settings: Settings
    database: Database
    planner: PlannerPool
    clock: Clock = system_clock
    answers: Answers = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "answers", Answers(self.planner, self.settings.planner_cache_rows_max))

    @classmethod
    def open(cls, settings: Settings) -> "Services":
        """Services as the settings say; nothing is connected or started yet."""
        return cls(
            settings,
            Database(settings.database_url, settings.database_pool_size),
            PlannerPool(settings.planner_workers, settings.planner_waiting_max),
        )

    async def close(self) -> None:
        """Stop the planner's workers and close every connection."""
        await self.planner.close()
        await self.database.close()
