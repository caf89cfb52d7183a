"""Preview, place, check out and cancel a spot order: load, ask the rule, save; one transaction each."""

from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from db.catalogue import all_tax_rates
from db.contracts import StoredContract, bring_forward, contracts_by_customer, raise_version
from db.customers import customers_by_id
from db.history import add_events
from db.spot_orders import add_spot_order, save_progress, spot_orders_by_id
from domain.capacity import CapacityStep, capacity_timeline
from domain.contracts import MainContract, SpotContract, end_refusals, spot_refusals
from domain.customers import Customer
from domain.errors import (
    AmountTooLarge,
    MonthsOutOfRange,
    NotFound,
    OrderExpired,
    PaymentMethodUnavailable,
    PriceChanged,
    Refused,
    RuleError,
    TermsNotAgreed,
)
from domain.history import EventKind, NewEvent
from domain.money import Charge, TaxRate, charge, tax_rate_on
from domain.months import Period, ends_before
from domain.orders import (
    OrderStatus,
    PaymentMethod,
    SpotOrder,
    available_payment_methods,
    check_move,
    invoice_due_on,
)
from domain.pricing import PriceLine, spot_price_lines
from resolvers.access import Caller, Role, customer_in_reach, require
from resolvers.idempotency import KeyedRequest
from resolvers.services import Services
from resolvers.settling import Opened, open_customer


@dataclass(frozen=True, slots=True)
class SpotItems:
    """What is to be ordered: accounts from a day for whole months."""

    accounts: int
    starts_on: date
    months: int


@dataclass(frozen=True, slots=True)
class PlaceCommand:
    """An order: the items and the version of the terms of use that the customer agreed to."""

    customer_id: int | None
    items: SpotItems
    agreed_terms_version: str
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class CheckoutCommand:
    """A checkout: how to pay, and the total that the customer saw."""

    order_id: int
    payment_method: PaymentMethod
    expected_total_minor: int
    idempotency_key: str


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
    refusals = spot_refusals(
        contract,
        accounts=items.accounts,
        starts_on=items.starts_on,
        months=items.months,
        today=customer.day_at(services.clock()),
    )
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
    """Store an order that awaits its payment method; its price is held until it expires.

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
        opened = await open_customer(session, customer_id, services.clock)
        customer, stored, now = opened.customer, opened.stored, opened.now
        earlier = await request.earlier_result(session)
        if earlier is not None:
            return (await spot_orders_by_id(session, earlier))[earlier[0]]
        items = command.items
        refusals = spot_refusals(
            stored.contract if stored else None,
            accounts=items.accounts,
            starts_on=items.starts_on,
            months=items.months,
            today=opened.today,
        )
        current = services.settings.terms_version
        if command.agreed_terms_version != current:
            agreed = command.agreed_terms_version[:100]
            refusals.append(TermsNotAgreed(agreed_version=agreed, current_version=current))
        if refusals or stored is None:
            raise Refused(refusals)
        _, total = _priced(stored.contract, items, await all_tax_rates(session))
        order = SpotOrder(
            id=0,
            customer_id=customer_id,
            period=Period(items.starts_on, ends_before(items.starts_on, items.months)),
            months=items.months,
            units=items.accounts // stored.contract.accounts_per_unit,
            accounts=items.accounts,
            charge=total,
            currency=customer.currency,
            status=OrderStatus.AWAITING_PAYMENT_METHOD,
            payment_method=None,
            payment_due_on=None,
            terms_version=current,
            placed_at=now,
            expires_at=now + services.settings.order_expiry,
            confirmed_at=None,
            cancelled_at=None,
        )
        order = await add_spot_order(session, stored.id, order)
        await bring_forward(session, stored.id, order.expires_at)
        await _log(session, signed_in, EventKind.SPOT_ORDER_PLACED, None, order)
        await request.remember(session, (order.id,), now)
        return order


async def checkout(services: Services, caller: Caller | None, command: CheckoutCommand) -> SpotOrder:
    """Confirm an order with its payment method. From then on it gives capacity in its period.

    The day it starts on is not checked again: an order placed just before midnight can still be paid.

    Raises:
        PaymentMethodUnavailable, PriceChanged, OrderExpired, OrderMoveRefused, EndsAfterContract, NotFound,
        IdempotencyKeyReused, IdempotencyKeyInvalid: nothing is changed.
    """
    signed_in = require(caller, Role.OWNER, Role.OPERATOR)
    async with services.database.write() as session:
        opened, stored, order = await _locked_order(services, session, signed_in, command.order_id)
        customer, now, today = opened.customer, opened.now, opened.today
        request = KeyedRequest.of("spotOrderCheckout", customer.id, command.idempotency_key, command)
        if await request.earlier_result(session) is not None:
            return order
        _check_open(order, OrderStatus.CONFIRMED, now, today)
        available = available_payment_methods(is_corporate=customer.is_corporate)
        if command.payment_method not in available:
            methods = [method.value for method in available]
            raise PaymentMethodUnavailable(method=command.payment_method.value, available=methods)
        if command.expected_total_minor != order.charge.total_minor:
            raise PriceChanged(expected_total=command.expected_total_minor, current_total=order.charge.total_minor)
        refusals = end_refusals(stored.contract, order.period.ends_before)
        if refusals:
            raise Refused([replace(refusal, field="orderId") for refusal in refusals])
        placed = order
        order = replace(
            order,
            status=OrderStatus.CONFIRMED,
            payment_method=command.payment_method,
            payment_due_on=invoice_due_on(today),
            confirmed_at=now,
        )
        await save_progress(session, order)
        await raise_version(session, stored.id)
        await bring_forward(session, stored.id, customer.day_begins_at(order.period.starts_on))
        await _log(session, signed_in, EventKind.SPOT_ORDER_CONFIRMED, placed, order)
        await request.remember(session, (order.id,), now)
        return order


async def cancel(services: Services, caller: Caller | None, order_id: int) -> SpotOrder:
    """Cancel an order before it is confirmed. Cancelling it again changes nothing.

    Raises:
        OrderExpired, OrderMoveRefused, NotFound: nothing is changed.
    """
    signed_in = require(caller, Role.OWNER, Role.OPERATOR)
    async with services.database.write() as session:
        opened, _, order = await _locked_order(services, session, signed_in, order_id)
        if order.status is OrderStatus.CANCELLED:
            return order
        _check_open(order, OrderStatus.CANCELLED, opened.now, opened.today)
        placed = order
        order = replace(order, status=OrderStatus.CANCELLED, cancelled_at=opened.now)
        await save_progress(session, order)
        await _log(session, signed_in, EventKind.SPOT_ORDER_CANCELLED, placed, order)
        return order


def _check_open(order: SpotOrder, wanted: OrderStatus, now: datetime, today: date) -> None:
    status = order.status_at(now, today)
    if status is OrderStatus.EXPIRED:
        raise OrderExpired(expired_at=order.expires_at)
    check_move(status, wanted)


async def _locked_order(
    services: Services, session: AsyncSession, caller: Caller, order_id: int
) -> tuple[Opened, StoredContract, SpotOrder]:
    """An order in the caller's reach with its customer and contract, read and settled inside the contract's lock."""
    found = (await spot_orders_by_id(session, [order_id])).get(order_id)
    if found is None or (caller.role is Role.OWNER and found.customer_id != caller.customer_id):
        raise NotFound(field="orderId")
    session.expire_all()  # what was read before the lock may change while waiting for it
    opened = await open_customer(session, found.customer_id, services.clock)
    if opened.stored is None:
        raise NotFound(field="orderId")
    return opened, opened.stored, (await spot_orders_by_id(session, [order_id]))[order_id]


async def _log(
    session: AsyncSession, caller: Caller, kind: EventKind, before: SpotOrder | None, after: SpotOrder
) -> None:
    """Append what a person did to an order to the history; the order itself says when."""
    instants = {
        EventKind.SPOT_ORDER_PLACED: after.placed_at,
        EventKind.SPOT_ORDER_CONFIRMED: after.confirmed_at,
        EventKind.SPOT_ORDER_CANCELLED: after.cancelled_at,
    }
    occurred_at = instants[kind] or after.placed_at
    changes = {"status": (before.status.value if before else None, after.status.value)}
    event = NewEvent(kind=kind, occurred_at=occurred_at, changes=changes, spot_order_id=after.id)
    await add_events(session, after.customer_id, caller.actor, [event], occurred_at)


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
