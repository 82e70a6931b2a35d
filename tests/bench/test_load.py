"""Both load generators send what they are told to, and count every answer that is not a good one."""

import asyncio
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import termios
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.bench import load
from tests.bench.competitors import ROOT
from tests.bench.load import Load, created, measured
from tests.bench.traffic import REQUESTS

IDS = ("a", "b", "c")
FULL = 60 * 1024  # bytes that wait in a pipe of 64 KiB when its writer has to wait too


class Seen:
    """A server that notes what it was sent and answers every fourth request with an error."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, Any]]] = []
        self.failed = 0

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else {}
        self.requests.append((request.method, request.path, body))
        assert request.headers["Authorization"] == "Bearer token"
        if len(self.requests) % 4 == 0:
            self.failed += 1
            return web.json_response({}, status=503)
        return web.json_response({"data": {"id": len(self.requests)}}, status=201)


@pytest.fixture
def ids(tmp_path: Path) -> Path:
    file = tmp_path / "ids"
    file.write_text("\n".join(IDS) + "\n")
    return file


@pytest.fixture(params=["wrk", "asyncio"])
def generator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "wrk" and not shutil.which("wrk"):
        pytest.skip("no wrk on the PATH")
    monkeypatch.setattr(load, "generator", lambda: request.param)


async def started(handle: Callable[[web.Request], Any]) -> TestServer:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    server = TestServer(app)
    await server.start_server()
    return server


@pytest.mark.usefixtures("generator")
async def test_edits_are_spread_over_the_incidents_and_failures_are_counted(ids: Path) -> None:
    seen = Seen()
    server = await started(seen.handle)
    work = Load(server.port or 0, REQUESTS["edit"], "token", ids, 1000, 3)
    found = await asyncio.to_thread(measured, work, 1)
    await server.close()

    in_flight = 3  # answers that came when the time was over
    assert len(seen.requests) - in_flight <= found.requests <= len(seen.requests)
    assert seen.failed - in_flight <= found.failures <= seen.failed
    assert 0 < found.p50 <= found.p99
    assert {(method, path) for method, path, _ in seen.requests} == {("PUT", f"/v1/incident/{id_}") for id_ in IDS}
    numbers = [body["next_update"] for _, _, body in seen.requests]
    assert len(set(numbers)) == len(numbers)
    assert min(numbers) > 1000


@pytest.mark.usefixtures("generator")
async def test_a_load_that_names_no_incident_needs_no_ids() -> None:
    seen = Seen()
    server = await started(seen.handle)
    found = await asyncio.to_thread(measured, Load(server.port or 0, REQUESTS["create"], "token", None, 0, 1), 1)
    await server.close()

    assert found.requests > 0
    assert {(method, path) for method, path, _ in seen.requests} == {("POST", "/v1/incident")}


async def test_seeding_gives_the_ids_of_what_was_created_and_takes_no_failure() -> None:
    seen = Seen()
    server = await started(seen.handle)
    work = Load(server.port or 0, REQUESTS["create"], "token", None, 0, 1)
    assert await asyncio.to_thread(created, work, 3) == ["1", "2", "3"]
    with pytest.raises(RuntimeError, match="'failures': 1"):
        await asyncio.to_thread(created, work, 3)
    await server.close()


def test_a_long_answer_arrives_whole_though_signals_interrupt_it() -> None:
    """A full pipe, and a child that is stopped and goes on in the middle of its write."""
    answer = {"ids": ["x" * 36] * 20_000}
    code = f"from tests.bench.loader import tell; tell({{'ids': ['x' * 36] * {len(answer['ids'])}}})"
    with subprocess.Popen([sys.executable, "-u", "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        pipe = child.stdout.fileno()
        while _waiting(pipe) < FULL:
            time.sleep(0.005)
        received = os.read(pipe, FULL // 2)
        child.send_signal(signal.SIGSTOP)
        while psutil.Process(child.pid).status() != psutil.STATUS_STOPPED:
            time.sleep(0.005)
        child.send_signal(signal.SIGCONT)
        received += child.stdout.read()
    assert child.returncode == 0
    assert json.loads(received) == answer


def _waiting(pipe: int) -> int:
    """Bytes in the pipe that nobody has read yet."""
    count = array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]
