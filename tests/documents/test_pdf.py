"""Documents as PDF: what they say, their pages, the same bytes everywhere, and texts that stay texts."""

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.html import html
from documents.pdf import pdf
from documents.texts import Language
from domain.documents import Document, ItemKind, TaxGroup
from tests.documents.builders import ISSUER, credit_note, invoice, line, lines, quote
from tests.documents.pages import pdf_edges, pdf_language, pdf_metadata, pdf_sizes, pdf_texts, squeezed, texts
from tests.documents.test_html import HOSTILE
from tests.domain.builders import SEARCH

JA, EN = Language.JA, Language.EN
A4 = (595.28, 841.89)
MARGIN = 18 / 25.4 * 72
UNSEEN = {JA: {"明細", "税率別の内訳"}, EN: {"Items", "Tax by rate"}}
"""Captions of the page's tables, for those who hear it; the PDF's tables have none."""
HEADING = {
    JA: "内容 注文番号 ライセンス数 アカウント数 税率 金額(税抜)",
    EN: "Item Order Licences Accounts Tax rate Net amount",
}

PRINT_SUM = """
import hashlib
from documents.pdf import pdf
from documents.texts import Language
from tests.documents.builders import invoice, lines
print(hashlib.sha256(pdf(invoice(*lines(8)), Language.JA)).hexdigest())
"""


def test_the_pages_example_in_japanese() -> None:
    (page,) = pdf_texts(pdf(invoice(), JA))
    assert page.splitlines() == [
        "請求書",
        "適格請求書",
        "請求書番号 INV-2026-00007",
        "発行日 2026年5月1日",
        "株式会社青葉アカデミー\u00a0御中 株式会社スポットプラン",
        "〒100-0005",
        "東京都千代田区丸の内一丁目1番1号",
        "丸の内ビル12階",
        "登録番号 T1234567890123",
        "下記のとおりご請求申し上げます。",
        "ご請求金額(税込)",
        "5,500円 お支払期限",
        "2026年6月30日",
        "お支払方法",
        "請求書払い",
        HEADING[JA],
        "スポット契約",
        "2026年5月1日〜2026年5月31日 (1か月)",
        "SO-2026-00042 1 100 10% 5,000円",
        "税率 金額(税抜) 消費税",
        "10% 5,000円 500円",
        "合計金額(税込) 5,500円",
        "お振込先",
        "みらい銀行 丸の内支店 普通 1234567",
        "口座名義 株式会社スポットプラン",
        "消費税額は、税率ごとに合計した税抜金額から計算し、端数を切り捨てています。",
    ]


def test_the_pages_example_in_english() -> None:
    (page,) = pdf_texts(pdf(invoice(), EN))
    assert page.splitlines() == [
        "Invoice",
        "Qualified invoice",
        "Invoice number INV-2026-00007",
        "Date of issue 1 May 2026",
        "Billed to",
        "株式会社青葉アカデミー",
        "From",
        "株式会社スポットプラン",
        "100-0005",
        "東京都千代田区丸の内一丁目1番1号",
        "丸の内ビル12階",
        "Registration number T1234567890123",
        "Amount billed, including tax",
        "¥5,500 Due date",
        "30 June 2026",
        "Payment method",
        "On invoice",
        HEADING[EN],
        "Spot contract",
        "1 May 2026 – 31 May 2026 (1 month)",  # noqa: RUF001
        "SO-2026-00042 1 100 10 % ¥5,000",
        "Tax rate Net amount Tax",
        "10 % ¥5,000 ¥500",
        "Total, including tax ¥5,500",
        "Bank account",
        "みらい銀行 丸の内支店 普通 1234567",
        "口座名義 株式会社スポットプラン",
        "Consumption tax is computed once per rate, on the net amount at that rate, and rounded down.",
    ]


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(
    "document",
    [
        invoice(*lines(6)),
        invoice(line(), line(tax_basis_points=800, kind=ItemKind.RENEWAL, plan_name="Standard", order_number=None)),
        credit_note(*lines(2)),
        replace(credit_note(), tax_groups=(TaxGroup(1_000, 4_321, 433),)),
        quote(*lines(12)),
    ],
)
def test_the_pdf_says_what_the_page_says(document: Document, language: Language) -> None:
    said = [text for text in texts(html(document, language)) if text not in UNSEEN[language]]
    (page,) = pdf_texts(pdf(document, language))
    assert squeezed(page) == squeezed("".join(said))


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(("count", "pages"), [(1, 1), (8, 1), (60, 4)])
def test_many_lines_flow_to_more_pages_of_a4(count: int, pages: int, language: Language) -> None:
    document = invoice(*lines(count))
    data = pdf(document, language)
    assert [(round(width, 2), round(height, 2)) for width, height in pdf_sizes(data)] == [A4] * pages
    said = pdf_texts(data)
    assert [page.splitlines().count(HEADING[language]) for page in said] == [1] * pages
    title = "請求書" if language is JA else "Invoice"
    numbered = [
        page.splitlines()[-1] == f"{title} INV-2026-00007 {index} / {pages}" for index, page in enumerate(said, 1)
    ]
    assert numbered == [pages > 1] * pages


@pytest.mark.parametrize("language", Language)
def test_every_line_is_there_once_and_sums_never_stand_alone(language: Language) -> None:
    # Where the sums no longer fit below the lines, and where they do again.
    for count in (*range(10, 19), *range(33, 42)):
        said = pdf_texts(pdf(invoice(*lines(count)), language))
        orders = [[word for word in page.split() if word.startswith("SO-2026-")] for page in said]
        assert list(chain(*orders)) == [f"SO-2026-{42 + index:05d}" for index in range(count)]
        assert all(orders), count
        total = "合計金額(税込)" if language is JA else "Total, including tax"
        assert [total in page for page in said] == [False] * (len(said) - 1) + [True]


def test_it_says_what_it_is() -> None:
    data = pdf(credit_note(), EN)
    assert {key: text for key, text in pdf_metadata(data).items() if key != "Creator"} == {
        "Title": "Credit note CN-2026-00003",
        "Author": "株式会社スポットプラン",
        "CreationDate": "D:20260501000000Z",
        "ModDate": "D:20260501000000Z",
    }
    assert pdf_language(data) == "en"
    assert pdf_language(pdf(credit_note(), JA)) == "ja"


def test_the_same_document_has_the_same_bytes() -> None:
    document = invoice(*lines(8))
    once = pdf(document, JA)
    with ThreadPoolExecutor(4) as threads:
        again = list(threads.map(lambda _: pdf(document, JA), range(8)))
    assert again == [once] * 8
    elsewhere = subprocess.run([sys.executable, "-c", PRINT_SUM], check=True, capture_output=True, text=True)
    assert elsewhere.stdout == f"{hashlib.sha256(once).hexdigest()}\n"
    assert pdf(replace(document, issued_on=date(2026, 5, 2)), JA) != once


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_come_out_verbatim(text: str, language: Language) -> None:
    document = invoice(line(plan_name=text, kind=ItemKind.UPGRADE, order_number="CO-2026-00001"), recipient=text)
    document = replace(document, issuer=replace(ISSUER, name=text, address=text, bank_account=text, postal_code=text))
    data = pdf(document, language)
    (page,) = pdf_texts(data)
    # No font here draws 😀, so that a box stands in its place; the page has it.
    assert squeezed(page).count(squeezed(text.replace("😀", ""))) == 6
    assert pdf_metadata(data)["Author"] == " ".join(text.split())


@pytest.mark.parametrize("name", ["A" * 150, "株式会社" + "長" * 120, "wide/" * 30, "Ж" * 80])
def test_long_names_stay_on_the_paper(name: str) -> None:
    document = invoice(line(kind=ItemKind.UPGRADE, plan_name=name), recipient=name)
    data = pdf(replace(document, issuer=replace(ISSUER, name=name)), JA)
    left, right = pdf_edges(data)
    # Letters lean out of their boxes a little.
    assert left >= MARGIN - 0.5
    assert right <= A4[0] - MARGIN + 0.5
    (page,) = pdf_texts(data)
    assert squeezed(page).count(name) == 3


@settings(SEARCH, max_examples=40)
@given(text=st.text(max_size=60))
def test_any_text_makes_a_page(text: str) -> None:
    document = invoice(line(plan_name=text, order_number=text), recipient=text)
    assert pdf_sizes(pdf(document, JA))[0] == pytest.approx(A4, abs=0.01)


def test_a_currency_without_known_decimals_makes_no_page() -> None:
    with pytest.raises(ValueError, match=r"^the decimal places of 'KWD' are not known$"):
        pdf(replace(invoice(), currency="KWD"), EN)
