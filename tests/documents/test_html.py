"""Documents as HTML: what they say, that nothing else is in them, and that nobody's text becomes markup."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.html import html
from documents.texts import Language, shown
from domain.customers import CustomerKind
from domain.documents import Document, DocumentKind, ItemKind, TaxGroup
from domain.orders import PaymentMethod
from tests.documents.builders import ISSUER, credit_note, invoice, line, lines, quote
from tests.documents.pages import Page, texts
from tests.domain.builders import SEARCH

JA, EN = Language.JA, Language.EN
HOSTILE = (
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }} {% raw %} #{x}",
    "\"quoted\" 'single' &amp; &lt; <!-- -->",
    '#import "x": * $x$ *bold* _it_ `raw` @ref <label> ] [ \\ // /* */ ~ ---',
    "二行\n目の名前 髙﨑 𠮷野家 😀 عربي",
)


def test_the_pages_example_in_japanese() -> None:
    assert texts(html(invoice(), JA)) == [
        "請求書",
        "適格請求書",
        *("請求書番号", "INV-2026-00007"),
        *("発行日", "2026年5月1日"),
        *("株式会社青葉アカデミー", "御中"),
        "株式会社スポットプラン",
        "〒100-0005\n東京都千代田区丸の内一丁目1番1号\n丸の内ビル12階",
        *("登録番号", "T1234567890123"),
        "下記のとおりご請求申し上げます。",
        *("ご請求金額(税込)", "5,500円"),
        *("お支払期限", "2026年6月30日"),
        *("お支払方法", "請求書払い"),
        "明細",
        *("内容", "注文番号", "ライセンス数", "アカウント数", "税率", "金額(税抜)"),
        *("スポット契約", "2026年5月1日〜2026年5月31日 (1か月)", "SO-2026-00042", "1", "100", "10%", "5,000円"),
        "税率別の内訳",
        *("税率", "金額(税抜)", "消費税"),
        *("10%", "5,000円", "500円"),
        *("合計金額(税込)", "5,500円"),
        *("お振込先", "みらい銀行 丸の内支店 普通 1234567\n口座名義 株式会社スポットプラン"),
        "消費税額は、税率ごとに合計した税抜金額から計算し、端数を切り捨てています。",
    ]


def test_persons_are_addressed_as_persons() -> None:
    document = replace(invoice(recipient="青葉太郎"), recipient_kind=CustomerKind.INDIVIDUAL)
    said = texts(html(document, JA))
    assert said[said.index("青葉太郎") + 1] == "様"
    assert "御中" not in said
    said = texts(html(document, EN))
    assert said[said.index("青葉太郎") + 1] == "From"


def test_the_pages_example_in_english() -> None:
    assert texts(html(invoice(), EN)) == [
        "Invoice",
        "Qualified invoice",
        *("Invoice number", "INV-2026-00007"),
        *("Date of issue", "1 May 2026"),
        *("Billed to", "株式会社青葉アカデミー"),
        *("From", "株式会社スポットプラン"),
        "100-0005\n東京都千代田区丸の内一丁目1番1号\n丸の内ビル12階",
        *("Registration number", "T1234567890123"),
        *("Amount billed, including tax", "¥5,500"),
        *("Due date", "30 June 2026"),
        *("Payment method", "On invoice"),
        "Items",
        *("Item", "Order", "Licences", "Accounts", "Tax rate", "Net amount"),
        *("Spot contract", "1 May 2026 – 31 May 2026 (1 month)"),  # noqa: RUF001
        *("SO-2026-00042", "1", "100", "10 %", "¥5,000"),
        "Tax by rate",
        *("Tax rate", "Net amount", "Tax"),
        *("10 %", "¥5,000", "¥500"),
        *("Total, including tax", "¥5,500"),
        *("Bank account", "みらい銀行 丸の内支店 普通 1234567\n口座名義 株式会社スポットプラン"),
        "Consumption tax is computed once per rate, on the net amount at that rate, and rounded down.",
    ]


def test_a_credit_note_names_its_invoice_and_no_account_to_pay_into() -> None:
    said = texts(html(credit_note(), JA))
    assert said[:8] == [
        *("返還請求書", "適格返還請求書"),
        *("返還請求書番号", "CN-2026-00003", "発行日", "2026年5月1日", "対象の請求書", "INV-2026-00007"),
    ]
    assert said[14:19] == [
        "下記のとおりご返還いたします。",
        *("ご返還金額(税込)", "5,500円", "元のお支払方法", "請求書払い"),
    ]
    assert said[-3:] == ["合計金額(税込)", "5,500円", "返還する消費税額は、対象の請求書の消費税額との差額です。"]

    said = texts(html(credit_note(), EN))
    assert said[:8] == [
        *("Credit note", "Qualified return invoice"),
        *("Credit note number", "CN-2026-00003", "Date of issue", "1 May 2026", "For invoice", "INV-2026-00007"),
    ]
    assert said[8:10] == ["Credited to", "株式会社青葉アカデミー"]
    assert said[15:19] == ["Amount credited, including tax", "¥5,500", "Original payment method", "On invoice"]
    assert said[-1] == "The tax credited is the difference to the tax of the invoice that this credit note refers to."


def test_a_quote_is_valid_until_a_day_and_has_no_orders() -> None:
    said = texts(html(quote(), JA))
    assert said[:5] == ["見積書", "見積書番号", "Q-2026-00012", "発行日", "2026年5月1日"]
    assert said[11:16] == [
        "下記のとおりお見積り申し上げます。",
        *("お見積金額(税込)", "5,500円", "有効期限", "2026年5月31日"),
    ]
    assert said[17:22] == ["内容", "ライセンス数", "アカウント数", "税率", "金額(税抜)"]
    assert "お振込先" not in said

    said = texts(html(quote(), EN))
    assert said[:7] == [
        *("Quote", "Quote number", "Q-2026-00012", "Date of issue", "1 May 2026"),
        *("Prepared for", "株式会社青葉アカデミー"),
    ]
    assert said[12:16] == ["Amount quoted, including tax", "¥5,500", "Valid until", "31 May 2026"]
    assert said[17:22] == ["Item", "Licences", "Accounts", "Tax rate", "Net amount"]


@pytest.mark.parametrize(
    ("method", "ja", "en", "account"),
    [
        (PaymentMethod.INVOICE, "請求書払い", "On invoice", True),
        (PaymentMethod.BANK_TRANSFER, "銀行振込(お支払済み)", "Bank transfer, paid", False),
        (PaymentMethod.CREDIT_CARD, "クレジットカード(お支払済み)", "Credit card, paid", False),
        (None, None, None, False),
    ],
)
def test_who_has_paid_is_told_so_and_no_account(
    method: PaymentMethod | None, ja: str | None, en: str | None, account: bool
) -> None:
    due_on = invoice().due_on if account else None  # others are issued when they are paid
    document = replace(invoice(), payment_method=method, due_on=due_on)
    for language, name, label in ((JA, ja, "お支払方法"), (EN, en, "Payment method")):
        said = texts(html(document, language))
        assert (ISSUER.bank_account in said) is account
        assert (label in said) is (method is not None)
        assert name is None or said[said.index(label) + 1] == name


def test_each_tax_rate_and_their_sum() -> None:
    document = invoice(
        line(net_minor=4_999),
        line(
            date(2026, 4, 1),
            12,
            kind=ItemKind.MAIN_CONTRACT,
            plan_name="Starter",
            net_minor=30_009,
            tax_basis_points=800,
        ),
    )
    said = texts(html(document, EN))
    begin = said.index("Tax by rate") + 4
    assert said[begin : begin + 11] == [
        *("10 %", "¥4,999", "¥499"),
        *("8 %", "¥30,009", "¥2,400"),
        *("Sum", "¥35,008", "¥2,899"),
        *("Total, including tax", "¥37,907"),
    ]
    assert said[said.index("Main contract, Starter") + 1] == "1 April 2026 – 31 March 2027"  # noqa: RUF001


def test_no_amount_is_computed() -> None:
    # The tax that a credit note takes back may differ by a yen from that of its lines.
    document = replace(credit_note(), tax_groups=(TaxGroup(1_000, 4_321, 433),))
    said = texts(html(document, JA))
    assert said[said.index("消費税") + 1 : -1] == ["10%", "4,321円", "433円", "合計金額(税込)", "4,754円"]
    assert said[said.index("ご返還金額(税込)") + 1] == "4,754円"
    assert said[said.index("SO-2026-00042") + 4] == "5,000円"


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("document", [invoice(*lines(8)), credit_note(*lines(2)), quote(*lines(12))])
def test_the_page_is_self_contained_and_its_tables_have_headings(document: Document, language: Language) -> None:
    page = Page(html(document, language))
    tags = [tag for tag, _ in page.elements]
    assert set(tags) <= {
        *("html", "head", "meta", "title", "style", "body", "main", "header", "section", "div"),
        *("h1", "h2", "p", "span", "bdi", "dl", "dt", "dd"),
        *("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"),
    }
    names = {name for _, attributes in page.elements for name in attributes}
    assert names <= {"lang", "charset", "name", "content", "class", "scope", "colspan", "data-label"}
    assert page.elements[0] == ("html", {"lang": language.tag})
    assert (tags.count("style"), tags.count("h1"), tags.count("table"), tags.count("caption")) == (1, 1, 2, 2)
    assert all(attributes["scope"] in {"row", "col"} for tag, attributes in page.elements if tag == "th")
    (style,) = page.inside["style"]
    assert all(word not in style.lower() for word in ("url(", "@import", "http", "expression"))
    kind = {DocumentKind.INVOICE: "請求書", DocumentKind.CREDIT_NOTE: "返還請求書", DocumentKind.QUOTE: "見積書"}
    if language is JA:
        assert page.inside["title"] == [f"{kind[document.kind]} {document.number}"]


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_come_out_verbatim(text: str, language: Language) -> None:
    document = invoice(line(plan_name=text, kind=ItemKind.UPGRADE, order_number=text), recipient=text)
    document = replace(
        document, number=text, issuer=replace(ISSUER, name=text, address=text, bank_account=text, postal_code=text)
    )
    page, harmless = Page(html(document, language)), Page(html(invoice(), language))
    assert page.inside["bdi"] == [text]
    # Number, recipient, issuer, order and bank account; address and item stand beside words of ours.
    assert page.texts.count(text) == 5
    assert sum(text in said for said in page.texts) == 7
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in harmless.elements]


@SEARCH
@given(text=st.text())
def test_any_name_comes_back_as_it_was(text: str) -> None:
    page = Page(html(invoice(recipient=text), JA))
    assert page.inside["bdi"] == [shown(text)]


def test_the_same_document_is_the_same_page() -> None:
    assert html(invoice(*lines(8)), JA) == html(invoice(*lines(8)), JA)
    assert html(invoice(), JA) != html(invoice(), EN)


def test_a_currency_without_known_decimals_makes_no_page() -> None:
    with pytest.raises(ValueError, match=r"^the decimal places of 'KWD' are not known$"):
        html(replace(invoice(), currency="KWD"), EN)
