"""What a document would cost, computed before anything runs, in time linear in its text.

Each fragment is measured once and its size added where it is used, so nested fragments that would expand to
millions of fields take no longer than their text.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    validate,
)
from graphql.validation import ASTValidationRule
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from resolvers.reads import PAGE_SIZE_MAX
from schema.context import Context
from schema.executor import Plan
from schema.observed import Named, named
from settings import Settings

LIST_SIZE = 5
"""What a list without ``first`` counts as: terms of a contract, orders of a plan, errors of a payload."""
INTROSPECTION = {"__schema", "__type"}
INTROSPECTION_LISTS = {"fields", "inputFields", "enumValues", "interfaces", "possibleTypes"}
INTROSPECTION_SIZE = 50
"""What they count as; their lists are the schema's own."""
SIZE_MAX = 10**15
"""Larger sizes are told as this: JSON's readers cannot hold all that fragments can multiply to."""

CHARACTERS_KEPT_MAX = 300_000
"""Of texts whose parsed documents are kept, which take some hundred times as many bytes."""


class Size(NamedTuple):
    """The size of a selection with its fragments expanded, and of a document two numbers of its text.

    ``cost`` is 1 for each field, times the items of the lists around it. ``introspection`` is how deep its lists are
    nested, an alias counting as two: tools need neither. ``repeats`` are fields that a selection names more than once,
    ``spreads`` uses of fragments: validation compares these in pairs, which takes their square.
    """

    depth: int = 0
    introspection: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0
    repeats: int = 0
    spreads: int = 0

    def described(self, settings: Settings) -> dict[str, int]:
        """Each number and its limit, as clients see them."""
        told: dict[str, int] = {}
        for name, size in self._asdict().items():
            told |= {name: min(size, SIZE_MAX), f"{name}Max": getattr(settings, f"query_{name}_max")}
        return told


NOTHING = Size()


class Measure:
    """Measures one document for one request.

    ``visited`` counts the selections looked at; ``has_asked`` says whether the size depends on the request's variables.
    """

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any], depth_max: int
    ) -> None:
        self.visited = self._repeats = self._spreads = 0
        self.has_asked = False
        self._schema = schema
        self._level_max = depth_max * 2
        self._too_deep = NOTHING._replace(depth=depth_max + 1)
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._measured: dict[str, Size] = {}
        self._operations = [item for item in document.definitions if isinstance(item, OperationDefinitionNode)]
        self._variables: dict[str, Any] = {}
        for definition in (each for operation in self._operations for each in operation.variable_definitions or ()):
            default = definition.default_value
            if isinstance(default, IntValueNode):
                name = definition.variable.name.value
                # Operations of one document may give a name several defaults: the largest is never too small.
                self._variables[name] = max(int(default.value), self._variables.get(name, 0))
        self._variables |= variables

    def size(self) -> Size:
        """The document's size: of its operations, of which one runs, the largest number of each kind."""
        sizes = [self._operation(operation) for operation in self._operations]
        # A fragment that no operation uses is validated all the same.
        sizes += [self._fragment(name, 0) for name in self._fragments if name not in self._measured]
        largest = Size(*map(max, zip(NOTHING, *sizes, strict=True)))
        return largest._replace(repeats=self._repeats, spreads=self._spreads)

    def _operation(self, operation: OperationDefinitionNode) -> Size:
        root = self._schema.get_root_type(operation.operation)
        variables = sum(len(definition.directives or ()) for definition in operation.variable_definitions or ())
        size = self._selections(operation.selection_set, root, 0)
        return size._replace(directives=size.directives + variables + len(operation.directives or ()))

    def _fragment(self, name: str, level: int) -> Size:
        if name not in self._measured:
            # A fragment that reaches itself adds nothing there: validation refuses it, and says how it does.
            self._measured[name] = NOTHING
            if definition := self._fragments.get(name):
                kind = self._schema.get_type(definition.type_condition.name.value)
                self._measured[name] = self._selections(definition.selection_set, kind, level)
        return self._measured[name]

    def _selections(self, chosen: SelectionSetNode | None, parent: GraphQLNamedType | None, level: int) -> Size:
        if chosen is None:
            return NOTHING
        if level > self._level_max:  # no need to follow what is refused anyway
            return self._too_deep
        depth = introspection = fields = aliases = directives = cost = 0
        names: set[str] = set()
        for selection in chosen.selections:
            self.visited += 1
            directives += len(selection.directives or ())
            if isinstance(selection, FieldNode):
                name = (selection.alias or selection.name).value
                self._repeats += name in names
                names.add(name)
                size = self._field(selection, parent, level)
            elif isinstance(selection, FragmentSpreadNode):
                self._spreads += 1
                size = self._fragment(selection.name.value, level + 1)
            else:
                size = self._inline(cast("InlineFragmentNode", selection), parent, level)
            depth, introspection = max(depth, size.depth), max(introspection, size.introspection)
            fields, aliases = fields + size.fields, aliases + size.aliases
            directives, cost = directives + size.directives, cost + size.cost
        return Size(depth, introspection, fields, aliases, directives, cost)

    def _inline(self, fragment: InlineFragmentNode, parent: GraphQLNamedType | None, level: int) -> Size:
        condition = fragment.type_condition
        kind = self._schema.get_type(condition.name.value) if condition else parent
        return self._selections(fragment.selection_set, kind, level + 1)

    def _field(self, field: FieldNode, parent: GraphQLNamedType | None, level: int) -> Size:
        name, owner = field.name.value, parent.name if parent else ""
        composite = isinstance(parent, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType)
        definition = self._schema.get_field(parent, name) if composite else None  # type: ignore[arg-type]
        inner = self._selections(
            field.selection_set, get_named_type(definition.type) if definition else None, level + 1
        )
        is_list = definition is not None and isinstance(get_nullable_type(definition.type), GraphQLList)
        introspection = inner.introspection
        if owner.startswith("__") or name in INTROSPECTION:
            introspection += (name in INTROSPECTION_LISTS) + (2 if field.alias else 0)
        return Size(
            inner.depth + 1,
            introspection,
            inner.fields + 1,
            inner.aliases + (field.alias is not None),
            inner.directives,
            1 + self._items(field, owner, is_list=is_list) * inner.cost,
        )

    def _items(self, field: FieldNode, parent: str, *, is_list: bool) -> int:
        """How often a field's selection may be answered."""
        if field.name.value in INTROSPECTION:
            return INTROSPECTION_SIZE
        for argument in field.arguments or ():
            if argument.name.value == "first":
                value = argument.value
                given: Any = int(value.value) if isinstance(value, IntValueNode) else None
                if isinstance(value, VariableNode):
                    given, self.has_asked = self._variables.get(value.name.value), True
                # Larger pages are refused by their fields, in their own words.
                return min(max(given, 1), PAGE_SIZE_MAX) if isinstance(given, int) else 1
        # A connection's lists have been counted with its ``first``; those of introspection with ``__schema``.
        return LIST_SIZE if is_list and not parent.endswith("Connection") and not parent.startswith("__") else 1


Rules = tuple[type[ASTValidationRule], ...]
WORDS = {
    "depth": "depth",
    "introspection": "nesting of introspection",
    "fields": "number of fields",
    "aliases": "number of aliases",
    "directives": "number of directives",
    "repeats": "number of repeated fields",
    "spreads": "number of fragment spreads",
    "cost": "cost",
}


def refusal(size: Size, settings: Settings) -> GraphQLError | None:
    """What of a document is too large, if anything is: TOO_COSTLY with the number and its limit."""
    told = size.described(settings)
    for name, words in WORDS.items():
        if told[name] > told[f"{name}Max"]:
            message = f"The document's {words} is {told[name]}; at most {told[f'{name}Max']} is answered."
            extensions = {"code": "TOO_COSTLY", name: told[name], f"{name}Max": told[f"{name}Max"]}
            return GraphQLError(message, extensions=extensions)
    return None


def checked(schema: GraphQLSchema, document: DocumentNode, settings: Settings, rules: Rules) -> list[GraphQLError]:
    """A document's validation errors, at most as many as an answer may have: each takes time to be put into words."""
    every = (*rules, MaybeNullValidationRule, OneOfInputValidationRule)
    return validate(schema, document, every, max_errors=settings.errors_max - 1)


@dataclass(slots=True)
class Known:
    """A document that was found valid."""

    document: DocumentNode
    size: Size | None
    """None where it depends on a request's variables."""
    named: dict[str | None, Named] = field(default_factory=dict)
    """Its operations as they are observed, by the name that was asked for."""
    plans: dict[str | None, Plan] | None = None
    """Their plans; None where directives may leave out fields."""


class Documents:
    """Documents that were parsed and found valid, the last used ones: most clients have few, and ask them often."""

    def __init__(self) -> None:
        self._known: LRUCache[str, Known] = LRUCache(CHARACTERS_KEPT_MAX, getsizeof=_length)

    def get(self, text: str | None) -> Known | None:
        """What is known of a text."""
        found: Known | None = self._known.get(text or "")
        return found

    def add(self, text: str, known: Known) -> None:
        """Keep a valid document, unless it is a large part of what can be kept."""
        if _length(known) * 10 < CHARACTERS_KEPT_MAX:
            self._known[text] = known


def _length(known: Known) -> int:
    return len(known.document.loc.source.body) if known.document.loc else CHARACTERS_KEPT_MAX


class RequestTimeoutError(Exception):
    """An operation took longer than a request may."""


class Limits(SchemaExtension):
    """Refuses documents that are too large before they are validated, validates each text once, and keeps the time.

    The size is told in the answer to a request whose ``extensions`` have ``"cost": true``. Streams call its hooks; what
    is answered at once calls what they call.
    """

    def __init__(self, settings: Settings, documents: Documents) -> None:
        self._settings = settings
        self._documents = documents
        self._size = Size()
        self.known: Known | None = None

    def on_operation(self) -> Iterator[None]:
        self.execution_context.parse_options["max_tokens"] = self._settings.query_tokens_max
        yield

    def on_parse(self) -> Iterator[None]:
        self.look_up()
        yield

    def on_validate(self) -> Iterator[None]:
        if self.execution_context.graphql_document is not None:
            self.execution_context.pre_execution_errors = self.faults()
        yield

    def look_up(self) -> None:
        """Take the document of a text that was met before."""
        self.known = self._documents.get(self.execution_context.query)
        if self.known is not None:
            self.execution_context.graphql_document = self.known.document

    def named(self) -> Named | None:
        """The operation of a valid document that is asked for."""
        context, known = self.execution_context, cast("Known", self.known)
        name = context.operation_name
        if name not in known.named and (found := named(known.document, name)):
            known.named[name] = found
        return known.named.get(name)

    def plan(self) -> Plan | None:
        """What was made for the operation in an earlier request, or is to be kept for the next one."""
        known, name = cast("Known", self.known), self.execution_context.operation_name
        if known.plans is None or name not in known.named:
            return None
        return known.plans.setdefault(name, Plan())

    def faults(self) -> list[GraphQLError]:
        """Why the document is not answered; nothing where it is."""
        context = self.execution_context
        found = self._faults()
        # strawberry would run the first one.
        if not found and context._provided_operation_name is None and self._has_several():  # noqa: SLF001
            return [GraphQLError("The document has several operations: operationName must say which one is meant.")]
        return found

    def _has_several(self) -> bool:
        document = cast("Known", self.known).document
        return sum(isinstance(item, OperationDefinitionNode) for item in document.definitions) > 1

    def _faults(self) -> list[GraphQLError]:
        context, known = self.execution_context, self.known
        if known is not None and known.size is not None:
            self._size = known.size
            return []
        document = cast("DocumentNode", context.graphql_document)
        schema = context.schema._schema  # noqa: SLF001 # it has no public name
        measure = Measure(schema, document, context.variables or {}, self._settings.query_depth_max)
        self._size = measure.size()
        if refused := refusal(self._size, self._settings):
            return [refused]
        if known is not None:
            return []
        found = checked(schema, document, self._settings, context.validation_rules)
        if not found:
            plans: dict[str | None, Plan] | None = {} if self._size.directives == 0 else None
            self.known = Known(document, None if measure.has_asked else self._size, plans=plans)
            self._documents.add(context.query or "", self.known)
        return found

    async def on_execute(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._settings.request_seconds_max):
                yield
        except TimeoutError:
            raise RequestTimeoutError from None

    def get_results(self) -> dict[str, Any]:
        context: Context = self.execution_context.context
        return {"cost": self._size.described(self._settings)} if context.extensions.get("cost") is True else {}
