"""A document as one HTML page: no scripts and nothing from elsewhere, for the screen, the phone and A4 paper."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from documents.sheet import sheet
from documents.texts import Language
from domain.documents import Document


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("documents"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("document.html")


def html(document: Document, language: Language) -> str:
    """The page. It needs no more of a Content-Security-Policy than ``default-src 'none'; style-src 'unsafe-inline'``.

    Raises:
        ValueError: the document's currency cannot be written.
    """
    return _template().render(sheet=sheet(document, language))
