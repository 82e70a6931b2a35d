"""JSON that stays in memory for a while, in no more room than it fills."""

from typing import Any

import orjson

loads = orjson.loads


def dumps(value: Any, /) -> bytes:
    return trimmed(orjson.dumps(value))


def trimmed(made: bytes) -> bytes:
    """orjson returns its bytes with all the room that it had reserved, some times of what they fill: to keep thousands
    of them costs more time than to make them, each being in memory that was not used before."""
    return bytes(memoryview(made))
