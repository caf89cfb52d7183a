"""Saved recommendations and quotes: kept at their prices, and ordered as a whole or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from db.catalogue import all_plans, all_tax_rates
from db.history import events_since
from db.purchases import purchases_by_id
from db.quotes import (
    add_quote,
    add_recommendation,
    mark_accepted,
    mark_ordered,
    quote_by_id,
    quote_counts,
    quotes_page,
    recommendation_by_id,
)
from domain.commerce_errors import (
    ContractInForce,
    QuoteItemsOutOfRange,
    QuoteNotOpen,
    RecommendationNotOrderable,
    RecommendationOutdated,
    ValidityOutOfRange,
)
from domain.contract_orders import ContractItem, additional_licence
from domain.contracts import MainContract
from domain.documents import DocumentKind, ItemKind, tax_groups
from domain.errors import NotFound, PriceChanged, Refused, RuleError
from domain.held import HeldItem
from domain.history import Change, EventKind, NewEvent
from domain.money import Charge, TaxRate, charge, tax_rate_on
from domain.months import Period, ends_before
from domain.orders import OPEN, OrderStatus, PaymentMethod
from domain.pricing import spot_net_minor
from domain.purchases import PURCHASE_ORDERS_MAX, Purchase
from domain.quotes import Quote, QuoteStatus, SavedRecommendation
from planner.problem import OrderKind, PlannedOrder, PlanStatus
from resolvers import contract_orders, purchases
from resolvers.access import Caller, Role, customer_in_reach, require
from resolvers.contract_orders import LicenceItems, TermItems
from resolvers.documents import draft, plan_on
from resolvers.fields import renamed
from resolvers.idempotency import KeyedRequest
from resolvers.purchases import Basket, SpotItems
from resolvers.reads import Page, check_page_size, of_each, pages
from resolvers.recommend import Recommendation, RecommendCommand, recommend
from resolvers.services import Services
from resolvers.settling import open_customer, settle
from resolvers.spot_orders import spot_item_refusals, terms_refusals
from resolvers.work import Work

CONTRACT_CHANGES = (
    EventKind.SPOT_ORDER_CONFIRMED,
    EventKind.SPOT_ORDER_CANCELLED,
    EventKind.TERM_ADDED,
    EventKind.RENEWAL_CANCELLED,
    EventKind.ADDITIONAL_LICENCE_ADDED,
    EventKind.PLAN_UPGRADED,
)
"""What changes the state of a contract that plans are made from."""

QuoteItems = SpotItems | TermItems | LicenceItems


@dataclass(frozen=True, slots=True)
class OrderCommand:
    """A saved recommendation or a quote to be ordered.

    ``payment_method`` is how it is paid at once, by invoice or transfer; None to go on with a checkout.
    """

    id: int
    agreed_terms_version: str
    expected_total_minor: int
    payment_method: PaymentMethod | None
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class QuoteCommand:
    """A quote to be issued: of a saved recommendation, or of single items."""

    customer_id: int | None
    recommendation_id: int | None
    items: tuple[QuoteItems, ...]
    valid_until: date
    idempotency_key: str


async def save(
    services: Services, caller: Caller | None, command: RecommendCommand
) -> tuple[SavedRecommendation, Recommendation]:
    """Ask the planner, and keep its answer so that it can be ordered or quoted.

    Raises:
        RecommendationNotOrderable: there is nothing to order.
        and as :func:`resolvers.recommend.recommend`.
    """
    answer = await recommend(services, caller, command)
    outcome = answer.outcome
    orderable = outcome.status in {PlanStatus.OPTIMAL, PlanStatus.FEASIBLE}
    if not orderable or not 1 <= len(outcome.orders) <= PURCHASE_ORDERS_MAX:
        raise RecommendationNotOrderable(field="demand", status=outcome.status.value, orders=len(outcome.orders))
    contract = answer.stored.contract
    items = tuple(
        _planned(contract, order, total) for order, total in zip(outcome.orders, answer.order_charges, strict=True)
    )
    saved = SavedRecommendation(
        id=0,
        customer_id=answer.customer.id,
        contract_version=answer.stored.version_name,
        saved_at=services.clock(),
        status=outcome.status.value,
        items=items,
        purchase_id=None,
    )
    async with services.database.write() as session:
        return await add_recommendation(session, saved), answer


async def order_recommendation(services: Services, caller: Caller | None, command: OrderCommand) -> Purchase:
    """Place all orders of a saved recommendation as one purchase, or none; paid at once if a method is given.

    Raises:
        RecommendationOutdated: with what has changed since it was made.
        RecommendationNotOrderable: it was ordered already.
        Refused, PriceChanged, PaymentMethodUnavailable, NotFound, IdempotencyKeyReused, IdempotencyKeyInvalid: nothing
            is stored.
    """
    signed_in = require(caller, Role.OWNER, Role.OPERATOR)
    async with services.database.write() as session:
        found = await recommendation_by_id(session, command.id)
        if found is None or not _reaches(signed_in, found.customer_id):
            raise NotFound(field="recommendationId")
        session.expire_all()
        work = await _opened(services, session, signed_in, found.customer_id)
        request = KeyedRequest.of("recommendationOrder", found.customer_id, command.idempotency_key, command)
        earlier = await request.earlier_result(session)
        if earlier is not None:
            return (await purchases_by_id(session, earlier))[earlier[0]]
        saved = await recommendation_by_id(session, command.id) or found
        await _check_not_ordered(work, saved)
        await _check_current(work, saved)
        purchase = await _ordered(work, saved.items, command, "recommendationId")
        await mark_ordered(session, saved.id, purchase.id)
        await request.remember(session, (purchase.id,), work.now)
        return purchase


async def issue(services: Services, caller: Caller | None, command: QuoteCommand) -> Quote:
    """Issue a quote at today's prices, which are held until its last day.

    Raises:
        ValidityOutOfRange, RecommendationOutdated, Refused, NotFound, AmountTooLarge, IdempotencyKeyReused,
            IdempotencyKeyInvalid: nothing is stored.
    """
    signed_in = require(caller, Role.SALES, Role.OPERATOR)
    async with services.database.write() as session:
        saved: SavedRecommendation | None = None
        if command.recommendation_id is not None:
            saved = await recommendation_by_id(session, command.recommendation_id)
            if saved is None or command.customer_id not in {None, saved.customer_id}:
                raise NotFound(field="recommendationId")
        customer_id = saved.customer_id if saved else customer_in_reach(signed_in, command.customer_id)
        session.expire_all()
        work = await _opened(services, session, signed_in, customer_id)
        request = KeyedRequest.of("quoteIssue", customer_id, command.idempotency_key, command)
        earlier = await request.earlier_result(session)
        if earlier is not None:
            found = await quote_by_id(session, earlier[0])
            if found is not None:
                return found
        days_max = services.settings.quote_days_max
        if not 0 <= (command.valid_until - work.today).days <= days_max:
            raise ValidityOutOfRange(valid_until=command.valid_until, today=work.today, days_max=days_max)
        if saved:
            await _check_current(work, saved)
        items = saved.items if saved else await _quoted(work, command.items)
        quote = await _issued(work, items, command.valid_until)
        await request.remember(session, (quote.id,), work.now)
        return quote


async def accept(services: Services, caller: Caller | None, command: OrderCommand) -> Purchase:
    """Order what a quote offers, at its prices, once; paid at once if a method is given.

    It is open again where the purchase it became is cancelled, or expires, before it is paid.

    Raises:
        QuoteNotOpen: it was accepted already, or its last day is over.
        Refused, PriceChanged, PaymentMethodUnavailable, NotFound, IdempotencyKeyReused, IdempotencyKeyInvalid: nothing
            is stored.
    """
    signed_in = require(caller, Role.OWNER, Role.OPERATOR)
    async with services.database.write() as session:
        found = await quote_by_id(session, command.id)
        if found is None or not _reaches(signed_in, found.customer_id):
            raise NotFound(field="quoteId")
        session.expire_all()
        work = await _opened(services, session, signed_in, found.customer_id)
        request = KeyedRequest.of("quoteAccept", found.customer_id, command.idempotency_key, command)
        earlier = await request.earlier_result(session)
        if earlier is not None:
            return (await purchases_by_id(session, earlier))[earlier[0]]
        quote = await quote_by_id(session, command.id) or found
        status = quote.status_on(work.today)
        if status is not QuoteStatus.OPEN:
            raise QuoteNotOpen(quote=quote.number, status=status.value, valid_until=quote.valid_until)
        purchase = await _ordered(work, quote.items, command, "quoteId")
        await mark_accepted(session, quote.id, purchase.id)
        changes: dict[str, Change] = {"quote": (quote.number, quote.number), "purchase": (None, purchase.number)}
        await work.log(NewEvent(kind=EventKind.QUOTE_ACCEPTED, occurred_at=work.now, changes=changes))
        await request.remember(session, (purchase.id,), work.now)
        return purchase


async def quote(services: Services, caller: Caller | None, quote_id: int) -> Quote | None:
    """A quote in the caller's reach; None where there is none, or not for this caller."""
    signed_in = require(caller)
    async with services.database.read() as session:
        found = await quote_by_id(session, quote_id)
    if found is None or not _reaches(signed_in, found.customer_id):
        return None
    await settle(services, [found.customer_id])
    async with services.database.read() as session:
        return await quote_by_id(session, quote_id)


async def quote_pages(
    services: Services, customer_ids: Sequence[int], *, first: int, before_id: int | None
) -> list[Page[Quote]]:
    """A page of each customer's quotes, newest first, in the same places; of customers that were reached already."""
    check_page_size(first)
    await settle(services, customer_ids)
    return pages(await of_each(services, customer_ids, quotes_page, first=first + 1, before_id=before_id), first)


async def quote_totals(services: Services, customer_ids: Sequence[int]) -> list[int]:
    """How many quotes each customer has, in the same places."""
    return await of_each(services, customer_ids, quote_counts)


async def _opened(services: Services, session: AsyncSession, caller: Caller, customer_id: int) -> Work:
    opened = await open_customer(session, customer_id, services.clock)
    return Work(services, session, opened, caller.actor)


async def _ordered(work: Work, items: Sequence[HeldItem], command: OrderCommand, field: str) -> Purchase:
    """One purchase of all items, at their prices. ``field`` is where the input names what they are from.

    Raises:
        Refused, PriceChanged, and as :func:`resolvers.purchases.choose_method`.
    """
    refusals = terms_refusals(work.services, command.agreed_terms_version)
    for item in items:
        refusals += [replace(refusal, field=field) for refusal in item.refusals(work.contract, work.today)]
    if refusals:
        raise Refused(refusals)
    basket = Basket(
        spots=tuple(
            (SpotItems(item.accounts, item.period.starts_on, item.months), item.charge)
            for item in items
            if item.months is not None
        ),
        contract_items=tuple((item.contract_item(), item.charge) for item in items if item.months is None),
    )
    purchase = await purchases.place(work, basket)
    if command.payment_method is None:
        if command.expected_total_minor != purchase.total_minor:
            expected = command.expected_total_minor
            raise PriceChanged(expected_total=expected, current_total=purchase.total_minor)
        return purchase
    allowed = (PaymentMethod.INVOICE, PaymentMethod.BANK_TRANSFER)
    return await purchases.choose_method(work, purchase, command.payment_method, command.expected_total_minor, allowed)


async def _check_not_ordered(work: Work, saved: SavedRecommendation) -> None:
    if saved.purchase_id is None:
        return
    earlier = (await purchases_by_id(work.session, [saved.purchase_id]))[saved.purchase_id]
    if earlier.status in {*OPEN, OrderStatus.CONFIRMED}:
        raise RecommendationNotOrderable(status=f"ordered as {earlier.number}", orders=len(saved.items))


async def _check_current(work: Work, saved: SavedRecommendation) -> None:
    """Refuse a plan that was made from another state of the contract, or from other tax rates.

    Raises:
        RecommendationOutdated.
    """
    stored = work.opened.stored
    current = stored.version_name if stored else "none"
    rates = await all_tax_rates(work.session)
    same_prices = all(
        charge(item.charge.net_minor, tax_rate_on(rates, item.period.starts_on)) == item.charge for item in saved.items
    )
    if current == saved.contract_version and same_prices:
        return
    events = await events_since(work.session, work.customer.id, saved.saved_at, CONTRACT_CHANGES)
    changes = [f"{event.what.kind.value} at {event.recorded_at:%Y-%m-%d %H:%M:%S} UTC" for event in events]
    if not same_prices:
        changes.append("the tax rate changed")
    raise RecommendationOutdated(saved_version=saved.contract_version, current_version=current, changes=changes)


async def _quoted(work: Work, items: Sequence[QuoteItems]) -> tuple[HeldItem, ...]:
    """Single items at today's prices.

    Raises:
        Refused: with everything that refuses one of them.
    """
    if not 1 <= len(items) <= PURCHASE_ORDERS_MAX:
        raise QuoteItemsOutOfRange(items=len(items), items_max=PURCHASE_ORDERS_MAX)
    plans, rates = await all_plans(work.session), await all_tax_rates(work.session)
    held: list[HeldItem] = []
    refusals: list[RuleError] = []
    term: ContractItem | None = None
    for index, given in enumerate(items):
        try:
            if isinstance(given, SpotItems):
                held.append(_spot(work.contract, given, rates, work.today))
                continue
            item = contract_orders.item_of(work.contract, plans, given, work.today)
            if item.kind in {ItemKind.MAIN_CONTRACT, ItemKind.RENEWAL}:
                if term is not None:  # both would begin on the same day
                    raise ContractInForce(field="", contract_ends_before=term.period.ends_before)
                term = item
            total = contract_orders.charge_of(item, rates, given)
        except Refused as refused:
            refusals += [_of_item(refusal, index) for refusal in refused.errors]
            continue
        except RuleError as refusal:
            refusals.append(_of_item(refusal, index))
            continue
        accounts = item.units * item.term.accounts_per_unit
        held.append(HeldItem(item.kind, item.period, None, item.units, accounts, total, item.term))
    if refusals:
        raise Refused(refusals)
    return tuple(held)


def _of_item(refusal: RuleError, index: int) -> RuleError:
    """A refusal of one item; what is about the customer stays so."""
    if refusal.field == "customerId":
        return refusal
    return replace(refusal, field=f"items[{index}].{refusal.field}".removesuffix("."))


async def _issued(work: Work, items: tuple[HeldItem, ...], valid_until: date) -> Quote:
    names = {plan.code: plan.name for plan in await all_plans(work.session)}
    codes = [item.term.plan_code if item.term else plan_on(work.contract, item.period.starts_on) for item in items]
    lines = [item.line(names.get(code, code)) for item, code in zip(items, codes, strict=True)]
    document = replace(draft(work, DocumentKind.QUOTE, lines, tax_groups(lines)), valid_until=valid_until)
    with renamed({"accounts": "items"}):
        purchases.check_total(document.total_minor)
    quote_ = await add_quote(
        work.session,
        Quote(
            id=0,
            customer_id=work.customer.id,
            issued_at=work.now,
            valid_until=valid_until,
            items=items,
            document=document,
            purchase_id=None,
        ),
    )
    changes: dict[str, Change] = {
        "quote": (None, quote_.number),
        "total": (None, str(document.total_minor)),
        "validUntil": (None, str(valid_until)),
    }
    await work.log(NewEvent(kind=EventKind.QUOTE_ISSUED, occurred_at=work.now, changes=changes))
    return quote_


def _spot(contract: MainContract | None, items: SpotItems, rates: list[TaxRate], today: date) -> HeldItem:
    refusals = spot_item_refusals(contract, items, today)
    if refusals or contract is None:
        raise Refused(refusals)
    units = items.accounts // contract.accounts_per_unit
    net = spot_net_minor(contract, starts_on=items.starts_on, months=items.months, units=units)
    total = charge(net, tax_rate_on(rates, items.starts_on))
    period = Period(items.starts_on, ends_before(items.starts_on, items.months))
    return HeldItem(ItemKind.SPOT, period, items.months, units, items.accounts, total)


def _planned(contract: MainContract, order: PlannedOrder, total: Charge) -> HeldItem:
    """A planned order at its price."""
    if order.kind is OrderKind.SPOT:
        return HeldItem(ItemKind.SPOT, order.period, order.months, order.units, order.accounts, total)
    starts_on = order.period.starts_on
    item = additional_licence(contract, units=order.units, starts_on=starts_on, today=starts_on)
    return HeldItem(item.kind, item.period, None, item.units, order.accounts, total, item.term)


def _reaches(caller: Caller, customer_id: int) -> bool:
    return caller.role is not Role.OWNER or caller.customer_id == customer_id
