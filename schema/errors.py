"""Refusals as GraphQL types, and exceptions as top-level errors.

Each class of the domain's RuleError family becomes a type of the same name that implements UserError: a new
class there is a new type here, with nothing to write.
"""

import dataclasses
import functools
import inspect
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, get_args, get_type_hints

import strawberry
from graphql import GraphQLError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.utils.str_converters import to_camel_case

import domain.account_errors
import domain.commerce_errors
import domain.errors
import domain.token_errors
import domain.webhook_errors
from db.engine import DatabaseUnavailableError
from domain.errors import Refused, RuleError
from payments.provider import ProviderUnavailableError
from planner.workers import PlannerBusyError, PlannerInterruptedError
from resolvers.access import AccessError
from resolvers.identity import IdentityUnavailableError
from resolvers.metrics import ERRORS
from resolvers.turns import TooManySolvesError
from schema.limits import RequestTimeoutError

logger = logging.getLogger("spotplan")

ERROR_MODULES = (
    domain.errors,
    domain.account_errors,
    domain.commerce_errors,
    domain.webhook_errors,
    domain.token_errors,
)

RETRYABLE: dict[type[Exception], tuple[str, str]] = {
    DatabaseUnavailableError: ("UNAVAILABLE", "The database is not available. Try again in a moment."),
    IdentityUnavailableError: (
        "IDENTITY_PROVIDER_UNAVAILABLE",
        "The OpenID Connect provider does not publish its keys at the moment. Try again in a moment.",
    ),
    PlannerBusyError: ("PLANNER_BUSY", "The planner is busy. Try again in a moment."),
    ProviderUnavailableError: (
        "PAYMENT_PROVIDER_UNAVAILABLE",
        "The payment provider has not answered. Send the same checkout again, with its idempotency key.",
    ),
    TooManySolvesError: ("TOO_MANY_SOLVES", "Too many of your questions are being solved. Try again in a moment."),
    RequestTimeoutError: ("TIMEOUT", "The request took too long. Ask for less at once."),
    PlannerInterruptedError: ("PLANNER_INTERRUPTED", "The planner was interrupted. Try again."),
}
"""Failures that may succeed when tried again: their code and message."""


@strawberry.interface(description="Why a request was refused. The concrete type carries the numbers.")
class UserError:
    code: str = strawberry.field(description="The type's name in capitals: stable, for programs.")
    message: str = strawberry.field(description="One English sentence with the numbers, for people.")
    field: str = strawberry.field(description="The input field that the refusal is about.")


def _user_error_type(rule: type[RuleError]) -> type[UserError]:
    hints = get_type_hints(rule)
    names = [item.name for item in dataclasses.fields(rule) if item.name != "field"]
    namespace = {
        "__annotations__": {name: hints[name] for name in names},
        "__module__": __name__,
        **{name: strawberry.field(description=_describe(name, hints[name])) for name in names},
    }
    plain = type(rule.__name__, (UserError,), namespace)
    return strawberry.type(plain, description=inspect.getdoc(rule))


def _describe(name: str, hint: Any) -> str:
    """A number's description from its name: ``contract_ends_before`` reads as words already."""
    null = " Null where there is none." if type(None) in get_args(hint) else ""
    return f"The {name.replace('_', ' ')} that the refusal is about.{null}"


USER_ERROR_TYPES: dict[type[RuleError], type[UserError]] = {
    rule: _user_error_type(rule)
    for _, rule in sorted({name: item for module in ERROR_MODULES for name, item in vars(module).items()}.items())
    if inspect.isclass(rule) and issubclass(rule, RuleError) and rule is not RuleError  # each once, whoever imports it
}


def user_error(error: RuleError) -> UserError:
    """A refusal as its GraphQL type."""
    make: Callable[..., UserError] = USER_ERROR_TYPES[type(error)]
    return make(code=error.code, message=error.message, field=error.field, **error.data)


P = TypeVar("P")


def refusals_in_payload(
    payload: Callable[..., P],
) -> Callable[[Callable[..., Awaitable[P | None]]], Callable[..., Awaitable[P | None]]]:
    """Make a mutation answer ``payload(errors=[...])`` when a rule refuses it, and read nothing from before it."""

    def decorate(mutation: Callable[..., Awaitable[P | None]]) -> Callable[..., Awaitable[P | None]]:
        @functools.wraps(mutation)
        async def answer(*args: Any, **kwargs: Any) -> P | None:
            kwargs["info"].context.forget()
            try:
                return await mutation(*args, **kwargs)
            except Refused as refused:
                errors = refused.errors
            except RuleError as refusal:
                errors = (refusal,)
            for error in errors:
                ERRORS.labels(error.code).inc()
            return payload(errors=[user_error(error) for error in errors])

        return answer

    return decorate


def presented(error: GraphQLError) -> GraphQLError:
    """An error as clients may see it: with a code always, and never with a crash's text."""
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    if cause is None:
        return _with(error, error.message, {"code": "GRAPHQL_INVALID", **(error.extensions or {})})
    if isinstance(cause, RuleError):
        data = {to_camel_case(name): _plain(value) for name, value in cause.data.items()}
        return _with(error, cause.message, {"code": cause.code, "field": cause.field, **data})
    if isinstance(cause, CannotGetOperationTypeError | InvalidOperationTypeError):
        return _with(error, error.message, {"code": "GRAPHQL_INVALID"})
    if isinstance(cause, AccessError):
        return _with(error, str(cause), {"code": cause.code})
    for kind, (code, message) in RETRYABLE.items():
        if isinstance(cause, kind):
            logger.warning("%s: %s", code, cause)
            return _with(error, message, {"code": code, "retryable": True})
    reference = secrets.token_hex(4)
    logger.error("internal error %s at %s", reference, error.path, exc_info=cause)
    return _with(error, f"Internal error {reference}.", {"code": "INTERNAL"})


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | str | list | None) else str(value)


def _with(error: GraphQLError, message: str, extensions: dict[str, Any]) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )
