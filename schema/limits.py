"""Limits checked before anything runs, in time linear in the document."""

from collections.abc import Iterator
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    OperationDefinitionNode,
    SelectionSetNode,
)
from strawberry.extensions import SchemaExtension

from settings import Settings


def size_of(document: DocumentNode, depth_max: int) -> tuple[int, int]:
    """The depth and the number of fields of a document's largest operation, fragments expanded.

    Each fragment is measured once and its size added per use, so nested fragments that would expand to
    millions of fields take no longer than their text. Fragments that use themselves count as too deep;
    validation then says why.
    """
    fragments = {
        definition.name.value: definition.selection_set
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    measured: dict[str, tuple[int, int]] = {}
    too_deep = (depth_max + 1, 1)

    def fragment(name: str, level: int) -> tuple[int, int]:
        if name not in measured:
            measured[name] = too_deep  # the answer for a fragment that reaches itself
            measured[name] = selections(fragments.get(name), level)
        return measured[name]

    def selections(chosen: SelectionSetNode | None, level: int) -> tuple[int, int]:
        if chosen is None:
            return 0, 0
        if level > depth_max * 2:  # no need to follow what is refused anyway
            return too_deep
        depth = fields = 0
        for selection in chosen.selections:
            if isinstance(selection, FragmentSpreadNode):
                inner_depth, inner_fields = fragment(selection.name.value, level + 1)
            else:
                inner_depth, inner_fields = selections(selection.selection_set, level + 1)  # type: ignore[attr-defined]
                if isinstance(selection, FieldNode):
                    inner_depth, inner_fields = inner_depth + 1, inner_fields + 1
            depth, fields = max(depth, inner_depth), fields + inner_fields
        return depth, fields

    operations = [
        selections(definition.selection_set, 0)
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
    ]
    return max((depth for depth, _ in operations), default=0), max((fields for _, fields in operations), default=0)


class Limits(SchemaExtension):
    """Refuses documents with too many tokens, too deep, or with too many fields, before validation."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def on_operation(self) -> Iterator[None]:
        self.execution_context.parse_options["max_tokens"] = self._settings.query_tokens_max
        yield

    def on_validate(self) -> Iterator[None]:
        document = self.execution_context.graphql_document
        if document is not None:
            depth, fields = size_of(document, self._settings.query_depth_max)
            # Aliases repeat fields, so the field limit bounds them, too.
            self._refuse("depth", depth, self._settings.query_depth_max)
            self._refuse("fields", fields, self._settings.query_fields_max)
        yield

    def _refuse(self, what: str, size: int, size_max: int) -> None:
        if size > size_max and self.execution_context.pre_execution_errors is None:
            extensions: dict[str, Any] = {"code": "TOO_COSTLY", what: size, f"{what}Max": size_max}
            message = f"The document has {size} {what}; at most {size_max} are answered."
            self.execution_context.pre_execution_errors = [GraphQLError(message, extensions=extensions)]
