"""A number that only waiters for a larger one care about: the log's head, a read model's position."""

import asyncio


class Watermark:
    """Set from one event loop; each waiter has a future of its own, so that nobody clears another's signal."""

    def __init__(self, value: int = 0) -> None:
        self.value = value
        self._waiting: dict[asyncio.Future[None], int] = {}

    def set(self, value: int) -> None:
        """Usually rises; a rebuilt read model may be a little behind the one it replaces."""
        self.value = value
        for future, wanted in list(self._waiting.items()):
            if value >= wanted:
                del self._waiting[future]
                if not future.done():
                    future.set_result(None)

    async def reach(self, wanted: int, timeout: float) -> bool:
        """Whether the number is at least `wanted` within `timeout` seconds."""
        if self.value >= wanted:
            return True
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = wanted
        try:
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError:
            return self.value >= wanted
        finally:
            self._waiting.pop(future, None)
        return True
