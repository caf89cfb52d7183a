"""What a document costs, which are refused for it, and that it is known in time linear in the text."""

import asyncio
import re
from datetime import date
from typing import Any

import pytest
from graphql import get_introspection_query, parse

from bench.attacks import nested_fragments
from cli.demo_queries import tabs
from resolvers import reads
from resolvers.access import Role
from schema.app import build_schema
from schema.limits import Measure, Size
from schema.operations import faults
from settings import Settings
from tests.processes import ROOT
from tests.world import Api, World

pytestmark = pytest.mark.anyio

SETTINGS = Settings()
SCHEMA = build_schema(SETTINGS)


def measured(query: str, **variables: Any) -> Measure:
    return Measure(SCHEMA._schema, parse(query), variables, SETTINGS.query_depth_max)


@pytest.mark.parametrize(
    ("query", "size"),
    [
        ("{ viewer { role } }", Size(depth=2, fields=2, cost=2)),
        ("{ a: viewer { role } b: viewer { role } }", Size(depth=2, fields=4, aliases=2, cost=4)),
        ("{ viewer { role role } viewer { role } }", Size(depth=2, fields=5, cost=5, repeats=2)),
        ("{ plans { code name } }", Size(depth=2, fields=3, cost=1 + 5 * 2)),
        ("query @a { viewer @b @c { ... @d { role } } }", Size(depth=2, fields=2, directives=4, cost=2)),
        ("{ customers(first: 10) { edges { node { id } } } }", Size(depth=4, fields=4, cost=1 + 10 * 3)),
        (
            "{ customers(first: 10) { edges { node { spotOrders(first: 4) { totalCount } } } } }",
            Size(depth=5, fields=5, cost=1 + 10 * (2 + 1 + 4)),
        ),
        (
            "{ viewer { ...F ...F } } fragment F on Viewer { role customer { id } }",
            Size(depth=3, fields=7, cost=7, spreads=2),
        ),
        ("{ __schema { types { fields { name } } } }", Size(depth=4, introspection=1, fields=4, cost=1 + 50 * 3)),
        (
            '{ __type(name: "A") { fields { type { fields { name } } } } }',
            Size(depth=5, introspection=2, fields=5, cost=1 + 50 * 4),
        ),
        ("query A { viewer { role } } query B { plans { code } }", Size(depth=2, fields=2, cost=6)),
    ],
)
def test_the_size_of_a_document(query: str, size: Size) -> None:
    assert measured(query).size() == size


@pytest.mark.parametrize(
    ("first", "variables", "items"),
    [
        ("first: 7", {}, 7),
        ("first: 1000", {}, 100),
        ("first: -3", {}, 1),
        ("first: $n", {"n": 9}, 9),
        ("first: $n", {"n": "x"}, 1),
        ("first: $n", {}, 20),  # the default
        ("first: $m", {}, 1),
    ],
)
def test_a_page_counts_as_often_as_it_has_items(first: str, variables: dict[str, Any], items: int) -> None:
    query = f"query($n: Int! = 20, $m: Int!) {{ customers({first}) {{ totalCount }} }}"
    assert measured(query, **variables).size().cost == 1 + items


def test_nested_fragments_are_measured_in_as_many_steps_as_they_have_parts() -> None:
    for levels, fields in ((10, 2**10), (20, 2**20), (25, 2**25)):
        measure = measured(nested_fragments(levels))
        assert measure.size().fields == fields
        assert measure.visited == 1 + 2 * levels + 1
    assert len(nested_fragments(25)) == 933


NESTED_LISTS = "{ __schema { types { fields { type { fields { name } } } } } }"
REFUSED = [
    (nested_fragments(25), "number of fields", "fields", 2**25, 2_000),
    ("{ " + "customer { mainContract { terms { " * 6 + "x" + " } } }" * 6 + " }", "depth", "depth", 19, 16),
    ("{ " + " ".join(f"a{n}: __typename" for n in range(101)) + " }", "number of aliases", "aliases", 101, 100),
    ("{ viewer " + "@skip(if: false) " * 101 + "{ role } }", "number of directives", "directives", 101, 100),
    ("{ " + "__typename " * 22 + "}", "number of repeated fields", "repeats", 21, 20),
    ("{ " + "...F " * 61 + "} fragment F on Query { __typename }", "number of fragment spreads", "spreads", 61, 60),
    (
        "{ __schema { types { fields { type { fields { name } } } } } }",
        "nesting of introspection",
        "introspection",
        2,
        1,
    ),
    ("{ a: __schema { types { name } } }", "nesting of introspection", "introspection", 2, 1),
    (
        "{ customers(first: 100) { edges { node { accounts(first: 100) { edges { node { name } } } } } } }",
        "cost",
        "cost",
        1 + 100 * (1 + 1 + 1 + 100 * 3),
        20_000,
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=[each[2] for each in REFUSED])
async def test_costly_documents_are_refused_before_they_are_validated(
    lone: Api, case: tuple[str, str, str, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    query, words, name, size, size_max = case
    monkeypatch.delattr("schema.limits.checked")
    assert await lone.error(query) == {
        "message": f"The document's {words} is {size}; at most {size_max} is answered.",
        "code": "TOO_COSTLY",
        name: size,
        f"{name}Max": size_max,
    }


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{" + "__typename " * 1_000 + "}", "Syntax Error: Document contains more than 1000 tokens. Parsing aborted."),
        ("{" + "a{" * 450, "Syntax Error: Document is nested too deeply. Parsing aborted."),
        (
            "{ viewer { ...A } } fragment A on Viewer { ...B } fragment B on Viewer { ...A }",
            "Cannot spread fragment 'A' within itself via 'B'.",
        ),
    ],
)
async def test_endless_documents_are_refused(lone: Api, query: str, message: str) -> None:
    assert await lone.error(query) == {"message": message, "code": "GRAPHQL_INVALID"}


def test_what_people_ask_is_not_refused() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    asked = [tab["query"] for tab in tabs("Q3VzdG9tZXI6MQ==", date(2026, 4, 10), "2026-04-01")]
    asked += re.findall(r"^```graphql\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    asked += re.findall(r"^    (\{ customer .*\})$", readme, re.MULTILINE)
    assert len(asked) == 8 + 1 + 1
    asked += [get_introspection_query(), get_introspection_query(specified_by_url=True, input_value_deprecation=True)]
    assert {query: found for query in asked if (found := faults(SCHEMA, query, SETTINGS))} == {}


async def test_the_cost_is_told_on_request(lone: Api) -> None:
    for extensions, told in (({"cost": True}, True), ({"cost": False}, False), (None, False)):
        response = await lone.client.post("/graphql", json={"query": "{ a: __typename }", "extensions": extensions})
        answer = response.json()
        assert answer["data"] == {"a": "Query"}
        assert ("extensions" in answer) is told
    widest = " ".join(f"fragment F{n} on Query {{ {f'...F{n + 1} ' * 8} }}" for n in range(20))
    query = f"{{ ...F0 }} {widest} fragment F20 on Query {{ __typename }}"
    response = await lone.client.post("/graphql", json={"query": query, "extensions": {"cost": True}})
    cost = response.json()["extensions"]["cost"]
    assert (cost["fields"], cost["cost"]) == (10**15, 10**15)  # not 8 to the power of 20: JSON's readers cannot hold it
    assert (cost["costMax"], cost["spreads"], cost["spreadsMax"]) == (20_000, 161, 60)


async def test_a_document_is_validated_once(lone: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "query Once { __typename }"
    assert await lone.data(query) == {"__typename": "Query"}
    monkeypatch.delattr("schema.limits.checked")
    assert await lone.data(query) == {"__typename": "Query"}


async def test_an_answer_has_only_so_many_errors(lone: Api) -> None:
    clocks = (f"a{n}: testClockAdvance(input: {{days: 1}}) {{ now }}" for n in range(30))
    more = {"message": "11 more errors are not listed.", "extensions": {"code": "TOO_MANY_ERRORS"}}
    aborted = "Too many validation errors, error limit reached. Validation aborted."
    for query, last in (
        (f"mutation {{ {' '.join(clocks)} }}", more),
        (
            "{ " + " ".join(f"nothing{n}" for n in range(30)) + " }",
            {"message": aborted, "extensions": {"code": "GRAPHQL_INVALID"}},
        ),
    ):
        errors = (await lone.post(query)).json()["errors"]
        assert len(errors) == 20
        assert errors[-1] == last


async def test_an_operation_that_takes_too_long_is_ended(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = asyncio.Event()

    async def stuck(*_: Any) -> None:
        try:
            await asyncio.sleep(3_600)
        finally:
            ended.set()

    monkeypatch.setattr(reads, "plans", stuck)
    real = asyncio.timeout
    monkeypatch.setattr("schema.limits.asyncio.timeout", lambda seconds: real(0.05 if seconds == 60 else seconds))
    body = {"query": "{ plans { code } }"}
    headers = {
        "Authorization": f"Bearer {await world.token(Role.SALES)}",
        "Accept": "application/graphql-response+json",
    }
    response = await api.client.post("/graphql", json=body, headers=headers)
    assert (response.status_code, response.json()) == (
        503,
        {
            "errors": [
                {
                    "message": "The request took too long. Ask for less at once.",
                    "extensions": {"code": "TIMEOUT", "retryable": True},
                }
            ]
        },
    )
    assert ended.is_set()
