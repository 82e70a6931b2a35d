"""Threads that work for the event loop: each takes one job after another and hands back what came of it.

`ThreadPoolExecutor` makes a second future for each job, with a lock and a condition of its own: with them a short look
at SQLite, of which many wait at once, costs a fifth more.
"""

from asyncio import AbstractEventLoop, CancelledError, Future, TimerHandle, get_running_loop
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread, get_ident
from typing import Any, TypeVar

from service.store.errors import TookTooLong
from service.store.turns import ASKING, Lines, Shares

INTERRUPT_PAUSE_SECONDS = 0.05
"""Between two tries to interrupt a job: what it runs may not have begun yet."""

_Result = TypeVar("_Result")


class _Job:
    __slots__ = ("deadline", "future", "loop", "tenant_id", "thread", "work")

    def __init__(self, tenant_id: str, work: Callable[[], Any], loop: AbstractEventLoop) -> None:
        self.tenant_id, self.work, self.loop = tenant_id, work, loop
        self.future: Future[Any] = loop.create_future()
        self.thread = 0
        """Who does it; 0 before and after."""
        self.deadline = 0.0


class Threads:
    """A thread is started when all that there are have something to do: whoever does one thing after another has one,
    which knows what it read before. Tenants take turns, and none has all threads where there are several.

    `interrupt` ends what a thread, named by its identifier, does at this moment, where that is possible: for whom
    nobody waits any more, and for a tenant's work that takes longer than `timeout` seconds, the wait included.
    """

    def __init__(
        self,
        number: int,
        name: str,
        interrupt: Callable[[int], None] | None = None,
        timeout: float | None = None,
    ) -> None:
        self._interrupt, self._timeout = interrupt, timeout
        self._given: SimpleQueue[_Job | None] = SimpleQueue()
        """Jobs that have a thread."""
        self._lock = Lock()
        """For all that follows: whoever is done with a job takes the next one itself."""
        self._waiting: Lines[_Job] = Lines()
        self._shares = Shares(number)
        self._busy = 0
        self._threads = [Thread(target=self._do, name=f"{name}-{place}", daemon=True) for place in range(number)]
        self._started = 0
        self._ended = False
        self._timed: deque[_Job] = deque()
        """Jobs with a deadline, the earliest first."""
        self._timer: TimerHandle | None = None

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """Returns and raises what the work does. Raises TookTooLong.

        Where the wait is cancelled, work that has begun is still done, but for what can be interrupted.
        """
        if self._ended:
            raise RuntimeError("the threads have ended")
        job = _Job(ASKING.get(), work, get_running_loop())
        self._give(job)
        if self._timeout is not None and job.tenant_id:
            self._limit(job, self._timeout)
        try:
            result: _Result = await job.future
        except CancelledError:
            self._stop(job)
            raise
        return result

    def shutdown(self) -> None:
        """Returns when all that was to be done is done, or has been interrupted."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        started = self._threads[: self._started]
        for _ in started:
            self._given.put(None)
        for thread in started:
            self._join(thread)

    def _join(self, thread: Thread) -> None:
        if self._interrupt is None:
            thread.join()
        while thread.is_alive():
            thread.join(INTERRUPT_PAUSE_SECONDS)
            if thread.is_alive() and thread.ident is not None and self._interrupt is not None:
                self._interrupt(thread.ident)

    def _give(self, job: _Job) -> None:
        with self._lock:
            if self._busy == len(self._threads) or not self._shares.may(job.tenant_id):
                self._waiting.put(job.tenant_id, job)
                return
            self._shares.begin(job.tenant_id)
            self._busy += 1
            if self._started < self._busy:
                self._threads[self._started].start()
                self._started += 1
        self._given.put(job)

    def _limit(self, job: _Job, timeout: float) -> None:
        job.deadline = job.loop.time() + timeout
        timed = self._timed
        timed.append(job)
        while timed[0].future.done():
            timed.popleft()
        if self._timer is None and timed:
            self._timer = job.loop.call_at(timed[0].deadline, self._expire, job.loop)

    def _expire(self, loop: AbstractEventLoop) -> None:
        """One timer for all: they have the same time-out, so whoever came first is first to be told."""
        timed, now = self._timed, loop.time()
        while timed and (timed[0].future.done() or timed[0].deadline <= now):
            job = timed.popleft()
            if not job.future.done():
                job.future.set_exception(TookTooLong(f"a read took more than {self._timeout:g} s"))
                self._stop(job)
        self._timer = loop.call_at(timed[0].deadline, self._expire, loop) if timed else None

    def _stop(self, job: _Job) -> None:
        """Nobody waits for it any more. What has not begun never will."""
        if self._interrupt is None:
            return
        with self._lock:  # it is still this job that is interrupted
            if not job.thread:
                return
            self._interrupt(job.thread)
        job.loop.call_later(INTERRUPT_PAUSE_SECONDS, self._stop, job)

    def _do(self) -> None:
        while (given := self._given.get()) is not None:
            job: _Job | None = given
            while job is not None:
                job.thread = get_ident()
                result, error = None, None
                if not job.future.done():
                    try:
                        result = job.work()
                    except BaseException as raised:  # noqa: BLE001 - it is raised again where the work is waited for
                        error = raised
                following = self._following(job)
                with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                    job.loop.call_soon_threadsafe(_settle, job.future, result, error)
                job = following
                del result, error, following  # nothing is kept while there is nothing to do
            del given

    def _following(self, done: _Job) -> _Job | None:
        with self._lock:
            done.thread = 0
            self._shares.end(done.tenant_id)
            found = self._waiting.take(self._shares.may)
            if found is None:
                self._busy -= 1
                return None
            tenant_id, job = found
            self._shares.begin(tenant_id)
            return job


def _settle(future: Future[Any], result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
