"""A document in one language as plain texts in their order, for HTML and PDF alike.

Nothing is computed here: amounts are written as the document has them.
"""

from dataclasses import dataclass

from documents.texts import WORDS, Language, Words, day, days, item, money, on_one_line, percent, shown
from domain.documents import Document, DocumentKind, DocumentLine


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and what it says."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what, when, from which order, how many, at which tax rate, for how much."""

    item: str
    period: str
    order_number: str
    units: str
    accounts: str
    tax_rate: str
    net: str


@dataclass(frozen=True, slots=True)
class TaxRow:
    """The net amount and the tax at one rate, or of all."""

    tax_rate: str
    net: str
    tax: str


@dataclass(frozen=True, slots=True)
class Party:
    """Who issues the document."""

    label: str | None
    name: str
    address: str
    registration: Fact


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom the document is for."""

    label: str | None
    name: str
    honorific: str | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """All texts of a document. ``head`` are the headings of the lines' columns.

    ``orders`` says whether any line has an order number; ``tax_sum`` is there only if there are several tax rates.
    """

    language: str
    name: str
    author: str
    title: str
    legal_title: str | None
    facts: tuple[Fact, ...]
    recipient: Recipient
    issuer: Party
    lead: str | None
    amount: Fact
    terms: tuple[Fact, ...]
    lines_title: str
    head: Row
    rows: tuple[Row, ...]
    orders: bool
    taxes_title: str
    tax_head: TaxRow
    tax_rows: tuple[TaxRow, ...]
    tax_sum: TaxRow | None
    total: Fact
    bank_account: Fact | None
    tax_note: str


def sheet(document: Document, language: Language) -> Sheet:
    """The texts of a document.

    Raises:
        ValueError: the document's currency cannot be written.
    """
    words = WORDS[language]
    kind = words.kinds[document.kind]
    total = money(document.total_minor, document.currency, language)
    return Sheet(
        language=language.tag,
        name=on_one_line(f"{kind.title} {document.number}"),
        author=on_one_line(document.issuer.name),
        title=kind.title,
        legal_title=kind.legal_title,
        facts=_facts(document, words, language),
        recipient=Recipient(kind.recipient, shown(document.recipient), words.honorifics.get(document.recipient_kind)),
        issuer=_issuer(document, words),
        lead=kind.lead,
        amount=Fact(kind.amount, total),
        terms=_terms(document, words, language),
        lines_title=words.lines,
        head=Row(words.item, "", words.order_number, words.units, words.accounts, words.tax_rate, words.net),
        rows=tuple(_row(line, document.currency, language) for line in document.lines),
        orders=any(line.order_number is not None for line in document.lines),
        taxes_title=words.taxes,
        tax_head=TaxRow(words.tax_rate, words.net, words.tax),
        tax_rows=tuple(
            TaxRow(
                percent(group.basis_points, language),
                money(group.net_minor, document.currency, language),
                money(group.tax_minor, document.currency, language),
            )
            for group in document.tax_groups
        ),
        tax_sum=_tax_sum(document, words, language),
        total=Fact(words.total, total),
        bank_account=_bank_account(document, words),
        tax_note=kind.tax_note,
    )


def _facts(document: Document, words: Words, language: Language) -> tuple[Fact, ...]:
    facts = [
        Fact(words.kinds[document.kind].number, shown(document.number)),
        Fact(words.issued_on, day(document.issued_on, language)),
    ]
    if document.refers_to is not None:
        facts.append(Fact(words.refers_to, shown(document.refers_to)))
    return tuple(facts)


def _issuer(document: Document, words: Words) -> Party:
    issuer = document.issuer
    postal_code = words.postal_code.format(code=shown(issuer.postal_code))
    return Party(
        label=words.issuer,
        name=shown(issuer.name),
        address=f"{postal_code}\n{shown(issuer.address)}",
        registration=Fact(words.registration_number, issuer.registration_number),
    )


def _terms(document: Document, words: Words, language: Language) -> tuple[Fact, ...]:
    terms = []
    if document.due_on is not None:
        terms.append(Fact(words.due_on, day(document.due_on, language)))
    if document.valid_until is not None:
        terms.append(Fact(words.valid_until, day(document.valid_until, language)))
    if document.payment_method is not None:
        method = words.payment_methods[document.payment_method]
        if document.kind is DocumentKind.INVOICE and document.due_on is None:
            method = words.paid.format(method=method)  # cards and transfers have their invoice when they are paid
        terms.append(Fact(words.kinds[document.kind].payment_method, method))
    return tuple(terms)


def _row(line: DocumentLine, currency: str, language: Language) -> Row:
    return Row(
        item=item(line.kind, line.plan_name, language),
        period=days(line.period, line.months, language),
        order_number="" if line.order_number is None else shown(line.order_number),
        units=f"{line.units:,}",
        accounts=f"{line.accounts:,}",
        tax_rate=percent(line.tax_basis_points, language),
        net=money(line.net_minor, currency, language),
    )


def _tax_sum(document: Document, words: Words, language: Language) -> TaxRow | None:
    if len(document.tax_groups) == 1:
        return None
    return TaxRow(
        words.sum,
        money(document.net_minor, document.currency, language),
        money(document.tax_minor, document.currency, language),
    )


def _bank_account(document: Document, words: Words) -> Fact | None:
    # Who gets money back, or has paid, must not be led to transfer it.
    if document.kind is not DocumentKind.INVOICE or document.due_on is None:
        return None
    return Fact(words.bank_account, shown(document.issuer.bank_account))
