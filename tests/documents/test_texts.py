"""How amounts, days, rates and periods are written, and that no word is missing."""

from dataclasses import fields
from datetime import date

import pytest

from documents.texts import WORDS, Language, Words, day, days, item, money, on_one_line, percent, shown
from domain.documents import DocumentKind, ItemKind
from domain.months import Period
from domain.orders import PaymentMethod

JA, EN = Language.JA, Language.EN


@pytest.mark.parametrize(
    ("minor", "currency", "ja", "en"),
    [
        (0, "JPY", "0円", "¥0"),
        (999, "JPY", "999円", "¥999"),
        (1_234, "JPY", "1,234円", "¥1,234"),
        (2_147_483_647, "JPY", "2,147,483,647円", "¥2,147,483,647"),
        (5, "USD", "USD 0.05", "USD 0.05"),
        (123_450, "EUR", "EUR 1,234.50", "EUR 1,234.50"),
    ],
)
def test_amounts(minor: int, currency: str, ja: str, en: str) -> None:
    assert money(minor, currency, JA) == ja
    assert money(minor, currency, EN) == en


def test_an_amount_without_known_decimals_is_not_written() -> None:
    with pytest.raises(ValueError, match=r"^the decimal places of 'KWD' are not known$"):
        money(1_000, "KWD", JA)


def test_days_have_no_leading_zeros() -> None:
    assert day(date(2026, 5, 1), JA) == "2026年5月1日"
    assert day(date(2026, 5, 1), EN) == "1 May 2026"
    assert [day(date(2026, month, 31), EN) for month in (1, 12)] == ["31 January 2026", "31 December 2026"]


@pytest.mark.parametrize(
    ("basis_points", "number"), [(1_000, "10"), (800, "8"), (0, "0"), (825, "8.25"), (750, "7.5"), (1_005, "10.05")]
)
def test_rates_have_the_decimals_they_need(basis_points: int, number: str) -> None:
    assert percent(basis_points, JA) == f"{number}%"
    assert percent(basis_points, EN) == f"{number} %"


@pytest.mark.parametrize(
    ("period", "months", "ja", "en"),
    [
        (
            Period(date(2026, 5, 1), date(2026, 6, 1)),
            1,
            "2026年5月1日〜2026年5月31日 (1か月)",
            "1 May 2026 – 31 May 2026 (1 month)",  # noqa: RUF001
        ),
        (
            Period(date(2026, 12, 31), date(2027, 3, 1)),
            2,
            "2026年12月31日〜2027年2月28日 (2か月)",
            "31 December 2026 – 28 February 2027 (2 months)",  # noqa: RUF001
        ),
        (
            Period(date(2026, 4, 1), date(2027, 4, 1)),
            None,
            "2026年4月1日〜2027年3月31日",
            "1 April 2026 – 31 March 2027",  # noqa: RUF001
        ),
        (Period(date(2026, 4, 1), date(2026, 4, 2)), None, "2026年4月1日", "1 April 2026"),
    ],
)
def test_periods_end_with_their_last_day(period: Period, months: int | None, ja: str, en: str) -> None:
    assert days(period, months, JA) == ja
    assert days(period, months, EN) == en


@pytest.mark.parametrize(
    ("kind", "ja", "en"),
    [
        (ItemKind.SPOT, "スポット契約", "Spot contract"),
        (ItemKind.MAIN_CONTRACT, "本契約", "Main contract"),
        (ItemKind.RENEWAL, "契約更新", "Renewal"),
        (ItemKind.ADDITIONAL_LICENCE, "追加ライセンス", "Additional licences"),
        (ItemKind.UPGRADE, "アップグレード", "Upgrade"),
    ],
)
def test_items_name_their_plan_if_they_have_one(kind: ItemKind, ja: str, en: str) -> None:
    assert (item(kind, "", JA), item(kind, "Standard {0}", JA)) == (ja, f"{ja} Standard {{0}}")
    assert (item(kind, "", EN), item(kind, "Standard {0}", EN)) == (en, f"{en}, Standard {{0}}")


@pytest.mark.parametrize("language", Language)
def test_no_word_is_missing(language: Language) -> None:
    words = WORDS[language]
    assert set(words.kinds) == set(DocumentKind)
    assert set(words.items) == set(ItemKind)
    assert set(words.payment_methods) == set(PaymentMethod)
    left_out = [field.name for field in fields(Words) if not getattr(words, field.name)]
    assert left_out == {JA: ["issuer"], EN: ["honorifics"]}[language]


def test_texts_of_others_keep_all_but_what_no_page_can_carry() -> None:
    kept = "#*_$`[]{}<>&\"'\\ 株式会社 髙﨑 𠮷 😀 \u3000\u200d عربي\n2"
    assert shown(kept) == kept
    assert shown("a\r\nb\rc\td") == "a\nb\nc d"
    assert shown("nul\x00 escape\x1b lone\ud800 c1\x85") == "nul� escape� lone� c1�"
    # A right-to-left override would make "5,500" read "005,5".
    assert shown("\u202e5,500\u202c \u20665\u2069") == "�5,500� �5�"
    assert on_one_line(" a\n\tb\u3000c ") == "a b c"
