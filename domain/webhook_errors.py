"""Refusals about webhooks; see :mod:`domain.errors`."""

from dataclasses import dataclass

from domain.errors import RuleError


@dataclass(eq=False, kw_only=True)
class WebhookUrlInvalid(RuleError):
    """A webhook's address is an https URL with a host, without a user name or password."""

    template = "This address cannot be used: {reason}."
    field: str = "url"
    reason: str


@dataclass(eq=False, kw_only=True)
class WebhookUrlTaken(RuleError):
    """The customer has an endpoint with this address already."""

    template = "There is an endpoint with this address already."
    field: str = "url"


@dataclass(eq=False, kw_only=True)
class WebhookKindsMissing(RuleError):
    """An endpoint for certain kinds of events names at least one; one for all kinds names none at all."""

    template = "Name at least one kind of events, or leave the kinds out to get all."
    field: str = "kinds"


@dataclass(eq=False, kw_only=True)
class WebhookEndpointsOutOfRange(RuleError):
    """A customer has at most endpointsMax endpoints."""

    template = "There are {endpoints_max} endpoints already, as many as there may be."
    field: str = "customerId"
    endpoints_max: int


@dataclass(eq=False, kw_only=True)
class NothingToReplay(RuleError):
    """A replay goes back to an event that was delivered or passed over: one up to number position."""

    template = "No event from there on was delivered or passed over; that is so for those up to number {position}."
    field: str = "from"
    position: int
