"""Who may what. Somebody else's object looks exactly like one that does not exist."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from domain.errors import CustomerRequired, NotFound
from domain.history import Actor, ActorKind


class Role(StrEnum):
    """What a caller may do."""

    OWNER = "OWNER"
    SALES = "SALES"
    OPERATOR = "OPERATOR"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is signed in, by which token. Only owners have a customer of their own."""

    role: Role
    customer_id: int | None
    token_id: int | None = None

    @property
    def actor(self) -> Actor:
        """Who the history names."""
        return Actor(ActorKind(self.role.value), self.token_id)


class AccessError(Exception):
    """The caller may not do this at all."""

    code: ClassVar[str]


class NotSignedInError(AccessError):
    """There is no token, or it does not count."""

    code = "NOT_SIGNED_IN"


class ForbiddenError(AccessError):
    """The caller's role does not allow this."""

    code = "FORBIDDEN"


def require(caller: Caller | None, *roles: Role) -> Caller:
    """The caller, who must have one of the roles; any role where none is given.

    Raises:
        NotSignedInError, ForbiddenError.
    """
    if caller is None:
        raise NotSignedInError("Sign in: send the header Authorization: Bearer <token>.")
    if roles and caller.role not in roles:
        raise ForbiddenError(f"This needs the role {' or '.join(roles)}, not {caller.role}.")
    return caller


def customer_in_reach(caller: Caller, customer_id: int | None) -> int:
    """The customer meant: the one named, or an owner's own.

    Raises:
        NotFound: an owner named somebody else's.
        CustomerRequired: somebody without a customer of their own named none.
    """
    if caller.role is Role.OWNER and customer_id not in {None, caller.customer_id}:
        raise NotFound(field="customerId")
    meant = customer_id if customer_id is not None else caller.customer_id
    if meant is None:
        raise CustomerRequired
    return meant
