"""The history of an incident: each change, who made it, from what to what; and bringing an earlier version back."""

import asyncio
from typing import Any

import pytest

from service.store.log import Log
from tests.http.api import ABSENT_ID, PATH, Api, at
from tests.http.conftest import Serve
from tests.http.engines import both_engines
from tests.store.engines import PostgresEngine


async def eventful(api: Api) -> tuple[str, str]:
    """An incident and a comment, each with some changes."""
    id = (await api.report(attributes={"count": 1}))["id"]
    comment = (await api.comment(id, "Seen."))["id"]
    await api.by("bob").patch(at(id), {"status": "OPEN", "attributes": {"count": 2}})
    await api.put(at(id, "attributes"), {"name": "workflowId", "value": "w"})
    await api.put(at(id, "comments", comment), {"text": "Seen it.", "occ_lock": 0})
    await api.delete(at(id, "comments", comment))
    await api.delete(at(id))
    await api.post(at(id, "restore"))
    await api.post(at(id, "revert"), {"version": 0, "occ_lock": 4})
    return id, comment


@both_engines
async def test_every_change_is_told_oldest_first_with_who_when_and_from_what_to_what(api: Api) -> None:
    await api.report(name="Another one")
    id, comment = await eventful(api)
    data = (await api.get(at(id, "history"))).data
    assert data["total"] == len(data["history"]) == 9
    told = [(one["what"], one["occ_lock"], one["by"], one["user_id"], one["changes"]) for one in data["history"]]
    by_ann = ("Ann Example", "ann")
    reported = told[0][4]
    assert reported["attributes.count"] == {"from": None, "to": 1}
    assert reported["name"] == {"from": None, "to": "Server outage"}
    assert reported["backdated"] == {"from": None, "to": False}
    assert "resolved_date" not in reported
    assert told == [
        ("ims.incident.reported", 0, *by_ann, reported),
        ("ims.comment.added", 0, *by_ann, {"text": {"from": None, "to": "Seen."}}),
        (
            "ims.incident.edited", 1, "bob", "bob",
            {"status": {"from": "NEW", "to": "OPEN"}, "attributes.count": {"from": 1, "to": 2}},
        ),
        ("ims.incident.attribute_set", 2, *by_ann, {"attributes.workflowId": {"from": None, "to": "w"}}),
        ("ims.comment.edited", 1, *by_ann, {"text": {"from": "Seen.", "to": "Seen it."}}),
        ("ims.comment.removed", 2, *by_ann, {"text": {"from": "Seen it.", "to": None}}),
        ("ims.incident.deleted", 3, *by_ann, {}),
        ("ims.incident.restored", 4, *by_ann, {}),
        (
            "ims.incident.reverted", 5, *by_ann,
            {
                "status": {"from": "OPEN", "to": "NEW"},
                "attributes.count": {"from": 2, "to": 1},
                "attributes.workflowId": {"from": "w", "to": None},
            },
        ),
    ]  # fmt: skip
    assert {one.get("comment_id") for one in data["history"]} == {None, comment}
    assert all((one["what"].split(".")[1] == "comment") == ("comment_id" in one) for one in data["history"])
    assert [one.get("to_version") for one in data["history"]] == [None] * 8 + [0]
    positions = [one["position"] for one in data["history"]]
    assert positions == sorted(set(positions))
    assert data["history"][0]["at"] == (await api.get(at(id))).data["created_at"]


@both_engines
async def test_a_history_has_pages_and_cursors(api: Api) -> None:
    id, _ = await eventful(api)
    whole = (await api.get(at(id, "history"))).data["history"]
    for number, shown in ((1, whole[:4]), (2, whole[4:8]), (3, whole[8:]), (4, [])):
        answer = (await api.get(f"{at(id, 'history')}?page={number}&size=4")).body
        assert answer["data"] == {"history": shown, "total": 9}
        assert answer["page"] == {
            "number": number, "size": 4, "total_records": 9, "count": len(shown), "sort": ["position,asc"],
        }  # fmt: skip
    seen: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = (await api.get(f"{at(id, 'history')}?size=4&cursor={cursor}")).body
        seen += answer["data"]["history"]
        cursor = answer["page"].get("next")
        assert answer["data"]["total"] == 9
    assert seen == whole
    other = (await api.report())["id"]
    first = (await api.get(f"{at(id, 'history')}?size=1&cursor=")).body["page"]["next"]
    (await api.get(f"{at(other, 'history')}?size=1&cursor={first}")).refused(400, "CURSOR_INVALID", "cursor")
    (await api.get(f"{at(id, 'history')}?page=1&cursor=")).refused(400, "PARAMETER_INVALID", "cursor")


@both_engines
async def test_a_page_tells_of_what_came_since_it_was_asked_for_last(api: Api) -> None:
    id = (await api.report())["id"]
    for total in range(1, 5):
        answer = (await api.get(f"{at(id, 'history')}?page=1&size=2")).body
        assert (answer["data"]["total"], answer["page"]["total_records"]) == (total, total)
        assert len(answer["data"]["history"]) == min(total, 2)
        await (api.comment(id, "Seen.") if total % 2 else api.patch(at(id), {"next_update": total}))


@both_engines
async def test_a_long_history_is_streamed_whole(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.http.past.CHUNK", 4)
    id = (await api.report())["id"]
    for number in range(11):
        await api.put(at(id, "attributes"), {"name": "count", "value": number})
    data = (await api.get(at(id, "history"))).data
    assert data["total"] == 12
    assert [one["occ_lock"] for one in data["history"]] == list(range(12))


@both_engines
async def test_what_was_erased_keeps_its_place_in_the_history(api: Api) -> None:
    id, _ = await eventful(api)
    back, key = {"version": 1, "occ_lock": 5}, {"Idempotency-Key": "back"}
    assert (await api.post(at(id, "revert"), back, headers=key)).data["occ_lock"] == 6
    await _erase(api, "WHERE originator_version = 1 AND topic = 'IncidentEdited'")
    told = (await api.get(at(id, "history"))).data["history"]
    assert {**told[2], "at": "", "position": 0} == {
        "position": 0, "occ_lock": 1, "at": "", "what": "ims.incident.edited", "erased": True,
    }  # fmt: skip
    assert not any("erased" in one for one in [*told[:2], *told[3:]])
    (await api.post(at(id, "revert"), {"version": 2, "occ_lock": 6})).refused(409, "CONTENT_ERASED")
    (await api.post(at(id, "revert"), back, headers=key)).refused(409, "COMMAND_ERASED")
    assert (await api.post(at(id, "revert"), {"version": 0, "occ_lock": 6})).data["occ_lock"] == 7


@both_engines
async def test_a_revert_brings_the_content_of_a_version_back_with_one_event(api: Api) -> None:
    first = await api.report(name="One", attributes={"count": 1}, resolved_date="2025-01-01T00:00:00Z")
    path = at(first["id"])
    await api.patch(path, {"name": "Two", "resolved_date": None, "attributes": {"count": None, "workflowId": "w"}})
    await api.by("bob").patch(path, {"status": "CLOSED"})
    answer = await api.by("eve").post(f"{path}/revert", {"version": 0, "occ_lock": 2})
    back = answer.data
    assert {**back, "occ_lock": 0, "updated_at": "", "updated_by": ""} == {**first, "updated_at": "", "updated_by": ""}
    assert (back["occ_lock"], back["updated_by"], answer.headers["ETag"]) == (3, "eve", '"3"')
    assert (await api.get(path)).data == back
    assert await api.ids("?attributes.count=1") == [first["id"]]
    again = await api.post(f"{path}/revert", {"version": 0, "occ_lock": 3})
    assert (again.data, "Ims-Position" in again.headers) == (back, False)
    assert (await api.post(f"{path}/revert", {"version": 2}, headers={"If-Match": '"3"'})).data["status"] == "CLOSED"


async def test_a_revert_needs_a_lock_that_holds_and_a_version_that_was(api: Api) -> None:
    path = at((await api.report())["id"])
    await api.patch(path, {"name": "Two"})
    revert = f"{path}/revert"
    (await api.post(revert, {"version": 0})).refused(400, "MEMBER_MISSING", "occ_lock")
    assert (await api.post(revert, {})).faults == {("MEMBER_MISSING", "version"), ("MEMBER_MISSING", "occ_lock")}
    (await api.post(revert, {"version": 0, "occ_lock": 1, "name": "x"})).refused(400, "MEMBER_UNKNOWN", "name")
    (await api.post(revert, {"version": -1, "occ_lock": 1})).refused(400, "NUMBER_OUT_OF_RANGE", "version")
    (await api.post(revert, {"version": 2, "occ_lock": 1})).refused(400, "VERSION_UNKNOWN", "version")
    stale = (await api.post(revert, {"version": 0, "occ_lock": 0})).refused(409, "LOCK_STALE", "occ_lock")
    assert stale["current"]["occ_lock"] == 1
    (await api.post(revert, {"version": 0}, headers={"If-Match": '"0"'})).refused(412, "PRECONDITION_FAILED")
    (await api.post(f"{at(ABSENT_ID)}/revert", {"version": 0, "occ_lock": 0})).refused(404, "NOT_FOUND")
    await api.delete(path)
    (await api.post(revert, {"version": 0, "occ_lock": 2})).refused(404, "NOT_FOUND")


@both_engines
async def test_what_was_valid_once_comes_back_although_it_would_be_refused_today(serve: Serve) -> None:
    api = await serve()
    first = await api.report(status="INVESTIGATING", attributes={"count": 1})
    path = at(first["id"])
    await api.patch(path, {"status": "OPEN", "attributes": {"count": None}})
    await api.deployer.delete(f"{PATH}/attributes/count")
    await api.stop()
    api = await serve(status_codes=("NEW", "OPEN"))
    back = (await api.post(f"{path}/revert", {"version": 0, "occ_lock": 1})).data
    assert (back["status"], back["attributes"]) == ("INVESTIGATING", {"count": 1})


@both_engines
async def test_of_reverts_that_race_one_succeeds(api: Api) -> None:
    path = at((await api.report(name="One"))["id"])
    await api.patch(path, {"name": "Two"})
    answers = await asyncio.gather(
        *(api.by(f"u{number}").post(f"{path}/revert", {"version": 0, "occ_lock": 1}) for number in range(8))
    )
    assert sorted(answer.status for answer in answers) == [200] + [409] * 7
    assert {answer.code for answer in answers if answer.status == 409} == {"LOCK_STALE"}
    assert ((await api.get(path)).data["occ_lock"], (await api.get(path)).data["name"]) == (2, "One")


@both_engines
async def test_a_repeated_revert_gets_the_answer_of_the_first_one(api: Api) -> None:
    path = at((await api.report())["id"])
    await api.patch(path, {"name": "Two"})
    key = {"Idempotency-Key": "back"}
    first = await api.post(f"{path}/revert", {"version": 0, "occ_lock": 1}, headers=key)
    await api.patch(path, {"name": "Three"})
    again = await api.post(f"{path}/revert", {"version": 0, "occ_lock": 1}, headers=key)
    assert (again.data, again.headers["Ims-Position"]) == (first.data, first.headers["Ims-Position"])
    other = await api.post(f"{path}/revert", {"version": 1, "occ_lock": 1}, headers=key)
    other.refused(422, "IDEMPOTENCY_KEY_REUSED")


async def _erase(api: Api, which: str) -> None:
    """What an erasure leaves of the rows; the log itself has no way to do it but by order."""
    log: Log = api.parts.log
    statement = f"UPDATE log SET state = NULL, salt = NULL {which}"
    if api.settings.postgres:
        await PostgresEngine(api.settings.database_url).sql(statement)
    else:
        await log._file.write(lambda connection: connection.execute(statement))  # type: ignore[attr-defined]
