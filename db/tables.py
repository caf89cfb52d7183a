"""The tables. Constraints back the rules, so that no bug above them can store what a rule forbids."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
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
        instant: datetime | None = value
        return instant.replace(tzinfo=UTC) if instant is not None else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any | None], datetime | None] | None:
        # PostgreSQL's driver says UTC; SQLite keeps no time zone, and what was stored is UTC.
        return None if dialect.name == "postgresql" else super().result_processor(dialect, coltype)


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
        CheckConstraint(
            "deactivation_policy IN ('ALL_REGISTERED_DURING_SPOT', 'EXCESS_ONLY')", name="deactivation_policy"
        ),
        Index(None, "name", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    time_zone: Mapped[str]
    currency: Mapped[str]
    created_at: Mapped[datetime]
    deactivation_policy: Mapped[str]


class AccessTokenRow(Base):
    """Who signs in: a bearer token, stored as its hash only, or a ``subject`` of an OpenID Connect provider.

    Owners, and only they, belong to a customer.
    """

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
    revoked_at: Mapped[datetime | None]
    subject: Mapped[str | None]


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
    """One main contract per customer, without terms as long as it is on the Free plan. Its row is what every change of
    capacity, counted accounts or money locks.

    Changes of capacity raise ``version``. Falls of capacity are handled up to and including ``settled_through``.
    ``due_at`` is no later than the next instant at which time alone moves something; None where nothing is left.
    """

    __tablename__ = "main_contracts"
    __table_args__ = (UniqueConstraint("id", "customer_id"), Index(None, "due_at"))
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), unique=True)
    version: Mapped[int]
    settled_through: Mapped[date]
    due_at: Mapped[datetime | None]


class TermRow(Base):
    """A term of a main contract. ``previous_ends_before`` makes the database hold terms together.

    It must be this term's own start and some term's end; only one term of a run has none, and no two follow the same
    one. So the terms of a run are contiguous, without gap, overlap or branch. A new run begins when a customer that
    had returned to the Free plan orders again.
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
            "run",
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
    run: Mapped[int]
    starts_on: Mapped[date]
    ends_before: Mapped[date]
    previous_ends_before: Mapped[date | None]
    plan_code: Mapped[str] = mapped_column(ForeignKey("plans.code"))
    units: Mapped[int]
    accounts_per_unit: Mapped[int]
    billing_cycle: Mapped[str]
    monthly_unit_price_minor: Mapped[int]
    annual_unit_price_minor: Mapped[int]
    recorded_at: Mapped[datetime]


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
    recorded_at: Mapped[datetime]


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
    # No foreign key: SQLite could not take such a column away again, and events refer to this table.
    purchase_id: Mapped[int | None] = mapped_column(index=True)
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
    """What a key was used for, written in the same transaction as the effect: ``result`` is a list of row ids."""

    __tablename__ = "idempotency_keys"
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    operation: Mapped[str]
    input_hash: Mapped[str]
    result: Mapped[list[int]] = mapped_column(JSON)
    created_at: Mapped[datetime]


class AccountRow(Base):
    """A registered user. A deleted one keeps its external id for the history; another may take it then."""

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint("status IN ('ACTIVE', 'SUSPENDED', 'DEACTIVATED', 'DELETED')", name="status"),
        CheckConstraint("length(external_id) > 0", name="external_id"),
        CheckConstraint(
            "CASE WHEN status = 'DELETED' THEN name = '' AND email IS NULL ELSE length(name) > 0 END", name="name"
        ),
        CheckConstraint("status <> 'DEACTIVATED' OR deactivated_at IS NOT NULL", name="deactivated"),
        UniqueConstraint("id", "customer_id"),
        Index(
            "uq_accounts_customer_id_external_id",
            "customer_id",
            "external_id",
            unique=True,
            sqlite_where=text("status <> 'DELETED'"),
            postgresql_where=text("status <> 'DELETED'"),
        ),
        Index(None, "customer_id", "status"),
        Index(None, "customer_id", "name", "id"),
        {"sqlite_autoincrement": True},  # an id is never given twice, for the history's sake
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    external_id: Mapped[str]
    name: Mapped[str]
    email: Mapped[str | None]
    status: Mapped[str]
    is_protected: Mapped[bool]
    registered_at: Mapped[datetime]
    counted_since: Mapped[datetime]
    deactivated_at: Mapped[datetime | None]


class AccountGroupRow(Base):
    """A customer's group of accounts. The built-in one is made when it is first needed."""

    __tablename__ = "account_groups"
    __table_args__ = (
        UniqueConstraint("customer_id", "name"),
        UniqueConstraint("id", "customer_id"),
        CheckConstraint("length(name) > 0", name="name"),
        Index(
            "uq_account_groups_built_in",
            "customer_id",
            unique=True,
            sqlite_where=text("is_built_in"),
            postgresql_where=text("is_built_in"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    name: Mapped[str]
    is_built_in: Mapped[bool]


class AccountGroupMemberRow(Base):
    """An account in a group; the foreign keys hold that both are the same customer's."""

    __tablename__ = "account_group_members"
    __table_args__ = (
        ForeignKeyConstraint(["group_id", "customer_id"], ["account_groups.id", "account_groups.customer_id"]),
        ForeignKeyConstraint(["account_id", "customer_id"], ["accounts.id", "accounts.customer_id"]),
        Index(None, "account_id"),
    )
    group_id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int]


class CapacityFallRow(Base):
    """A fall of capacity that was handled: once for each day of a contract, which the unique key holds."""

    __tablename__ = "capacity_falls"
    __table_args__ = (
        ForeignKeyConstraint(["main_contract_id", "customer_id"], ["main_contracts.id", "main_contracts.customer_id"]),
        UniqueConstraint("main_contract_id", "on_day"),
        CheckConstraint("0 <= capacity_after AND capacity_after < capacity_before", name="falls"),
        CheckConstraint("0 <= deactivated AND deactivated <= counted_before", name="deactivated"),
        Index(None, "customer_id", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int]
    main_contract_id: Mapped[int]
    on_day: Mapped[date]
    capacity_before: Mapped[int]
    capacity_after: Mapped[int]
    counted_before: Mapped[int]
    deactivated: Mapped[int]
    policy: Mapped[str]
    handled_at: Mapped[datetime]


class DeactivationRow(Base):
    """Whom a fall of capacity deactivated, and why; ``position`` counts from 1, the newest account first."""

    __tablename__ = "deactivations"
    __table_args__ = (
        UniqueConstraint("fall_id", "account_id"),
        CheckConstraint("reason IN ('REGISTERED_DURING_SPOT', 'NEWEST_OVER_CAPACITY')", name="reason"),
        CheckConstraint("previous_status IN ('ACTIVE', 'SUSPENDED')", name="previous_status"),
    )
    fall_id: Mapped[int] = mapped_column(ForeignKey("capacity_falls.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    reason: Mapped[str]
    previous_status: Mapped[str]


class EventRow(Base):
    """What happened to a customer. Triggers refuse every change and deletion: the log is append-only."""

    __tablename__ = "events"
    __table_args__ = (
        CheckConstraint("actor IN ('OWNER', 'SALES', 'OPERATOR', 'SYSTEM')", name="actor"),
        CheckConstraint("occurred_at <= recorded_at", name="occurred_at"),
        Index(None, "customer_id", "id"),
        Index(None, "account_id", "id"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    kind: Mapped[str]
    actor: Mapped[str]
    actor_token_id: Mapped[int | None] = mapped_column(ForeignKey("access_tokens.id"))
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    spot_order_id: Mapped[int | None] = mapped_column(ForeignKey("spot_orders.id"))
    capacity_fall_id: Mapped[int | None] = mapped_column(ForeignKey("capacity_falls.id"))
    changes: Mapped[dict[str, list[str | None]]] = mapped_column(JSON)
    counted_after: Mapped[int | None]


class TestClockRow(Base):
    """The instant of the test clock, where the server runs on one; at most one row."""

    __test__ = False
    __tablename__ = "test_clock"
    __table_args__ = (CheckConstraint("id = 1", name="one"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    now: Mapped[datetime]
