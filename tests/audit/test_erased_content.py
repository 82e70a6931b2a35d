"""What was erased by order: no export holds it, an import takes what is left, and the past says that it is gone."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from service.audit.errors import ExportDamaged
from service.settings import Settings
from tests.audit.stores import exported, imported, rows
from tests.audit.test_export_file import read
from tests.faults.load import INCIDENTS, Client, authorization, client
from tests.servers.process import ServiceProcess

SECRET = "Xanthippe Quzzlebury"
REASON = "Article 17"
PIPE = 1 << 16
"""Bytes that a pipe holds."""


@pytest.fixture
def service(start_service: Callable[..., ServiceProcess], store: Settings) -> ServiceProcess:
    return start_service(data_dir=str(store.data_dir), database_url=store.database_url, rate_limit="off")


@pytest.fixture
async def one(service: ServiceProcess) -> AsyncIterator[Client]:
    async with client(service.url, authorization(service, "eraser")) as one:
        yield one


async def erase(one: Client, id: str, fields: Any) -> None:
    answer = await one.ask("POST", f"{INCIDENTS}/{id}/erase", {"fields": fields, "reason": REASON})
    assert answer.status == 200, answer


async def test_it_is_in_no_export_and_the_rest_comes_back_exactly(
    service: ServiceProcess, one: Client, store: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    told = {"description": SECRET, "attributes": {"workflowId": SECRET, "count": 5}}
    some, every = (await one.report(**told))["id"], (await one.report(name=SECRET))["id"]
    await one.ask("PATCH", f"{INCIDENTS}/{some}", {"description": f"{SECRET} again", "status": "OPEN"})
    await erase(one, some, ["description", "attributes.workflowId"])
    await erase(one, every, "all")
    content = await exported(store, tmp_path / "export")
    assert SECRET.encode() not in content
    await imported(elsewhere, tmp_path / "export")
    assert await rows(elsewhere) == await rows(store)
    assert (await exported(elsewhere, tmp_path / "again")).splitlines()[1:] == content.splitlines()[1:]

    def shown(*arguments: str) -> Any:
        return json.loads(service.command("audit", *arguments, "--json").splitlines()[-1])

    assert shown("show", some, "--version", "1").items() >= {
        "status": "OPEN", "description": None, "attributes": {"count": 5},
        "erased": ["attributes.workflowId", "description"],
    }.items()  # fmt: skip
    assert shown("show", every)["erased"] == "all"
    table = service.command("audit", "history", some)
    for words in ("description: erased", "attributes.workflowId: erased", f"reason: {REASON}", "incident erased"):
        assert words in table


async def test_what_an_order_left_cannot_be_changed(
    one: Client, store: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    incident = await one.report(description=SECRET)
    await erase(one, incident["id"], ["description"])
    content = await exported(store, tmp_path / "export")
    no_digest, no_order = "event 1 altered: its content does not have its digest", "event 2: .* edits is missing"
    tried = ((b'\\"NEW\\"', b'\\"OLD\\"', no_digest), (b"IncidentErased", b"IncidentEdited", no_order))
    for old, new, told in tried:
        assert old in content
        (tmp_path / "changed").write_bytes(content.replace(old, new))
        with pytest.raises(ExportDamaged, match=told):
            await imported(elsewhere, tmp_path / "changed")


async def test_an_erasure_while_the_log_is_exported_ends_that_export(
    service: ServiceProcess, one: Client, tmp_path: Path
) -> None:
    incident = await one.report(description=SECRET)
    for _ in range(60):  # more than pipes hold, so that the export waits for its reader
        await one.report(description="x" * 20_000)
    command = [sys.executable, "-m", "service", "audit", "export", "-"]
    with subprocess.Popen(
        command, env=service.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=service.folder
    ) as export:
        assert export.stdout is not None
        assert export.stderr is not None
        begun = await asyncio.to_thread(export.stdout.read, PIPE)
        await erase(one, incident["id"], ["description"])
        (tmp_path / "cut").write_bytes(begun + await asyncio.to_thread(export.stdout.read))
        problem = export.stderr.read()
    assert export.returncode == 1
    assert b"something was erased meanwhile, at position 62: export again" in problem
    with pytest.raises(ExportDamaged, match="the file ends here, before it is closed"):
        read(tmp_path / "cut")
