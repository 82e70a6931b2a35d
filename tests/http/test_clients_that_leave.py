"""A client that left is not worked for any longer, unless something is to be changed: that is done, and known."""

import asyncio
from uuid import UUID

from tests.http.api import PATH, Api, incident
from tests.http.conftest import Serve
from tests.http.engines import both_engines


async def send_and_leave(api: Api, method: str, path: str, body: bytes = b"") -> None:
    server, token = api.client.server, api.authorization["Authorization"]
    _, writer = await asyncio.open_connection(server.host, server.port)
    kind = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body) if body else b""
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n".encode() + kind + b"\r\n" + body)
    await writer.drain()
    await asyncio.sleep(0.1)  # it is being answered
    writer.close()
    await writer.wait_closed()


def answering() -> int:
    return sum("_handle_request" in repr(task.get_coro()) for task in asyncio.all_tasks())


@both_engines
async def test_a_read_ends_with_its_client_and_a_write_does_not(serve: Serve) -> None:
    api = await serve(run=("api",), read_timeout=30.0)  # nobody builds read models: a read waits for what was written
    reported = (await api.post(PATH, incident())).data
    for _ in range(3):
        await send_and_leave(api, "GET", f"{PATH}?q=x&size=10")
    async with asyncio.timeout(15):
        while answering():
            await asyncio.sleep(0.01)
    place = f"{PATH}/{reported['id']}"
    async with api.parts.aggregates.lane(UUID(reported["id"])):
        await send_and_leave(api, "PATCH", place, b'{"location":"left"}')
        assert answering() == 1
    async with asyncio.timeout(15):
        while answering():
            await asyncio.sleep(0.01)
    assert (await api.patch(place, {"location": "left"})).data["occ_lock"] == 1
