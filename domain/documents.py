"""Invoices, credit notes and quotes: what they say, independent of language and layout.

An invoice is a qualified invoice (Consumption Tax Act, art. 57-4): issuer with registration number, date, content, net
amount and tax for each rate, recipient. Tax is computed once per rate and document and rounded down.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from domain.customers import CustomerKind
from domain.money import round_down
from domain.months import Period
from domain.orders import PaymentMethod


class DocumentKind(StrEnum):
    """What a document is."""

    INVOICE = "INVOICE"
    CREDIT_NOTE = "CREDIT_NOTE"
    QUOTE = "QUOTE"


class ItemKind(StrEnum):
    """What a line is about."""

    SPOT = "SPOT"
    MAIN_CONTRACT = "MAIN_CONTRACT"
    RENEWAL = "RENEWAL"
    ADDITIONAL_LICENCE = "ADDITIONAL_LICENCE"
    UPGRADE = "UPGRADE"


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues documents. ``registration_number`` is T and 13 digits; ``bank_account`` is for transfers.

    Raises:
        ValueError: the registration number is not one.
    """

    name: str
    postal_code: str
    address: str
    registration_number: str
    bank_account: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"T\d{13}", self.registration_number):
            raise ValueError(f"a registration number is T and 13 digits, not {self.registration_number!r}")


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """One item: units of a plan over a period. ``net_minor`` is what it costs; negative never: credit notes say so.

    ``plan_name`` of a spot is that of its first day. ``months`` is the number of whole months of a spot; None where the
    period is that of a term. ``order_number`` names the order that it comes from; None in a quote.
    """

    kind: ItemKind
    plan_name: str
    period: Period
    months: int | None
    units: int
    accounts: int
    net_minor: int
    tax_basis_points: int
    order_number: str | None = None


@dataclass(frozen=True, slots=True)
class TaxGroup:
    """The net amount at one tax rate, and its tax, in minor units."""

    basis_points: int
    net_minor: int
    tax_minor: int


def tax_groups(lines: Iterable[DocumentLine]) -> tuple[TaxGroup, ...]:
    """The lines' net amounts by tax rate; see :func:`taxed`."""
    return taxed((line.net_minor, line.tax_basis_points) for line in lines)


def taxed(nets: Iterable[tuple[int, int]]) -> tuple[TaxGroup, ...]:
    """Net amounts and tax rates in basis points, summed by rate, the highest first, each with its tax.

    Tax is computed once per rate, on the sum, and rounded down.
    """
    sums: dict[int, int] = defaultdict(int)
    for net_minor, basis_points in nets:
        sums[basis_points] += net_minor
    return tuple(TaxGroup(rate, net, round_down(net, rate, 10_000)) for rate, net in sorted(sums.items(), reverse=True))


def taken_back(
    lines: Iterable[DocumentLine], order_number: str
) -> tuple[tuple[DocumentLine, ...], tuple[TaxGroup, ...]]:
    """An order's lines among those that still stand on an invoice, and what taking them back gives back at each rate.

    It is the difference that they make to the invoice, so that an invoice and all that was taken back of it add up.
    """
    standing = tuple(lines)
    gone = tuple(line for line in standing if line.order_number == order_number)
    rest = {group.basis_points: group for group in tax_groups(line for line in standing if line not in gone)}
    groups = []
    for group in tax_groups(standing):
        left = rest.get(group.basis_points, TaxGroup(group.basis_points, 0, 0))
        net, tax = group.net_minor - left.net_minor, group.tax_minor - left.tax_minor
        if any(line.tax_basis_points == group.basis_points for line in gone):
            groups.append(TaxGroup(group.basis_points, net, tax))
    return gone, tuple(groups)


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice, credit note or quote as it was issued; nothing of it changes later.

    Tax groups are stored, not computed from the lines: a credit note takes back the difference that its lines make to
    an invoice, which may be a yen more or less than their own tax. ``due_on`` is for invoices that are to be paid,
    ``valid_until`` (the last day) for quotes, ``refers_to`` is the invoice that a credit note takes back from.
    """

    kind: DocumentKind
    number: str
    issued_on: date
    currency: str
    issuer: Issuer
    recipient: str
    lines: tuple[DocumentLine, ...]
    tax_groups: tuple[TaxGroup, ...]
    payment_method: PaymentMethod | None = None
    due_on: date | None = None
    valid_until: date | None = None
    refers_to: str | None = None
    recipient_kind: CustomerKind = CustomerKind.CORPORATE

    @property
    def net_minor(self) -> int:
        return sum(group.net_minor for group in self.tax_groups)

    @property
    def tax_minor(self) -> int:
        return sum(group.tax_minor for group in self.tax_groups)

    @property
    def total_minor(self) -> int:
        return self.net_minor + self.tax_minor
