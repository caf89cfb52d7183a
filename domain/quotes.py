"""Quotes: offers at held prices until their last day."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from domain.documents import Document
from domain.held import HeldItem


class QuoteStatus(StrEnum):
    """Where a quote stands."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Quote:
    """A quote as it was issued. ``valid_until`` is its last day.

    ``purchase_id`` is the purchase it became; None again where that was cancelled or expired before it was paid.
    """

    id: int
    customer_id: int
    issued_at: datetime
    valid_until: date
    items: tuple[HeldItem, ...]
    document: Document
    purchase_id: int | None

    @property
    def number(self) -> str:
        """The number people use, such as Q-2026-00042: unique, rising, not without gaps."""
        return f"Q-{self.document.issued_on.year}-{self.id:05d}"

    def status_on(self, today: date) -> QuoteStatus:
        """Where it stands on a day of the customer's."""
        if self.purchase_id is not None:
            return QuoteStatus.ACCEPTED
        return QuoteStatus.OPEN if today <= self.valid_until else QuoteStatus.EXPIRED


@dataclass(frozen=True, slots=True)
class SavedRecommendation:
    """A plan that can be ordered as long as the contract stays as it was when the plan was made."""

    id: int
    customer_id: int
    contract_version: str
    saved_at: datetime
    status: str
    items: tuple[HeldItem, ...]
    purchase_id: int | None
