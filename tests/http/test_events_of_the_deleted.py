"""Events of an incident that is deleted, or erased: the feed and its stream show them to whom its history is shown."""

from typing import Any

import pytest

from service.subscribers import pages
from tests.http.api import Api, at
from tests.http.engines import both_engines
from tests.http.sse import listening
from tests.http.test_event_feed import EVENTS, every

ERASER = ("eraser", "tenant-admin")
SECRET = "zanzibar"


async def shown(api: Api, query: str = "") -> dict[int, str]:
    """By position, and whether it is whole."""
    events = await every(api, query, limit=3)
    assert events == await every(api, query, limit=100)
    return {int(event["id"]): told(event) for event in events}


def told(event: Any) -> str:
    data, type = event["data"], event["type"].removeprefix("ims.")
    if data.get("withheld"):
        assert (data["state"], data["changes"]) == (None, {})
        return f"{type} withheld"
    return str(type)


async def a_past(api: Api) -> str:
    """Positions 1 to 5 are of the incident that is returned and of its comment, 6 of another one."""
    id = (await api.report(name=f"{SECRET} plan"))["id"]
    await api.patch(at(id), {"description": f"{SECRET} again"})
    comment = (await api.comment(id, f"{SECRET} comment"))["id"]
    await api.put(at(id, "comments", comment), {"text": f"{SECRET} reworded", "occ_lock": 0})
    await api.patch(at(id), {"status": "OPEN"})
    await api.report(name="Another")
    return str(id)


@both_engines
async def test_of_a_deleted_incident_a_viewer_is_told_that_it_went_and_nothing_else(api: Api) -> None:
    id = await a_past(api)
    whole = await shown(api)
    assert len(whole) == 6
    await api.delete(at(id))
    assert await shown(api) == {6: "incident.reported", 7: "incident.deleted withheld"}
    for query in (f"&subject={id}", "&type=ims.incident.deleted"):
        assert await shown(api, query) == {7: "incident.deleted withheld"}
    assert await shown(api, "&type=ims.comment.added&type=ims.incident.edited") == {}
    for accept in ("application/json", "application/cloudevents-batch+json"):
        assert SECRET not in (await api.get(EVENTS, headers={"Accept": accept})).raw.decode()
    async with listening(api) as reading:
        first, second = await reading.take(2)
    assert ([first.id, second.id], SECRET in str((first, second))) == ([6, 7], False)
    for roles in (("auditor",), ("tenant-admin",)):
        assert await shown(api.by(roles=roles)) == whole | {7: "incident.deleted"}
    await api.post(at(id, "restore"))
    assert await shown(api) == whole | {7: "incident.deleted", 8: "incident.restored"}
    assert await shown(api, f"&subject={id}") == {
        position: type for position, type in (await shown(api)).items() if position != 6
    }


@both_engines
async def test_a_stream_tells_a_viewer_of_what_happens_as_the_feed_does(api: Api) -> None:
    eraser = api.by(roles=ERASER)
    async with listening(api, "?after=0") as reading, listening(eraser, "?after=0") as auditing:
        id = await a_past(api)
        heard = await reading.take(6)  # while it was there
        assert [told(event.data) for event in heard] == list((await shown(api)).values())
        await api.delete(at(id))
        await eraser.post(at(id, "erase"), {"fields": ["description"], "reason": "asked for"})
        await api.post(at(id, "restore"))
        await api.patch(at(id), {"name": f"{SECRET} restored"})
        gone, erased, restored, edited = await reading.take(4)
        assert [told(event.data) for event in (gone, erased)] == [
            "incident.deleted withheld", "incident.erased withheld",
        ]  # fmt: skip
        assert erased.data["data"]["positions"]
        assert SECRET not in str((gone.data, erased.data))
        assert restored.data["data"]["state"]["name"] == f"{SECRET} plan"
        assert edited.data["data"]["state"]["name"] == f"{SECRET} restored"
        whole = await auditing.take(10)
        assert [event.id for event in whole] == list(range(1, 11))
        assert not any("withheld" in told(event.data) for event in whole)


@both_engines
async def test_what_was_erased_whole_takes_the_events_of_its_comments_with_it(api: Api) -> None:
    id = await a_past(api)
    await api.by(roles=ERASER).post(at(id, "erase"), {"fields": "all", "reason": "asked for"})
    assert await shown(api) == {6: "incident.reported", 7: "incident.erased"}
    assert SECRET not in (await api.get(EVENTS)).raw.decode()
    assert 3 in await shown(api.by(roles=("auditor",)))


async def test_definitions_of_attributes_are_told_to_everybody(api: Api) -> None:
    await api.deployer.post("/v1/incident/attributes", {"name": "colour", "type": "STRING"})
    await api.deployer.delete("/v1/incident/attributes/colour")
    assert await shown(api) == {1: "attribute.defined", 2: "attribute.retired"}


@both_engines
async def test_pages_that_bytes_end_leave_nothing_out_of_what_is_withheld(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [(await api.report(name=f"{SECRET} {number}", description="x" * 1_500))["id"] for number in range(6)]
    for id in ids:
        await api.delete(at(id))
    monkeypatch.setattr(pages, "MAX_BYTES", 4_000)  # two of these events have more before they are withheld
    assert await shown(api) == dict.fromkeys(range(7, 13), "incident.deleted withheld")
    assert list(await shown(api.by(roles=("auditor",)))) == list(range(1, 13))
