"""A customer at a desk: short ways to register and buy, and to read who is out since when."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from db.accounts import AccountFilter
from domain.account_errors import CapacityExceeded
from domain.accounts import Account, AccountStatus, NewAccount
from domain.contracts import Term
from domain.errors import Refused, RuleError
from domain.history import EventKind
from domain.orders import PaymentMethod
from resolvers import account_reads, accounts, spot_orders
from resolvers.access import Caller, Role
from resolvers.purchases import SpotItems
from resolvers.services import Services
from tests.world import Owned, TestClock, World, starter

UNIT = 2

Told = tuple[str, int, int, int, list[tuple[str, str]]]
"""A fall: the day, capacity before and after, how many counted before, and who went for which reason."""


def term(starts_on: str, ends_before: str, units: int = 1) -> Term:
    return replace(starter(starts_on, ends_before, units), accounts_per_unit=UNIT)


@dataclass
class Office:
    """A customer, the clock, and a process that serves it."""

    services: Services
    clock: TestClock
    owned: Owned

    @property
    def caller(self) -> Caller:
        return Caller(Role.OWNER, self.owned.customer.id)

    def begin(self, day: str, plus: timedelta = timedelta()) -> None:
        """Set the clock to the first instant of a day in the customer's time zone, or so long after it."""
        midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(self.owned.customer.time_zone))
        self.clock.now = midnight.astimezone(UTC) + plus

    async def register(self, names: str, services: Services | None = None) -> list[Account]:
        """One account for each letter."""
        command = accounts.RegisterCommand(None, tuple(NewAccount(name, name.upper()) for name in names))
        return await accounts.register(services or self.services, self.caller, command)

    async def buy(self, starts_on: str, months: int = 1, units: int = 1) -> None:
        items = SpotItems(units * UNIT, date.fromisoformat(starts_on), months)
        key = f"{starts_on} {months} {units}"
        version = self.services.settings.terms_version
        order = await spot_orders.place(self.services, self.caller, spot_orders.PlaceCommand(None, items, version, key))
        total_minor = order.charge.total_minor
        command = spot_orders.CheckoutCommand(order.id, PaymentMethod.INVOICE, total_minor, f"pay {key}")
        await spot_orders.checkout(self.services, self.caller, command)

    async def signs_in(self, names: str) -> str:
        """Those who may."""
        allowed = [await account_reads.sign_in_allowed(self.services, self.caller, None, name) for name in names]
        return "".join(name for name, may in zip(names, allowed, strict=True) if may)

    async def names(self) -> dict[int, str]:
        chosen = AccountFilter(frozenset(AccountStatus))
        (page,) = await account_reads.account_pages(
            self.services, [self.owned.customer.id], self.caller, chosen, first=100, after=None
        )
        return {account.id: account.external_id for account in page.items}

    async def falls(self) -> list[Told]:
        """Those that were handled, in the order in which they were."""
        names = await self.names()
        (page,) = await account_reads.fall_pages(self.services, [self.owned.customer.id], first=100, before_id=None)
        told: list[Told] = []
        for fall in page.items[::-1]:
            (out,) = await account_reads.deactivation_pages(self.services, [fall.id], self.caller, first=100, after=0)
            assert [item.position for item in out.items] == list(range(1, fall.deactivated + 1))
            gone = [(names[item.account_id], item.reason.value) for item in out.items]
            told.append((str(fall.on), fall.capacity_before, fall.capacity_after, fall.counted_before, gone))
        return told

    async def events(self, *kinds: EventKind) -> list[tuple[datetime, datetime, str | None]]:
        """When they happened, when they were recorded, and whom they were about; in the order of the history."""
        names = await self.names()
        (page,) = await account_reads.event_pages(
            self.services, [self.owned.customer.id], self.caller, None, first=100, before_id=None
        )
        return [
            (event.what.occurred_at, event.recorded_at, names.get(event.what.account_id or 0))
            for event in page.items[::-1]
            if event.what.kind in kinds
        ]

    async def counted_on(self, day: str) -> int:
        (counted,) = await account_reads.counted_on(self.services, [self.owned.customer], date.fromisoformat(day))
        assert isinstance(counted, int)
        return counted

    async def refused(self, names: str, services: Services | None = None) -> list[RuleError]:
        """Why these accounts cannot be registered."""
        with pytest.raises(Refused) as caught:
            await self.register(names, services)
        return list(caught.value.errors)


async def office(
    world: World, clock: TestClock, opens: str, terms: Sequence[Term], time_zone: str = "Asia/Tokyo"
) -> Office:
    """A customer since the first instant of a day."""
    clock.now = datetime.fromisoformat(opens).replace(tzinfo=ZoneInfo(time_zone)).astimezone(UTC)
    return Office(world.services, clock, await world.customer(*terms, time_zone=time_zone))


def numbers(refusals: Sequence[RuleError]) -> list[tuple[int, int, int, date | None]]:
    """Of refusals for want of capacity: requested, available, capacity, the next day with room."""
    assert all(isinstance(refusal, CapacityExceeded) for refusal in refusals)
    return [
        (refusal.requested, refusal.available, refusal.capacity, refusal.next_free_on)
        for refusal in refusals
        if isinstance(refusal, CapacityExceeded)
    ]


def behind(services: Services, clock: TestClock, by: timedelta) -> Services:
    """Another process on the same database, whose clock is slow."""
    return replace(services, clock=lambda: clock.now - by)
