"""The ledger: what customers owe, and what settles it."""

from dataclasses import dataclass
from enum import StrEnum


class EntryKind(StrEnum):
    """What an entry records."""

    INVOICE = "INVOICE"
    CREDIT_NOTE = "CREDIT_NOTE"
    PAYMENT = "PAYMENT"
    REFUND = "REFUND"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """Money that is owed (invoices and refunds, positive) or settled (credit notes and payments, negative).

    A customer's entries add up to what it owes. Documents have one entry each.
    """

    kind: EntryKind
    customer_id: int
    purchase_id: int
    amount_minor: int
    document_id: int | None = None
    payment_id: int | None = None
    note: str = ""
