"""A document as PDF, A4, set by Typst in fonts that come with it: the same bytes everywhere.

Texts reach Typst as JSON and are never read as markup.
"""

import json
from dataclasses import asdict
from datetime import UTC, datetime, time
from functools import cache
from importlib.resources import files
from pathlib import Path

import typst

from documents.sheet import sheet
from documents.texts import Language
from domain.documents import Document

TEMPLATES = Path(__file__).parent / "templates"
FONT_FAMILY = "Noto Sans CJK JP"
FONT_PACKAGES = ("noto_cjk_sans_jp_regular", "noto_cjk_sans_jp_bold")


@cache
def _fonts() -> typst.Fonts:
    # Typst's own fonts serve scripts that the Japanese ones lack, such as Arabic.
    fonts = typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=True,
        font_paths=[str(files(package)) for package in FONT_PACKAGES],
    )
    if FONT_FAMILY not in fonts.families():
        # Typst would go on and print boxes.
        raise RuntimeError(f"{FONT_FAMILY} is not in {', '.join(FONT_PACKAGES)}")
    return fonts


@cache
def _template() -> bytes:
    return (TEMPLATES / "document.typ").read_bytes()


def pdf(document: Document, language: Language) -> bytes:
    """The PDF, dated by the document's day of issue. Work for the processor: call it in a thread.

    Raises:
        ValueError: the document's currency cannot be written.
    """
    # A compiler of its own for every document: one that is shared cannot work in two threads.
    compiler = typst.Compiler(_template(), root=TEMPLATES, font_paths=_fonts(), ignore_system_fonts=True)
    compiled = compiler.compile(
        format="pdf",
        sys_inputs={"sheet": json.dumps(asdict(sheet(document, language)))},
        timestamp=datetime.combine(document.issued_on, time(), UTC),
    )
    if not isinstance(compiled, bytes):
        raise TypeError(f"Typst made {type(compiled).__name__} of a PDF")
    return compiled
