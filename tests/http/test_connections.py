"""More connections than may be: those that have been idle longest go, and whoever comes gets in."""

import asyncio
import resource
import subprocess
import sys

import pytest

from service.file_handles import LEAST_CONNECTIONS, RESERVED, connections
from tests.http.api import PATH, Api
from tests.http.conftest import Serve
from tests.http.sse import listening
from tests.http.test_malformed_http import PATIENCE, request, statuses

LIMIT = 32
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connected(api: Api) -> Pair:
    return await asyncio.open_connection(str(api.client.server.host), api.client.server.port)


async def answered(api: Api, pair: Pair, *headers: str) -> set[int]:
    reader, writer = pair
    writer.write(request(f"GET {PATH} HTTP/1.1", f"Authorization: {api.authorization['Authorization']}", *headers))
    return statuses(await asyncio.wait_for(reader.read(), PATIENCE))


async def test_who_comes_gets_in_however_many_are_idle(serve: Serve) -> None:
    api = await serve(max_connections=LIMIT)
    async with listening(api) as reading:
        idle = [await connected(api) for _ in range(3 * LIMIT)]
        for _, writer in idle[: LIMIT // 2]:
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")  # the beginning of a head is no request either
        assert await answered(api, await connected(api)) == {200}
        first, last = idle[0][0], idle[-1]
        assert await asyncio.wait_for(first.read(), PATIENCE) == b"", "the one that was idle longest"
        assert await answered(api, last) == {200}, "the one that came last"
        await api.report()
        assert len(await reading.take(1)) == 1, "a stream is not idle"
    for _, writer in idle:
        writer.close()


async def test_where_none_is_idle_the_newest_goes(serve: Serve) -> None:
    api = await serve(max_connections=2)
    async with listening(api) as reading, listening(api.by("bob")) as other:
        reader, writer = await connected(api)
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
        writer.close()
        assert (reading.status, other.status) == (200, 200)


def test_some_file_handles_are_kept_for_other_things() -> None:
    handles, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert connections(10, 8) == min(10, max(LEAST_CONNECTIONS, handles - RESERVED - 8))
    assert connections(10**9, 8) == max(LEAST_CONNECTIONS, handles - RESERVED - 8)


@pytest.mark.parametrize("hard", [400, 900])
def test_the_limit_of_file_handles_is_raised_at_the_start(hard: int) -> None:
    program = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, {hard}))\n"
        "from service.file_handles import connections, raise_limit\n"
        "print(raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE), connections(10000, 8))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert [int(number) for number in told.split()] == [hard, hard, hard, hard - RESERVED - 8]
