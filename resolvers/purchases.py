"""Purchases: placed with their orders, checked out, confirmed, cancelled; and money that arrives for them."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from db.contracts import add_licence, add_plan_change, add_term, bring_forward, raise_version
from db.documents import add_entry, entries_of_purchases
from db.payments import payments_of_purchase
from db.purchases import add_contract_order, add_purchase, move_purchase, purchases_by_id
from db.spot_orders import add_spot_order
from domain.commerce_errors import ContractChanged, NothingOwed, PaymentAmountDiffers, RefundOutOfRange
from domain.contract_orders import ContractItem
from domain.contracts import AdditionalLicence, MainContract, end_refusals
from domain.documents import ItemKind
from domain.errors import (
    AmountTooLarge,
    NoPaidContract,
    NotFound,
    OrderExpired,
    OrderMoveRefused,
    PaymentMethodUnavailable,
    PriceChanged,
    Refused,
    RuleError,
)
from domain.history import Change, EventKind, NewEvent
from domain.ledger import EntryKind, LedgerEntry
from domain.money import MINOR_UNITS_MAX, Charge
from domain.months import Period, ends_before
from domain.orders import (
    OPEN,
    OrderStatus,
    PaymentMethod,
    SpotOrder,
    available_payment_methods,
    check_move,
    invoice_due_on,
)
from domain.purchases import ContractOrder, Purchase
from resolvers.access import Caller, Role, require
from resolvers.documents import issue_invoice
from resolvers.idempotency import KeyedRequest
from resolvers.services import Services
from resolvers.settling import open_customer, order_events
from resolvers.work import Work

PLACED_EVENTS = (EventKind.SPOT_ORDER_PLACED, EventKind.CONTRACT_ORDER_PLACED)
CONFIRMED_EVENTS = (EventKind.SPOT_ORDER_CONFIRMED, EventKind.CONTRACT_ORDER_CONFIRMED)
CANCELLED_EVENTS = (EventKind.SPOT_ORDER_CANCELLED, EventKind.CONTRACT_ORDER_CANCELLED)


@dataclass(frozen=True, slots=True)
class SpotItems:
    """What is to be ordered: accounts from a day for whole months."""

    accounts: int
    starts_on: date
    months: int


@dataclass(frozen=True, slots=True)
class Basket:
    """What is bought together, each with its charge, which is held from then on."""

    spots: tuple[tuple[SpotItems, Charge], ...] = ()
    contract_items: tuple[tuple[ContractItem, Charge], ...] = ()


@dataclass(frozen=True, slots=True)
class PurchaseCheckout:
    """A checkout: how to pay, and the total that the customer saw. ``card`` is the provider's name for a card."""

    purchase_id: int
    payment_method: PaymentMethod
    expected_total_minor: int
    idempotency_key: str
    card: str | None = None


async def place(work: Work, basket: Basket) -> Purchase:
    """Store a purchase that awaits its payment method, with orders that the rules have allowed.

    Raises:
        AmountTooLarge.
    """
    purchase = await add_purchase(
        work.session,
        Purchase(
            id=0,
            customer_id=work.customer.id,
            status=OrderStatus.AWAITING_PAYMENT_METHOD,
            payment_method=None,
            payment_due_on=None,
            currency=work.customer.currency,
            terms_version=work.settings.terms_version,
            placed_at=work.now,
            expires_at=work.now + work.settings.order_expiry,
            confirmed_at=None,
        ),
    )
    spots = [await _add_spot(work, purchase, items, charge) for items, charge in basket.spots]
    items = [await add_contract_order(work.session, purchase, item, charge) for item, charge in basket.contract_items]
    purchase = replace(purchase, spot_orders=tuple(spots), contract_orders=tuple(items))
    check_total(purchase.total_minor)
    await bring_forward(work.session, work.contract_id, purchase.expires_at)
    await work.log(*order_events(purchase, purchase.status, PLACED_EVENTS, work.now))
    return purchase


async def choose_method(
    work: Work,
    purchase: Purchase,
    method: PaymentMethod,
    expected_total_minor: int,
    allowed: Collection[PaymentMethod] = tuple(PaymentMethod),
) -> Purchase:
    """Check out an open purchase; errors as in :func:`resolvers.payments.checkout`."""
    wanted = OrderStatus.CONFIRMED if method is PaymentMethod.INVOICE else OrderStatus.PENDING_PAYMENT
    check_open(purchase, wanted, work.now)
    takes_cards = work.services.takes_cards
    methods = available_payment_methods(is_corporate=work.customer.is_corporate, takes_cards=takes_cards)
    available = [item for item in methods if item in allowed]
    if method not in available:
        raise PaymentMethodUnavailable(method=method.value, available=[item.value for item in available])
    if expected_total_minor != purchase.total_minor:
        raise PriceChanged(expected_total=expected_total_minor, current_total=purchase.total_minor)
    refusals = still_refused(work, purchase)
    if refusals:
        raise Refused(refusals)
    purchase = replace(purchase, payment_method=method)
    if method is PaymentMethod.INVOICE:
        return await confirm(work, replace(purchase, payment_due_on=invoice_due_on(work.today)))
    expires_at = purchase.expires_at
    if method is PaymentMethod.BANK_TRANSFER:
        expires_at = work.now + timedelta(days=work.settings.bank_transfer_days)
    return await move(work, replace(purchase, status=OrderStatus.PENDING_PAYMENT, expires_at=expires_at))


async def confirm(work: Work, purchase: Purchase) -> Purchase:
    """Make a purchase take effect: capacity, terms, licences; with its invoice, and every event."""
    confirmed = replace(purchase, status=OrderStatus.CONFIRMED, confirmed_at=work.now)
    moved = await move(work, confirmed)
    await work.log(*order_events(purchase, OrderStatus.CONFIRMED, CONFIRMED_EVENTS, work.now))
    for order in confirmed.contract_orders:
        await work.log(await _take_effect(work, order))
    await raise_version(work.session, work.contract_id)
    starts = [work.customer.day_begins_at(order.period.starts_on) for order in purchase.spot_orders]
    # What a term or licence makes due next is found out by settling.
    await bring_forward(work.session, work.contract_id, min(starts) if starts else work.now)
    await issue_invoice(work, moved)
    return moved


async def cancel(services: Services, caller: Caller | None, purchase_id: int) -> Purchase:
    """Cancel a purchase that is not paid yet, with all its orders. Cancelling it again changes nothing.

    Raises:
        OrderExpired, OrderMoveRefused, NotFound: nothing is changed.
    """
    signed_in = require(caller, Role.OWNER, Role.OPERATOR)
    async with services.database.write() as session:
        work, purchase = await locked_purchase(services, session, signed_in, purchase_id)
        return await cancel_open(work, purchase)


async def cancel_open(work: Work, purchase: Purchase) -> Purchase:
    """Cancel a purchase that is not paid yet; errors as in :func:`cancel`."""
    if purchase.status is OrderStatus.CANCELLED:
        return purchase
    if purchase.status not in {*OPEN, OrderStatus.EXPIRED}:
        # Confirmed purchases are cancelled order by order.
        status, wanted = purchase.status.value, OrderStatus.CANCELLED.value
        raise OrderMoveRefused(field="purchaseId", status=status, wanted=wanted)
    check_open(purchase, OrderStatus.CANCELLED, work.now)
    moved = await move(work, replace(purchase, status=OrderStatus.CANCELLED))
    await work.log(*order_events(purchase, OrderStatus.CANCELLED, CANCELLED_EVENTS, work.now))
    return moved


async def move(work: Work, purchase: Purchase) -> Purchase:
    """Store a purchase's new status with that of its orders, and read both."""
    await move_purchase(work.session, purchase, work.now)
    await bring_forward(work.session, work.contract_id, purchase.expires_at)
    return (await purchases_by_id(work.session, [purchase.id]))[purchase.id]


def check_total(total_minor: int) -> None:
    """Refuse a total that amounts cannot hold.

    Raises:
        AmountTooLarge.
    """
    if total_minor > MINOR_UNITS_MAX:
        raise AmountTooLarge(amount=str(total_minor), amount_max=MINOR_UNITS_MAX)


async def record_payment(
    services: Services, caller: Caller | None, purchase_id: int, amount_minor: int, idempotency_key: str
) -> Purchase:
    """Record money that arrived: it confirms a purchase by bank transfer, or settles an invoice.

    Raises:
        NothingOwed, PaymentAmountDiffers, Refused, NotFound, IdempotencyKeyReused, IdempotencyKeyInvalid: nothing is
            changed.
    """
    signed_in = require(caller, Role.OPERATOR)
    async with services.database.write() as session:
        work, purchase = await locked_purchase(services, session, signed_in, purchase_id)
        command = _Payment(purchase_id, amount_minor)
        request = KeyedRequest.of("paymentRecord", purchase.customer_id, idempotency_key, command)
        if await request.earlier_result(session) is not None:
            return purchase
        owed = await _owed(session, purchase)
        if owed <= 0:
            raise NothingOwed(purchase=purchase.number, status=purchase.status.value)
        if amount_minor != owed:
            raise PaymentAmountDiffers(received=amount_minor, expected=owed)
        if purchase.status is OrderStatus.PENDING_PAYMENT:
            refusals = still_refused(work, purchase)
            if refusals:
                raise Refused(refusals)
            purchase = await confirm(work, purchase)
        await receive(work, purchase, amount_minor, payment_id=None)
        await request.remember(session, (purchase.id,), work.now)
        return purchase


async def record_refund(
    services: Services, caller: Caller | None, purchase_id: int, amount_minor: int, idempotency_key: str
) -> Purchase:
    """Record money that was given back by hand: no more than what was paid and is not owed any more.

    Raises:
        RefundOutOfRange, NotFound, IdempotencyKeyReused, IdempotencyKeyInvalid: nothing is changed.
    """
    signed_in = require(caller, Role.OPERATOR)
    async with services.database.write() as session:
        work, purchase = await locked_purchase(services, session, signed_in, purchase_id)
        command = _Payment(purchase_id, amount_minor)
        request = KeyedRequest.of("refundRecord", purchase.customer_id, idempotency_key, command)
        if await request.earlier_result(session) is not None:
            return purchase
        (entries,) = (await entries_of_purchases(session, [purchase.id])).values()
        to_give_back = -sum(entry.amount_minor for entry in entries)
        for payment in await payments_of_purchase(session, purchase.id):
            to_give_back -= payment.refund_wanted_minor - payment.refunded_minor  # on its way to the card
        if not 1 <= amount_minor <= to_give_back:
            raise RefundOutOfRange(amount=amount_minor, amount_max=max(0, to_give_back))
        await enter_refund(work, purchase, amount_minor, payment_id=None)
        await request.remember(session, (purchase.id,), work.now)
        return purchase


async def enter_refund(work: Work, purchase: Purchase, amount_minor: int, *, payment_id: int | None) -> None:
    """Enter money that was given back."""
    entry = LedgerEntry(
        kind=EntryKind.REFUND,
        customer_id=work.customer.id,
        purchase_id=purchase.id,
        payment_id=payment_id,
        amount_minor=amount_minor,
    )
    await add_entry(work.session, entry, work.now)
    changes: dict[str, Change] = {
        "purchase": (purchase.number, purchase.number),
        "amount": (None, str(amount_minor)),
    }
    await work.log(NewEvent(kind=EventKind.PAYMENT_REFUNDED, occurred_at=work.now, changes=changes))


async def receive(work: Work, purchase: Purchase, amount_minor: int, *, payment_id: int | None) -> None:
    """Enter money that arrived for a confirmed purchase."""
    entry = LedgerEntry(
        kind=EntryKind.PAYMENT,
        customer_id=purchase.customer_id,
        purchase_id=purchase.id,
        payment_id=payment_id,
        amount_minor=-amount_minor,
    )
    await add_entry(work.session, entry, work.now)
    changes: dict[str, Change] = {
        "purchase": (purchase.number, purchase.number),
        "amount": (None, str(amount_minor)),
    }
    await work.log(NewEvent(kind=EventKind.PAYMENT_RECEIVED, occurred_at=work.now, changes=changes))


async def locked_purchase(
    services: Services, session: AsyncSession, caller: Caller, purchase_id: int, field: str = "purchaseId"
) -> tuple[Work, Purchase]:
    """A purchase in the caller's reach and its customer, read and settled inside the contract's lock.

    Raises:
        NotFound.
    """
    found = (await purchases_by_id(session, [purchase_id])).get(purchase_id)
    if found is None or (caller.role is Role.OWNER and found.customer_id != caller.customer_id):
        raise NotFound(field=field)
    session.expire_all()  # what was read before the lock may change while waiting for it
    opened = await open_customer(session, found.customer_id, services.clock)
    purchase = (await purchases_by_id(session, [purchase_id]))[purchase_id]
    return Work(services, session, opened, caller.actor), purchase


def check_open(purchase: Purchase, wanted: OrderStatus, now: datetime) -> None:
    """Refuse a move of a purchase that does not exist, or that came too late.

    Raises:
        OrderExpired, OrderMoveRefused.
    """
    if purchase.status is OrderStatus.EXPIRED or purchase.is_expired(now):
        raise OrderExpired(field="purchaseId", expired_at=purchase.expires_at)
    check_move(purchase.status, wanted, "purchaseId")


def still_refused(work: Work, purchase: Purchase, field: str = "purchaseId") -> list[RuleError]:
    """Why a purchase cannot take effect any more: the contract may have changed since it was placed."""
    contract = work.contract
    ended = contract.ends_before if contract else None
    refusals: list[RuleError] = []
    for spot in purchase.spot_orders:
        late = end_refusals(contract, spot.period.ends_before) if contract else [NoPaidContract()]
        refusals += [replace(refusal, field=field) for refusal in late]
    for order in purchase.contract_orders:
        if order.kind is ItemKind.MAIN_CONTRACT:
            fits = contract is None or contract.has_ended(by=min(work.today, order.period.starts_on))
        elif order.kind is ItemKind.RENEWAL:
            fits = ended == order.period.starts_on
        elif order.kind is ItemKind.UPGRADE:
            fits = contract is not None and _still_upgrades(contract, order)
        else:
            fits = contract is not None and order.period.ends_before in {
                term.period.ends_before for term in contract.terms
            }
        if not fits:
            refusals.append(ContractChanged(field=field, order=order.number, contract_ends_before=ended))
    return refusals


async def _add_spot(work: Work, purchase: Purchase, items: SpotItems, charge: Charge) -> SpotOrder:
    if work.contract is None:
        raise LookupError("a spot needs a contract")
    order = SpotOrder(
        id=0,
        customer_id=purchase.customer_id,
        purchase_id=purchase.id,
        period=Period(items.starts_on, ends_before(items.starts_on, items.months)),
        months=items.months,
        units=items.accounts // work.contract.accounts_per_unit,
        accounts=items.accounts,
        charge=charge,
        currency=purchase.currency,
        status=purchase.status,
        payment_method=None,
        payment_due_on=None,
        terms_version=purchase.terms_version,
        placed_at=purchase.placed_at,
        expires_at=purchase.expires_at,
        confirmed_at=None,
        cancelled_at=None,
    )
    return await add_spot_order(work.session, work.contract_id, order)


async def _take_effect(work: Work, order: ContractOrder) -> NewEvent:
    """Write what an order of the contract does to it; the event that says so."""
    contract = work.contract
    changes: dict[str, Change] = {
        "accounts": (None, str(order.accounts)),
        "startsOn": (None, str(order.period.starts_on)),
        "endsBefore": (None, str(order.period.ends_before)),
    }
    if order.kind is ItemKind.ADDITIONAL_LICENCE:
        licence = AdditionalLicence(order.period, order.accounts)
        await add_licence(work.session, work.contract_id, licence, work.now)
        return NewEvent(kind=EventKind.ADDITIONAL_LICENCE_ADDED, occurred_at=work.now, changes=changes)
    if order.kind is ItemKind.UPGRADE:
        await add_plan_change(work.session, work.contract_id, order.term, work.now)
        before = contract.term_on(order.period.starts_on).plan_code if contract else None
        plan: dict[str, Change] = {"plan": (before, order.plan_code)}
        return NewEvent(kind=EventKind.PLAN_UPGRADED, occurred_at=work.now, changes=plan)
    previous = contract.terms[-1] if contract and order.kind is ItemKind.RENEWAL else None
    await add_term(work.session, work.contract_id, order.term, previous, work.now)
    changes = {"plan": (None, order.plan_code), **changes}
    return NewEvent(kind=EventKind.TERM_ADDED, occurred_at=work.now, changes=changes)


def _still_upgrades(contract: MainContract, order: ContractOrder) -> bool:
    """Whether what an upgrade was computed from is still in force: it may have been upgraded by another one."""
    term = next((term for term in contract.terms if term.period.contains(order.period.starts_on)), None)
    if term is None or term.period.ends_before != order.period.ends_before:
        return False
    return term.annual_unit_price_minor < order.annual_unit_price_minor


@dataclass(frozen=True, slots=True)
class _Payment:
    """What a recorded payment's idempotency key stands for."""

    purchase_id: int
    amount_minor: int


async def _owed(session: AsyncSession, purchase: Purchase) -> int:
    """What is to be paid for a purchase by a transfer or an invoice, in minor units."""
    if purchase.status is OrderStatus.PENDING_PAYMENT and purchase.payment_method is PaymentMethod.BANK_TRANSFER:
        return purchase.total_minor
    if purchase.status is not OrderStatus.CONFIRMED:
        return 0
    (entries,) = (await entries_of_purchases(session, [purchase.id])).values()
    return sum(entry.amount_minor for entry in entries)
