"""Every refusal of orders, purchases, quotes and money: its type, its field, its numbers, on both databases."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient

from db.tables import PlanPriceRow, PlanRow
from domain.customers import CustomerKind
from payments.demo import DemoProvider
from resolvers.access import Role
from resolvers.services import Services
from schema.app import create_app
from tests.commerce import AGREED, ISSUE, SAVE, accepted, mutation, operator, ordered, paid
from tests.people import people, registered
from tests.refusals import EVERYTHING, KINDS, Refusal, read, refusal, refusals
from tests.world import Api, Owned, TestClock, World, confirmed, placed, starter

pytestmark = pytest.mark.anyio

TERM: dict[str, Any] = {"planCode": "STARTER", "units": 1, "billingCycle": "ANNUAL", "startsOn": "2026-04-10"}
RENEWAL: dict[str, Any] = {"planCode": "STARTER", "units": 1, "billingCycle": "ANNUAL"}
LICENCE: dict[str, Any] = {"units": 1, "startsOn": "2026-05-01"}
SPOT: dict[str, Any] = {"accounts": 100, "startsOn": "2026-05-01", "months": 1}
SIGNED: dict[str, Any] = {"agreedTermsVersion": AGREED, "idempotencyKey": "key"}
PREVIEW = f"query($input: SpotOrderInput!) {{ spotOrderPreview(input: $input) {{ refusals {{ {EVERYTHING} }} }} }}"
CONTRACT_PREVIEW = (
    f"query($item: ContractItemInput!) {{ contractOrderPreview(item: $item) {{ refusals {{ {EVERYTHING} }} }} }}"
)
PURCHASES = "{ customer { purchases(first: 10) { edges { node { id number total { minorUnits } } } } } }"


@pytest.fixture
def with_cards(services: Services) -> Services:
    # The tests ask for every number of every kind of refusal.
    settings = replace(services.settings, query_tokens_max=2_000, query_aliases_max=500)
    return replace(services, settings=settings, cards=DemoProvider("a secret of the demo"))


@pytest.fixture
async def api(with_cards: Services) -> AsyncIterator[Api]:
    async with AsyncClient(transport=ASGITransport(create_app(with_cards)), base_url="http://testserver") as client:
        yield Api(client)


def test_every_kind_of_refusal_is_provoked_by_a_test_over_graphql() -> None:
    said = "".join(file.read_text("utf-8") for file in Path(__file__).parent.glob("test_*.py"))
    codes = {kind: re.sub(r"(?<!^)(?=[A-Z])", "_", kind).upper() for kind in KINDS}
    assert [kind for kind, code in codes.items() if not re.search(rf"\b({kind}|{code})\b", said)] == []


# Spot orders, as the design lists what refuses them.


async def spot_is_refused(api: Api, world: World, owner: Owned, expected: list[Refusal], **changes: Any) -> None:
    """The preview and the order say the same, and a quote says so of its item."""
    items = {**SPOT, **changes}
    shown = await api.data(PREVIEW, owner.token, input=items)
    assert read(shown["spotOrderPreview"]["refusals"]) == expected
    assert await refusals(api, owner.token, "spotOrderPlace", **items, **SIGNED) == expected
    quote = {"customerId": owner.id, "items": [{"spot": items}], "validUntil": "2026-04-30", "idempotencyKey": "q"}
    quoted = await refusals(api, await world.token(Role.SALES), "quoteIssue", **quote)
    of_item = [item["field"] if item["field"] == "customerId" else f"items[0].{item['field']}" for item in expected]
    assert quoted == [{**item, "field": field} for item, field in zip(expected, of_item, strict=True)]
    assert (await api.data(PURCHASES, owner.token))["customer"]["purchases"]["edges"] == []


@pytest.mark.parametrize("accounts", [150, 99, 0, -100])
async def test_accounts_must_be_a_positive_multiple_of_a_unit(api: Api, world: World, accounts: int) -> None:
    message = f"{accounts} accounts is not a positive multiple of 100."
    expected = refusal("AccountsNotMultiple", "accounts", message, accounts=accounts, accountsPerUnit=100)
    await spot_is_refused(api, world, await world.customer(starter()), [expected], accounts=accounts)


@pytest.mark.parametrize("months", [0, -1, 601])
async def test_months_must_be_a_whole_number_from_one(api: Api, world: World, months: int) -> None:
    message = f"{months} is not a whole number of months from 1 to 600 that ends inside the calendar."
    expected = refusal("MonthsOutOfRange", "months", message, months=months, monthsMax=600)
    await spot_is_refused(api, world, await world.customer(starter()), [expected], months=months)


@pytest.mark.parametrize("wrong", [{"months": 1.5}, {"accounts": 100.5}])
async def test_half_a_month_or_account_is_no_input_at_all(api: Api, world: World, wrong: dict[str, Any]) -> None:
    owner = await world.customer(starter())
    error = await api.error(PREVIEW, owner.token, input={**SPOT, **wrong})
    assert error["code"] == "GRAPHQL_INVALID"
    assert "Int cannot represent non-integer value" in error["message"]


async def test_a_spot_cannot_start_before_today(api: Api, world: World) -> None:
    message = "The first day, 2026-04-09, is before today, 2026-04-10."
    expected = refusal("StartsInThePast", "startsOn", message, startsOn="2026-04-09", today="2026-04-10")
    await spot_is_refused(api, world, await world.customer(starter()), [expected], startsOn="2026-04-09")


async def test_the_time_before_the_paid_plan_is_closed(api: Api, world: World) -> None:
    message = "The spot would start on 2026-05-01, before the main contract starts on 2026-05-02."
    expected = refusal(
        "StartsBeforeContract", "startsOn", message, startsOn="2026-05-01", contractStartsOn="2026-05-02"
    )
    await spot_is_refused(api, world, await world.customer(starter("2026-05-02", "2027-05-02")), [expected])


async def test_nothing_reaches_past_the_contract_until_a_renewal_extends_it(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    late = {"startsOn": "2027-03-02", "months": 1}
    message = "The spot would end before 2027-04-02, but the main contract ends before 2027-04-01."
    expected = refusal("EndsAfterContract", "months", message, endsBefore="2027-04-02", contractEndsBefore="2027-04-01")
    await spot_is_refused(api, world, owner, [expected], **late)
    await paid(api, owner.token, await ordered(api, owner.token, "mainContractRenew", **RENEWAL))
    assert (await placed(api, owner.token, "fits", **late))["lastDay"] == "2027-04-01"


@pytest.mark.parametrize("ended", [None, "2026-04-10"])
async def test_without_a_paid_contract_there_is_nothing_to_add_to(api: Api, world: World, ended: str | None) -> None:
    owner = await world.customer(*([starter("2025-04-10", ended)] if ended else []))
    message = "There is no paid main contract to add accounts to" + (f": it ended before {ended}." if ended else ".")
    expected = refusal("NoPaidContract", "customerId", message, contractEndedBefore=ended)
    await spot_is_refused(api, world, owner, [expected])
    for item in ({"renewal": RENEWAL}, {"additionalLicence": LICENCE}, {"upgrade": {"planCode": "STANDARD"}}):
        answer = await api.data(CONTRACT_PREVIEW, owner.token, item=item)
        assert read(answer["contractOrderPreview"]["refusals"]) == [expected]


@pytest.mark.parametrize("agreed", ["2025-01-01", ""])
async def test_the_current_terms_of_use_must_be_agreed_to(api: Api, world: World, agreed: str) -> None:
    owner = await world.customer(starter())
    message = f"The terms of use 2026-04-01 must be agreed to, not '{agreed}'."
    expected = refusal(
        "TermsNotAgreed", "agreedTermsVersion", message, agreedVersion=agreed, currentVersion="2026-04-01"
    )
    wrong = {**SIGNED, "agreedTermsVersion": agreed}
    assert await refusals(api, owner.token, "spotOrderPlace", **SPOT, **wrong) == [expected]
    assert await refusals(api, owner.token, "mainContractRenew", **RENEWAL, **wrong) == [expected]


# Orders of the main contract.


async def contract_is_refused(api: Api, owner: Owned, name: str, expected: Refusal, **item: Any) -> None:
    """The preview and the order say the same."""
    kind = {
        "mainContractOrder": "term",
        "mainContractRenew": "renewal",
        "additionalLicenceOrder": "additionalLicence",
        "mainContractUpgrade": "upgrade",
    }[name]
    answer = await api.data(CONTRACT_PREVIEW, owner.token, item={kind: item})
    assert read(answer["contractOrderPreview"]["refusals"]) == [expected]
    assert await refusals(api, owner.token, name, **item, **SIGNED) == [expected]


async def test_a_second_contract_or_one_from_yesterday_is_refused(api: Api, world: World) -> None:
    there = await world.customer(starter())
    message = "There is a paid contract already; it ends before 2027-04-01."
    expected = refusal("ContractInForce", "customerId", message, contractEndsBefore="2027-04-01")
    await contract_is_refused(api, there, "mainContractOrder", expected, **TERM)
    free = await world.customer(name="Free")
    message = "The first day, 2026-04-09, is before today, 2026-04-10."
    expected = refusal("StartsInThePast", "startsOn", message, startsOn="2026-04-09", today="2026-04-10")
    await contract_is_refused(api, free, "mainContractOrder", expected, **{**TERM, "startsOn": "2026-04-09"})
    message = "0 is not a whole number of months from 1 to 600 that ends inside the calendar."
    expected = refusal("MonthsOutOfRange", "months", message, months=0, monthsMax=600)
    monthly = {**TERM, "billingCycle": "MONTHLY", "months": 0}
    await contract_is_refused(api, free, "mainContractOrder", expected, **monthly)


@pytest.mark.parametrize("code", ["FREE", "GOLD", ""])
async def test_a_plan_that_is_not_sold_is_refused(api: Api, world: World, code: str) -> None:
    free, there = await world.customer(), await world.customer(starter(), name="There")

    def expected(day: str) -> Refusal:
        message = f"The plan '{code}' is not for sale on {day}."
        return refusal("PlanNotForSale", "planCode", message, planCode=code, day=day)

    await contract_is_refused(api, free, "mainContractOrder", expected("2026-04-10"), **{**TERM, "planCode": code})
    begins = "2027-04-01" if code == "FREE" else "2026-04-10"  # what no plan is called is not for sale at all
    await contract_is_refused(api, there, "mainContractRenew", expected(begins), **{**RENEWAL, "planCode": code})
    await contract_is_refused(api, there, "mainContractUpgrade", expected("2026-04-10"), planCode=code)


@pytest.mark.parametrize("units", [0, -1, 100_001])
async def test_units_out_of_range_are_refused(api: Api, world: World, units: int) -> None:
    free, there = await world.customer(), await world.customer(starter(), name="There")
    message = f"{units} units is not between 1 and 100000."
    expected = refusal("UnitsOutOfRange", "units", message, units=units, unitsMax=100_000)
    await contract_is_refused(api, free, "mainContractOrder", expected, **{**TERM, "units": units})
    await contract_is_refused(api, there, "mainContractRenew", expected, **{**RENEWAL, "units": units})
    await contract_is_refused(api, there, "additionalLicenceOrder", expected, **{**LICENCE, "units": units})


async def test_amounts_beyond_32_bits_are_refused_where_they_come_from(api: Api, world: World) -> None:
    owner = await world.customer(starter())

    def expected(field: str, amount: int) -> Refusal:
        message = f"The amount would be {amount}, more than the largest amount handled, 2147483647."
        return refusal("AmountTooLarge", field, message, amount=str(amount), amountMax=2_147_483_647)

    many = expected("units", 3_300_000_000)
    await contract_is_refused(api, owner, "mainContractRenew", many, **{**RENEWAL, "units": 100_000})
    sales = await world.token(Role.SALES)
    quote: dict[str, Any] = {"customerId": owner.id, "validUntil": "2026-04-30", "idempotencyKey": "q"}
    half, whole = ({"spot": {**SPOT, "accounts": accounts}} for accounts in (20_000_000, 40_000_000))
    found = await refusals(api, sales, "quoteIssue", **quote, items=[half, whole])
    assert found == [expected("items[1].accounts", 2_200_000_000)]
    found = await refusals(api, sales, "quoteIssue", **quote, items=[half, half])  # each by itself would fit
    assert found == [expected("items", 2_200_000_000)]
    need = {"profile": [{"from": "2026-05-01", "until": "2026-09-15", "accounts": 10_000_000}]}
    found = await refusals(api, owner.token, "recommendationSave", demand=need)
    assert found == [expected("demand", 2_749_972_500)]
    spot = await refusals(api, owner.token, "spotOrderPlace", **{**SPOT, "accounts": 40_000_000}, **SIGNED)
    assert spot == [expected("accounts", 2_200_000_000)]


async def test_all_units_of_a_contract_have_one_size(api: Api, world: World, services: Services) -> None:
    async with services.database.write() as session:
        session.add(PlanRow(code="SMALL", name="Small", accounts_per_unit=50, position=9))
        await session.flush()
        session.add(
            PlanPriceRow(
                plan_code="SMALL", effective_from=date(2026, 1, 1), monthly_unit_price_minor=9_000,
                annual_unit_price_minor=90_000,
            )
        )  # fmt: skip
    owner = await world.customer(starter())
    message = "The plan has 50 accounts in a unit, the contract 100."
    expected = refusal("UnitSizeDiffers", "planCode", message, accountsPerUnit=50, contractAccountsPerUnit=100)
    await contract_is_refused(api, owner, "mainContractRenew", expected, **{**RENEWAL, "planCode": "SMALL"})
    await contract_is_refused(api, owner, "mainContractUpgrade", expected, planCode="SMALL")


@pytest.mark.parametrize("day", ["2026-04-09", "2027-04-01"])
async def test_licences_begin_on_a_day_of_the_contract_from_today_on(api: Api, world: World, day: str) -> None:
    owner = await world.customer(starter())
    message = f"{day} is not a day from 2026-04-10 to 2027-03-31, on which something can be added to the contract."
    expected = refusal("DayOutsideTerm", "startsOn", message, day=day, firstDay="2026-04-10", lastDay="2027-03-31")
    await contract_is_refused(api, owner, "additionalLicenceOrder", expected, **{**LICENCE, "startsOn": day})


async def test_nothing_is_added_to_a_contract_before_it_begins(api: Api, world: World) -> None:
    owner = await world.customer(starter("2026-06-01", "2027-06-01"))

    def expected(field: str) -> Refusal:
        days = "2026-04-10 is not a day from 2026-06-01 to 2027-05-31"
        numbers = {"day": "2026-04-10", "firstDay": "2026-06-01", "lastDay": "2027-05-31"}
        return refusal("DayOutsideTerm", field, f"{days}, on which something can be added to the contract.", **numbers)

    licence = {**LICENCE, "startsOn": "2026-04-10"}
    await contract_is_refused(api, owner, "additionalLicenceOrder", expected("startsOn"), **licence)
    await contract_is_refused(api, owner, "mainContractUpgrade", expected("customerId"), planCode="STANDARD")


async def test_an_upgrade_leads_to_a_dearer_plan(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    message = "STARTER at 30000 a year and unit is not above STARTER, 30000."
    expected = refusal(
        "NotAnUpgrade", "planCode", message, planCode="STARTER", annualUnitPrice=30_000, currentPlanCode="STARTER",
        currentPrice=30_000,
    )  # fmt: skip
    await contract_is_refused(api, owner, "mainContractUpgrade", expected, planCode="STARTER")


async def test_only_a_renewal_that_nothing_needs_is_taken_back(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    message = "There is no renewal after 2026-04-10 to cancel."
    expected = refusal("NoRenewalToCancel", "customerId", message, today="2026-04-10")
    assert await refusals(api, owner.token, "mainContractCancelRenewal") == [expected]
    await paid(api, owner.token, await ordered(api, owner.token, "mainContractRenew", **RENEWAL))
    licences = await ordered(api, owner.token, "additionalLicenceOrder", "licence", units=1, startsOn="2027-05-01")
    await paid(api, owner.token, licences, key="pay-licence")
    await confirmed(api, owner.token, "spot", startsOn="2027-03-15")
    message = "1 spot contracts and 1 additional licences reach past 2027-04-01."
    expected = refusal("RenewalInUse", "customerId", message, spots=1, licences=1, contractEndsBefore="2027-04-01")
    assert await refusals(api, owner.token, "mainContractCancelRenewal") == [expected]


# Purchases and money.


async def purchase_of(api: Api, owner: Owned) -> dict[str, Any]:
    """The customer's newest purchase."""
    found: dict[str, Any] = (await api.data(PURCHASES, owner.token))["customer"]["purchases"]["edges"][0]["node"]
    return found


def checkout(purchase: dict[str, Any], method: str = "INVOICE", key: str = "pay", **changes: Any) -> dict[str, Any]:
    total = purchase["total"]["minorUnits"]
    return {
        "purchaseId": purchase["id"], "paymentMethod": method, "expectedTotal": total, "idempotencyKey": key, **changes,
    }  # fmt: skip


async def test_a_checkout_at_another_total_or_by_another_method_is_refused(api: Api, world: World) -> None:
    owner = await world.customer(starter(), kind=CustomerKind.INDIVIDUAL)
    await placed(api, owner.token)
    purchase = await purchase_of(api, owner)
    message = "Payment by INVOICE is not available here; available: CREDIT_CARD, BANK_TRANSFER."
    expected = refusal(
        "PaymentMethodUnavailable", "paymentMethod", message, method="INVOICE",
        available=["CREDIT_CARD", "BANK_TRANSFER"],
    )  # fmt: skip
    assert await refusals(api, owner.token, "purchaseCheckout", **checkout(purchase)) == [expected]
    message = "The total is 5500 in minor units, not the expected 5501."
    expected = refusal("PriceChanged", "expectedTotal", message, expectedTotal=5_501, currentTotal=5_500)
    given = checkout(purchase, "BANK_TRANSFER", expectedTotal=5_501)
    assert await refusals(api, owner.token, "purchaseCheckout", **given) == [expected]
    message = "The card was declined: card_declined."
    expected = refusal("CardDeclined", "card", message, reason="card_declined")
    given = checkout(purchase, "CREDIT_CARD", card="demo_decline")
    assert await refusals(api, owner.token, "purchaseCheckout", **given) == [expected]


async def test_what_is_over_is_refused_in_the_words_of_each_operation(api: Api, world: World, clock: TestClock) -> None:
    owner = await world.customer(starter())
    done, order = await confirmed(api, owner.token), await placed(api, owner.token, "late")
    purchase, paid_already = [
        edge["node"] for edge in (await api.data(PURCHASES, owner.token))["customer"]["purchases"]["edges"]
    ]

    def stays(field: str, wanted: str) -> list[Refusal]:
        said = "The order is CONFIRMED already."
        message = said if wanted == "CONFIRMED" else f"An order that is CONFIRMED cannot become {wanted}."
        return [refusal("OrderMoveRefused", field, message, status="CONFIRMED", wanted=wanted)]

    assert await refusals(api, owner.token, "purchaseCheckout", **checkout(paid_already)) == stays(
        "purchaseId", "CONFIRMED"
    )
    assert await refusals(api, owner.token, "purchaseCancel", purchaseId=paid_already["id"]) == stays(
        "purchaseId", "CANCELLED"
    )
    by_order = {**checkout(paid_already), "orderId": done["id"]}
    del by_order["purchaseId"]
    assert await refusals(api, owner.token, "spotOrderCheckout", **by_order) == stays("orderId", "CONFIRMED")

    clock.now += timedelta(minutes=30)
    at = "2026-04-10T03:30:00+00:00"

    def expired(field: str) -> list[Refusal]:
        message = "The order expired at 2026-04-10 03:30:00 UTC; place it again."
        return [refusal("OrderExpired", field, message, expiredAt=at)]

    assert await refusals(api, owner.token, "purchaseCheckout", **checkout(purchase)) == expired("purchaseId")
    assert await refusals(api, owner.token, "purchaseCancel", purchaseId=purchase["id"]) == expired("purchaseId")
    by_order = {**by_order, "orderId": order["id"]}
    assert await refusals(api, owner.token, "spotOrderCheckout", **by_order) == expired("orderId")
    assert await refusals(api, owner.token, "spotOrderCancel", orderId=order["id"]) == expired("orderId")


async def test_what_no_longer_fits_the_contract_cannot_be_paid(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    first = await ordered(api, owner.token, "mainContractRenew", "first", **RENEWAL)
    second = await ordered(api, owner.token, "mainContractRenew", "second", **RENEWAL)
    await paid(api, owner.token, first)
    number = second["contractOrders"][0]["number"]
    message = f"The order {number} does not fit the contract, which ends before 2028-04-01."
    expected = refusal("ContractChanged", "purchaseId", message, order=number, contractEndsBefore="2028-04-01")
    given = checkout(second, key="again")
    assert await refusals(api, owner.token, "purchaseCheckout", **given) == [expected]
    spot = await placed(api, owner.token, "spot", startsOn="2027-04-01")
    await accepted(api, owner.token, mutation("mainContractCancelRenewal", "mainContract { endsBefore }"))
    message = "The spot would end before 2027-05-01, but the main contract ends before 2027-04-01."
    numbers = {"endsBefore": "2027-05-01", "contractEndsBefore": "2027-04-01"}
    given = checkout(await purchase_of(api, owner), key="spot-2")
    assert await refusals(api, owner.token, "purchaseCheckout", **given) == [
        refusal("EndsAfterContract", "purchaseId", message, **numbers)
    ]
    given = {**given, "orderId": spot["id"]}
    del given["purchaseId"]
    assert await refusals(api, owner.token, "spotOrderCheckout", **given) == [
        refusal("EndsAfterContract", "orderId", message, **numbers)
    ]


async def test_orders_of_one_purchase_are_paid_and_cancelled_together(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    quote = await issued(api, world, owner, {"spot": SPOT}, {"spot": {**SPOT, "accounts": 200}})
    purchase = (await accepted(api, owner.token, mutation("quoteAccept"), **answer(quote)))["purchase"]
    order = purchase["spotOrders"][0]["id"]
    message = f"The order is one of 2 in {purchase['number']}: cancel or check out the purchase."
    expected = refusal("OrderIsPartOfPurchase", "orderId", message, orders=2, purchase=purchase["number"])
    assert await refusals(api, owner.token, "spotOrderCancel", orderId=order) == [expected]
    given = {**checkout(purchase), "orderId": order}
    del given["purchaseId"]
    assert await refusals(api, owner.token, "spotOrderCheckout", **given) == [expected]


async def test_a_spot_that_people_need_is_not_taken_back(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    await confirmed(api, owner.token, "first", startsOn="2026-04-10")
    second = await confirmed(api, owner.token, "second", startsOn="2026-05-10")
    await registered(api, owner.token, people(1, 150))
    message = "From 2026-05-10 on, 150 accounts would not fit into the 100 that are left."
    expected = refusal("AccountsWouldNotFit", "orderId", message, on="2026-05-10", accounts=150, capacity=100)
    assert await refusals(api, owner.token, "spotOrderCancel", orderId=second["id"]) == [expected]


async def test_where_nothing_is_taken_back_it_is_said(world: World, with_cards: Services) -> None:
    strict = replace(with_cards, settings=replace(with_cards.settings, cancel_confirmed="refused"))
    async with AsyncClient(transport=ASGITransport(create_app(strict)), base_url="http://testserver") as client:
        api = Api(client)
        owner = await world.customer(starter())
        order = await confirmed(api, owner.token)
        reason = "this service does not take them back"
        message = f"Confirmed orders cannot be cancelled: {reason}."
        assert await refusals(api, owner.token, "spotOrderCancel", orderId=order["id"]) == [
            refusal("CancellationNotAllowed", "orderId", message, reason=reason)
        ]
        await paid(api, owner.token, await ordered(api, owner.token, "mainContractRenew", **RENEWAL))
        assert await refusals(api, owner.token, "mainContractCancelRenewal") == [
            refusal("CancellationNotAllowed", "customerId", message, reason=reason)
        ]


async def test_money_that_is_not_owed_is_not_entered(api: Api, world: World) -> None:
    owner, token = await world.customer(starter()), await operator(world)
    await placed(api, owner.token)
    purchase = await purchase_of(api, owner)
    money = {"purchaseId": purchase["id"], "amount": 5_499, "idempotencyKey": "m"}
    message = f"Nothing is owed for {purchase['number']}: it is AWAITING_PAYMENT_METHOD."
    expected = refusal(
        "NothingOwed", "purchaseId", message, purchase=purchase["number"], status="AWAITING_PAYMENT_METHOD"
    )
    assert await refusals(api, token, "paymentRecord", **money) == [expected]
    await paid(api, owner.token, purchase)
    message = "5499 minor units arrived, but 5500 are owed."
    expected = refusal("PaymentAmountDiffers", "amount", message, received=5_499, expected=5_500)
    assert await refusals(api, token, "paymentRecord", **money) == [expected]
    message = "5499 minor units cannot have been given back: at most 0 are to be given back."
    expected = refusal("RefundOutOfRange", "amount", message, amount=5_499, amountMax=0)
    assert await refusals(api, token, "refundRecord", **money) == [expected]


# Recommendations and quotes.


async def issued(api: Api, world: World, owner: Owned, *items: dict[str, Any], key: str = "quote") -> dict[str, Any]:
    """A quote of these items, valid until the end of April."""
    given = {"customerId": owner.id, "items": items, "validUntil": "2026-04-30", "idempotencyKey": key}
    quote: dict[str, Any] = (await accepted(api, await world.token(Role.SALES), ISSUE, **given))["quote"]
    return quote


def answer(quote: dict[str, Any], key: str = "accept") -> dict[str, Any]:
    total = quote["total"]["minorUnits"]
    return {"quoteId": quote["id"], "agreedTermsVersion": AGREED, "expectedTotal": total, "idempotencyKey": key}


async def test_a_quote_has_a_last_day_and_items(api: Api, world: World) -> None:
    owner, sales = await world.customer(starter()), await world.token(Role.SALES)
    given: dict[str, Any] = {"customerId": owner.id, "items": [{"spot": SPOT}], "idempotencyKey": "q"}
    for day in ("2026-04-09", "2026-07-10"):
        message = f"{day} is not within 90 days from today, 2026-04-10."
        expected = refusal("ValidityOutOfRange", "validUntil", message, validUntil=day, today="2026-04-10", daysMax=90)
        assert await refusals(api, sales, "quoteIssue", **given, validUntil=day) == [expected]
    for count in (0, 101):
        message = f"A quote has 1 to 100 items, not {count}."
        expected = refusal("QuoteItemsOutOfRange", "items", message, items=count, itemsMax=100)
        items = {**given, "items": [{"spot": SPOT}] * count, "validUntil": "2026-04-30"}
        assert await refusals(api, sales, "quoteIssue", **items) == [expected]


async def test_a_quote_has_one_term(api: Api, world: World) -> None:
    owner, sales = await world.customer(starter()), await world.token(Role.SALES)
    items = [{"renewal": RENEWAL}, {"renewal": RENEWAL}]
    given = {"customerId": owner.id, "items": items, "validUntil": "2026-04-30", "idempotencyKey": "q"}
    message = "There is a paid contract already; it ends before 2028-04-01."
    expected = refusal("ContractInForce", "items[1]", message, contractEndsBefore="2028-04-01")
    assert await refusals(api, sales, "quoteIssue", **given) == [expected]


async def test_a_quote_that_no_longer_holds_is_refused(api: Api, world: World, clock: TestClock) -> None:
    owner = await world.customer(starter())
    quote = await issued(api, world, owner, {"renewal": RENEWAL}, {"spot": {**SPOT, "startsOn": "2026-04-10"}})
    assert quote["number"] == "Q-2026-00001"
    again = await issued(api, world, owner, {"spot": SPOT}, key="again")
    message = "The total is 5500 in minor units, not the expected 1."
    expected = refusal("PriceChanged", "expectedTotal", message, expectedTotal=1, currentTotal=5_500)
    wrong = {**answer(again), "expectedTotal": 1}
    assert await refusals(api, owner.token, "quoteAccept", **wrong) == [expected]
    await accepted(api, owner.token, mutation("quoteAccept"), **answer(again, "once"))
    message = "The quote Q-2026-00002 is ACCEPTED; it was valid until 2026-04-30."
    numbers = {"quote": "Q-2026-00002", "status": "ACCEPTED", "validUntil": "2026-04-30"}
    expected = refusal("QuoteNotOpen", "quoteId", message, **numbers)
    assert await refusals(api, owner.token, "quoteAccept", **answer(again, "twice")) == [expected]
    await paid(api, owner.token, await ordered(api, owner.token, "mainContractRenew", **RENEWAL))
    clock.now += timedelta(days=1)
    message = "The order RENEWAL from 2027-04-01 does not fit the contract, which ends before 2028-04-01."
    numbers = {"order": "RENEWAL from 2027-04-01", "contractEndsBefore": "2028-04-01"}
    late = "The first day, 2026-04-10, is before today, 2026-04-11."
    assert await refusals(api, owner.token, "quoteAccept", **answer(quote)) == [
        refusal("ContractChanged", "quoteId", message, **numbers),
        refusal("StartsInThePast", "quoteId", late, startsOn="2026-04-10", today="2026-04-11"),
    ]


async def test_a_recommendation_that_is_no_longer_true_is_refused(api: Api, world: World, clock: TestClock) -> None:
    owner = await world.customer(starter())
    token = owner.token
    for need, status in (("2026-05-01,2026-06-01,100", "OPTIMAL"), ("2027-03-31,2027-04-02,200", "INFEASIBLE")):
        message = f"This recommendation cannot be ordered: it is {status} with 0 orders."
        expected = refusal("RecommendationNotOrderable", "demand", message, status=status, orders=0)
        assert await refusals(api, token, "recommendationSave", demand={"csv": need}) == [expected]
    saved = await accepted(api, token, SAVE, demand={"csv": "2026-05-01,2026-06-01,200"})
    order = {**SIGNED, "recommendationId": saved["recommendationId"], "expectedTotal": 5_500}
    await accepted(api, token, mutation("recommendationOrder"), **order)
    purchase = await purchase_of(api, owner)
    message = f"This recommendation cannot be ordered: it is ordered as {purchase['number']} with 1 orders."
    expected = refusal(
        "RecommendationNotOrderable", "recommendationId", message, status=f"ordered as {purchase['number']}", orders=1
    )
    twice = {**order, "idempotencyKey": "twice"}
    assert await refusals(api, token, "recommendationOrder", **twice) == [expected]

    late = await accepted(api, token, SAVE, demand={"csv": "2026-04-10,2026-05-10,200"})
    order = {**order, "recommendationId": late["recommendationId"], "idempotencyKey": "late"}
    clock.now += timedelta(days=1)
    message = "The first day, 2026-04-10, is before today, 2026-04-11."
    numbers = {"startsOn": "2026-04-10", "today": "2026-04-11"}
    expected = refusal("StartsInThePast", "recommendationId", message, **numbers)
    assert await refusals(api, token, "recommendationOrder", **order) == [expected]

    await confirmed(api, token, "between", startsOn="2026-09-01")
    version = late["recommendation"]["contractVersion"]
    (error,) = await refusals(api, token, "recommendationOrder", **order)
    changed = "SPOT_ORDER_CONFIRMED at 2026-04-11 03:00:00 UTC"
    assert error == refusal(
        "RecommendationOutdated",
        "recommendationId",
        f"The contract was {version} and is {error['currentVersion']} now: {changed}. Ask for a new plan.",
        savedVersion=version,
        currentVersion=error["currentVersion"],
        changes=[changed],
    )
    assert error["currentVersion"] != version


# What every operation may answer.


async def test_somebody_elses_and_nobodys_objects_look_alike(api: Api, world: World) -> None:
    owner, other = await world.customer(starter()), await world.customer(starter(), name="Other")
    order = await placed(api, other.token)
    purchase = await purchase_of(api, other)
    quote = await issued(api, world, other, {"spot": SPOT})
    saved = await accepted(api, other.token, SAVE, demand={"csv": "2026-05-01,2026-06-01,200"})
    message = "There is no such object."
    shared = {"paymentMethod": "INVOICE", "expectedTotal": 5_500, "idempotencyKey": "k"}
    ordered_ = {"agreedTermsVersion": AGREED, "expectedTotal": 5_500, "idempotencyKey": "k"}
    for key in (None, "bm9uc2Vuc2U="):
        for name, field, id_, given in (
            ("spotOrderCheckout", "orderId", order["id"], shared),
            ("spotOrderCancel", "orderId", order["id"], {}),
            ("purchaseCheckout", "purchaseId", purchase["id"], shared),
            ("purchaseCancel", "purchaseId", purchase["id"], {}),
            ("quoteAccept", "quoteId", quote["id"], ordered_),
            ("recommendationOrder", "recommendationId", saved["recommendationId"], ordered_),
            ("spotOrderPlace", "customerId", other.id, {**SPOT, **SIGNED}),
            ("mainContractRenew", "customerId", other.id, {**RENEWAL, **SIGNED}),
            ("mainContractCancelRenewal", "customerId", other.id, {}),
        ):
            found = await refusals(api, owner.token, name, **{field: key or id_}, **given)
            assert found == [refusal("NotFound", field, message)], name
    # A quote of one customer's recommendation cannot be addressed to another.
    mixed = {
        "customerId": owner.id, "recommendationId": saved["recommendationId"], "validUntil": "2026-04-30",
        "idempotencyKey": "k",
    }  # fmt: skip
    found = await refusals(api, await world.token(Role.SALES), "quoteIssue", **mixed)
    assert found == [refusal("NotFound", "recommendationId", message)]


async def test_who_has_no_customer_names_one(api: Api, world: World) -> None:
    token = await operator(world)
    expected = refusal("CustomerRequired", "customerId", "Name the customer: only owners have one of their own.")
    for name, given in (
        ("spotOrderPlace", {**SPOT, **SIGNED}),
        ("mainContractOrder", {**TERM, **SIGNED}),
        ("mainContractCancelRenewal", {}),
        ("quoteIssue", {"items": [{"spot": SPOT}], "validUntil": "2026-04-30", "idempotencyKey": "k"}),
    ):
        assert await refusals(api, token, name, **given) == [expected]


async def test_keys_are_checked_wherever_they_are_asked_for(api: Api, world: World) -> None:
    owner, token = await world.customer(starter()), await operator(world)
    await placed(api, owner.token, "used")
    purchase = await purchase_of(api, owner)
    quote = await issued(api, world, owner, {"spot": SPOT})
    saved = await accepted(api, owner.token, SAVE, demand={"csv": "2026-05-01,2026-06-01,200"})
    money = {"purchaseId": purchase["id"], "amount": 1}
    for who, name, given in (
        (owner.token, "mainContractRenew", {**RENEWAL, "agreedTermsVersion": AGREED}),
        (owner.token, "additionalLicenceOrder", {**LICENCE, "agreedTermsVersion": AGREED}),
        (owner.token, "mainContractUpgrade", {"planCode": "STANDARD", "agreedTermsVersion": AGREED}),
        (owner.token, "purchaseCheckout", checkout(purchase)),
        (owner.token, "quoteAccept", answer(quote)),
        (owner.token, "recommendationOrder",
         {**answer(quote), "quoteId": None, "recommendationId": saved["recommendationId"]}),
        (token, "quoteIssue", {"customerId": owner.id, "items": [{"spot": SPOT}], "validUntil": "2026-04-30"}),
        (token, "paymentRecord", money),
        (token, "refundRecord", money),
    ):  # fmt: skip
        sent = {field: value for field, value in given.items() if value is not None}
        message = "The idempotency key 'used' was used before with another operation or other input."
        expected = refusal("IdempotencyKeyReused", "idempotencyKey", message, key="used")
        assert await refusals(api, who, name, **{**sent, "idempotencyKey": "used"}) == [expected]
        message = "An idempotency key has 1 to 200 printable characters; this one has 0 characters."
        expected = refusal("IdempotencyKeyInvalid", "idempotencyKey", message, length=0, lengthMax=200)
        assert await refusals(api, who, name, **{**sent, "idempotencyKey": ""}) == [expected]


async def test_prices_and_rates_are_set_from_tomorrow_on_and_in_range(api: Api, world: World) -> None:
    token = await operator(world)
    price: dict[str, Any] = {
        "planCode": "STARTER", "monthlyUnitPrice": 6_000, "annualUnitPrice": 36_000, "effectiveFrom": "2026-04-11",
    }  # fmt: skip
    message = "2026-04-10 is not after today, 2026-04-10."
    past = refusal("PriceInThePast", "effectiveFrom", message, effectiveFrom="2026-04-10", today="2026-04-10")
    assert await refusals(api, token, "planPriceSet", **{**price, "effectiveFrom": "2026-04-10"}) == [past]
    rate = {"effectiveFrom": "2026-04-10", "basisPoints": 800}
    assert await refusals(api, token, "taxRateSet", **rate) == [past]
    for name, field, given, value_max in (
        ("planPriceSet", "monthlyUnitPrice", price, 2_147_483_647),
        ("planPriceSet", "annualUnitPrice", price, 2_147_483_647),
        ("taxRateSet", "basisPoints", {**rate, "effectiveFrom": "2026-04-11"}, 10_000),
    ):
        expected = refusal(
            "RateOutOfRange", field, f"-1 is not between 0 and {value_max}.", value=-1, valueMax=value_max
        )
        assert await refusals(api, token, name, **{**given, field: -1}) == [expected]
