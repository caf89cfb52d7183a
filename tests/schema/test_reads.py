"""Connections, cursors, capacity windows, and how many SQL statements reading takes."""

import gc
import json
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.contracts import AdditionalLicence
from resolvers import account_reads
from resolvers.access import Role
from resolvers.services import Services
from schema.context import Context
from schema.relay import cursor
from tests.people import people, registered
from tests.statements import counted_statements
from tests.world import Api, TestClock, World, confirmed, period, placed, starter

pytestmark = pytest.mark.anyio

CUSTOMERS = """
query($first: Int!, $after: String, $search: String) {
  customers(first: $first, after: $after, search: $search) {
    totalCount edges { cursor node { name } } pageInfo { hasNextPage endCursor hasPreviousPage startCursor }
  }
}"""


async def test_customers_are_paged_by_name_without_gaps_or_repeats(api: Api, world: World) -> None:
    sales = await world.token(Role.SALES)
    for name in ("Delta", "Alpha", "青葉\u3000学園", "Bravo", "Alpha"):
        await world.customer(name=name)
    seen: list[str] = []
    after = None
    pages = 0
    while pages < 10:
        page = (await api.data(CUSTOMERS, sales, first=2, after=after))["customers"]
        seen += [edge["node"]["name"] for edge in page["edges"]]
        info = page["pageInfo"]
        cursors = [edge["cursor"] for edge in page["edges"]]
        assert (info["startCursor"], info["endCursor"], info["hasPreviousPage"]) == (cursors[0], cursors[-1], pages > 0)
        pages += 1
        after = info["endCursor"]
        if not info["hasNextPage"]:
            break
    assert (seen, pages) == (["Alpha", "Alpha", "Bravo", "Delta", "青葉\u3000学園"], 3)
    assert page["totalCount"] == 5
    nobody = (await api.data(CUSTOMERS, sales, first=2, search="Zulu"))["customers"]["pageInfo"]
    assert nobody == {"hasNextPage": False, "endCursor": None, "hasPreviousPage": False, "startCursor": None}


async def test_customers_are_searched_by_part_of_the_name_taken_literally(api: Api, world: World) -> None:
    sales = await world.token(Role.SALES)
    for name in ("100% Online", "1000 Online", "Under_score"):
        await world.customer(name=name)
    found = [
        [
            edge["node"]["name"]
            for edge in (await api.data(CUSTOMERS, sales, first=9, search=text))["customers"]["edges"]
        ]
        for text in ("0% on", "online", "_", "nothing", "a\0")
    ]
    assert found == [["100% Online"], ["100% Online", "1000 Online"], ["Under_score"], [], []]


NESTED = b64encode(b"cursor:" + b"[" * 5_000).decode()


@pytest.mark.parametrize(
    "after",
    [
        *(cursor(*values) for values in (("a\0", 1), ("a", 2**31), ("a", -1), (1, 1), ("a", True))),
        b64encode(b'cursor:["\\ud800",1]').decode(),
        NESTED,
    ],
)
async def test_a_crafted_cursor_is_refused_and_reaches_no_database(api: Api, world: World, after: str) -> None:
    error = await api.error(CUSTOMERS, await world.token(Role.SALES), first=1, after=after)
    assert (error["code"], error["field"]) == ("CURSOR_INVALID", "after")


@pytest.mark.parametrize(
    ("variables", "error"),
    [
        (
            {"first": 0},
            {
                "message": "A page has 1 to 100 objects, not 0.",
                "code": "PAGE_SIZE_OUT_OF_RANGE",
                "field": "first",
                "first": 0,
                "firstMax": 100,
            },
        ),
        (
            {"first": 101},
            {
                "message": "A page has 1 to 100 objects, not 101.",
                "code": "PAGE_SIZE_OUT_OF_RANGE",
                "field": "first",
                "first": 101,
                "firstMax": 100,
            },
        ),
        (
            {"first": 1, "after": "bm8="},
            {
                "message": "This is not a cursor of this connection: 'bm8='.",
                "code": "CURSOR_INVALID",
                "field": "after",
                "cursor": "bm8=",
            },
        ),
        (
            # A cursor of the orders' connection: [1] instead of a name and an id.
            {"first": 1, "after": "Y3Vyc29yOlsxXQ=="},
            {
                "message": "This is not a cursor of this connection: 'Y3Vyc29yOlsxXQ=='.",
                "code": "CURSOR_INVALID",
                "field": "after",
                "cursor": "Y3Vyc29yOlsxXQ==",
            },
        ),
    ],
)
async def test_a_bad_page_is_refused_with_its_numbers(
    api: Api, world: World, variables: dict[str, Any], error: dict[str, Any]
) -> None:
    assert await api.error(CUSTOMERS, await world.token(Role.SALES), **variables) == error


async def test_orders_are_paged_newest_first(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    numbers = [(await placed(api, owner.token, f"k{index}"))["number"] for index in range(5)]
    query = """query($after: String) { customer { spotOrders(first: 2, after: $after) {
      totalCount edges { node { number } } pageInfo { hasNextPage endCursor hasPreviousPage } } } }"""
    seen: list[str] = []
    after = None
    for has_next in (True, True, False):
        page = (await api.data(query, owner.token, after=after))["customer"]["spotOrders"]
        seen += [edge["node"]["number"] for edge in page["edges"]]
        assert (page["pageInfo"]["hasNextPage"], page["totalCount"]) == (has_next, 5)
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        after = page["pageInfo"]["endCursor"]
    assert seen == numbers[::-1]


async def test_the_main_contract_shows_terms_and_additional_licences(api: Api, world: World) -> None:
    licence = AdditionalLicence(period("2026-06-10", "2027-04-01"), 200)
    owner = await world.customer(starter(), starter("2027-04-01", "2028-04-01", 3), licences=(licence,))
    query = """{ customer { today mainContract { version startsOn lastDay accountsPerUnit
      terms { planCode units accounts startsOn endsBefore lastDay billingCycle monthlyUnitPrice { amount }
              annualUnitPrice { minorUnits } }
      additionalLicences { accounts startsOn endsBefore lastDay } } } }"""
    answer = await api.data(query, owner.token)
    assert owner.stored is not None
    term = {"planCode": "STARTER", "billingCycle": "ANNUAL", "monthlyUnitPrice": {"amount": "5000"}}
    assert answer["customer"] == {
        "today": "2026-04-10",
        "mainContract": {
            "version": f"{owner.stored.id}.1",
            "startsOn": "2026-04-01",
            "lastDay": "2028-03-31",
            "accountsPerUnit": 100,
            "terms": [
                {
                    **term,
                    "units": 1,
                    "accounts": 100,
                    "startsOn": "2026-04-01",
                    "endsBefore": "2027-04-01",
                    "lastDay": "2027-03-31",
                    "annualUnitPrice": {"minorUnits": 30_000},
                },
                {
                    **term,
                    "units": 3,
                    "accounts": 300,
                    "startsOn": "2027-04-01",
                    "endsBefore": "2028-04-01",
                    "lastDay": "2028-03-31",
                    "annualUnitPrice": {"minorUnits": 30_000},
                },
            ],
            "additionalLicences": [
                {"accounts": 200, "startsOn": "2026-06-10", "endsBefore": "2027-04-01", "lastDay": "2027-03-31"}
            ],
        },
    }


async def test_a_free_customer_has_no_main_contract_and_no_capacity(api: Api, world: World) -> None:
    owner = await world.customer()
    query = """{ customer { mainContract { id }
      capacityTimeline(from: "2026-04-01", until: "2027-04-01") { from until accounts } } }"""
    assert await api.data(query, owner.token) == {
        "customer": {
            "mainContract": None,
            "capacityTimeline": [{"from": "2026-04-01", "until": "2027-04-01", "accounts": 0}],
        }
    }


async def test_an_empty_capacity_window_is_refused(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    query = '{ customer { capacityTimeline(from: "2026-04-01", until: "2026-04-01") { accounts } } }'
    assert await api.error(query, owner.token) == {
        "message": "From 2026-04-01 until 2026-04-01 is not a window of 1 to 3700 days.",
        "code": "WINDOW_INVALID",
        "field": "until",
        "startsOn": "2026-04-01",
        "endsBefore": "2026-04-01",
        "daysMax": 3_700,
    }


async def test_the_catalogue_is_the_published_one(api: Api, world: World) -> None:
    query = """{ plans { code name isFree accountsPerUnit
      prices { effectiveFrom monthlyUnitPrice { minorUnits } annualUnitPrice { minorUnits } } } }"""

    def prices(monthly: int, annual: int) -> list[dict[str, Any]]:
        return [
            {
                "effectiveFrom": "2019-10-01",
                "monthlyUnitPrice": {"minorUnits": monthly},
                "annualUnitPrice": {"minorUnits": annual},
            }
        ]

    assert (await api.data(query, await world.token(Role.SALES)))["plans"] == [
        {"code": "FREE", "name": "Free", "isFree": True, "accountsPerUnit": 100, "prices": []},
        {
            "code": "STARTER",
            "name": "Starter",
            "isFree": False,
            "accountsPerUnit": 100,
            "prices": prices(5_000, 30_000),
        },
        {
            "code": "STANDARD",
            "name": "Standard",
            "isFree": False,
            "accountsPerUnit": 100,
            "prices": prices(15_000, 90_000),
        },
    ]


@pytest.mark.parametrize("customers", [1, 12])
async def test_the_number_of_statements_does_not_grow_with_the_customers(
    api: Api, world: World, customers: int
) -> None:
    sales = await world.token(Role.SALES)
    for index in range(customers):
        owner = await world.customer(starter(), name=f"Customer {index}")
        await confirmed(api, owner.token, f"k{index}")
    query = """{ customers(first: 100) { totalCount edges { node { name mainContract { version }
      capacityTimeline(from: "2026-05-01", until: "2026-05-02") { accounts }
      spotOrders(first: 3) { totalCount edges { node { number } } } } } } }"""
    with counted_statements() as statements:
        answer = await api.data(query, sales)
    nodes = [edge["node"] for edge in answer["customers"]["edges"]]
    assert len(nodes) == customers
    assert {node["capacityTimeline"][0]["accounts"] for node in nodes} == {200}
    # The token, the page and its count, five for contracts, one for orders, one for their counts.
    assert len(statements) == 10


async def test_each_mutation_of_a_request_reads_what_it_changed(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    (person,) = await registered(api, owner.token, people(1, 1, groups=["Teachers"]))
    change = "accountGroupsChange(input: {{accountIds: {ids}, {what}}}) {{ accounts {{ groups {{ name }} }} }}"
    ids = json.dumps([person["id"]])
    query = f"""mutation {{ a: {change.format(ids=ids, what='add: ["Parents"]')}
      b: {change.format(ids=ids, what='remove: ["Teachers"]')} }}"""
    answer = await api.data(query, owner.token)
    names = {key: [group["name"] for group in answer[key]["accounts"][0]["groups"]] for key in ("a", "b")}
    assert names == {"a": ["Parents", "Teachers"], "b": ["Parents"]}


async def test_days_that_are_to_come_for_some_customers_only_are_refused_for_them(
    api: Api, world: World, clock: TestClock
) -> None:
    clock.now = datetime(2026, 5, 2, 3, tzinfo=UTC)  # still 1 May in New York
    for name, zone in (("A", "Asia/Tokyo"), ("B", "America/New_York"), ("C", "Asia/Tokyo")):
        owner = await world.customer(starter(), name=name, time_zone=zone)
        await registered(api, owner.token, people(1, 2))
    query = """{ customers(first: 3) { edges { node { name today: accountCount(on: "2026-05-02")
      yesterday: accountCount(on: "2026-05-01") } } } }"""
    answer = (await api.post(query, await world.token(Role.SALES))).json()
    assert [(error["path"][2], error["extensions"]["code"]) for error in answer["errors"]] == [(1, "DAY_IN_THE_FUTURE")]


async def test_what_cannot_be_read_of_one_customer_does_not_keep_others_from_being_read(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers = [await world.customer(starter(), name=name) for name in "ABC"]
    bad_id = customers[1].customer.id

    async def broken(services: Services, ids: Sequence[int]) -> list[int]:
        if bad_id in ids:
            raise ValueError("a row that nobody can read")
        return await fall_totals(services, ids)

    fall_totals = account_reads.fall_totals
    monkeypatch.setattr(vars(Context)["fall_totals"], "_load", broken)
    query = "{ customers(first: 3) { edges { node { name capacityFalls(first: 1) { totalCount } } } } }"
    answer = (await api.post(query, await world.token(Role.SALES))).json()
    assert [(error["path"][2], error["extensions"]["code"]) for error in answer["errors"]] == [(1, "INTERNAL")]


async def test_a_field_that_fails_takes_nothing_from_others_that_wait_for_the_same(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    capacity = 'capacity(on: "2026-05-01")'
    query = f"""{{ one: customer {{ {capacity} }}
      two: viewer {{ customer {{ {capacity} accountCount(on: "2099-01-01")
        quotes(first: 1, after: "x") {{ totalCount }} }} }} }}"""
    answer = (await api.post(query, owner.token)).json()
    assert (await api.error('{ customer { accountCount(on: "2099-01-01") } }', owner.token))[
        "code"
    ] == "DAY_IN_THE_FUTURE"
    gc.collect()  # an error that nobody has looked at would be told now
    assert answer["data"] == {"one": {"capacity": 100}, "two": {"customer": None}}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["CURSOR_INVALID"]
