"""The plans on sale and their prices, each from a day on."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, order=True)
class PlanPrice:
    """A plan's prices per licence unit from a day on, net, in minor units."""

    effective_from: date
    monthly_unit_price_minor: int
    annual_unit_price_minor: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Free, or a paid plan: accounts are sold in units of ``accounts_per_unit``."""

    code: str
    name: str
    accounts_per_unit: int
    prices: tuple[PlanPrice, ...]

    @property
    def is_free(self) -> bool:
        return not self.prices

    def price_on(self, day: date) -> PlanPrice | None:
        """The prices in force on a day; None for the Free plan, or before the first price."""
        return max((price for price in self.prices if price.effective_from <= day), default=None)
