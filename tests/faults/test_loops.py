"""What runs beside the requests fails in a way that nobody foresaw: nothing vanishes without a word."""

import asyncio

import pytest

from service import loops


class Unforeseen(Exception):
    pass


class Failing:
    """Fails so often, then goes on for ever."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.goes_on = asyncio.Event()

    async def run(self) -> None:
        if self.left:
            self.left -= 1
            raise Unforeseen
        self.goes_on.set()
        await asyncio.Event().wait()


async def test_a_loop_that_can_be_missed_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "AGAIN_SECONDS", 0.01)
    failing = Failing(3)
    task = asyncio.create_task(loops.begun_again("notary", failing.run))
    async with asyncio.timeout(5):
        await failing.goes_on.wait()
    task.cancel()


async def test_a_loop_that_cannot_be_missed_ends_the_process() -> None:
    broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    await loops.ends_with(broken, "feed", Failing(1).run)
    assert isinstance(broken.exception(), Unforeseen)
