"""Who logs never waits for who reads stderr: records wait in a queue, and what it has no room for is counted."""

import asyncio
import fcntl
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import aiohttp

from service.log_queue import MAX_RECORDS
from tests.http.api import ABSENT_ID, PATH, at
from tests.servers.process import ServiceProcess

ROOT = Path(__file__).parents[2]
LOGGING = """
import sys
import structlog
from service.log_queue import dropped_records, queued_logs
from service.logs import configure_logs
from service.settings import load_settings

configure_logs(load_settings())
log = structlog.get_logger("of the tests")
log.warning("before")
with queued_logs():
"""
FLOOD = f"""
    for number in range({10 * MAX_RECORDS}):
        log.warning("record", number=number)
    print(dropped_records(), flush=True)
    input()
"""
ENDING = """
    for number in range(500):
        log.critical("record", number=number)
    raise SystemExit("the end")
"""
SPOKEN_OTHERWISE = """
    import threading
    import warnings
    class Failing:
        def __del__(self):
            raise ValueError("nobody catches it")
    Failing()
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    warnings.warn("a library warns")
"""
ANSWER = aiohttp.ClientTimeout(total=15)
PIPE_BYTES = 4096


def run(script: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", LOGGING + script],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


def test_while_nobody_reads_records_wait_and_the_rest_is_dropped_counted_and_told() -> None:
    with run(FLOOD) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdin is not None
        dropped = int(process.stdout.readline())
        read: list[str] = []
        reader = threading.Thread(target=read.extend, args=(process.stderr,))
        reader.start()
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(30) == 0
        reader.join()
    before, *records = map(json.loads, read)
    assert before["event"] == "before"
    numbers = [record["number"] for record in records if record["event"] == "record"]
    told = [record for record in records if record["event"] == "log_records_dropped"]
    assert numbers == sorted(numbers)
    assert dropped > 0
    assert [record["total"] for record in told][-1] == sum(record["count"] for record in told) == dropped
    assert len(numbers) + dropped == 10 * MAX_RECORDS


def test_an_orderly_end_loses_nothing_and_what_comes_last_is_said_last() -> None:
    with run(ENDING) as process:
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    *records, last = said.splitlines()
    assert [json.loads(record).get("number") for record in records] == [None, *range(500)]
    assert last == "the end"


def test_what_would_go_to_stderr_by_another_way_goes_into_the_queue() -> None:
    with run(SPOKEN_OTHERWISE) as process:
        _, said = process.communicate(timeout=30)
    records = [json.loads(line) for line in said.splitlines()]
    assert [record["event"] for record in records[:3]] == ["before", "unraisable", "thread_failed"]
    assert "nobody catches it" in records[1]["exception"]
    assert "a library warns" in records[3]["event"]


def test_a_reader_that_went_away_is_no_reason_to_stop() -> None:
    with run(FLOOD) as process:
        assert process.stderr is not None
        process.stderr.close()
        process.stderr = None
        process.communicate("\n", timeout=30)
    assert process.returncode == 0


async def test_a_service_whose_stderr_nobody_reads_answers_and_ends_in_order(tmp_path: Path) -> None:
    service = ServiceProcess(tmp_path, {"rate_limit": "off"})
    os.mkfifo(service.log)
    unread = os.open(service.log, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(unread, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    try:
        with service:
            async with aiohttp.ClientSession(service.url, timeout=ANSWER) as client:
                for path in (PATH, f"{PATH}/codes", f"{PATH}/counts", at(ABSENT_ID), at(ABSENT_ID, "history"), "/v1/x"):
                    for method in ("GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"):
                        async with client.request(method, path) as answer:
                            assert answer.status == 401
                async with client.get("/livez") as answer:
                    assert answer.status == 200
            assert await asyncio.to_thread(service.terminate) == 0
        first = os.read(unread, PIPE_BYTES).decode().splitlines()[0]
        assert json.loads(first)["level"] == "warning"
    finally:
        os.close(unread)
