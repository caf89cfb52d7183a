"""Tokens that are revoked, and people of an OpenID Connect provider"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("access_tokens", sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("access_tokens", sa.Column("subject", sa.String(), nullable=True))


def downgrade() -> None:
    # Without the column they could sign in again; the history refers to them, so they cannot go.
    op.execute(
        "UPDATE access_tokens SET token_hash = 'revoked ' || id WHERE revoked_at IS NOT NULL OR subject IS NOT NULL"
    )
    op.drop_column("access_tokens", "subject")
    op.drop_column("access_tokens", "revoked_at")
