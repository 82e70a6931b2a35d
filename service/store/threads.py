"""Threads that work for the event loop: each takes one job after another and hands back what came of it.

`ThreadPoolExecutor` makes a second future for each job, with a lock and a condition of its own: with them a short look
at SQLite, of which many wait at once, costs a fifth more.
"""

from asyncio import Future, get_running_loop
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

_Result = TypeVar("_Result")
_Jobs = SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]
_Settle = Callable[[Future[Any], object, BaseException | None], None]


class Threads:
    """A thread is started when all that there are have something to do: whoever does one thing after another has one,
    which knows what it read before."""

    def __init__(self, number: int, name: str) -> None:
        self._jobs: _Jobs = SimpleQueue()
        self._threads = [
            Thread(target=_work, args=(self._jobs, self._settle), name=f"{name}-{place}", daemon=True)
            for place in range(number)
        ]
        self._started = self._under_way = 0
        self._ended = False

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """Returns and raises what the work does. Where the wait is cancelled, work that has begun is still done."""
        if self._ended:
            raise RuntimeError("the threads have ended")
        self._under_way += 1
        if self._started < min(self._under_way, len(self._threads)):
            self._threads[self._started].start()
            self._started += 1
        future: Future[_Result] = get_running_loop().create_future()
        self._jobs.put((future, work))
        return await future

    def shutdown(self) -> None:
        """Returns when all that was to be done is done."""
        self._ended = True
        started = self._threads[: self._started]
        for _ in started:
            self._jobs.put(None)
        for thread in started:
            thread.join()

    def _settle(self, future: Future[Any], result: object, error: BaseException | None) -> None:
        self._under_way -= 1
        if future.cancelled():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


def _work(jobs: _Jobs, settle: _Settle) -> None:
    while (job := jobs.get()) is not None:
        future, work = job
        result, error = None, None
        if not future.cancelled():
            try:
                result = work()
            except BaseException as raised:  # noqa: BLE001 - it is raised again where the work is waited for
                error = raised
        with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            future.get_loop().call_soon_threadsafe(settle, future, result, error)
        del job, future, work, result, error  # nothing is kept while there is nothing to do
