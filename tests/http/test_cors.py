"""Calls from pages of other origins (Fetch Standard, 3.2): as headers, and by a real browser."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Page, async_playwright

from tests.http.api import ABSENT_ID, PATH, Api, at
from tests.http.conftest import Serve
from tests.servers.browser import ARGUMENTS, CHROMIUM, needs_chromium

ORIGIN = "https://page.example"
STRANGER = "https://stranger.example"
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
ALLOWED = {
    "authorization", "content-type", "if-match", "if-none-match", "idempotency-key", "ims-min-position",
    "last-event-id", "traceparent",
}  # fmt: skip
EXPOSED = {
    "etag", "location", "ims-position", "ims-total", "ims-more", "link", "content-disposition",
    "retry-after", "www-authenticate",
}  # fmt: skip


def words(header: str) -> set[str]:
    return {word.strip().lower() for word in header.split(",")}


def preflight(origin: str, method: str = "PUT") -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,if-match",
    }


async def test_a_preflight_says_what_pages_of_an_allowed_origin_may_send(serve: Serve) -> None:
    api = await serve(cors_origins=(ORIGIN, "http://localhost:3000"))
    for path in (PATH, at(ABSENT_ID), "/v1/nothing"):
        answer = await api.send("OPTIONS", path, authorized=False, headers=preflight(ORIGIN))
        assert (answer.status, answer.raw) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert words(answer.headers["Access-Control-Allow-Methods"]) == {method.lower() for method in METHODS}
        assert words(answer.headers["Access-Control-Allow-Headers"]) == ALLOWED
        assert int(answer.headers["Access-Control-Max-Age"]) > 0
        assert "Origin" in answer.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_every_answer_to_an_allowed_origin_is_marked_errors_too(serve: Serve) -> None:
    api = await serve(cors_origins=(ORIGIN,))
    headers = {"Origin": ORIGIN}
    for answer in (
        await api.get(headers=headers),
        await api.get(headers=headers, authorized=False),
        await api.get(at(ABSENT_ID), headers=headers),
        await api.get("/v1/nothing", headers=headers),
        await api.put(PATH, headers=headers),
        await api.post(PATH, data=b"{", headers=headers),
        await api.post(PATH, data=b"x" * 2_000_000, headers=headers),
        await api.get("/livez", headers=headers),
    ):
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert words(answer.headers["Access-Control-Expose-Headers"]) == EXPOSED
        assert "Origin" in answer.headers["Vary"]


async def test_other_origins_get_no_mark(serve: Serve) -> None:
    api = await serve(cors_origins=(ORIGIN,))
    for origin in (
        STRANGER,
        "null",
        f"{ORIGIN}.stranger.example",
        f"{ORIGIN}:8443",
        ORIGIN.upper(),
        "http" + ORIGIN[5:],
    ):
        for answer in (
            await api.get(headers={"Origin": origin}),
            await api.send("OPTIONS", PATH, authorized=False, headers=preflight(origin)),
        ):
            assert not [name for name in answer.headers if name.lower().startswith("access-control")], origin


async def test_by_default_no_origin_is_allowed_and_a_star_allows_any(serve: Serve) -> None:
    api = await serve()
    assert "Access-Control-Allow-Origin" not in (await api.get(headers={"Origin": ORIGIN})).headers
    await api.stop()
    api = await serve(cors_origins=("*",))
    assert (await api.get(headers={"Origin": STRANGER})).headers["Access-Control-Allow-Origin"] in ("*", STRANGER)


async def test_a_long_list_is_marked_as_well(serve: Serve) -> None:
    api = await serve(cors_origins=(ORIGIN,))
    id = (await api.report())["id"]
    for n in range(3):
        await api.comment(id, f"No. {n}")
    answer = await api.get(at(id, "comments"), headers={"Origin": ORIGIN})
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


@pytest.fixture
async def page_origin() -> AsyncIterator[str]:
    """A server of its own, whose only page is empty."""

    async def empty(_request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>Page</title>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", empty)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


@pytest.fixture
async def page(page_origin: str, tmp_path: Path) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        opened = await browser.new_page()
        await opened.goto(page_origin)
        yield opened
        await browser.close()


async def fetched(page: Page, api: Api, path: str, **options: Any) -> Any:
    """What a script of the page gets from `fetch`: status, some headers, the body; or the text of its error."""
    return await page.evaluate(
        """async ([url, options]) => {
            try {
                const response = await fetch(url, options);
                const names = ["ETag", "Location", "Ims-Position", "WWW-Authenticate"];
                return {
                    status: response.status,
                    headers: Object.fromEntries(names.map(name => [name, response.headers.get(name)])),
                    body: await response.json(),
                };
            } catch (error) { return String(error); }
        }""",
        [str(api.client.make_url(path)), options],
    )


@needs_chromium
@pytest.mark.timeout(60)
async def test_a_browser_calls_the_api_from_a_page_of_another_origin(
    serve: Serve, page: Page, page_origin: str
) -> None:
    api = await serve(cors_origins=(page_origin,))
    body = (
        '{"name": "From a page", "status": "NEW", "type": "OTHERS", "date": "2024-11-11T10:57:27+08:00",'
        ' "description": "Reported by a script.", "reported_by": "John Doe"}'
    )
    token = api.authorization
    created = await fetched(page, api, PATH, method="POST", body=body, headers=token)
    assert created["status"] == 201
    id = created["body"]["data"]["id"]
    assert created["headers"]["Location"] == at(id)
    assert (created["headers"]["ETag"], created["headers"]["Ims-Position"]) == ('"0"', "1")
    listed = await fetched(page, api, PATH, headers=token)
    assert [found["id"] for found in listed["body"]["data"]["incidents"]] == [id]
    headers = {**token, "Content-Type": "application/merge-patch+json", "If-Match": '"0"', "Idempotency-Key": "k"}
    patched = await fetched(page, api, at(id), method="PATCH", body='{"name": "Patched"}', headers=headers)
    assert (patched["status"], patched["headers"]["ETag"]) == (200, '"1"')
    stale = await fetched(page, api, at(id), method="DELETE", headers={**token, "If-Match": '"0"'})
    assert (stale["status"], stale["body"]["errors"][0]["code"]) == (412, "PRECONDITION_FAILED")
    nobody = await fetched(page, api, PATH)
    assert (nobody["status"], nobody["headers"]["WWW-Authenticate"]) == (401, "Bearer")


@needs_chromium
@pytest.mark.timeout(60)
async def test_a_browser_refuses_a_page_whose_origin_is_not_allowed(serve: Serve, page: Page) -> None:
    api = await serve(cors_origins=(ORIGIN,))
    for options in ({}, {"headers": api.authorization}, {"method": "DELETE"}):
        assert await fetched(page, api, PATH, **options) == "TypeError: Failed to fetch"
