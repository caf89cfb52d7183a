"""Random valid documents over any schema: aliases, fragments, repeated fields, __typename, @skip and @include."""

from collections.abc import Callable, Iterator
from random import Random

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_composite_type,
    is_required_argument,
)

Literal = Callable[[Random, str, GraphQLArgument], str | None]
"""An argument's value, written out, by its name; None where it has none to give."""


class Queries:
    """Makes documents; the same ones for the same generator of random numbers.

    Aliases stand for one field with one set of arguments in the whole document, so that everything can be merged.
    """

    def __init__(self, schema: GraphQLSchema, rng: Random, literal: Literal, fields_max: int = 40) -> None:
        self._schema = schema
        self._rng = rng
        self._literal = literal
        self._fields_max = fields_max
        self._fields_left = 0
        self._names: dict[str, str] = {}
        self._fragments: list[str] = []

    def query(self, depth: int = 5) -> tuple[str, dict[str, bool]]:
        """A query and its variables, which are $yes and $no."""
        self._names, self._fragments = {}, []
        self._fields_left = self._fields_max
        root = self._schema.query_type
        assert root is not None
        body = self._selection(root, depth)
        header = "query($yes: Boolean! = true, $no: Boolean! = false) "
        tail = " ... @skip(if: $yes) { __typename } ... @include(if: $no) { __typename }"
        document = " ".join([header + "{" + body + tail + "}", *self._fragments])
        return document, {"yes": True, "no": False}

    def _selection(self, kind: GraphQLNamedType, depth: int) -> str:
        return " ".join(self._chosen(kind, depth)) or "__typename"

    def _chosen(self, kind: GraphQLNamedType, depth: int) -> Iterator[str]:
        fields = kind.fields if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) else {}
        for _ in range(self._rng.randint(1, 6)):
            roll = self._rng.random()
            if roll < 0.08:
                yield "__typename" + self._condition()
            elif roll < 0.3 and depth > 0:
                yield self._fragment(kind, depth - 1)
            elif fields:
                name = self._rng.choice(list(fields))
                yield from self._field(kind, name, fields[name], depth)

    def _field(self, kind: GraphQLNamedType, name: str, field: GraphQLField, depth: int) -> Iterator[str]:
        inner = get_named_type(field.type)
        if self._fields_left <= 0 or (is_composite_type(inner) and depth <= 0):
            return
        arguments = []
        for key, argument in field.args.items():
            value = self._literal(self._rng, key, argument)
            if value is None and is_required_argument(argument):
                return
            if value is not None:
                arguments.append(f"{key}: {value}")
        self._fields_left -= 1
        called = name + (f"({', '.join(arguments)})" if arguments else "")
        # One answer's name means one field: of one type, and with one set of arguments.
        meaning = f"{kind.name}.{called}"
        alias = self._names.setdefault(meaning, f"a{len(self._names)}_{name}")
        written = f"{alias}: {called}{self._condition()}"
        if is_composite_type(inner):
            written += " {" + self._selection(inner, depth - 1) + "}"
        yield written

    def _fragment(self, kind: GraphQLNamedType, depth: int) -> str:
        inner = kind
        if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType) and self._rng.random() < 0.8:
            inner = self._rng.choice(list(self._schema.get_possible_types(kind)))
        if self._rng.random() < 0.5:
            return f"... on {inner.name}{self._condition()} {{{self._selection(inner, depth)}}}"
        name = f"F{len(self._fragments)}"
        self._fragments.append("")  # its place: fragments within it come after
        place = len(self._fragments) - 1
        self._fragments[place] = f"fragment {name} on {inner.name} {{{self._selection(inner, depth)}}}"
        return f"...{name}{self._condition()}"

    def _condition(self) -> str:
        if self._rng.random() > 0.06:
            return ""
        return self._rng.choice([" @skip(if: $no)", " @include(if: $yes)", " @skip(if: $yes)", " @include(if: $no)"])
