"""Which refusal comes first where several would be right."""

from service.http.bodies import MAX_BODY
from tests.http.api import ABSENT_ID, PATH, Api, at, incident
from tests.http.conftest import Serve

ORIGIN = {"Origin": "https://page.example"}
TEXT_HTML = {"Content-Type": "text/html"}


async def test_a_preflight_is_answered_before_anyone_is_asked_for_a_token(serve: Serve) -> None:
    api = await serve(cors_origins=(ORIGIN["Origin"],))
    for path in (PATH, at(ABSENT_ID), "/v1/nothing"):
        headers = {**ORIGIN, "Access-Control-Request-Method": "PUT"}
        assert (await api.send("OPTIONS", path, authorized=False, headers=headers)).status == 204


async def test_all_of_the_api_asks_for_a_token_unknown_paths_and_methods_too(api: Api) -> None:
    for path in ("/v1", "/v1/", "/v1/nothing", PATH, f"{PATH}/", f"{PATH}/not-an-id", at(ABSENT_ID)):
        for method in ("GET", "POST", "TRACE", "OPTIONS"):
            answer = await api.send(method, path, data=b"x" * 10, authorized=False, headers=TEXT_HTML)
            answer.refused(401, "TOKEN_MISSING")
            assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_paths_beside_the_api_ask_for_no_token(api: Api) -> None:
    for path in ("/", "/v1x", "/v2/incident", "/v"):
        (await api.get(path, authorized=False)).refused(404, "NOT_FOUND")


async def test_the_route_comes_before_the_role(serve: Serve) -> None:
    viewer = (await serve(read_only_roles=("viewer",))).by(roles=("viewer",))
    (await viewer.post("/v1/nothing", {})).refused(404, "NOT_FOUND")
    assert (await viewer.put(PATH, {})).status == 405
    assert (await viewer.post(at("not-an-id", "comments"), {})).status == 404


async def test_the_role_comes_before_the_body(serve: Serve) -> None:
    viewer = (await serve(read_only_roles=("viewer",))).by(roles=("viewer",))
    (await viewer.post(f"{PATH}?x=1", data=b"<a/>", headers=TEXT_HTML)).refused(403, "FORBIDDEN")
    (await viewer.put(at(ABSENT_ID), data=b"x" * (MAX_BODY + 1))).refused(403, "FORBIDDEN")
    (await viewer.by(roles=()).post(f"{PATH}/attributes", data=b"{")).refused(403, "FORBIDDEN")


async def test_size_and_type_of_a_body_then_its_form_then_whether_there_is_an_incident(api: Api) -> None:
    for method, path in [
        ("POST", PATH),
        ("PUT", at(ABSENT_ID)),
        ("PATCH", at(ABSENT_ID)),
        ("DELETE", at(ABSENT_ID)),
        ("POST", at(ABSENT_ID, "restore")),
        ("POST", at(ABSENT_ID, "attributes")),
        ("PUT", at(ABSENT_ID, "attributes")),
        ("DELETE", at(ABSENT_ID, "attributes", "count")),
        ("POST", at(ABSENT_ID, "comments")),
        ("DELETE", at(ABSENT_ID, "comments")),
        ("PUT", at(ABSENT_ID, "comments", ABSENT_ID)),
        ("DELETE", at(ABSENT_ID, "comments", ABSENT_ID)),
        ("POST", f"{PATH}/attributes"),
        ("DELETE", f"{PATH}/attributes/nothing"),
    ]:
        api = api.deployer
        crooked = f"{path}?unknown=1"
        headers = {"If-Match": "?", "Idempotency-Key": " "}
        (await api.send(method, crooked, data=b"x" * (MAX_BODY + 1), headers=headers)).refused(413, "BODY_TOO_LARGE")
        (await api.send(method, crooked, data=b"{", headers={**headers, **TEXT_HTML})).refused(415, "TYPE_UNSUPPORTED")
        (await api.send(method, crooked, data=b"{", headers=headers)).refused(400, "JSON_INVALID")
        assert (await api.send(method, crooked, {})).status == 400


async def test_what_can_be_told_without_the_incident_comes_before_its_absence(api: Api) -> None:
    path = at(ABSENT_ID)
    lock = {"occ_lock": 5}
    assert (await api.put(path, {**incident(name=""), **lock})).status == 400
    assert (await api.put(path, incident())).status == 400
    assert (await api.put(path, incident(), headers={"If-Match": "5"})).status == 400
    assert (await api.patch(path, {"status": None})).status == 400
    assert (await api.delete(path, {"occ_lock": "5"})).status == 400
    assert (await api.get(path, headers={"If-None-Match": "5"})).status == 400
    assert (await api.get(path, headers={"Ims-Min-Position": "x"})).status == 400
    assert (await api.get(f"{path}/comments?page=0")).status == 400
    assert (await api.post(f"{path}/comments", {"text": ""})).status == 400
    for answer in (
        await api.put(path, {**incident(), **lock}),
        await api.put(path, incident(), headers={"If-Match": '"5"'}),
        await api.patch(path, lock),
        await api.delete(path, lock),
        await api.get(path, headers={"If-None-Match": '"5"'}),
        await api.get(f"{path}/comments"),
        await api.post(f"{path}/comments", {"text": "Seen."}),
    ):
        answer.refused(404, "NOT_FOUND")


async def test_absence_comes_before_the_author_the_author_before_if_match_and_that_before_the_lock(api: Api) -> None:
    id = (await api.report())["id"]
    comment = (await api.comment(id))["id"]
    path, bob = at(id, "comments", comment), api.by("bob")
    stale = {"text": "Edited.", "occ_lock": 7}
    (await bob.put(at(id, "comments", ABSENT_ID), stale, headers={"If-Match": '"7"'})).refused(404, "NOT_FOUND")
    (await bob.put(path, stale, headers={"If-Match": '"7"'})).refused(403, "FORBIDDEN")
    (await api.put(path, stale, headers={"If-Match": '"7"'})).refused(412, "PRECONDITION_FAILED")
    (await api.put(path, stale, headers={"If-Match": '"0"'})).refused(409, "LOCK_STALE", "occ_lock")


async def test_if_match_is_looked_at_before_the_bodys_lock(api: Api) -> None:
    path = at((await api.report())["id"])
    body = incident(occ_lock=7)
    (await api.put(path, body, headers={"If-Match": '"7"'})).refused(412, "PRECONDITION_FAILED")
    (await api.put(path, body, headers={"If-Match": '"0"'})).refused(409, "LOCK_STALE", "occ_lock")
    assert (await api.put(path, incident(occ_lock=0), headers={"If-Match": '"0"'})).status == 200
