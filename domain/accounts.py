"""Accounts: registered users of a customer, what is asked of them, and their moves.

``ACTIVE`` and ``SUSPENDED`` accounts count against capacity; only ``ACTIVE`` ones may sign in.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.account_errors import (
    AccountMoveRefused,
    AccountsOutOfRange,
    EmailInvalid,
    ExternalIdTaken,
    GroupReserved,
    GroupsOutOfRange,
    TextInvalid,
)
from domain.errors import RuleError

EXTERNAL_ID_LENGTH_MAX = 200
NAME_LENGTH_MAX = 200
EMAIL_LENGTH_MAX = 254
GROUP_LENGTH_MAX = 100
GROUPS_PER_ACCOUNT_MAX = 50
GROUPS_PER_CUSTOMER_MAX = 1_000
ACCOUNTS_PER_REQUEST_MAX = 1_000
AUTO_DEACTIVATION = "Auto Deactivation"
"""The built-in group that accounts are put into when a fall of capacity deactivates them (page, rule 7)."""


class AccountStatus(StrEnum):
    """Where an account stands."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    DEACTIVATED = "DEACTIVATED"
    DELETED = "DELETED"


_S = AccountStatus
COUNTED = frozenset({_S.ACTIVE, _S.SUSPENDED})
"""Only these count against capacity."""

MOVES: dict[AccountStatus, frozenset[AccountStatus]] = {
    _S.ACTIVE: frozenset({_S.SUSPENDED, _S.DEACTIVATED, _S.DELETED}),
    _S.SUSPENDED: frozenset({_S.ACTIVE, _S.DEACTIVATED, _S.DELETED}),
    _S.DEACTIVATED: frozenset({_S.ACTIVE, _S.DELETED}),
    _S.DELETED: frozenset(),
}
"""Every move there is. Only a fall of capacity makes an account DEACTIVATED."""


@dataclass(frozen=True, slots=True)
class Account:
    """A registered user. Instants are UTC; ``counted_since`` is when it last began to count against capacity.

    A deleted account keeps its id and external id for the history, and loses its name and e-mail address.
    """

    id: int
    customer_id: int
    external_id: str
    name: str
    email: str | None
    status: AccountStatus
    is_protected: bool
    registered_at: datetime
    counted_since: datetime
    deactivated_at: datetime | None

    @property
    def can_sign_in(self) -> bool:
        return self.status is AccountStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What an account is registered with."""

    external_id: str
    name: str
    email: str | None = None
    groups: tuple[str, ...] = ()


def is_text(text: str, length_max: int) -> bool:
    """Whether it has 1 to ``length_max`` printable characters and no space at its ends."""
    # Python calls no space but its own printable; Japanese names are also written with the ideographic one.
    is_printable = text.replace("\u3000", " ").isprintable()
    return 1 <= len(text) <= length_max and is_printable and text == text.strip()


def check_group_name(name: str, field: str = "groups") -> None:
    """Refuse a name that no group of a customer's own can have.

    Raises:
        TextInvalid, GroupReserved.
    """
    if not is_text(name, GROUP_LENGTH_MAX):
        raise _text_invalid(name, GROUP_LENGTH_MAX, field)
    if name.casefold() == AUTO_DEACTIVATION.casefold():
        raise GroupReserved(field=field, group=name)


def entry_refusals(entry: NewAccount, field: str) -> Iterator[RuleError]:
    """Everything that an entry by itself is refused for; ``field`` is where it stands in the input."""
    if not is_text(entry.external_id, EXTERNAL_ID_LENGTH_MAX):
        yield _text_invalid(entry.external_id, EXTERNAL_ID_LENGTH_MAX, f"{field}externalId")
    if not is_text(entry.name, NAME_LENGTH_MAX):
        yield _text_invalid(entry.name, NAME_LENGTH_MAX, f"{field}name")
    email = entry.email
    # RFC 5322 would refuse addresses that Japanese carriers gave out; a mail server has the last word anyway.
    if email is not None and not (is_text(email, EMAIL_LENGTH_MAX) and re.fullmatch(r"[^@\s]+@[^@\s]+", email)):
        yield EmailInvalid(field=f"{field}email", email=email[:100])
    if len(entry.groups) > GROUPS_PER_ACCOUNT_MAX:
        yield GroupsOutOfRange(field=f"{field}groups", groups=len(entry.groups), groups_max=GROUPS_PER_ACCOUNT_MAX)
    for group in entry.groups[:GROUPS_PER_ACCOUNT_MAX]:
        try:
            check_group_name(group, f"{field}groups")
        except RuleError as refusal:
            yield refusal


def request_refusals(entries: Sequence[NewAccount], field: str = "accounts") -> list[RuleError]:
    """Everything that a request to register these accounts is refused for before looking at who there is."""
    if not 1 <= len(entries) <= ACCOUNTS_PER_REQUEST_MAX:
        return [AccountsOutOfRange(field=field, accounts=len(entries), accounts_max=ACCOUNTS_PER_REQUEST_MAX)]
    refusals: list[RuleError] = []
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        refusals.extend(entry_refusals(entry, f"{field}[{index}]."))
        if entry.external_id in seen:
            refusals.append(ExternalIdTaken(field=f"{field}[{index}].externalId", external_id=entry.external_id[:100]))
        seen.add(entry.external_id)
    return refusals


def check_account_move(account: Account, wanted: AccountStatus) -> None:
    """Refuse a move that does not exist.

    Raises:
        AccountMoveRefused: with the account's external id and both statuses.
    """
    if wanted not in MOVES[account.status]:
        raise AccountMoveRefused(external_id=account.external_id, status=account.status.value, wanted=wanted.value)


def _text_invalid(text: str, length_max: int, field: str) -> TextInvalid:
    return TextInvalid(field=field, text=text[:100], length_min=1, length_max=length_max)
