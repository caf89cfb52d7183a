"""The SQL statements of a query depend on its text, not on how many objects a level has: for every field.

What is asked is generated from the schema. Each type is reached by the shortest way from ``customers``, so that all of
its objects are on one level; what that does not reach, from the other fields of Query. Of each type all plain fields
are asked for together, and every other field by itself: with the arguments that it needs, and with each other one.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition

from db.webhooks import add_delivery
from domain.global_ids import parse_id
from domain.webhooks import Outcome
from resolvers.access import Role
from schema.app import build_schema as build_spotplan_schema
from schema.relay import cursor
from settings import Settings
from tests.commerce import ISSUE, accepted, mutation, operator, ordered, paid
from tests.people import people, registered
from tests.schema.access_probe import field_text
from tests.statements import counted_statements
from tests.world import Api, Owned, TestClock, World, confirmed, placed, starter

pytestmark = pytest.mark.anyio

MAY_DEPEND: dict[str, str] = {}
"""Questions whose statements may depend on the number of objects, and why."""
UNASKED = {
    "Query.node": "one object by its id, of types that are asked for here",
    "Query.viewer": "it leads to one Customer",
    "Query.customer": "it leads to one Customer",
    "Query.spotPlanRecommend": "one question to the planner, whose answer is plain values",
}

SCHEMA = build_schema((Path(__file__).parents[2] / "schema" / "schema.graphql").read_text())
UNIT = 2
FEW, MANY = 2, 7
"""Customers: the first few have one object of each kind, the others three."""
PAGE = 20
"""How many objects of each customer are asked for: all of them, and of costs as many as may be."""
ZONES = ("Asia/Tokyo", "Asia/Tokyo", "America/New_York", "Europe/Berlin", "Asia/Tokyo", "UTC", "Asia/Kolkata")
"""The customers' time zones."""
BY_NAME = cursor("A", 1)
"""Before everybody whose name comes after A."""
AFTER = {"customers": BY_NAME, "accounts": BY_NAME, "deactivations": cursor(1)}
"""A cursor for ``after``, by the field; for others one of the last id there may be, with the newest first."""
VALUES = {"search": "u", "asKnownAt": "2026-05-03T00:00:00Z", "on": "2026-06-02"}
"""Values for arguments that may be left out. The day is today in some time zones only."""
REQUIRED = {"deactivationPreview": {"on": "2027-04-01"}}
"""On the way to objects: the contracts' end, when somebody has to go."""

Way = tuple[tuple[str, GraphQLField], ...]
"""Fields, from Query on."""


@dataclass(frozen=True)
class Question:
    """Fields of one type that is reached on a way, with one argument more than they need, or none."""

    way: Way
    kind: GraphQLObjectType
    names: tuple[str, ...]
    argument: str | None = None

    @property
    def is_level(self) -> bool:
        """Whether there are as many objects as there are customers, or more."""
        return [name for name, _ in self.way[:2]] == ["customers", "edges"]

    def __str__(self) -> str:
        return f"{self.kind.name}.{' '.join(self.names)}" + (f"({self.argument})" if self.argument else "")

    def text(self, given: dict[str, Any], customers: int, page: int) -> str:
        """The query, for so many customers, and so many objects of each of their pages."""
        needed = {"first": page, "externalId": "u1", "customerId": given["customerId"]}
        more = {}
        if self.argument is not None:
            after = AFTER.get(self.names[0], cursor(2**31 - 1))
            more = {self.argument: {"after": after, **VALUES, **given}.get(self.argument, ...)}
        query = " ".join(field_text(name, self.kind.fields[name], {**needed, **more}) for name in self.names)
        query = f"level: __typename {query}"
        for name, field in reversed(self.way):
            values = {**needed, "first": customers} if name == "customers" else {**needed, **REQUIRED.get(name, {})}
            query = field_text(name, field, values, query)
        return f"{{ {query} }}"


def ways(schema: GraphQLSchema) -> dict[GraphQLObjectType, Way]:
    """Every object type that can be reached from Query, and how: by ``customers`` if it can be."""
    query = schema.query_type
    assert query is not None
    found: dict[GraphQLObjectType, Way] = {query: ()}
    for root in sorted(query.fields.items(), key=lambda item: item[0] != "customers"):
        waiting: deque[Way] = deque([(root,)] if f"Query.{root[0]}" not in UNASKED else [])
        while waiting:
            way = waiting.popleft()
            kind = get_named_type(way[-1][1].type)
            if isinstance(kind, GraphQLObjectType) and kind not in found:
                found[kind] = way
                waiting.extend((*way, item) for item in kind.fields.items())
    return found


def questions(schema: GraphQLSchema) -> Iterator[Question]:
    """What is asked, of every object type that can be reached."""
    for kind, way in ways(schema).items():
        fields = {name: field for name, field in kind.fields.items() if f"{kind.name}.{name}" not in UNASKED}
        plain = [name for name, field in fields.items() if is_leaf_type(get_named_type(field.type)) and not field.args]
        if plain:
            yield Question(way, kind, tuple(plain))
        for name in [name for name in fields if name not in plain]:
            yield Question(way, kind, (name,))
            for argument, about in fields[name].args.items():
                if not is_required_argument(about) and argument != "customerId":
                    yield Question(way, kind, (name,), argument)


def objects(answer: Any) -> int:
    """How many objects of the type asked about are in an answer."""
    if isinstance(answer, list):
        return sum(map(objects, answer))
    return ("level" in answer) + sum(map(objects, answer.values())) if isinstance(answer, dict) else 0


async def populate(api: Api, world: World, clock: TestClock) -> dict[str, Any]:
    """The customers, on 3 June: spots of April and May have ended. One of them, and ids of what it has."""
    small = replace(starter(), accounts_per_unit=UNIT)
    owners = [await world.customer(small, name=f"Customer {index}", time_zone=ZONES[index]) for index in range(MANY)]
    sizes = [1 if index < FEW else 3 for index in range(MANY)]
    for owned, size in zip(owners, sizes, strict=True):
        groups = ["Teachers", "Parents", "Pupils"][:size]
        await registered(api, owned.token, people(1, UNIT, groups=groups))
        for number, starts_on in enumerate(("2026-05-01", "2026-04-12", "2026-04-15")[:size]):
            await confirmed(api, owned.token, f"spot {number}", accounts=UNIT, startsOn=starts_on)
    clock.now = datetime(2026, 5, 2, 3, tzinfo=UTC)
    for owned, size in zip(owners, sizes, strict=True):
        await registered(api, owned.token, people(11, 11 + size))
    clock.now = datetime(2026, 6, 3, 3, tzinfo=UTC)
    sales = await world.token(Role.SALES)
    for owned, size in zip(owners, sizes, strict=True):
        await confirmed(api, owned.token, "later", accounts=UNIT, startsOn="2026-06-10")
        for number in range(size):
            await _objects(api, world, owned, sales, number)
    last = owners[-1]
    query = "{ customer { accountGroups { id } accounts(first: 1) { edges { node { id } } } } }"
    found = (await api.data(query, last.token))["customer"]
    account, group = found["accounts"]["edges"][0]["node"]["id"], found["accountGroups"][0]["id"]
    return {"customerId": last.id, "accountId": account, "groupId": group}


async def _objects(api: Api, world: World, owned: Owned, sales: str, number: int) -> None:
    """One more of what a customer may have several of."""
    token = owned.token
    await placed(api, token, f"open {number}", accounts=UNIT, startsOn="2026-07-01")
    item = {"spot": {"accounts": UNIT, "startsOn": "2026-08-01", "months": 1}}
    given = {"items": [item], "validUntil": "2026-06-30", "idempotencyKey": f"quote {number}"}
    await accepted(api, sales, ISSUE, customerId=owned.id, **given)
    add = mutation("webhookEndpointAdd", "endpoint { id }")
    added = await accepted(api, token, add, url=f"https://hooks.example/{number}")
    endpoint_id = parse_id(added["endpoint"]["id"])[1]
    now = world.services.clock()
    async with world.services.database.write() as session:
        for attempt in range(1, number + 2):
            outcome = Outcome(500, "busy", 3)
            await add_delivery(session, endpoint_id, event_id=1, attempt=attempt, outcome=outcome, now=now)
    licences = await ordered(api, token, "additionalLicenceOrder", f"more {number}", units=1, startsOn="2026-07-01")
    await paid(api, token, licences, key=f"pay {number}")
    await world.token(Role.OWNER, owned.customer.id)


async def test_the_number_of_statements_does_not_depend_on_the_number_of_objects(
    api: Api, world: World, clock: TestClock
) -> None:
    given = await populate(api, world, clock)
    token = await operator(world)
    depend = []
    for question in questions(SCHEMA):
        numbers: list[int] = []
        levels: list[int] = []
        for customers in (FEW, MANY):
            page = PAGE if question.is_level or customers == MANY else 1
            with counted_statements() as statements:
                answer = await api.data(question.text(given, customers, page), token)
            numbers.append(len(statements))
            levels.append(objects(answer))
        if question.is_level:
            assert FEW <= levels[0] < levels[1], f"{question}: {levels} objects"
        if numbers[0] != numbers[1] and str(question) not in MAY_DEPEND:
            depend.append(f"{question}: {numbers}")
    assert depend == []


def test_every_type_whose_fields_read_something_is_asked_about() -> None:
    asked = {kind.name for kind in ways(SCHEMA)}
    resolving = set()
    for name, kind in build_spotplan_schema(Settings())._schema.type_map.items():
        definition = (kind.extensions or {}).get(GraphQLCoreConverter.DEFINITION_BACKREF)
        if isinstance(definition, StrawberryObjectDefinition) and any(item.base_resolver for item in definition.fields):
            resolving.add(name)
    # One operation each; the planner's answers compute what they are asked for, and read nothing.
    assert resolving - asked == {"Mutation", "Subscription", "Viewer", "Recommendation", "FrontierPoint"}
