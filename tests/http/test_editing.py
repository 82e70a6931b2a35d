"""Replacing and patching an incident, and what a client is told whose version is stale."""

import asyncio
from typing import Any

from tests.http.api import PATH, Api, at, incident
from tests.http.conftest import Serve
from tests.http.engines import both_engines

MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


@both_engines
async def test_a_stale_lock_is_refused_with_what_was_changed_since(api: Api) -> None:
    created = await api.report(attributes={"count": 1})
    path = at(created["id"])
    first = (await api.by("bob").put(path, incident(name="Renamed", status="OPEN", occ_lock=0))).data
    second = (await api.by("eve").put(f"{path}/attributes", {"name": "count", "value": 2})).data
    third = (await api.by("eve").delete(f"{path}/attributes/count")).data
    error = (await api.put(path, incident(name="Mine", occ_lock=0))).refused(409, "LOCK_STALE", "occ_lock")
    assert error["current"] == {"occ_lock": 3, "updated_at": third["updated_at"], "updated_by": "eve"}
    assert error["changes"] == [
        {
            "occ_lock": 1,
            "by": "bob",
            "at": first["updated_at"],
            "changes": {"name": {"from": "Server outage", "to": "Renamed"}, "status": {"from": "NEW", "to": "OPEN"}},
        },
        {"occ_lock": 2, "by": "eve", "at": second["updated_at"], "changes": {"attributes.count": {"from": 1, "to": 2}}},
        {
            "occ_lock": 3,
            "by": "eve",
            "at": third["updated_at"],
            "changes": {"attributes.count": {"from": 2, "to": None}},
        },
    ]
    assert "changes_truncated" not in error
    (since_two,) = (await api.delete(path, {"occ_lock": 2})).refused(409, "LOCK_STALE", "occ_lock")["changes"]
    assert since_two["occ_lock"] == 3
    assert (await api.get(path)).data == third


async def test_a_lock_of_the_future_is_stale_too(api: Api) -> None:
    path = at((await api.report())["id"])
    error = (await api.put(path, incident(occ_lock=1))).refused(409, "LOCK_STALE", "occ_lock")
    assert (error["current"]["occ_lock"], error["changes"]) == (0, [])


async def test_the_newest_fifty_changes_are_told(api: Api) -> None:
    path = at((await api.report())["id"])
    for lock in range(51):
        await api.patch(path, {"name": f"Name {lock + 1}"})
    error = (await api.put(path, incident(occ_lock=1))).refused(409, "LOCK_STALE", "occ_lock")
    assert [change["occ_lock"] for change in error["changes"]] == list(range(2, 52))
    assert "changes_truncated" not in error
    error = (await api.put(path, incident(occ_lock=0))).refused(409, "LOCK_STALE", "occ_lock")
    assert [change["occ_lock"] for change in error["changes"]] == list(range(2, 52))
    assert error["changes_truncated"] is True


@both_engines
async def test_of_many_edits_with_one_lock_one_wins(api: Api) -> None:
    path = at((await api.report())["id"])
    answers = await asyncio.gather(*(api.put(path, incident(name=f"Name {n}", occ_lock=0)) for n in range(50)))
    assert sorted(answer.status for answer in answers) == [200, *[409] * 49]
    (winner,) = (answer.data for answer in answers if answer.status == 200)
    assert (await api.get(path)).data == winner
    assert winner["occ_lock"] == 1


async def test_a_replacement_is_one_event_even_where_it_changes_nothing(api: Api) -> None:
    created = await api.report()
    answer = await api.put(at(created["id"]), {**created, "occ_lock": 0})
    assert answer.data == {**created, "occ_lock": 1, "updated_at": answer.data["updated_at"]}
    assert int(answer.headers["Ims-Position"]) == 2


async def test_a_replacement_takes_away_what_it_leaves_out(api: Api) -> None:
    created = await api.report(location="Hall", severity="HIGH", next_update=7, backdated=True)
    replaced = (await api.put(at(created["id"]), incident(occ_lock=0))).data
    assert (replaced["location"], replaced["severity"], replaced["next_update"], replaced["backdated"]) == (
        "", "", 0, False
    )  # fmt: skip


async def test_a_code_or_attribute_that_was_retired_since_does_not_block_an_edit_of_something_else(
    serve: Serve,
) -> None:
    before = await serve(status_codes=("NEW", "OLD"), attributes={"count": "NUMBER", "gone": "STRING"})
    created = await before.report(status="OLD", attributes={"gone": "x", "count": 1})
    await before.stop()
    now = await serve(status_codes=("NEW",), attributes={"count": "NUMBER"})
    path = at(created["id"])
    edited = (await now.put(path, {**created, "name": "Renamed"})).data
    assert (edited["status"], edited["attributes"]) == ("OLD", {"gone": "x", "count": 1})
    answer = await now.put(path, {**edited, "name": ""})
    answer.refused(400, "TEXT_EMPTY", "name")
    assert (await now.patch(path, {"status": "OLD", "name": "Again"})).status == 200
    assert (await now.put(f"{path}/attributes", {"name": "gone", "value": "x"})).status == 200
    (await now.put(f"{path}/attributes", {"name": "gone", "value": "y"})).refused(400, "ATTRIBUTE_UNKNOWN", "name")
    assert (await now.patch(path, {"status": "NEW"})).status == 200
    (await now.patch(path, {"status": "OLD"})).refused(400, "CODE_UNKNOWN", "status")


@both_engines
async def test_a_patch_changes_what_it_names_and_null_means_the_default(api: Api) -> None:
    created = await api.report(
        location="Hall", severity="HIGH", next_update=7, attributes={"count": 1, "workflowId": "w"}
    )
    path = at(created["id"])
    patch = {"name": "Renamed", "location": None, "attributes": {"count": None}}
    patched = (await api.patch(path, patch, headers=MERGE_PATCH)).data
    assert patched == {
        **created, "name": "Renamed", "location": "", "attributes": {"workflowId": "w"}, "occ_lock": 1,
        "updated_at": patched["updated_at"],
    }  # fmt: skip
    assert (await api.get(path)).data == patched
    assert (await api.patch(path, {"attributes": None})).data["attributes"] is None
    assert (await api.patch(path, {"attributes": {"count": "7"}})).data["attributes"] == {"count": 7}


async def test_a_required_member_cannot_be_patched_away(api: Api) -> None:
    path = at((await api.report())["id"])
    for member in ("name", "status", "type", "date", "description", "reported_by"):
        answer = await api.patch(path, {member: None})
        assert answer.status == 400
        assert answer.error["field"] == member


async def test_a_patch_without_effect_is_no_event(api: Api) -> None:
    created = await api.report(attributes={"count": 1})
    path = at(created["id"])
    ignored = {name: created[name] for name in ("id", "created_at", "created_by", "updated_at", "tenant_id")}
    patches: list[dict[str, Any]] = [
        {}, {"name": created["name"]}, {"attributes": {}}, {"attributes": {"count": 1}}, {"attributes": {"count": "1"}},
        {"attributes": {"workflowId": None}}, {"location": None}, {"occ_lock": 0}, ignored, created,
    ]  # fmt: skip
    for patch in patches:
        answer = await api.patch(path, patch)
        assert answer.data == created, patch
        assert answer.headers["ETag"] == '"0"'
        assert "Ims-Position" not in answer.headers


@both_engines
async def test_a_stale_patch_succeeds_where_nothing_that_it_touches_was_changed_since(api: Api) -> None:
    path = at((await api.report())["id"])
    await api.patch(path, {"name": "Renamed"})
    rebased = await api.by("bob").patch(path, {"location": "Hall", "occ_lock": 0})
    assert (rebased.data["name"], rebased.data["location"], rebased.data["occ_lock"]) == ("Renamed", "Hall", 2)
    error = (await api.patch(path, {"name": "Mine", "severity": "LOW", "occ_lock": 0})).refused(
        409, "LOCK_STALE", "occ_lock"
    )
    assert [change["occ_lock"] for change in error["changes"]] == [1, 2]
    (await api.patch(path, {"severity": "LOW", "occ_lock": 3})).refused(409, "LOCK_STALE", "occ_lock")


async def test_attributes_count_one_by_one_in_a_stale_patch(api: Api) -> None:
    path = at((await api.report(attributes={"count": 1, "workflowId": "w"}))["id"])
    await api.put(f"{path}/attributes", {"name": "count", "value": 2})

    async def patched(attributes: Any) -> int:
        return (await api.patch(path, {"attributes": attributes, "occ_lock": 0})).status

    assert await patched({"workflowId": "x"}) == 200
    assert await patched({"count": 3}) == 409
    assert await patched({"count": None}) == 409
    assert await patched(None) == 409
    assert await patched({}) == 200


async def test_a_patch_under_if_match_is_not_rebased(api: Api) -> None:
    path = at((await api.report())["id"])
    await api.patch(path, {"name": "Renamed"})
    (await api.patch(path, {"location": "Hall"}, headers={"If-Match": '"0"'})).refused(412, "PRECONDITION_FAILED")
    patch = {"location": "Hall", "occ_lock": 0}
    (await api.patch(path, patch, headers={"If-Match": '"1"'})).refused(409, "LOCK_STALE", "occ_lock")


@both_engines
async def test_a_deleted_incident_is_gone_for_every_call_and_comes_back_whole(api: Api) -> None:
    created = await api.report(attributes={"count": 1})
    id, path = created["id"], at(created["id"])
    comment = await api.comment(id)
    deleted = (await api.delete(path)).data
    assert (deleted["occ_lock"], deleted["name"]) == (1, created["name"])
    gone = [
        await api.get(path),
        await api.get(f"{path}/comments"),
        await api.get(f"{path}/comments?page=1"),
        await api.get(f"{path}/attributes"),
        await api.put(path, incident(occ_lock=1)),
        await api.patch(path, {"name": "Renamed"}),
        await api.delete(path),
        await api.delete(path, {"occ_lock": 0}),
        await api.put(f"{path}/attributes", {"name": "count", "value": 2}),
        await api.delete(f"{path}/attributes/count"),
        await api.post(f"{path}/comments", {"text": "Late."}),
        await api.put(f"{path}/comments/{comment['id']}", {"text": "Late.", "occ_lock": 0}),
        await api.delete(f"{path}/comments/{comment['id']}"),
        await api.delete(f"{path}/comments", {"id": comment["id"]}),
    ]
    for answer in gone:
        answer.refused(404, "NOT_FOUND")
    assert (await api.get()).data == {"incidents": [], "total": 0}
    assert (await api.get(f"{PATH}?page=1")).data["total"] == 0
    assert (await api.get(f"{PATH}/counts")).data["total"] == 0
    restored = (await api.post(f"{path}/restore")).data
    assert restored == {**created, "occ_lock": 2, "updated_at": restored["updated_at"]}
    assert (await api.get(path)).data == restored
    assert (await api.get()).data["total"] == 1
    assert (await api.get(f"{path}/comments")).data == {"comments": [comment], "total": 1}
    assert (await api.get(f"{PATH}?attributes.count=1")).data["total"] == 1


async def test_only_what_is_deleted_can_be_restored_with_the_right_lock(api: Api) -> None:
    path = at((await api.report())["id"])
    (await api.post(f"{path}/restore")).refused(409, "NOT_DELETED")
    await api.delete(path)
    (await api.post(f"{path}/restore", {"occ_lock": 0})).refused(409, "LOCK_STALE", "occ_lock")
    assert (await api.post(f"{path}/restore?occ_lock=1")).data["occ_lock"] == 2
