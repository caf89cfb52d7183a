"""How the generated client writes days and instants: its subscriptions cannot write them without being told."""

from datetime import date


def iso(value: date) -> str:
    """A day as 2026-05-01, an instant with its time and offset."""
    return value.isoformat()
