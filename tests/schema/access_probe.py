"""Every field of the schema asked for by every kind of caller: what each gets, as one line per field.

Each kind of caller has a customer of its own that it asks about, with one object of every kind: what one changes is not
what the next one asks about.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
)

from resolvers.access import Role
from tests.commerce import AGREED, SAVE, accepted, mutation, operator, ordered
from tests.people import people, registered
from tests.world import Api, Owned, TestClock, World, confirmed, placed, starter

CALLERS = ("nobody", "owner", "another", "sales", "operator")
"""``owner`` asks about its own customer, ``another`` is the owner of some other one."""
SCALARS: dict[str, Any] = {
    "Int": 1,
    "Float": 1.0,
    "String": "x",
    "Boolean": True,
    "Date": "2026-07-01",
    "DateTime": "2026-06-10T00:00:00Z",
}
NAMED: dict[str, Any] = {
    "planCode": "STARTER",
    "agreedTermsVersion": AGREED,
    "first": 5,
    "from": "2026-06-01",
    "until": "2026-07-02",
    "validUntil": "2026-06-30",
    "externalId": "u1",
    "csv": "2026-07-01,2026-08-01,50",
    "accounts": 100,
}
"""Values that make sense where an argument or input field has this name."""


@dataclass(frozen=True)
class Victim:
    """A customer that is asked about, with the ids of its objects by the name of what takes them."""

    token: str | None
    given: dict[str, Any]
    nodes: dict[str, str]


async def victims(api: Api, world: World, clock: TestClock) -> dict[str, Victim]:
    """One for each kind of caller, on 2 June: a spot of May has ended."""
    owners = {name: await world.customer(starter(), name=name) for name in CALLERS}
    for owned in owners.values():
        await confirmed(api, owned.token)
    clock.now = clock.now.replace(month=6, day=2)
    stranger = await world.customer(name="Stranger")
    tokens = {
        "nobody": None,
        "owner": owners["owner"].token,
        "another": stranger.token,
        "sales": await world.token(Role.SALES),
        "operator": await operator(world),
    }
    found = {}
    for name, owned in owners.items():
        nodes = await _objects(api, world, owned)
        revoked = await world.token(Role.OWNER, owned.customer.id)
        number = (await api.data("{ customer { accessTokens { number } } }", revoked))["customer"]["accessTokens"][0]
        given = {
            "customerId": owned.id,
            "orderId": nodes["SpotOrder"],
            "purchaseId": nodes["Purchase"],
            "quoteId": nodes["Quote"],
            "recommendationId": nodes.pop("recommendation"),
            "accountIds": [nodes["Account"]],
            "accountId": nodes["Account"],
            "groupId": nodes["AccountGroup"],
            "endpointId": nodes["WebhookEndpoint"],
            "number": number["number"],
            "id": owned.id,
        }
        found[name] = Victim(tokens[name], given, nodes)
    return found


async def _objects(api: Api, world: World, owned: Owned) -> dict[str, str]:
    token = owned.token
    (account, *_) = await registered(api, token, people(1, 2, groups=["Teachers"]))
    licences = await ordered(api, token, "additionalLicenceOrder", units=1, startsOn="2026-07-01")
    spot = await placed(api, token, "open", startsOn="2026-07-01")
    saved = await accepted(api, token, SAVE, demand={"csv": NAMED["csv"].replace("50", "150")})
    item = {"spot": {"accounts": 100, "startsOn": "2026-08-01", "months": 1}}
    quote = await accepted(
        api,
        await world.token(Role.SALES),
        mutation("quoteIssue", "quote { id }"),
        customerId=owned.id,
        items=[item],
        validUntil="2026-06-30",
        idempotencyKey="quote",
    )
    hook = await accepted(api, token, mutation("webhookEndpointAdd", "endpoint { id }"), url="https://hooks.example/x")
    query = """{ customer { mainContract { id } accountGroups { id } documents(first: 1) { edges { node { id } } }
      capacityFalls(first: 1) { edges { node { id } } } } }"""
    about = (await api.data(query, token))["customer"]
    return {
        "Customer": owned.id,
        "Account": account["id"],
        "AccountGroup": about["accountGroups"][0]["id"],
        "MainContract": about["mainContract"]["id"],
        "Document": about["documents"]["edges"][0]["node"]["id"],
        "CapacityFall": about["capacityFalls"]["edges"][0]["node"]["id"],
        "SpotOrder": spot["id"],
        "Purchase": licences["id"],
        "ContractOrder": licences["contractOrders"][0]["id"],
        "Quote": quote["quote"]["id"],
        "WebhookEndpoint": hook["endpoint"]["id"],
        "recommendation": saved["recommendationId"],
    }


class Probe:
    """Asks for fields."""

    def __init__(self, api: Api, schema: GraphQLSchema, found: dict[str, Victim]) -> None:
        self.api = api
        self.schema = schema
        self.victims = found

    async def lines(self) -> list[str]:
        """What each caller gets for the fields of Query, Mutation and Node types; what other types consist of.

        Those are only reached through the fields before, which decide who may.
        """
        kinds = [kind for kind in self.schema.type_map.values() if isinstance(kind, GraphQLObjectType)]
        lines = []
        for kind in sorted(kinds, key=lambda kind: kind is self.schema.mutation_type):
            if kind.name.startswith("__") or kind.name == "Subscription":
                continue
            if kind in {self.schema.query_type, self.schema.mutation_type}:
                last = re.compile("Delete|Remove|Revoke")  # nothing is left to ask about after them
                names = sorted(kind.fields, key=lambda name: last.search(name) is not None)
                lines += [await self._line(kind, [name]) for name in names]
            elif kind.name in self.victims["owner"].nodes:
                plain = [name for name, field in kind.fields.items() if is_leaf_type(get_named_type(field.type))]
                plain = [name for name in plain if not kind.fields[name].args]
                lines.append(await self._line(kind, plain))
                lines += [await self._line(kind, [name]) for name in kind.fields if name not in plain]
            else:
                lines.append(f"{kind.name}: {' '.join(kind.fields)}")
        return sorted(lines)

    async def _line(self, kind: GraphQLObjectType, names: list[str]) -> str:
        gets = [await self._outcome(caller, kind, names) for caller in CALLERS]
        return f"{kind.name}.{' '.join(names)} | {' | '.join(gets)}"

    async def _outcome(self, caller: str, kind: GraphQLObjectType, names: list[str]) -> str:
        victim = self.victims[caller]
        asked = " ".join(self._field(kind.fields[name], name, victim) for name in names)
        is_root = kind in {self.schema.query_type, self.schema.mutation_type}
        if not is_root:
            asked = f'node(id: "{victim.nodes[kind.name]}") {{ ... on {kind.name} {{ {asked} }} }}'
        verb = "mutation" if kind is self.schema.mutation_type else "query"
        answer = (await self.api.post(f"{verb} {{ {asked} }}", victim.token)).json()
        if "errors" in answer:
            return "/".join(sorted({error["extensions"]["code"] for error in answer["errors"]}))
        found = answer["data"][names[0] if is_root else "node"]
        if isinstance(found, dict) and any(error["code"] == "NOT_FOUND" for error in found.get("errors", ())):
            return "NOT_FOUND"
        return "yes" if found is not None else "null"

    def _field(self, field: GraphQLField, name: str, victim: Victim) -> str:
        """A field with its arguments, and of an object its type's name, with the codes of refusals."""
        kind = get_named_type(field.type)
        has_errors = isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) and "errors" in kind.fields
        return field_text(name, field, victim.given, "__typename errors { code }" if has_errors else "__typename")


def field_text(name: str, field: GraphQLField, given: dict[str, Any], selection: str = "__typename") -> str:
    """A field with its arguments, those that are needed or given; of an object what is chosen of it."""
    listed = ", ".join(
        f"{argument}: {value_text(argument, about.type, given)}"
        for argument, about in field.args.items()
        if isinstance(about.type, GraphQLNonNull) or argument in given
    )
    text = f"{name}({listed})" if listed else name
    return text if is_leaf_type(get_named_type(field.type)) else f"{text} {{ {selection} }}"


def value_text(name: str, kind: GraphQLInputType, given: dict[str, Any]) -> str:
    """A value in GraphQL's own notation: the given one; any one that makes sense where none, or ..., is given."""
    if isinstance(kind, GraphQLNonNull):
        return value_text(name, kind.of_type, given)
    if given.get(name, ...) is not ...:
        return json.dumps(given[name])
    if isinstance(kind, GraphQLList):
        return f"[{value_text(name, kind.of_type, given)}]"
    if isinstance(kind, GraphQLEnumType):
        return str(next(iter(kind.values)))
    if isinstance(kind, GraphQLInputObjectType):
        wanted = [
            field for field, about in kind.fields.items() if isinstance(about.type, GraphQLNonNull) or field in given
        ]
        if kind.is_one_of:
            wanted = [field for field in kind.fields if field in NAMED or field in given][:1]
            wanted = wanted or list(kind.fields)[:1]
        values = (f"{field}: {value_text(field, kind.fields[field].type, given)}" for field in wanted)
        return f"{{{', '.join(values)}}}"
    return json.dumps(NAMED.get(name, SCALARS.get(kind.name, "x")))
