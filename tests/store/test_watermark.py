"""Waiting for a number: everyone hears what concerns them, nobody clears another's signal."""

import asyncio

from service.store.watermark import Watermark


async def test_what_is_reached_is_not_waited_for() -> None:
    assert await Watermark(3).reach(3, 0)


async def test_each_waits_for_its_own_number() -> None:
    mark = Watermark()
    waiting = [asyncio.create_task(mark.reach(wanted, 5)) for wanted in (1, 2, 2, 3)]
    await asyncio.sleep(0)
    mark.set(2)
    await asyncio.sleep(0.01)
    assert [task.done() for task in waiting] == [True, True, True, False]
    mark.set(7)
    assert all(await asyncio.gather(*waiting))


async def test_nobody_waits_longer_than_they_said() -> None:
    mark = Watermark()
    begin = asyncio.get_running_loop().time()
    assert not await mark.reach(1, 0.05)
    assert asyncio.get_running_loop().time() - begin < 0.5


async def test_a_number_may_fall_and_rise_again() -> None:
    mark = Watermark(5)
    mark.set(3)
    waiting = asyncio.create_task(mark.reach(5, 5))
    await asyncio.sleep(0)
    mark.set(4)
    await asyncio.sleep(0)
    assert not waiting.done()
    mark.set(5)
    assert await waiting


async def test_who_gave_up_leaves_nothing_behind() -> None:
    mark = Watermark()
    await asyncio.gather(*(mark.reach(1, 0.01) for _ in range(100)))
    cancelled = asyncio.create_task(mark.reach(1, 5))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    assert not mark._waiting
