"""Behind an Apache that compresses, and marks the tags of what it compressed as its own."""

import pytest
from aiohttp import ClientSession

from tests.http.api import Api, at
from tests.http.sse import listening_at
from tests.servers.apache import MISSING, Apache

pytestmark = [pytest.mark.skipif(MISSING, reason="needs Apache"), pytest.mark.timeout(120)]


@pytest.mark.parametrize(
    ("compression", "coding", "mark"),
    [("DEFLATE", "gzip", "-gzip"), ("BROTLI_COMPRESS", "br", "-br")],
    ids=["gzip", "br"],
)
async def test_its_tags_are_taken_for_ours_by_reads_and_writes(
    api: Api, compression: str, coding: str, mark: str
) -> None:
    path = at((await api.report(description="long " * 1_000))["id"])
    with Apache(str(api.client.make_url("")), compression) as server:
        async with ClientSession(server.url, headers=api.authorization, auto_decompress=False) as session:
            compressed = {"Accept-Encoding": coding}
            async with session.get(path, headers=compressed) as told:
                tag = told.headers["ETag"]
                assert (told.status, told.headers["Content-Encoding"], tag) == (200, coding, f'"0{mark}"')
            async with session.get(path, headers={**compressed, "If-None-Match": tag}) as known:
                assert (known.status, await known.read()) == (304, b"")
            async with session.patch(path, json={"status": "OPEN"}, headers={**compressed, "If-Match": tag}) as edited:
                assert edited.status == 200
                newer = edited.headers["ETag"]
                assert newer == f'"1{mark}"'
            async with session.patch(path, json={"status": "NEW"}, headers={**compressed, "If-Match": tag}) as stale:
                assert stale.status == 412
            async with session.get(path, headers={**compressed, "If-None-Match": tag}) as changed:
                assert (changed.status, changed.headers["ETag"]) == (200, newer)
            async with session.delete(path, headers={**compressed, "If-Match": f'"7", {newer}'}) as gone:
                assert gone.status == 200


async def test_events_pass_as_they_happen(api: Api) -> None:
    with Apache(str(api.client.make_url(""))) as server:
        authorization = api.authorization["Authorization"]
        async with listening_at("127.0.0.1", server.port, authorization) as reading:
            for number in range(1, 4):
                await api.report(name=f"No. {number}")
                (told,) = await reading.take(1)
                assert told.data["data"]["state"]["name"] == f"No. {number}"
