"""Logs on standard error: lines for people, or one JSON object a line for machines (SPOTPLAN_LOG=json)."""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from schema.requests import current

QUOTED = re.compile(r"(DETAIL: |invalid input for query argument \$\d+: ).*")
"""Where PostgreSQL and its driver quote a row or a value, which may be a person's."""


def without_values(text: str) -> str:
    """A message without the values that a database quotes in it."""
    return QUOTED.sub(r"\1(left out)", text)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """What a record says beside its message, and the request during which it was written."""
    seen = current()
    given = {"request_id": seen.request_id if seen else None, **getattr(record, "fields", {})}
    return {name: value for name, value in given.items() if value is not None}


class TextFormatter(logging.Formatter):
    """Time, level, logger, message, then ``name=value``."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 # logging's name
        """A line without its traceback."""
        pairs = [f"{name}={value}" for name, value in _fields(record).items()]
        return " ".join([without_values(super().formatMessage(record)), *pairs])

    def formatException(self, ei: Any) -> str:  # noqa: N802 # logging's name
        """A traceback without values of the database."""
        return without_values(super().formatException(ei))


class JsonFormatter(TextFormatter):
    """The same as a JSON object, with instants in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """A line with everything in it."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": without_values(record.getMessage()),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def set_up_logs(style: str) -> None:
    """Log as ``style`` says, ``text`` or ``json``: our own lines from INFO on, those of libraries from WARNING on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("spotplan").setLevel(logging.INFO)
