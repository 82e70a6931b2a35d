"""The README's page for subscribers, each example run as it stands against a running service and a real Redis."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest

from service.http.asyncapi import document
from service.http.event_models import EVENTS
from tests.faults.conftest import Ground, on_sqlite
from tests.faults.load import authorization, client
from tests.servers.children import spawn
from tests.servers.process import ROOT
from tests.servers.programs import needs
from tests.servers.redis import RedisServer, binary
from tests.streams.reading import whole
from tests.subscribers.published import until

__all__ = ["on_sqlite"]

SECTION = (ROOT / "README.md").read_text().split("## Subscribing")[1].split("\n## ")[0]
WANTED = ["1 ims.incident.reported NEW", "2 ims.incident.edited OPEN"]


def examples(language: str) -> list[str]:
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)
    return found


@contextmanager
def script(folder: Path, environment: dict[str, str], *arguments: str) -> Iterator[Path]:
    output = folder / "example.out"
    process = spawn(
        list(arguments), log=folder / "example.log", output=output, environment=environment, folder=folder,
        at_parents_death=signal.SIGKILL,
    )  # fmt: skip
    try:
        yield output
    finally:
        process.kill()
        process.wait()


async def shows_all_and_goes_on(ground: Ground, redis: RedisServer, url: str, *arguments: str) -> None:
    service = await asyncio.to_thread(ground.start, redis_url=url)
    headers = authorization(service, tenant="demo")
    async with client(service.url, headers) as one:
        incident = await one.report()
        path = f"/v1/incident/{incident['id']}"
        await one.ask("PATCH", path, {"status": "OPEN"})
        with redis.client() as streams:
            await whole(streams, ground.log)
        environment = {**service.environment, "IMS_URL": service.url, "TOKEN": headers["Authorization"].split()[1]}
        with script(service.folder, environment, *arguments) as output:
            await until(lambda: output.exists() and output.read_text().splitlines() == WANTED)
            await one.ask("PATCH", path, {"status": "CLOSED"})
            await until(lambda: output.read_text().splitlines() == [*WANTED, "3 ims.incident.edited CLOSED"])


@pytest.mark.parametrize("example", examples("python"), ids=["redis", "consumer"])
async def test_python(
    on_sqlite: Ground, redis_url: str, redis_server: RedisServer, tmp_path: Path, example: str
) -> None:
    await shows_all_and_goes_on(on_sqlite, redis_server, redis_url, sys.executable, "-c", example)


@needs("node")
async def test_node_over_http(on_sqlite: Ground, redis_url: str, redis_server: RedisServer, tmp_path: Path) -> None:
    """The other example needs a package; it was tried by hand."""
    (example,) = (text for text in examples("js") if "import" not in text)
    file = tmp_path / "example.mjs"
    file.write_text(example)
    await shows_all_and_goes_on(on_sqlite, redis_server, redis_url, "node", str(file))


async def test_redis_cli(on_sqlite: Ground, redis_url: str, redis_server: RedisServer) -> None:
    found = shutil.which("redis-cli") or shutil.which("redis-cli", path=str(binary().parent))
    if found is None:
        pytest.skip("there is no redis-cli here")
    service = await asyncio.to_thread(on_sqlite.start, redis_url=redis_url)
    async with client(service.url, authorization(service, tenant="demo")) as one:
        for _ in range(3):
            await one.report()
    with redis_server.client() as streams:
        await whole(streams, on_sqlite.log)
    (example,) = examples("sh")
    commands = example.replace("redis-cli", f"{found} -p {redis_server.port}")
    done = await asyncio.to_thread(
        subprocess.run, ["bash", "-euc", commands], capture_output=True, text=True, timeout=30, env=os.environ
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert sum(line == "1-0" for line in lines) == 2, "of the range, and of the group"
    assert sum(line == "3-0" for line in lines) == 2, "of the range, and of what follows 1"
    assert lines[-1] == "1"
    assert "OK" in lines


def test_the_event_that_is_shown_is_one() -> None:
    ((event,),) = ([orjson.loads(text)] for text in examples("json"))
    name = EVENTS[event["type"]].__name__
    schema: dict[str, Any] = {"$ref": f"#/components/schemas/{name}", "components": document()["components"]}
    jsonschema_rs.validate(schema, event)
