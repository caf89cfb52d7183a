"""Many customers settled together: what each would have come to alone, and nobody waits for one that cannot be."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from sqlalchemy import delete, func, insert, select

from db.tables import CapacityFallRow
from domain.customers import DeactivationPolicy
from domain.errors import Refused
from domain.history import EventKind
from planner.workers import PlannerPool
from resolvers import accounts, settling
from resolvers.settling import settle_all
from tests.resolvers.office import Office, Told, office, term
from tests.world import TestClock, World

pytestmark = pytest.mark.anyio

ZONES = ("Asia/Tokyo", "America/New_York", "Pacific/Kiritimati")
PAIRS = 7


@pytest.fixture
def planner() -> PlannerPool:
    return PlannerPool(1, 1)  # it is not asked anything, so it starts nothing


async def twins(world: World, clock: TestClock, random: Random) -> list[tuple[Office, Office]]:
    """Pairs of customers to whom the same has happened, none of whom anybody has looked at since."""
    pairs = []
    for _ in range(PAIRS):
        zone, policy, units = random.choice(ZONES), random.choice(list(DeactivationPolicy)), random.randint(1, 3)
        terms = [term("2026-04-01", "2027-04-01", units), term("2027-04-01", "2028-04-01", random.randint(1, units))]
        terms = terms[: random.randint(1, 2)]
        two = [await office(world, clock, "2026-04-10", terms, zone) for _ in range(2)]
        for there in two:
            await accounts.set_policy(there.services, there.caller, None, policy)
        pairs.append((two[0], two[1]))
    for month, names in ((5, "abc"), (6, "def"), (7, "ghi")):
        clock.now = datetime(2026, month, 1, 12, tzinfo=UTC)
        for pair in pairs:
            starts_on, months = f"2026-{month:02}-{random.choice((3, 15)):02}", random.randint(1, 3)
            for there in pair:
                await there.buy(starts_on, months)
        clock.now += timedelta(days=20)
        for pair, wave in zip(pairs, [random.sample(names, 2) for _ in pairs], strict=True):
            for there in pair:
                with suppress(Refused):  # both are full then
                    await there.register("".join(wave))
    clock.now += timedelta(days=random.choice((90, 120, 700)))  # at least one spot of each has ended
    return pairs


async def told(there: Office) -> tuple[list[Told], list[tuple[datetime, datetime, str | None]], str]:
    """Everything that time has done to a customer."""
    kinds = (EventKind.SPOT_STARTED, EventKind.SPOT_ENDED, EventKind.CAPACITY_FELL, EventKind.ACCOUNT_DEACTIVATED)
    return await there.falls(), await there.events(*kinds), await there.signs_in("abcdefghi")


@pytest.mark.parametrize("at_once", [1, 3, 20])
async def test_many_together_come_to_what_each_comes_to_alone(
    world: World, clock: TestClock, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    pairs = await twins(world, clock, Random(at_once))
    alone = [await told(one) for one, _ in pairs]
    monkeypatch.setattr(settling, "CUSTOMERS_AT_ONCE", at_once)
    assert await settle_all(world.services) == PAIRS
    assert await settle_all(world.services) == 0
    assert [await told(other) for _, other in pairs] == alone
    assert sum(len(out) for falls, _, _ in alone for *_, out in falls) > PAIRS


async def test_one_customer_that_cannot_be_settled_keeps_no_other_one_waiting(
    world: World, clock: TestClock, caplog: pytest.LogCaptureFixture
) -> None:
    offices = []
    for _ in range(5):
        there = await office(world, clock, "2026-04-30", [term("2026-04-01", "2027-04-01")])
        await there.buy("2026-05-01")
        offices.append(there)
    for there in offices:
        there.begin("2026-05-01")
        await there.register("abc")
    broken = offices[2].owned.customer.id
    fall = {
        "customer_id": broken,
        "main_contract_id": broken,
        "on_day": date(2026, 6, 1),  # as if it had been handled already: the database refuses a second one
        "capacity_before": 4,
        "capacity_after": 2,
        "counted_before": 3,
        "deactivated": 0,
        "policy": "EXCESS_ONLY",
        "handled_at": clock.now,
    }
    async with world.services.database.write() as session:
        await session.execute(insert(CapacityFallRow), [fall])
    offices[0].begin("2026-06-01")
    assert await settle_all(world.services) == 4
    assert caplog.messages == [f"customer {broken} could not be settled; the next round tries again"]
    async with world.services.database.write() as session:
        handled = select(CapacityFallRow.customer_id, func.max(CapacityFallRow.deactivated))
        handled = handled.group_by(CapacityFallRow.customer_id).order_by(CapacityFallRow.customer_id)
        assert [tuple(row) for row in await session.execute(handled)] == [
            (there.owned.customer.id, 0 if there is offices[2] else 3) for there in offices
        ]
        await session.execute(delete(CapacityFallRow).where(CapacityFallRow.customer_id == broken))
    assert await settle_all(world.services) == 1
    assert await offices[2].signs_in("abc") == ""
