"""Answers that are large, or that nobody reads: bounded, and given up with the connection."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from service import aggregates
from service.commands import MAX_CHANGES, MAX_CHANGES_BYTES
from service.http import answers
from tests.http.api import PATH, Api, at, incident
from tests.http.engines import both_engines
from tests.http.test_lists import with_small_buffers

TEXT = "x" * 20_000
MANY = 400
"""Incidents with that text: more than the kernel keeps for a connection."""


async def received_late(api: Api, path: str, *headers: str) -> bytes:
    """What comes for a request whose answer is left alone until the service has given up."""
    reader, writer = await with_small_buffers(api)
    own = [f"GET {path} HTTP/1.1", "Host: x", f"Authorization: {api.authorization['Authorization']}", *headers]
    writer.write("\r\n".join([*own, "", ""]).encode())
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(3 * answers.WRITE_SECONDS)
    received = bytearray()
    with suppress(ConnectionResetError):
        async with asyncio.timeout(30):
            while part := await reader.read(2**16):
                received += part
    writer.close()
    return bytes(received)


async def test_an_answer_that_is_not_read_ends_with_its_connection(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await asyncio.gather(*(api.post(PATH, incident(description=TEXT)) for _ in range(MANY)))
    page = f"{PATH}?size=1000"
    async with asyncio.timeout(60):
        while (whole := await api.get(page)).status == 503:
            """The read models have not reached it yet."""
    assert len(whole.data["incidents"]) == MANY
    assert len(whole.raw) > MANY * len(TEXT)
    monkeypatch.setattr(answers, "WRITE_SECONDS", 0.2)
    monkeypatch.setattr(answers, "LEAST_RATE", 10**9)
    for path, *headers in ([page], [page, "Connection: close"], [f"{page}&format=csv"], ["/v1/events?limit=1000"]):
        assert 0 < len(await received_late(api, path, *headers)) < len((await api.get(path)).raw), path


@both_engines
async def test_a_stale_lock_is_told_what_changed_in_few_bytes(api: Api) -> None:
    id = (await api.report())["id"]
    texts = [TEXT[: 20_000 - number] for number in range(12)]
    for text in texts:
        await api.patch(at(id), {"description": text})
    answer = await api.delete(f"{at(id)}?occ_lock=0")
    error = answer.refused(409, "LOCK_STALE", "occ_lock")
    assert len(answer.raw) < MAX_CHANGES_BYTES + 10_000
    assert error["changes_truncated"] is True
    told = [change["occ_lock"] for change in error["changes"]]
    assert told == list(range(told[0], len(texts) + 1)), "the newest, in order"
    assert len(told) > 1
    error = (await api.delete(f"{at(id)}?occ_lock={len(texts) - 1}")).refused(409, "LOCK_STALE", "occ_lock")
    assert ([change["occ_lock"] for change in error["changes"]], "changes_truncated" in error) == ([len(texts)], False)


async def test_a_stale_lock_is_told_so_many_small_changes_and_no_more(api: Api) -> None:
    id = (await api.report())["id"]
    for number in range(MAX_CHANGES + 3):
        await api.patch(at(id), {"name": f"N{number}"})
    error = (await api.delete(f"{at(id)}?occ_lock=2")).refused(409, "LOCK_STALE", "occ_lock")
    assert [change["occ_lock"] for change in error["changes"]] == list(range(4, MAX_CHANGES + 4))
    assert error["changes_truncated"] is True


async def test_aggregates_are_kept_by_their_bytes(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregates, "MAX_BYTES", 5 * len(TEXT))
    ids = [(await api.report(description=TEXT))["id"] for _ in range(8)]
    kept: Any = api.parts.aggregates
    for id in ids:
        await api.patch(at(id), {"name": "New", "occ_lock": 0})
        assert kept._bytes <= 5 * len(TEXT)
    assert 3 <= len(kept._cache) < 8
    assert kept._bytes == sum(size for _, size in kept._cache.values())
