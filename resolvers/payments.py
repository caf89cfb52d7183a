"""Card payments: stored before the provider is asked, asked in no transaction, and moved by what it answers.

What breaks in between is repaired by the same checkout sent again, or by the provider's event, whichever comes first.
A payment that succeeds for a purchase that cannot take effect any more is paid back.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import uuid4

from db.payments import (
    STARTED,
    StoredPayment,
    add_payment,
    change_payment,
    payment_by_id,
    payment_by_key,
    payments_of_purchase,
    payments_to_refund,
)
from db.purchases import purchases_by_id
from domain.commerce_errors import CardDeclined
from domain.history import SYSTEM, Actor, Change, EventKind, NewEvent
from domain.orders import OrderStatus, PaymentMethod
from domain.purchases import Purchase
from payments.provider import (
    PaymentRequest,
    PaymentResult,
    PaymentState,
    ProviderRefusedError,
    ProviderUnavailableError,
    RefundState,
)
from resolvers.access import Caller, Role, require
from resolvers.idempotency import KeyedRequest
from resolvers.purchases import (
    PurchaseCheckout,
    choose_method,
    confirm,
    enter_refund,
    locked_purchase,
    move,
    receive,
    still_refused,
)
from resolvers.services import Services
from resolvers.settling import open_customer
from resolvers.work import Work

logger = logging.getLogger("spotplan")


@dataclass(frozen=True, slots=True)
class Checkout:
    """A purchase as it stands after a checkout.

    ``client_secret`` is for the customer's browser, to give a card or to prove that it is theirs; None where nothing is
    left to do.
    """

    purchase: Purchase
    client_secret: str | None = None


async def checkout(services: Services, caller: Caller | None, command: PurchaseCheckout) -> Checkout:
    """Choose how a purchase is paid: by invoice it is confirmed at once, otherwise when it is paid.

    The days that its orders start on are not checked again: what was placed just before midnight can still be paid.

    Raises:
        PaymentMethodUnavailable, PriceChanged, OrderExpired, OrderMoveRefused, Refused, NotFound,
        IdempotencyKeyReused, IdempotencyKeyInvalid: nothing is changed.
        CardDeclined: the purchase awaits another payment method.
        ProviderUnavailableError: the outcome is not known; the same checkout sent again finds out.
    """
    signed_in = require(caller, Role.OWNER, Role.OPERATOR)
    async with services.database.write() as session:
        work, purchase = await locked_purchase(services, session, signed_in, command.purchase_id)
        request = KeyedRequest.of("purchaseCheckout", purchase.customer_id, command.idempotency_key, command)
        earlier = await request.earlier_result(session)
        if earlier is None:
            purchase = await choose_method(work, purchase, command.payment_method, command.expected_total_minor)
            payment_ids = await _payment(work, purchase) if purchase.status is OrderStatus.PENDING_PAYMENT else ()
            await request.remember(session, payment_ids, work.now)
        else:
            payment_ids = earlier
        payment = await payment_by_id(session, payment_ids[0]) if payment_ids else None
    if payment is None:
        return Checkout(purchase)
    return await _pay(services, signed_in.actor, payment, purchase, command.card, is_repeated=earlier is not None)


async def _payment(work: Work, purchase: Purchase) -> tuple[int, ...]:
    """Store the payment of a purchase that is about to be paid by card; none where it is paid otherwise."""
    cards = work.services.cards
    if purchase.payment_method is not PaymentMethod.CREDIT_CARD or cards is None:
        return ()
    payment_id = await add_payment(
        work.session,
        customer_id=purchase.customer_id,
        purchase_id=purchase.id,
        key=str(uuid4()),
        provider=cards.name,
        amount_minor=purchase.total_minor,
        now=work.now,
    )
    return (payment_id,)


async def _pay(
    services: Services,
    actor: Actor,
    payment: StoredPayment,
    purchase: Purchase,
    card: str | None,
    *,
    is_repeated: bool,
) -> Checkout:
    """Ask the provider, in no transaction, and write down what it answers."""
    cards = services.cards
    if cards is None or cards.name != payment.provider:
        raise ProviderUnavailableError(f"payment {payment.id} is one by {payment.provider}")
    started = PaymentRequest(
        payment_id=payment.key,
        amount_minor=payment.amount_minor,
        currency=purchase.currency,
        description=purchase.number,
        card=card,
        repeated=is_repeated,
    )
    try:
        result = await cards.start(started)
    except ProviderRefusedError as refusal:
        result = PaymentResult(refusal.reference or "", PaymentState.FAILED, failure=refusal.code)
    purchase = await _apply(services, actor, payment, result)
    if result.state is PaymentState.FAILED:
        raise CardDeclined(reason=result.failure or "declined")
    needs_action = result.state is PaymentState.REQUIRES_ACTION
    return Checkout(purchase, result.client_secret if needs_action else None)


async def receive_event(services: Services, body: bytes, headers: Mapping[str, str]) -> bool:
    """Take in an event of the provider: late, twice or out of order, it changes nothing that is final.

    Returns:
        Whether it was about a payment of ours.

    Raises:
        SignatureInvalidError: the provider has not signed it.
        ProviderUnavailableError: send it again.
        LookupError: there is no provider.
    """
    if services.cards is None:
        raise LookupError("no payments by card")
    event = services.cards.parse(body, headers)
    if event.state is None or event.payment_id is None:
        return False
    async with services.database.read() as session:
        payment = await payment_by_key(session, event.payment_id)
    if payment is None:
        return False
    result = PaymentResult(event.reference, event.state)
    if not event.state.is_final:
        # Events overtake each other: what is not final is asked for again.
        result = await services.cards.fetch(event.reference)
    await _apply(services, SYSTEM, payment, result)
    await refund(services)
    return True


async def refund(services: Services) -> int:
    """Pay back what is to be paid back, each once; how many payments that was."""
    cards = services.cards
    if cards is None:
        return 0
    async with services.database.read() as session:
        waiting = await payments_to_refund(session, cards.name)
    done = 0
    for payment in waiting:
        # The id names the sum of all that was paid back, so that each step is paid once, whoever pays it.
        wanted = payment.refund_wanted_minor
        refund_id = f"{payment.key}-{wanted}"
        try:
            result = await cards.refund(payment.reference or "", refund_id, wanted - payment.refunded_minor)
        except (ProviderUnavailableError, ProviderRefusedError) as failure:
            logger.warning("payment %d could not be paid back yet: %s", payment.id, failure)
            continue
        if result.state is RefundState.FAILED:
            logger.error("payment %d: the refund failed with %s", payment.id, result.failure)
            continue
        done += await _paid_back(services, payment, wanted)
    return done


async def give_back(work: Work, purchase: Purchase, amount_minor: int) -> None:
    """Decide that what a credit note took back is paid back, where the purchase was paid by card.

    Other money is given back by hand, and entered by :func:`resolvers.purchases.record_refund`.
    """
    for payment in await payments_of_purchase(work.session, purchase.id):
        left = payment.amount_minor - payment.refund_wanted_minor  # 0 for one that came too late
        if payment.state == PaymentState.SUCCEEDED.value and left >= amount_minor:
            await want_refund(work, payment, amount_minor)
            return


async def want_refund(work: Work, payment: StoredPayment, amount_minor: int) -> None:
    """Decide that an amount of a payment is to be paid back, in the transaction that takes it back."""
    wanted = payment.refund_wanted_minor + amount_minor
    await change_payment(work.session, payment.id, work.now, refund_wanted_minor=wanted)


async def _apply(services: Services, actor: Actor, payment: StoredPayment, result: PaymentResult) -> Purchase:
    """Write down where a payment stands, and what that does to its purchase."""
    state = result.state
    async with services.database.write() as session:
        opened = await open_customer(session, payment.customer_id, services.clock)
        work = Work(services, session, opened, actor)
        current = await payment_by_id(session, payment.id)
        purchase = (await purchases_by_id(session, [payment.purchase_id]))[payment.purchase_id]
        if current is None or _is_final(current.state):
            return purchase
        values = {"state": state.value, "failure": result.failure, "reference": result.reference or current.reference}
        await change_payment(session, payment.id, work.now, **values)
        if state is PaymentState.SUCCEEDED:
            return await _succeeded(work, current, purchase)
        is_open = purchase.status is OrderStatus.PENDING_PAYMENT and not purchase.is_expired(work.now)
        if state in {PaymentState.FAILED, PaymentState.CANCELLED} and current.state != state.value:
            number = (purchase.number, purchase.number)
            changes: dict[str, Change] = {"purchase": number, "reason": (None, result.failure)}
            await work.log(NewEvent(kind=EventKind.PAYMENT_FAILED, occurred_at=work.now, changes=changes))
            if is_open:
                return await move(
                    work, replace(purchase, status=OrderStatus.AWAITING_PAYMENT_METHOD, payment_method=None)
                )
        return purchase


async def _succeeded(work: Work, payment: StoredPayment, purchase: Purchase) -> Purchase:
    """Confirm what was paid for, or decide to pay it back where that is not possible any more."""
    is_open = purchase.status in {OrderStatus.PENDING_PAYMENT, OrderStatus.AWAITING_PAYMENT_METHOD}
    if is_open and not purchase.is_expired(work.now) and not still_refused(work, purchase):
        purchase = await confirm(work, replace(purchase, payment_method=PaymentMethod.CREDIT_CARD))
        await receive(work, purchase, payment.amount_minor, payment_id=payment.id)
        return purchase
    logger.warning("payment %d came too late for %s and is paid back", payment.id, purchase.number)
    await receive(work, purchase, payment.amount_minor, payment_id=payment.id)
    await want_refund(work, payment, payment.amount_minor)
    return purchase


async def _paid_back(services: Services, payment: StoredPayment, wanted: int) -> int:
    async with services.database.write() as session:
        opened = await open_customer(session, payment.customer_id, services.clock)
        work = Work(services, session, opened, SYSTEM)
        current = await payment_by_id(session, payment.id)
        if current is None or current.refunded_minor >= wanted:
            return 0
        amount = wanted - current.refunded_minor
        await change_payment(session, payment.id, work.now, refunded_minor=wanted)
        purchase = (await purchases_by_id(session, [payment.purchase_id]))[payment.purchase_id]
        await enter_refund(work, purchase, amount, payment_id=payment.id)
        return 1


def _is_final(state: str) -> bool:
    return state != STARTED and PaymentState(state).is_final
