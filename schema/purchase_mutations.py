"""The mutations about the main contract, purchases and money, and the preview of what may be ordered."""

from datetime import date
from typing import Annotated

import strawberry

from domain.contracts import BillingCycle
from domain.documents import ItemKind
from domain.orders import PaymentMethod
from domain.purchases import Purchase as DomainPurchase
from resolvers import contract_orders as ordering
from resolvers import payments, purchases
from resolvers.contract_orders import ContractCommand, ContractPreview, Items, LicenceItems, TermItems, UpgradeItems
from resolvers.purchases import PurchaseCheckout
from schema.account_mutations import Payload, customer_key
from schema.context import Info
from schema.contracts import MainContract, main_contract
from schema.errors import UserError, refusals_in_payload, user_error
from schema.falls import UpcomingCapacityFall, upcoming_capacity_fall
from schema.money import Price, price
from schema.purchases import Purchase, purchase
from schema.relay import key_of

WHOSE = "Whose contract. Owners may leave it out: it is their own customer."
AGREED = "The version of the terms of use that was agreed to, as the preview shows it."
KEY = "Any text of 1 to 200 characters, new for each request: sent again, it never orders or pays twice."
MONTHS = "Whole months of a term that is billed monthly; annual terms have twelve."


@strawberry.input(description="A paid contract from Free.")
class TermInput:
    plan_code: str = strawberry.field(description="The plan.")
    units: int = strawberry.field(description="Licence units, 1 or more.")
    billing_cycle: BillingCycle = strawberry.field(description="How the term is paid.")
    starts_on: date = strawberry.field(description="The first day: today or later.")
    months: int = strawberry.field(default=1, description=MONTHS)


@strawberry.input(description="A term that follows the last one.")
class RenewalInput:
    plan_code: str = strawberry.field(description="The plan: the same or another one.")
    units: int = strawberry.field(description="Licence units, 1 or more.")
    billing_cycle: BillingCycle = strawberry.field(description="How the term is paid.")
    months: int = strawberry.field(default=1, description=MONTHS)


@strawberry.input(description="Units from a day until the end of the term.")
class LicenceInput:
    units: int = strawberry.field(description="Licence units, 1 or more.")
    starts_on: date = strawberry.field(description="The first day: today or later.")


@strawberry.input(description="A dearer plan from today until the end of the term, licences included.")
class UpgradeInput:
    plan_code: str = strawberry.field(description="The plan.")


@strawberry.input(description="What is to be ordered of the main contract: exactly one of the four.", one_of=True)
class ContractItemInput:
    term: TermInput | None = strawberry.field(default=strawberry.UNSET, description="A paid contract from Free.")
    renewal: RenewalInput | None = strawberry.field(default=strawberry.UNSET, description="A renewal.")
    additional_licence: LicenceInput | None = strawberry.field(
        default=strawberry.UNSET, description="Additional licences."
    )
    upgrade: UpgradeInput | None = strawberry.field(default=strawberry.UNSET, description="An upgrade.")


@strawberry.type(description="What an order of the main contract would be. Nothing is stored.")
class ContractOrderPreview:
    kind: ItemKind | None = strawberry.field(description="What it is. Null when it is refused.")
    starts_on: date | None = strawberry.field(description="The first day. Null when it is refused.")
    ends_before: date | None = strawberry.field(description="The day after the last day. Null when it is refused.")
    units: int | None = strawberry.field(description="Licence units that are charged. Null when it is refused.")
    price: Price | None = strawberry.field(description="What it costs. Null when it is refused.")
    upcoming_capacity_falls: list[UpcomingCapacityFall] = strawberry.field(
        description="The days on which capacity would fall with it, and how many accounts each would deactivate."
    )
    refusals: list[UserError] = strawberry.field(description="What it would be refused for.")
    terms_version: str = strawberry.field(description="The version of the terms of use to agree to.")


@strawberry.input(description="An order of a paid contract from Free.")
class MainContractOrderInput(TermInput):
    customer_id: strawberry.ID | None = strawberry.field(default=None, description=WHOSE)
    agreed_terms_version: str = strawberry.field(description=AGREED)
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.input(description="An order of a renewal.")
class MainContractRenewInput(RenewalInput):
    customer_id: strawberry.ID | None = strawberry.field(default=None, description=WHOSE)
    agreed_terms_version: str = strawberry.field(description=AGREED)
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.input(description="An order of an upgrade.")
class MainContractUpgradeInput(UpgradeInput):
    customer_id: strawberry.ID | None = strawberry.field(default=None, description=WHOSE)
    agreed_terms_version: str = strawberry.field(description=AGREED)
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.input(description="An order of additional licences.")
class AdditionalLicenceOrderInput(LicenceInput):
    customer_id: strawberry.ID | None = strawberry.field(default=None, description=WHOSE)
    agreed_terms_version: str = strawberry.field(description=AGREED)
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.input(description="A return to Free (or to the renewal before) when the current term ends.")
class MainContractCancelRenewalInput:
    customer_id: strawberry.ID | None = strawberry.field(default=None, description=WHOSE)


@strawberry.input(description="How a purchase is paid.")
class PurchaseCheckoutInput:
    purchase_id: strawberry.ID = strawberry.field(description="The purchase.")
    payment_method: PaymentMethod = strawberry.field(description="How it is paid.")
    expected_total: int = strawberry.field(
        description="The total that was shown, in minor units with tax. Another one is refused, never charged."
    )
    card: str | None = strawberry.field(
        default=None,
        description="The payment provider's name for a card. Left out, the browser gives one with the clientSecret.",
    )
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.input(description="A purchase to cancel.")
class PurchaseCancelInput:
    purchase_id: strawberry.ID = strawberry.field(description="The purchase, which is not paid yet.")


@strawberry.input(description="Money that was given back by hand.")
class RefundRecordInput:
    purchase_id: strawberry.ID = strawberry.field(description="The purchase that it was paid for.")
    amount: int = strawberry.field(description="How much, in minor units.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.input(description="Money that arrived by a transfer.")
class PaymentRecordInput:
    purchase_id: strawberry.ID = strawberry.field(description="The purchase that it is for.")
    amount: int = strawberry.field(description="How much, in minor units.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type
class PurchasePayload(Payload):
    """What the payloads of all these mutations have; the subclasses are the API's types."""

    purchase: Purchase | None = strawberry.field(
        default=None, description="The purchase as it is now. Null when it was refused."
    )


@strawberry.type(description="The purchase with the order, or why it was refused.")
class MainContractOrderPayload(PurchasePayload):
    pass


@strawberry.type(description="The purchase with the renewal, or why it was refused.")
class MainContractRenewPayload(PurchasePayload):
    pass


@strawberry.type(description="The purchase with the upgrade, or why it was refused.")
class MainContractUpgradePayload(PurchasePayload):
    pass


@strawberry.type(description="The purchase with the licences, or why it was refused.")
class AdditionalLicenceOrderPayload(PurchasePayload):
    pass


@strawberry.type(description="The contract without its last renewal, or why it was refused.")
class MainContractCancelRenewalPayload(Payload):
    main_contract: MainContract | None = strawberry.field(
        default=None, description="The contract as it is now. Null when it was refused."
    )


@strawberry.type(description="The purchase after its checkout, or why it was refused.")
class PurchaseCheckoutPayload(PurchasePayload):
    client_secret: str | None = strawberry.field(
        default=None,
        description="For the customer's browser, to give a card or prove that it is theirs. Null where nothing is left"
        " to do.",
    )


@strawberry.type(description="The cancelled purchase, or why it was refused.")
class PurchaseCancelPayload(PurchasePayload):
    pass


@strawberry.type(description="The purchase that money arrived for, or why it was refused.")
class PaymentRecordPayload(PurchasePayload):
    pass


@strawberry.type(description="The purchase that money was given back for, or why it was refused.")
class RefundRecordPayload(PurchasePayload):
    pass


def contract_items(given: ContractItemInput) -> Items:
    """What is to be ordered, of an input that has exactly one of its fields."""
    if given.term:
        return term_items(given.term)
    if given.renewal:
        return renewal_items(given.renewal)
    if given.additional_licence:
        return LicenceItems(given.additional_licence.units, given.additional_licence.starts_on)
    return UpgradeItems(given.upgrade.plan_code if given.upgrade else "")


def contract_order_preview(item: ContractPreview) -> ContractOrderPreview:
    """A use case's preview as ContractOrderPreview."""
    found = item.item
    return ContractOrderPreview(
        kind=found.kind if found else None,
        starts_on=found.period.starts_on if found else None,
        ends_before=found.period.ends_before if found else None,
        units=found.units if found else None,
        price=price(item.charge, item.customer.currency) if item.charge else None,
        upcoming_capacity_falls=[upcoming_capacity_fall(effect) for effect in item.falls],
        refusals=[user_error(refusal) for refusal in item.refusals],
        terms_version=item.terms_version,
    )


def term_items(given: TermInput) -> TermItems:
    """A term from Free, of its input."""
    return TermItems(given.plan_code, given.units, given.billing_cycle, given.months, given.starts_on)


def renewal_items(given: RenewalInput) -> TermItems:
    """A renewal, of its input."""
    return TermItems(given.plan_code, given.units, given.billing_cycle, given.months)


async def _ordered(
    info: Info,
    operation: str,
    items: Items,
    given: MainContractOrderInput | MainContractRenewInput | MainContractUpgradeInput | AdditionalLicenceOrderInput,
) -> DomainPurchase:
    command = ContractCommand(customer_key(given.customer_id), items, given.agreed_terms_version, given.idempotency_key)
    return await ordering.order(info.context.services, info.context.caller, operation, command)


@strawberry.type
class PurchaseMutations:
    """The part of Mutation about the main contract, purchases and money."""

    @strawberry.mutation(description="Order a paid contract from Free. Then go on with purchaseCheckout.")
    @refusals_in_payload(MainContractOrderPayload)
    async def main_contract_order(
        self, info: Info, input: Annotated[MainContractOrderInput, strawberry.argument(description="The order.")]
    ) -> MainContractOrderPayload | None:
        found = await _ordered(info, "mainContractOrder", term_items(input), input)
        return MainContractOrderPayload(purchase=purchase(found))

    @strawberry.mutation(description="Order a renewal, of the same or another plan and number of units.")
    @refusals_in_payload(MainContractRenewPayload)
    async def main_contract_renew(
        self, info: Info, input: Annotated[MainContractRenewInput, strawberry.argument(description="The order.")]
    ) -> MainContractRenewPayload | None:
        found = await _ordered(info, "mainContractRenew", renewal_items(input), input)
        return MainContractRenewPayload(purchase=purchase(found))

    @strawberry.mutation(description="Order a dearer plan for the rest of the term.")
    @refusals_in_payload(MainContractUpgradePayload)
    async def main_contract_upgrade(
        self, info: Info, input: Annotated[MainContractUpgradeInput, strawberry.argument(description="The order.")]
    ) -> MainContractUpgradePayload | None:
        found = await _ordered(info, "mainContractUpgrade", UpgradeItems(input.plan_code), input)
        return MainContractUpgradePayload(purchase=purchase(found))

    @strawberry.mutation(description="Order additional licences until the end of the term.")
    @refusals_in_payload(AdditionalLicenceOrderPayload)
    async def additional_licence_order(
        self, info: Info, input: Annotated[AdditionalLicenceOrderInput, strawberry.argument(description="The order.")]
    ) -> AdditionalLicenceOrderPayload | None:
        found = await _ordered(info, "additionalLicenceOrder", LicenceItems(input.units, input.starts_on), input)
        return AdditionalLicenceOrderPayload(purchase=purchase(found))

    @strawberry.mutation(
        description="Take back the last renewal before it begins, with a credit note: the customer returns to Free."
    )
    @refusals_in_payload(MainContractCancelRenewalPayload)
    async def main_contract_cancel_renewal(
        self, info: Info, input: Annotated[MainContractCancelRenewalInput, strawberry.argument(description="Whose.")]
    ) -> MainContractCancelRenewalPayload | None:
        key = customer_key(input.customer_id)
        customer = await ordering.cancel_renewal(info.context.services, info.context.caller, key)
        stored = await info.context.contracts.load(customer.id, None)
        return MainContractCancelRenewalPayload(
            main_contract=main_contract(stored, customer.currency) if stored else None
        )

    @strawberry.mutation(
        description="Choose how a purchase is paid. By invoice it is confirmed at once, by card or transfer when it is"
        " paid."
    )
    @refusals_in_payload(PurchaseCheckoutPayload)
    async def purchase_checkout(
        self, info: Info, input: Annotated[PurchaseCheckoutInput, strawberry.argument(description="The checkout.")]
    ) -> PurchaseCheckoutPayload | None:
        command = PurchaseCheckout(
            key_of(input.purchase_id, "Purchase", "purchaseId"),
            input.payment_method,
            input.expected_total,
            input.idempotency_key,
            input.card,
        )
        result = await payments.checkout(info.context.services, info.context.caller, command)
        return PurchaseCheckoutPayload(purchase=purchase(result.purchase), client_secret=result.client_secret)

    @strawberry.mutation(description="Cancel a purchase that is not paid yet. Doing it again changes nothing.")
    @refusals_in_payload(PurchaseCancelPayload)
    async def purchase_cancel(
        self, info: Info, input: Annotated[PurchaseCancelInput, strawberry.argument(description="The purchase.")]
    ) -> PurchaseCancelPayload | None:
        key = key_of(input.purchase_id, "Purchase", "purchaseId")
        found = await purchases.cancel(info.context.services, info.context.caller, key)
        return PurchaseCancelPayload(purchase=purchase(found))

    @strawberry.mutation(description="Record money that arrived for a transfer or an invoice. For operators.")
    @refusals_in_payload(PaymentRecordPayload)
    async def payment_record(
        self, info: Info, input: Annotated[PaymentRecordInput, strawberry.argument(description="The money.")]
    ) -> PaymentRecordPayload | None:
        key = key_of(input.purchase_id, "Purchase", "purchaseId")
        found = await purchases.record_payment(
            info.context.services, info.context.caller, key, input.amount, input.idempotency_key
        )
        return PaymentRecordPayload(purchase=purchase(found))

    @strawberry.mutation(description="Record money that was given back by hand. For operators.")
    @refusals_in_payload(RefundRecordPayload)
    async def refund_record(
        self, info: Info, input: Annotated[RefundRecordInput, strawberry.argument(description="The money.")]
    ) -> RefundRecordPayload | None:
        key = key_of(input.purchase_id, "Purchase", "purchaseId")
        found = await purchases.record_refund(
            info.context.services, info.context.caller, key, input.amount, input.idempotency_key
        )
        return RefundRecordPayload(purchase=purchase(found))
