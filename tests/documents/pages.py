"""Reads documents back: HTML by its tags and texts, PDF by its pages' texts."""

from ctypes import c_ushort, sizeof
from html.parser import HTMLParser

import pypdfium2  # type: ignore[import-untyped] # it has no types
import pypdfium2.raw  # type: ignore[import-untyped]

VOID = frozenset({"meta"})
HIDDEN = frozenset({"style", "title"})


class Page(HTMLParser):
    """The texts of a page in their order, its elements, and the rows of its tables by class.

    Raises:
        ValueError: an element is not closed where it should be.
    """

    def __init__(self, source: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(source)
        self.close()
        if self._open:
            raise ValueError(f"not closed: {self._open}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
            self.inside.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        if self._open.pop() != tag:
            raise ValueError(f"not the open element: {tag}")

    def handle_data(self, data: str) -> None:
        if not self._open:
            return
        self.inside[self._open[-1]][-1] += data
        if data.strip() and not HIDDEN & set(self._open):
            self.texts.append(data.strip())


def texts(source: str) -> list[str]:
    """What the page says, in its order."""
    return Page(source).texts


def pdf_texts(data: bytes) -> list[str]:
    """The text of each page, its lines separated by line breaks."""
    document = pypdfium2.PdfDocument(data)
    return [page.get_textpage().get_text_range().replace("\r\n", "\n") for page in document]


def pdf_sizes(data: bytes) -> list[tuple[float, float]]:
    """Width and height of each page in points."""
    return [page.get_size() for page in pypdfium2.PdfDocument(data)]


def pdf_metadata(data: bytes) -> dict[str, str]:
    """Title, author and days, as far as they are said."""
    found: dict[str, str] = pypdfium2.PdfDocument(data).get_metadata_dict(skip_empty=True)
    return found


def pdf_language(data: bytes) -> str:
    """The language of a tagged PDF.

    Raises:
        ValueError: it has no tags.
    """
    document = pypdfium2.PdfDocument(data)
    if not pypdfium2.raw.FPDFCatalog_IsTagged(document.raw):
        raise ValueError("not tagged")
    letters = (c_ushort * 20)()
    pypdfium2.raw.FPDFCatalog_GetLanguage(document.raw, letters, sizeof(letters))
    return "".join(map(chr, letters)).rstrip("\0")


def pdf_edges(data: bytes) -> tuple[float, float]:
    """How far to the left and to the right letters of the first page stand, in points."""
    text = pypdfium2.PdfDocument(data)[0].get_textpage()
    boxes = [text.get_charbox(index) for index in range(text.count_chars())]
    return min(left for left, *_ in boxes), max(right for _, _, right, _ in boxes)


def squeezed(text: str) -> str:
    """Without any white space: where lines break is the layout's business."""
    return "".join(text.split())
