"""Plain fields, whose value is an attribute of the object at hand, without graphql-core's work for each of them.

They are read and completed by functions that are made once for a selection, not by some ten calls for each object.
Whatever is not as its type says (null, an error, something to be awaited, a number out of range) is left to
graphql-core, from the topmost plain field on, which then finds and words the errors: answers are the same.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple, cast
from uuid import UUID

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
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
    get_nullable_type,
    is_leaf_type,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField

Complete = Callable[[Any], Any]
"""A value as JSON has it. Raises anything where graphql-core must look at the value."""

TYPE_NAME = "__typename"
EXACT: dict[Any, type] = {GraphQLBoolean: bool, GraphQLID: str, GraphQLString: str}
"""Types whose values of one Python type are JSON already."""
JSON_TYPES = frozenset({bool, float, int, str})
INERT = JSON_TYPES | {date, datetime, time, Decimal, UUID}
"""Types whose values are no errors, and nothing to be awaited."""
INT_MIN, INT_MAX = -(2**31), 2**31 - 1


class _NotPlainError(Exception):
    """A value that graphql-core must look at."""


class _Plain(NamedTuple):
    """A plain field: its name in the answer, the attribute, the type of values that stay as they are, and the rest."""

    name: str
    attribute: str
    exact: type | None
    complete: Complete


class _Selection(NamedTuple):
    """What is chosen of an object: plain fields together and one by one, and the other fields."""

    answer: Complete
    plain: list[_Plain]
    others: GroupedFieldSet
    all: GroupedFieldSet
    """Kept, since selections are known by its identity."""


@dataclass(slots=True)
class Plan:
    """What an operation has collected and made, for its next request: the same where it has no directives.

    Nothing of the request itself may be in it: it stays as long as the document does.
    """

    root: GroupedFieldSet | None = None
    sub_fields: dict[Any, Any] = field(default_factory=dict)
    selections: dict[tuple[GraphQLObjectType, int], _Selection] = field(default_factory=dict)
    lists: dict[tuple[Any, int], tuple[Complete | None, FieldDetailsList]] = field(default_factory=dict)
    """How lists are completed, by their types and what is chosen of their items, which is kept with it."""


class PlainExecutor(StrawberryGraphQLCoreExecutionContext):
    """graphql-core's executor, except for plain fields.

    ``plan`` is the one of the same operation's last request.
    """

    def __init__(self, *args: Any, plan: Plan | None = None, **given: Any) -> None:
        super().__init__(*args, **given)
        self._plan = plan or Plan()
        self._selections = self._plan.selections
        self._relevant_sub_fields = self._plan.sub_fields
        manager = self.middleware_manager
        self._is_observed = self.abort_signal is not None or bool(manager and manager.middlewares)

    def execute_collected_root_fields(
        self,
        root_type: GraphQLObjectType,
        root_value: Any,
        grouped_field_set: GroupedFieldSet,
        serially: bool,
        new_defer_usages: Any,
    ) -> Any:
        """Begin with the fields that were collected for the plan, so that it knows what comes below them."""
        if self._plan.root is None:
            self._plan.root = grouped_field_set
        return super().execute_collected_root_fields(root_type, root_value, self._plan.root, serially, new_defer_usages)

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
            known = selection.answer(source_value)
        except Exception:  # noqa: BLE001 # graphql-core meets it again, and says what it is
            known = _one_by_one(selection.plain, source_value)
            others = {name: details for name, details in grouped_field_set.items() if name not in known}
        if not others:
            return known
        found = super().execute_fields(parent_type, source_value, path, others, position_context)
        if self.is_awaitable(found):
            return _merged_later(grouped_field_set, known, found)
        return _merged(grouped_field_set, known, cast("dict[str, Any]", found))

    def complete_list_value(  # noqa: PLR0917 # graphql-core's signature
        self,
        return_type: GraphQLList[Any],
        field_details_list: FieldDetailsList,
        info: Any,
        path: Any,
        result: Any,
        position_context: Any,
    ) -> Any:
        """Complete a list that a resolver has returned: at once, where its items are plain."""
        if position_context is None and not self._is_observed:
            key = (return_type, id(field_details_list))
            if key not in self._plan.lists:
                self._plan.lists[key] = self._completer_of(return_type, field_details_list), field_details_list
            complete, _ = self._plan.lists[key]
            if complete is not None:
                try:
                    return complete(result)
                except Exception:  # noqa: BLE001, S110 # graphql-core meets it again, and says what it is
                    pass
        return super().complete_list_value(return_type, field_details_list, info, path, result, position_context)

    def _selection(self, parent: GraphQLObjectType, chosen: GroupedFieldSet) -> _Selection:
        found = self._selections.get((parent, id(chosen)))
        if found is None:
            plain: list[_Plain] = []
            others: GroupedFieldSet = {}
            for name, details in chosen.items():
                made = self._plain(parent, name, details)
                if made is None:
                    others[name] = details
                else:
                    plain.append(made)
            found = self._selections[parent, id(chosen)] = _Selection(_answer(plain, parent), plain, others, chosen)
        return found

    def _plain(self, parent: GraphQLObjectType, name: str, details: FieldDetailsList) -> _Plain | None:
        """How to read and complete a field; None where it is not plain."""
        field_name = details[0].node.name.value
        if field_name == TYPE_NAME:
            return _Plain(name, TYPE_NAME, None, lambda _value: parent.name)
        definition = self.schema.get_field(parent, field_name)
        attribute = _attribute(definition) if definition else None
        if definition is None or attribute is None:
            return None
        complete = self._completer(definition.type, details)
        return complete and _Plain(name, attribute, EXACT.get(get_nullable_type(definition.type)), complete)

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
        coerce, check = kind.coerce_output_value, partial(_check, self.is_awaitable)

        def complete(value: Any) -> Any:
            if type(value) not in INERT:
                check(value)
            coerced = coerce(value)
            if type(coerced) not in JSON_TYPES:
                raise _NotPlainError
            return coerced

        if isinstance(kind, GraphQLEnumType):
            # By identity: to hash a member takes longer than all the rest.
            known = {id(member): name for name, member in _members(kind) if coerce(member) == name}
            return lambda value: known.get(id(value)) or complete(value)
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
        answer, is_type_of, check = selection.answer, cast("Any", kind.is_type_of), partial(_check, self.is_awaitable)
        harmless: set[type] = set()
        """Types of which an instance has been checked: whether it may be awaited, or is an error, is its type's."""

        def complete(value: Any) -> Any:
            if type(value) not in harmless:
                check(value)
                if type(value).__module__ != "builtins":
                    harmless.add(type(value))
            # strawberry's own check, which does not look at its second argument
            if is_type_of is not None and not is_type_of(value, None):
                raise _NotPlainError
            return answer(value)

        return complete


def _check(is_awaitable: Callable[[Any], bool], value: Any) -> None:
    if value is None or value is Undefined or isinstance(value, Exception) or is_awaitable(value):
        raise _NotPlainError


def _answer(plain: list[_Plain], parent: GraphQLObjectType) -> Complete:
    """How plain fields of an object are answered, all of them read at once.

    Raises:
        Exception: one of them is to be answered by graphql-core.
    """
    read_fields = [each for each in plain if each.attribute != TYPE_NAME]
    names = [each.name for each in read_fields]
    checks = [(each.name, each.exact, each.complete) for each in read_fields]
    if len(names) < 2:  # attrgetter gives a tuple for several attributes only
        return lambda source: _one_by_one_or_fail(plain, source)
    read = attrgetter(*(each.attribute for each in read_fields))
    type_names = {each.name: parent.name for each in plain if each.attribute == TYPE_NAME}
    order = [each.name for each in plain]

    def answer(source: Any) -> dict[str, Any]:
        found = dict(zip(names, read(source), strict=True))
        for name, exact, complete in checks:
            if type(found[name]) is not exact:
                found[name] = complete(found[name])
        return found

    if not type_names:
        return answer

    def answer_with_type(source: Any) -> dict[str, Any]:
        both = answer(source) | type_names
        return {name: both[name] for name in order}

    return answer_with_type


def _attribute(field: GraphQLField) -> str | None:
    """The attribute of a field that strawberry reads by getattr; None for those with resolvers and the like."""
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if type(definition) is not StrawberryField or definition.default_resolver is not getattr or field.args:
        return None
    return definition.python_name if getattr(field.resolve, "_is_default", False) else None


def _members(kind: GraphQLEnumType) -> list[tuple[str, Any]]:
    """The names of an enumeration's values, and the members that they stand for."""
    definition = kind.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if not isinstance(definition, StrawberryEnumDefinition):
        return []
    members: list[Any] = list(definition.wrapped_cls)
    return [(value.name, member) for value, member in zip(definition.values, members, strict=False)]


def _list_of(item: Complete) -> Complete:
    def complete(value: Any) -> list[Any]:
        if type(value) is not list:
            raise _NotPlainError
        return [item(each) for each in value]

    return complete


def _read(plain: _Plain, source: Any) -> Any:
    if plain.attribute == TYPE_NAME:
        return plain.complete(None)
    value = getattr(source, plain.attribute)
    return value if type(value) is plain.exact else plain.complete(value)


def _one_by_one_or_fail(plain: list[_Plain], source: Any) -> dict[str, Any]:
    return {each.name: _read(each, source) for each in plain}


def _one_by_one(plain: list[_Plain], source: Any) -> dict[str, Any]:
    """Those of the plain fields that can be answered."""
    known: dict[str, Any] = {}
    for each in plain:
        try:
            known[each.name] = _read(each, source)
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
