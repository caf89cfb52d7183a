"""The tables. Constraints back the rules, so that no bug above them can store what a rule forbids."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    String,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """An instant in UTC on every database; naive values are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"an instant needs a time zone: {value}")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        instant: datetime = value
        # SQLite keeps no time zone; what was stored is UTC.
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, date: Date, str: String}  # noqa: RUF012


class CustomerRow(Base):
    __tablename__ = "customers"
    __table_args__ = (
        CheckConstraint("kind IN ('CORPORATE', 'INDIVIDUAL')", name="kind"),
        CheckConstraint("length(name) > 0", name="name"),
        CheckConstraint("length(currency) = 3", name="currency"),
        Index(None, "name", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    time_zone: Mapped[str]
    currency: Mapped[str]
    created_at: Mapped[datetime]


class AccessTokenRow(Base):
    """A bearer token, stored as its hash only. Owners' tokens, and only theirs, belong to a customer."""

    __tablename__ = "access_tokens"
    __table_args__ = (
        CheckConstraint("role IN ('OWNER', 'SALES', 'OPERATOR')", name="role"),
        CheckConstraint("(role = 'OWNER') = (customer_id IS NOT NULL)", name="owner_has_customer"),
        CheckConstraint("created_at < expires_at", name="expires"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class PlanRow(Base):
    __tablename__ = "plans"
    __table_args__ = (CheckConstraint("accounts_per_unit > 0", name="accounts_per_unit"),)
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    accounts_per_unit: Mapped[int]
    position: Mapped[int] = mapped_column(unique=True)


class PlanPriceRow(Base):
    __tablename__ = "plan_prices"
    __table_args__ = (CheckConstraint("monthly_unit_price_minor >= 0 AND annual_unit_price_minor >= 0", name="prices"),)
    plan_code: Mapped[str] = mapped_column(ForeignKey("plans.code"), primary_key=True)
    effective_from: Mapped[date] = mapped_column(primary_key=True)
    monthly_unit_price_minor: Mapped[int]
    annual_unit_price_minor: Mapped[int]


class TaxRateRow(Base):
    __tablename__ = "tax_rates"
    __table_args__ = (CheckConstraint("basis_points BETWEEN 0 AND 10000", name="basis_points"),)
    effective_from: Mapped[date] = mapped_column(primary_key=True)
    basis_points: Mapped[int]


class MainContractRow(Base):
    """One main contract per customer. The row is what every change of capacity locks; each raises version."""

    __tablename__ = "main_contracts"
    __table_args__ = (UniqueConstraint("id", "customer_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), unique=True)
    version: Mapped[int]


class TermRow(Base):
    """A term of a main contract. ``previous_ends_before`` makes the database hold terms together.

    It must be this term's own start and some term's end; only one term of a contract has none, and no two
    follow the same one. So terms are contiguous, without gap, overlap or branch.
    """

    __tablename__ = "terms"
    __table_args__ = (
        UniqueConstraint("main_contract_id", "ends_before"),
        UniqueConstraint("main_contract_id", "previous_ends_before"),
        UniqueConstraint("main_contract_id", "starts_on", "ends_before"),
        ForeignKeyConstraint(
            ["main_contract_id", "previous_ends_before"], ["terms.main_contract_id", "terms.ends_before"]
        ),
        Index(
            "uq_terms_first",
            "main_contract_id",
            unique=True,
            sqlite_where=text("previous_ends_before IS NULL"),
            postgresql_where=text("previous_ends_before IS NULL"),
        ),
        CheckConstraint("starts_on < ends_before", name="period"),
        CheckConstraint("previous_ends_before = starts_on", name="contiguous"),
        CheckConstraint("units > 0 AND accounts_per_unit > 0", name="units"),
        CheckConstraint("billing_cycle IN ('MONTHLY', 'ANNUAL')", name="billing_cycle"),
        CheckConstraint("monthly_unit_price_minor >= 0 AND annual_unit_price_minor >= 0", name="prices"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    main_contract_id: Mapped[int] = mapped_column(ForeignKey("main_contracts.id"))
    starts_on: Mapped[date]
    ends_before: Mapped[date]
    previous_ends_before: Mapped[date | None]
    plan_code: Mapped[str] = mapped_column(ForeignKey("plans.code"))
    units: Mapped[int]
    accounts_per_unit: Mapped[int]
    billing_cycle: Mapped[str]
    monthly_unit_price_minor: Mapped[int]
    annual_unit_price_minor: Mapped[int]


class AdditionalLicenceRow(Base):
    """Units from a day until the end of a term: the foreign key ties it to the term's own days."""

    __tablename__ = "additional_licences"
    __table_args__ = (
        ForeignKeyConstraint(
            ["main_contract_id", "term_starts_on", "ends_before"],
            ["terms.main_contract_id", "terms.starts_on", "terms.ends_before"],
            name="fk_additional_licences_term",
        ),
        CheckConstraint("starts_on >= term_starts_on AND starts_on < ends_before", name="period"),
        CheckConstraint("units > 0 AND accounts > 0", name="units"),
        Index(None, "main_contract_id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    main_contract_id: Mapped[int]
    term_starts_on: Mapped[date]
    starts_on: Mapped[date]
    ends_before: Mapped[date]
    units: Mapped[int]
    accounts: Mapped[int]


class SpotOrderRow(Base):
    __tablename__ = "spot_orders"
    __table_args__ = (
        ForeignKeyConstraint(["main_contract_id", "customer_id"], ["main_contracts.id", "main_contracts.customer_id"]),
        CheckConstraint("starts_on < ends_before", name="period"),
        CheckConstraint("months > 0 AND units > 0 AND accounts > 0", name="items"),
        CheckConstraint("accounts % units = 0", name="whole_units"),
        CheckConstraint("net_minor >= 0 AND tax_minor >= 0", name="amounts"),
        CheckConstraint("placed_at < expires_at", name="expires"),
        CheckConstraint(
            "status IN ('AWAITING_PAYMENT_METHOD', 'PENDING_PAYMENT', 'CONFIRMED', 'ACTIVE', 'ENDED',"
            " 'CANCELLED', 'EXPIRED')",
            name="status",
        ),
        CheckConstraint("payment_method IN ('INVOICE', 'CREDIT_CARD', 'BANK_TRANSFER')", name="payment_method"),
        CheckConstraint(
            "status NOT IN ('CONFIRMED', 'ACTIVE', 'ENDED')"
            " OR (payment_method IS NOT NULL AND confirmed_at IS NOT NULL)",
            name="confirmed",
        ),
        CheckConstraint("(status = 'CANCELLED') = (cancelled_at IS NOT NULL)", name="cancelled"),
        Index(None, "main_contract_id", "status"),
        Index(None, "customer_id", "id"),
        {"sqlite_autoincrement": True},  # a number is never given twice
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int]
    main_contract_id: Mapped[int]
    starts_on: Mapped[date]
    ends_before: Mapped[date]
    months: Mapped[int]
    units: Mapped[int]
    accounts: Mapped[int]
    net_minor: Mapped[int]
    tax_minor: Mapped[int]
    tax_basis_points: Mapped[int]
    currency: Mapped[str]
    status: Mapped[str]
    payment_method: Mapped[str | None]
    payment_due_on: Mapped[date | None]
    terms_version: Mapped[str]
    placed_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]


class IdempotencyKeyRow(Base):
    """What a key was used for, written in the same transaction as the effect."""

    __tablename__ = "idempotency_keys"
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    operation: Mapped[str]
    input_hash: Mapped[str]
    spot_order_id: Mapped[int] = mapped_column(ForeignKey("spot_orders.id"))
    created_at: Mapped[datetime]
