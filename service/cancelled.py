"""A task that was cancelled ends as cancelled, whatever error a library makes of it on its way out.

A driver that cleans up after a cancelled send tells of the time-out or the closed connection that it meets then. Taken
for an outage, that would be tried again, and the task would never end.
"""

import asyncio


def raise_if_cancelled(error: BaseException | None = None) -> None:
    """To be called before `error` is turned into another one, and where a library forgets a cancellation.

    Raises CancelledError where the task was cancelled.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError from error
