"""What every answer looks like: the envelope, the headers, every fault, a trace id, and nothing of the inside."""

import asyncio
import re
import sqlite3
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from service.http.statuses import CODES
from tests.http.api import ABSENT_ID, PATH, Api, at, incident
from tests.http.conftest import Serve

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
COMMON = {
    "Cache-Control": "private, no-cache",
    "Vary": "Authorization, Origin",
    "X-Content-Type-Options": "nosniff",
}


async def test_every_success_is_wrapped_with_the_time_to_the_second(api: Api) -> None:
    id = (await api.report())["id"]
    comment = await api.comment(id)
    answers = [
        await api.get(),
        await api.get(f"{PATH}?page=1"),
        await api.get(at(id)),
        await api.get(f"{PATH}/codes"),
        await api.get(f"{PATH}/counts"),
        await api.get(f"{PATH}/attributes"),
        await api.get(at(id, "attributes")),
        await api.get(at(id, "comments")),
        await api.put(at(id), incident(occ_lock=0)),
        await api.patch(at(id), {"name": "New name"}),
        await api.post(at(id, "attributes"), {"name": "count", "value": 1}),
        await api.put(at(id, "attributes"), {"name": "count", "value": 2}),
        await api.delete(at(id, "attributes", "count")),
        await api.put(at(id, "comments", comment["id"]), {"text": "Edited", "occ_lock": 0}),
        await api.delete(at(id, "comments", comment["id"])),
        await api.delete(at(id)),
        await api.post(at(id, "restore")),
        await api.deployer.post(f"{PATH}/attributes", {"name": "colour", "type": "STRING"}),
        await api.deployer.delete(f"{PATH}/attributes/colour"),
    ]
    for answer in answers:
        assert answer.status in (200, 201)
        assert set(answer.body) - {"page"} == {"data", "sent_at"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", answer.body["sent_at"])
        assert answer.headers["Content-Type"] == "application/json"


async def test_every_answer_carries_the_headers_that_all_answers_have(api: Api) -> None:
    id = (await api.report())["id"]
    preflight = {"Origin": "https://page.example", "Access-Control-Request-Method": "GET"}
    answers = [
        await api.get(),
        await api.get(at(id), headers={"If-None-Match": "*"}),
        await api.get(authorized=False),
        await api.get(at(ABSENT_ID)),
        await api.get("/nothing"),
        await api.send("HEAD", at(id)),
        await api.send("OPTIONS", PATH, headers=preflight, authorized=False),
        await api.put(PATH),
        await api.post(PATH, data=b"{"),
        *[await api.get(path) for path in ("/livez", "/readyz", "/status", "/metrics", "/openapi.json", "/docs")],
    ]
    assert [answer.status for answer in answers[:9]] == [200, 304, 401, 404, 404, 200, 204, 405, 400]
    for answer in answers:
        assert {name: answer.headers.get(name) for name in COMMON} == COMMON, answer


@pytest.mark.parametrize("conditional", [{}, {"If-None-Match": '"0"'}])
async def test_an_answer_has_the_same_headers_however_it_is_written(serve: Serve, conditional: dict[str, str]) -> None:
    """Most are written at once; HEAD, the last one on a connection, and those for other origins by the library."""
    origin = "https://page.example"
    api = await serve()
    id = (await api.report())["id"]
    answers = [
        await api.get(at(id), headers=conditional),
        await api.send("HEAD", at(id), headers=conditional),
        await api.get(at(id), headers={"Connection": "close", **conditional}),
    ]
    await api.stop()
    api = await serve(cors_origins=origin)
    answers.append(await api.get(at(id), headers={"Origin": origin, **conditional}))
    assert [answer.headers["ETag"] for answer in answers] == ['"0"'] * len(answers)
    assert all(parsedate_to_datetime(answer.headers["Date"]) for answer in answers)
    usual, head, last, marked = [
        {name: value for name, value in answer.headers.items() if name != "Date"} for answer in answers
    ]
    assert head == usual
    assert last == usual | {"Connection": "close"}
    exposed = {name: marked[name] for name in ("Access-Control-Allow-Origin", "Access-Control-Expose-Headers")}
    assert marked == usual | exposed


async def test_every_failure_has_its_shape(api: Api) -> None:
    answers = [
        await api.get(authorized=False),
        await api.get("/v1/nothing"),
        await api.get(f"{PATH}?page=0"),
        await api.put(PATH),
        await api.post(PATH, data=b"["),
        await api.post(PATH, {}),
        await api.post(PATH, data=b"<a/>", headers={"Content-Type": "text/xml"}),
    ]
    assert [answer.status for answer in answers] == [401, 404, 400, 405, 400, 400, 415]
    for answer in answers:
        body = answer.body
        assert list(body) == ["message", "errors", "sent_at", "trace_id"]
        assert re.fullmatch("[0-9a-f]{32}", body["trace_id"])
        assert body["message"]
        assert body["errors"]
        for error in body["errors"]:
            assert set(error) - {"field"} == {"code", "message"}
            assert error["code"] in CODES


async def test_a_failure_answers_the_trace_that_the_request_names(api: Api) -> None:
    assert (await api.get(at(ABSENT_ID), headers={"traceparent": TRACEPARENT})).body["trace_id"] == TRACE


async def test_a_traceparent_that_is_none_is_not_taken_over(api: Api) -> None:
    for header in ["", "00", "zz", f"00-{'0' * 32}-00f067aa0ba902b7-01", TRACEPARENT[:-1], "é" * 9]:
        answer = await api.get(at(ABSENT_ID), headers={"traceparent": header})
        assert answer.status == 404
        assert re.fullmatch("[0-9a-f]{32}", answer.body["trace_id"])
        assert answer.body["trace_id"] not in (TRACE, "0" * 32)


async def test_a_report_is_told_every_fault_with_its_member(api: Api) -> None:
    answer = await api.post(
        f"{PATH}?page=1",
        {
            "name": " ", "status": "BOGUS", "type": 7, "date": "yesterday", "reported_by": "x" * 201,
            "location": None, "severity": "HUGE", "next_update": -1, "resolved_date": "2024-02-30T00:00:00Z",
            "backdated": "no", "colour": "red", "attributes": {"count": "many", "size": 1},
        },
        headers={"Idempotency-Key": "with blank"},
    )  # fmt: skip
    assert answer.status == 400
    assert answer.faults == {
        ("PARAMETER_UNKNOWN", "page"),
        ("HEADER_INVALID", "Idempotency-Key"),
        ("TEXT_EMPTY", "name"),
        ("CODE_UNKNOWN", "status"),
        ("TYPE_INVALID", "type"),
        ("TIME_INVALID", "date"),
        ("MEMBER_MISSING", "description"),
        ("TEXT_TOO_LONG", "reported_by"),
        ("CODE_UNKNOWN", "severity"),
        ("NUMBER_OUT_OF_RANGE", "next_update"),
        ("TIME_INVALID", "resolved_date"),
        ("TYPE_INVALID", "backdated"),
        ("MEMBER_UNKNOWN", "colour"),
        ("TYPE_INVALID", "attributes.count"),
        ("ATTRIBUTE_UNKNOWN", "attributes.size"),
    }


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_an_edit_is_told_every_fault_with_its_member(api: Api, method: str) -> None:
    id = (await api.report())["id"]
    body = {**incident(), "name": "", "status": "BOGUS", "attributes": {"size": 1}, "occ_lock": -1}
    answer = await api.send(method, f"{at(id)}?x=", body, headers={"If-Match": "3"})
    assert answer.faults == {
        ("PARAMETER_UNKNOWN", "x"),
        ("TEXT_EMPTY", "name"),
        ("CODE_UNKNOWN", "status"),
        ("ATTRIBUTE_UNKNOWN", "attributes.size"),
        ("NUMBER_OUT_OF_RANGE", "occ_lock"),
        ("HEADER_INVALID", "If-Match"),
    }


async def test_codes_and_attributes_are_told_together(api: Api) -> None:
    answer = await api.post(PATH, incident(status="BOGUS", type="", severity="new", attributes={"a": 1, "count": "x"}))
    assert answer.faults == {
        ("CODE_UNKNOWN", "status"),
        ("CODE_UNKNOWN", "type"),
        ("CODE_UNKNOWN", "severity"),
        ("ATTRIBUTE_UNKNOWN", "attributes.a"),
        ("TYPE_INVALID", "attributes.count"),
    }
    messages = {error["field"]: error["message"] for error in answer.body["errors"]}
    assert "NEW, OPEN, INVESTIGATING, RESOLVED, CLOSED" in messages["status"]
    assert "count, workflowId" in messages["attributes.a"]


async def test_a_list_is_told_every_fault_with_its_parameter(api: Api) -> None:
    answer = await api.get(f"{PATH}?page=0&size=1001&sort=colour&backdated=yes&q={'w' * 201}&status=A&colour=red")
    assert answer.faults == {
        ("PARAMETER_INVALID", "page"),
        ("PARAMETER_INVALID", "size"),
        ("PARAMETER_INVALID", "sort"),
        ("PARAMETER_INVALID", "backdated"),
        ("PARAMETER_INVALID", "q"),
        ("CODE_UNKNOWN", "status"),
        ("PARAMETER_UNKNOWN", "colour"),
    }


async def test_a_long_name_that_nobody_knows_is_not_sent_back_whole(api: Api) -> None:
    answer = await api.post(f"{PATH}?{'p' * 5000}=1", {"m" * 100_000: 1, **incident()})
    assert answer.faults == {("PARAMETER_UNKNOWN", "p" * 100), ("MEMBER_UNKNOWN", "m" * 100)}


async def test_a_fault_of_the_service_says_nothing_of_the_inside(
    api: Api, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    await api.report()
    await api.get()
    await asyncio.to_thread(_take_table_away, tmp_path / "ims.read.db")
    answer = await api.get(headers={"traceparent": TRACEPARENT})
    assert answer.status == 500
    assert answer.body["errors"] == [{"code": "INTERNAL", "message": "see its log"}]
    assert answer.body["trace_id"] == TRACE
    assert not re.search(r"sqlite|table|Traceback|\.py", answer.raw.decode())
    logged = capfd.readouterr()
    assert re.search(rf"no such table.*{TRACE}|{TRACE}.*no such table", logged.out + logged.err, re.DOTALL)


def _take_table_away(file: Path) -> None:
    """Not in the event loop: a follower of this process that is within a transaction would never come to its end."""
    with sqlite3.connect(file) as database:
        ((table,), *_) = database.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'incidents%'").fetchall()
        database.execute(f"ALTER TABLE {table} RENAME TO elsewhere")


async def test_logs_of_refused_requests_name_no_submitted_value(api: Api, capfd: pytest.CaptureFixture[str]) -> None:
    secret = "tell-nobody"
    calls: list[dict[str, Any]] = [
        {"json": incident(name="", description=secret, status=secret, attributes={"count": secret})},
        {"data": f'{{"{secret}'.encode()},
        {"json": incident(), "headers": {"Idempotency-Key": f"{secret} blank"}},
    ]
    for call in calls:
        assert (await api.post(PATH, **call)).status == 400
    assert (await api.get(f"{PATH}?backdated={secret}")).status == 400
    assert (await api.get(headers={"Authorization": f"Bearer {secret}"}, authorized=False)).status == 401
    logged = capfd.readouterr()
    assert secret not in logged.out + logged.err
    assert api.authorization["Authorization"].removeprefix("Bearer ") not in logged.out + logged.err


async def test_only_the_state_of_the_process_is_served_where_it_runs_no_api(serve: Serve) -> None:
    follower = await serve(run=("projector",))
    assert (await follower.get()).status == 404
    assert (await follower.get("/readyz")).status == 200
