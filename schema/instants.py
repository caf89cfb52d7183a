"""Instants as clients write them."""

from datetime import UTC, datetime


def utc(given: datetime) -> datetime:
    """An instant in UTC. One without an offset is in UTC, as is one whose offset would lead out of the calendar."""
    try:
        return given.astimezone(UTC) if given.tzinfo is not None else given.replace(tzinfo=UTC)
    except OverflowError:
        return given.replace(tzinfo=UTC)
