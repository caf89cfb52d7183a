"""Refusals for tests: asked for with every number that their types have, and written down in full."""

import re
from pathlib import Path
from typing import Any

from graphql import GraphQLInputObjectType, GraphQLInterfaceType, build_schema, get_named_type

from tests.world import Api

SCHEMA = build_schema((Path(__file__).parents[1] / "schema" / "schema.graphql").read_text("utf-8"))
USER_ERROR = SCHEMA.type_map["UserError"]
assert isinstance(USER_ERROR, GraphQLInterfaceType)
KINDS = {kind.name: kind for kind in SCHEMA.get_possible_types(USER_ERROR)}

# Fields of one name have different types in different kinds of refusals, so each has a name of its own in the answer.
EVERYTHING = "__typename " + " ".join(
    f"... on {name} {{ {' '.join(f'{name}_{field}: {field}' for field in kind.fields if field != 'code')} }}"
    for name, kind in KINDS.items()
)

Refusal = dict[str, Any]


def refusal(kind: str, field: str, message: str, **numbers: Any) -> Refusal:
    """A refusal with everything that its type has, but the code, which is its name."""
    return {"__typename": kind, "field": field, "message": message, **numbers}


def read(errors: list[dict[str, Any]]) -> list[Refusal]:
    """Answers to EVERYTHING as :func:`refusal` writes them."""
    return [
        {name if name == "__typename" else name.partition("_")[2]: value for name, value in error.items()}
        for error in errors
    ]


async def refusals(api: Api, token: str, name: str, **given: Any) -> list[Refusal]:
    """What a mutation is refused for, each about a field that its input has."""
    query = f"mutation($input: {input_of(name)}!) {{ {name}(input: $input) {{ errors {{ {EVERYTHING} }} }} }}"
    errors = read((await api.data(query, token, input=given))[name]["errors"])
    assert errors != []
    # A field may be one inside, such as items[0].accounts.
    assert {re.split(r"[.\[]", error["field"])[0] for error in errors} <= input_of(name).fields.keys()
    return errors


def input_of(mutation: str) -> GraphQLInputObjectType:
    assert SCHEMA.mutation_type is not None
    given = get_named_type(SCHEMA.mutation_type.fields[mutation].args["input"].type)
    assert isinstance(given, GraphQLInputObjectType)
    return given
