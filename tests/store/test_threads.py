"""Threads that work for the event loop."""

import asyncio
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from service.store.threads import Threads


@pytest.fixture
def one() -> Iterator[Threads]:
    threads = Threads(1, "one")
    yield threads
    threads.shutdown()


async def test_what_the_work_returns_and_raises_comes_back(one: Threads) -> None:
    assert await one.run(lambda: threading.current_thread().name) == "one-0"
    with pytest.raises(ZeroDivisionError):
        await one.run(lambda: 1 // 0)
    assert await one.run(lambda: "again") == "again"


async def test_there_are_as_many_as_were_asked_for() -> None:
    threads, together = Threads(3, "three"), threading.Barrier(3)
    try:
        async with asyncio.timeout(10):
            places = await asyncio.gather(*(threads.run(together.wait) for _ in range(6)))
        assert sorted(places) == [0, 0, 1, 1, 2, 2]
    finally:
        threads.shutdown()


async def test_one_thing_after_another_is_done_by_the_same_one() -> None:
    threads = Threads(3, "three")
    try:
        assert {await threads.run(lambda: threading.current_thread().name) for _ in range(6)} == {"three-0"}
    finally:
        threads.shutdown()


async def test_what_has_begun_is_done_though_nobody_waits_and_what_has_not_is_left(one: Threads) -> None:
    began, go_on, done = threading.Event(), threading.Event(), list[str]()

    def first() -> None:
        began.set()
        go_on.wait(10)
        done.append("first")

    waiting = [asyncio.ensure_future(one.run(first)), asyncio.ensure_future(one.run(lambda: done.append("second")))]
    await asyncio.to_thread(began.wait, 10)
    for wait in waiting:
        wait.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    go_on.set()
    await one.run(lambda: done.append("third"))
    assert done == ["first", "third"]


async def test_they_outlive_the_loop_that_asked(one: Threads) -> None:
    began, go_on = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        go_on.wait(10)

    async def leave() -> None:
        asked = asyncio.ensure_future(one.run(work))
        await asyncio.to_thread(began.wait, 10)
        assert not asked.done()

    await asyncio.to_thread(asyncio.run, leave())
    go_on.set()
    assert await one.run(lambda: "again") == "again"


async def test_shutdown_returns_when_all_is_done() -> None:
    threads, done = Threads(1, "one"), list[int]()
    waiting = [asyncio.ensure_future(threads.run(partial(done.append, number))) for number in range(3)]
    await asyncio.sleep(0)
    threads.shutdown()
    assert done == [0, 1, 2]
    await asyncio.gather(*waiting)
    with pytest.raises(RuntimeError):
        await threads.run(lambda: done.append(3))
