"""Erasing over HTTP: who may, what is answered, and that no answer of the service says it any more."""

import asyncio
from typing import Any

import pytest

from tests.http.api import ABSENT_ID, PATH, Api, at, incident
from tests.http.conftest import Serve
from tests.http.engines import both_engines
from tests.http.sse import listening

ERASER = ("eraser",)
REASON = "Article 17, request 2025-17"
SECRET = "Xanthippe Quzzlebury"
EVENTS = "/v1/events"
NOW = "2999-01-01T00:00:00Z"
MEMBERS = {
    "name": f"Call of {SECRET}", "description": f"{SECRET} rang.", "reported_by": SECRET,
    "location": f"{SECRET}'s flat", "attributes": {"workflowId": SECRET, "count": 5},
}  # fmt: skip


@pytest.fixture
def eraser(api: Api) -> Api:
    return api.by("eve", roles=ERASER)


def erase(fields: Any = "all", **more: Any) -> dict[str, Any]:
    return {"fields": fields, "reason": REASON, **more}


async def everything(api: Api, id: str, now: str = NOW) -> str:
    """All that a deployer of the tenant can get to see, of now and of a time in the past."""
    paths = (
        at(id), at(id, "attributes"), at(id, "comments"), PATH, f"{PATH}?page=1", f"{PATH}?cursor=&sort=name,asc",
        f"{PATH}?q=xanthippe", f"{PATH}?reported_by=Xanthippe%20Quzzlebury", f"{PATH}/counts", f"{EVENTS}?limit=1000",
        f"{at(id)}?version=0", f"{at(id)}?version=1", at(id, "history"), at(id, "diff?from=0&to=1"),
    )  # fmt: skip
    past = [await api.get(f"{path}as_of={now}") for path in (f"{at(id)}?", f"{PATH}?", f"{PATH}?q=xanthippe&")]
    answers = [*past, *[await api.deployer.get(path) for path in paths]]
    stale = await api.put(at(id), incident(occ_lock=0))
    return "\n".join(answer.raw.decode() for answer in (*answers, stale))


@both_engines
async def test_fields_are_null_wherever_they_are_shown(api: Api, eraser: Api) -> None:
    id = (await api.report(**MEMBERS))["id"]
    await api.patch(at(id), {"description": f"{SECRET} rang twice.", "status": "OPEN"})
    await api.put(at(id, "attributes"), {"name": "workflowId", "value": f"{SECRET} again"})
    await api.delete(at(id, "attributes", "workflowId"))
    now = (await api.get(at(id))).data["updated_at"]
    assert (await everything(api, id, now)).count(SECRET) > 20

    fields = ["location", "name", "reported_by", "description", "attributes.workflowId"]
    answer = await eraser.post(at(id, "erase"), erase(fields))
    erased_at = answer.data.pop("erased_at")
    assert answer.body["data"] == {
        "id": id, "incident_id": id, "fields": sorted(fields), "reason": REASON, "positions": [1, 2, 3, 4],
        "erased_by": "eve", "tenant_id": "acme", "occ_lock": 4,
    } | {"erased_at": erased_at}  # fmt: skip
    assert (answer.headers["ETag"], answer.headers["Ims-Position"]) == ('"4"', "5")

    assert SECRET not in await everything(api, id, now)
    assert await api.ids(f"?as_of={now}") == [id]
    assert await api.ids(f"?as_of={now}&attributes.count=5") == [id]
    assert await api.ids(f"?as_of={now}&q=xanthippe") == []
    then = (await api.get(f"{at(id)}?version=1")).data
    assert (then["name"], then["status"], then["attributes"]) == (None, "OPEN", {"count": 5})
    (await api.post(at(id, "revert"), {"version": 1, "occ_lock": 4})).refused(409, "CONTENT_ERASED")
    told = (await api.get(at(id, "history"))).data["history"]
    assert [change.get("erased") for change in told] == 4 * [sorted(fields)] + [None]
    assert (told[4]["what"], told[4]["by"], told[4]["reason"], told[4]["fields"]) == (
        "ims.incident.erased", "eve", REASON, sorted(fields),
    )  # fmt: skip
    shown = (await api.get(at(id))).data
    assert {member: shown[member] for member in MEMBERS} == dict.fromkeys(MEMBERS, None) | {"attributes": {"count": 5}}
    assert (shown["status"], shown["occ_lock"], shown["updated_by"], shown["updated_at"]) == (
        "OPEN",
        4,
        "eve",
        erased_at,
    )
    assert (await api.ids("?q=xanthippe")) == []
    assert (await api.ids("?sort=name,asc&size=5")) == [id]
    last = (await api.get(f"{EVENTS}?after=4")).data[0]
    assert (last["type"], last["actorid"], last["data"]["reason"]) == ("ims.incident.erased", "eve", REASON)
    assert (last["data"]["fields"], last["data"]["positions"]) == (sorted(fields), [1, 2, 3, 4])
    first = (await api.get(f"{EVENTS}?limit=1")).data[0]
    assert first["data"]["erased"] == sorted(fields)
    assert first["data"]["state"]["name"] is None


@both_engines
async def test_what_was_erased_can_be_filled_again(api: Api, eraser: Api) -> None:
    id = (await api.report(**MEMBERS))["id"]
    await eraser.post(at(id, "erase"), erase(["name", "attributes"]))
    assert (await api.patch(at(id), {"name": "A call", "attributes": {"count": 6}})).data["name"] == "A call"
    assert (await api.get(at(id))).data["attributes"] == {"count": 6}
    assert await api.names("?q=call") == ["A call"]
    assert (await api.put(at(id), incident(occ_lock=2))).data["name"] == "Server outage"


@pytest.mark.parametrize("member", ["name", "description", "reported_by"])
async def test_what_is_shown_of_the_erased_can_be_sent_back(api: Api, eraser: Api, member: str) -> None:
    id = (await api.report(**MEMBERS))["id"]
    await eraser.post(at(id, "erase"), erase([member]))
    shown = (await api.get(at(id))).data
    assert shown[member] is None
    edited = (await api.put(at(id), shown | {"status": "OPEN"})).data
    assert (edited[member], edited["status"], edited["occ_lock"]) == (None, "OPEN", 2)
    (change,) = (await api.get(at(id, "history?page=2&size=2"))).data["history"]
    assert change["changes"] == {"status": {"from": "NEW", "to": "OPEN"}}


@pytest.mark.parametrize("member", ["name", "description", "reported_by", "status", "type", "date"])
async def test_null_is_no_value_for_what_was_not_erased(api: Api, eraser: Api, member: str) -> None:
    id = (await api.report(**MEMBERS))["id"]
    await eraser.post(at(id, "erase"), erase(["location"]))
    answer = await api.put(at(id), incident(occ_lock=1) | {member: None})
    assert "must be" in answer.refused(400, "TYPE_INVALID", member)["message"]


@both_engines
async def test_when_all_is_erased_nothing_is_there(api: Api, eraser: Api) -> None:
    id, other = (await api.report(**MEMBERS))["id"], await api.report()
    comment = await api.comment(id, f"{SECRET} said so.")
    await api.patch(at(id), {"status": "OPEN"})
    counts = (await api.get(f"{PATH}/counts")).data
    assert (counts["total"], counts["status"]["OPEN"]) == (2, 1)

    receipt = (await eraser.post(at(id, "erase"), erase())).data
    assert (receipt["fields"], receipt["positions"], receipt["occ_lock"]) == ("all", [1, 4], 2)

    for method, path, body in (
        ("GET", at(id), ...), ("PUT", at(id), incident(occ_lock=2)), ("PATCH", at(id), {"name": "x"}),
        ("DELETE", at(id), ...), ("POST", at(id, "restore"), ...), ("POST", at(id, "comments"), {"text": "x"}),
        ("GET", at(id, "comments"), ...), ("POST", at(id, "attributes"), {"name": "count", "value": 1}),
    ):  # fmt: skip
        (await api.send(method, path, body)).refused(404, "NOT_FOUND")
    (await eraser.post(at(id, "erase"), erase())).refused(404, "NOT_FOUND")
    counts = (await api.get(f"{PATH}/counts")).data
    assert (counts["total"], counts["status"]["OPEN"], counts["status"]["NEW"]) == (1, 0, 1)
    assert await api.ids() == [other["id"]]
    told_to_forget = (await api.get(f"{EVENTS}?subject={id}")).data
    assert [event["type"] for event in told_to_forget] == ["ims.incident.erased"]
    shown = (await api.by("olga", roles=("auditor",)).get(f"{EVENTS}?subject={id}")).data
    assert [event["data"].get("erased") for event in shown] == [True, None, True, None]
    (await api.get(at(id, "history"))).refused(404, "NOT_FOUND")
    told = (await api.by("olga", roles=("auditor",)).get(at(id, "history"))).data["history"]
    assert [change.get("erased") for change in told] == [True, None, True, None]
    assert (told[3]["by"], told[3]["fields"], told[3]["reason"]) == ("eve", "all", REASON)
    for query in ("?version=0", "?version=2", f"?as_of={NOW}"):
        (await api.deployer.get(at(id) + query)).refused(404, "NOT_FOUND")
    assert shown[-1]["data"]["state"] is None
    # The comments on it go one by one; that of this incident is still in the log.
    assert SECRET in await everything(api, id)
    gone = (await eraser.post(at(id, "comments", comment["id"], "erase"), erase(["text"]))).data
    assert (gone["id"], gone["incident_id"], gone["positions"]) == (comment["id"], id, [3])
    assert SECRET not in await everything(api, id)


@both_engines
async def test_a_comment_is_erased_as_a_whole(api: Api, eraser: Api) -> None:
    id = (await api.report())["id"]
    kept, said = await api.comment(id, "Seen."), await api.comment(id, f"{SECRET} did it.")
    path = at(id, "comments", said["id"])
    await api.put(path, {"text": f"{SECRET} may have done it.", "occ_lock": 0})
    assert (await eraser.post(f"{path}/erase", erase())).data["positions"] == [3, 4]
    assert SECRET not in await everything(api, id)
    shown = (await api.get(at(id, "comments"))).data
    assert ([comment["id"] for comment in shown["comments"]], shown["total"]) == ([kept["id"]], 1)
    (await api.put(path, {"text": "x", "occ_lock": 2})).refused(404, "NOT_FOUND")
    (await eraser.post(f"{path}/erase", erase())).refused(404, "NOT_FOUND")
    last = (await api.get(f"{EVENTS}?after=4")).data[0]
    assert (last["type"], last["subject"], last["data"]["state"]) == ("ims.comment.erased", id, None)
    told = (await api.get(at(id, "history"))).data["history"]
    about = [change["comment_id"] for change in told if change["what"].startswith("ims.comment.")]
    assert about == [kept["id"], said["id"], said["id"], said["id"]]


async def test_what_is_deleted_or_removed_is_erased_all_the_same(api: Api, eraser: Api) -> None:
    id = (await api.report(**MEMBERS))["id"]
    comment = await api.comment(id, SECRET)
    await api.delete(at(id, "comments", comment["id"]))
    await api.delete(at(id))
    assert (await eraser.post(at(id, "comments", comment["id"], "erase"), erase())).status == 200
    fields = ["name", "description", "reported_by", "location", "attributes"]
    assert (await eraser.post(at(id, "erase"), erase(fields))).status == 200
    assert (await api.get(at(id))).status == 404
    assert (await api.post(at(id, "restore"))).data["name"] is None
    assert SECRET not in await everything(api, id)


async def test_only_an_eraser_may(api: Api) -> None:
    id = (await api.report())["id"]
    comment = (await api.comment(id))["id"]
    for user in (api, api.deployer, api.by(roles=("reader",))):
        for path in (at(id, "erase"), at(id, "comments", comment, "erase"), at(ABSENT_ID, "erase")):
            (await user.post(path, {"nonsense": 1})).refused(403, "FORBIDDEN")
    other = api.by("mallory", tenant="other", roles=ERASER)
    (await other.post(at(id, "erase"), erase())).refused(404, "NOT_FOUND")
    assert (await api.get(at(id))).status == 200


async def test_the_role_is_a_setting(serve: Serve) -> None:
    api = await serve(eraser_roles=("privacy", "reader"), read_only_roles=("reader",))
    id = (await api.deployer.report())["id"]
    (await api.by(roles=ERASER).post(at(id, "erase"), erase(["name"]))).refused(403, "FORBIDDEN")
    (await api.by(roles=("reader",)).post(at(id, "erase"), erase(["name"]))).refused(403, "FORBIDDEN")
    assert (await api.by(roles=("privacy",)).post(at(id, "erase"), erase(["name"]))).status == 200


async def test_what_is_wrong_is_told_before_anything_is_looked_up(api: Api, eraser: Api) -> None:
    of_incident, of_comment = at(ABSENT_ID, "erase"), at(ABSENT_ID, "comments", ABSENT_ID, "erase")
    for path, allowed in ((of_incident, "attributes.<name>"), (of_comment, "text")):
        answer = await eraser.post(path, {"fields": ["status"], "reason": " ", "occ_lock": -1, "more": 1})
        assert answer.status == 400
        assert answer.faults == {
            ("FIELD_NOT_ERASABLE", "fields"), ("TEXT_EMPTY", "reason"), ("NUMBER_OUT_OF_RANGE", "occ_lock"),
            ("MEMBER_UNKNOWN", "more"),
        }  # fmt: skip
        assert allowed in str(answer.body)
        assert (await eraser.post(path, {})).faults == {("MEMBER_MISSING", "fields"), ("MEMBER_MISSING", "reason")}
        (await eraser.post(path, erase(["text"] if allowed == "text" else ["name"]))).refused(404, "NOT_FOUND")


async def test_locks_are_those_of_a_delete(api: Api, eraser: Api) -> None:
    id = (await api.report(name=SECRET))["id"]
    await api.patch(at(id), {"name": "Other"})
    stale = (await eraser.post(at(id, "erase"), erase(occ_lock=0))).refused(409, "LOCK_STALE", "occ_lock")
    assert stale["changes"][0]["changes"]["name"] == {"from": SECRET, "to": "Other"}
    (await eraser.post(at(id, "erase?occ_lock=0"), erase())).refused(409, "LOCK_STALE", "occ_lock")
    (await eraser.post(at(id, "erase?occ_lock=0"), erase(occ_lock=1))).refused(400, "LOCKS_DIFFER", "occ_lock")
    (await eraser.post(at(id, "erase"), erase(), headers={"If-Match": '"0"'})).refused(412, "PRECONDITION_FAILED")
    assert (await eraser.post(at(id, "erase"), erase(["name"]), headers={"If-Match": '"1"'})).status == 200
    stale = (await eraser.post(at(id, "erase"), erase(occ_lock=0))).refused(409, "LOCK_STALE", "occ_lock")
    assert [change["changes"] for change in stale["changes"]] == 2 * [{"name": {"from": None, "to": None}}]


@both_engines
async def test_a_repeat_of_what_was_erased_is_refused(api: Api, eraser: Api) -> None:
    reported = await api.post(PATH, incident(name=SECRET), headers={"Idempotency-Key": "r"})
    id = reported.data["id"]
    await api.patch(at(id), {"status": "OPEN"}, headers={"Idempotency-Key": "p"})
    said = await api.post(at(id, "comments"), {"text": SECRET}, headers={"Idempotency-Key": "c"})
    await eraser.post(at(id, "erase"), erase(["name"]))
    await eraser.post(at(id, "comments", said.data["id"], "erase"), erase())
    later = await api.patch(at(id), {"status": "CLOSED"}, headers={"Idempotency-Key": "later"})
    for path, body, key in (
        (PATH, incident(name=SECRET), "r"), (PATH, incident(name="Guessed"), "r"),
        (at(id, "comments"), {"text": SECRET}, "c"),
    ):  # fmt: skip
        (await api.post(path, body, headers={"Idempotency-Key": key})).refused(409, "COMMAND_ERASED")
    again = await api.patch(at(id), {"status": "OPEN"}, headers={"Idempotency-Key": "p"})
    again.refused(409, "COMMAND_ERASED")
    again = await api.patch(at(id), {"status": "CLOSED"}, headers={"Idempotency-Key": "later"})
    assert again.data == later.data, "nothing that it is answered with was erased since"
    assert (await api.get(at(id))).data["occ_lock"] == 3


@both_engines
async def test_an_erasure_can_be_repeated(api: Api, eraser: Api) -> None:
    id = (await api.report(name=SECRET))["id"]
    key = {"Idempotency-Key": "e"}
    first = await eraser.post(at(id, "erase"), erase(["name"]), headers=key)
    await eraser.post(at(id, "erase"), erase())
    again = await eraser.post(at(id, "erase"), erase(["name"]), headers=key)
    assert (again.status, again.data, again.headers["Ims-Position"]) == (200, first.data, "2")
    (await eraser.post(at(id, "erase"), erase(["location"]), headers=key)).refused(422, "IDEMPOTENCY_KEY_REUSED")
    twice = await asyncio.gather(*(eraser.post(at(id, "erase"), erase(["name"]), headers=key) for _ in range(5)))
    assert {answer.headers["Ims-Position"] for answer in twice} == {"2"}


async def test_who_listens_is_told_and_who_comes_later_sees_nothing_of_it(api: Api, eraser: Api) -> None:
    id = (await api.report(name=SECRET))["id"]
    async with listening(api) as early:
        await early.take(1)
        await eraser.post(at(id, "erase"), erase(["name"]))
        (told,) = await early.take(1)
        assert (told.type, told.data["data"]["positions"]) == ("ims.incident.erased", [1])
    async with listening(api) as late:
        events = await late.take(2)
    assert SECRET not in str(events)
    assert events[0].data["data"]["erased"] == ["name"]
