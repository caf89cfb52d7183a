"""Every refusal: it carries its numbers, says them, and survives the way back from a worker process."""

import pickle
import re
from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any, get_type_hints

import pytest

from domain import account_errors, errors
from domain.account_errors import CapacityExceeded
from domain.errors import EndsAfterContract, NoPaidContract, PaymentMethodUnavailable, Refused, RuleError
from tests.domain.builders import day

KINDS = sorted(
    {
        kind
        for module in (errors, account_errors)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, RuleError) and kind is not RuleError
    },
    key=lambda kind: kind.__name__,
)


def sample(annotation: object, number: int) -> Any:
    """A value of an annotated type that no other field of the same error has."""
    samples: dict[object, Any] = {
        int: 1_000 + number,
        float: 0.25 + number,
        str: f"text-{number}",
        date: date(2026, 4, 1 + number),
        date | None: date(2026, 4, 1 + number),
        datetime: datetime(2026, 4, 10, 12, 30, number, tzinfo=UTC),
        list[str]: [f"ONE_{number}", f"TWO_{number}"],
    }
    return samples[annotation]


def build(kind: type[RuleError]) -> RuleError:
    hints = get_type_hints(kind)
    return kind(**{item.name: sample(hints[item.name], number) for number, item in enumerate(fields(kind), 1)})


def in_words(value: Any) -> str:
    """How a value stands in a message."""
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)


def test_there_are_refusals_to_check() -> None:
    assert len(KINDS) >= 40
    assert {EndsAfterContract, CapacityExceeded} <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_comes_back_from_another_process_unchanged(kind: type[RuleError]) -> None:
    refusal = build(kind)
    copy = pickle.loads(pickle.dumps(refusal))  # noqa: S301 # its own bytes
    assert type(copy) is kind
    assert copy is not refusal
    assert (copy.data, copy.field, copy.message, copy.code) == (
        refusal.data,
        refusal.field,
        refusal.message,
        refusal.code,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_message_is_one_sentence_with_every_number(kind: type[RuleError]) -> None:
    refusal = build(kind)
    message = refusal.message
    assert str(refusal) == message
    assert re.fullmatch(r"['A-Z0-9].*\.", message)  # a sentence may begin with what was typed
    assert not re.search(r"[{}]|None", message)
    assert [value for value in refusal.data.values() if in_words(value) not in message] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_code_is_the_name_in_capitals(kind: type[RuleError]) -> None:
    code = build(kind).code
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", code)
    assert "".join(word.capitalize() for word in code.split("_")) == kind.__name__


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_names_its_field_and_describes_itself(kind: type[RuleError]) -> None:
    default = next(item.default for item in fields(kind) if item.name == "field")
    assert isinstance(default, str)
    assert re.fullmatch(r"[a-z][A-Za-z]*(\.[a-z]+)?", default)
    assert "field" not in build(kind).data
    assert kind.__doc__
    assert not kind.__doc__.startswith(f"{kind.__name__}(")  # what dataclass writes where there is none


def test_a_contracts_end_in_code_field_numbers_and_words() -> None:
    refusal = EndsAfterContract(ends_before=day("2027-04-02"), contract_ends_before=day("2027-04-01"))
    assert refusal.code == "ENDS_AFTER_CONTRACT"
    assert refusal.field == "months"
    assert refusal.data == {"ends_before": day("2027-04-02"), "contract_ends_before": day("2027-04-01")}
    assert refusal.message == ("The spot would end before 2027-04-02, but the main contract ends before 2027-04-01.")


def test_no_contract_says_when_the_last_one_ended() -> None:
    assert NoPaidContract().message == "There is no paid main contract to add accounts to."
    assert NoPaidContract(contract_ended_before=day("2026-04-01")).message == (
        "There is no paid main contract to add accounts to: it ended before 2026-04-01."
    )


def test_an_unavailable_method_lists_those_that_are_available() -> None:
    assert PaymentMethodUnavailable(method="INVOICE", available=["CREDIT_CARD", "BANK_TRANSFER"]).message == (
        "Payment by INVOICE is not available here; available: CREDIT_CARD, BANK_TRANSFER."
    )
    assert PaymentMethodUnavailable(method="INVOICE", available=[]).message == (
        "Payment by INVOICE is not available here; available: none."
    )


def test_too_few_free_accounts_are_counted_and_the_next_day_with_room_is_named() -> None:
    refusal = CapacityExceeded(requested=5, available=2, capacity=100)
    assert refusal.message == "5 accounts were requested, but 2 of 100 are free today."
    assert refusal.data == {"requested": 5, "available": 2, "capacity": 100, "next_free_on": None}
    later = CapacityExceeded(requested=5, available=2, capacity=100, next_free_on=day("2026-05-01"))
    assert later.message == (
        "5 accounts were requested, but 2 of 100 are free today; there is room for them on 2026-05-01."
    )


def test_what_people_typed_is_not_taken_for_a_template() -> None:
    refusal = errors.CsvLineInvalid(line=3, text="{line} {0} {")
    assert refusal.message.endswith(": '{line} {0} {'.")


def test_a_request_is_refused_for_all_its_reasons() -> None:
    reasons = [NoPaidContract(), PaymentMethodUnavailable(method="INVOICE", available=[])]
    refused = Refused(reasons)
    assert refused.errors == tuple(reasons)
    assert str(refused) == "; ".join(reason.message for reason in reasons)
