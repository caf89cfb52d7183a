"""Plain fields, whose value is an attribute of the object at hand, without graphql-core's work for each of them.

They are read and completed by functions that are made once for a selection, not by some ten calls for each object.
Whatever is not as its type says (null, an error, something to be awaited, a number out of range) is left to
graphql-core, from the topmost plain field on, which then finds and words the errors: answers are the same.
"""

from collections.abc import Awaitable, Callable
from operator import attrgetter
from typing import Any, NamedTuple, cast

from graphql import (
    GraphQLBoolean,
    GraphQLField,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    Undefined,
    is_leaf_type,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

Read = Callable[[Any], Any]
Complete = Callable[[Any], Any]
"""A value as JSON has it. Raises anything where graphql-core must look at the value."""

EXACT: dict[GraphQLLeafType, type] = {GraphQLBoolean: bool, GraphQLID: str, GraphQLString: str}
"""Types whose values of one Python type are JSON already."""
JSON_TYPES = frozenset({bool, float, int, str})
INT_MIN, INT_MAX = -(2**31), 2**31 - 1


class _NotPlainError(Exception):
    """A value that graphql-core must look at."""


class _Selection(NamedTuple):
    """What is chosen of an object: its plain fields by the names in the answer, and the other fields."""

    plain: list[tuple[str, Read, Complete]]
    others: GroupedFieldSet
    all: GroupedFieldSet
    """Kept, since selections are known by its identity."""


class PlainExecutor(StrawberryGraphQLCoreExecutionContext):
    """graphql-core's executor, except for plain fields."""

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self._selections: dict[tuple[GraphQLObjectType, int], _Selection] = {}
        manager = self.middleware_manager
        self._is_observed = self.abort_signal is not None or bool(manager and manager.middlewares)

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Any,
        grouped_field_set: GroupedFieldSet,
        position_context: Any,
    ) -> Any:
        """Answer a selection of an object: plain fields here, the others as graphql-core does it."""
        selection = self._selection(parent_type, grouped_field_set)
        if not selection.plain or position_context is not None or self._is_observed:
            return super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)
        others = selection.others
        try:
            known = {name: complete(read(source_value)) for name, read, complete in selection.plain}
        except Exception:  # noqa: BLE001 # graphql-core meets it again, and says what it is
            known = _one_by_one(selection, source_value)
            others = {name: details for name, details in grouped_field_set.items() if name not in known}
        if not others:
            return known
        found = super().execute_fields(parent_type, source_value, path, others, position_context)
        if self.is_awaitable(found):
            return _merged_later(grouped_field_set, known, found)
        return _merged(grouped_field_set, known, cast("dict[str, Any]", found))

    def _selection(self, parent: GraphQLObjectType, chosen: GroupedFieldSet) -> _Selection:
        found = self._selections.get((parent, id(chosen)))
        if found is None:
            found = self._selections[parent, id(chosen)] = _Selection([], {}, chosen)
            for name, details in chosen.items():
                functions = self._functions(parent, details)
                if functions is None:
                    found.others[name] = details
                else:
                    found.plain.append((name, *functions))
        return found

    def _functions(self, parent: GraphQLObjectType, details: FieldDetailsList) -> tuple[Read, Complete] | None:
        """How to read and complete a field; None where it is not plain."""
        name = details[0].node.name.value
        if name == "__typename":
            type_name = parent.name
            return (lambda _source: type_name), (lambda value: value)
        field = self.schema.get_field(parent, name)
        read = _reader(field) if field else None
        complete = self._completer(field.type, details) if field and read else None
        return (read, complete) if read and complete else None

    def _completer(self, kind: GraphQLOutputType, details: FieldDetailsList) -> Complete | None:
        if isinstance(kind, GraphQLNonNull):
            return self._completer_of(kind.of_type, details)
        complete = self._completer_of(kind, details)
        return complete and (lambda value: None if value is None else complete(value))

    def _completer_of(self, kind: GraphQLOutputType, details: FieldDetailsList) -> Complete | None:
        """How to complete values that are not None; None for abstract types, and where fields within are not plain."""
        if is_leaf_type(kind):
            return self._leaf(kind)
        if isinstance(kind, GraphQLList):
            item = self._completer(kind.of_type, details)
            return item and _list_of(item)
        return self._object(kind, details) if isinstance(kind, GraphQLObjectType) else None

    def _leaf(self, kind: GraphQLLeafType) -> Complete:
        coerce, is_awaitable = kind.coerce_output_value, self.is_awaitable
        exact = EXACT.get(kind)

        def complete(value: Any) -> Any:
            if value is None or value is Undefined or isinstance(value, Exception) or is_awaitable(value):
                raise _NotPlainError
            coerced = coerce(value)
            if type(coerced) not in JSON_TYPES:
                raise _NotPlainError
            return coerced

        if exact is not None:
            return lambda value: value if type(value) is exact else complete(value)
        if kind is GraphQLInt:
            return lambda value: value if type(value) is int and INT_MIN <= value <= INT_MAX else complete(value)
        return complete

    def _object(self, kind: GraphQLObjectType, details: FieldDetailsList) -> Complete | None:
        definition = kind.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        if not isinstance(definition, StrawberryObjectDefinition) or definition.is_type_of is not None:
            return None
        chosen, defers, _ = self.collect_subfields(kind, details)
        selection = self._selection(kind, chosen)
        if selection.others or defers:
            return None
        plain, is_type_of, is_awaitable = selection.plain, cast("Any", kind.is_type_of), self.is_awaitable

        def complete(value: Any) -> Any:
            if value is None or value is Undefined or isinstance(value, Exception) or is_awaitable(value):
                raise _NotPlainError
            # strawberry's own check, which does not look at its second argument
            if is_type_of is not None and not is_type_of(value, None):
                raise _NotPlainError
            return {name: inner(read(value)) for name, read, inner in plain}

        return complete


def _reader(field: GraphQLField) -> Read | None:
    """How to read a field that strawberry reads by getattr; None for those with resolvers, permissions, extensions."""
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if type(definition) is not StrawberryField or definition.default_resolver is not getattr or field.args:
        return None
    return attrgetter(definition.python_name) if getattr(field.resolve, "_is_default", False) else None


def _list_of(item: Complete) -> Complete:
    def complete(value: Any) -> list[Any]:
        if type(value) is not list:
            raise _NotPlainError
        return [item(each) for each in value]

    return complete


def _one_by_one(selection: _Selection, source: Any) -> dict[str, Any]:
    """Those of the plain fields that can be answered."""
    known: dict[str, Any] = {}
    for name, read, complete in selection.plain:
        try:
            known[name] = complete(read(source))
        except Exception:  # noqa: BLE001, S112 # it is left to graphql-core
            continue
    return known


def _merged(chosen: GroupedFieldSet, known: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Both, in the order in which they were asked for."""
    both = known | found
    return {name: both[name] for name in chosen if name in both}


async def _merged_later(
    chosen: GroupedFieldSet, known: dict[str, Any], found: Awaitable[dict[str, Any]]
) -> dict[str, Any]:
    return _merged(chosen, known, await found)
