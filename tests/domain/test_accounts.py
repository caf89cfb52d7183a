"""Accounts: what they are registered with, and their moves."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from domain.account_errors import (
    AccountMoveRefused,
    AccountsOutOfRange,
    EmailInvalid,
    ExternalIdTaken,
    GroupReserved,
    GroupsOutOfRange,
    TextInvalid,
)
from domain.accounts import (
    COUNTED,
    Account,
    AccountStatus,
    NewAccount,
    check_account_move,
    check_group_name,
    entry_refusals,
    is_text,
    request_refusals,
)
from domain.errors import RuleError

Refusals = list[tuple[type[RuleError], str, dict[str, Any]]]

_S = AccountStatus
ALLOWED = {
    (_S.ACTIVE, _S.SUSPENDED),
    (_S.ACTIVE, _S.DEACTIVATED),
    (_S.ACTIVE, _S.DELETED),
    (_S.SUSPENDED, _S.ACTIVE),
    (_S.SUSPENDED, _S.DEACTIVATED),
    (_S.SUSPENDED, _S.DELETED),
    (_S.DEACTIVATED, _S.ACTIVE),
    (_S.DEACTIVATED, _S.DELETED),
}
NOW = datetime(2026, 4, 10, tzinfo=UTC)
ACCOUNT = Account(7, 1, "u7", "Mei Abe", None, _S.ACTIVE, False, NOW, NOW, None)
ENTRY = NewAccount("u7", "Mei Abe")


def told(refusals: Iterable[RuleError]) -> Refusals:
    """Refusals as comparable values."""
    return [(type(refusal), refusal.field, refusal.data) for refusal in refusals]


@pytest.mark.parametrize(("status", "wanted"), [pair for pair in product(_S, _S) if pair in ALLOWED])
def test_moves_that_exist_are_allowed(status: AccountStatus, wanted: AccountStatus) -> None:
    check_account_move(replace(ACCOUNT, status=status), wanted)


@pytest.mark.parametrize(("status", "wanted"), [pair for pair in product(_S, _S) if pair not in ALLOWED])
def test_other_moves_are_refused_with_both_statuses(status: AccountStatus, wanted: AccountStatus) -> None:
    with pytest.raises(AccountMoveRefused) as refused:
        check_account_move(replace(ACCOUNT, status=status), wanted)
    assert (refused.value.field, refused.value.data) == (
        "accountIds",
        {"external_id": "u7", "status": status.value, "wanted": wanted.value},
    )


def test_active_and_suspended_accounts_count_and_only_active_ones_may_sign_in() -> None:
    assert {_S.ACTIVE, _S.SUSPENDED} == COUNTED
    assert [status for status in _S if replace(ACCOUNT, status=status).can_sign_in] == [_S.ACTIVE]


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "x" * 200,
        "山田 太郎",
        "山田\u3000太郎",  # the ideographic space that Japanese names are written with
        "Renée O'Neil-Müller, Dr.",
        "عائشة",
        "葛\U000e0100城",  # a variant of a character, as names have
        "😀",
        "a  b",
        '"|;',
        "Robert'); DROP TABLE accounts;--",
    ],
)
def test_names_of_all_the_world_are_texts(text: str) -> None:
    assert is_text(text, 200)
    assert told(entry_refusals(replace(ENTRY, name=text), "")) == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("x" * 201, id="too long"),
        pytest.param("山" * 201, id="too long, in characters and not in bytes"),
        pytest.param("a\0b", id="NUL"),
        pytest.param("a\nb", id="a line break"),
        pytest.param("a\tb", id="a tab"),
        pytest.param("a\x1b[31mb", id="an escape sequence"),
        pytest.param("a\x0bb", id="a vertical tab"),
        pytest.param("a\x85b", id="another line break"),
        pytest.param("a\u2028b", id="a line separator"),
        pytest.param("a\u202eb", id="a change of direction"),
        pytest.param("a\ud800b", id="half a character"),
        pytest.param(" a", id="a space before"),
        pytest.param("a ", id="a space after"),
        pytest.param("a\u3000", id="an ideographic space after"),
        pytest.param(" ", id="a space alone"),
        pytest.param("\u3000", id="an ideographic space alone"),
    ],
)
def test_other_texts_are_refused_by_their_field_and_cut_to_100_characters(text: str) -> None:
    assert not is_text(text, 200)
    numbers = {"text": text[:100], "length_min": 1, "length_max": 200}
    assert told(entry_refusals(replace(ENTRY, name=text), "accounts[3].")) == [
        (TextInvalid, "accounts[3].name", numbers)
    ]
    assert told(entry_refusals(replace(ENTRY, external_id=text), "accounts[3].")) == [
        (TextInvalid, "accounts[3].externalId", numbers)
    ]


@pytest.mark.parametrize(
    "email",
    [
        "mei@example.com",
        "a..b.@docomo.ne.jp",  # carriers gave out such addresses
        "-.x@ezweb.ne.jp",
        "mei+school@例え.jp",
        "明@example.com",
        "root@localhost",
        "x@" + "y" * 252,
        None,
    ],
)
def test_an_email_address_has_one_at_sign_and_no_spaces(email: str | None) -> None:
    assert told(entry_refusals(replace(ENTRY, email=email), "")) == []


@pytest.mark.parametrize(
    "email",
    ["", "mei", "@", "mei@", "@example.com", "a@b@c", "mei abe@example.com", " mei@example.com", "mei@example.com\n",
     "mei@exam\u3000ple.com", "a\0@b", "x@" + "y" * 253],
)  # fmt: skip
def test_other_email_addresses_are_refused(email: str) -> None:
    assert told(entry_refusals(replace(ENTRY, email=email), "accounts[0].")) == [
        (EmailInvalid, "accounts[0].email", {"email": email[:100]})
    ]


@pytest.mark.parametrize("name", ["Learners", "クラス１", "Auto-Deactivation", "Auto Deactivation 2", "x" * 100])
def test_groups_may_have_any_name(name: str) -> None:
    check_group_name(name)
    assert told(entry_refusals(replace(ENTRY, groups=(name,)), "")) == []


@pytest.mark.parametrize("name", ["Auto Deactivation", "auto deactivation", "AUTO DEACTIVATION", "aUTO dEACTIVATION"])
def test_but_the_built_in_groups_in_any_case(name: str) -> None:
    with pytest.raises(GroupReserved) as refused:
        check_group_name(name, "add")
    assert (refused.value.field, refused.value.data) == ("add", {"group": name})
    assert told(entry_refusals(replace(ENTRY, groups=("A", name)), "accounts[1].")) == [
        (GroupReserved, "accounts[1].groups", {"group": name})
    ]


@pytest.mark.parametrize("name", ["", " ", "Auto Deactivation ", "x" * 101, "a\0b"])
def test_a_groups_name_is_a_text_of_up_to_100_characters(name: str) -> None:
    with pytest.raises(TextInvalid) as refused:
        check_group_name(name)
    assert (refused.value.field, refused.value.data) == (
        "groups",
        {"text": name[:100], "length_min": 1, "length_max": 100},
    )


def test_an_account_is_in_at_most_50_groups() -> None:
    names = tuple(f"Class {number}" for number in range(51))
    assert told(entry_refusals(replace(ENTRY, groups=names[:50]), "")) == []
    # What is wrong with the 51st is not looked at: it will not stay there.
    assert told(entry_refusals(replace(ENTRY, groups=("", *names[:49], "")), "accounts[0].")) == [
        (GroupsOutOfRange, "accounts[0].groups", {"groups": 51, "groups_max": 50}),
        (TextInvalid, "accounts[0].groups", {"text": "", "length_min": 1, "length_max": 100}),
    ]


def test_an_entry_is_refused_for_all_its_reasons() -> None:
    assert [kind for kind, _, _ in told(entry_refusals(NewAccount("", "", "", ("",)), ""))] == [
        TextInvalid,
        TextInvalid,
        EmailInvalid,
        TextInvalid,
    ]


@pytest.mark.parametrize(("accounts", "is_allowed"), [(0, False), (1, True), (1_000, True), (1_001, False)])
def test_a_request_names_1_to_1000_accounts(accounts: int, is_allowed: bool) -> None:
    entries = [NewAccount(f"u{number}", "Mei Abe") for number in range(accounts)]
    expected: Refusals = [(AccountsOutOfRange, "accounts", {"accounts": accounts, "accounts_max": 1_000})]
    assert told(request_refusals(entries)) == ([] if is_allowed else expected)


def test_too_many_accounts_are_not_looked_at_one_by_one() -> None:
    assert [kind for kind, _, _ in told(request_refusals([NewAccount("", "")] * 1_001))] == [AccountsOutOfRange]


def test_external_ids_that_repeat_are_refused_where_they_repeat() -> None:
    entries = [NewAccount(external_id, "Mei Abe") for external_id in ("a", "b", "a", "A", "b", "a")]
    assert told(request_refusals(entries)) == [
        (ExternalIdTaken, "accounts[2].externalId", {"external_id": "a"}),
        (ExternalIdTaken, "accounts[4].externalId", {"external_id": "b"}),
        (ExternalIdTaken, "accounts[5].externalId", {"external_id": "a"}),
    ]


def test_every_entry_is_refused_in_its_place() -> None:
    entries = [ENTRY, NewAccount("u8", " "), NewAccount("u7", "Mei Abe", "mei")]
    assert [(kind, field) for kind, field, _ in told(request_refusals(entries, "csv"))] == [
        (TextInvalid, "csv[1].name"),
        (EmailInvalid, "csv[2].email"),
        (ExternalIdTaken, "csv[2].externalId"),
    ]
