"""The page in a real browser: under its Content-Security-Policy, on A4 paper, and on a phone."""

import os
from collections.abc import Iterator
from importlib.resources import files
from itertools import chain
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from documents.html import html
from documents.pdf import FONT_PACKAGES
from documents.texts import Language
from domain.documents import Document, ItemKind
from tests.documents.builders import credit_note, invoice, line, lines, quote
from tests.documents.pages import pdf_sizes, pdf_texts
from tests.web.test_graphiql_browser import CHROMIUM, QUIET

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
URL = "https://spotplan.test/document"
LONG = invoice(
    *(line(kind=ItemKind.UPGRADE, plan_name="A" * 90, units=1_000_000, net_minor=900_000_000) for _ in range(2)),
    recipient="W" * 150,
)
HEADING = {
    Language.JA: "内容 注文番号 ライセンス数 アカウント数 税率 金額(税抜)",
    Language.EN: "Item Order Licences Accounts Tax rate Net amount",
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium found: apt-get install chromium, or set SPOTPLAN_CHROMIUM")
    # The same fonts on every machine, so that lines break alike and Japanese is never drawn as boxes.
    settings = tmp_path_factory.mktemp("fonts") / "fonts.conf"
    folders = "".join(f"<dir>{files(package)}</dir>" for package in FONT_PACKAGES)
    cache = f"<cachedir>{settings.parent}</cachedir>"
    settings.write_text(f"<fontconfig>{folders}{cache}</fontconfig>", "utf-8")
    environment: dict[str, str | float | bool] = {**os.environ, "FONTCONFIG_FILE": str(settings)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=Path(CHROMIUM), args=QUIET, env=environment)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


def opened(page: Page, document: Document, language: Language) -> list[str]:
    """Open the page as it is served; what the browser complained of or asked for beside it."""
    noticed: list[str] = []

    def served(route: Route) -> None:
        if route.request.url != URL:
            noticed.append(route.request.url)
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY}
        route.fulfill(body=html(document, language), headers=headers)

    page.on("console", lambda message: noticed.append(message.text))
    page.on("pageerror", lambda error: noticed.append(str(error)))
    page.route("**/*", served)
    page.goto(URL)
    return noticed


def printed(page: Page) -> bytes:
    return page.pdf(prefer_css_page_size=True, print_background=True)


@pytest.mark.parametrize("language", Language)
def test_the_policy_lets_it_be_as_it_is_meant(page: Page, language: Language) -> None:
    assert opened(page, invoice(recipient="<script>alert(1)</script><img src=x>"), language) == []
    assert page.title() == ("請求書 INV-2026-00007" if language is Language.JA else "Invoice INV-2026-00007")
    assert page.locator("bdi").text_content() == "<script>alert(1)</script><img src=x>"
    # The style is applied: numbers stand at the right, the title in the accent's colour.
    assert page.locator("h1").evaluate("h1 => getComputedStyle(h1).color") == "rgb(31, 59, 99)"
    assert page.locator(".line .net").evaluate("net => getComputedStyle(net).textAlign") == "right"


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(
    ("document", "pages"),
    [
        (invoice(), 1),
        (invoice(*lines(6)), 1),
        (invoice(*lines(8)), 1),
        (credit_note(*lines(2)), 1),
        (quote(*lines(12)), 1),
        (LONG, 1),
        (invoice(*lines(60)), 4),
    ],
)
def test_it_is_printed_on_so_many_pages_of_a4(page: Page, document: Document, pages: int, language: Language) -> None:
    assert opened(page, document, language) == []
    paper = printed(page)
    # Chromium's A4 is 210 x 297 mm in whole pixels.
    assert [(round(width), round(height)) for width, height in pdf_sizes(paper)] == [(595, 842)] * pages
    said = pdf_texts(paper)
    assert [text.splitlines()[0] for text in said] == [f"{number} / {pages}" for number in range(1, pages + 1)]
    if document.kind == "INVOICE":
        assert [HEADING[language] in text for text in said] == [True] * pages


def test_every_line_is_printed_once_and_sums_never_stand_alone(page: Page) -> None:
    # Where the sums no longer fit below the lines, and where they do again.
    for count in (10, 11, 12, 15, 16, 17, 32, 33, 35, 37, 38):
        page.set_content(html(invoice(*lines(count)), Language.JA))
        said = pdf_texts(printed(page))
        orders = [[word for word in text.split() if word.startswith("SO-2026-")] for text in said]
        assert list(chain(*orders)) == [f"SO-2026-{42 + index:05d}" for index in range(count)]
        assert all(orders), count
        assert ["合計金額(税込)" in text for text in said] == [False] * (len(said) - 1) + [True]


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("document", [invoice(), LONG, quote(*lines(12))])
def test_nothing_is_wider_than_the_screen(page: Page, document: Document, language: Language, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    assert opened(page, document, language) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    beyond = """width => [...document.querySelectorAll('h1, p, dt, dd, th, td, span, bdi')]
        .filter(element => !element.closest('.unseen, .items > thead'))
        .map(element => element.getBoundingClientRect())
        .filter(box => box.left < 0 || box.right > width).length"""
    assert page.evaluate(beyond, width) == 0


@pytest.mark.parametrize("language", Language)
def test_on_a_phone_every_number_has_its_label_beside_it(page: Page, language: Language) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    opened(page, invoice(), language)
    shown = """() => [...document.querySelectorAll('.line td')]
        .map(cell => getComputedStyle(cell, '::before').content.replaceAll('"', '') + '|' + cell.innerText)"""
    labels = HEADING[language].removeprefix("Item ").removeprefix("内容 ")
    for label in ("Tax rate", "Net amount"):
        labels = labels.replace(label, label.replace(" ", "_"))
    values = (
        ("SO-2026-00042", "1", "100", "10%", "5,000円")
        if language is Language.JA
        else ("SO-2026-00042", "1", "100", "10 %", "¥5,000")
    )
    assert page.evaluate(shown) == [
        f"{label.replace('_', ' ')}|{value}" for label, value in zip(labels.split(), values, strict=True)
    ]
