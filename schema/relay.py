"""Global ids, cursors and the parts that every connection shares."""

from binascii import Error as Base64Error
from collections.abc import Sequence
from typing import Annotated, Any, Protocol

import orjson
import strawberry
from strawberry.relay.utils import from_base64, to_base64

from domain import global_ids
from domain.errors import CursorInvalid, NotFound
from domain.global_ids import parse_id

First = Annotated[int, strawberry.argument(description="How many objects a page has: 1 to 100.")]
After = Annotated[
    str | None, strawberry.argument(description="The cursor to go on after. Leave it out for the first page.")
]


@strawberry.interface(description="An object with a global id, which `node` finds again.")
class Node:
    id: strawberry.ID = strawberry.field(description="The global id: opaque, the same for ever.")


@strawberry.type(description="Where a page stands in its connection.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more objects follow this page.")
    end_cursor: str | None = strawberry.field(
        description="Pass it as `after` for the next page. Null when the page is empty."
    )
    has_previous_page: bool = strawberry.field(
        description="Whether the page was asked for with `after`, so that objects stood before it."
    )
    start_cursor: str | None = strawberry.field(
        description="The cursor of the page's first object. Null when the page is empty."
    )


class Edge(Protocol):
    """What every type of edge has."""

    cursor: str


def page_info(edges: Sequence[Edge], after: str | None, *, has_next: bool) -> PageInfo:
    """The PageInfo of a page that was asked for after a cursor, or from the beginning."""
    return PageInfo(
        has_next_page=has_next,
        end_cursor=edges[-1].cursor if edges else None,
        has_previous_page=after is not None,
        start_cursor=edges[0].cursor if edges else None,
    )


def global_id(type_name: str, key: int) -> strawberry.ID:
    """The global id of a stored object."""
    return strawberry.ID(global_ids.global_id(type_name, key))


def key_of(text: str, type_name: str, field: str) -> int:
    """The key in a global id of a known type.

    Raises:
        NotFound: it is another type's, or none at all; which one is nobody's business.
    """
    try:
        found, key = parse_id(text)
    except ValueError:
        raise NotFound(field=field) from None
    if found != type_name:
        raise NotFound(field=field)
    return key


def cursor(*values: str | int) -> str:
    """An opaque cursor for the values that a connection is sorted by."""
    return to_base64("cursor", orjson.dumps(values).decode())


def _is_storable(value: str | int) -> bool:
    """Whether a database could hold the value: a crafted cursor can carry anything."""
    if isinstance(value, int):
        return 0 < value < 2**31
    return not any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in value)


def parse_cursor(text: str | None, *kinds: type) -> Any:
    """The sort values in a cursor, or None where there is no cursor.

    Raises:
        CursorInvalid: it was not made for this connection.
    """
    if text is None:
        return None
    try:
        prefix, values = from_base64(text)
        parsed = orjson.loads(values)  # json's own reader gives up on deep nesting with another error
    except (ValueError, Base64Error):
        raise CursorInvalid(cursor=text[:100]) from None
    fits = isinstance(parsed, list) and [type(value) for value in parsed] == list(kinds)
    if prefix != "cursor" or not fits or not all(map(_is_storable, parsed)):
        raise CursorInvalid(cursor=text[:100])
    return tuple(parsed)


def parse_id_cursor(text: str | None) -> int | None:
    """The id in the cursor of a connection that is sorted by ids, or None where there is no cursor.

    Raises:
        CursorInvalid: it was not made for such a connection.
    """
    values = parse_cursor(text, int)
    return values[0] if values else None
