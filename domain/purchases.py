"""Purchases: orders that are paid together, and stand on one invoice."""

from dataclasses import dataclass
from datetime import date, datetime

from domain.contracts import BillingCycle, Term
from domain.documents import ItemKind, TaxGroup, taxed
from domain.money import Charge
from domain.months import Period
from domain.orders import OrderStatus, PaymentMethod, SpotOrder

PURCHASE_ORDERS_MAX = 100


@dataclass(frozen=True, slots=True)
class ContractOrder:
    """An order of a term, of additional licences or of an upgrade. Prices are per unit, those of its term."""

    id: int
    customer_id: int
    purchase_id: int
    kind: ItemKind
    status: OrderStatus
    plan_code: str
    units: int
    accounts_per_unit: int
    billing_cycle: BillingCycle
    period: Period
    monthly_unit_price_minor: int
    annual_unit_price_minor: int
    charge: Charge
    cancelled_at: datetime | None
    year: int

    @property
    def number(self) -> str:
        """The number people use, such as CO-2026-00042: unique, rising, not without gaps."""
        return f"CO-{self.year}-{self.id:05d}"

    @property
    def accounts(self) -> int:
        return self.units * self.accounts_per_unit

    @property
    def term(self) -> Term:
        """The term that it makes, or that an upgrade changes the rest of one to."""
        return Term(
            period=self.period,
            plan_code=self.plan_code,
            units=self.units,
            accounts_per_unit=self.accounts_per_unit,
            billing_cycle=self.billing_cycle,
            monthly_unit_price_minor=self.monthly_unit_price_minor,
            annual_unit_price_minor=self.annual_unit_price_minor,
        )


@dataclass(frozen=True, slots=True)
class Purchase:
    """One checkout with its orders. Instants are UTC."""

    id: int
    customer_id: int
    status: OrderStatus
    payment_method: PaymentMethod | None
    payment_due_on: date | None
    currency: str
    terms_version: str
    placed_at: datetime
    expires_at: datetime
    confirmed_at: datetime | None
    spot_orders: tuple[SpotOrder, ...] = ()
    contract_orders: tuple[ContractOrder, ...] = ()

    @property
    def number(self) -> str:
        """The number people use, such as PU-2026-00042: unique, rising, not without gaps."""
        return f"PU-{self.placed_at.year}-{self.id:05d}"

    def is_expired(self, now: datetime) -> bool:
        """Whether time has closed it: it was left without a payment for too long."""
        return self.status in {OrderStatus.AWAITING_PAYMENT_METHOD, OrderStatus.PENDING_PAYMENT} and (
            now >= self.expires_at
        )

    @property
    def tax_groups(self) -> tuple[TaxGroup, ...]:
        """What its orders cost together, by tax rate."""
        charges = [order.charge for order in self.spot_orders] + [order.charge for order in self.contract_orders]
        return taxed((charge.net_minor, charge.tax_basis_points) for charge in charges)

    @property
    def total_minor(self) -> int:
        """What is charged for it, with tax."""
        return sum(group.net_minor + group.tax_minor for group in self.tax_groups)
