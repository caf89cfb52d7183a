"""The tables of webhooks. What they deliver is the table of events: there is no second outbox."""

from datetime import datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.tables import Base


class WebhookEndpointRow(Base):
    """Where a customer's events are sent, and how far that is: up to event number ``position``.

    The secret is stored as it is, unlike tokens: whoever signs needs the secret itself. It signs our messages to this
    one receiver and opens nothing here.

    One process delivers at a time: the one whose ``lease_token`` the row has, until ``leased_until``. Who crashed is
    followed by another process then. Without a token, that is when the last process let go.
    """

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        UniqueConstraint("customer_id", "url"),
        CheckConstraint("length(url) > 0", name="url"),
        CheckConstraint("secret LIKE 'whsec_%'", name="secret"),
        CheckConstraint("(previous_secret IS NULL) = (previous_secret_until IS NULL)", name="previous_secret"),
        CheckConstraint("position >= 0 AND attempts >= 0", name="progress"),
        CheckConstraint("disabled_at IS NULL OR next_attempt_at IS NULL", name="disabled"),
        Index(
            "ix_webhook_endpoints_enabled",
            "leased_until",
            sqlite_where=text("disabled_at IS NULL"),
            postgresql_where=text("disabled_at IS NULL"),
        ),
        {"sqlite_autoincrement": True},  # an id is never given twice: clients keep it
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    url: Mapped[str]
    secret: Mapped[str]
    previous_secret: Mapped[str | None]
    previous_secret_until: Mapped[datetime | None]
    kinds: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    position: Mapped[int]
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    leased_until: Mapped[datetime]
    lease_token: Mapped[str | None]


class WebhookDeliveryRow(Base):
    """An attempt to deliver an event; the last ones of each endpoint are kept."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint("attempt > 0 AND milliseconds >= 0", name="numbers"),
        CheckConstraint("status_code IS NOT NULL OR error IS NOT NULL", name="outcome"),
        Index(None, "endpoint_id", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("webhook_endpoints.id"))
    event_id: Mapped[int]  # no foreign key: events are never removed
    attempt: Mapped[int]
    attempted_at: Mapped[datetime]
    status_code: Mapped[int | None]
    error: Mapped[str | None]
    milliseconds: Mapped[int]
