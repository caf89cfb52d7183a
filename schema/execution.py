"""How an operation runs, from its text to its answer."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from inspect import isawaitable
from typing import Any, cast

import strawberry
from graphql import GraphQLError, parse
from strawberry.execution.is_awaitable import optimized_is_awaitable
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.graphql import OperationType

from schema.errors import presented
from schema.executor import PlainExecutor
from schema.limits import Documents, Limits, RequestTimeoutError
from schema.observed import Observed
from settings import Settings

ANSWERED_AT_ONCE = frozenset({OperationType.QUERY, OperationType.MUTATION})


class PresentErrors(SchemaExtension):
    """Gives the errors of a stream their codes, and hides the text of crashes, before others look at them."""

    def __init__(self, errors_max: int) -> None:
        self._errors_max = errors_max

    def on_operation(self) -> Iterator[None]:
        yield
        if self.execution_context.result is not None:
            _present(self.execution_context.result, self._errors_max)

    def on_stream_result(self, result: Any) -> Iterator[None]:
        _present(result, self._errors_max)
        yield


class SpotplanSchema(strawberry.Schema):
    """A schema with the limits of the settings.

    What is answered at once runs without strawberry's machinery for extensions, which takes as long as all the rest of
    a small request; streams run with it. Both call the same functions.
    """

    def __init__(
        self,
        settings: Settings,
        query: type,
        mutation: type | None = None,
        subscription: type | None = None,
        types: Iterable[type] = (),
    ) -> None:
        self._settings = settings
        self._documents = Documents()
        super().__init__(
            query,
            mutation,
            subscription,
            types=types,
            execution_context_class=PlainExecutor,
            extensions=[Observed, lambda: PresentErrors(settings.errors_max), self._limits],
        )

    def process_errors(self, *_args: Any, **_kwargs: Any) -> None:
        """Nothing: ``presented`` logs what has to be logged, once."""

    async def execute(  # noqa: PLR0917 # strawberry's signature
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """Run a query or mutation.

        Raises:
            InvalidOperationTypeError: it is a subscription, which is streamed instead, or not among the types allowed.
        """
        allowed = ANSWERED_AT_ONCE & set(allowed_operation_types or OperationType)
        context = self._create_execution_context(
            query, allowed, variable_values, context_value, root_value, operation_name, operation_extensions
        )
        observed, limits = Observed(), self._limits()
        observed.execution_context = limits.execution_context = context
        with contextmanager(observed.on_operation)():
            try:
                result = await self._result(context, observed, limits)
            except InvalidOperationTypeError:
                raise
            except GraphQLError as error:
                result = ExecutionResult(None, [error])
            except Exception as error:  # noqa: BLE001 # it is presented as a crash, and logged
                result = ExecutionResult(None, [GraphQLError(str(error), original_error=error)])
            result.extensions = limits.get_results()
            _present(result, self._settings.errors_max)
            context.result = result
        return result

    def _limits(self) -> Limits:
        return Limits(self._settings, self._documents)

    async def _result(self, context: ExecutionContext, observed: Observed, limits: Limits) -> ExecutionResult:
        limits.look_up()
        if context.graphql_document is None:
            context.graphql_document = parse(context.query or "", max_tokens=self._settings.query_tokens_max)
        try:
            kind = context.operation_type
        except RuntimeError:
            raise GraphQLError(CannotGetOperationTypeError(context.operation_name).as_http_error_reason()) from None
        if kind not in context.allowed_operations:
            raise InvalidOperationTypeError(kind)
        if faults := limits.faults():
            return ExecutionResult(None, faults)
        observed.name(limits.named())
        given = context.context
        state = given.services.database.one_state() if kind is OperationType.QUERY and given else nullcontext()
        try:
            async with state:
                executor = PlainExecutor.build(
                    self._schema,
                    context.graphql_document,
                    context.root_value,
                    context.context,
                    context.variables,
                    context.operation_name,
                    is_awaitable=cast("Any", optimized_is_awaitable),
                    operation_extensions=context.operation_extensions,
                    plan=limits.plan(),
                )
                if isinstance(executor, list):  # the variables are none, or not of their types
                    return ExecutionResult(None, executor)
                result: Any = executor.execute_operation()
                if isawaitable(result):  # what is answered at once has taken no time that could be cut short
                    async with asyncio.timeout(self._settings.request_seconds_max):
                        result = await result
        except TimeoutError:
            raise RequestTimeoutError from None
        return ExecutionResult(result.data, result.errors)


def _present(result: Any, errors_max: int) -> None:
    found = result.errors or []
    if len(found) > errors_max:
        more = f"{len(found) - errors_max + 1} more errors are not listed."
        found = [*found[: errors_max - 1], GraphQLError(more, extensions={"code": "TOO_MANY_ERRORS"})]
    if found:
        result.errors = [presented(error) for error in found]
