"""Each GraphQL operation as one span, one line in the log, and in the metrics; fields are not looked at."""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    SelectionSetNode,
    get_operation_ast,
)
from opentelemetry.context import Context as TraceContext
from opentelemetry.context import attach
from opentelemetry.trace import SpanKind, Status, StatusCode, get_current_span, get_tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from strawberry.extensions import SchemaExtension

from resolvers import metrics
from schema.context import Context
from schema.requests import Fields, current

logger = logging.getLogger("spotplan")

TRACER = get_tracer("spotplan")
NAME_LENGTH_MAX = 64


over_websockets: set["Observed"] = set()
"""Operations under way on WebSockets, which a server that stops has to wait for by itself."""


class Named(NamedTuple):
    """An operation as it is observed: its type, its root field, and what the client calls it."""

    kind: str
    root_field: str
    name: str | None


def named(document: DocumentNode, operation_name: str | None) -> Named | None:
    """The operation of a valid document that is asked for; None where it has none of that name."""
    operation = get_operation_ast(document, operation_name)
    if operation is None:
        return None
    name = operation.name.value[:NAME_LENGTH_MAX] if operation.name else None
    return Named(operation.operation.value, root_field(document, operation_name), name)


def root_field(document: DocumentNode, operation_name: str | None) -> str:
    """What a valid operation asks for: its root field, or one word where it has several or none of ours.

    So there are no more of these than the schema has fields, whatever clients call their operations.
    """
    fragments = {item.name.value: item for item in document.definitions if isinstance(item, FragmentDefinitionNode)}
    found: set[str] = set()
    followed: set[str] = set()

    def follow(chosen: SelectionSetNode) -> None:
        for selection in chosen.selections:
            if isinstance(selection, FieldNode):
                found.add(selection.name.value)
            elif not isinstance(selection, FragmentSpreadNode):
                follow(selection.selection_set)  # type: ignore[attr-defined] # what is left is an inline fragment
            elif selection.name.value not in followed:
                followed.add(selection.name.value)
                follow(fragments[selection.name.value].selection_set)

    operation = get_operation_ast(document, operation_name)
    if operation is not None:
        follow(operation.selection_set)
    ours = {name for name in found if not name.startswith("__")}
    if not ours:
        return "introspection"
    return ours.pop() if len(ours) == 1 else "several"


class Observed(SchemaExtension):
    """Observes one operation. It comes before PresentErrors, so that it sees errors as clients do."""

    def __init__(self) -> None:
        self._span = TRACER.start_span("graphql", TraceContext(), SpanKind.SERVER)
        self._operation: str | None = None
        self._name: str | None = None
        self._codes: set[str] = set()
        self._is_stream = False

    def on_operation(self) -> Iterator[None]:
        started, outcome = perf_counter(), "left"
        if self._span.is_recording():
            self._begin_span()
        seen = current()
        if seen is not None and seen.is_websocket:
            over_websockets.add(self)
        try:
            yield
            if not self._is_stream:
                self._count(getattr(self.execution_context.result, "errors", None))
            outcome = self._outcome()
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException:
            outcome = "invalid"
            raise
        finally:
            over_websockets.discard(self)
            self._end(outcome, perf_counter() - started)

    def on_execute(self) -> Iterator[None]:
        """Find out what is asked for: the document is valid now."""
        context = self.execution_context
        if context.graphql_document is not None:
            self.name(named(context.graphql_document, context.operation_name))
        yield

    def name(self, operation: Named | None) -> None:
        """Say which operation it is."""
        if operation is not None:
            kind, self._operation, self._name = operation
            self._span.update_name(f"{kind} {self._operation}")

    def on_stream_result(self, result: Any) -> Iterator[None]:
        self._is_stream = True
        try:
            yield
        finally:
            self._count(getattr(result, "errors", None))

    def _count(self, errors: Iterable[GraphQLError] | None) -> None:
        for error in errors or ():
            code = (error.extensions or {}).get("code", "INTERNAL")
            self._codes.add(code)
            metrics.ERRORS.labels(code).inc()

    def _outcome(self) -> str:
        if not self._codes:
            return "ok"
        if "INTERNAL" in self._codes:
            return "crash"
        return "error" if self._operation else "invalid"

    def _begin_span(self) -> None:
        seen = current()
        if seen is not None and seen.traceparent is not None:
            # A stranger's trace is linked to, and not gone on with: it would decide what is sampled here.
            theirs = TraceContextTextMapPropagator().extract({"traceparent": seen.traceparent}, TraceContext())
            self._span.add_link(get_current_span(theirs).get_span_context())
        # Never detached: a stream may end in another task. Every operation begins a trace of its own anyway.
        attach(set_span_in_context(self._span))

    def _end(self, outcome: str, seconds: float) -> None:
        operation = self._operation or "invalid"
        metrics.labelled(metrics.OPERATION_SECONDS, operation).observe(seconds)
        metrics.labelled(metrics.OPERATIONS, operation, outcome).inc()
        context = self.execution_context.context
        fields: Fields = {
            "operation": operation,
            "operation_name": self._name,
            "outcome": outcome,
            "customer_id": context.customer_id if isinstance(context, Context) else None,
        }
        seen = current()
        if self._span.is_recording():
            known = {f"spotplan.{name}": value for name, value in fields.items() if value is not None}
            self._span.set_attributes(known)
            if seen is not None:
                self._span.set_attribute("spotplan.request_id", seen.request_id)
            if outcome in {"crash", "error"}:
                self._span.set_status(Status(StatusCode.ERROR, " ".join(sorted(self._codes))))
            fields["trace_id"] = f"{self._span.get_span_context().trace_id:032x}"
            self._span.end()
        if seen is None:
            return
        if seen.is_websocket:
            logger.info("operation", extra={"fields": {**fields, "milliseconds": round(seconds * 1000, 1)}})
        else:
            seen.fields.update(fields)
