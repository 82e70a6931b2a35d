"""Which paths and methods there are, and how the others are refused."""

from service.http.routes import ROUTES
from tests.http.api import ABSENT_ID, DEPLOYER, PATH, Api, at
from tests.http.sse import STREAM

OTHER_TEXTS = (
    "not-an-id", "INCIDENT_0001", "123", ABSENT_ID[:-1], f"{ABSENT_ID}0", ABSENT_ID.replace("-", ""),
    f"%7B{ABSENT_ID}%7D", f"urn:uuid:{ABSENT_ID}", f"%20{ABSENT_ID}", f"{ABSENT_ID}%0A", ABSENT_ID.replace("0", "g"),
    "%D9%A0" * 8 + ABSENT_ID[8:], "..", "%2e%2e", "Codes", "count", "restore", "'", "*",
)  # fmt: skip


async def test_an_id_is_found_in_any_case_and_answered_in_lower_case(api: Api) -> None:
    id = (await api.report())["id"]
    comment = await api.comment(id)
    for form in (id.upper(), id.title()):
        assert (await api.get(at(form))).data["id"] == id
        assert (await api.patch(at(form), {"name": "Renamed"})).data["id"] == id
        assert (await api.get(at(form, "comments"))).data["comments"][0]["incident_id"] == id
    added = await api.post(at(id.upper(), "comments"), {"text": "Seen."})
    assert added.headers["Location"] == at(id, "comments", added.data["id"])
    edited = await api.put(at(id.upper(), "comments", comment["id"].upper()), {"text": "Edited.", "occ_lock": 0})
    assert edited.data["id"] == comment["id"]


async def test_any_other_text_where_an_id_stands_is_absent(api: Api) -> None:
    for text in OTHER_TEXTS:
        for path in (at(text), at(text, "comments"), at(ABSENT_ID, "comments", text), at(text, "attributes")):
            for method in ("GET", "PUT", "DELETE"):
                answer = await api.send(method, path)
                assert answer.status in ((404,) if method == "GET" else (404, 405)), (method, path)


async def test_a_trailing_slash_is_absent(api: Api) -> None:
    id = (await api.report())["id"]
    for path in (PATH, at(id), f"{PATH}/codes", f"{PATH}/counts", f"{PATH}/attributes", at(id, "comments")):
        assert (await api.get(path)).status == 200
        (await api.get(f"{path}/")).refused(404, "NOT_FOUND")
    (await api.get("/v1//incident")).refused(404, "NOT_FOUND")


async def test_there_is_a_head_wherever_there_is_a_get(api: Api) -> None:
    id = (await api.report())["id"]
    paths = [route.path.format(id=id, position=1) for route in ROUTES if route.method == "GET" and route.path != STREAM]
    assert len(paths) == 13
    for path in [*paths, f"{PATH}?page=1", at(ABSENT_ID), "/livez", "/readyz", "/status", "/metrics", "/openapi.json"]:
        got, head = await api.get(path), await api.send("HEAD", path)
        assert (head.status, head.raw) == (got.status, b""), path
        if path not in ("/metrics", "/status"):
            for name in ("Content-Type", "Content-Length", "ETag", "Cache-Control"):
                assert head.headers.get(name) == got.headers.get(name), (path, name)


async def test_a_wrong_method_is_told_the_right_ones(api: Api) -> None:
    expected: dict[str, set[str]] = {}
    for route in filter(lambda route: route.listed, ROUTES):
        expected.setdefault(route.path, set()).update({"GET", "HEAD"} if route.method == "GET" else {route.method})
    for path, methods in expected.items():
        concrete = path.format(id=ABSENT_ID, comment_id=ABSENT_ID, name="count", position=1)
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"} - methods:
            answer = await api.send(method, concrete)
            assert answer.status == 405, (method, path)
            assert answer.code == "METHOD_NOT_ALLOWED"
            assert set(answer.headers["Allow"].split(",")) == methods, (method, path)


async def test_every_call_is_reached_by_its_path_as_the_documentation_writes_it(api: Api) -> None:
    anybody = api.by(roles=(*DEPLOYER, "eraser"))
    for route in filter(lambda route: route.listed and route.path != STREAM, ROUTES):
        path = route.path.format(id=ABSENT_ID, comment_id=ABSENT_ID, name="nothing", position=1)
        answer = await anybody.send(route.method, path, *([{}] if route.body else []))
        assert answer.status in (200, 400, 404), route
