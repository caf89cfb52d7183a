"""The database refuses by itself what the rules forbid; migrations make exactly the declared tables."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert
from sqlalchemy.exc import IntegrityError

from db.contracts import contracts_by_customer
from db.engine import Database, DatabaseUnavailableError, DatabaseUrlError, async_url
from db.migrate import alembic_config, is_current, migrate
from db.tables import AdditionalLicenceRow, Base, MainContractRow, SpotOrderRow, TermRow
from domain.contracts import AdditionalLicence
from resolvers.services import Services
from tests.world import World, period, starter

NOW = datetime(2026, 4, 10, tzinfo=UTC)
TERM: dict[str, Any] = {
    "main_contract_id": 1,
    "starts_on": date(2027, 4, 1),
    "ends_before": date(2028, 4, 1),
    "previous_ends_before": date(2027, 4, 1),
    "plan_code": "STARTER",
    "units": 1,
    "accounts_per_unit": 100,
    "billing_cycle": "ANNUAL",
    "monthly_unit_price_minor": 5_000,
    "annual_unit_price_minor": 30_000,
}
LICENCE: dict[str, Any] = {
    "main_contract_id": 1,
    "term_starts_on": date(2026, 4, 1),
    "starts_on": date(2026, 5, 1),
    "ends_before": date(2027, 4, 1),
    "units": 1,
    "accounts": 100,
}
ORDER: dict[str, Any] = {
    "customer_id": 1,
    "main_contract_id": 1,
    "starts_on": date(2026, 5, 1),
    "ends_before": date(2026, 6, 1),
    "months": 1,
    "units": 1,
    "accounts": 100,
    "net_minor": 5_000,
    "tax_minor": 500,
    "tax_basis_points": 1_000,
    "currency": "JPY",
    "status": "CONFIRMED",
    "payment_method": "INVOICE",
    "terms_version": "2026-04-01",
    "placed_at": NOW,
    "expires_at": NOW.replace(hour=1),
    "confirmed_at": NOW,
}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("table", "values", "changes"),
    [
        pytest.param(TermRow, TERM, {}, id="a renewal"),
        pytest.param(AdditionalLicenceRow, LICENCE, {}, id="a licence"),
        pytest.param(SpotOrderRow, ORDER, {}, id="an order"),
    ],
)
async def test_what_the_rules_allow_is_stored(
    world: World, services: Services, table: type[Base], values: dict[str, Any], changes: dict[str, Any]
) -> None:
    await world.customer(starter())
    async with services.database.write() as session:
        await session.execute(insert(table).values(**values, **changes))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("table", "values", "changes"),
    [
        pytest.param(TermRow, TERM, {"starts_on": date(2027, 4, 2)}, id="a gap between terms"),
        pytest.param(
            TermRow,
            TERM,
            {"starts_on": date(2027, 3, 31), "previous_ends_before": date(2027, 3, 31)},
            id="a term that overlaps the one before",
        ),
        pytest.param(TermRow, TERM, {"previous_ends_before": None}, id="a second first term"),
        pytest.param(TermRow, TERM, {"ends_before": date(2027, 4, 1)}, id="a term that ends as it starts"),
        pytest.param(TermRow, TERM, {"units": 0}, id="a term without units"),
        pytest.param(TermRow, TERM, {"plan_code": "GOLD"}, id="a term of a plan that does not exist"),
        pytest.param(TermRow, TERM, {"billing_cycle": "WEEKLY"}, id="an unknown billing cycle"),
        pytest.param(
            AdditionalLicenceRow, LICENCE, {"ends_before": date(2027, 3, 1)}, id="a licence that ends before its term"
        ),
        pytest.param(
            AdditionalLicenceRow, LICENCE, {"starts_on": date(2026, 3, 31)}, id="a licence that starts before its term"
        ),
        pytest.param(SpotOrderRow, ORDER, {"customer_id": 2}, id="an order on another customer's contract"),
        pytest.param(SpotOrderRow, ORDER, {"months": 0}, id="an order without months"),
        pytest.param(SpotOrderRow, ORDER, {"accounts": 150, "units": 4}, id="accounts that are not whole units"),
        pytest.param(SpotOrderRow, ORDER, {"ends_before": date(2026, 5, 1)}, id="an order without days"),
        pytest.param(SpotOrderRow, ORDER, {"net_minor": -1}, id="a negative price"),
        pytest.param(SpotOrderRow, ORDER, {"status": "PAID"}, id="a status that does not exist"),
        pytest.param(SpotOrderRow, ORDER, {"confirmed_at": None}, id="a confirmed order without its instant"),
        pytest.param(SpotOrderRow, ORDER, {"payment_method": None}, id="a confirmed order without payment method"),
        pytest.param(SpotOrderRow, ORDER, {"cancelled_at": NOW}, id="an order both confirmed and cancelled"),
    ],
)
async def test_what_the_rules_forbid_cannot_be_stored(
    world: World, services: Services, table: type[Base], values: dict[str, Any], changes: dict[str, Any]
) -> None:
    await world.customer(starter())
    await world.customer(name="Other")
    with pytest.raises(IntegrityError):
        async with services.database.write() as session:
            await session.execute(insert(table).values(**{**values, **changes}))


@pytest.mark.anyio
async def test_no_two_renewals_follow_the_same_term(world: World, services: Services) -> None:
    await world.customer(starter(), starter("2027-04-01", "2028-04-01"))
    with pytest.raises(IntegrityError):
        async with services.database.write() as session:
            await session.execute(insert(TermRow).values(**{**TERM, "ends_before": date(2029, 4, 1)}))


@pytest.mark.anyio
async def test_a_customer_has_one_main_contract(world: World, services: Services) -> None:
    owner = await world.customer(starter())
    with pytest.raises(IntegrityError):
        async with services.database.write() as session:
            await session.execute(insert(MainContractRow).values(customer_id=owner.customer.id, version=1))


@pytest.mark.anyio
async def test_a_contract_is_read_back_as_it_was_stored(world: World, services: Services) -> None:
    licences = (AdditionalLicence(period("2027-06-10", "2028-04-01"), 200),)
    owner = await world.customer(starter(), starter("2027-04-01", "2028-04-01", 3), licences=licences)
    async with services.database.read() as session:
        assert await contracts_by_customer(session, [owner.customer.id]) == {owner.customer.id: owner.stored}


@pytest.mark.anyio
async def test_what_fails_half_way_leaves_nothing(services: Services, world: World) -> None:
    async def fail() -> None:
        async with services.database.write() as session:
            connection = await session.connection()
            await connection.exec_driver_sql("INSERT INTO tax_rates VALUES ('2030-01-01', 1200)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with services.database.read() as session:
        connection = await session.connection()
        assert (await connection.exec_driver_sql("SELECT count(*) FROM tax_rates")).scalar_one() == 1


def test_migrations_make_exactly_the_declared_tables(database_url: str) -> None:
    def difference(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))

    async def compared() -> list[Any]:
        database = Database(database_url)
        async with database.read() as session:
            found = await (await session.connection()).run_sync(difference)
        await database.close()
        return found

    assert asyncio.run(compared()) == []


def test_migrations_go_down_and_up_again(database_url: str) -> None:
    assert is_current(database_url)
    command.downgrade(alembic_config(database_url), "base")
    assert not is_current(database_url)
    migrate(database_url)
    migrate(database_url)
    assert is_current(database_url)


@pytest.mark.parametrize("address", ["mysql://localhost/x", "spotplan.db", ""])
def test_an_address_of_another_kind_is_refused_by_name(address: str) -> None:
    with pytest.raises(DatabaseUrlError) as refusal:
        async_url(address)
    assert str(refusal.value) == (f"SPOTPLAN_DATABASE_URL must be sqlite:///FILE or postgresql://..., not {address!r}")


@pytest.mark.anyio
@pytest.mark.parametrize("address", ["postgresql://x@127.0.0.1:1/x", "sqlite:////dev/null/x.db"])
async def test_a_database_that_cannot_be_reached_is_unavailable(address: str) -> None:
    async def connect() -> None:
        async with Database(address).read() as session:
            await session.connection()

    with pytest.raises(DatabaseUnavailableError):
        await connect()
