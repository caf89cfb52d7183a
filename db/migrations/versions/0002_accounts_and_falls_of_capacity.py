"""Accounts, falls of capacity, the history, and what is due"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def upgrade() -> None:
    op.create_table(
        "test_clock",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("now", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_test_clock_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_test_clock")),
    )
    op.create_table(
        "account_groups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("is_built_in", sa.Boolean(), nullable=False),
        sa.CheckConstraint("length(name) > 0", name=op.f("ck_account_groups_name")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_account_groups_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_groups")),
        sa.UniqueConstraint("customer_id", "name", name=op.f("uq_account_groups_customer_id_name")),
        sa.UniqueConstraint("id", "customer_id", name=op.f("uq_account_groups_id_customer_id")),
    )
    op.create_index(
        "uq_account_groups_built_in",
        "account_groups",
        ["customer_id"],
        unique=True,
        sqlite_where=sa.text("is_built_in"),
        postgresql_where=sa.text("is_built_in"),
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("is_protected", sa.Boolean(), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counted_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deactivated_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "CASE WHEN status = 'DELETED' THEN name = '' AND email IS NULL ELSE length(name) > 0 END",
            name=op.f("ck_accounts_name"),
        ),
        sa.CheckConstraint(
            "status <> 'DEACTIVATED' OR deactivated_at IS NOT NULL", name=op.f("ck_accounts_deactivated")
        ),
        sa.CheckConstraint(
            "status IN ('ACTIVE', 'SUSPENDED', 'DEACTIVATED', 'DELETED')", name=op.f("ck_accounts_status")
        ),
        sa.CheckConstraint("length(external_id) > 0", name=op.f("ck_accounts_external_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_accounts_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("id", "customer_id", name=op.f("uq_accounts_id_customer_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_accounts_customer_id_name_id"), "accounts", ["customer_id", "name", "id"], unique=False)
    op.create_index(op.f("ix_accounts_customer_id_status"), "accounts", ["customer_id", "status"], unique=False)
    op.create_index(
        "uq_accounts_customer_id_external_id",
        "accounts",
        ["customer_id", "external_id"],
        unique=True,
        sqlite_where=sa.text("status <> 'DELETED'"),
        postgresql_where=sa.text("status <> 'DELETED'"),
    )
    op.create_table(
        "account_group_members",
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id", "customer_id"],
            ["accounts.id", "accounts.customer_id"],
            name=op.f("fk_account_group_members_account_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["group_id", "customer_id"],
            ["account_groups.id", "account_groups.customer_id"],
            name=op.f("fk_account_group_members_group_id_customer_id"),
        ),
        sa.PrimaryKeyConstraint("group_id", "account_id", name=op.f("pk_account_group_members")),
    )
    op.create_index(op.f("ix_account_group_members_account_id"), "account_group_members", ["account_id"], unique=False)
    op.create_table(
        "capacity_falls",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("main_contract_id", sa.Integer(), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("capacity_before", sa.Integer(), nullable=False),
        sa.Column("capacity_after", sa.Integer(), nullable=False),
        sa.Column("counted_before", sa.Integer(), nullable=False),
        sa.Column("deactivated", sa.Integer(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "0 <= capacity_after AND capacity_after < capacity_before", name=op.f("ck_capacity_falls_falls")
        ),
        sa.CheckConstraint(
            "0 <= deactivated AND deactivated <= counted_before", name=op.f("ck_capacity_falls_deactivated")
        ),
        sa.ForeignKeyConstraint(
            ["main_contract_id", "customer_id"],
            ["main_contracts.id", "main_contracts.customer_id"],
            name=op.f("fk_capacity_falls_main_contract_id_customer_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_capacity_falls")),
        sa.UniqueConstraint("main_contract_id", "on_day", name=op.f("uq_capacity_falls_main_contract_id_on_day")),
    )
    op.create_index(op.f("ix_capacity_falls_customer_id_id"), "capacity_falls", ["customer_id", "id"], unique=False)
    op.create_table(
        "deactivations",
        sa.Column("fall_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("previous_status", sa.String(), nullable=False),
        sa.CheckConstraint("previous_status IN ('ACTIVE', 'SUSPENDED')", name=op.f("ck_deactivations_previous_status")),
        sa.CheckConstraint(
            "reason IN ('REGISTERED_DURING_SPOT', 'NEWEST_OVER_CAPACITY')", name=op.f("ck_deactivations_reason")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_deactivations_account_id")),
        sa.ForeignKeyConstraint(["fall_id"], ["capacity_falls.id"], name=op.f("fk_deactivations_fall_id")),
        sa.PrimaryKeyConstraint("fall_id", "position", name=op.f("pk_deactivations")),
        sa.UniqueConstraint("fall_id", "account_id", name=op.f("uq_deactivations_fall_id_account_id")),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("actor_token_id", sa.Integer(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("spot_order_id", sa.Integer(), nullable=True),
        sa.Column("capacity_fall_id", sa.Integer(), nullable=True),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("counted_after", sa.Integer(), nullable=True),
        sa.CheckConstraint("actor IN ('OWNER', 'SALES', 'OPERATOR', 'SYSTEM')", name=op.f("ck_events_actor")),
        sa.CheckConstraint("occurred_at <= recorded_at", name=op.f("ck_events_occurred_at")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_events_account_id")),
        sa.ForeignKeyConstraint(["actor_token_id"], ["access_tokens.id"], name=op.f("fk_events_actor_token_id")),
        sa.ForeignKeyConstraint(["capacity_fall_id"], ["capacity_falls.id"], name=op.f("fk_events_capacity_fall_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_events_customer_id")),
        sa.ForeignKeyConstraint(["spot_order_id"], ["spot_orders.id"], name=op.f("fk_events_spot_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_events_account_id_id"), "events", ["account_id", "id"], unique=False)
    op.create_index(op.f("ix_events_customer_id_id"), "events", ["customer_id", "id"], unique=False)

    _add_columns()
    _generalise_keys()
    _make_events_append_only()


def _add_columns() -> None:
    """New columns of tables that others refer to: added in place, since SQLite could not copy such tables."""
    # Alembic adds no constraint with a column, and SQLite adds none later; both databases take this statement.
    op.execute(
        "ALTER TABLE customers ADD COLUMN deactivation_policy VARCHAR DEFAULT 'ALL_REGISTERED_DURING_SPOT' NOT NULL"
        " CONSTRAINT ck_customers_deactivation_policy"
        " CHECK (deactivation_policy IN ('ALL_REGISTERED_DURING_SPOT', 'EXCESS_ONLY'))"
    )
    instant = sa.DateTime(timezone=True)
    for table in ("terms", "additional_licences"):
        default = (
            "1970-01-01 00:00:00.000000+00"
            if op.get_bind().dialect.name == "postgresql"
            else "1970-01-01 00:00:00.000000"
        )
        op.add_column(table, sa.Column("recorded_at", instant, nullable=False, server_default=default))
        # When they were recorded is not known any more: as early as it can have been.
        op.execute(
            f"UPDATE {table} SET recorded_at = (SELECT customers.created_at FROM customers JOIN main_contracts"
            f" ON main_contracts.customer_id = customers.id WHERE main_contracts.id = {table}.main_contract_id)"
        )
    op.add_column(
        "main_contracts", sa.Column("settled_through", sa.Date(), nullable=False, server_default="1970-01-01")
    )
    op.add_column("main_contracts", sa.Column("due_at", instant, nullable=True))
    op.create_index(op.f("ix_main_contracts_due_at"), "main_contracts", ["due_at"], unique=False)
    op.execute(
        "UPDATE main_contracts SET settled_through ="
        " (SELECT min(starts_on) FROM terms WHERE main_contract_id = main_contracts.id)"
    )
    # No day that is not over yet may count as settled, wherever the customer is.
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    contracts = sa.table("main_contracts", sa.column("settled_through", sa.Date()), sa.column("due_at", instant))
    op.execute(contracts.update().where(contracts.c.settled_through > yesterday).values(settled_through=yesterday))
    # Everything is due once: settling it finds out what is next.
    op.execute(contracts.update().values(due_at=LONG_AGO))


def _generalise_keys() -> None:
    """Idempotency keys remember a list of row ids instead of one order."""
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    op.add_column("idempotency_keys", sa.Column("result", sa.JSON(), nullable=True))
    text = "'[' || spot_order_id || ']'"
    op.execute(f"UPDATE idempotency_keys SET result = {f'CAST({text} AS JSON)' if is_postgresql else text}")
    with op.batch_alter_table("idempotency_keys") as batch:
        batch.drop_constraint(op.f("fk_idempotency_keys_spot_order_id"), type_="foreignkey")
        batch.drop_column("spot_order_id")
        batch.alter_column("result", nullable=False, existing_type=sa.JSON())


def _make_events_append_only() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_to_change_events() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'events are append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER events_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_events()"
        )
        return
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER events_refuse_{action.lower()} BEFORE {action} ON events"
            " BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER events_are_append_only ON events")
        op.execute("DROP FUNCTION refuse_to_change_events()")
    _narrow_keys()
    op.drop_column("terms", "recorded_at")
    op.drop_column("additional_licences", "recorded_at")
    op.drop_index(op.f("ix_main_contracts_due_at"), table_name="main_contracts")
    op.drop_column("main_contracts", "due_at")
    op.drop_column("main_contracts", "settled_through")
    op.drop_column("customers", "deactivation_policy")
    op.drop_index(op.f("ix_events_customer_id_id"), table_name="events")
    op.drop_index(op.f("ix_events_account_id_id"), table_name="events")
    op.drop_table("events")
    op.drop_table("deactivations")
    op.drop_index(op.f("ix_capacity_falls_customer_id_id"), table_name="capacity_falls")
    op.drop_table("capacity_falls")
    op.drop_index(op.f("ix_account_group_members_account_id"), table_name="account_group_members")
    op.drop_table("account_group_members")
    op.drop_index(
        "uq_accounts_customer_id_external_id",
        table_name="accounts",
        sqlite_where=sa.text("status <> 'DELETED'"),
        postgresql_where=sa.text("status <> 'DELETED'"),
    )
    op.drop_index(op.f("ix_accounts_customer_id_status"), table_name="accounts")
    op.drop_index(op.f("ix_accounts_customer_id_name_id"), table_name="accounts")
    op.drop_table("accounts")
    op.drop_index(
        "uq_account_groups_built_in",
        table_name="account_groups",
        sqlite_where=sa.text("is_built_in"),
        postgresql_where=sa.text("is_built_in"),
    )
    op.drop_table("account_groups")
    op.drop_table("test_clock")


def _narrow_keys() -> None:
    """Keys of other operations than orders are lost: the older tables cannot hold them."""
    first = (
        "CAST(result ->> 0 AS INTEGER)"
        if op.get_bind().dialect.name == "postgresql"
        else "json_extract(result, '$[0]')"
    )
    op.execute("DELETE FROM idempotency_keys WHERE operation NOT LIKE 'spotOrder%'")
    op.add_column("idempotency_keys", sa.Column("spot_order_id", sa.Integer(), nullable=True))
    op.execute(f"UPDATE idempotency_keys SET spot_order_id = {first}")
    with op.batch_alter_table("idempotency_keys") as batch:
        batch.drop_column("result")
        batch.alter_column("spot_order_id", nullable=False, existing_type=sa.Integer())
        batch.create_foreign_key(op.f("fk_idempotency_keys_spot_order_id"), "spot_orders", ["spot_order_id"], ["id"])
