"""What must be true of every answer, whatever was asked: its form, its words, and whose data it has."""

import json
import re
import sys
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLObjectType, build_schema, get_named_type
from httpx import Response

from domain.global_ids import parse_id
from resolvers.access import AccessError
from schema.errors import RETRYABLE, USER_ERROR_TYPES
from tests.processes import ROOT
from tests.schema.fuzz_requests import Asked
from tests.schema.fuzz_values import CUSTOMERS, HOUSE, PERSON

SCHEMA = build_schema((ROOT / "schema" / "schema.graphql").read_text("utf-8"))

RULES = {re.sub(r"(?<!^)(?=[A-Z])", "_", rule.__name__).upper() for rule in USER_ERROR_TYPES}
TYPED_RETRYABLE = {code for code, _ in RETRYABLE.values()} - {"UNAVAILABLE", "IDENTITY_PROVIDER_UNAVAILABLE"}
"""Failures that a fuzzer alone on the server may meet. The database answers all along: whatever it says that it is not
available for is a value it was never to be given."""
OF_GRAPHQL = {"GRAPHQL_INVALID", "TOO_COSTLY", "TOO_MANY_ERRORS", "PERSISTED_QUERY_NOT_FOUND"}
OF_THE_WIRE = {"BAD_REQUEST", "UNSUPPORTED_MEDIA_TYPE", "NOT_ACCEPTABLE", "METHOD_NOT_ALLOWED", "TOO_LARGE"}
CODES = {
    *RULES,
    *TYPED_RETRYABLE,
    *OF_GRAPHQL,
    *OF_THE_WIRE,
    *(kind.code for kind in AccessError.__subclasses__()),
}

PATHS = "|".join(re.escape(f"{path}/") for path in (ROOT, sys.prefix, sys.base_prefix))
"""Where this program and its libraries are: what a traceback would name."""
LEAKS = re.compile(
    PATHS
    + r"""|Traceback|\bFile\ "|\.py\b|site-packages|\bat\ 0x[0-9a-f]+|<class|<coroutine|<\w+\.\w+:
    |\b(?:sqlalchemy|sqlite3?|aiosqlite|asyncpg|psycopg|strawberry|graphql[._]core|orjson|pydantic|starlette|domain\.|db\.)
    |\bSELECT\b.*\bFROM\b|\bINSERT\ INTO\b|\bUPDATE\b.*\bSET\b|\bconstraint\b
    |object\ has\ no\ attribute|\bNoneType\b|unhashable|not\ JSON\ serializable|\bdatetime\.\w+\(|\bDecimal\(|recursion
    |\b[A-Z][A-Za-z]+(?:Error|Exception|Row)\b|spt_\w+|whsec_""",
    re.VERBOSE | re.DOTALL,
)
"""What of the inside must not be read outside, unless the request itself has it."""
ALLOWED_WORDS = set(SCHEMA.type_map)
MARKED = {
    caller: re.compile(rf"(?:{'|'.join(marks)})\w*", re.IGNORECASE)
    for caller, marks in {
        "a": (HOUSE["b"], PERSON["b"]),
        "b": (HOUSE["a"], PERSON["a"]),
        "sales": tuple(PERSON.values()),
        "nobody": (*HOUSE.values(), *PERSON.values()),
        "stranger": (*HOUSE.values(), *PERSON.values()),
    }.items()
}
"""Texts that a caller must not get: another customer's, persons where it is the vendor's sales people."""
NUMBER = re.compile(r"(SO|PU|CO|Q|INV|CN)-(\d{4})-(\d+)")
ID_FIELDS = {
    name
    for kind in SCHEMA.type_map.values()
    if isinstance(kind, GraphQLObjectType)
    for name, about in kind.fields.items()
    if get_named_type(about.type).name == "ID"
}


class Fault(AssertionError):
    """An answer is not as it must be."""


def require(condition: object, fault: str) -> None:
    """Raise a fault where a condition does not hold."""
    if not condition:
        raise Fault(fault)


@dataclass
class Found:
    """What an answer has of ours: global ids and numbers, each with the key it stood under; cursors."""

    ids: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    cursors: list[str] = field(default_factory=list)


def check(asked: Asked, response: Response) -> Found:
    """Look at an answer.

    Raises:
        Fault: something about it is not as it must be.
    """
    found = Found()
    kind = response.headers.get("content-type", "").partition(";")[0]
    if asked.method == "HEAD":
        require(response.content == b"", "an answer to HEAD has a body")
    elif kind in {"application/json", "application/graphql-response+json"}:
        content = _parsed(response.text)
        check_content(asked, content, found)
        require(response.status_code == 200 or "data" not in content, f"{response.status_code} with data")
        require(response.status_code < 500 or _is_retryable(content), f"status {response.status_code}")
        return found
    elif kind == "text/event-stream":
        for data in re.findall(r"^event: next\r?\ndata: ?(.*)$", response.text, re.MULTILINE):
            check_content(asked, _parsed(data), found)
        require("event: complete" in response.text, "a stream that does not end")
    elif kind == "application/pdf":
        require(asked.address.startswith("/documents/"), "a PDF of nothing")
        found.ids.append(asked.address.removeprefix("/documents/").partition(".pdf")[0].replace("%3D", "="))
    elif kind in {"text/plain", "text/html", ""}:
        check_words(asked, response.text.replace("web/build.py", ""))  # how to build the page, where it is not
        check_marks(asked, response.text)
    else:
        raise Fault(f"content of type {kind}")
    require(response.status_code < 500, f"status {response.status_code}")
    return found


def _parsed(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise Fault(f"{constant} in JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except ValueError as error:
        raise Fault(f"no JSON: {error}") from None


def _is_retryable(content: dict[str, Any]) -> bool:
    return all(error["extensions"].get("retryable") is True for error in content["errors"])


def check_content(asked: Asked, content: Any, found: Found) -> None:
    """An answer of GraphQL: well-formed, with known codes, and nothing in it that its caller may not see."""
    require(isinstance(content, dict), "the answer is no object")
    require(content.keys() <= {"data", "errors", "extensions"}, f"keys {[*content]}")
    require("data" in content or "errors" in content, "neither data nor errors")
    require(isinstance(content.get("data"), dict | None), "data is no object")
    require(content.get("data") is not None or "errors" in content, "no data and no error")
    if "errors" in content:
        require(isinstance(content["errors"], list) and content["errors"], "an empty list of errors")
        require(len(content["errors"]) <= 20, "more errors than there may be")
        for error in content["errors"]:
            check_error(asked, error)
    for key, text in strings(content):
        name = key.rpartition("_")[2]
        if name == "message":
            check_words(asked, text)
        require(not text.startswith("spt_") or name == "token" or "tokenRotate" in asked.carried, "a token")
        check_marks(asked, text)
        # Only in documents that are as they were made is a name in the answer that of the field.
        if name in ID_FIELDS and (asked.kind == "valid" or _is_id(text)):
            found.ids.append(text)
        elif name in {"cursor", "endCursor"}:
            found.cursors.append(text)
        found.numbers.extend(match[0] for match in NUMBER.finditer(text))


def check_error(asked: Asked, error: Any) -> None:
    """An error: message, places, path and a known code."""
    require(isinstance(error, dict), "an error is no object")
    require(error.keys() <= {"message", "locations", "path", "extensions"}, f"keys {[*error]} of an error")
    require(isinstance(error.get("message"), str) and error["message"], "an error without a message")
    places = error.get("locations", [])
    require(isinstance(places, list), "locations are no list")
    for place in places:
        is_place = isinstance(place, dict) and place.keys() == {"line", "column"}
        require(is_place and all(type(number) is int and number > 0 for number in place.values()), f"location {place}")
    path = error.get("path", [])
    require(isinstance(path, list) and all(type(part) in {str, int} for part in path), f"path {path}")
    extensions = error.get("extensions")
    require(isinstance(extensions, dict) and isinstance(extensions.get("code"), str), "an error without a code")
    require(extensions["code"] in CODES, f"code {extensions['code']}")
    check_words(asked, json.dumps(error, ensure_ascii=False))


def check_words(asked: Asked, text: str) -> None:
    """No word of the inside, but what the request itself has."""
    for match in LEAKS.finditer(text):
        word = match[0]
        require(word in ALLOWED_WORDS or word in asked.carried, f"{word!r} in {text[:500]!r}")


def check_marks(asked: Asked, text: str) -> None:
    """No text that belongs to somebody else, in a cursor either, unless the request itself has it."""
    if asked.caller == "operator":
        return
    told = text if text in asked.carried else text + _in_cursor(text)
    for match in MARKED[asked.caller].finditer(told):
        require(match[0].lower() in asked.carried.lower(), f"{match[0]!r} for {asked.caller}: {text[:200]!r}")


def strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text of an answer with the key it stands under."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from strings(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item, key)


def _in_cursor(text: str) -> str:
    try:
        decoded = b64decode(text, validate=True).decode() if text.startswith("Y3Vyc29y") else ""
    except (ValueError, Base64Error):
        return ""
    return json.dumps(json.loads(decoded.partition(":")[2]), ensure_ascii=False) if decoded else ""


def _is_id(text: str) -> bool:
    try:
        parse_id(text)
    except ValueError:
        return False
    return True


def type_and_key(id_: str) -> tuple[str, int]:
    """What a global id names.

    Raises:
        Fault: it names nothing.
    """
    try:
        return parse_id(id_)
    except ValueError:
        raise Fault(f"{id_!r} is no id") from None


def is_owner(caller: str) -> bool:
    """Whether a caller has a customer of its own, and may see nothing of another."""
    return caller in CUSTOMERS
