"""Purchases, orders of the main contract, documents, payments, the ledger, saved recommendations and quotes"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

APPEND_ONLY = ("documents", "ledger_entries")


def upgrade() -> None:
    op.create_table(
        "document_numbers",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "year", name=op.f("pk_document_numbers")),
    )
    op.create_table(
        "purchases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("payment_method", sa.String(), nullable=True),
        sa.Column("payment_due_on", sa.Date(), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("terms_version", sa.String(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'CONFIRMED') = (confirmed_at IS NOT NULL)", name=op.f("ck_purchases_confirmed")),
        sa.CheckConstraint(
            "payment_method IN ('INVOICE', 'CREDIT_CARD', 'BANK_TRANSFER')", name=op.f("ck_purchases_payment_method")
        ),
        sa.CheckConstraint(
            "status IN ('AWAITING_PAYMENT_METHOD', 'PENDING_PAYMENT', 'CONFIRMED', 'CANCELLED', 'EXPIRED')",
            name=op.f("ck_purchases_status"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('CONFIRMED', 'PENDING_PAYMENT') OR payment_method IS NOT NULL",
            name=op.f("ck_purchases_has_payment_method"),
        ),
        sa.CheckConstraint("placed_at < expires_at", name=op.f("ck_purchases_expires")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_purchases_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchases")),
        sa.UniqueConstraint("id", "customer_id", name=op.f("uq_purchases_id_customer_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_purchases_customer_id_id"), "purchases", ["customer_id", "id"], unique=False)
    op.create_table(
        "cancelled_terms",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("main_contract_id", sa.Integer(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_before", sa.Date(), nullable=False),
        sa.Column("plan_code", sa.String(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("accounts_per_unit", sa.Integer(), nullable=False),
        sa.Column("billing_cycle", sa.String(), nullable=False),
        sa.Column("monthly_unit_price_minor", sa.Integer(), nullable=False),
        sa.Column("annual_unit_price_minor", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("starts_on < ends_before", name=op.f("ck_cancelled_terms_period")),
        sa.ForeignKeyConstraint(
            ["main_contract_id"], ["main_contracts.id"], name=op.f("fk_cancelled_terms_main_contract_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cancelled_terms")),
    )
    op.create_index(op.f("ix_cancelled_terms_main_contract_id"), "cancelled_terms", ["main_contract_id"], unique=False)
    op.create_table(
        "contract_orders",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("purchase_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("plan_code", sa.String(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("accounts_per_unit", sa.Integer(), nullable=False),
        sa.Column("billing_cycle", sa.String(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_before", sa.Date(), nullable=False),
        sa.Column("monthly_unit_price_minor", sa.Integer(), nullable=False),
        sa.Column("annual_unit_price_minor", sa.Integer(), nullable=False),
        sa.Column("net_minor", sa.Integer(), nullable=False),
        sa.Column("tax_minor", sa.Integer(), nullable=False),
        sa.Column("tax_basis_points", sa.Integer(), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("billing_cycle IN ('MONTHLY', 'ANNUAL')", name=op.f("ck_contract_orders_billing_cycle")),
        sa.CheckConstraint(
            "kind IN ('MAIN_CONTRACT', 'RENEWAL', 'ADDITIONAL_LICENCE', 'UPGRADE')",
            name=op.f("ck_contract_orders_kind"),
        ),
        sa.CheckConstraint(
            "status IN ('AWAITING_PAYMENT_METHOD', 'PENDING_PAYMENT', 'CONFIRMED', 'CANCELLED', 'EXPIRED')",
            name=op.f("ck_contract_orders_status"),
        ),
        sa.CheckConstraint("net_minor >= 0 AND tax_minor >= 0", name=op.f("ck_contract_orders_amounts")),
        sa.CheckConstraint("starts_on < ends_before", name=op.f("ck_contract_orders_period")),
        sa.CheckConstraint("units > 0 AND accounts_per_unit > 0", name=op.f("ck_contract_orders_units")),
        sa.ForeignKeyConstraint(["plan_code"], ["plans.code"], name=op.f("fk_contract_orders_plan_code")),
        sa.ForeignKeyConstraint(
            ["purchase_id", "customer_id"],
            ["purchases.id", "purchases.customer_id"],
            name=op.f("fk_contract_orders_purchase_id_customer_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_orders")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_contract_orders_customer_id_id"), "contract_orders", ["customer_id", "id"], unique=False)
    op.create_index(op.f("ix_contract_orders_purchase_id"), "contract_orders", ["purchase_id"], unique=False)
    op.create_table(
        "documents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("purchase_id", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.Integer(), nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("total_minor", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.CheckConstraint("(kind = 'CREDIT_NOTE') = (invoice_id IS NOT NULL)", name=op.f("ck_documents_refers")),
        sa.CheckConstraint("kind IN ('INVOICE', 'CREDIT_NOTE')", name=op.f("ck_documents_kind")),
        sa.CheckConstraint("serial > 0 AND total_minor >= 0", name=op.f("ck_documents_numbers")),
        sa.ForeignKeyConstraint(["invoice_id"], ["documents.id"], name=op.f("fk_documents_invoice_id")),
        sa.ForeignKeyConstraint(
            ["purchase_id", "customer_id"],
            ["purchases.id", "purchases.customer_id"],
            name=op.f("fk_documents_purchase_id_customer_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
        sa.UniqueConstraint("kind", "year", "serial", name=op.f("uq_documents_kind_year_serial")),
    )
    op.create_index(op.f("ix_documents_customer_id_id"), "documents", ["customer_id", "id"], unique=False)
    op.create_index(op.f("ix_documents_purchase_id"), "documents", ["purchase_id"], unique=False)
    op.create_table(
        "payments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("purchase_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.Integer(), nullable=False),
        sa.Column("refund_wanted_minor", sa.Integer(), nullable=False),
        sa.Column("refunded_minor", sa.Integer(), nullable=False),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('STARTED', 'REQUIRES_ACTION', 'PROCESSING', 'SUCCEEDED', 'FAILED', 'CANCELLED')",
            name=op.f("ck_payments_state"),
        ),
        sa.CheckConstraint(
            "0 <= refunded_minor AND refunded_minor <= refund_wanted_minor AND refund_wanted_minor <= amount_minor",
            name=op.f("ck_payments_amounts"),
        ),
        sa.UniqueConstraint("key", name=op.f("uq_payments_key")),
        sa.ForeignKeyConstraint(
            ["purchase_id", "customer_id"],
            ["purchases.id", "purchases.customer_id"],
            name=op.f("fk_payments_purchase_id_customer_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("provider", "reference", name=op.f("uq_payments_provider_reference")),
    )
    op.create_index(op.f("ix_payments_purchase_id"), "payments", ["purchase_id"], unique=False)
    to_refund = sa.text("refunded_minor < refund_wanted_minor")
    op.create_index("ix_payments_to_refund", "payments", ["id"], sqlite_where=to_refund, postgresql_where=to_refund)
    op.create_table(
        "plan_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("main_contract_id", sa.Integer(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("plan_code", sa.String(), nullable=False),
        sa.Column("monthly_unit_price_minor", sa.Integer(), nullable=False),
        sa.Column("annual_unit_price_minor", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "monthly_unit_price_minor >= 0 AND annual_unit_price_minor >= 0", name=op.f("ck_plan_changes_prices")
        ),
        sa.ForeignKeyConstraint(
            ["main_contract_id"], ["main_contracts.id"], name=op.f("fk_plan_changes_main_contract_id")
        ),
        sa.ForeignKeyConstraint(["plan_code"], ["plans.code"], name=op.f("fk_plan_changes_plan_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_changes")),
        sa.UniqueConstraint(
            "main_contract_id", "effective_on", name=op.f("uq_plan_changes_main_contract_id_effective_on")
        ),
    )
    op.create_table(
        "quotes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("total_minor", sa.Integer(), nullable=False),
        sa.Column("purchase_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("total_minor >= 0", name=op.f("ck_quotes_total")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_quotes_customer_id")),
        sa.ForeignKeyConstraint(["purchase_id"], ["purchases.id"], name=op.f("fk_quotes_purchase_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quotes")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_quotes_customer_id_id"), "quotes", ["customer_id", "id"], unique=False)
    op.create_table(
        "saved_recommendations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("contract_version", sa.String(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("purchase_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_saved_recommendations_customer_id")),
        sa.ForeignKeyConstraint(["purchase_id"], ["purchases.id"], name=op.f("fk_saved_recommendations_purchase_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_recommendations")),
    )
    op.create_index(
        op.f("ix_saved_recommendations_customer_id_id"), "saved_recommendations", ["customer_id", "id"], unique=False
    )
    op.create_table(
        "ledger_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("purchase_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("document_id", sa.Integer(), nullable=True),
        sa.Column("payment_id", sa.Integer(), nullable=True),
        sa.Column("amount_minor", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.CheckConstraint(
            "(kind IN ('INVOICE', 'CREDIT_NOTE')) = (document_id IS NOT NULL)", name=op.f("ck_ledger_entries_document")
        ),
        sa.CheckConstraint(
            "CASE WHEN kind IN ('INVOICE', 'REFUND') THEN amount_minor >= 0 ELSE amount_minor <= 0 END",
            name=op.f("ck_ledger_entries_sign"),
        ),
        sa.CheckConstraint(
            "kind IN ('INVOICE', 'CREDIT_NOTE', 'PAYMENT', 'REFUND')", name=op.f("ck_ledger_entries_kind")
        ),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f("fk_ledger_entries_document_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_ledger_entries_payment_id")),
        sa.ForeignKeyConstraint(
            ["purchase_id", "customer_id"],
            ["purchases.id", "purchases.customer_id"],
            name=op.f("fk_ledger_entries_purchase_id_customer_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint("document_id", name=op.f("uq_ledger_entries_document_id")),
    )
    op.create_index(op.f("ix_ledger_entries_customer_id_id"), "ledger_entries", ["customer_id", "id"], unique=False)
    op.create_index(op.f("ix_ledger_entries_purchase_id"), "ledger_entries", ["purchase_id"], unique=False)

    _add_columns()
    for table in APPEND_ONLY:
        _make_append_only(table)


def _add_columns() -> None:
    """New columns of tables that others refer to: added in place, since SQLite could not copy such tables."""
    op.add_column("spot_orders", sa.Column("purchase_id", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_spot_orders_purchase_id"), "spot_orders", ["purchase_id"], unique=False)
    # Each order was a purchase of its own, which keeps its number.
    op.execute(
        "INSERT INTO purchases (id, customer_id, status, payment_method, payment_due_on, currency, terms_version,"
        " placed_at, expires_at, confirmed_at)"
        " SELECT id, customer_id, CASE WHEN status IN ('ACTIVE', 'ENDED') THEN 'CONFIRMED' ELSE status END,"
        " payment_method, payment_due_on, currency, terms_version, placed_at, expires_at, confirmed_at FROM spot_orders"
    )
    op.execute("UPDATE spot_orders SET purchase_id = id")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "SELECT setval('purchases_id_seq', (SELECT max(id) FROM purchases)) WHERE EXISTS (SELECT 1 FROM purchases)"
        )
    op.add_column("terms", sa.Column("run", sa.Integer(), nullable=False, server_default="1"))
    op.drop_index("uq_terms_first", table_name="terms")
    _first_terms(["main_contract_id", "run"])
    # Customers on the Free plan are locked by a contract without terms.
    yesterday = "CURRENT_DATE - 1" if op.get_bind().dialect.name == "postgresql" else "date('now', '-1 day')"
    op.execute(
        "INSERT INTO main_contracts (customer_id, version, settled_through, due_at)"
        f" SELECT id, 1, {yesterday}, NULL FROM customers"
        " WHERE NOT EXISTS (SELECT 1 FROM main_contracts WHERE customer_id = customers.id)"
    )


def _first_terms(columns: list[str]) -> None:
    condition = sa.text("previous_ends_before IS NULL")
    op.create_index("uq_terms_first", "terms", columns, unique=True, sqlite_where=condition, postgresql_where=condition)


def _make_append_only(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE FUNCTION refuse_to_change_{table}() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION '{table} are append-only'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_{table}()"
        )
        return
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_refuse_{action.lower()} BEFORE {action} ON {table}"
            f" BEGIN SELECT RAISE(ABORT, '{table} are append-only'); END"
        )


def downgrade() -> None:
    """Second runs of terms and everything new is lost: the older tables cannot hold them."""
    if op.get_bind().dialect.name == "postgresql":
        for table in APPEND_ONLY:
            op.execute(f"DROP TRIGGER {table}_are_append_only ON {table}")
            op.execute(f"DROP FUNCTION refuse_to_change_{table}()")
    op.execute(
        "DELETE FROM main_contracts WHERE NOT EXISTS (SELECT 1 FROM terms WHERE main_contract_id = main_contracts.id)"
    )
    op.drop_index("uq_terms_first", table_name="terms")
    op.drop_column("terms", "run")
    _first_terms(["main_contract_id"])
    op.drop_index(op.f("ix_spot_orders_purchase_id"), table_name="spot_orders")
    op.drop_column("spot_orders", "purchase_id")
    op.drop_index(op.f("ix_ledger_entries_purchase_id"), table_name="ledger_entries")
    op.drop_index(op.f("ix_ledger_entries_customer_id_id"), table_name="ledger_entries")
    op.drop_table("ledger_entries")
    op.drop_index(op.f("ix_saved_recommendations_customer_id_id"), table_name="saved_recommendations")
    op.drop_table("saved_recommendations")
    op.drop_index(op.f("ix_quotes_customer_id_id"), table_name="quotes")
    op.drop_table("quotes")
    op.drop_table("plan_changes")
    op.drop_index("ix_payments_to_refund", table_name="payments")
    op.drop_index(op.f("ix_payments_purchase_id"), table_name="payments")
    op.drop_table("payments")
    op.drop_index(op.f("ix_documents_purchase_id"), table_name="documents")
    op.drop_index(op.f("ix_documents_customer_id_id"), table_name="documents")
    op.drop_table("documents")
    op.drop_index(op.f("ix_contract_orders_purchase_id"), table_name="contract_orders")
    op.drop_index(op.f("ix_contract_orders_customer_id_id"), table_name="contract_orders")
    op.drop_table("contract_orders")
    op.drop_index(op.f("ix_cancelled_terms_main_contract_id"), table_name="cancelled_terms")
    op.drop_table("cancelled_terms")
    op.drop_index(op.f("ix_purchases_customer_id_id"), table_name="purchases")
    op.drop_table("purchases")
    op.drop_table("document_numbers")
