"""Money as clients see it."""

import strawberry

from domain.money import Charge

FRACTION_DIGITS = {"JPY": 0, "KRW": 0, "VND": 0}
"""Digits of the minor unit, where they are not the usual two (ISO 4217)."""


@strawberry.type(description="An amount of money, exact: never a floating-point number.")
class Money:
    minor_units: int = strawberry.field(description="The amount in the currency's smallest unit, such as yen or cents.")
    amount: str = strawberry.field(description="The amount in the currency's main unit, as decimal text.")
    currency: str = strawberry.field(description="The currency's ISO 4217 code, such as JPY.")


def money(minor_units: int, currency: str) -> Money:
    """An amount in minor units as Money."""
    digits = FRACTION_DIGITS.get(currency, 2)
    whole, part = divmod(abs(minor_units), 10**digits)
    text = f"{'-' if minor_units < 0 else ''}{whole}" + (f".{part:0{digits}d}" if digits else "")
    return Money(minor_units=minor_units, amount=text, currency=currency)


@strawberry.type(description="A price with its consumption tax.")
class Price:
    net: Money = strawberry.field(description="Without tax.")
    tax: Money = strawberry.field(description="Consumption tax, rounded down once.")
    total: Money = strawberry.field(description="With tax: what is charged.")


def price(charge: Charge, currency: str) -> Price:
    """A domain charge as Price."""
    return Price(
        net=money(charge.net_minor, currency),
        tax=money(charge.tax_minor, currency),
        total=money(charge.total_minor, currency),
    )
