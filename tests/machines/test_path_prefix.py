"""Beneath a path of a proxy that serves more than this service: what the page at /docs calls is what is there."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import sync_playwright

from tests.http.api import PATH, incident
from tests.machines.proxied import END_SECONDS
from tests.servers.children import free_port, spawn, wait_until
from tests.servers.process import ServiceProcess

BASE = "/ims"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CUT = r"http-request replace-path /ims(/.*) \1"
CONFIGURATION = """
defaults
    mode http
    timeout connect 2s
    timeout client 75s
    timeout server 60s
    option http-no-delay
frontend everything
    bind 127.0.0.1:{port}
    http-request deny deny_status 404 unless {{ path_beg /ims/ }}
    {cut}
    default_backend ims
backend ims
    server ims {target}
"""

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="needs haproxy")


@contextmanager
def beneath(folder: Path, service: ServiceProcess, cut: str) -> Iterator[str]:
    """The address of a proxy that has the service beneath `/ims` and nothing beside it."""
    port, log = free_port(), folder / "haproxy.log"
    text = CONFIGURATION.format(port=port, target=service.url.removeprefix("http://"), cut=cut)
    (folder / "haproxy.cfg").write_text(text)
    child = spawn(["haproxy", "-db", "-f", folder / "haproxy.cfg"], log=log)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{url}{BASE}/livez").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, child, log=log, seconds=END_SECONDS)
        yield url
    finally:
        child.terminate()
        child.wait(END_SECONDS)


@pytest.mark.parametrize("cut", [CUT, ""], ids=["a proxy that takes the path away", "a proxy that leaves it"])
def test_what_an_answer_names_is_found_through_the_proxy(
    cut: str, start_service: Callable[..., ServiceProcess], tmp_path: Path
) -> None:
    service = start_service(base_path=BASE)
    with beneath(tmp_path, service, cut) as url, httpx.Client(base_url=url, headers=service.authorization()) as client:
        created = client.post(f"{BASE}{PATH}", json=incident())
        assert created.status_code == httpx.codes.CREATED
        assert client.get(created.headers["Location"]).json()["data"] == created.json()["data"]
        (server,) = client.get(f"{BASE}/openapi.json").json()["servers"]
        assert len(client.get(f"{server['url']}{PATH}").json()["data"]["incidents"]) == 1
        accept = {"Accept": "application/cloudevents-batch+json"}
        place = client.get(f"{BASE}/v1/events", headers=accept).headers["Link"].partition(">")[0].removeprefix("<")
        assert client.get(place, headers=accept).json() == []
        assert client.get(PATH).status_code == httpx.codes.NOT_FOUND


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")
def test_the_page_makes_its_calls_beneath_the_path(
    start_service: Callable[..., ServiceProcess], tmp_path: Path
) -> None:
    service, urls = start_service(base_path=BASE), []
    with beneath(tmp_path, service, CUT) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda request: urls.append(request.url))
        page.goto(f"{url}{BASE}/docs")
        page.wait_for_selector(".opblock")
        page.click(".btn.authorize")
        page.fill(".auth-container input", service.token())
        page.click(".auth-btn-wrapper .authorize")
        page.click(".auth-btn-wrapper .btn-done")
        call = page.locator(".opblock", has=page.locator(f'[data-path="{PATH}/codes"]'))
        call.locator(".opblock-summary-control").click()
        call.locator(".try-out__btn").click()
        call.locator(".execute").click()
        call.locator(".live-responses-table tbody .response-col_status").wait_for()
        answer = call.locator(".live-responses-table").inner_text()
        browser.close()
    assert "INVESTIGATING" in answer
    assert f"{url}{BASE}{PATH}/codes" in urls
    assert all(asked.startswith((f"{url}{BASE}/", "data:")) for asked in urls)
