"""The main contract, purchases, documents and money over GraphQL, on both databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from db.tables import Base
from domain.contracts import AdditionalLicence
from domain.customers import CustomerKind
from domain.months import Period
from resolvers.access import Role
from resolvers.services import Services
from tests.commerce import (
    AGREED,
    CANCEL_RENEWAL,
    CHECKOUT,
    ISSUE,
    SAVE,
    accepted,
    amounts,
    asked,
    mutation,
    operator,
    ordered,
    paid,
    purchase_of,
    refused,
)
from tests.people import people, registered
from tests.world import CANCEL, Api, TestClock, World, confirmed, period, placed, starter

pytestmark = pytest.mark.anyio

TERM: dict[str, Any] = {"planCode": "STARTER", "units": 1, "billingCycle": "ANNUAL", "startsOn": "2026-04-10"}
YEAR: dict[str, Any] = {  # of a school with 300 accounts: spring courses, summer, autumn, and the exams with their peak
    "profile": [
        {"from": "2026-04-20", "until": "2026-05-25", "accounts": 420},
        {"from": "2026-07-10", "until": "2026-09-01", "accounts": 650},
        {"from": "2026-10-05", "until": "2026-11-01", "accounts": 450},
        {"from": "2026-12-01", "until": "2027-01-10", "accounts": 450},
        {"from": "2027-01-10", "until": "2027-02-03", "accounts": 800},
        {"from": "2027-02-03", "until": "2027-03-31", "accounts": 520},
    ]
}
CAPACITY = "query($on: Date!) { customer { capacity(on: $on) } }"


async def capacity(api: Api, token: str, on: str) -> int:
    number: int = (await api.data(CAPACITY, token, on=on))["customer"]["capacity"]
    return number


async def test_a_paid_plan_from_free_with_its_invoice(api: Api, world: World) -> None:
    owner = await world.customer()
    purchase = await ordered(api, owner.token, "mainContractOrder", **TERM)
    assert (purchase["status"], purchase["total"]["minorUnits"]) == ("AWAITING_PAYMENT_METHOD", 33_000)
    assert await capacity(api, owner.token, "2026-04-10") == 0
    done = await paid(api, owner.token, purchase)
    assert done["status"] == "CONFIRMED"
    assert done["paymentDueOn"] == "2026-05-31"
    assert [(order["status"], order["endsBefore"]) for order in done["contractOrders"]] == [("CONFIRMED", "2027-04-10")]
    assert await capacity(api, owner.token, "2026-04-10") == 100
    assert await capacity(api, owner.token, "2027-04-10") == 0
    assert [{**item, "id": None} for item in done["documents"]] == [
        {
            "id": None,
            "kind": "INVOICE",
            "number": "INV-2026-00001",
            "refersTo": None,
            "dueOn": "2026-05-31",
            "total": {"minorUnits": 33_000},
            "taxSums": [{"percent": "10", "net": {"minorUnits": 30_000}, "tax": {"minorUnits": 3_000}}],
            "items": [
                {
                    "kind": "MAIN_CONTRACT",
                    "planName": "Starter",
                    "orderNumber": done["contractOrders"][0]["number"],
                    "accounts": 100,
                    "net": {"minorUnits": 30_000},
                }
            ],
        }
    ]
    assert amounts(done) == [("INVOICE", 33_000)]
    assert (await api.data("{ customer { balance { minorUnits } } }", owner.token)) == {
        "customer": {"balance": {"minorUnits": 33_000}}
    }
    (error,) = await refused(
        api, owner.token, mutation("mainContractOrder"), **TERM, agreedTermsVersion=AGREED, idempotencyKey="again"
    )
    assert (error["code"], error["contractEndsBefore"]) == ("CONTRACT_IN_FORCE", "2027-04-10")


async def test_a_renewal_is_shown_ordered_and_taken_back(api: Api, world: World) -> None:
    owner = await world.customer(starter(units=2))
    await registered(api, owner.token, people(1, 150))
    preview = """query($item: ContractItemInput!) { contractOrderPreview(item: $item) { kind startsOn endsBefore units
      price { total { minorUnits } } refusals { code }
      upcomingCapacityFalls { on capacityAfter accountsAffected } } }"""
    smaller = {"renewal": {"planCode": "STARTER", "units": 1, "billingCycle": "MONTHLY", "months": 3}}
    assert (await api.data(preview, owner.token, item=smaller))["contractOrderPreview"] == {
        "kind": "RENEWAL",
        "startsOn": "2027-04-01",
        "endsBefore": "2027-07-01",
        "units": 1,
        "price": {"total": {"minorUnits": 16_500}},
        "upcomingCapacityFalls": [
            {"on": "2027-04-01", "capacityAfter": 100, "accountsAffected": 50},
            {"on": "2027-07-01", "capacityAfter": 0, "accountsAffected": 100},
        ],
        "refusals": [],
    }
    (error,) = await refused(api, owner.token, CANCEL_RENEWAL)
    assert error["code"] == "NO_RENEWAL_TO_CANCEL"
    given: dict[str, Any] = {"planCode": "STARTER", "units": 3, "billingCycle": "ANNUAL"}
    purchase = await paid(api, owner.token, await ordered(api, owner.token, "mainContractRenew", **given))
    assert purchase["documents"][0]["total"]["minorUnits"] == 99_000
    assert await capacity(api, owner.token, "2027-04-01") == 300
    order = await confirmed(api, owner.token, "across", startsOn="2027-03-15", months=1)
    (error,) = await refused(api, owner.token, CANCEL_RENEWAL)
    assert (error["code"], error["spots"], error["licences"], error["contractEndsBefore"]) == (
        "RENEWAL_IN_USE", 1, 0, "2027-04-01",
    )  # fmt: skip
    await api.data(CANCEL, owner.token, input={"orderId": order["id"]})
    payload = await accepted(api, owner.token, CANCEL_RENEWAL)
    assert payload["mainContract"] == {"endsBefore": "2027-04-01"}
    assert await capacity(api, owner.token, "2027-04-01") == 0
    back = await purchase_of(api, owner.token, purchase["id"])
    assert [item["number"] for item in back["documents"]] == ["INV-2026-00001", "CN-2026-00002"]
    assert back["documents"][1]["refersTo"] == "INV-2026-00001"
    assert amounts(back) == [("INVOICE", 99_000), ("CREDIT_NOTE", -99_000)]
    # What was known before it was taken back is still known.
    known = 'query($at: DateTime!) { customer { capacity(on: "2027-04-01", asKnownAt: $at) } }'
    assert (await api.data(known, owner.token, at="2026-04-10T03:00:00Z"))["customer"]["capacity"] == 0


async def test_the_published_example_of_additional_licences(api: Api, world: World, clock: TestClock) -> None:
    owner = await world.customer(starter("2025-10-01", "2026-10-01"))
    clock.now = datetime(2026, 4, 12, 15, tzinfo=UTC)  # 171 days are left from 13 April in Tokyo
    assert Period(clock.now.date().replace(day=13), starter("2025-10-01", "2026-10-01").period.ends_before).days == 171
    purchase = await ordered(api, owner.token, "additionalLicenceOrder", units=1, startsOn="2026-04-13")
    assert purchase["contractOrders"][0]["price"] == {"net": {"minorUnits": 14_054}}
    done = await paid(api, owner.token, purchase)
    assert done["documents"][0]["total"]["minorUnits"] == 14_054 + 1_405
    assert await capacity(api, owner.token, "2026-04-13") == 200


async def test_an_upgrade_costs_the_difference_of_the_rest(api: Api, world: World) -> None:
    owner = await world.customer(starter("2026-04-10", "2027-04-10", units=2))
    purchase = await ordered(api, owner.token, "mainContractUpgrade", planCode="STANDARD")
    assert purchase["contractOrders"][0]["price"] == {"net": {"minorUnits": 120_000}}
    await paid(api, owner.token, purchase)
    terms = await api.data("{ customer { mainContract { terms { planCode startsOn units } } } }", owner.token)
    assert terms["customer"]["mainContract"]["terms"] == [
        {"planCode": "STANDARD", "startsOn": "2026-04-10", "units": 2}
    ]
    # Spots cost the new plan's monthly price from now on.
    order = await placed(api, owner.token, "spot")
    assert order["price"]["net"]["minorUnits"] == 15_000
    (error,) = await refused(
        api, owner.token, mutation("mainContractUpgrade"), planCode="STARTER", agreedTermsVersion=AGREED,
        idempotencyKey="down",
    )  # fmt: skip
    assert error["code"] == "NOT_AN_UPGRADE"


async def test_an_upgrade_includes_licences_that_have_not_begun(api: Api, world: World) -> None:
    licences = (
        AdditionalLicence(period("2026-04-10", "2027-04-10"), 300),
        AdditionalLicence(period("2026-10-21", "2027-04-10"), 200),
        AdditionalLicence(period("2027-05-01", "2028-04-10"), 900),  # of the renewal, which keeps its plan
    )
    terms = (starter("2026-04-10", "2027-04-10"), starter("2027-04-10", "2028-04-10"))
    owner = await world.customer(*terms, licences=licences)
    purchase = await ordered(api, owner.token, "mainContractUpgrade", planCode="STANDARD")
    (order,) = purchase["contractOrders"]
    # Four units for the whole year, two for 171 days: 28,109 each, as published.
    assert (order["units"], order["price"]["net"]["minorUnits"]) == (6, 4 * 60_000 + 2 * 28_109)


async def test_who_pays_by_transfer_is_told_where_to(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    await placed(api, owner.token)
    query = "{ customer { purchases(first: 1) { edges { node { id total { minorUnits } transferTo } } } } }"

    async def purchase() -> dict[str, Any]:
        node: dict[str, Any] = (await api.data(query, owner.token))["customer"]["purchases"]["edges"][0]["node"]
        return node

    placed_ = await purchase()
    assert placed_["transferTo"] is None
    await paid(api, owner.token, placed_, "BANK_TRANSFER")
    assert (await purchase())["transferTo"] == "Example Bank, Main Branch, Ordinary 1234567"
    # A corporate customer may have an invoice instead, which names the account by itself.
    done = await paid(api, owner.token, placed_, "INVOICE", key="instead")
    assert (done["status"], done["paymentMethod"], amounts(done)) == ("CONFIRMED", "INVOICE", [("INVOICE", 5_500)])
    assert (await purchase())["transferTo"] is None


async def test_a_transfer_confirms_when_the_money_is_recorded(api: Api, world: World, clock: TestClock) -> None:
    owner = await world.customer(starter())
    order = await placed(api, owner.token)
    purchase = (await api.data("{ customer { purchases(first: 1) { edges { node { id total { minorUnits } } } } } }",
                               owner.token))["customer"]["purchases"]["edges"][0]["node"]  # fmt: skip
    pending = await paid(api, owner.token, purchase, "BANK_TRANSFER")
    assert (pending["status"], pending["documents"], pending["spotOrders"][0]["status"]) == (
        "PENDING_PAYMENT", [], "PENDING_PAYMENT",
    )  # fmt: skip
    clock.now = datetime(2026, 4, 20, tzinfo=UTC)
    token = await operator(world)
    record = mutation("paymentRecord")
    (error,) = await refused(api, token, record, purchaseId=purchase["id"], amount=5_000, idempotencyKey="m")
    assert (error["code"], error["received"], error["expected"]) == ("PAYMENT_AMOUNT_DIFFERS", 5_000, 5_500)
    for _ in range(2):
        payload = await accepted(api, token, record, purchaseId=purchase["id"], amount=5_500, idempotencyKey="m")
        assert payload["purchase"]["status"] == "CONFIRMED"
        assert amounts(payload["purchase"]) == [("INVOICE", 5_500), ("PAYMENT", -5_500)]
    (error,) = await refused(api, token, record, purchaseId=purchase["id"], amount=5_500, idempotencyKey="n")
    assert error["code"] == "NOTHING_OWED"
    assert (
        await api.error(record, owner.token, input={"purchaseId": purchase["id"], "amount": 1, "idempotencyKey": "k"})
    )["code"] == "FORBIDDEN"
    cancelled = await api.data(CANCEL, owner.token, input={"orderId": order["id"]})
    assert cancelled["spotOrderCancel"]["order"]["status"] == "CANCELLED"
    back = mutation("refundRecord")
    (error,) = await refused(api, token, back, purchaseId=purchase["id"], amount=5_501, idempotencyKey="r")
    assert (error["code"], error["amount"], error["amountMax"]) == ("REFUND_OUT_OF_RANGE", 5_501, 5_500)
    payload = await accepted(api, token, back, purchaseId=purchase["id"], amount=5_500, idempotencyKey="r")
    assert amounts(payload["purchase"]) == [
        ("INVOICE", 5_500), ("PAYMENT", -5_500), ("CREDIT_NOTE", -5_500), ("REFUND", 5_500),
    ]  # fmt: skip


async def test_a_transfer_that_never_arrives_expires(api: Api, world: World, clock: TestClock) -> None:
    owner = await world.customer()
    purchase = await ordered(api, owner.token, "mainContractOrder", **TERM)
    await paid(api, owner.token, purchase, "BANK_TRANSFER")
    clock.now = datetime(2026, 4, 24, 3, tzinfo=UTC)
    left = await purchase_of(api, owner.token, purchase["id"])
    assert (left["status"], left["contractOrders"][0]["status"], left["documents"]) == ("EXPIRED", "EXPIRED", [])
    record = mutation("paymentRecord")
    (error,) = await refused(
        api, await operator(world), record, purchaseId=purchase["id"], amount=33_000, idempotencyKey="late"
    )
    assert error["code"] == "NOTHING_OWED"
    assert await capacity(api, owner.token, "2026-04-24") == 0


async def test_a_confirmed_spot_is_taken_back_before_it_starts_unless_people_need_it(
    api: Api, world: World, clock: TestClock
) -> None:
    owner = await world.customer(starter())
    await confirmed(api, owner.token, "first", startsOn="2026-04-10")
    second = await confirmed(api, owner.token, "second", startsOn="2026-05-10")
    await registered(api, owner.token, people(1, 150))
    payload = (await asked(api, owner.token, CANCEL.replace("... on OrderMoveRefused { status wanted }",
               "... on AccountsWouldNotFit { on accounts capacity }"), orderId=second["id"]))  # fmt: skip
    assert [{key: error[key] for key in ("code", "on", "accounts", "capacity")} for error in payload["errors"]] == [
        {"code": "ACCOUNTS_WOULD_NOT_FIT", "on": "2026-05-10", "accounts": 150, "capacity": 100}
    ]
    third = await confirmed(api, owner.token, "third", startsOn="2026-08-01")
    assert (await asked(api, owner.token, CANCEL, orderId=third["id"]))["order"]["status"] == "CANCELLED"
    assert await capacity(api, owner.token, "2026-08-01") == 100
    clock.now = datetime(2026, 5, 10, tzinfo=UTC)
    payload = await asked(api, owner.token, CANCEL, orderId=second["id"])
    assert [(error["code"], error["status"]) for error in payload["errors"]] == [("ORDER_MOVE_REFUSED", "ACTIVE")]


async def rows(services: Services) -> dict[str, int]:
    """How many rows every table has."""
    async with services.database.read() as session:
        counts = {
            table.name: (await session.execute(select(func.count()).select_from(table))).scalar_one()
            for table in Base.metadata.sorted_tables
        }
    assert len(counts) > 20
    return counts


async def test_a_recommendation_for_a_year_becomes_six_orders_and_one_invoice(api: Api, world: World) -> None:
    owner = await world.customer(starter(units=3))
    saved = await accepted(api, owner.token, SAVE, demand=YEAR)
    assert saved["recommendation"]["total"]["minorUnits"] == 148_500
    given = {
        "recommendationId": saved["recommendationId"],
        "agreedTermsVersion": AGREED,
        "expectedTotal": 148_500,
        "paymentMethod": "INVOICE",
        "idempotencyKey": "plan",
    }
    order = mutation("recommendationOrder")
    (error,) = await refused(api, owner.token, order, **{**given, "expectedTotal": 148_499})
    assert (error["code"], error["expectedTotal"], error["currentTotal"]) == ("PRICE_CHANGED", 148_499, 148_500)
    purchase = (await accepted(api, owner.token, order, **given))["purchase"]
    assert [
        (item["startsOn"], item["months"], item["accounts"], item["status"]) for item in purchase["spotOrders"]
    ] == [
        ("2026-04-20", 2, 200, "CONFIRMED"),
        ("2026-07-10", 2, 400, "CONFIRMED"),
        ("2026-10-05", 1, 200, "CONFIRMED"),
        ("2026-12-01", 2, 200, "CONFIRMED"),
        ("2027-01-10", 1, 300, "CONFIRMED"),
        ("2027-02-01", 2, 300, "CONFIRMED"),
    ]
    (invoice,) = purchase["documents"]
    assert (invoice["kind"], invoice["number"], invoice["dueOn"]) == ("INVOICE", "INV-2026-00001", "2026-05-31")
    assert invoice["taxSums"] == [{"percent": "10", "net": {"minorUnits": 135_000}, "tax": {"minorUnits": 13_500}}]
    assert [(item["orderNumber"], item["net"]["minorUnits"]) for item in invoice["items"]] == [
        (item["number"], net)
        for item, net in zip(purchase["spotOrders"], (20_000, 40_000, 10_000, 20_000, 15_000, 30_000), strict=True)
    ]
    assert amounts(purchase) == [("INVOICE", 148_500)]
    days = ("2026-04-20", "2026-07-10", "2026-10-05", "2026-12-01", "2027-01-10", "2027-02-03", "2027-03-31")
    assert [await capacity(api, owner.token, day) for day in days] == [500, 700, 500, 500, 800, 900, 600]
    assert (await accepted(api, owner.token, order, **given))["purchase"]["id"] == purchase["id"]
    (error,) = await refused(api, owner.token, order, **{**given, "idempotencyKey": "twice"})
    assert error["code"] == "RECOMMENDATION_NOT_ORDERABLE"


async def test_with_one_spot_bought_in_between_the_year_is_refused_and_nothing_is_stored(
    api: Api, world: World, services: Services
) -> None:
    owner = await world.customer(starter(units=3))
    saved = await accepted(api, owner.token, SAVE, demand=YEAR)
    await confirmed(api, owner.token, "between", startsOn="2026-09-01")
    order = mutation("recommendationOrder")
    given = {
        "recommendationId": saved["recommendationId"],
        "agreedTermsVersion": AGREED,
        "expectedTotal": 148_500,
        "paymentMethod": "INVOICE",
        "idempotencyKey": "plan",
    }
    before = await rows(services)
    (error,) = await refused(api, owner.token, order, **given)
    assert (error["code"], error["field"]) == ("RECOMMENDATION_OUTDATED", "recommendationId")
    assert error["changes"] == ["SPOT_ORDER_CONFIRMED at 2026-04-10 03:00:00 UTC"]
    assert await rows(services) == before
    assert (before["purchases"], before["spot_orders"], before["documents"]) == (1, 1, 1)
    # As the refusal says: a new plan can be ordered, under the same key, because nothing of the first was stored.
    again = await accepted(api, owner.token, SAVE, demand=YEAR)
    fresh = {**given, "recommendationId": again["recommendationId"]}
    purchase = (await accepted(api, owner.token, order, **fresh))["purchase"]
    assert (len(purchase["spotOrders"]), len(purchase["documents"])) == (6, 1)


async def test_sales_quote_and_the_owner_accepts_at_the_held_price_once(
    api: Api, world: World, clock: TestClock
) -> None:
    owner, other = await world.customer(starter()), await world.customer(starter(), name="Other")
    sales = await world.token(Role.SALES)
    items = [
        {"spot": {"accounts": 200, "startsOn": "2026-05-01", "months": 2}},
        {"additionalLicence": {"units": 1, "startsOn": "2026-06-01"}},
    ]
    given = {"customerId": owner.id, "items": items, "validUntil": "2026-04-30", "idempotencyKey": "q"}
    (error,) = await refused(api, sales, ISSUE, **{**given, "validUntil": "2026-04-09"})
    assert error["code"] == "VALIDITY_OUT_OF_RANGE"
    wrong = [*items, {"spot": {"accounts": 50, "startsOn": "2026-05-01", "months": 1}}]
    (error,) = await refused(api, sales, ISSUE, **{**given, "items": wrong})
    assert (error["code"], error["field"]) == ("ACCOUNTS_NOT_MULTIPLE", "items[2].accounts")
    quote = (await accepted(api, sales, ISSUE, **given))["quote"]
    licence = 30_000 * 304 // 365
    assert quote["total"]["minorUnits"] == (20_000 + licence) * 11 // 10
    assert (quote["number"], quote["status"]) == ("Q-2026-00001", "OPEN")
    accept = mutation("quoteAccept")
    answer = {
        "quoteId": quote["id"],
        "agreedTermsVersion": AGREED,
        "expectedTotal": quote["total"]["minorUnits"],
        "paymentMethod": "INVOICE",
        "idempotencyKey": "a",
    }
    (error,) = await refused(api, other.token, accept, **answer)
    assert error["code"] == "NOT_FOUND"
    assert (await api.error(accept, sales, input=answer))["code"] == "FORBIDDEN"
    purchase = (await accepted(api, owner.token, accept, **answer))["purchase"]
    assert purchase["documents"][0]["total"] == quote["total"]
    assert await capacity(api, owner.token, "2026-06-01") == 400
    (error,) = await refused(api, owner.token, accept, **{**answer, "idempotencyKey": "b"})
    assert (error["code"], error["quote"], error["status"]) == ("QUOTE_NOT_OPEN", "Q-2026-00001", "ACCEPTED")
    late = (await accepted(api, sales, ISSUE, **{**given, "idempotencyKey": "r"}))["quote"]
    clock.now = datetime(2026, 4, 30, 15, tzinfo=UTC)
    (error,) = await refused(api, owner.token, accept, **{**answer, "quoteId": late["id"], "idempotencyKey": "c"})
    assert (error["status"], error["validUntil"]) == ("EXPIRED", "2026-04-30")


async def test_a_quote_is_open_again_when_its_purchase_is_cancelled_or_never_paid(
    api: Api, world: World, clock: TestClock
) -> None:
    owner = await world.customer(starter())
    given = {"customerId": owner.id, "items": [{"spot": {"accounts": 100, "startsOn": "2026-04-29", "months": 1}}]}
    sales = await world.token(Role.SALES)
    quote = (await accepted(api, sales, ISSUE, **given, validUntil="2026-04-30", idempotencyKey="q"))["quote"]
    answer = {"quoteId": quote["id"], "agreedTermsVersion": AGREED, "expectedTotal": 5_500}
    accept = mutation("quoteAccept")
    query = """query($id: ID!) { node(id: $id) { ... on Quote { status purchaseId } }
      customer { quotes(first: 1) { edges { node { status purchaseId } } } } }"""

    async def stands() -> tuple[str, str | None]:
        found = await api.data(query, owner.token, id=quote["id"])
        assert found["customer"]["quotes"]["edges"] == [{"node": found["node"]}]
        return found["node"]["status"], found["node"]["purchaseId"]

    first = (await accepted(api, owner.token, accept, **answer, idempotencyKey="1"))["purchase"]
    assert await stands() == ("ACCEPTED", first["id"])
    await accepted(api, owner.token, mutation("purchaseCancel"), purchaseId=first["id"])
    assert await stands() == ("OPEN", None)
    second = (await accepted(api, owner.token, accept, **answer, idempotencyKey="2"))["purchase"]
    clock.now += timedelta(minutes=30)
    assert await stands() == ("OPEN", None)
    third = (await accepted(api, owner.token, accept, **answer, idempotencyKey="3", paymentMethod="INVOICE"))[
        "purchase"
    ]
    assert len({first["id"], second["id"], third["id"]}) == 3
    # What is paid stays accepted, even if it is taken back: the credit note has settled it.
    await asked(api, owner.token, CANCEL, orderId=third["spotOrders"][0]["id"])
    assert await stands() == ("ACCEPTED", third["id"])
    clock.now = datetime(2026, 5, 1, tzinfo=UTC)
    assert await stands() == ("ACCEPTED", third["id"])


async def test_documents_come_as_page_and_pdf_for_those_who_may_see_them(api: Api, world: World) -> None:
    owner, other = await world.customer(starter()), await world.customer(starter(), name="Other")
    await confirmed(api, owner.token)
    query = "{ customer { documents(first: 1) { edges { node { number pdfPath html(language: EN) } } } } }"
    document = (await api.data(query, owner.token))["customer"]["documents"]["edges"][0]["node"]
    assert "INV-2026-00001" in document["html"]
    assert "T1234567890123" in document["html"]
    path = document["pdfPath"]
    answer = await api.client.get(path, headers={"Authorization": f"Bearer {owner.token}"})
    assert (answer.status_code, answer.headers["content-type"], answer.content[:5]) == (
        200,
        "application/pdf",
        b"%PDF-",
    )
    answer = await api.client.get(f"{path}?language=FR", headers={"Authorization": f"Bearer {owner.token}"})
    assert (answer.status_code, answer.text) == (400, "The language is JA or EN.\n")
    for token, status in ((other.token, 404), ("nobody", 401)):
        answer = await api.client.get(path, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status
    assert (await api.client.get(path)).status_code == 401


@pytest.mark.parametrize(("kind", "honorific"), [(CustomerKind.CORPORATE, "御中"), (CustomerKind.INDIVIDUAL, "様")])
async def test_documents_address_organisations_and_persons_and_name_the_plan(
    api: Api, world: World, kind: CustomerKind, honorific: str
) -> None:
    owner = await world.customer(
        starter("2025-06-01", "2026-06-01"), replace(starter("2026-06-01", "2027-06-01"), plan_code="STANDARD"),
        name="青葉", kind=kind,
    )  # fmt: skip
    items = [
        {"spot": {"accounts": 100, "startsOn": "2026-05-31", "months": 1}},
        {"spot": {"accounts": 100, "startsOn": "2026-06-01", "months": 1}},
        {"additionalLicence": {"units": 1, "startsOn": "2026-06-01"}},
    ]
    given = {"customerId": owner.id, "items": items, "validUntil": "2026-04-30", "idempotencyKey": "q"}
    sales = await world.token(Role.SALES)
    quote = (await accepted(api, sales, ISSUE, **given))["quote"]
    answer = {"agreedTermsVersion": AGREED, "expectedTotal": quote["total"]["minorUnits"], "idempotencyKey": "a"}
    purchase = (await accepted(api, owner.token, mutation("quoteAccept"), quoteId=quote["id"], **answer))["purchase"]
    await paid(api, owner.token, purchase, "BANK_TRANSFER")
    money = {"purchaseId": purchase["id"], "amount": quote["total"]["minorUnits"], "idempotencyKey": "m"}
    await accepted(api, await operator(world), mutation("paymentRecord"), **money)
    await accepted(api, owner.token, CANCEL, orderId=purchase["spotOrders"][0]["id"])
    page = "html(language: JA) items { planName }"
    issued = f"... on Quote {{ {page} }} ... on Purchase {{ documents {{ {page} }} }}"
    query = f"query($id: ID!) {{ node(id: $id) {{ {issued} }} }}"
    offer = (await api.data(query, sales, id=quote["id"]))["node"]
    invoice, note = (await api.data(query, sales, id=purchase["id"]))["node"]["documents"]
    names = [["Starter", "Standard", "Standard"], ["Starter", "Standard", "Standard"], ["Starter"]]
    for document, plans in zip((offer, invoice, note), names, strict=True):
        assert [item["planName"] for item in document["items"]] == plans
        assert f'<bdi>青葉</bdi>&nbsp;<span class="whole">{honorific}</span>' in document["html"]
        assert "スポット契約 Starter" in document["html"]


async def test_nobody_pays_for_somebody_else(api: Api, world: World) -> None:
    mine, other = await world.customer(starter()), await world.customer(starter(), name="Other")
    await placed(api, other.token)
    query = "{ customer { purchases(first: 1) { edges { node { id } } } } }"
    foreign = (await api.data(query, other.token))["customer"]["purchases"]["edges"][0]["node"]["id"]
    checkout = {"purchaseId": foreign, "paymentMethod": "INVOICE", "expectedTotal": 5_500, "idempotencyKey": "k"}
    (error,) = await refused(api, mine.token, CHECKOUT, **checkout)
    assert (error["code"], error["field"]) == ("NOT_FOUND", "purchaseId")
    (error,) = await refused(api, mine.token, mutation("purchaseCancel"), purchaseId=foreign)
    assert error["code"] == "NOT_FOUND"
    assert await api.data("query($id: ID!) { node(id: $id) { id } }", mine.token, id=foreign) == {"node": None}


async def test_new_prices_and_tax_rates_take_effect_later_and_leave_what_was_sold(
    api: Api, world: World, clock: TestClock
) -> None:
    owner = await world.customer(starter())
    token = await operator(world)
    sold = await placed(api, owner.token, "sold", startsOn="2026-06-01")
    price = mutation("planPriceSet", "plan { prices { effectiveFrom monthlyUnitPrice { minorUnits } } }")
    given: dict[str, Any] = {"planCode": "STARTER", "monthlyUnitPrice": 6_000, "annualUnitPrice": 36_000}
    (error,) = await refused(api, token, price, **given, effectiveFrom="2026-04-10")
    assert (error["code"], error["field"]) == ("PRICE_IN_THE_PAST", "effectiveFrom")
    (error,) = await refused(api, token, price, **{**given, "planCode": "FREE"}, effectiveFrom="2026-05-01")
    assert (error["code"], error["field"]) == ("NOT_FOUND", "planCode")
    payload = await accepted(api, token, price, **given, effectiveFrom="2026-05-01")
    assert payload["plan"]["prices"][-1] == {
        "effectiveFrom": "2026-05-01",
        "monthlyUnitPrice": {"minorUnits": 6_000},
    }
    rate = mutation("taxRateSet", "taxRates { effectiveFrom basisPoints }")
    (error,) = await refused(api, token, rate, effectiveFrom="2026-05-01", basisPoints=10_001)
    assert (error["code"], error["field"]) == ("RATE_OUT_OF_RANGE", "basisPoints")
    payload = await accepted(api, token, rate, effectiveFrom="2026-05-01", basisPoints=1_200)
    assert payload["taxRates"][-1] == {"effectiveFrom": "2026-05-01", "basisPoints": 1_200}
    assert (await api.error(price, owner.token, input={**given, "effectiveFrom": "2026-05-01"}))["code"] == "FORBIDDEN"
    # Sold before: 5,000 and 10 %. Placed now: the contract's own price, at the rate of its first day.
    assert sold["price"]["total"]["minorUnits"] == 5_500
    now = await placed(api, owner.token, "now", startsOn="2026-06-01")
    assert (now["price"]["net"]["minorUnits"], now["price"]["tax"]["minorUnits"]) == (5_000, 600)
    renewed = await ordered(api, owner.token, "mainContractRenew", planCode="STARTER", units=1, billingCycle="ANNUAL")
    assert renewed["total"]["minorUnits"] == 36_000 * 112 // 100
