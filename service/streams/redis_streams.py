"""The streams' port to Redis: a batch is one script; into each stream all or none, onto the right last id."""

import time
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from redis.exceptions import ResponseError

from projections.database import Unavailable
from projections.stream import End
from projections.stream_batches import Batch
from service.streams.wire import Command, Wire

PUBLISHER_KEY = "ims:publisher"
"""Names the log that is published. Written on each connection where replicas are waited for, to have something that
they must confirm."""
WAIT_SECONDS = 0.5
"""How long one WAIT takes before the next."""


def script(name: str) -> str:
    return files("service.streams").joinpath("lua", f"{name}.lua").read_text()


_ADD, _END = script("add"), script("end")


class RedisStreams:
    """`replicas`: how many must have an entry before it counts; `patience`: seconds that they have."""

    def __init__(self, wire: Wire, log_id: str, replicas: int = 0, patience: float = 5.0) -> None:
        self._wire, self._log_id = wire, log_id
        self._replicas, self._patience = replicas, patience

    async def ready(self) -> None:
        if not self._wire.open:
            await self._wire.connect()
            if self._replicas and self._wire.clustered:
                raise Unavailable("Redis: IMS_REDIS_REPLICAS cannot be used with a Cluster")
            if self._replicas:
                # What was published on an earlier connection counts once they have this.
                await self._ask([("SET", PUBLISHER_KEY, self._log_id)])
                await self._confirmed()

    async def ends(self, names: Sequence[str]) -> list[End]:
        answers = await self._ask([("EVAL", _END, 1, name) for name in names])
        return [End(id.decode(), digest.decode()) for id, digest in answers]

    async def add(self, batches: Sequence[Batch]) -> list[dict[str, str]]:
        if self._wire.clustered:
            answers = [await self._each(batch) for batch in batches]
        else:
            answers = await self._ask([_adding(batch, list(batch.prevs)) for batch in batches])
        if self._replicas:
            await self._confirmed()
        return [
            dict(zip(batch.prevs, (id.decode() for id in ids), strict=True))
            for batch, ids in zip(batches, answers, strict=True)
        ]

    async def close(self) -> None:
        await self._wire.close()

    async def _each(self, batch: Batch) -> list[bytes]:
        """On a Cluster the streams are on several nodes, and each gets a script of its own."""
        answers = await self._ask([_adding(batch, [stream]) for stream in batch.prevs])
        return [id for (id,) in answers]

    async def _confirmed(self) -> None:
        """Wait until enough replicas have all that was written here. The connection lives on while they have not."""
        end = time.monotonic() + self._patience
        while True:
            (confirmed,) = await self._ask([("WAIT", self._replicas, int(WAIT_SECONDS * 1000))])
            if confirmed >= self._replicas:
                return
            if time.monotonic() > end:
                await self._wire.close()
                raise Unavailable(f"Redis: {confirmed} of {self._replicas} replicas have what was published")

    async def _ask(self, commands: Sequence[Command]) -> list[Any]:
        answers = await self._wire.ask(commands)
        for answer in answers:
            if isinstance(answer, Exception):
                await self._wire.close()
                raise Unavailable(f"Redis: {_short(answer)}") from answer
        return answers


def _adding(batch: Batch, streams: Sequence[str]) -> Command:
    """What these streams get of a batch. The script knows them by their numbers."""
    numbers = {name: str(number) for number, name in enumerate(streams, 1)}
    places: dict[Sequence[str], str] = {}
    words: list[str | bytes | int] = ["EVAL", _ADD, len(streams), *streams, *(batch.prevs[name] for name in streams)]
    for one, names in batch.entries:
        place = places.get(names)
        if place is None:
            place = places[names] = " ".join(numbers[name] for name in names if name in numbers)
        if place:
            words += (place, one.position, one.event, one.type, one.subject, one.tenant_id, one.digest)
    return words


def _short(refusal: Exception) -> str:
    """Without the script's text around it."""
    text = str(refusal)
    if isinstance(refusal, ResponseError) and "OOM" in text:
        return "it is out of memory"
    return text[:200]
