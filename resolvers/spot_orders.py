"""Preview, place, check out and cancel a spot order: load, ask the rule, save; one transaction each."""

from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from db.accounts import counted_accounts
from db.catalogue import all_tax_rates
from db.contracts import bring_forward, contracts_by_customer, raise_version
from db.customers import customers_by_id
from db.purchases import purchases_by_id
from db.spot_orders import save_progress, spot_orders_by_id
from domain.capacity import CapacityStep, capacity_timeline
from domain.commerce_errors import AccountsWouldNotFit, CancellationNotAllowed, OrderIsPartOfPurchase
from domain.contracts import MainContract, SpotContract, spot_refusals
from domain.customers import Customer
from domain.deactivation import FallEffect, effects
from domain.errors import AmountTooLarge, MonthsOutOfRange, NotFound, Refused, RuleError, TermsNotAgreed
from domain.history import Change, EventKind, NewEvent
from domain.money import Charge, TaxRate, charge, tax_rate_on
from domain.months import Period, ends_before
from domain.orders import OrderStatus, PaymentMethod, SpotOrder, check_move
from domain.pricing import PriceLine, spot_price_lines
from domain.purchases import Purchase
from resolvers import payments, purchases
from resolvers.access import Caller, Role, customer_in_reach, require
from resolvers.documents import issue_credit_note
from resolvers.fields import renamed
from resolvers.idempotency import KeyedRequest
from resolvers.payments import give_back
from resolvers.purchases import Basket, PurchaseCheckout, SpotItems
from resolvers.services import Services
from resolvers.settling import open_customer
from resolvers.work import Work


@dataclass(frozen=True, slots=True)
class PlaceCommand:
    """An order: the items and the version of the terms of use that the customer agreed to."""

    customer_id: int | None
    items: SpotItems
    agreed_terms_version: str
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class CheckoutCommand:
    """A checkout: how to pay, and the total that the customer saw. ``card`` is the provider's name for a card."""

    order_id: int
    payment_method: PaymentMethod
    expected_total_minor: int
    idempotency_key: str
    card: str | None = None


@dataclass(frozen=True, slots=True)
class SpotCheckout:
    """An order as it stands after its checkout; the secret is that of :class:`resolvers.payments.Checkout`."""

    order: SpotOrder
    client_secret: str | None


@dataclass(frozen=True, slots=True)
class SpotPreview:
    """What an order would be. Period and charge are None where the refusals leave them undefined."""

    customer: Customer
    period: Period | None
    price_lines: tuple[PriceLine, ...]
    charge: Charge | None
    capacity_before: tuple[CapacityStep, ...]
    capacity_after: tuple[CapacityStep, ...]
    refusals: tuple[RuleError, ...]
    terms_version: str


async def preview(services: Services, caller: Caller | None, customer_id: int | None, items: SpotItems) -> SpotPreview:
    """The exact days, price and capacity of an order, and everything it would be refused for.

    Raises:
        NotFound: no such customer for this caller.
    """
    meant = customer_in_reach(require(caller), customer_id)
    async with services.database.read() as session:
        customer = await _customer(session, meant)
        stored = (await contracts_by_customer(session, [meant])).get(meant)
        rates = await all_tax_rates(session)
    contract = stored.contract if stored else None
    refusals = spot_item_refusals(contract, items, customer.day_at(services.clock()))
    period: Period | None = None
    lines: tuple[PriceLine, ...] = ()
    total: Charge | None = None
    try:
        period = Period(items.starts_on, ends_before(items.starts_on, items.months))
        if contract and not refusals:
            lines, total = _priced(contract, items, rates)
    except MonthsOutOfRange:
        pass  # already among the refusals
    except AmountTooLarge as refusal:
        refusals.append(refusal)
    before = capacity_timeline(contract, period) if period else ()
    after = before
    if contract and period and not refusals:
        bought = SpotContract(period, items.accounts)
        after = capacity_timeline(replace(contract, spots=(*contract.spots, bought)), period)
    return SpotPreview(customer, period, lines, total, before, after, tuple(refusals), services.settings.terms_version)


async def place(services: Services, caller: Caller | None, command: PlaceCommand) -> SpotOrder:
    """Store an order that awaits its payment method, a purchase of its own; its price is held until it expires.

    Raises:
        Refused: with every rule that refuses it; nothing is stored.
        NotFound, IdempotencyKeyReused, IdempotencyKeyInvalid.
    """
    signed_in = require(caller, Role.OWNER, Role.OPERATOR)
    customer_id = customer_in_reach(signed_in, command.customer_id)
    request = KeyedRequest.of(
        "spotOrderPlace", customer_id, command.idempotency_key, replace(command, customer_id=customer_id)
    )
    async with services.database.write() as session:
        work = Work(services, session, await open_customer(session, customer_id, services.clock), signed_in.actor)
        earlier = await request.earlier_result(session)
        if earlier is not None:
            return (await spot_orders_by_id(session, earlier))[earlier[0]]
        items = command.items
        refusals = spot_item_refusals(work.contract, items, work.today)
        refusals += terms_refusals(services, command.agreed_terms_version)
        if refusals or work.contract is None:
            raise Refused(refusals)
        _, total = _priced(work.contract, items, await all_tax_rates(session))
        purchase = await purchases.place(work, Basket(spots=((items, total),)))
        order = purchase.spot_orders[0]
        await request.remember(session, (order.id,), work.now)
        return order


async def checkout(services: Services, caller: Caller | None, command: CheckoutCommand) -> SpotCheckout:
    """Check out the purchase of a single order.

    See :func:`resolvers.purchases.checkout` and, for cards, :func:`resolvers.payments.checkout`.

    Raises:
        OrderIsPartOfPurchase: there are others in it.
        and as these.
    """
    signed_in = require(caller, Role.OWNER, Role.OPERATOR)
    async with services.database.read() as session:
        found = (await spot_orders_by_id(session, [command.order_id])).get(command.order_id)
        purchase = None
        if found is not None and signed_in.customer_id in {None, found.customer_id}:
            purchase = (await purchases_by_id(session, [found.purchase_id]))[found.purchase_id]
    if purchase is None:
        raise NotFound(field="orderId")
    _check_single(purchase)
    given = PurchaseCheckout(
        purchase.id,
        command.payment_method,
        command.expected_total_minor,
        command.idempotency_key,
        command.card,
    )
    with renamed({"purchaseId": "orderId"}):
        result = await payments.checkout(services, caller, given)
    return SpotCheckout(result.purchase.spot_orders[0], result.client_secret)


async def cancel(services: Services, caller: Caller | None, order_id: int) -> SpotOrder:
    """Cancel an order before its first day. Cancelling it again changes nothing.

    One that is confirmed is taken back from its invoice by a credit note over what it cost.

    Raises:
        OrderExpired, OrderMoveRefused, OrderIsPartOfPurchase, CancellationNotAllowed, AccountsWouldNotFit, NotFound:
            nothing is changed.
    """
    signed_in = require(caller, Role.OWNER, Role.OPERATOR)
    async with services.database.write() as session:
        work, purchase, order = await _locked_order(services, session, signed_in, order_id)
        if order.status is OrderStatus.CANCELLED:
            return order
        if purchase.status is OrderStatus.CONFIRMED:
            order = await _cancel_confirmed(work, purchase, order)
        else:
            _check_single(purchase)
            with renamed({"purchaseId": "orderId"}):
                order = (await purchases.cancel_open(work, purchase)).spot_orders[0]
    await payments.refund(services)
    return order


async def _cancel_confirmed(work: Work, purchase: Purchase, order: SpotOrder) -> SpotOrder:
    status = order.status_at(work.now, work.today)
    check_move(status, OrderStatus.CANCELLED)
    if work.settings.cancel_confirmed != "allowed":
        raise CancellationNotAllowed(reason="this service does not take them back")
    coming = await _falls_without(work, order)
    cancelled = replace(order, status=OrderStatus.CANCELLED, cancelled_at=work.now)
    await save_progress(work.session, cancelled)
    await raise_version(work.session, work.contract_id)
    if coming:  # capacity may fall where this order would have followed another
        await bring_forward(work.session, work.contract_id, work.customer.day_begins_at(coming[0].fall.on))
    changes: dict[str, Change] = {"status": (status.value, cancelled.status.value)}
    kind = EventKind.SPOT_ORDER_CANCELLED
    await work.log(NewEvent(kind=kind, occurred_at=work.now, changes=changes, spot_order_id=order.id))
    await give_back(work, purchase, await issue_credit_note(work, purchase, order.number))
    return cancelled


async def _falls_without(work: Work, order: SpotOrder) -> list[FallEffect]:
    """The falls to come without a spot, which must not be one that accounts need which are registered already.

    Raises:
        AccountsWouldNotFit: with the first day on which accounts would go that stay for longer with it.
    """
    contract = work.contract
    if contract is None:
        return []
    spot = SpotContract(order.period, order.accounts)
    rest = list(contract.spots)
    rest.remove(spot)
    counted = await counted_accounts(work.session, work.customer.id)

    def coming(of: MainContract) -> list[FallEffect]:
        policy, until = work.customer.deactivation_policy, contract.ends_before
        return list(effects(of, counted, policy, work.customer, after=work.today, until=until))

    out_on = {item.account_id: effect.fall.on for effect in coming(contract) for item in effect.deactivations}
    without = coming(replace(contract, spots=tuple(rest)))
    for effect in without:
        fall = effect.fall
        if any(fall.on < out_on.get(item.account_id, date.max) for item in effect.deactivations):
            raise AccountsWouldNotFit(on=fall.on, accounts=effect.counted_before, capacity=fall.capacity_after)
    return without


def spot_item_refusals(contract: MainContract | None, items: SpotItems, today: date) -> list[RuleError]:
    """Every reason why a spot order is refused; see :func:`domain.contracts.spot_refusals`."""
    return spot_refusals(contract, accounts=items.accounts, starts_on=items.starts_on, months=items.months, today=today)


def terms_refusals(services: Services, agreed_version: str) -> list[RuleError]:
    """The refusal of another version of the terms of use than the current one."""
    current = services.settings.terms_version
    if agreed_version == current:
        return []
    return [TermsNotAgreed(agreed_version=agreed_version[:100], current_version=current)]


def _check_single(purchase: Purchase) -> None:
    orders = len(purchase.spot_orders) + len(purchase.contract_orders)
    if orders > 1:
        raise OrderIsPartOfPurchase(orders=orders, purchase=purchase.number)


async def _locked_order(
    services: Services, session: AsyncSession, caller: Caller, order_id: int
) -> tuple[Work, Purchase, SpotOrder]:
    """An order in the caller's reach with its purchase, read and settled inside the contract's lock."""
    found = (await spot_orders_by_id(session, [order_id])).get(order_id)
    if found is None:
        raise NotFound(field="orderId")
    work, purchase = await purchases.locked_purchase(services, session, caller, found.purchase_id, "orderId")
    return work, purchase, next(order for order in purchase.spot_orders if order.id == order_id)


async def _customer(session: AsyncSession, customer_id: int) -> Customer:
    customer = (await customers_by_id(session, [customer_id])).get(customer_id)
    if customer is None:
        raise NotFound(field="customerId")
    return customer


def _priced(contract: MainContract, items: SpotItems, rates: list[TaxRate]) -> tuple[tuple[PriceLine, ...], Charge]:
    """The price of an order that the rules allow. Its tax rate is the one on its first day."""
    lines = spot_price_lines(
        contract,
        starts_on=items.starts_on,
        months=items.months,
        units=items.accounts // contract.accounts_per_unit,
    )
    return lines, charge(sum(line.net_minor for line in lines), tax_rate_on(rates, items.starts_on))
