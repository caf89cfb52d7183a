"""Placing, checking out and cancelling: every refusal with its numbers, and what did not happen."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from db.tables import IdempotencyKeyRow, MainContractRow, SpotOrderRow
from domain.customers import CustomerKind
from resolvers.services import Services
from tests.world import (
    CANCEL,
    PLACE,
    Api,
    TestClock,
    World,
    checked_out,
    confirmed,
    place_input,
    placed,
    starter,
)

pytestmark = pytest.mark.anyio


async def stored(services: Services) -> tuple[int, int, int]:
    """How many orders and idempotency keys there are, and the contract's version."""
    async with services.database.read() as session:
        orders = (await session.execute(select(func.count()).select_from(SpotOrderRow))).scalar_one()
        keys = (await session.execute(select(func.count()).select_from(IdempotencyKeyRow))).scalar_one()
        version = (await session.execute(select(MainContractRow.version))).scalar_one()
    return orders, keys, version


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        (
            {"accounts": 150},
            [
                {
                    "__typename": "AccountsNotMultiple",
                    "code": "ACCOUNTS_NOT_MULTIPLE",
                    "field": "accounts",
                    "message": "150 accounts is not a positive multiple of 100.",
                    "accounts": 150,
                    "accountsPerUnit": 100,
                }
            ],
        ),
        (
            {"accounts": -100},
            [
                {
                    "__typename": "AccountsNotMultiple",
                    "code": "ACCOUNTS_NOT_MULTIPLE",
                    "field": "accounts",
                    "message": "-100 accounts is not a positive multiple of 100.",
                    "accounts": -100,
                    "accountsPerUnit": 100,
                }
            ],
        ),
        (
            {"startsOn": "2026-04-09"},
            [
                {
                    "__typename": "StartsInThePast",
                    "code": "STARTS_IN_THE_PAST",
                    "field": "startsOn",
                    "message": "The first day, 2026-04-09, is before today, 2026-04-10.",
                    "startsOn": "2026-04-09",
                    "today": "2026-04-10",
                }
            ],
        ),
        (
            {"months": 0},
            [
                {
                    "__typename": "MonthsOutOfRange",
                    "code": "MONTHS_OUT_OF_RANGE",
                    "field": "months",
                    "message": "0 is not a whole number of months from 1 to 600 that ends inside the calendar.",
                    "months": 0,
                    "monthsMax": 600,
                }
            ],
        ),
        (
            {"agreedTermsVersion": "2025-01-01"},
            [
                {
                    "__typename": "TermsNotAgreed",
                    "code": "TERMS_NOT_AGREED",
                    "field": "agreedTermsVersion",
                    "message": "The terms of use 2026-04-01 must be agreed to, not '2025-01-01'.",
                    "agreedVersion": "2025-01-01",
                    "currentVersion": "2026-04-01",
                }
            ],
        ),
        (
            {"accounts": 1, "months": 13, "startsOn": "2026-04-01", "agreedTermsVersion": ""},
            ["AccountsNotMultiple", "StartsInThePast", "EndsAfterContract", "TermsNotAgreed"],
        ),
    ],
)
async def test_a_refused_order_says_every_reason_and_stores_nothing(
    api: Api, world: World, services: Services, changes: dict[str, Any], errors: list[Any]
) -> None:
    owner = await world.customer(starter())
    payload = (await api.data(PLACE, owner.token, input=place_input(**changes)))["spotOrderPlace"]
    assert payload["order"] is None
    found = payload["errors"]
    assert (found if isinstance(errors[0], dict) else [error["__typename"] for error in found]) == errors
    assert await stored(services) == (0, 0, 1)


async def test_an_amount_beyond_32_bits_is_refused_with_the_amount(api: Api, world: World, services: Services) -> None:
    owner = await world.customer(starter())
    payload = (await api.data(PLACE, owner.token, input=place_input(accounts=40_000_000)))["spotOrderPlace"]
    assert [(error["code"], error["message"]) for error in payload["errors"]] == [
        ("AMOUNT_TOO_LARGE", "The amount would be 2200000000, more than the largest amount handled, 2147483647.")
    ]
    assert await stored(services) == (0, 0, 1)


async def test_today_is_the_customers_own_day(api: Api, world: World, clock: TestClock) -> None:
    clock.now = clock.now.replace(hour=15)  # 15:00 UTC is midnight in Tokyo: 11 April there
    tokyo = await world.customer(starter())
    honolulu = await world.customer(starter(), name="Aloha", time_zone="Pacific/Honolulu")
    refused = (await api.data(PLACE, tokyo.token, input=place_input(startsOn="2026-04-10")))["spotOrderPlace"]
    assert refused["errors"][0]["today"] == "2026-04-11"
    assert (await placed(api, honolulu.token, startsOn="2026-04-10"))["startsOn"] == "2026-04-10"


async def test_checkout_by_invoice_confirms_at_once_due_at_the_end_of_the_following_month(
    api: Api, world: World, services: Services, clock: TestClock
) -> None:
    owner = await world.customer(starter())
    order = await placed(api, owner.token)
    assert order["status"] == "AWAITING_PAYMENT_METHOD"
    assert order["number"] == "SO-2026-00001"
    assert order["expiresAt"] == "2026-04-10T03:30:00+00:00"
    clock.now += timedelta(minutes=29, seconds=59)
    payload = await checked_out(api, owner.token, order)
    assert payload == {
        "order": {
            "id": order["id"],
            "number": "SO-2026-00001",
            "status": "CONFIRMED",
            "paymentMethod": "INVOICE",
            "paymentDueOn": "2026-05-31",
            "confirmedAt": "2026-04-10T03:29:59+00:00",
        },
        "errors": [],
    }
    assert await stored(services) == (1, 2, 2)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        (
            {"expectedTotal": 5_499},
            {
                "__typename": "PriceChanged",
                "code": "PRICE_CHANGED",
                "field": "expectedTotal",
                "message": "The total is 5500 in minor units, not the expected 5499.",
                "expectedTotal": 5_499,
                "currentTotal": 5_500,
            },
        ),
        (
            {"paymentMethod": "CREDIT_CARD"},
            {
                "__typename": "PaymentMethodUnavailable",
                "code": "PAYMENT_METHOD_UNAVAILABLE",
                "field": "paymentMethod",
                "message": "Payment by CREDIT_CARD is not available here; available: INVOICE, BANK_TRANSFER.",
                "method": "CREDIT_CARD",
                "available": ["INVOICE", "BANK_TRANSFER"],
            },
        ),
    ],
)
async def test_a_refused_checkout_leaves_the_order_open(
    api: Api, world: World, services: Services, changes: dict[str, Any], error: dict[str, Any]
) -> None:
    owner = await world.customer(starter())
    order = await placed(api, owner.token)
    assert (await checked_out(api, owner.token, order, **changes)) == {"order": None, "errors": [error]}
    assert await stored(services) == (1, 1, 1)
    assert (await checked_out(api, owner.token, order))["order"]["status"] == "CONFIRMED"


async def test_an_individual_cannot_pay_by_invoice(api: Api, world: World) -> None:
    owner = await world.customer(starter(), kind=CustomerKind.INDIVIDUAL)
    payload = await checked_out(api, owner.token, await placed(api, owner.token))
    assert [error["message"] for error in payload["errors"]] == [
        "Payment by INVOICE is not available here; available: BANK_TRANSFER."
    ]


async def test_an_order_expires_after_30_minutes_and_then_can_neither_be_paid_nor_cancelled(
    api: Api, world: World, clock: TestClock
) -> None:
    owner = await world.customer(starter())
    order = await placed(api, owner.token)
    clock.now += timedelta(minutes=30)
    assert (await checked_out(api, owner.token, order))["errors"] == [
        {
            "__typename": "OrderExpired",
            "code": "ORDER_EXPIRED",
            "field": "orderId",
            "message": "The order expired at 2026-04-10 03:30:00 UTC; place it again.",
            "expiredAt": "2026-04-10T03:30:00+00:00",
        }
    ]
    payload = (await api.data(CANCEL, owner.token, input={"orderId": order["id"]}))["spotOrderCancel"]
    assert [error["code"] for error in payload["errors"]] == ["ORDER_EXPIRED"]
    answer = await api.data("query($id: ID!) { node(id: $id) { ... on SpotOrder { status } } }", owner.token, **order)
    assert answer == {"node": {"status": "EXPIRED"}}


async def test_cancelling_twice_is_one_cancellation_and_the_order_cannot_be_paid(
    api: Api, world: World, services: Services
) -> None:
    owner = await world.customer(starter())
    order = await placed(api, owner.token)
    first = await api.data(CANCEL, owner.token, input={"orderId": order["id"]})
    again = await api.data(CANCEL, owner.token, input={"orderId": order["id"]})
    assert first == again
    assert first["spotOrderCancel"]["order"]["status"] == "CANCELLED"
    assert (await checked_out(api, owner.token, order))["errors"] == [
        {
            "__typename": "OrderMoveRefused",
            "code": "ORDER_MOVE_REFUSED",
            "field": "orderId",
            "message": "An order that is CANCELLED cannot become CONFIRMED.",
            "status": "CANCELLED",
            "wanted": "CONFIRMED",
        }
    ]
    assert await stored(services) == (1, 1, 1)


async def test_a_confirmed_order_cannot_be_paid_again(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    order = await placed(api, owner.token)
    await checked_out(api, owner.token, order, key="pay-1")
    again = await checked_out(api, owner.token, order, key="pay-2")
    assert [(error["status"], error["wanted"]) for error in again["errors"]] == [("CONFIRMED", "CONFIRMED")]


async def test_the_status_follows_the_dates_without_anything_running(api: Api, world: World, clock: TestClock) -> None:
    owner = await world.customer(starter())
    order = await confirmed(api, owner.token)
    query = "query($id: ID!) { node(id: $id) { ... on SpotOrder { status } } }"
    seen = []
    # 15:00 UTC is midnight in Tokyo.
    for instant in ("2026-04-30T14:59", "2026-04-30T15:00", "2026-05-31T14:59", "2026-05-31T15:00"):
        clock.now = clock.now.fromisoformat(f"{instant}:00+00:00")
        seen.append((await api.data(query, owner.token, id=order["id"]))["node"]["status"])
    assert seen == ["CONFIRMED", "ACTIVE", "ACTIVE", "ENDED"]


async def test_the_same_key_and_input_replays_the_order_and_other_input_is_refused(
    api: Api, world: World, services: Services
) -> None:
    owner = await world.customer(starter())
    first = await placed(api, owner.token)
    assert await placed(api, owner.token) == first
    payload = (await api.data(PLACE, owner.token, input=place_input(months=2)))["spotOrderPlace"]
    assert payload["order"] is None
    assert [(error["__typename"], error["key"]) for error in payload["errors"]] == [("IdempotencyKeyReused", "key-1")]
    # A key of another operation is another use, too.
    reused = await checked_out(api, owner.token, first, key="key-1")
    assert [error["code"] for error in reused["errors"]] == ["IDEMPOTENCY_KEY_REUSED"]
    assert await stored(services) == (1, 1, 1)


async def test_a_replay_succeeds_even_when_the_order_would_be_refused_by_now(
    api: Api, world: World, clock: TestClock
) -> None:
    owner = await world.customer(starter())
    order = await placed(api, owner.token, startsOn="2026-04-10")
    clock.now += timedelta(days=1)
    assert (await placed(api, owner.token, startsOn="2026-04-10"))["id"] == order["id"]


async def test_a_refused_request_does_not_use_up_its_key(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    await api.data(PLACE, owner.token, input=place_input(accounts=1))
    assert (await placed(api, owner.token))["accounts"] == 100


async def test_keys_belong_to_their_customer(api: Api, world: World) -> None:
    one, two = await world.customer(starter()), await world.customer(starter(), name="Other")
    assert (await placed(api, one.token))["id"] != (await placed(api, two.token))["id"]


@pytest.mark.parametrize(("key", "length"), [("", 0), ("x" * 201, 201), ("a\0", 2)])
async def test_a_key_of_unusable_length_is_refused(api: Api, world: World, key: str, length: int) -> None:
    owner = await world.customer(starter())
    payload = (await api.data(PLACE, owner.token, input=place_input(key)))["spotOrderPlace"]
    assert [error["message"] for error in payload["errors"]] == [
        f"An idempotency key has 1 to 200 printable characters; this one has {length} characters."
    ]


PREVIEW = """
query($input: SpotOrderInput!) {
  spotOrderPreview(input: $input) {
    startsOn endsBefore lastDay termsVersion
    price { net { minorUnits } tax { minorUnits } total { minorUnits } }
    priceLines { startsOn months units unitPrice { minorUnits } net { minorUnits } }
    capacityBefore { from until accounts } capacityAfter { from until accounts }
    refusals { __typename }
  }
}"""


async def test_a_preview_shows_days_price_and_capacity_and_stores_nothing(
    api: Api, world: World, services: Services
) -> None:
    owner = await world.customer(
        starter("2025-06-01", "2026-06-01"), starter("2026-06-01", "2027-06-01", 2, monthly_unit_price_minor=6_001)
    )
    items = {"accounts": 300, "startsOn": "2026-04-30", "months": 3}
    preview = (await api.data(PREVIEW, owner.token, input=items))["spotOrderPreview"]
    assert preview == {
        "startsOn": "2026-04-30",
        "endsBefore": "2026-07-30",
        "lastDay": "2026-07-29",
        "termsVersion": "2026-04-01",
        "price": {"net": {"minorUnits": 48_003}, "tax": {"minorUnits": 4_800}, "total": {"minorUnits": 52_803}},
        "priceLines": [
            {
                "startsOn": "2026-04-30",
                "months": 2,
                "units": 3,
                "unitPrice": {"minorUnits": 5_000},
                "net": {"minorUnits": 30_000},
            },
            {
                "startsOn": "2026-06-30",
                "months": 1,
                "units": 3,
                "unitPrice": {"minorUnits": 6_001},
                "net": {"minorUnits": 18_003},
            },
        ],
        "capacityBefore": [
            {"from": "2026-04-30", "until": "2026-06-01", "accounts": 100},
            {"from": "2026-06-01", "until": "2026-07-30", "accounts": 200},
        ],
        "capacityAfter": [
            {"from": "2026-04-30", "until": "2026-06-01", "accounts": 400},
            {"from": "2026-06-01", "until": "2026-07-30", "accounts": 500},
        ],
        "refusals": [],
    }
    assert await stored(services) == (0, 0, 1)


async def test_a_preview_lists_what_the_order_would_be_refused_for(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    items = {"accounts": 50, "startsOn": "2026-04-09", "months": 0}
    preview = (await api.data(PREVIEW, owner.token, input=items))["spotOrderPreview"]
    assert preview["price"] is None
    assert preview["endsBefore"] is None
    assert [refusal["__typename"] for refusal in preview["refusals"]] == [
        "AccountsNotMultiple",
        "StartsInThePast",
        "MonthsOutOfRange",
    ]
