"""One span for each SQL statement that an operation runs."""

from typing import Any

from opentelemetry.trace import SpanKind, Status, StatusCode, get_current_span, get_tracer
from sqlalchemy import Engine, ExceptionContext, event

TRACER = get_tracer("spotplan")
STATEMENT_LENGTH_MAX = 2_000


def trace_statements(engine: Engine) -> None:
    """Give each statement a span with its text, which has places for values and never the values.

    Not the instrumentation of the OpenTelemetry project: it writes what the driver says into spans, and PostgreSQL
    quotes rows. Statements of nobody's operation, such as the workers' looks each second, have no span.
    """

    @event.listens_for(engine, "before_cursor_execute")
    def _begin(_connection: Any, _cursor: Any, statement: str, _values: Any, context: Any, _many: bool) -> None:
        context.spotplan_span = None
        if get_current_span().is_recording():
            attributes = {"db.system.name": engine.dialect.name, "db.query.text": statement[:STATEMENT_LENGTH_MAX]}
            verb = statement.split(maxsplit=1)[0].upper()
            context.spotplan_span = TRACER.start_span(verb, kind=SpanKind.CLIENT, attributes=attributes)

    @event.listens_for(engine, "after_cursor_execute")
    def _end(_connection: Any, _cursor: Any, _statement: str, _values: Any, context: Any, _many: bool) -> None:
        if context.spotplan_span is not None:
            context.spotplan_span.end()

    @event.listens_for(engine, "handle_error")
    def _fail(failure: ExceptionContext) -> None:
        statement_failed(failure.execution_context, failure.original_exception)


def statement_failed(context: Any, error: BaseException) -> None:
    """End the span of a statement, where it has one, with the kind of its error."""
    span = getattr(context, "spotplan_span", None)
    if span is not None and span.is_recording():
        span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        span.end()
