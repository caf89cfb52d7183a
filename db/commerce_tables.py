"""The tables of purchases, contract orders, documents, payments and the ledger."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.tables import Base

OPEN_OR_CLOSED = "'AWAITING_PAYMENT_METHOD', 'PENDING_PAYMENT', 'CONFIRMED', 'CANCELLED', 'EXPIRED'"


class PurchaseRow(Base):
    """One checkout: orders that are paid together and stand on one invoice."""

    __tablename__ = "purchases"
    __table_args__ = (
        CheckConstraint(f"status IN ({OPEN_OR_CLOSED})", name="status"),
        CheckConstraint("payment_method IN ('INVOICE', 'CREDIT_CARD', 'BANK_TRANSFER')", name="payment_method"),
        CheckConstraint(
            "status NOT IN ('CONFIRMED', 'PENDING_PAYMENT') OR payment_method IS NOT NULL", name="has_payment_method"
        ),
        CheckConstraint("(status = 'CONFIRMED') = (confirmed_at IS NOT NULL)", name="confirmed"),
        CheckConstraint("placed_at < expires_at", name="expires"),
        UniqueConstraint("id", "customer_id"),
        Index(None, "customer_id", "id"),
        {"sqlite_autoincrement": True},  # a number is never given twice
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    status: Mapped[str]
    payment_method: Mapped[str | None]
    payment_due_on: Mapped[date | None]
    currency: Mapped[str]
    terms_version: Mapped[str]
    placed_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]


class ContractOrderRow(Base):
    """An order of a term, of additional licences or of an upgrade; it takes effect when its purchase is confirmed."""

    __tablename__ = "contract_orders"
    __table_args__ = (
        ForeignKeyConstraint(["purchase_id", "customer_id"], ["purchases.id", "purchases.customer_id"]),
        CheckConstraint("kind IN ('MAIN_CONTRACT', 'RENEWAL', 'ADDITIONAL_LICENCE', 'UPGRADE')", name="kind"),
        CheckConstraint(f"status IN ({OPEN_OR_CLOSED})", name="status"),
        CheckConstraint("billing_cycle IN ('MONTHLY', 'ANNUAL')", name="billing_cycle"),
        CheckConstraint("starts_on < ends_before", name="period"),
        CheckConstraint("units > 0 AND accounts_per_unit > 0", name="units"),
        CheckConstraint("net_minor >= 0 AND tax_minor >= 0", name="amounts"),
        Index(None, "purchase_id"),
        Index(None, "customer_id", "id"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int]
    purchase_id: Mapped[int]
    kind: Mapped[str]
    status: Mapped[str]
    plan_code: Mapped[str] = mapped_column(ForeignKey("plans.code"))
    units: Mapped[int]
    accounts_per_unit: Mapped[int]
    billing_cycle: Mapped[str]
    starts_on: Mapped[date]
    ends_before: Mapped[date]
    monthly_unit_price_minor: Mapped[int]
    annual_unit_price_minor: Mapped[int]
    net_minor: Mapped[int]
    tax_minor: Mapped[int]
    tax_basis_points: Mapped[int]
    cancelled_at: Mapped[datetime | None]


class CancelledTermRow(Base):
    """A renewal that was cancelled before it began: kept for what was known when."""

    __tablename__ = "cancelled_terms"
    __table_args__ = (CheckConstraint("starts_on < ends_before", name="period"), Index(None, "main_contract_id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    main_contract_id: Mapped[int] = mapped_column(ForeignKey("main_contracts.id"))
    starts_on: Mapped[date]
    ends_before: Mapped[date]
    plan_code: Mapped[str]
    units: Mapped[int]
    accounts_per_unit: Mapped[int]
    billing_cycle: Mapped[str]
    monthly_unit_price_minor: Mapped[int]
    annual_unit_price_minor: Mapped[int]
    recorded_at: Mapped[datetime]
    cancelled_at: Mapped[datetime]


class PlanChangeRow(Base):
    """From a day on, a term has another plan at other prices: an upgrade."""

    __tablename__ = "plan_changes"
    __table_args__ = (
        UniqueConstraint("main_contract_id", "effective_on"),
        CheckConstraint("monthly_unit_price_minor >= 0 AND annual_unit_price_minor >= 0", name="prices"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    main_contract_id: Mapped[int] = mapped_column(ForeignKey("main_contracts.id"))
    effective_on: Mapped[date]
    plan_code: Mapped[str] = mapped_column(ForeignKey("plans.code"))
    monthly_unit_price_minor: Mapped[int]
    annual_unit_price_minor: Mapped[int]
    recorded_at: Mapped[datetime]


class DocumentNumberRow(Base):
    """The last number given to a kind of document in a year; its row is locked until the document is stored."""

    __tablename__ = "document_numbers"
    kind: Mapped[str] = mapped_column(primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]


class DocumentRow(Base):
    """An invoice or credit note as it was issued; triggers refuse every change."""

    __tablename__ = "documents"
    __table_args__ = (
        ForeignKeyConstraint(["purchase_id", "customer_id"], ["purchases.id", "purchases.customer_id"]),
        UniqueConstraint("kind", "year", "serial"),
        CheckConstraint("kind IN ('INVOICE', 'CREDIT_NOTE')", name="kind"),
        CheckConstraint("(kind = 'CREDIT_NOTE') = (invoice_id IS NOT NULL)", name="refers"),
        CheckConstraint("serial > 0 AND total_minor >= 0", name="numbers"),
        Index(None, "customer_id", "id"),
        Index(None, "purchase_id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    year: Mapped[int]
    serial: Mapped[int]
    customer_id: Mapped[int]
    purchase_id: Mapped[int]
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey("documents.id"))
    issued_on: Mapped[date]
    issued_at: Mapped[datetime]
    total_minor: Mapped[int]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)


class LedgerEntryRow(Base):
    """Money that is owed (positive) or settled (negative), in minor units; triggers refuse every change."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        ForeignKeyConstraint(["purchase_id", "customer_id"], ["purchases.id", "purchases.customer_id"]),
        CheckConstraint("kind IN ('INVOICE', 'CREDIT_NOTE', 'PAYMENT', 'REFUND')", name="kind"),
        CheckConstraint(
            "CASE WHEN kind IN ('INVOICE', 'REFUND') THEN amount_minor >= 0 ELSE amount_minor <= 0 END", name="sign"
        ),
        CheckConstraint("(kind IN ('INVOICE', 'CREDIT_NOTE')) = (document_id IS NOT NULL)", name="document"),
        Index(None, "customer_id", "id"),
        Index(None, "purchase_id"),
        UniqueConstraint("document_id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int]
    purchase_id: Mapped[int]
    kind: Mapped[str]
    document_id: Mapped[int | None] = mapped_column(ForeignKey("documents.id"))
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id"))
    amount_minor: Mapped[int]
    recorded_at: Mapped[datetime]
    note: Mapped[str]


class PaymentRow(Base):
    """A card payment. ``key`` is what the provider knows it by, ``reference`` what we know it by at the provider.

    What is to be paid back is decided in the transaction that takes something back, and paid back afterwards.
    """

    __tablename__ = "payments"
    __table_args__ = (
        ForeignKeyConstraint(["purchase_id", "customer_id"], ["purchases.id", "purchases.customer_id"]),
        CheckConstraint(
            "state IN ('STARTED', 'REQUIRES_ACTION', 'PROCESSING', 'SUCCEEDED', 'FAILED', 'CANCELLED')",
            name="state",
        ),
        CheckConstraint(
            "0 <= refunded_minor AND refunded_minor <= refund_wanted_minor AND refund_wanted_minor <= amount_minor",
            name="amounts",
        ),
        UniqueConstraint("provider", "reference"),
        Index(None, "purchase_id"),
        Index(
            "ix_payments_to_refund",
            "id",
            sqlite_where=text("refunded_minor < refund_wanted_minor"),
            postgresql_where=text("refunded_minor < refund_wanted_minor"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int]
    purchase_id: Mapped[int]
    key: Mapped[str] = mapped_column(unique=True)
    provider: Mapped[str]
    reference: Mapped[str | None]
    state: Mapped[str]
    amount_minor: Mapped[int]
    refund_wanted_minor: Mapped[int]
    refunded_minor: Mapped[int]
    failure: Mapped[str | None]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class SavedRecommendationRow(Base):
    """A recommendation that can be ordered as long as the contract stays as it was."""

    __tablename__ = "saved_recommendations"
    __table_args__ = (Index(None, "customer_id", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    contract_version: Mapped[str]
    saved_at: Mapped[datetime]
    status: Mapped[str]
    items: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    purchase_id: Mapped[int | None] = mapped_column(ForeignKey("purchases.id"))


class QuoteRow(Base):
    """An offer at held prices until its last day; accepted at most once."""

    __tablename__ = "quotes"
    __table_args__ = (
        CheckConstraint("total_minor >= 0", name="total"),
        Index(None, "customer_id", "id"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    issued_on: Mapped[date]
    issued_at: Mapped[datetime]
    valid_until: Mapped[date]
    items: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    total_minor: Mapped[int]
    purchase_id: Mapped[int | None] = mapped_column(ForeignKey("purchases.id"))
