"""Documents for the tests of how they look."""

from dataclasses import replace
from datetime import date

from domain.documents import Document, DocumentKind, DocumentLine, Issuer, ItemKind, tax_groups
from domain.months import Period, ends_before
from domain.orders import PaymentMethod

ISSUER = Issuer(
    name="株式会社スポットプラン",
    postal_code="100-0005",
    address="東京都千代田区丸の内一丁目1番1号\n丸の内ビル12階",
    registration_number="T1234567890123",
    bank_account="みらい銀行 丸の内支店 普通 1234567\n口座名義 株式会社スポットプラン",
)
ISSUED_ON = date(2026, 5, 1)


def line(
    starts_on: date = date(2026, 5, 1),
    months: int = 1,
    *,
    units: int = 1,
    kind: ItemKind = ItemKind.SPOT,
    plan_name: str = "",
    net_minor: int | None = None,
    tax_basis_points: int = 1_000,
    order_number: str | None = "SO-2026-00042",
) -> DocumentLine:
    """A spot at the price of the page's Starter plan, unless told otherwise."""
    return DocumentLine(
        kind=kind,
        plan_name=plan_name,
        period=Period(starts_on, ends_before(starts_on, months)),
        months=months if kind is ItemKind.SPOT else None,
        units=units,
        accounts=units * 100,
        net_minor=5_000 * units * months if net_minor is None else net_minor,
        tax_basis_points=tax_basis_points,
        order_number=order_number,
    )


def invoice(*lines: DocumentLine, recipient: str = "株式会社青葉アカデミー") -> Document:
    """An invoice, due at the end of the next month; the page's example of 5,500 yen where no line is given."""
    content = lines or (line(),)
    return Document(
        kind=DocumentKind.INVOICE,
        number="INV-2026-00007",
        issued_on=ISSUED_ON,
        currency="JPY",
        issuer=ISSUER,
        recipient=recipient,
        lines=content,
        tax_groups=tax_groups(content),
        payment_method=PaymentMethod.INVOICE,
        due_on=date(2026, 6, 30),
    )


def credit_note(*lines: DocumentLine) -> Document:
    """What takes back an invoice."""
    return replace(
        invoice(*lines),
        kind=DocumentKind.CREDIT_NOTE,
        number="CN-2026-00003",
        due_on=None,
        refers_to="INV-2026-00007",
    )


def quote(*lines: DocumentLine) -> Document:
    """An offer, valid for a month; its lines come from no order."""
    content = tuple(replace(one, order_number=None) for one in lines or (line(),))
    return replace(
        invoice(*content),
        kind=DocumentKind.QUOTE,
        number="Q-2026-00012",
        payment_method=None,
        due_on=None,
        valid_until=date(2026, 5, 31),
    )


def lines(count: int) -> tuple[DocumentLine, ...]:
    """Spots of different days, lengths and sizes, each from an order of its own."""
    return tuple(
        line(
            date(2026, 5 + index % 6, 1 + index * 5 % 28),
            1 + index % 4,
            units=1 + index * 7 % 13,
            order_number=f"SO-2026-{42 + index:05d}",
        )
        for index in range(count)
    )
