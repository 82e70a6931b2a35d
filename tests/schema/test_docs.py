"""The page at /docs works in a browser, and asks nothing of any other host."""

from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import sync_playwright

from service.http.routes import ROUTES
from tests.servers.browser import ARGUMENTS, CHROMIUM, needs_chromium
from tests.servers.process import ServiceProcess


@needs_chromium
def test_the_page_shows_every_call_and_makes_them_with_a_token(
    service: ServiceProcess, authorization: dict[str, str]
) -> None:
    urls: list[str] = []
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page()
        page.on("request", lambda request: urls.append(request.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.goto(f"{service.url}/docs")
        page.wait_for_selector(".opblock")
        shown = page.locator('.opblock-summary-path[data-path^="/v1"]').count()

        page.click(".btn.authorize")
        page.fill(".auth-container input", authorization["Authorization"].removeprefix("Bearer "))
        page.click(".auth-btn-wrapper .authorize")
        page.click(".auth-btn-wrapper .btn-done")
        call = page.locator("#operations-incidents-incident_lists_codes")
        call.locator(".opblock-summary-control").click()
        call.locator(".try-out__btn").click()
        call.locator(".execute").click()
        call.locator(".live-responses-table tbody .response-col_status").wait_for()
        answer = call.locator(".live-responses-table").inner_text()
        browser.close()
    assert shown == len([route for route in ROUTES if route.listed])
    assert "200" in answer
    assert "INVESTIGATING" in answer
    assert faults == []
    here = urlsplit(service.url).netloc
    assert {urlsplit(url).netloc for url in urls if not url.startswith("data:")} == {here}


@pytest.mark.parametrize("path", ["/docs/", "/docs/../app.py", "/docs/%2e%2e/docs.py", "/docs/docs.html", "/docs/x.js"])
def test_nothing_else_is_served_beneath_it(path: str, service: ServiceProcess) -> None:
    assert httpx.get(service.url + path).status_code == 404


def test_scripts_come_from_the_service_alone(service: ServiceProcess) -> None:
    answer = httpx.get(f"{service.url}/docs")
    assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
    assert "http" not in answer.text
