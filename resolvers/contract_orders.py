"""Orders of the main contract: from Free, renewals, additional licences, upgrades; and what a renewal would strand."""

from dataclasses import dataclass, replace
from datetime import date

from db.accounts import counted_accounts
from db.catalogue import all_plans, all_tax_rates
from db.contracts import bring_forward, cancel_term, contracts_by_customer, raise_version
from db.customers import customers_by_id
from db.purchases import cancel_contract_order, purchases_by_id, renewal_order
from domain.catalogue import Plan
from domain.commerce_errors import CancellationNotAllowed, NoRenewalToCancel, PlanNotForSale, RenewalInUse
from domain.contract_orders import ContractItem, additional_licence, first_term, renewal, upgrade
from domain.contracts import AdditionalLicence, BillingCycle, MainContract
from domain.customers import Customer
from domain.deactivation import FallEffect, effects
from domain.documents import ItemKind
from domain.errors import NotFound, Refused, RuleError
from domain.history import Change, EventKind, NewEvent
from domain.money import Charge, TaxRate, charge, tax_rate_on
from domain.purchases import Purchase
from resolvers import purchases
from resolvers.access import Caller, Role, customer_in_reach, require
from resolvers.documents import issue_credit_note
from resolvers.fields import renamed
from resolvers.idempotency import KeyedRequest
from resolvers.payments import give_back, refund
from resolvers.purchases import Basket
from resolvers.services import Services
from resolvers.settling import open_customer, settle
from resolvers.spot_orders import terms_refusals
from resolvers.work import Work


@dataclass(frozen=True, slots=True)
class TermItems:
    """A term that is to be ordered. ``months`` counts for monthly billing; annual terms have twelve."""

    plan_code: str
    units: int
    billing_cycle: BillingCycle
    months: int
    starts_on: date | None = None


@dataclass(frozen=True, slots=True)
class LicenceItems:
    """Additional licences: units from a day until the end of the term."""

    units: int
    starts_on: date


@dataclass(frozen=True, slots=True)
class UpgradeItems:
    """A dearer plan from today until the end of the term."""

    plan_code: str


Items = TermItems | LicenceItems | UpgradeItems


@dataclass(frozen=True, slots=True)
class ContractCommand:
    """An order of the main contract, and the version of the terms of use that the customer agreed to.

    A term with a first day is a contract from Free; one without is a renewal.
    """

    customer_id: int | None
    items: Items
    agreed_terms_version: str
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class ContractPreview:
    """What an order of the main contract would be: charge and period are None where the refusals leave them undefined.

    ``falls`` are the days on which capacity would fall with it, and whom they would deactivate if nothing else changes.
    """

    customer: Customer
    item: ContractItem | None
    charge: Charge | None
    falls: tuple[FallEffect, ...]
    refusals: tuple[RuleError, ...]
    terms_version: str


async def preview(services: Services, caller: Caller | None, customer_id: int | None, items: Items) -> ContractPreview:
    """The exact days and price of an order, what it would be refused for, and whom it would strand.

    Raises:
        NotFound: no such customer for this caller.
    """
    meant = customer_in_reach(require(caller), customer_id)
    await settle(services, [meant])
    async with services.database.read() as session:
        customer = (await customers_by_id(session, [meant])).get(meant)
        if customer is None:
            raise NotFound(field="customerId")
        stored = (await contracts_by_customer(session, [meant])).get(meant)
        contract = stored.contract if stored else None
        today = customer.day_at(services.clock())
        plans, rates = await all_plans(session), await all_tax_rates(session)
        counted = await counted_accounts(session, meant)
    item: ContractItem | None = None
    total: Charge | None = None
    refusals: tuple[RuleError, ...] = ()
    try:
        item = item_of(contract, plans, items, today)
        total = charge_of(item, rates, items)
    except RuleError as refusal:
        refusals = (refusal,)
    after = _with(contract, item) if item else contract
    falls: tuple[FallEffect, ...] = ()
    if after is not None:
        policy = customer.deactivation_policy
        falls = tuple(effects(after, counted, policy, customer, after=today, until=after.ends_before))
    return ContractPreview(customer, item, total, falls, refusals, services.settings.terms_version)


async def order(services: Services, caller: Caller | None, operation: str, command: ContractCommand) -> Purchase:
    """Store a purchase of one order of the main contract, which awaits its payment method.

    Raises:
        Refused: with the rule that refuses it; nothing is stored.
        NotFound, IdempotencyKeyReused, IdempotencyKeyInvalid, AmountTooLarge.
    """
    signed_in = require(caller, Role.OWNER, Role.OPERATOR)
    customer_id = customer_in_reach(signed_in, command.customer_id)
    keyed = replace(command, customer_id=customer_id)
    request = KeyedRequest.of(operation, customer_id, command.idempotency_key, keyed)
    async with services.database.write() as session:
        work = Work(services, session, await open_customer(session, customer_id, services.clock), signed_in.actor)
        earlier = await request.earlier_result(session)
        if earlier is not None:
            return (await purchases_by_id(session, earlier))[earlier[0]]
        refusals = terms_refusals(services, command.agreed_terms_version)
        plans, rates = await all_plans(session), await all_tax_rates(session)
        try:
            item = item_of(work.contract, plans, command.items, work.today)
            total = charge_of(item, rates, command.items)
        except RuleError as refusal:
            raise Refused([refusal, *refusals]) from None
        if refusals:
            raise Refused(refusals)
        purchase = await purchases.place(work, Basket(contract_items=((item, total),)))
        await request.remember(session, (purchase.id,), work.now)
        return purchase


async def cancel_renewal(services: Services, caller: Caller | None, customer_id: int | None) -> Customer:
    """Take back the last renewal before it begins, so that the customer returns to Free (or to the renewal before).

    It is taken back from its invoice by a credit note over what it cost.

    Raises:
        NoRenewalToCancel, RenewalInUse, CancellationNotAllowed, NotFound: nothing is changed.
    """
    signed_in = require(caller, Role.OWNER, Role.OPERATOR)
    meant = customer_in_reach(signed_in, customer_id)
    async with services.database.write() as session:
        work = Work(services, session, await open_customer(session, meant, services.clock), signed_in.actor)
        contract = work.contract
        if contract is None or len(contract.terms) < 2 or contract.terms[-1].period.starts_on <= work.today:
            raise NoRenewalToCancel(today=work.today)
        if services.settings.cancel_confirmed != "allowed":
            raise CancellationNotAllowed(field="customerId", reason="this service does not take them back")
        begin = contract.terms[-1].period.starts_on
        spots = sum(spot.period.ends_before > begin for spot in contract.spots)
        licences = sum(licence.period.ends_before > begin for licence in contract.additional_licences)
        if spots or licences:
            raise RenewalInUse(spots=spots, licences=licences, contract_ends_before=begin)
        await cancel_term(session, work.contract_id, begin, work.now)
        await raise_version(session, work.contract_id)
        await bring_forward(session, work.contract_id, work.now)
        changes: dict[str, Change] = {"endsBefore": (str(contract.ends_before), str(begin))}
        await work.log(NewEvent(kind=EventKind.RENEWAL_CANCELLED, occurred_at=work.now, changes=changes))
        ordered = await renewal_order(session, meant, begin)
        if ordered is not None:
            await cancel_contract_order(session, ordered.id, work.now)
            session.expire_all()
            purchase = (await purchases_by_id(session, [ordered.purchase_id]))[ordered.purchase_id]
            await give_back(work, purchase, await issue_credit_note(work, purchase, ordered.number))
    await refund(services)
    return work.customer


def item_of(contract: MainContract | None, plans: list[Plan], items: Items, today: date) -> ContractItem:
    """What is to be ordered, with its days and price; errors as in :mod:`domain.contract_orders`."""
    if isinstance(items, LicenceItems):
        return additional_licence(contract, units=items.units, starts_on=items.starts_on, today=today)
    plan = next((plan for plan in plans if plan.code == items.plan_code), None)
    if plan is None:
        raise PlanNotForSale(plan_code=items.plan_code[:100], day=today)
    if isinstance(items, UpgradeItems):
        return upgrade(contract, plan, today=today)
    if items.starts_on is None:
        return renewal(contract, plan, units=items.units, cycle=items.billing_cycle, months=items.months, today=today)
    return first_term(
        contract,
        plan,
        units=items.units,
        cycle=items.billing_cycle,
        starts_on=items.starts_on,
        months=items.months,
        today=today,
    )


def charge_of(item: ContractItem, rates: list[TaxRate], items: Items) -> Charge:
    """The charge of what is to be ordered.

    Raises:
        AmountTooLarge.
    """
    with renamed({"accounts": "planCode" if isinstance(items, UpgradeItems) else "units"}):
        return charge(item.net_minor, tax_rate_on(rates, item.period.starts_on))


def _with(contract: MainContract | None, item: ContractItem) -> MainContract:
    """The contract as it would be with a new term or licences; an upgrade leaves its capacity as it is."""
    if contract is None or item.kind is ItemKind.MAIN_CONTRACT:
        return MainContract((item.term,))
    if item.kind is ItemKind.RENEWAL:
        return replace(contract, terms=(*contract.terms, item.term))
    if item.kind is ItemKind.ADDITIONAL_LICENCE:
        licence = AdditionalLicence(item.period, item.units * item.term.accounts_per_unit)
        return replace(contract, additional_licences=(*contract.additional_licences, licence))
    return contract
