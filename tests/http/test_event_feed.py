"""`GET /v1/events`: a tenant's events, straight from the log, in order, page by page."""

import re
from typing import Any
from uuid import UUID

import pytest

from service.subscribers import pages
from tests.http.api import ABSENT_ID, Answer, Api, at
from tests.http.conftest import Serve
from tests.http.engines import both_engines
from tests.store.engines import engine_of

EVENTS = "/v1/events"


async def history(api: Api) -> str:
    """Nine events of one incident, one of another and one of the definitions; returns the first incident's id."""
    id = (await api.report(name="First", attributes={"count": 1}))["id"]
    await api.patch(at(id), {"status": "OPEN"})
    await api.put(at(id, "attributes"), {"name": "workflowId", "value": "w-1"})
    await api.delete(at(id, "attributes", "workflowId"))
    comment = await api.comment(id)
    await api.put(at(id, "comments", comment["id"]), {"text": "Found.", "occ_lock": 0})
    await api.delete(at(id, "comments", comment["id"]))
    await api.delete(at(id))
    await api.post(at(id, "restore"))
    await api.report(name="Second")
    await api.deployer.post("/v1/incident/attributes", {"name": "people", "type": "INT"})
    return str(id)


async def every(api: Api, query: str = "", limit: int = 3) -> list[Any]:
    """All pages, one after another."""
    events, after = [], 0
    while True:
        answer = await api.get(f"{EVENTS}?after={after}&limit={limit}{query}")
        events += answer.data
        page = answer.body["page"]
        assert page["count"] == len(answer.data) <= limit
        assert page["next"] >= after
        if not page["more"]:
            return events
        after = page["next"]


def positions(answer: Answer) -> list[int]:
    return [int(event["id"]) for event in answer.data]


@both_engines
async def test_every_event_is_there_once_and_in_order(api: Api) -> None:
    await history(api)
    whole = (await api.get(EVENTS)).data
    assert [int(event["id"]) for event in whole] == list(range(1, 12))
    assert await every(api, limit=1) == await every(api) == whole
    assert [event["type"].removeprefix("ims.") for event in whole] == [
        "incident.reported", "incident.edited", "incident.attribute_set", "incident.attribute_removed", "comment.added",
        "comment.edited", "comment.removed", "incident.deleted", "incident.restored", "incident.reported",
        "attribute.defined",
    ]  # fmt: skip


@both_engines
async def test_it_is_narrowed_to_types_and_to_an_incident(api: Api) -> None:
    id = await history(api)
    about = await every(api, f"&subject={id.upper()}")
    assert [int(event["id"]) for event in about] == list(range(1, 10)), "its comments are among it"
    assert {event["subject"] for event in about} == {id}
    two = await every(api, "&type=ims.incident.reported&type=ims.comment.removed", limit=1)
    assert [int(event["id"]) for event in two] == [1, 7, 10]
    assert await every(api, f"&subject={id}&type=ims.attribute.defined") == []
    edited = await every(api, "&type=ims.incident.edited")
    assert edited == [event for event in await every(api) if event["type"] == "ims.incident.edited"]


async def test_the_state_is_of_that_version_also_long_after(api: Api) -> None:
    id = (await api.report(name="First"))["id"]
    for number in range(5):
        await api.patch(at(id), {"name": f"Name {number}"})
    states = [event["data"]["state"] for event in (await api.get(f"{EVENTS}?after=2&limit=2")).data]
    assert [(state["name"], state["occ_lock"]) for state in states] == [("Name 1", 2), ("Name 2", 3)]


async def test_a_tenant_sees_its_own_events_and_nobody_elses(api: Api) -> None:
    mine = (await api.report())["id"]
    other = api.by(tenant="rival")
    theirs = (await other.report(name="Secret"))["id"]
    assert positions(await api.get(EVENTS)) == [1]
    assert positions(await other.get(EVENTS)) == [2]
    assert (await api.get(f"{EVENTS}?subject={theirs}")).data == []
    assert {event["subject"] for event in (await api.get(EVENTS)).data} == {mine}
    assert (await api.by(tenant="new").get(EVENTS)).body["page"] == {"next": 0, "count": 0, "more": False}


@both_engines
async def test_another_tenants_incident_is_told_as_one_that_never_was(api: Api) -> None:
    theirs = await history(api)
    other = api.by(tenant="rival")
    await other.report()
    for accept in ("application/json", "application/cloudevents-batch+json"):
        for query in ("", "&limit=1", "&after=3", "&after=3&limit=2", "&type=ims.incident.edited", "&after=11"):
            asked = await other.get(f"{EVENTS}?subject={theirs}{query}", headers={"Accept": accept})
            never = await other.get(f"{EVENTS}?subject={ABSENT_ID}{query}", headers={"Accept": accept})
            assert asked.status == never.status == 200
            told = {name: value.replace(theirs, ABSENT_ID) for name, value in asked.headers.items() if name != "Date"}
            assert told == {name: value for name, value in never.headers.items() if name != "Date"}
            assert re.sub(rb'"sent_at":"[^"]*"', b"", asked.raw) == re.sub(rb'"sent_at":"[^"]*"', b"", never.raw)


async def test_the_next_position_goes_on_where_the_page_ended(api: Api) -> None:
    await history(api)
    page = await api.get(f"{EVENTS}?limit=4")
    assert page.body["page"] == {"next": 4, "count": 4, "more": True}
    last = await api.get(f"{EVENTS}?after=4&limit=100")
    assert (positions(last)[0], last.body["page"]["next"], last.body["page"]["more"]) == (5, 11, False)
    assert (await api.get(f"{EVENTS}?after=11")).body["page"] == {"next": 11, "count": 0, "more": False}
    await api.report()
    assert positions(await api.get(f"{EVENTS}?after=11")) == [12]


async def test_what_is_written_is_there_at_once(api: Api) -> None:
    for number in range(1, 20):
        await api.report()
        assert positions(await api.get(f"{EVENTS}?after={number - 1}")) == [number]


async def test_a_page_looks_at_a_bounded_number_of_events(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "READ_ROWS", 3)
    monkeypatch.setattr(pages, "MAX_SCANNED", 6)
    id = await history(api)
    first = await api.get(f"{EVENTS}?type=ims.attribute.defined")
    assert first.body["page"] == {"next": 6, "count": 0, "more": True}, "nothing that fits, but a way to go on"
    assert [int(event["id"]) for event in await every(api, "&type=ims.attribute.defined")] == [11]
    assert [int(event["id"]) for event in await every(api, f"&subject={id}", limit=100)] == list(range(1, 10))


async def test_a_page_ends_where_it_has_enough_bytes(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MAX_BYTES", 3_000)
    for _ in range(10):
        await api.report(description="x" * 1_000)
    page = await api.get(EVENTS)
    assert page.body["page"] == {"next": 2, "count": 2, "more": True}
    assert [int(event["id"]) for event in await every(api, limit=100)] == list(range(1, 11))


async def test_what_was_erased_does_not_stop_the_feed(api: Api, database_url: str) -> None:
    id = (await api.report(name="Secret"))["id"]
    await api.patch(at(id), {"name": "Other"})
    await api.report(name="Second")
    await engine_of(database_url).sql("UPDATE log SET state = NULL, salt = NULL WHERE notification_id = 1")
    gone, after, second = (await api.get(EVENTS)).data
    assert (gone["data"]["erased"], gone["data"]["occ_lock"], len(gone["data"]["digest"])) == (True, 0, 64)
    assert "Secret" not in str(gone)
    assert after["data"]["state"] is None
    assert second["data"]["state"]["name"] == "Second"


async def test_it_says_what_cannot_be_asked(api: Api) -> None:
    await api.report()
    for query, field in (
        ("after=-1", "after"), ("after=x", "after"), ("after=" + "9" * 19, "after"), ("limit=0", "limit"),
        ("limit=1001", "limit"), ("type=ims.incident.exploded", "type"), ("subject=nobody", "subject"),
    ):  # fmt: skip
        (await api.get(f"{EVENTS}?{query}")).refused(400, "PARAMETER_INVALID", field)
    (await api.get(f"{EVENTS}?size=1")).refused(400, "PARAMETER_UNKNOWN", "size")
    (await api.get(f"{EVENTS}?after=1&after=2")).refused(400, "PARAMETER_REPEATED", "after")
    (await api.get(f"{EVENTS}?after=2")).refused(400, "POSITION_UNKNOWN", "after")
    assert (await api.get(f"{EVENTS}?after=1&subject={ABSENT_ID}")).data == []
    assert (await api.get(EVENTS, authorized=False)).status == 401


async def test_a_reader_of_another_process_sees_what_was_just_written(postgres_dsn: str, serve: Serve) -> None:
    first = await serve(database_url=postgres_dsn)
    second = await serve(database_url=postgres_dsn, run=("api",))
    id = (await first.report())["id"]
    answer = await second.get(f"{EVENTS}?after=0")
    assert [UUID(event["subject"]) for event in answer.data] == [UUID(id)]
    assert (await second.get(f"{EVENTS}?after=1")).data == []


BATCH = "application/cloudevents-batch+json"


@both_engines
async def test_a_batch_of_cloudevents_is_an_array_and_says_in_a_header_where_to_go_on(api: Api) -> None:
    await history(api)
    rival = api.by(tenant="rival")
    await rival.report()
    whole, batched, place = (await api.get(EVENTS)).data, [], f"{EVENTS}?limit=4"
    while True:
        answer = await api.get(place, headers={"Accept": BATCH})
        assert (answer.status, answer.headers["Content-Type"]) == (200, BATCH)
        events = answer.body
        assert isinstance(events, list)
        batched += events
        place, rel = re.fullmatch(r'<([^>]+)>; rel="(\w+)"', answer.headers["Link"]).groups()  # type: ignore[union-attr]
        assert rel == "next"
        assert {"limit=4", f"after={len(batched)}"} <= set(place.partition("?")[2].split("&"))
        if answer.headers["Ims-More"] == "false":
            break
    assert batched == whole
    assert (await api.get(place, headers={"Accept": BATCH})).body == [], "nothing is new, and the place stays"
    await api.report()
    (new,) = (await api.get(place, headers={"Accept": BATCH})).body
    assert new["id"] == "13"


async def test_the_place_to_go_on_from_keeps_what_was_asked_for(api: Api) -> None:
    id = await history(api)
    query = f"?type=ims.incident.edited&after=0&type=ims.incident.deleted&subject={id}&limit=1"
    first = await api.get(f"{EVENTS}{query}", headers={"Accept": BATCH})
    place = first.headers["Link"].partition(">")[0].removeprefix("<")
    second = await api.get(place, headers={"Accept": BATCH})
    assert [event["type"] for answer in (first, second) for event in answer.body] == [
        "ims.incident.edited", "ims.incident.deleted",
    ]  # fmt: skip


async def test_the_form_is_the_one_that_accept_likes_most(api: Api) -> None:
    await api.report()
    json = "application/json"
    for accept, form in {
        BATCH: BATCH, f"{BATCH}; charset=utf-8": BATCH, f"{BATCH}, */*;q=0.1": BATCH, f"{json};q=0.5, {BATCH}": BATCH,
        f"{BATCH};q=0.5, {json}": json, "*/*": json, "application/*": json, f"{BATCH};q=0": json, "text/html": json,
        "": json,
    }.items():  # fmt: skip
        for method in ("GET", "HEAD"):
            answer = await api.send(method, EVENTS, headers={"Accept": accept})
            assert (answer.status, answer.headers["Content-Type"]) == (200, form), accept
            vary = ", ".join(answer.headers.getall("Vary"))
            assert {word.strip() for word in vary.split(",")} == {"Authorization", "Origin", "Accept"}
    lines = [("Accept", "application/json;q=0.1"), ("Accept", BATCH)]
    assert isinstance((await api.get(EVENTS, headers=lines)).body, list)
    (await api.get(f"{EVENTS}?after=x", headers={"Accept": BATCH})).refused(400, "PARAMETER_INVALID", "after")


@both_engines
async def test_source_and_id_name_one_event_also_after_the_log_was_restored(
    api: Api, serve: Serve, database_url: str
) -> None:
    await api.report(name="Before")
    before = (await api.get(EVENTS)).data
    await api.stop()
    async with engine_of(database_url).log() as log:
        await log.restore()
    viewer = await serve()
    # What he may see of it, the read models would know, which are of the log of before.
    (await viewer.get(EVENTS)).refused(503, "READ_MODEL_BEHIND")
    api = viewer.by(roles=("auditor",))
    after = (await api.get(EVENTS)).data
    batch = (await api.get(EVENTS, headers={"Accept": BATCH})).body
    assert after == batch
    for events in (before, after):
        assert [event["source"] for event in events] == [f"/tenants/acme/ims/{event['logid']}" for event in events]
    assert [event["id"] for event in before] == [event["id"] for event in after]
    assert len({(event["source"], event["id"]) for event in before + after}) == 2
