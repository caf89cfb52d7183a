"""The words of documents in both languages, and how amounts, days, rates and periods are written.

Words of Japanese qualified invoices are those of the Consumption Tax Act, art. 57-4.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from domain.customers import CustomerKind
from domain.documents import DocumentKind, ItemKind
from domain.months import Period
from domain.orders import PaymentMethod

MINOR_DIGITS = {"JPY": 0, "USD": 2, "EUR": 2, "GBP": 2}
"""Decimal places of the currencies that amounts can be written in."""

MONTHS_EN = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Language(StrEnum):
    """A language that documents are written in."""

    JA = "JA"
    EN = "EN"

    @property
    def tag(self) -> str:
        """The BCP 47 tag, as HTML and PDF want it."""
        return self.value.lower()


@dataclass(frozen=True, slots=True)
class KindWords:
    """What is said on one kind of document. ``legal_title`` is its name in tax law."""

    title: str
    legal_title: str | None
    number: str
    recipient: str | None
    lead: str | None
    amount: str
    payment_method: str
    tax_note: str


@dataclass(frozen=True, slots=True)
class Words:
    """Everything that is said in one language."""

    kinds: Mapping[DocumentKind, KindWords]
    items: Mapping[ItemKind, str]
    item_of_plan: str
    payment_methods: Mapping[PaymentMethod, str]
    paid: str
    honorifics: Mapping[CustomerKind, str]
    issuer: str | None
    issued_on: str
    refers_to: str
    due_on: str
    valid_until: str
    bank_account: str
    registration_number: str
    postal_code: str
    lines: str
    item: str
    order_number: str
    units: str
    accounts: str
    tax_rate: str
    net: str
    taxes: str
    tax: str
    sum: str
    total: str


JA = Words(
    kinds={
        DocumentKind.INVOICE: KindWords(
            title="請求書",
            legal_title="適格請求書",
            number="請求書番号",
            recipient=None,
            lead="下記のとおりご請求申し上げます。",
            amount="ご請求金額(税込)",
            payment_method="お支払方法",
            tax_note="消費税額は、税率ごとに合計した税抜金額から計算し、端数を切り捨てています。",
        ),
        DocumentKind.CREDIT_NOTE: KindWords(
            title="返還請求書",
            legal_title="適格返還請求書",
            number="返還請求書番号",
            recipient=None,
            lead="下記のとおりご返還いたします。",
            amount="ご返還金額(税込)",
            payment_method="元のお支払方法",
            tax_note="返還する消費税額は、対象の請求書の消費税額との差額です。",
        ),
        DocumentKind.QUOTE: KindWords(
            title="見積書",
            legal_title=None,
            number="見積書番号",
            recipient=None,
            lead="下記のとおりお見積り申し上げます。",
            amount="お見積金額(税込)",
            payment_method="お支払方法",
            tax_note="消費税額は、税率ごとに合計した税抜金額から計算し、端数を切り捨てています。",
        ),
    },
    items={
        ItemKind.SPOT: "スポット契約",
        ItemKind.MAIN_CONTRACT: "本契約",
        ItemKind.RENEWAL: "契約更新",
        ItemKind.ADDITIONAL_LICENCE: "追加ライセンス",
        ItemKind.UPGRADE: "アップグレード",
    },
    item_of_plan="{item} {plan}",
    payment_methods={
        PaymentMethod.INVOICE: "請求書払い",
        PaymentMethod.CREDIT_CARD: "クレジットカード",
        PaymentMethod.BANK_TRANSFER: "銀行振込",
    },
    paid="{method}(お支払済み)",
    honorifics={CustomerKind.CORPORATE: "御中", CustomerKind.INDIVIDUAL: "様"},
    issuer=None,
    issued_on="発行日",
    refers_to="対象の請求書",
    due_on="お支払期限",
    valid_until="有効期限",
    bank_account="お振込先",
    registration_number="登録番号",
    postal_code="〒{code}",
    lines="明細",
    item="内容",
    order_number="注文番号",
    units="ライセンス数",
    accounts="アカウント数",
    tax_rate="税率",
    net="金額(税抜)",
    taxes="税率別の内訳",
    tax="消費税",
    sum="合計",
    total="合計金額(税込)",
)

EN = Words(
    kinds={
        DocumentKind.INVOICE: KindWords(
            title="Invoice",
            legal_title="Qualified invoice",
            number="Invoice number",
            recipient="Billed to",
            lead=None,
            amount="Amount billed, including tax",
            payment_method="Payment method",
            tax_note="Consumption tax is computed once per rate, on the net amount at that rate, and rounded down.",
        ),
        DocumentKind.CREDIT_NOTE: KindWords(
            title="Credit note",
            legal_title="Qualified return invoice",
            number="Credit note number",
            recipient="Credited to",
            lead=None,
            amount="Amount credited, including tax",
            payment_method="Original payment method",
            tax_note="The tax credited is the difference to the tax of the invoice that this credit note refers to.",
        ),
        DocumentKind.QUOTE: KindWords(
            title="Quote",
            legal_title=None,
            number="Quote number",
            recipient="Prepared for",
            lead=None,
            amount="Amount quoted, including tax",
            payment_method="Payment method",
            tax_note="Consumption tax is computed once per rate, on the net amount at that rate, and rounded down.",
        ),
    },
    items={
        ItemKind.SPOT: "Spot contract",
        ItemKind.MAIN_CONTRACT: "Main contract",
        ItemKind.RENEWAL: "Renewal",
        ItemKind.ADDITIONAL_LICENCE: "Additional licences",
        ItemKind.UPGRADE: "Upgrade",
    },
    item_of_plan="{item}, {plan}",
    payment_methods={
        PaymentMethod.INVOICE: "On invoice",
        PaymentMethod.CREDIT_CARD: "Credit card",
        PaymentMethod.BANK_TRANSFER: "Bank transfer",
    },
    paid="{method}, paid",
    honorifics={},
    issuer="From",
    issued_on="Date of issue",
    refers_to="For invoice",
    due_on="Due date",
    valid_until="Valid until",
    bank_account="Bank account",
    registration_number="Registration number",
    postal_code="{code}",
    lines="Items",
    item="Item",
    order_number="Order",
    units="Licences",
    accounts="Accounts",
    tax_rate="Tax rate",
    net="Net amount",
    taxes="Tax by rate",
    tax="Tax",
    sum="Sum",
    total="Total, including tax",
)

WORDS: Mapping[Language, Words] = {Language.JA: JA, Language.EN: EN}


def money(minor: int, currency: str, language: Language) -> str:
    """An amount: 1,234円 or ¥1,234; other currencies with their code.

    Raises:
        ValueError: nobody has said how many decimal places the currency has.
    """
    if currency not in MINOR_DIGITS:
        raise ValueError(f"the decimal places of {currency!r} are not known")
    if currency == "JPY":
        return f"{minor:,}円" if language is Language.JA else f"¥{minor:,}"
    digits = MINOR_DIGITS[currency]
    whole, rest = divmod(minor, 10**digits)
    return f"{currency} {whole:,}.{rest:0{digits}d}"


def day(on: date, language: Language) -> str:
    """A day: 2026年5月1日 or 1 May 2026."""
    if language is Language.JA:
        return f"{on.year}年{on.month}月{on.day}日"
    return f"{on.day} {MONTHS_EN[on.month - 1]} {on.year}"


def percent(basis_points: int, language: Language) -> str:
    """A rate, with as many decimals as it needs: 10% or 10 %."""
    whole, hundredths = divmod(basis_points, 100)
    decimals = f".{hundredths:02d}".rstrip("0") if hundredths else ""
    return f"{whole}{decimals}%" if language is Language.JA else f"{whole}{decimals} %"


def days(period: Period, months: int | None, language: Language) -> str:
    """A period from its first to its last day, both included, and its months where they are known."""
    first, last = day(period.starts_on, language), day(period.last_day, language)
    if language is Language.JA:
        span = first if first == last else f"{first}〜{last}"
        return span if months is None else f"{span} ({months}か月)"
    span = first if first == last else f"{first} – {last}"  # noqa: RUF001 # an en dash, as ranges have it
    if months is None:
        return span
    return f"{span} ({months} month{'' if months == 1 else 's'})"


def item(kind: ItemKind, plan_name: str, language: Language) -> str:
    """What a line is about, and of which plan where it is known."""
    words = WORDS[language]
    if not plan_name:
        return words.items[kind]
    return words.item_of_plan.format(item=words.items[kind], plan=shown(plan_name))


def shown(text: str) -> str:
    """Text that somebody else wrote, as it may stand on a document.

    Control characters other than line breaks, lone surrogates and characters that turn the direction of what follows
    are replaced visibly: neither HTML nor PDF can carry the first two, and the last could make an amount read
    backwards.
    """
    unified = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return "".join(
        REPLACEMENT
        if character in BIDI_CONTROLS or (character != "\n" and unicodedata.category(character) in {"Cc", "Cs"})
        else character
        for character in unified
    )


def on_one_line(text: str) -> str:
    """The same for titles, which have no lines."""
    return " ".join(shown(text).split())
