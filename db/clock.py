"""The test clock's instant, which all processes on a database share."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db.tables import TestClockRow


async def stored_now(session: AsyncSession) -> datetime | None:
    """The test clock's instant; None where it was never set."""
    return await session.scalar(select(TestClockRow.now))


async def start_clock(session: AsyncSession, now: datetime) -> None:
    """Set the clock for the first time; if another process was faster, its instant stays."""
    try:
        async with session.begin_nested():
            session.add(TestClockRow(id=1, now=now))
    except IntegrityError:
        pass


async def advance_clock(session: AsyncSession, to: datetime) -> bool:
    """Set the clock to an instant; False where it is later already."""
    statement = update(TestClockRow).where(TestClockRow.now <= to).values(now=to).returning(TestClockRow.id)
    return await session.scalar(statement) is not None
