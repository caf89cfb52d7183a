"""Many requests at once, on both databases: one effect per key, and never a half-done one."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from db.contracts import contracts_by_customer
from db.documents import balances
from db.tables import IdempotencyKeyRow, SpotOrderRow
from domain.capacity import capacity_on
from resolvers.services import Services
from tests.world import CANCEL, CHECKOUT, PLACE, Api, Owned, World, checked_out, place_input, placed, starter

pytestmark = pytest.mark.anyio


async def rows(services: Services) -> tuple[list[SpotOrderRow], set[str]]:
    """All orders, and all idempotency keys."""
    async with services.database.read() as session:
        orders = list(await session.scalars(select(SpotOrderRow).order_by(SpotOrderRow.id)))
        keys = set(await session.scalars(select(IdempotencyKeyRow.key)))
    return orders, keys


async def capacity_and_version(services: Services, owner: Owned) -> tuple[int, int]:
    """Capacity on 1 May, and the contract's version."""
    async with services.database.read() as session:
        stored = (await contracts_by_customer(session, [owner.customer.id]))[owner.customer.id]
    return capacity_on(stored.contract, stored.contract.terms[0].period.starts_on.replace(month=5)), stored.version


@pytest.mark.parametrize("times", [2, 10])
async def test_identical_orders_at_the_same_moment_make_one_order(
    api: Api, world: World, services: Services, times: int
) -> None:
    owner = await world.customer(starter())
    answers = await asyncio.gather(*(api.data(PLACE, owner.token, input=place_input()) for _ in range(times)))
    assert answers == [answers[0]] * times
    assert answers[0]["spotOrderPlace"]["errors"] == []
    orders, keys = await rows(services)
    assert (len(orders), keys) == (1, {"key-1"})


async def test_identical_checkouts_at_the_same_moment_confirm_once(api: Api, world: World, services: Services) -> None:
    owner = await world.customer(starter())
    order = await placed(api, owner.token)
    answers = await asyncio.gather(*(checked_out(api, owner.token, order) for _ in range(10)))
    assert answers == [answers[0]] * 10
    assert answers[0]["order"]["status"] == "CONFIRMED"
    assert await capacity_and_version(services, owner) == (200, 2)


async def test_50_orders_at_once_on_one_contract_all_end_consistently(
    api: Api, world: World, services: Services
) -> None:
    owner = await world.customer(starter())

    async def order(number: int) -> dict[str, Any]:
        """Every third is refused, every third paid, every third left open."""
        accounts = 150 if number % 3 == 0 else 100
        payload = (await api.data(PLACE, owner.token, input=place_input(f"k{number}", accounts=accounts)))[
            "spotOrderPlace"
        ]
        if number % 3 == 1:
            await checked_out(api, owner.token, payload["order"], key=f"pay-{number}")
        answer: dict[str, Any] = payload
        return answer

    payloads = await asyncio.gather(*(order(number) for number in range(50)))
    accepted = [payload["order"] for payload in payloads if payload["order"]]
    refused = [error["code"] for payload in payloads for error in payload["errors"]]
    assert (len(accepted), refused) == (33, ["ACCOUNTS_NOT_MULTIPLE"] * 17)
    assert len({item["number"] for item in accepted}) == 33
    orders, keys = await rows(services)
    assert [item.status for item in orders].count("CONFIRMED") == 17
    assert [item.status for item in orders].count("AWAITING_PAYMENT_METHOD") == 16
    assert keys == {f"k{n}" for n in range(50) if n % 3} | {f"pay-{n}" for n in range(50) if n % 3 == 1}
    assert await capacity_and_version(services, owner) == (100 + 17 * 100, 1 + 17)


@pytest.mark.parametrize("attempt", range(5))
async def test_paying_and_cancelling_at_once_always_ends_cancelled_and_owes_nothing(
    api: Api, world: World, services: Services, attempt: int
) -> None:
    owner = await world.customer(starter())
    order = await placed(api, owner.token)
    pay = {"orderId": order["id"], "paymentMethod": "INVOICE", "expectedTotal": 5_500, "idempotencyKey": "p"}
    calls = [api.data(CHECKOUT, owner.token, input=pay), api.data(CANCEL, owner.token, input={"orderId": order["id"]})]
    answers = await asyncio.gather(*(calls if attempt % 2 else calls[::-1]))
    outcomes = {key: payload for answer in answers for key, payload in answer.items()}
    # Whoever was first: an order that is not paid is cancelled, one that is paid is taken back from its invoice.
    paid = outcomes["spotOrderCheckout"]["order"] is not None
    assert outcomes["spotOrderCancel"]["order"]["status"] == "CANCELLED"
    assert await capacity_and_version(services, owner) == (100, 3 if paid else 1)
    orders, _ = await rows(services)
    assert [item.status for item in orders] == ["CANCELLED"]
    async with services.database.read() as session:
        assert (await balances(session, [owner.customer.id]))[owner.customer.id] == 0
