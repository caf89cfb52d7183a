"""The first tables"""

from datetime import date

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "customers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('CORPORATE', 'INDIVIDUAL')", name=op.f("ck_customers_kind")),
        sa.CheckConstraint("length(currency) = 3", name=op.f("ck_customers_currency")),
        sa.CheckConstraint("length(name) > 0", name=op.f("ck_customers_name")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
    )
    op.create_index(op.f("ix_customers_name_id"), "customers", ["name", "id"], unique=False)

    op.create_table(
        "plans",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("accounts_per_unit", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint("accounts_per_unit > 0", name=op.f("ck_plans_accounts_per_unit")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_plans")),
        sa.UniqueConstraint("position", name=op.f("uq_plans_position")),
    )
    op.create_table(
        "tax_rates",
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("basis_points", sa.Integer(), nullable=False),
        sa.CheckConstraint("basis_points BETWEEN 0 AND 10000", name=op.f("ck_tax_rates_basis_points")),
        sa.PrimaryKeyConstraint("effective_from", name=op.f("pk_tax_rates")),
    )
    op.create_table(
        "access_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(role = 'OWNER') = (customer_id IS NOT NULL)", name=op.f("ck_access_tokens_owner_has_customer")
        ),
        sa.CheckConstraint("role IN ('OWNER', 'SALES', 'OPERATOR')", name=op.f("ck_access_tokens_role")),
        sa.CheckConstraint("created_at < expires_at", name=op.f("ck_access_tokens_expires")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_access_tokens_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_access_tokens_token_hash")),
    )
    op.create_index(op.f("ix_access_tokens_customer_id"), "access_tokens", ["customer_id"], unique=False)

    op.create_table(
        "main_contracts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_main_contracts_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_main_contracts")),
        sa.UniqueConstraint("customer_id", name=op.f("uq_main_contracts_customer_id")),
        sa.UniqueConstraint("id", "customer_id", name=op.f("uq_main_contracts_id_customer_id")),
    )
    op.create_table(
        "plan_prices",
        sa.Column("plan_code", sa.String(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("monthly_unit_price_minor", sa.Integer(), nullable=False),
        sa.Column("annual_unit_price_minor", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "monthly_unit_price_minor >= 0 AND annual_unit_price_minor >= 0",
            name=op.f("ck_plan_prices_prices"),
        ),
        sa.ForeignKeyConstraint(["plan_code"], ["plans.code"], name=op.f("fk_plan_prices_plan_code")),
        sa.PrimaryKeyConstraint("plan_code", "effective_from", name=op.f("pk_plan_prices")),
    )
    op.create_table(
        "spot_orders",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("main_contract_id", sa.Integer(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_before", sa.Date(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("accounts", sa.Integer(), nullable=False),
        sa.Column("net_minor", sa.Integer(), nullable=False),
        sa.Column("tax_minor", sa.Integer(), nullable=False),
        sa.Column("tax_basis_points", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("payment_method", sa.String(), nullable=True),
        sa.Column("payment_due_on", sa.Date(), nullable=True),
        sa.Column("terms_version", sa.String(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'CANCELLED') = (cancelled_at IS NOT NULL)", name=op.f("ck_spot_orders_cancelled")
        ),
        sa.CheckConstraint(
            "payment_method IN ('INVOICE', 'CREDIT_CARD', 'BANK_TRANSFER')",
            name=op.f("ck_spot_orders_payment_method"),
        ),
        sa.CheckConstraint(
            "status IN ('AWAITING_PAYMENT_METHOD', 'PENDING_PAYMENT', 'CONFIRMED', 'ACTIVE', 'ENDED', 'CANCELLED', 'EXPIRED')",
            name=op.f("ck_spot_orders_status"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('CONFIRMED', 'ACTIVE', 'ENDED') OR (payment_method IS NOT NULL AND confirmed_at IS NOT NULL)",
            name=op.f("ck_spot_orders_confirmed"),
        ),
        sa.CheckConstraint("accounts % units = 0", name=op.f("ck_spot_orders_whole_units")),
        sa.CheckConstraint("months > 0 AND units > 0 AND accounts > 0", name=op.f("ck_spot_orders_items")),
        sa.CheckConstraint("net_minor >= 0 AND tax_minor >= 0", name=op.f("ck_spot_orders_amounts")),
        sa.CheckConstraint("placed_at < expires_at", name=op.f("ck_spot_orders_expires")),
        sa.CheckConstraint("starts_on < ends_before", name=op.f("ck_spot_orders_period")),
        sa.ForeignKeyConstraint(
            ["main_contract_id", "customer_id"],
            ["main_contracts.id", "main_contracts.customer_id"],
            name=op.f("fk_spot_orders_main_contract_id_customer_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spot_orders")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_spot_orders_customer_id_id"), "spot_orders", ["customer_id", "id"], unique=False)
    op.create_index(
        op.f("ix_spot_orders_main_contract_id_status"),
        "spot_orders",
        ["main_contract_id", "status"],
        unique=False,
    )

    op.create_table(
        "terms",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("main_contract_id", sa.Integer(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_before", sa.Date(), nullable=False),
        sa.Column("previous_ends_before", sa.Date(), nullable=True),
        sa.Column("plan_code", sa.String(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("accounts_per_unit", sa.Integer(), nullable=False),
        sa.Column("billing_cycle", sa.String(), nullable=False),
        sa.Column("monthly_unit_price_minor", sa.Integer(), nullable=False),
        sa.Column("annual_unit_price_minor", sa.Integer(), nullable=False),
        sa.CheckConstraint("billing_cycle IN ('MONTHLY', 'ANNUAL')", name=op.f("ck_terms_billing_cycle")),
        sa.CheckConstraint(
            "monthly_unit_price_minor >= 0 AND annual_unit_price_minor >= 0", name=op.f("ck_terms_prices")
        ),
        sa.CheckConstraint("previous_ends_before = starts_on", name=op.f("ck_terms_contiguous")),
        sa.CheckConstraint("starts_on < ends_before", name=op.f("ck_terms_period")),
        sa.CheckConstraint("units > 0 AND accounts_per_unit > 0", name=op.f("ck_terms_units")),
        sa.ForeignKeyConstraint(
            ["main_contract_id", "previous_ends_before"],
            ["terms.main_contract_id", "terms.ends_before"],
            name=op.f("fk_terms_main_contract_id_previous_ends_before"),
        ),
        sa.ForeignKeyConstraint(["main_contract_id"], ["main_contracts.id"], name=op.f("fk_terms_main_contract_id")),
        sa.ForeignKeyConstraint(["plan_code"], ["plans.code"], name=op.f("fk_terms_plan_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_terms")),
        sa.UniqueConstraint("main_contract_id", "ends_before", name=op.f("uq_terms_main_contract_id_ends_before")),
        sa.UniqueConstraint(
            "main_contract_id",
            "previous_ends_before",
            name=op.f("uq_terms_main_contract_id_previous_ends_before"),
        ),
        sa.UniqueConstraint(
            "main_contract_id",
            "starts_on",
            "ends_before",
            name=op.f("uq_terms_main_contract_id_starts_on_ends_before"),
        ),
    )
    op.create_index(
        "uq_terms_first",
        "terms",
        ["main_contract_id"],
        unique=True,
        sqlite_where=sa.text("previous_ends_before IS NULL"),
        postgresql_where=sa.text("previous_ends_before IS NULL"),
    )

    op.create_table(
        "additional_licences",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("main_contract_id", sa.Integer(), nullable=False),
        sa.Column("term_starts_on", sa.Date(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_before", sa.Date(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("accounts", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "starts_on >= term_starts_on AND starts_on < ends_before",
            name=op.f("ck_additional_licences_period"),
        ),
        sa.CheckConstraint("units > 0 AND accounts > 0", name=op.f("ck_additional_licences_units")),
        sa.ForeignKeyConstraint(
            ["main_contract_id", "term_starts_on", "ends_before"],
            ["terms.main_contract_id", "terms.starts_on", "terms.ends_before"],
            name="fk_additional_licences_term",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_additional_licences")),
    )
    op.create_index(
        op.f("ix_additional_licences_main_contract_id"),
        "additional_licences",
        ["main_contract_id"],
        unique=False,
    )

    op.create_table(
        "idempotency_keys",
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("input_hash", sa.String(), nullable=False),
        sa.Column("spot_order_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_idempotency_keys_customer_id")),
        sa.ForeignKeyConstraint(["spot_order_id"], ["spot_orders.id"], name=op.f("fk_idempotency_keys_spot_order_id")),
        sa.PrimaryKeyConstraint("customer_id", "key", name=op.f("pk_idempotency_keys")),
    )

    _insert_example_catalogue()


def _insert_example_catalogue() -> None:
    """Free, Starter and Standard, and Japan's consumption tax.

    Standard's monthly price is not published: 15,000 keeps Starter's ratio of a year to six months' price.
    """
    plans = sa.table("plans", *map(sa.column, ("code", "name", "accounts_per_unit", "position")))
    op.bulk_insert(
        plans,
        [
            {"code": "FREE", "name": "Free", "accounts_per_unit": 100, "position": 1},
            {"code": "STARTER", "name": "Starter", "accounts_per_unit": 100, "position": 2},
            {"code": "STANDARD", "name": "Standard", "accounts_per_unit": 100, "position": 3},
        ],
    )
    prices = sa.table(
        "plan_prices",
        sa.column("plan_code"),
        sa.column("effective_from", sa.Date()),
        sa.column("monthly_unit_price_minor"),
        sa.column("annual_unit_price_minor"),
    )
    op.bulk_insert(
        prices,
        [
            {
                "plan_code": code,
                "effective_from": date(2019, 10, 1),
                "monthly_unit_price_minor": monthly,
                "annual_unit_price_minor": annual,
            }
            for code, monthly, annual in (("STARTER", 5_000, 30_000), ("STANDARD", 15_000, 90_000))
        ],
    )
    tax_rates = sa.table("tax_rates", sa.column("effective_from", sa.Date()), sa.column("basis_points"))
    op.bulk_insert(tax_rates, [{"effective_from": date(2019, 10, 1), "basis_points": 1_000}])


def downgrade() -> None:
    op.drop_table("idempotency_keys")
    op.drop_index(op.f("ix_additional_licences_main_contract_id"), table_name="additional_licences")

    op.drop_table("additional_licences")
    op.drop_index(
        "uq_terms_first",
        table_name="terms",
        sqlite_where=sa.text("previous_ends_before IS NULL"),
        postgresql_where=sa.text("previous_ends_before IS NULL"),
    )

    op.drop_table("terms")
    op.drop_index(op.f("ix_spot_orders_main_contract_id_status"), table_name="spot_orders")
    op.drop_index(op.f("ix_spot_orders_customer_id_id"), table_name="spot_orders")

    op.drop_table("spot_orders")
    op.drop_table("plan_prices")
    op.drop_table("main_contracts")
    op.drop_index(op.f("ix_access_tokens_customer_id"), table_name="access_tokens")

    op.drop_table("access_tokens")
    op.drop_table("tax_rates")
    op.drop_table("plans")
    op.drop_index(op.f("ix_customers_name_id"), table_name="customers")

    op.drop_table("customers")
