"""Card payments: stored before the provider is asked, and moved by what it answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.commerce_tables import PaymentRow

STARTED = "STARTED"
"""The provider was or will be asked; its answer is not known yet."""


@dataclass(frozen=True, slots=True)
class StoredPayment:
    """A card payment as stored. ``state`` is STARTED or the provider's; amounts are in minor units."""

    id: int
    customer_id: int
    purchase_id: int
    key: str
    provider: str
    reference: str | None
    state: str
    amount_minor: int
    refund_wanted_minor: int
    refunded_minor: int
    failure: str | None


async def add_payment(
    session: AsyncSession,
    *,
    customer_id: int,
    purchase_id: int,
    key: str,
    provider: str,
    amount_minor: int,
    now: datetime,
) -> int:
    """Store a payment that is about to be started; its id."""
    statement = insert(PaymentRow).values(
        customer_id=customer_id,
        purchase_id=purchase_id,
        key=key,
        provider=provider,
        state=STARTED,
        amount_minor=amount_minor,
        refund_wanted_minor=0,
        refunded_minor=0,
        created_at=now,
        changed_at=now,
    )
    return (await session.execute(statement.returning(PaymentRow.id))).scalar_one()


async def change_payment(session: AsyncSession, payment_id: int, now: datetime, **values: Any) -> None:
    """Set columns of a payment."""
    statement = update(PaymentRow).where(PaymentRow.id == payment_id).values(changed_at=now, **values)
    await session.execute(statement.execution_options(synchronize_session=False))
    session.expire_all()


async def payment_by_id(session: AsyncSession, payment_id: int) -> StoredPayment | None:
    """A payment; None if there is none."""
    row = await session.get(PaymentRow, payment_id)
    return _payment(row) if row else None


async def payment_by_key(session: AsyncSession, key: str) -> StoredPayment | None:
    """The payment that a provider knows by a key; None if there is none."""
    row = await session.scalar(select(PaymentRow).where(PaymentRow.key == key))
    return _payment(row) if row else None


async def payments_of_purchase(session: AsyncSession, purchase_id: int) -> list[StoredPayment]:
    """A purchase's payments, oldest first."""
    query = select(PaymentRow).where(PaymentRow.purchase_id == purchase_id).order_by(PaymentRow.id)
    return [_payment(row) for row in await session.scalars(query)]


async def payments_to_refund(session: AsyncSession, provider: str) -> list[StoredPayment]:
    """The payments of which something is to be paid back, oldest first."""
    query = (
        select(PaymentRow)
        .where(PaymentRow.refunded_minor < PaymentRow.refund_wanted_minor, PaymentRow.provider == provider)
        .order_by(PaymentRow.id)
        .limit(100)
    )
    return [_payment(row) for row in await session.scalars(query)]


def _payment(row: PaymentRow) -> StoredPayment:
    return StoredPayment(
        id=row.id,
        customer_id=row.customer_id,
        purchase_id=row.purchase_id,
        key=row.key,
        provider=row.provider,
        reference=row.reference,
        state=row.state,
        amount_minor=row.amount_minor,
        refund_wanted_minor=row.refund_wanted_minor,
        refunded_minor=row.refunded_minor,
        failure=row.failure,
    )
