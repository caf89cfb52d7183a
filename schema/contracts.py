"""Main contracts and capacity."""

from datetime import date

import strawberry

from db.contracts import StoredContract
from domain.capacity import CapacityStep as DomainCapacityStep
from domain.contracts import BillingCycle
from domain.contracts import Term as DomainTerm
from schema.money import Money, money
from schema.relay import Node, global_id


@strawberry.type(description="A run of days with the same capacity.")
class CapacityStep:
    from_: date = strawberry.field(name="from", description="The first day.")
    until: date = strawberry.field(description="The day after the last day.")
    accounts: int = strawberry.field(description="How many accounts may be registered on each of these days.")


def capacity_step(step: DomainCapacityStep) -> CapacityStep:
    """A domain capacity step as CapacityStep."""
    return CapacityStep(from_=step.period.starts_on, until=step.period.ends_before, accounts=step.accounts)


@strawberry.type(description="A term of the main contract: the first one or a renewal, at the prices it was sold at.")
class Term:
    plan_code: str = strawberry.field(description="The plan's code.")
    units: int = strawberry.field(description="Licence units.")
    accounts: int = strawberry.field(description="Accounts: units times the accounts in one unit.")
    starts_on: date = strawberry.field(description="The first day.")
    ends_before: date = strawberry.field(description="The day after the last day.")
    last_day: date = strawberry.field(description="The last day.")
    billing_cycle: BillingCycle = strawberry.field(description="How the term is paid.")
    monthly_unit_price: Money = strawberry.field(description="Per unit and month; also what spots cost in it.")
    annual_unit_price: Money = strawberry.field(description="Per unit and year.")


def term(item: DomainTerm, currency: str) -> Term:
    """A domain term as Term."""
    return Term(
        plan_code=item.plan_code,
        units=item.units,
        accounts=item.accounts,
        starts_on=item.period.starts_on,
        ends_before=item.period.ends_before,
        last_day=item.period.last_day,
        billing_cycle=item.billing_cycle,
        monthly_unit_price=money(item.monthly_unit_price_minor, currency),
        annual_unit_price=money(item.annual_unit_price_minor, currency),
    )


@strawberry.type(description="Units added to the main contract from a day until the end of a term.")
class AdditionalLicence:
    accounts: int = strawberry.field(description="Accounts added.")
    starts_on: date = strawberry.field(description="The first day.")
    ends_before: date = strawberry.field(description="The day after the last day.")
    last_day: date = strawberry.field(description="The last day.")


@strawberry.type(description="A customer's paid subscription, with all renewals that are ordered already.")
class MainContract(Node):
    version: str = strawberry.field(description="Changes whenever anything changes that a plan was computed from.")
    starts_on: date = strawberry.field(description="The first day of the first term.")
    ends_before: date = strawberry.field(description="The day after the last day of the last term.")
    last_day: date = strawberry.field(description="The last day of the last term.")
    accounts_per_unit: int = strawberry.field(description="Accounts in one licence unit: the smallest step.")
    terms: list[Term] = strawberry.field(description="The terms, oldest first, without gaps.")
    additional_licences: list[AdditionalLicence] = strawberry.field(description="What was added to terms.")


def main_contract(stored: StoredContract, currency: str) -> MainContract:
    """A stored contract as MainContract."""
    contract = stored.contract
    return MainContract(
        id=global_id("MainContract", stored.id),
        version=stored.version_name,
        starts_on=contract.starts_on,
        ends_before=contract.ends_before,
        last_day=contract.terms[-1].period.last_day,
        accounts_per_unit=contract.accounts_per_unit,
        terms=[term(item, currency) for item in contract.terms],
        additional_licences=[
            AdditionalLicence(
                accounts=licence.accounts,
                starts_on=licence.period.starts_on,
                ends_before=licence.period.ends_before,
                last_day=licence.period.last_day,
            )
            for licence in contract.additional_licences
        ],
    )
