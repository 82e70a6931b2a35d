"""The loops beside the requests, and what becomes of one that fails in a way that nobody foresaw."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from service.cancelled import raise_if_cancelled
from service.store.errors import LogReplaced
from service.store.feed import LogWentBack

AGAIN_SECONDS = 10.0
"""After that a loop that failed is begun again."""

Loop = Callable[[], Coroutine[Any, Any, None]]

_log = structlog.get_logger(__name__)


async def ends_with(broken: asyncio.Future[None], name: str, loop: Loop) -> None:
    """Without this loop the process would only look alive: its failure is the process's, whose supervisor starts it
    again."""
    try:
        await loop()
    except Exception as error:  # noqa: BLE001 - told to whoever ends the process
        raise_if_cancelled(error)
        if isinstance(error, LogWentBack | LogReplaced):
            _log.critical("another_log", reason=str(error))
        else:
            _log.exception("task_failed", task=name)
        if not broken.done():
            broken.set_exception(error)


async def begun_again(name: str, loop: Loop) -> None:
    """The process is of use without it for a while; whatever it met may be over by then."""
    while True:
        try:
            await loop()
        except Exception as error:  # noqa: BLE001 - nobody else would hear of it
            raise_if_cancelled(error)
            _log.exception("task_failed", task=name)
            await asyncio.sleep(AGAIN_SECONDS)
        else:
            return
