"""Setting the test clock: a year passes in a second, and everything that it moves is moved."""

from datetime import datetime, timedelta

from db.clock import advance_clock
from domain.account_errors import ClockRunsBackwards, TestClockOff
from resolvers.access import Caller, Role, require
from resolvers.services import Services, SettableClock
from resolvers.settling import settle_all

YEAR_MAX = 9_000
"""Later years leave no room for periods inside the calendar."""


async def advance(services: Services, caller: Caller | None, *, to: datetime | None, days: int | None) -> datetime:
    """Set the clock to an instant, or so many days on, and settle every customer.

    Raises:
        TestClockOff: the server runs on the system's clock.
        ClockRunsBackwards: the instant is before the clock's, or beyond the calendar.
    """
    require(caller, Role.OPERATOR)
    if not isinstance(services.clock, SettableClock):
        raise TestClockOff
    now = services.clock()
    try:
        wanted = to if to is not None else now + timedelta(days=days or 0)
    except OverflowError:
        wanted = datetime.max.replace(tzinfo=now.tzinfo)
    if wanted < now or wanted.year > YEAR_MAX:
        raise ClockRunsBackwards(field="to" if to is not None else "days", now=now, to=wanted)
    async with services.database.write() as session:
        if not await advance_clock(session, wanted):
            raise ClockRunsBackwards(field="to" if to is not None else "days", now=now, to=wanted)
    await services.refresh_clock()
    await settle_all(services)
    return services.clock()
