"""Failures that come again and again: the log has the first of a kind, then how many there were; metrics count each."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.http.api import ABSENT_ID, PATH, Answer, Api, at
from tests.http.conftest import Serve
from tests.http.test_metrics import named, samples

MANY = 40
Logs = list[Any]

REFUSALS: dict[str, tuple[int, str, dict[str, Any]]] = {
    "no token": (401, "TOKEN_MISSING", {"path": PATH, "authorized": False}),
    "no known incident": (404, "NOT_FOUND", {"path": at(ABSENT_ID)}),
    "no known path": (404, "NOT_FOUND", {"path": "/v1/nothing"}),
    "no such method": (405, "METHOD_NOT_ALLOWED", {"path": f"{PATH}/codes", "method": "DELETE"}),
    "no valid body": (400, "MEMBER_MISSING", {"path": PATH, "method": "POST", "json": {}}),
}


@pytest.fixture
def logs() -> Iterator[Logs]:
    with structlog.testing.capture_logs() as found:
        yield found


def failures(logs: Logs, status: int) -> Logs:
    return [record for record in logs if record["event"] == "request_failed" and record["status"] == status]


def told(records: Logs) -> int:
    """How many failures the records stand for."""
    return sum(record.get("count", 1) for record in records)


async def sent(api: Api, method: str = "GET", **call: Any) -> Answer:
    return await api.send(method, **call)


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_refusal_that_comes_again_is_counted_and_each_is_in_the_metrics(
    api: Api, logs: Logs, refusal: str
) -> None:
    status, code, call = REFUSALS[refusal]
    answers = [await sent(api, **call) for _ in range(MANY)]
    assert {answer.body["errors"][0]["code"] for answer in answers} == {code}
    found = await samples(api)
    await api.stop()

    first, *others = failures(logs, status)
    assert first["trace_id"] == answers[0].body["trace_id"]
    assert first["codes"][0] == code
    assert "count" not in first
    assert told([first, *others]) == MANY
    assert others[-1]["trace_id"] == answers[-1].body["trace_id"]
    assert len(others) < MANY / 2
    counted = [value for (name, labels), value in found.items() if is_of(name, dict(labels), status)]
    assert counted == [MANY]


def is_of(name: str, labels: dict[str, str], status: int) -> bool:
    return name == "ims_http_requests_total" and labels["status"] == str(status)


async def test_a_tenant_over_its_limit_is_logged_once_and_counted(serve: Serve, logs: Logs) -> None:
    api = await serve(rate_limit="1/day")
    statuses = [(await api.get()).status for _ in range(MANY)]
    assert statuses == [200, *[429] * (MANY - 1)]
    found = await samples(api)
    await api.stop()
    assert named(found, "ims_http_requests_total", method="GET", route=PATH, status="429") == MANY - 1
    assert told(failures(logs, 429)) == MANY - 1 > 2 * len(failures(logs, 429))


async def test_no_flood_of_refusals_hides_one_of_another_kind(api: Api, logs: Logs) -> None:
    for _ in range(MANY):
        await api.get("/v1/nothing")
    answer = await api.get(at(ABSENT_ID, "history"))
    assert answer.body["trace_id"] in [record["trace_id"] for record in failures(logs, 404)]


async def test_a_fault_that_comes_again_leaves_its_traceback_once_and_another_fault_its_own(
    api: Api, logs: Logs, tmp_path: Path
) -> None:
    await api.report()
    await api.get()
    await asyncio.to_thread(_take_tables_away, tmp_path / "ims.read.db")
    for path in (f"{PATH}?q=x", f"{PATH}/counts"):
        answers = [await api.get(path) for _ in range(MANY)]
        assert {answer.status for answer in answers} == {500}
    await api.stop()
    found = failures(logs, 500)
    full = [record for record in found if "count" not in record]
    assert {record["route"] for record in full} == {PATH, f"{PATH}/counts"}
    assert all(isinstance(record["exc_info"], Exception) for record in full)
    assert told(found) == 2 * MANY > 2 * len(found)


def _take_tables_away(file: Path) -> None:
    with sqlite3.connect(file) as database:
        tables = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        for (table,) in tables:
            if table.startswith(("incidents", "counts")):
                database.execute(f"ALTER TABLE {table} RENAME TO gone_{table}")


async def test_what_is_no_http_is_counted_too(api: Api, logs: Logs) -> None:
    for _ in range(MANY):
        reader, writer = await asyncio.open_connection("127.0.0.1", api.client.port)
        writer.write(b"\x16\x03\x01 no HTTP\r\n\r\n")
        assert (await reader.readline()).split()[1] == b"400"
        writer.close()
    await api.stop()
    assert told(failures(logs, 400)) == MANY > 2 * len(failures(logs, 400))


async def test_a_record_is_bounded_however_many_faults_a_body_has(api: Api, logs: Logs) -> None:
    await api.post(PATH, {f"unknown{number}": number for number in range(1_000)})
    await api.stop()
    (record,) = failures(logs, 400)
    assert len(record["codes"]) == len(set(record["codes"])) <= 20
    assert len(str(record)) < 1_000


async def test_a_method_that_is_a_clients_own_word_is_not_in_the_log(api: Api, logs: Logs) -> None:
    assert (await api.send("PROPFIND", PATH)).status == 405
    (record,) = failures(logs, 405)
    assert record["method"] == "other"
