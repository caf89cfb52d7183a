"""The test clock: a year passes in a second, for every process on the database, and only where it is switched on."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient

from db.engine import Database
from planner.workers import PlannerPool
from resolvers.access import Role
from resolvers.services import Services, SettableClock, system_clock
from schema.app import create_app
from settings import SettingInvalidError, Settings
from tests.people import may_sign_in, people, registered
from tests.world import Api, World, starter

pytestmark = pytest.mark.anyio

ADVANCE = """mutation Advance($input: TestClockAdvanceInput!) { testClockAdvance(input: $input) {
  now errors { __typename code field message ... on ClockRunsBackwards { now to } } } }"""


@pytest.fixture
async def settable(database_url: str, planner: PlannerPool) -> AsyncIterator[tuple[Services, Api, Api]]:
    """Services on the test clock, which starts at noon in Tokyo on 10 April 2026, and two processes' APIs."""
    database = Database(database_url)
    services = [
        Services(Settings(database_url=database_url, clock="test"), database, planner, SettableClock(database))
        for _ in range(2)
    ]
    async with database.write() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("INSERT INTO test_clock (id, now) VALUES (1, '2026-04-10 03:00:00.000000')")
    await services[0].refresh_clock()
    clients = [AsyncClient(transport=ASGITransport(create_app(item)), base_url="http://t") for item in services]
    yield services[0], Api(clients[0]), Api(clients[1])
    for client in clients:
        await client.aclose()
    await database.close()


async def advance(api: Api, token: str, **given: Any) -> dict[str, Any]:
    payload: dict[str, Any] = (await api.data(ADVANCE, token, input=given))["testClockAdvance"]
    return payload


async def test_a_year_passes_at_once_and_every_process_knows(settable: tuple[Services, Api, Api]) -> None:
    services, api, other = settable
    world = World(services)
    owner = await world.customer(starter())
    operator = await world.token(Role.OPERATOR)
    await registered(api, owner.token, people(1, 2))
    assert await may_sign_in(other, owner.token, "u1")
    assert await advance(api, operator, days=1) == {"now": "2026-04-11T03:00:00+00:00", "errors": []}
    today = "{ customer { today } }"
    assert await other.data(today, owner.token) == {"customer": {"today": "2026-04-11"}}
    assert await advance(other, operator, to="2027-03-31T23:59:59+09:00") == {
        "now": "2027-03-31T14:59:59+00:00",
        "errors": [],
    }
    assert await may_sign_in(api, owner.token, "u1")
    await advance(other, operator, to="2027-04-01T00:00:00+09:00")
    assert not await may_sign_in(api, owner.token, "u1")
    falls = "{ customer { capacityFalls(first: 1) { edges { node { on handledAt deactivatedCount } } } } }"
    assert (await api.data(falls, owner.token))["customer"]["capacityFalls"]["edges"] == [
        {"node": {"on": "2027-04-01", "handledAt": "2027-03-31T15:00:00+00:00", "deactivatedCount": 2}}
    ]


async def test_the_clock_goes_forward_only(settable: tuple[Services, Api, Api]) -> None:
    services, api, _ = settable
    operator = await World(services).token(Role.OPERATOR)
    for given, field, to in (
        ({"to": "2026-04-10T02:59:59Z"}, "to", "2026-04-10T02:59:59+00:00"),
        ({"days": -1}, "days", "2026-04-09T03:00:00+00:00"),
        ({"days": 2**31 - 1}, "days", "9999-12-31T23:59:59.999999+00:00"),
    ):
        payload = await advance(api, operator, **given)
        assert payload["now"] is None
        assert [(error["code"], error["field"], error["now"], error["to"]) for error in payload["errors"]] == [
            ("CLOCK_RUNS_BACKWARDS", field, "2026-04-10T03:00:00+00:00", to)
        ]
    assert (await advance(api, operator, days=0))["now"] == "2026-04-10T03:00:00+00:00"


async def test_only_operators_set_it(settable: tuple[Services, Api, Api]) -> None:
    services, api, _ = settable
    world = World(services)
    owner = await world.customer(starter())
    for token in (owner.token, await world.token(Role.SALES)):
        assert (await api.error(ADVANCE, token, input={"days": 1}))["code"] == "FORBIDDEN"


async def test_on_the_systems_clock_it_is_refused(api: Api, world: World) -> None:
    payload = await advance(api, await world.token(Role.OPERATOR), days=1)
    assert [(error["code"], error["message"]) for error in payload["errors"]] == [
        ("TEST_CLOCK_OFF", "The clock is the system's: start the server with SPOTPLAN_CLOCK=test to set it.")
    ]


async def test_it_starts_at_the_current_instant_and_then_stands_still(database_url: str) -> None:
    database = Database(database_url)
    before = system_clock()
    clocks = SettableClock(database), SettableClock(database)
    for clock in clocks:
        await clock.refresh()
    assert before <= clocks[0]() <= system_clock()
    assert clocks[1]() == clocks[0]()
    await clocks[0].refresh()
    assert clocks[0]() == clocks[1]()
    await database.close()


def test_the_clock_is_the_systems_unless_told_otherwise() -> None:
    assert Settings.from_environment({}).clock == "system"
    assert Settings.from_environment({"SPOTPLAN_CLOCK": "test"}).clock == "test"
    with pytest.raises(SettingInvalidError, match="SPOTPLAN_CLOCK must be system or test, not 'Test'"):
        Settings.from_environment({"SPOTPLAN_CLOCK": "Test"})


def test_a_clock_that_was_never_read_says_so(database_url: str) -> None:
    with pytest.raises(RuntimeError, match="must be refreshed"):
        SettableClock(Database(database_url))()


async def test_tokens_go_by_the_real_time(settable: tuple[Services, Api, Api]) -> None:
    services, api, _ = settable
    operator = await World(services).token(Role.OPERATOR)
    await advance(api, operator, to=str(datetime(2099, 1, 1, tzinfo=UTC)).replace(" ", "T"))
    assert await api.data("{ viewer { role } }", operator) == {"viewer": {"role": "OPERATOR"}}
