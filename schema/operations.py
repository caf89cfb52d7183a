"""Persisted operations on the wire: by ``documentId``, or as Apollo's clients send a hash."""

from typing import Any

import strawberry
from graphql import GraphQLError, GraphQLSyntaxError, parse, specified_rules

from db.engine import DatabaseUnavailableError
from resolvers.operations import SHA_256, Operations, is_id_of
from schema.errors import presented
from schema.limits import Measure, checked, refusal
from settings import Settings


class Asked:
    """Finds out which document a request is about."""

    def __init__(self, operations: Operations, *, persisted_only: bool) -> None:
        self._operations = operations
        self._persisted_only = persisted_only

    async def document(self, query: str | None, document_id: str | None, extensions: dict[str, Any] | None) -> str:
        """The document: the registered one where an id is sent, else the text.

        Raises:
            GraphQLError: PERSISTED_QUERY_NOT_FOUND, PERSISTED_QUERY_REQUIRED where no text is answered, UNAVAILABLE, or
                BAD_REQUEST.
        """
        id_ = _id(document_id, extensions or {})
        if id_ is None:
            if self._persisted_only:
                raise _error("PERSISTED_QUERY_REQUIRED", "Only persisted operations are answered here: send a hash.")
            if not query:
                raise _error("BAD_REQUEST", "The parameter query is missing")
            return query
        if query and not is_id_of(id_, query):
            raise _error("BAD_REQUEST", "The hash is not that of the query")
        try:
            found = await self._operations.document(id_)
        except DatabaseUnavailableError as error:
            raise presented(GraphQLError(str(error), original_error=error)) from None
        # Apollo's clients send hash and text after a hash was not found; nothing is registered by that.
        found = found or (None if self._persisted_only else query)
        if not found:
            raise _error(
                "PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound"
            )  # the text that Apollo's clients look for
        return found


def _id(document_id: str | None, extensions: dict[str, Any]) -> str | None:
    if document_id is not None:
        return document_id.removeprefix(SHA_256)
    given = extensions.get("persistedQuery")
    if given is None:
        return None
    if not isinstance(given, dict) or given.get("version") != 1 or not isinstance(given.get("sha256Hash"), str):
        raise _error("BAD_REQUEST", "persistedQuery must be an object with version 1 and a sha256Hash")
    return str(given["sha256Hash"]).removeprefix(SHA_256)


def _error(code: str, message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": code})


def faults(schema: strawberry.Schema, document: str, settings: Settings) -> list[str]:
    """Why a document would be refused, in sentences; none where it can be asked."""
    known = schema._schema  # noqa: SLF001 # it has no public name
    try:
        parsed = parse(document, max_tokens=settings.query_tokens_max)
    except GraphQLSyntaxError as error:
        return [error.message]
    refused = refusal(Measure(known, parsed, {}, settings.query_depth_max).size(), settings)
    found = [refused] if refused else checked(known, parsed, settings, tuple(specified_rules))
    return [error.message for error in found]
