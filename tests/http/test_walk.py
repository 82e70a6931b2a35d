"""The samples of the user's document, word for word, in its order: report, list, edit, delete, attributes, comments."""

import re
import time
from typing import Any

import orjson

from tests.http.api import PATH, Api, at, utc
from tests.http.engines import both_engines

NEW = {
    "name": "Another Security Breach",
    "status": "NEW",
    "type": "OTHERS",
    "date": "2024-11-11T10:57:27+08:00",
    "description": "Unauthorized access to sensitive customer data through a phishing email.",
    "reported_by": "John Doe",
    "location": "",
    "severity": "",
    "next_update": 0,
    "resolved_date": None,
    "backdated": False,
}
EDITED = {
    "name": "Server Outage in Data Center A",
    "status": "OPEN",
    "type": "SYSTEM_FAILURE",
    "date": "2024-11-22T15:30:00+08:00",
    "description": "Multiple servers in Data Center A experienced a sudden loss of power, "
    "impacting several critical applications.",
    "reported_by": "System Monitor",
    "location": "Data Center A",
    "severity": "MAJOR",
    "next_update": 1674521800,
    "resolved_date": None,
    "backdated": False,
}
MEMBERS = [
    "id", "name", "status", "type", "date", "description", "reported_by", "attributes", "location", "severity",
    "next_update", "resolved_date", "backdated", "created_at", "created_by", "updated_at", "updated_by", "tenant_id",
    "occ_lock",
]  # fmt: skip
MADE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def as_fetch_sends_it(value: Any) -> dict[str, Any]:
    """`fetch(url, {body: JSON.stringify(value)})`, as in the document: a browser says that it is text."""
    return {"data": orjson.dumps(value), "headers": {"Content-Type": "text/plain;charset=UTF-8"}}


@both_engines
async def test_a_report_is_answered_with_the_fully_created_incident(api: Api) -> None:
    before = time.time()
    answer = await api.post(PATH, **as_fetch_sends_it(NEW))
    assert answer.status == 201
    assert list(answer.body) == ["data", "sent_at"]
    assert utc(before) <= answer.body["sent_at"] <= utc(time.time())
    created = answer.data
    assert list(created) == MEMBERS
    assert {name: created[name] for name in NEW} == NEW
    assert UUID.fullmatch(created["id"])
    assert MADE_TIME.fullmatch(created["created_at"])
    assert created["updated_at"] == created["created_at"]
    assert (created["created_by"], created["updated_by"], created["tenant_id"]) == ("Ann Example",) * 2 + ("acme",)
    assert (created["attributes"], created["occ_lock"]) == (None, 0)
    assert answer.headers["Location"] == at(created["id"])
    assert answer.headers["ETag"] == '"0"'
    assert int(answer.headers["Ims-Position"]) == 1


@both_engines
async def test_a_list_has_the_incidents_newest_first_and_how_many(api: Api) -> None:
    first, second = await api.report(**NEW), await api.report(**NEW)
    answer = await api.get()
    assert list(answer.body) == ["data", "sent_at"]
    assert answer.data == {"incidents": [second, first], "total": 2}
    assert list(answer.data["incidents"][0]) == MEMBERS


@both_engines
async def test_an_edit_takes_the_lock_and_answers_the_incident_with_the_next_one(api: Api) -> None:
    created = await api.report(**NEW)
    answer = await api.by("bob").put(at(created["id"]), {**EDITED, "occ_lock": 0})
    assert (answer.status, answer.headers["ETag"]) == (200, '"1"')
    edited = answer.data
    assert edited == {
        **created,
        **EDITED,
        "occ_lock": 1,
        "updated_at": edited["updated_at"],
        "updated_by": "bob",
    }
    assert edited["updated_at"] > created["updated_at"]
    assert (await api.get(at(created["id"]))).data == edited
    assert (await api.get()).data == {"incidents": [edited], "total": 1}


@both_engines
async def test_a_delete_may_carry_the_body_of_the_documents_snippet(api: Api) -> None:
    created = await api.report(**NEW)
    answer = await api.delete(at(created["id"]), **as_fetch_sends_it(NEW))
    assert answer.data == {**created, "occ_lock": 1, "updated_at": answer.data["updated_at"]}
    assert (await api.get(at(created["id"]))).status == 404


@both_engines
async def test_attributes_are_set_by_post_and_by_put_and_come_back_as_attributes(api: Api) -> None:
    created = await api.report(**NEW)
    path = at(created["id"], "attributes")
    workflow = {"name": "workflowId", "value": "9fdad2ec-5323-41a2-888d-91591d35a3bb"}
    added = (await api.post(path, **as_fetch_sends_it(workflow))).data
    assert added["attributes"] == {"workflowId": workflow["value"]}
    assert "attribute" not in added
    counted = (await api.put(path, **as_fetch_sends_it({"name": "count", "value": "5"}))).data
    assert counted["attributes"] == {"workflowId": workflow["value"], "count": 5}
    assert counted["occ_lock"] == 2
    assert (await api.get(at(created["id"]))).data == counted


@both_engines
async def test_comments_are_attached_and_removed(api: Api) -> None:
    created = await api.report(**NEW)
    path = at(created["id"], "comments")
    answer = await api.post(path, **as_fetch_sends_it({"text": "The account is locked."}))
    assert answer.status == 201
    comment = answer.data
    assert answer.headers["Location"] == f"{path}/{comment['id']}"
    assert comment == {
        "id": comment["id"], "incident_id": created["id"], "user_id": "ann", "name": "Ann Example",
        "text": "The account is locked.", "created_at": comment["created_at"], "created_by": "ann",
        "updated_at": comment["created_at"], "updated_by": "ann", "occ_lock": 0, "tenant_id": "acme",
    }  # fmt: skip
    assert (await api.get(path)).data == {"comments": [comment], "total": 1}
    removed = (await api.delete(path, **as_fetch_sends_it({"id": comment["id"]}))).data
    assert (removed["id"], removed["occ_lock"]) == (comment["id"], 1)
    assert (await api.get(path)).data == {"comments": [], "total": 0}
    assert (await api.get(at(created["id"]))).data == created


async def test_what_was_answered_may_be_sent_back_with_an_edit(api: Api) -> None:
    created = await api.report(**NEW)
    edited = (await api.put(at(created["id"]), {**created, "name": "Renamed"})).data
    assert edited == {**created, "name": "Renamed", "occ_lock": 1, "updated_at": edited["updated_at"]}
    again = await api.post(PATH, {**edited, "created_by": 7, "id": None, "tenant_id": []})
    assert {name: again.data[name] for name in NEW} == {**NEW, "name": "Renamed"}
    assert again.data["id"] != created["id"]
    assert (again.data["occ_lock"], again.data["tenant_id"]) == (0, "acme")


async def test_attributes_that_an_edit_does_not_send_stay(api: Api) -> None:
    created = await api.report(**NEW, attributes={"count": 1, "workflowId": "w"})
    path = at(created["id"])
    assert (await api.put(path, {**EDITED, "occ_lock": 0})).data["attributes"] == {"count": 1, "workflowId": "w"}
    assert (await api.put(path, {**EDITED, "attributes": {"count": 2}, "occ_lock": 1})).data["attributes"] == {
        "count": 2
    }
    assert (await api.put(path, {**EDITED, "attributes": None, "occ_lock": 2})).data["attributes"] is None


async def test_null_in_an_optional_member_means_its_default(api: Api) -> None:
    optional = dict.fromkeys(("location", "severity", "next_update", "resolved_date", "backdated", "attributes"))
    created = await api.report(**optional)
    assert {name: created[name] for name in optional} == {
        "location": "", "severity": "", "next_update": 0, "resolved_date": None, "backdated": False, "attributes": None
    }  # fmt: skip
    answer = await api.put(at(created["id"]), {**EDITED, **optional, "occ_lock": 0})
    assert {name: answer.data[name] for name in optional} == {name: created[name] for name in optional}


async def test_any_status_may_follow_any_other_and_no_rule_spans_members(api: Api) -> None:
    created = await api.report(status="CLOSED", resolved_date=None)
    body = {**EDITED, "date": "2024-01-02T00:00:00Z", "resolved_date": "2024-01-01T00:00:00Z"}
    for lock, status in enumerate(("NEW", "RESOLVED", "OPEN", "INVESTIGATING", "NEW")):
        assert (await api.put(at(created["id"]), {**body, "status": status, "occ_lock": lock})).status == 200
