"""Items at held prices: what saved recommendations and quotes offer."""

from dataclasses import dataclass
from datetime import date

from domain.commerce_errors import ContractChanged
from domain.contract_orders import ContractItem
from domain.contracts import MainContract, Term, spot_refusals
from domain.documents import DocumentLine, ItemKind
from domain.errors import RuleError, StartsInThePast
from domain.money import Charge
from domain.months import Period


@dataclass(frozen=True, slots=True)
class HeldItem:
    """Something that can be ordered at this charge. ``months`` is that of a spot, ``term`` that of everything else."""

    kind: ItemKind
    period: Period
    months: int | None
    units: int
    accounts: int
    charge: Charge
    term: Term | None = None

    def contract_item(self) -> ContractItem:
        """The item as an order of the main contract takes it.

        Raises:
            ValueError: it is a spot.
        """
        if self.term is None:
            raise ValueError("a spot is no item of the main contract")
        return ContractItem(self.kind, self.term, self.period, self.units, self.charge.net_minor)

    def line(self, plan_name: str) -> DocumentLine:
        """What a quote says about it."""
        return DocumentLine(
            kind=self.kind,
            plan_name=plan_name,
            period=self.period,
            months=self.months,
            units=self.units,
            accounts=self.accounts,
            net_minor=self.charge.net_minor,
            tax_basis_points=self.charge.tax_basis_points,
        )

    def refusals(self, contract: MainContract | None, today: date) -> list[RuleError]:
        """Why it cannot be ordered today."""
        starts_on = self.period.starts_on
        if self.months is not None:
            return spot_refusals(contract, accounts=self.accounts, starts_on=starts_on, months=self.months, today=today)
        ended = contract.ends_before if contract else None
        if self.kind is ItemKind.MAIN_CONTRACT:
            fits = contract is None or contract.has_ended(by=min(today, starts_on))
        elif self.kind is ItemKind.RENEWAL:
            fits = ended == starts_on
        else:
            fits = contract is not None and self.period.ends_before in {
                term.period.ends_before for term in contract.terms
            }
        if not fits:
            return [ContractChanged(order=f"{self.kind.value} from {starts_on}", contract_ends_before=ended)]
        if self.kind is not ItemKind.RENEWAL and starts_on < today:
            return [StartsInThePast(starts_on=starts_on, today=today)]
        return []
