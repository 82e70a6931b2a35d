"""A store that is verified while a service writes to it: nothing that is being written is taken for a fault."""

import asyncio
from contextlib import suppress

from service.audit.verify.database import verify_store
from tests.http.api import Api, at
from tests.http.conftest import Serve, database_url, engine, key_folder, serve
from tests.http.engines import both_engines

__all__ = ["database_url", "engine", "key_folder", "serve"]

WALKS, EVENTS, CHECKPOINTS = 3, 50, 2
"""How often it is verified at least, how many events there are more each time, and checkpoints in the end."""


async def write(api: Api) -> None:
    """For ever: incidents, edits, comments, deletes."""
    ids: list[str] = []
    while True:
        ids.append((await api.report(attributes={"count": len(ids)}))["id"])
        await api.patch(at(ids[len(ids) // 2]), {"name": f"Changed {len(ids)}", "attributes": {"count": -len(ids)}})
        await api.comment(ids[-1], f"Number {len(ids)}")
        if len(ids) % 5 == 0:
            await api.delete(at(ids[-2]))


async def written(api: Api, events: int) -> None:
    while await api.parts.log.head() < events:
        await asyncio.sleep(0.02)


@both_engines
async def test_what_is_being_written_is_no_fault(serve: Serve) -> None:
    api = await serve(checkpoint_interval=0.05)
    writing = [asyncio.create_task(write(api)) for _ in range(3)]
    try:
        walks = checkpoints = 0
        while walks < WALKS or checkpoints < CHECKPOINTS:
            walks += 1
            await written(api, walks * EVENTS)
            summary, findings = await verify_store(api.settings, [], [])
            assert [fault.text for fault in findings] == []
            checkpoints = summary.checkpoints
    finally:
        for task in writing:
            task.cancel()
        for task in writing:
            with suppress(asyncio.CancelledError):
                await task
