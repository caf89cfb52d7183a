"""One price, wherever it is said: preview, order, quote, purchase, invoice and credit note, on both databases."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.contracts import BillingCycle, Term
from domain.months import Period, ends_before
from resolvers.access import Role
from tests.commerce import AGREED, ISSUE, accepted, mutation, operator, ordered, paid, purchase_of
from tests.world import CANCEL, Api, Owned, TestClock, World, placed, starter

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 4, 10, 3, tzinfo=UTC)
TODAY = date(2026, 4, 10)
TAX_RISES = date(2026, 7, 1)
NUMBERS = count(1)
PREVIEW_SPOT = "query($item: SpotOrderInput!) { preview: spotOrderPreview(input: $item) { price { %s } } }"
PREVIEW_OTHER = "query($item: ContractItemInput!) { preview: contractOrderPreview(item: $item) { price { %s } } }"
AMOUNTS = "net { minorUnits } tax { minorUnits } total { minorUnits }"
SUMS = f"taxSums {{ percent net {{ minorUnits }} tax {{ minorUnits }} }} {AMOUNTS}"

Sums = list[tuple[str, int, int]]
"""Percent, net and tax, as documents list them."""


@dataclass(frozen=True)
class Item:
    """Something to buy, as the API takes it, and what it must cost without tax, at which rate."""

    given: dict[str, Any]
    net: int
    percent: int

    @property
    def tax(self) -> int:
        return self.net * self.percent // 100


@dataclass(frozen=True)
class Case:
    """A contract of one or two terms, and what is bought of it."""

    terms: tuple[Term, ...]
    items: tuple[Item, ...]


def percent_on(day: date) -> int:
    return 12 if day >= TAX_RISES else 10


def term_on(terms: Iterable[Term], day: date) -> Term:
    return next(term for term in terms if term.period.starts_on <= day < term.period.ends_before)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    begin = TODAY - timedelta(days=draw(st.integers(0, 150)))
    middle = ends_before(begin, 12)
    periods = [Period(begin, middle)]
    if draw(st.booleans()):
        periods.append(Period(middle, ends_before(middle, draw(st.integers(1, 12)))))
    terms = tuple(
        Term(
            period=item,
            plan_code="STARTER",
            units=draw(st.integers(1, 3)),
            accounts_per_unit=100,
            billing_cycle=draw(st.sampled_from(BillingCycle)),
            monthly_unit_price_minor=draw(st.integers(1, 99_999)),
            annual_unit_price_minor=draw(st.integers(1, 99_999)),
        )
        for item in periods
    )
    items = draw(st.lists(st.one_of(spots(terms), licences(terms)), min_size=1, max_size=5))
    if draw(st.booleans()):
        items.append(draw(renewals(terms)))
    return Case(terms, tuple(items))


@st.composite
def spots(draw: st.DrawFn, terms: tuple[Term, ...]) -> Item:
    """A spot, at the price of the term in force on the first day of each of its months."""
    end = terms[-1].period.ends_before
    first = draw(st.dates(TODAY, end - timedelta(days=32)))
    months_max = max(months for months in range(1, 25) if ends_before(first, months) <= end)
    months, units = draw(st.integers(1, months_max)), draw(st.integers(1, 4))
    days = [first, *(ends_before(first, month) for month in range(1, months))]
    net = sum(units * term_on(terms, day).monthly_unit_price_minor for day in days)
    given_ = {"accounts": units * 100, "startsOn": str(first), "months": months}
    return Item({"spot": given_}, net, percent_on(first))


@st.composite
def licences(draw: st.DrawFn, terms: tuple[Term, ...]) -> Item:
    """Licences until the end of their term: by the day where it is annual, else by the months begun."""
    first = draw(st.dates(TODAY, terms[-1].period.ends_before - timedelta(days=1)))
    term, units = term_on(terms, first), draw(st.integers(1, 3))
    end = term.period.ends_before
    if term.billing_cycle is BillingCycle.ANNUAL:
        net = units * (term.annual_unit_price_minor * (end - first).days // 365)
    else:
        begun = next(months for months in count(1) if ends_before(first, months) >= end)
        net = units * term.monthly_unit_price_minor * begun
    return Item({"additionalLicence": {"units": units, "startsOn": str(first)}}, net, percent_on(first))


@st.composite
def renewals(draw: st.DrawFn, terms: tuple[Term, ...]) -> Item:
    """A renewal, at the catalogue's price."""
    units, months = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    cycle = draw(st.sampled_from(BillingCycle))
    given_ = {"planCode": "STARTER", "units": units, "billingCycle": cycle.value, "months": months}
    net = units * (30_000 if cycle is BillingCycle.ANNUAL else 5_000 * months)
    return Item({"renewal": given_}, net, percent_on(terms[-1].period.ends_before))


def sums(items: Iterable[Item]) -> Sums:
    """Net by rate, the highest first, with tax rounded down once for each."""
    nets: Counter[int] = Counter()
    for item in items:
        nets[item.percent] += item.net
    return [(str(rate), net, net * rate // 100) for rate, net in sorted(nets.items(), reverse=True)]


def said(document: dict[str, Any]) -> Sums:
    """What a document or quote says by rate."""
    return [(part["percent"], part["net"]["minorUnits"], part["tax"]["minorUnits"]) for part in document["taxSums"]]


def total(parts: Sums) -> int:
    return sum(net + tax for _, net, tax in parts)


def minor(price: dict[str, Any]) -> tuple[int, int, int]:
    return price["net"]["minorUnits"], price["tax"]["minorUnits"], price["total"]["minorUnits"]


async def previewed(api: Api, token: str, item: Item) -> tuple[int, int, int]:
    """What the preview of one item says."""
    spot = item.given.get("spot")
    query = (PREVIEW_SPOT if spot else PREVIEW_OTHER) % AMOUNTS
    return minor((await api.data(query, token, item=spot or item.given))["preview"]["price"])


async def single_order(api: Api, token: str, item: Item, key: str) -> tuple[int, int, int]:
    """What an order of one item says, which is placed and not paid."""
    ((kind, given_),) = item.given.items()
    if kind == "spot":
        return minor((await placed(api, token, key, **given_))["price"])
    name = {"additionalLicence": "additionalLicenceOrder", "renewal": "mainContractRenew"}[kind]
    purchase = await ordered(api, token, name, key, **given_)
    order = purchase["contractOrders"][0]["price"]["net"]["minorUnits"]
    assert order == purchase["total"]["minorUnits"] - purchase["tax"]["minorUnits"]
    return order, purchase["tax"]["minorUnits"], purchase["total"]["minorUnits"]


async def taken_back(api: Api, token: str, purchase: dict[str, Any], items: tuple[Item, ...]) -> list[dict[str, Any]]:
    """The documents of a purchase after all its spots that can be cancelled were, one after another.

    Before and after each, what is left of the invoice is what its standing items cost by themselves.
    """
    standing = list(items)
    documents: list[dict[str, Any]] = purchase["documents"]
    spots_ = [item for item in items if "spot" in item.given]
    for order, item in zip(purchase["spotOrders"], spots_, strict=True):
        payload = (await api.data(CANCEL, token, input={"orderId": order["id"]}))["spotOrderCancel"]
        if item.given["spot"]["startsOn"] == str(TODAY):
            assert [error["status"] for error in payload["errors"]] == ["ACTIVE"]
            continue
        assert payload["order"]["status"] == "CANCELLED"
        standing.remove(item)
        documents = (await purchase_of(api, token, purchase["id"]))["documents"]
        invoice, *notes = documents
        assert notes[-1]["refersTo"] == invoice["number"]
        assert [line["net"]["minorUnits"] for line in notes[-1]["items"]] == [item.net]
        left = {rate: (net, tax) for rate, net, tax in said(invoice)}
        for note in notes:
            for rate, net, tax in said(note):
                left[rate] = (left[rate][0] - net, left[rate][1] - tax)
        alone = {rate: (net, tax) for rate, net, tax in sums(standing)}
        assert left == dict.fromkeys(left, (0, 0)) | alone
        assert sum(document["total"]["minorUnits"] for document in notes) == total(sums(items)) - total(sums(standing))
    return documents


async def quoted_and_accepted(
    api: Api, world: World, owner: Owned, items: tuple[Item, ...]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A quote of the items, and the purchase that it becomes, paid by invoice."""
    sales = await world.token(Role.SALES)
    issue = ISSUE.replace("quote { ", f"quote {{ {SUMS} ", 1)
    given_ = {"customerId": owner.id, "validUntil": "2026-04-30", "idempotencyKey": "quote"}
    quote = (await accepted(api, sales, issue, items=[item.given for item in items], **given_))["quote"]
    answer = {"quoteId": quote["id"], "agreedTermsVersion": AGREED, "idempotencyKey": "accept"}
    payload = await accepted(
        api,
        owner.token,
        mutation("quoteAccept"),
        expectedTotal=quote["total"]["minorUnits"],
        paymentMethod="INVOICE",
        **answer,
    )
    return quote, payload["purchase"]


async def check(api: Api, world: World, clock: TestClock, case: Case) -> None:
    clock.now = NOON
    rate = mutation("taxRateSet", "taxRates { basisPoints }")
    await accepted(api, await operator(world), rate, effectiveFrom=str(TAX_RISES), basisPoints=1_200)
    owner = await world.customer(*case.terms, name=f"No. {next(NUMBERS)}")
    for number, item in enumerate(case.items):
        price = (item.net, item.tax, item.net + item.tax)
        assert await previewed(api, owner.token, item) == price
        assert await single_order(api, owner.token, item, f"single-{number}") == price
    quote, purchase = await quoted_and_accepted(api, world, owner, case.items)
    expected = sums(case.items)
    assert sorted(line["net"]["minorUnits"] for line in quote["items"]) == sorted(item.net for item in case.items)
    assert (said(quote), minor(quote)[2]) == (expected, total(expected))
    assert purchase["total"]["minorUnits"] == total(expected)
    (invoice,) = purchase["documents"]
    assert (said(invoice), invoice["total"]["minorUnits"]) == (expected, total(expected))
    assert sorted(line["net"]["minorUnits"] for line in invoice["items"]) == sorted(item.net for item in case.items)
    documents = await taken_back(api, owner.token, purchase, case.items)
    assert documents[0] == invoice
    if documents[1:] and len(documents) == len(case.items) + 1:  # everything was taken back
        assert sum(note["total"]["minorUnits"] for note in documents[1:]) == total(expected)


async def test_every_price_of_anything_is_the_same_everywhere(api: Api, world: World, clock: TestClock) -> None:
    @settings(max_examples=12, deadline=None, derandomize=True, database=None)
    @given(cases())
    def collect(case: Case) -> None:
        found.append(case)

    found: list[Case] = []
    collect()
    for case in found:
        await check(api, world, clock, case)


@pytest.mark.soak
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=cases())
async def test_300_random_contracts_agree(api: Api, world: World, clock: TestClock, case: Case) -> None:
    await check(api, world, clock, case)


async def test_the_page_s_spot_is_5_500_yen_on_every_paper(api: Api, world: World, clock: TestClock) -> None:
    item = Item({"spot": {"accounts": 100, "startsOn": "2026-05-01", "months": 1}}, 5_000, 10)
    owner = await world.customer(starter())
    assert await previewed(api, owner.token, item) == (5_000, 500, 5_500)
    _, purchase = await quoted_and_accepted(api, world, owner, (item,))
    invoice, note = await taken_back(api, owner.token, purchase, (item,))
    for paper in (invoice, note):
        assert (said(paper), paper["total"]["minorUnits"]) == ([("10", 5_000, 500)], 5_500)


async def test_the_published_example_of_98_382_yen_on_invoices(api: Api, world: World, clock: TestClock) -> None:
    """171 days are left: a Starter unit is 14,054; or two units go from 30,000 to 90,000, and one is added."""
    clock.now = datetime(2026, 4, 12, 15, tzinfo=UTC)
    term = starter("2025-10-01", "2026-10-01", units=2)
    licence: dict[str, Any] = {"units": 1, "startsOn": "2026-04-13"}
    plain = await world.customer(term, name="Stays with Starter")
    purchase = await paid(api, plain.token, await ordered(api, plain.token, "additionalLicenceOrder", **licence))
    assert said(purchase["documents"][0]) == [("10", 14_054, 1_405)]
    owner = await world.customer(term, name="Goes up")
    up = await paid(api, owner.token, await ordered(api, owner.token, "mainContractUpgrade", planCode="STANDARD"))
    more = await ordered(api, owner.token, "additionalLicenceOrder", "more", **licence)
    added = await paid(api, owner.token, more, key="pay-more")
    assert said(up["documents"][0]) == [("10", 28_109 + 28_109, 5_621)]
    assert said(added["documents"][0]) == [("10", 42_164, 4_216)]
    assert 28_109 + 28_109 + 42_164 == 98_382
