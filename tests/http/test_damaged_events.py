"""An event of the log that somebody damaged: the API shows its place, or answers a code; a follower stops there."""

import asyncio

from projections.read_models import FOLLOWER
from tests.audit import stores
from tests.http.api import PATH, Api, at
from tests.http.conftest import Serve
from tests.http.engines import both_engines


async def damage(api: Api, position: int) -> None:
    """Valid JSON without the members, and a digest that fits."""
    state = "'{\"x\":1}'"
    if api.settings.postgres:
        changes = f"state = convert_to({state}, 'UTF8'), digest = sha256(salt || convert_to({state}, 'UTF8'))"
    else:
        changes = f"state = CAST({state} AS blob)"
    await stores.sql(api.settings, f"UPDATE log SET {changes} WHERE notification_id = {position}")


@both_engines
async def test_readers_are_shown_the_place_of_what_is_damaged(serve: Serve) -> None:
    api = await serve(run=("api", "projector"), verify_rate=0)
    id, other = (await api.report(name="Damaged"))["id"], (await api.report(name="Whole"))["id"]
    await api.patch(at(id), {"name": "Still damaged"})
    await api.patch(at(id), {"name": "After it"})
    comment = (await api.comment(id, "On it"))["id"]
    assert len(await api.ids()) == 2
    await api.stop()
    await damage(api, 3)
    again = await serve(run=("api", "projector"), verify_rate=0)

    told = (await again.get(at(id, "history"))).data["history"]
    assert [one["position"] for one in told] == [1, 3, 4, 5]
    assert told[1] == {
        "position": 3, "occ_lock": 1, "at": told[1]["at"], "what": "ims.incident.edited", "unreadable": True,
    }  # fmt: skip
    paged = (await again.get(at(id, "history?page=1&size=10"))).data["history"]
    assert paged == told
    for accept in ("text/csv", "application/x-ndjson"):
        listed = await again.get(at(id, "history"), headers={"Accept": accept})
        assert listed.status == 200
        assert b"unreadable" in listed.raw

    events = (await again.get("/v1/events")).data
    assert [event["id"] for event in events] == ["1", "2", "3", "4", "5"]
    assert (events[2]["data"]["unreadable"], len(events[2]["data"]["digest"])) == (True, 64)
    assert events[3]["data"]["state"] is None, "what stands there after it cannot be known"
    assert [event["id"] for event in (await again.get(f"/v1/events?subject={id}&after=1")).data] == ["3", "4", "5"]

    refused = await again.patch(at(id), {"name": "No"})
    refused.refused(503, "EVENT_UNREADABLE")
    assert "position 3" in refused.error["message"]
    (await again.delete(at(id))).refused(503, "EVENT_UNREADABLE")
    (await again.by("eve", roles=("eraser",)).post(at(id, "erase"), {"fields": ["name"], "reason": "-"})).refused(
        503, "EVENT_UNREADABLE"
    )
    assert (await again.get(at(id))).data["name"] == "After it", "what was built before is there"
    assert (await again.patch(at(other), {"name": "Goes on"})).data["occ_lock"] == 1
    edited = await again.put(at(id, "comments", comment), {"text": "Whose incident is it?", "occ_lock": 0})
    edited.refused(503, "EVENT_UNREADABLE")


@both_engines
async def test_a_follower_stops_at_what_is_damaged_by_its_position(serve: Serve) -> None:
    api = await serve(run=("api",), verify_rate=0)
    await api.report(name="One")
    await api.report(name="Damaged")
    await damage(api, 2)
    await api.stop()
    again = await serve(run=("api", "projector"), verify_rate=0, read_timeout=0.2)
    async with asyncio.timeout(30):
        while not again.parts.stopped:
            await asyncio.sleep(0.02)
    assert "position 2" in again.parts.stopped
    state = await again.parts.leases.state(FOLLOWER)
    assert state is not None
    assert (state.position, "position 2" in state.failure) == (1, True)
    assert (await again.get(PATH)).status == 503
    (await again.get("/v1/events")).refused(503, "READ_MODEL_BEHIND")  # what is deleted by now nobody can tell
    assert [event["id"] for event in (await again.by(roles=("auditor",)).get("/v1/events")).data] == ["1", "2"]
