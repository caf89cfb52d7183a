"""The GraphiQL page in a real browser, under the server's own Content-Security-Policy."""

import json
import os
import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Route, expect, sync_playwright

from tests.web.conftest import DemoServer

CHROMIUM = os.environ.get("SPOTPLAN_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
# Chromium's own background traffic would show up beside the page's.
QUIET = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
QUERY = "{ viewer { role } }"
ANSWER = re.compile(r'^\{\s*"data":\s*\{\s*"viewer":\s*\{\s*"role":\s*"OPERATOR"\s*\}\s*\}\s*\}$')


@pytest.fixture
def context() -> Iterator[BrowserContext]:
    if CHROMIUM is None:
        pytest.skip("no Chromium found: apt-get install chromium, or set SPOTPLAN_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser.new_context()
        browser.close()


def open_graphiql(page: Page, url: str) -> None:
    page.goto(f"{url}/graphql")
    expect(page).to_have_title("Spotplan GraphiQL")
    expect(page.locator(".graphiql-query-editor .view-lines")).to_be_visible()


def test_a_subscription_runs_as_a_stream_of_events(context: BrowserContext, demo_server: DemoServer) -> None:
    page = context.new_page()
    accepted: list[str] = []
    page.on("request", lambda request: accepted.append(request.headers.get("accept", "")))
    open_graphiql(page, demo_server.url)
    page.get_by_role("tab", name="Search").click()
    expect(page.locator(".graphiql-query-editor .view-lines")).to_contain_text("subscription Search")
    page.locator(".graphiql-query-editor .view-lines").click()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".graphiql-response .view-lines")).to_contain_text('"recommendationSearch"')
    # The stream has ended: the button offers to run it again.
    expect(page.get_by_role("button", name=re.compile("^Execute"))).to_be_visible()
    assert "text/event-stream" in accepted


def run_in_new_tab(page: Page) -> None:
    page.get_by_role("button", name="New tab").click()
    editor = page.get_by_role("region", name="Operation Editor")
    expect(editor.locator(".view-lines")).to_have_text("")
    editor.locator(".monaco-editor").first.click()
    page.keyboard.type(QUERY)
    expect(editor.locator(".view-lines")).to_have_text(QUERY)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".graphiql-response .view-lines")).to_have_text(ANSWER)


def test_queries_run_and_nothing_leaves_the_server(context: BrowserContext, demo_server: DemoServer) -> None:
    requested: list[str] = []
    complaints: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    context.on("request", lambda request: requested.append(request.url))
    context.on("console", on_console)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    page = context.new_page()
    open_graphiql(page, demo_server.url)

    offered = json.loads(page.locator("#spotplan-config").text_content() or "{}")["tabs"]
    tabs = page.get_by_role("tab")
    expect(tabs).to_have_count(len(offered))
    expect(page.locator(".graphiql-query-editor .view-lines")).to_contain_text(offered[0]["title"])

    page.get_by_role("button", name="GraphiQL Explorer").click()
    expect(page.locator(".graphiql-explorer-root").get_by_text("viewer", exact=True).first).to_be_visible()

    run_in_new_tab(page)
    expect(tabs).to_have_count(len(offered) + 1)

    assert f"{demo_server.url}/graphql" in requested
    own = (f"{demo_server.url}/", "data:", "blob:")
    assert [url for url in requested if not url.startswith(own)] == []
    assert complaints == []


def test_a_restarted_demo_leaves_no_old_token(context: BrowserContext, demo_server: DemoServer) -> None:
    page = context.new_page()

    def headers_show(token: str) -> None:
        page.get_by_role("button", name="Headers", exact=True).click()
        expect(page.get_by_role("region", name="Headers")).to_contain_text(f'"Bearer {token}"')

    def restarted(route: Route) -> None:
        # The same page from a demo with another token.
        if route.request.method != "GET":
            route.continue_()
            return
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace(demo_server.token, "spt_restarted"))

    open_graphiql(page, demo_server.url)
    headers_show(demo_server.token)
    # A new tab, unlike the offered ones, holds the token as its own headers.
    run_in_new_tab(page)
    # Not wait_for_function: its polling evaluates text inside the page, which the page's policy forbids.
    for _ in range(600):
        if QUERY in page.evaluate("JSON.stringify(localStorage)"):
            break
        page.wait_for_timeout(50)
    assert demo_server.token not in page.evaluate("JSON.stringify(localStorage)")

    page.route("**/graphql", restarted)
    open_graphiql(page, demo_server.url)
    headers_show("spt_restarted")
