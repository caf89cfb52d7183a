"""The SQL statements that something executes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

SET_UP = ("pg_catalog", "show ", "BEGIN")
"""What new connections and transactions ask for, by parts of their statements."""


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """The statements that are executed meanwhile, on any engine."""
    statements: list[str] = []

    def record(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not any(part in statement for part in SET_UP):
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", record)
