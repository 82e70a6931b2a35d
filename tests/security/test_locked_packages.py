"""No locked package has a known vulnerability, as far as the data about them can be had."""

import asyncio
import json
import os
import re
import signal
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

ROOT = Path(__file__).parents[2]
PATIENCE = 90  # seconds; who gives the data and has not answered by then does not answer
MAKE_SETTINGS = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}  # those of `make test` are not for the make within it


class NoData(Exception):
    """The known vulnerabilities could not be had; the text is what was said about it last."""


async def findings(options: str = "") -> dict[str, list[str]]:
    """The ids of what is known against each locked package that there is anything against."""
    auditing = await asyncio.create_subprocess_exec(
        "make", "-s", "-o", ".venv/.synced", "audit-lock", f"AUDIT_OPTIONS=--format json {options}",
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if name not in MAKE_SETTINGS}, start_new_session=True,
    )  # fmt: skip
    try:
        told, complaints = await asyncio.wait_for(auditing.communicate(), PATIENCE)
    except TimeoutError:
        os.killpg(auditing.pid, signal.SIGKILL)
        raise NoData(f"no answer within {PATIENCE} s") from None
    if not told:
        said = [line for line in complaints.decode().splitlines() if not line.startswith("make")]
        raise NoData(said[-1].removeprefix("ERROR:pip_audit._cli:") if said else f"exit code {auditing.returncode}")
    audited = json.loads(told)["dependencies"]
    found = {each["name"]: [one["id"] for one in each["vulns"]] for each in audited}
    assert set(found) <= locked()
    assert len(found) > len(locked()) - 5  # those for other systems and Pythons are left out
    return {name: ids for name, ids in found.items() if ids}


def locked() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))


async def test_no_locked_version_is_known_to_be_vulnerable() -> None:
    try:
        found = await findings()
    except NoData as problem:
        pytest.skip(f"the data about known vulnerabilities cannot be had from here: {problem}")
    assert found == {}


async def test_a_locked_version_that_is_known_to_be_vulnerable_is_found() -> None:
    """With a server that speaks as osv.dev does, and that knows something about one of them."""

    async def answer(request: web.Request) -> web.Response:
        package = (await request.json())["package"]
        known = [{"id": "PYSEC-2026-1", "affected": [{"package": package}]}] if package["name"] == "aiohttp" else []
        return web.json_response({"vulns": known})

    app = web.Application()
    app.router.add_post("/v1/query", answer)
    async with TestServer(app) as server:
        osv = f"--vulnerability-service osv --osv-url {server.make_url('/v1/query')}"
        assert await findings(osv) == {"aiohttp": ["PYSEC-2026-1"]}


async def test_a_server_without_the_data_does_not_pass_for_one_without_findings() -> None:
    async with TestServer(web.Application()) as server:
        with pytest.raises(NoData):
            await findings(f"--vulnerability-service osv --osv-url {server.make_url('/v1/query')}")
