"""Main contracts with everything that gives capacity; locking one before it changes."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from sqlalchemy import BindParameter, ColumnElement, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from db.commerce_tables import CancelledTermRow, PlanChangeRow
from db.prepared import Prepared, is_any_of, one_of
from db.tables import AdditionalLicenceRow, Base, MainContractRow, SpotOrderRow, TermRow, UtcDateTime
from domain.contracts import AdditionalLicence, BillingCycle, MainContract, SpotContract, Term
from domain.months import Period
from domain.orders import GIVES_CAPACITY

R = TypeVar("R", bound=Base)
T = TypeVar("T")

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""A contract that is due since then has not been settled yet: what is due next is not known."""

_BY_CUSTOMER = Prepared(
    lambda is_postgresql: select(MainContractRow).where(
        one_of(MainContractRow.customer_id, "customer_ids", is_postgresql)
    )
)
_LOCK = (
    select(MainContractRow)
    .where(MainContractRow.customer_id.in_(bindparam("customer_ids", expanding=True)))
    .order_by(MainContractRow.id)
    .with_for_update()
)
_DUE = Prepared(
    lambda is_postgresql: (
        select(MainContractRow.customer_id)
        .where(one_of(MainContractRow.customer_id, "customer_ids", is_postgresql))
        .where(MainContractRow.due_at <= bindparam("now"))
    )
)


def _of_contracts(rows: type[R], order: InstrumentedAttribute[Any], *where: ColumnElement[bool]) -> Prepared[R]:
    """The rows that belong to some main contracts."""
    owned_by: InstrumentedAttribute[int] = rows.main_contract_id  # type: ignore[attr-defined]
    return Prepared(
        lambda is_postgresql: (
            select(rows).where(one_of(owned_by, "contract_ids", is_postgresql), *where).order_by(order)
        )
    )


_KNOWN_AT: BindParameter[datetime] = bindparam("known_at", type_=UtcDateTime)
_TERMS = _of_contracts(TermRow, TermRow.starts_on)
_TERMS_KNOWN = _of_contracts(TermRow, TermRow.starts_on, TermRow.recorded_at <= _KNOWN_AT)
_TERMS_CANCELLED = _of_contracts(
    CancelledTermRow,
    CancelledTermRow.starts_on,
    CancelledTermRow.recorded_at <= _KNOWN_AT,
    CancelledTermRow.cancelled_at > _KNOWN_AT,
)
_CHANGES = _of_contracts(PlanChangeRow, PlanChangeRow.effective_on)
_CHANGES_KNOWN = _of_contracts(PlanChangeRow, PlanChangeRow.effective_on, PlanChangeRow.recorded_at <= _KNOWN_AT)
_LICENCES = _of_contracts(AdditionalLicenceRow, AdditionalLicenceRow.id)
_LICENCES_KNOWN = _of_contracts(
    AdditionalLicenceRow, AdditionalLicenceRow.id, AdditionalLicenceRow.recorded_at <= _KNOWN_AT
)
_SPOTS = _of_contracts(SpotOrderRow, SpotOrderRow.id, is_any_of(SpotOrderRow.status, GIVES_CAPACITY))
_SPOTS_KNOWN = _of_contracts(
    SpotOrderRow,
    SpotOrderRow.id,
    SpotOrderRow.confirmed_at <= _KNOWN_AT,
    or_(SpotOrderRow.cancelled_at.is_(None), SpotOrderRow.cancelled_at > _KNOWN_AT),
)


@dataclass(frozen=True, slots=True)
class LockedContract:
    """The row that is locked for a customer: it has one on the Free plan, too. See :class:`StoredContract`."""

    id: int
    customer_id: int
    settled_through: date
    due_at: datetime | None
    stored: "StoredContract | None"

    def is_due(self, now: datetime) -> bool:
        """Whether time may have moved something that is not written down yet."""
        return self.due_at is not None and self.due_at <= now


@dataclass(frozen=True, slots=True)
class StoredContract:
    """A customer's main contract as stored. ``version`` rises with every change to it."""

    id: int
    customer_id: int
    version: int
    contract: MainContract

    @property
    def version_name(self) -> str:
        """The state of the contract that an answer was computed from, as shown to clients."""
        return f"{self.id}.{self.version}"


async def contracts_by_customer(
    session: AsyncSession, customer_ids: Collection[int], known_at: datetime | None = None
) -> dict[int, StoredContract]:
    """The main contracts of these customers, with terms, additional licences and confirmed spots.

    Five statements, however many customers; those on the Free plan are absent. With ``known_at``, what was recorded by
    that instant and not taken back before it.
    """
    return await _assembled(session, await _BY_CUSTOMER.all(session, customer_ids=list(customer_ids)), known_at)


async def due_customers(session: AsyncSession, now: datetime, customer_ids: Collection[int]) -> list[int]:
    """Those of the customers for whom time may have moved something that is not written down yet."""
    return list(await _DUE.all(session, customer_ids=list(customer_ids), now=now))


async def lock_due(session: AsyncSession, now: datetime, *, but: Collection[int], at_most: int) -> list[int]:
    """Lock contracts that have been due for longest and that nobody else holds; their customers.

    Not those of the customers in ``but``.
    """
    query = (
        select(MainContractRow.customer_id)
        .where(MainContractRow.due_at <= now)
        .where(MainContractRow.customer_id.not_in(but))
        .order_by(MainContractRow.due_at, MainContractRow.id)
        .limit(at_most)
        .with_for_update(skip_locked=True)
    )
    return list(await session.scalars(query))


async def next_due_at(session: AsyncSession, but: Collection[int]) -> datetime | None:
    """When the next contract is due, not one of the customers in ``but``; None where none will be."""
    query = select(MainContractRow.due_at).where(MainContractRow.due_at.is_not(None))
    query = query.where(MainContractRow.customer_id.not_in(but))
    return await session.scalar(query.order_by(MainContractRow.due_at).limit(1))


async def save_settled(session: AsyncSession, contracts: Collection[LockedContract]) -> None:
    """Record through which day locked contracts are settled, and when they are due next."""
    rows = [{"id": item.id, "settled_through": item.settled_through, "due_at": item.due_at} for item in contracts]
    await session.execute(update(MainContractRow), rows)


async def bring_forward(session: AsyncSession, contract_id: int, due_at: datetime) -> None:
    """Make a locked contract due at an instant, unless it is due earlier."""
    await session.execute(
        update(MainContractRow)
        .where(MainContractRow.id == contract_id)
        .where(or_(MainContractRow.due_at.is_(None), MainContractRow.due_at > due_at))
        .values(due_at=due_at)
    )


async def customer_of_contract(session: AsyncSession, contract_id: int) -> int | None:
    """The customer that a main contract belongs to; None if there is no such contract."""
    query = select(MainContractRow.customer_id).where(MainContractRow.id == contract_id)
    return (await session.execute(query)).scalar_one_or_none()


async def locked_contracts(session: AsyncSession, customer_ids: Collection[int]) -> list[LockedContract]:
    """Lock the main contracts of the customers until the transaction ends, and read them inside the lock.

    Customers that do not exist are absent. SQLite's write transactions exclude each other already, so there it only
    reads.
    """
    rows = (await session.scalars(_LOCK, {"customer_ids": list(customer_ids)})).all()
    stored = await _assembled(session, rows)
    return [
        LockedContract(row.id, row.customer_id, row.settled_through, row.due_at, stored.get(row.customer_id))
        for row in rows
    ]


async def raise_version(session: AsyncSession, contract_id: int) -> None:
    """Record that a locked contract, or what gives it capacity, has changed."""
    row = await session.get_one(MainContractRow, contract_id)
    row.version += 1


async def add_contract(
    session: AsyncSession, customer_id: int, contract: MainContract, now: datetime
) -> StoredContract:
    """Store the terms and additional licences of a customer that is on the Free plan; spots are added as orders."""
    row = (await session.scalars(select(MainContractRow).where(MainContractRow.customer_id == customer_id))).one()
    # Nothing falls up to the first day. What is due next is found out when it is settled.
    row.settled_through = min(contract.starts_on, row.settled_through)
    row.due_at = LONG_AGO
    await session.flush()
    previous = None
    for term in contract.terms:
        await add_term(session, row.id, term, previous, now)
        previous = term
    for licence in contract.additional_licences:
        await add_licence(session, row.id, licence, now)
    return StoredContract(row.id, customer_id, row.version, contract)


async def add_term(session: AsyncSession, contract_id: int, term: Term, previous: Term | None, now: datetime) -> None:
    """Store a term that follows another one, or the first of a run."""
    run = await session.scalar(select(func.max(TermRow.run)).where(TermRow.main_contract_id == contract_id)) or 0
    session.add(
        TermRow(
            main_contract_id=contract_id,
            run=run if previous else run + 1,
            previous_ends_before=previous.period.ends_before if previous else None,
            recorded_at=now,
            **_term_values(term),
        )
    )
    await session.flush()  # the next term refers to this one


async def cancel_term(session: AsyncSession, contract_id: int, starts_on: date, now: datetime) -> None:
    """Take back the last term, which has not begun and has no licences; it is kept for what was known when."""
    query = select(TermRow).where(TermRow.main_contract_id == contract_id, TermRow.starts_on == starts_on)
    row = (await session.scalars(query)).one()
    session.add(
        CancelledTermRow(
            main_contract_id=contract_id, recorded_at=row.recorded_at, cancelled_at=now, **_term_values(_term(row))
        )
    )
    await session.delete(row)
    await session.flush()


async def add_plan_change(session: AsyncSession, contract_id: int, term: Term, now: datetime) -> None:
    """Store that from a term's first day on, the stored term has its plan and prices: an upgrade."""
    session.add(
        PlanChangeRow(
            main_contract_id=contract_id,
            effective_on=term.period.starts_on,
            plan_code=term.plan_code,
            monthly_unit_price_minor=term.monthly_unit_price_minor,
            annual_unit_price_minor=term.annual_unit_price_minor,
            recorded_at=now,
        )
    )
    await session.flush()


async def add_licence(session: AsyncSession, contract_id: int, licence: AdditionalLicence, now: datetime) -> None:
    """Store units that are added to a term from a day of it until its end."""
    query = select(TermRow).where(
        TermRow.main_contract_id == contract_id, TermRow.ends_before == licence.period.ends_before
    )
    term = (await session.scalars(query)).one()
    session.add(
        AdditionalLicenceRow(
            main_contract_id=contract_id,
            term_starts_on=term.starts_on,
            starts_on=licence.period.starts_on,
            ends_before=licence.period.ends_before,
            units=licence.accounts // term.accounts_per_unit,
            accounts=licence.accounts,
            recorded_at=now,
        )
    )
    await session.flush()


async def _assembled(
    session: AsyncSession, rows: Collection[MainContractRow], known_at: datetime | None = None
) -> dict[int, StoredContract]:
    ids = [row.id for row in rows]
    if not ids:
        return {}
    terms = await _terms(session, ids, known_at)
    licences_read, spots_read = (_LICENCES, _SPOTS) if known_at is None else (_LICENCES_KNOWN, _SPOTS_KNOWN)
    licences = _grouped(
        (row.main_contract_id, AdditionalLicence(Period(row.starts_on, row.ends_before), row.accounts))
        for row in await licences_read.all(session, contract_ids=ids, known_at=known_at)
    )
    spots = _grouped(
        (row.main_contract_id, SpotContract(Period(row.starts_on, row.ends_before), row.accounts))
        for row in await spots_read.all(session, contract_ids=ids, known_at=known_at)
    )
    contracts = {}
    for row in rows:
        if row.id not in terms:
            continue  # on the Free plan, now or as it was known then
        earlier, current = _last_run(terms[row.id])
        contract = MainContract(current, tuple(licences[row.id]), tuple(spots[row.id]), earlier)
        contracts[row.customer_id] = StoredContract(row.id, row.customer_id, row.version, contract)
    return contracts


async def _terms(session: AsyncSession, contract_ids: list[int], known_at: datetime | None) -> dict[int, list[Term]]:
    """The terms of each contract, oldest first, cut where an upgrade begins."""
    read = (_TERMS, _CHANGES) if known_at is None else (_TERMS_KNOWN, _CHANGES_KNOWN)
    values = {"contract_ids": contract_ids, "known_at": known_at}
    rows: list[TermRow | CancelledTermRow] = [*await read[0].all(session, **values)]
    if known_at is not None:
        rows += await _TERMS_CANCELLED.all(session, **values)
    changes = _grouped((row.main_contract_id, row) for row in await read[1].all(session, **values))
    pairs = [(row.main_contract_id, _term(row)) for row in rows]
    terms = _grouped((id_, part) for id_, term in pairs for part in _cut(term, changes[id_]))
    return {id_: sorted(listed, key=lambda term: term.period) for id_, listed in terms.items()}


def _cut(term: Term, changes: list[PlanChangeRow]) -> list[Term]:
    """A term as it was sold, and from each upgrade in it on with the new plan."""
    parts = [term]
    for change in changes:
        if not term.period.contains(change.effective_on):
            continue
        last = parts.pop()
        if last.period.starts_on < change.effective_on:
            parts.append(replace(last, period=Period(last.period.starts_on, change.effective_on)))
        parts.append(
            replace(
                last,
                period=Period(change.effective_on, term.period.ends_before),
                plan_code=change.plan_code,
                monthly_unit_price_minor=change.monthly_unit_price_minor,
                annual_unit_price_minor=change.annual_unit_price_minor,
            )
        )
    return parts


def _last_run(terms: list[Term]) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    """The terms before the last return to the Free plan, and those since."""
    begin = max(
        (
            index
            for index in range(1, len(terms))
            if terms[index - 1].period.ends_before < terms[index].period.starts_on
        ),
        default=0,
    )
    return tuple(terms[:begin]), tuple(terms[begin:])


def _grouped(pairs: Iterable[tuple[int, T]]) -> dict[int, list[T]]:
    groups: dict[int, list[T]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups


def _term(row: TermRow | CancelledTermRow) -> Term:
    return Term(
        period=Period(row.starts_on, row.ends_before),
        plan_code=row.plan_code,
        units=row.units,
        accounts_per_unit=row.accounts_per_unit,
        billing_cycle=BillingCycle(row.billing_cycle),
        monthly_unit_price_minor=row.monthly_unit_price_minor,
        annual_unit_price_minor=row.annual_unit_price_minor,
    )


def _term_values(term: Term) -> dict[str, Any]:
    return {
        "starts_on": term.period.starts_on,
        "ends_before": term.period.ends_before,
        "plan_code": term.plan_code,
        "units": term.units,
        "accounts_per_unit": term.accounts_per_unit,
        "billing_cycle": term.billing_cycle.value,
        "monthly_unit_price_minor": term.monthly_unit_price_minor,
        "annual_unit_price_minor": term.annual_unit_price_minor,
    }
