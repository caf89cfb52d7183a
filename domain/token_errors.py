"""Refusals about tokens; see :mod:`domain.errors`."""

from dataclasses import dataclass

from domain.errors import RuleError


@dataclass(eq=False, kw_only=True)
class OverlapOutOfRange(RuleError):
    """After a rotation the old token goes on for 0 to overlapSecondsMax seconds."""

    template = "The old token can go on for 0 to {overlap_seconds_max} seconds, not {overlap_seconds}."
    field: str = "overlapSeconds"
    overlap_seconds: int
    overlap_seconds_max: int


@dataclass(eq=False, kw_only=True)
class TokenNotOurs(RuleError):
    """Tokens of an OpenID Connect provider are renewed there."""

    template = "This token was issued by the OpenID Connect provider; it is renewed there."
