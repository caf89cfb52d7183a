"""Random valid documents over any schema: aliases, fragments, repeated fields, __typename, @skip and @include."""

from collections.abc import Callable, Iterator, Sequence
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

CONDITIONS = {"yes": "true", "no": "false"}
"""Variables for @skip and @include."""
Literal = Callable[[Random, str, GraphQLArgument], str | None]
"""An argument's value, written out, by its name; None where it has none to give."""


class Queries:
    """Makes documents; the same ones for the same generator of random numbers.

    ``likely`` names the type that an object of an abstract type will probably have, after its arguments were made.

    Aliases stand for one field with one set of arguments in the whole document, so that everything can be merged.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        rng: Random,
        literal: Literal,
        fields_max: int = 40,
        likely: Callable[[], str] = str,
    ) -> None:
        self._schema = schema
        self._rng = rng
        self._literal = literal
        self._likely = likely
        self._fields_max = fields_max
        self._fields_left = 0
        self._name = ""
        self._names: dict[str, str] = {}
        self._fragments: list[str] = []

    def query(self, depth: int = 5) -> tuple[str, dict[str, bool]]:
        """A query and its variables, which are $yes and $no."""
        return self.operation("query", "", depth), {"yes": True, "no": False}

    def operation(
        self,
        kind: str,
        name: str,
        depth: int = 5,
        variables: Callable[[], list[str]] = list,
        roots: Sequence[str] = (),
    ) -> str:
        """A query, mutation or subscription with its fragments, which are named after it.

        ``variables`` are asked for last: what is declared beside $yes and $no, which have defaults. ``roots`` are its
        fields, never under a condition; any, and fragments of them, where none is named.
        """
        self._names, self._fragments, self._name = {}, [], name
        self._fields_left = self._fields_max
        root = {
            "query": self._schema.query_type,
            "mutation": self._schema.mutation_type,
            "subscription": self._schema.subscription_type,
        }[kind]
        assert root is not None
        if roots:
            fields = (self._field(root, each, root.fields[each], depth, conditions=False) for each in roots)
            body = " ".join(text for field in fields for text in field) or "__typename"
        else:
            body = self._selection(root, depth)
            body += " ... @skip(if: $yes) { __typename } ... @include(if: $no) { __typename }"
        text = " ".join(["{" + body + "}", *self._fragments])
        declared = [f"${name}: Boolean! = {value}" for name, value in CONDITIONS.items() if f"${name}" in text]
        declared += variables()
        return f"{kind} {name}{'(' + ', '.join(declared) + ')' if declared else ''} {text}"

    def _selection(self, kind: GraphQLNamedType, depth: int) -> str:
        return " ".join(self._chosen(kind, depth)) or "__typename"

    def _chosen(self, kind: GraphQLNamedType, depth: int) -> Iterator[str]:
        fields = kind.fields if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) else {}
        for _ in range(self._rng.randint(1, 6)):
            roll = self._rng.random()
            if roll < 0.08:
                yield "__typename" + self._condition()
            elif roll < (0.7 if isinstance(kind, GraphQLInterfaceType) else 0.3) and depth > 0:
                yield self._fragment(kind, depth - 1)
            elif fields:
                name = self._rng.choice(list(fields))
                yield from self._field(kind, name, fields[name], depth)

    def _field(
        self, kind: GraphQLNamedType, name: str, field: GraphQLField, depth: int, *, conditions: bool = True
    ) -> Iterator[str]:
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
        written = f"{alias}: {called}{self._condition() if conditions else ''}"
        if is_composite_type(inner):
            written += " {" + self._selection(inner, depth - 1) + "}"
        yield written

    def _fragment(self, kind: GraphQLNamedType, depth: int) -> str:
        inner = kind
        if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType) and self._rng.random() < 0.8:
            possible = {each.name: each for each in self._schema.get_possible_types(kind)}
            inner = possible.get(self._likely() if self._rng.random() < 0.5 else "") or self._rng.choice(
                [*possible.values()]
            )
        if self._rng.random() < 0.5:
            return f"... on {inner.name}{self._condition()} {{{self._selection(inner, depth)}}}"
        name = f"F{self._name}{len(self._fragments)}"
        self._fragments.append("")  # its place: fragments within it come after
        place = len(self._fragments) - 1
        self._fragments[place] = f"fragment {name} on {inner.name} {{{self._selection(inner, depth)}}}"
        return f"...{name}{self._condition()}"

    def _condition(self) -> str:
        if self._rng.random() > 0.06:
            return ""
        return self._rng.choice([" @skip(if: $no)", " @include(if: $yes)", " @skip(if: $yes)", " @include(if: $no)"])
