"""Money in minor units, consumption tax, and the one rounding."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import AmountTooLarge
from domain.money import MINOR_UNITS_MAX, Charge, TaxRate, charge, invoice_charges, round_down, tax_rate_on
from tests.domain.builders import SEARCH, day

EIGHT = TaxRate(day("2014-04-01"), 800)
TEN = TaxRate(day("2019-10-01"), 1_000)


def test_the_pages_example_is_5_500_yen() -> None:
    assert charge(5_000, TEN) == Charge(net_minor=5_000, tax_minor=500, tax_basis_points=1_000)
    assert charge(5_000, TEN).total_minor == 5_500


@pytest.mark.parametrize(("net", "tax"), [(0, 0), (9, 0), (10, 1), (19, 1), (4_999, 499), (14_054, 1_405)])
def test_tax_is_rounded_down(net: int, tax: int) -> None:
    assert charge(net, TEN).tax_minor == tax


@SEARCH
@given(
    amount=st.integers(min_value=0, max_value=10**12),
    numerator=st.integers(min_value=0, max_value=10**6),
    denominator=st.integers(min_value=1, max_value=10**6),
)
def test_rounding_is_the_floor_of_the_exact_share(amount: int, numerator: int, denominator: int) -> None:
    assert round_down(amount, numerator, denominator) == floor(Fraction(amount * numerator, denominator))


@pytest.mark.parametrize(("amount", "numerator", "denominator"), [(-1, 1, 1), (1, -1, 1), (1, 1, 0), (1, 1, -1)])
def test_a_share_is_never_negative(amount: int, numerator: int, denominator: int) -> None:
    with pytest.raises(ValueError, match=f"not a share of an amount: {amount} x {numerator} / {denominator}"):
        round_down(amount, numerator, denominator)


@pytest.mark.parametrize(
    ("on", "expected"),
    [("2014-04-01", EIGHT), ("2019-09-30", EIGHT), ("2019-10-01", TEN), ("2026-04-01", TEN)],
)
def test_the_rate_is_the_latest_in_force(on: str, expected: TaxRate) -> None:
    assert tax_rate_on([TEN, EIGHT], day(on)) == expected
    assert tax_rate_on([EIGHT, TEN], day(on)) == expected


def test_a_day_before_every_rate_is_an_error() -> None:
    with pytest.raises(LookupError, match="no tax rate is known for 2014-03-31"):
        tax_rate_on([EIGHT, TEN], day("2014-03-31"))


def test_the_largest_amount_is_what_32_bits_hold() -> None:
    # 1,952,257,861 + 195,225,786 tax is exactly the largest amount; a yen more is too much.
    assert charge(1_952_257_861, TEN).total_minor == MINOR_UNITS_MAX == 2_147_483_647
    with pytest.raises(AmountTooLarge) as refused:
        charge(1_952_257_862, TEN)
    assert refused.value.data == {"amount": "2147483648", "amount_max": 2_147_483_647}


def test_an_invoice_taxes_the_sum_at_each_rate_once() -> None:
    # One by one, 9 and 19 yen at 10 % would be taxed 0 + 1; together 28 yen are taxed 2.
    charges = invoice_charges([(9, TEN), (13, EIGHT), (19, TEN)])
    assert charges == (Charge(13, 1, 800), Charge(28, 2, 1_000))


def test_an_invoice_of_nothing_has_no_charge() -> None:
    assert invoice_charges([]) == ()


def test_an_invoice_is_too_large_although_each_rate_fits() -> None:
    with pytest.raises(AmountTooLarge) as refused:
        invoice_charges([(1_900_000_000, TEN), (100_000_000, EIGHT)])
    assert refused.value.data == {"amount": "2198000000", "amount_max": 2_147_483_647}
