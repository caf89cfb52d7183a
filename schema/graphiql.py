"""The GraphiQL page, built from web/ at set-up; it loads nothing from any other server."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.responses import HTMLResponse, PlainTextResponse, Response

ASSETS = Path(__file__).parent.parent / "web" / "dist"
PLACEHOLDER = '<script id="spotplan-config" type="application/json">{}</script>'
POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; font-src 'self' data:;"
    " img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)


def page(config: Mapping[str, Any]) -> Response:
    """The page with its configuration: token, tabs, notice; all optional.

    Where the page was not built, an answer that says how to build it.
    """
    index = ASSETS / "index.html"
    if not index.exists():
        return PlainTextResponse("GraphiQL is not built: run `make run` once, or web/build.py.\n", status_code=404)
    # In a script element only "<" could end the text early.
    text = json.dumps(config).replace("<", "\\u003c")
    html = index.read_text("utf-8").replace(PLACEHOLDER, PLACEHOLDER.replace("{}", text))
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return HTMLResponse(html, headers=headers)
