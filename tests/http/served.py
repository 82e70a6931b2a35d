"""The application behind a socket, over the protocol and by the way in that `ims serve` has."""

from typing import Any

from aiohttp.test_utils import TestServer

from service.http.protocol import Runner


class Served(TestServer):
    async def _make_runner(self, **options: Any) -> Runner:
        return Runner(self.app, **options)
