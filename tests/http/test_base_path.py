"""Beneath a path of a proxy (`IMS_BASE_PATH`): answers name paths that clients find, whatever it cuts."""

import pytest
from pydantic import ValidationError

from service.http.asyncapi import document
from service.setting_types import OWN_PATHS
from service.settings import Settings
from tests.http.api import ABSENT_ID, PATH, Api, at, incident
from tests.http.conftest import Serve
from tests.http.engines import both_engines

BASE = "/team/ims"
BATCH = {"Accept": "application/cloudevents-batch+json"}


@pytest.fixture
async def beneath(serve: Serve) -> Api:
    return await serve(base_path=BASE)


@both_engines
async def test_every_path_that_is_answered_can_be_followed_through_the_proxy(beneath: Api) -> None:
    for asked in ("", BASE):  # a proxy that takes the path away, and one that leaves it
        created = await beneath.post(f"{asked}{PATH}", incident())
        id = created.data["id"]
        assert created.headers["Location"] == f"{BASE}{at(id)}"
        assert (await beneath.get(created.headers["Location"])).data == created.data
        comment = await beneath.post(f"{asked}{at(id, 'comments')}", {"text": "Seen."})
        assert comment.headers["Location"] == f"{BASE}{at(id, 'comments', comment.data['id'])}"
        defined = await beneath.deployer.post(f"{asked}{PATH}/attributes", {"name": f"a{len(asked)}", "type": "INT"})
        assert defined.headers["Location"] == f"{BASE}{PATH}/attributes/a{len(asked)}"
        batch = await beneath.get(f"{asked}/v1/events?limit=1", headers=BATCH)
        place = batch.headers["Link"].partition(">")[0].removeprefix("<")
        assert place.startswith(f"{BASE}/v1/events?")
        assert (await beneath.get(place, headers=BATCH)).body[0]["id"] == "2"
        error = (await beneath.post(f"{asked}{at(id)}", {"text": "Seen."})).refused(400, "WRONG_PATH")
        assert f"{BASE}{at(id)}/comments" in error["message"]


async def test_all_is_served_beneath_it_as_it_is_without(beneath: Api) -> None:
    id = (await beneath.report())["id"]
    for path in (
        "/livez",
        "/readyz",
        "/status",
        "/metrics",
        "/openapi.json",
        "/asyncapi.json",
        "/docs",
        "/docs/docs.js",
    ):
        for asked in ("", BASE):
            assert (await beneath.get(f"{asked}{path}", authorized=False)).status == 200, path
    assert (await beneath.get(f"{BASE}{PATH}?size=1&sort=name")).body["page"]["sort"] == ["name,desc"]
    assert (await beneath.get(f"{BASE}{at(id)}?version=0")).data["id"] == id
    head = await beneath.send("HEAD", f"{BASE}{at(id, 'attributes')}")
    assert (head.status, head.raw) == (200, b"")


async def test_a_token_is_asked_for_beneath_it_too_and_what_is_no_path_of_it_is_not_there(beneath: Api) -> None:
    for path in (f"{BASE}{PATH}", f"{BASE}/v1", f"{BASE}/v1/nothing", f"{BASE}/v1/"):
        (await beneath.get(path, authorized=False)).refused(401, "TOKEN_MISSING")
    for path in (
        BASE,
        f"{BASE}/",
        f"{BASE}x{PATH}",
        f"{BASE}{BASE}{PATH}",
        f"{BASE}/{PATH}",
        f"/team{PATH}",
        f"{BASE}{at('x')}",
    ):
        (await beneath.get(path)).refused(404, "NOT_FOUND")
    (await beneath.get(f"{BASE}{at(ABSENT_ID)}")).refused(404, "NOT_FOUND")
    answer = await beneath.send("DELETE", f"{BASE}{PATH}")
    answer.refused(405, "METHOD_NOT_ALLOWED")


async def test_a_repeat_is_the_same_request_with_the_path_or_without(beneath: Api) -> None:
    headers = {"Idempotency-Key": "k"}
    first = await beneath.post(PATH, incident(), headers=headers)
    again = await beneath.post(f"{BASE}{PATH}", incident(), headers=headers)
    assert again.data == first.data
    assert again.headers["Location"] == first.headers["Location"]


async def test_the_documents_name_it(beneath: Api, serve: Serve) -> None:
    assert (await beneath.get("/openapi.json")).body["servers"] == [{"url": BASE}]
    assert (await beneath.get("/asyncapi.json")).body["channels"]["sse"]["address"] == f"{BASE}/v1/events/stream"
    page = (await beneath.get(f"{BASE}/docs")).raw.decode()
    assert 'href="/' not in page
    assert 'src="/' not in page
    await beneath.stop()
    plain = await serve()
    assert (await plain.get("/openapi.json")).body["servers"] == [{"url": "/"}]
    assert (await plain.get("/asyncapi.json")).body == document()
    assert (await plain.post(PATH, incident())).headers["Location"].startswith(PATH)
    assert (await plain.get(f"{BASE}{PATH}")).status == 404


@pytest.mark.parametrize("value", ["", "/ims", "/a/b/c", "/a.b_c~d-e", "/v1.ims", "/IMS"])
def test_a_path_is_taken(value: str) -> None:
    assert Settings(base_path=value).base_path == value


@pytest.mark.parametrize(
    "value",
    [
        "/",
        "ims",
        "/ims/",
        "//ims",
        "/a//b",
        "/..",
        "/a/../b",
        "/./a",
        "/a b",
        "/é",
        "/a?b",
        "/a#b",
        "/%61",
        "http://x/ims",
        "/{id}",
    ],
)
def test_what_is_no_such_path_is_refused_by_name(value: str) -> None:
    with pytest.raises(ValidationError, match="begin with / and do not end with it"):
        Settings(base_path=value)


@pytest.mark.parametrize("value", ["/v1", "/v1/ims", "/docs", "/metrics", "/openapi.json", "/.well-known/ims"])
def test_a_path_of_the_service_itself_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="must not begin with a path of the service itself"):
        Settings(base_path=value)


async def test_those_paths_are_all_that_the_service_has(api: Api) -> None:
    paths = (await api.get("/openapi.json")).body["paths"]
    assert {path.split("/")[1] for path in paths} == OWN_PATHS
