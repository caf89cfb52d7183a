"""Main contracts with everything that gives capacity; locking one before it changes."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from db.tables import AdditionalLicenceRow, MainContractRow, SpotOrderRow, TermRow
from domain.contracts import AdditionalLicence, BillingCycle, MainContract, SpotContract, Term
from domain.months import Period
from domain.orders import GIVES_CAPACITY

T = TypeVar("T")


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


async def contracts_by_customer(session: AsyncSession, customer_ids: Collection[int]) -> dict[int, StoredContract]:
    """The main contracts of these customers, with terms, additional licences and confirmed spots.

    Four statements, however many customers; those on the Free plan are absent.
    """
    query = select(MainContractRow).where(MainContractRow.customer_id.in_(customer_ids))
    return await _assembled(session, (await session.scalars(query)).all())


async def customer_of_contract(session: AsyncSession, contract_id: int) -> int | None:
    """The customer that a main contract belongs to; None if there is no such contract."""
    query = select(MainContractRow.customer_id).where(MainContractRow.id == contract_id)
    return (await session.execute(query)).scalar_one_or_none()


async def locked_contract(session: AsyncSession, customer_id: int) -> StoredContract | None:
    """Lock the customer's main contract until the transaction ends, and read it inside the lock.

    SQLite's write transactions exclude each other already, so there it only reads.
    """
    query = select(MainContractRow).where(MainContractRow.customer_id == customer_id).with_for_update()
    return (await _assembled(session, (await session.scalars(query)).all())).get(customer_id)


async def raise_version(session: AsyncSession, contract_id: int) -> None:
    """Record that a locked contract, or what gives it capacity, has changed."""
    row = await session.get_one(MainContractRow, contract_id)
    row.version += 1


async def add_contract(session: AsyncSession, customer_id: int, contract: MainContract) -> StoredContract:
    """Store a main contract with its terms and additional licences; spots are added as orders."""
    row = MainContractRow(customer_id=customer_id, version=1)
    session.add(row)
    await session.flush()
    previous = None
    for term in contract.terms:
        session.add(_term_row(row.id, term, previous))
        await session.flush()  # the next term refers to this one
        previous = term.period.ends_before
    for licence in contract.additional_licences:
        term = contract.term_on(licence.period.starts_on)
        session.add(
            AdditionalLicenceRow(
                main_contract_id=row.id,
                term_starts_on=term.period.starts_on,
                starts_on=licence.period.starts_on,
                ends_before=licence.period.ends_before,
                units=licence.accounts // term.accounts_per_unit,
                accounts=licence.accounts,
            )
        )
    await session.flush()
    return StoredContract(row.id, customer_id, row.version, contract)


async def _assembled(session: AsyncSession, rows: Collection[MainContractRow]) -> dict[int, StoredContract]:
    ids = [row.id for row in rows]
    if not ids:
        return {}
    terms = _grouped(
        (row.main_contract_id, _term(row))
        for row in await session.scalars(
            select(TermRow).where(TermRow.main_contract_id.in_(ids)).order_by(TermRow.starts_on)
        )
    )
    licences = _grouped(
        (row.main_contract_id, AdditionalLicence(Period(row.starts_on, row.ends_before), row.accounts))
        for row in await session.scalars(
            select(AdditionalLicenceRow)
            .where(AdditionalLicenceRow.main_contract_id.in_(ids))
            .order_by(AdditionalLicenceRow.id)
        )
    )
    spots = _grouped(
        (row.main_contract_id, SpotContract(Period(row.starts_on, row.ends_before), row.accounts))
        for row in await session.scalars(
            select(SpotOrderRow)
            .where(SpotOrderRow.main_contract_id.in_(ids))
            .where(SpotOrderRow.status.in_([status.value for status in GIVES_CAPACITY]))
            .order_by(SpotOrderRow.id)
        )
    )
    return {
        row.customer_id: StoredContract(
            row.id,
            row.customer_id,
            row.version,
            MainContract(tuple(terms[row.id]), tuple(licences[row.id]), tuple(spots[row.id])),
        )
        for row in rows
    }


def _grouped(pairs: Iterable[tuple[int, T]]) -> dict[int, list[T]]:
    groups: dict[int, list[T]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups


def _term(row: TermRow) -> Term:
    return Term(
        period=Period(row.starts_on, row.ends_before),
        plan_code=row.plan_code,
        units=row.units,
        accounts_per_unit=row.accounts_per_unit,
        billing_cycle=BillingCycle(row.billing_cycle),
        monthly_unit_price_minor=row.monthly_unit_price_minor,
        annual_unit_price_minor=row.annual_unit_price_minor,
    )


def _term_row(contract_id: int, term: Term, previous_ends_before: date | None) -> TermRow:
    return TermRow(
        main_contract_id=contract_id,
        starts_on=term.period.starts_on,
        ends_before=term.period.ends_before,
        previous_ends_before=previous_ends_before,
        plan_code=term.plan_code,
        units=term.units,
        accounts_per_unit=term.accounts_per_unit,
        billing_cycle=term.billing_cycle.value,
        monthly_unit_price_minor=term.monthly_unit_price_minor,
        annual_unit_price_minor=term.annual_unit_price_minor,
    )
