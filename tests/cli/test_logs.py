"""Lines for people and for machines: the same facts, without what a database quotes."""

import json
import logging
import sys
from typing import Any

import pytest
from sqlalchemy import text

from cli.logs import JsonFormatter, TextFormatter
from resolvers.services import Services
from schema.requests import Seen, _current

PERSON = "mei@example.com"


def record(message: str, *arguments: object, **fields: Any) -> logging.LogRecord:
    made = logging.LogRecord("spotplan", logging.WARNING, __file__, 1, message, arguments, None)
    made.created, made.msecs = 1_775_790_000.25, 250.0
    made.fields = fields
    return made


def test_a_line_of_text_ends_with_the_fields() -> None:
    line = TextFormatter().format(record("%d tries", 3, status=503, customer_id=None, route="graphql"))
    assert line.partition(" WARNING ")[2] == "spotplan 3 tries status=503 route=graphql"


def test_a_line_of_json_has_the_fields_and_the_request() -> None:
    token = _current.set(Seen("req-1", False, None))
    try:
        line = JsonFormatter().format(record("two\nlines \ud800", status=503))
    finally:
        _current.reset(token)
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-04-10T03:00:00.250+00:00",
        "level": "WARNING",
        "logger": "spotplan",
        "message": "two\nlines \ud800",
        "request_id": "req-1",
        "status": 503,
    }


@pytest.mark.anyio
@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO accounts (external_id) VALUES (:value)",  # a row that PostgreSQL quotes
        "SELECT 1 WHERE :value = CAST(1 AS INTEGER)",  # a value that its driver quotes
        "SELECT nothing FROM nowhere WHERE 'x' = :value",
    ],
)
async def test_what_a_database_quotes_is_left_out(
    services: Services, statement: str, formatter: logging.Formatter
) -> None:
    failed = record("a statement failed")
    try:
        async with services.database.write() as session:
            await session.execute(text(statement), {"value": PERSON})
    except Exception as error:  # noqa: BLE001 # whatever the driver raises
        failed.exc_info = sys.exc_info()
        failed.msg = f"a statement failed: {error}"
    line = formatter.format(failed)
    assert PERSON not in line
    if failed.exc_info:
        assert "Traceback" in line
