"""Which events go into which streams, and what is sent at once: each event one time, however many streams get it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from domain.erased import Erased
from domain.event import Fact
from projections.cloud_events import Published

BATCH_BYTES = 1_000_000
"""Bytes of events in one batch."""


Entry = tuple[Published, Sequence[str]]
"""An event, and the streams that it goes into. A plain tuple: one is made for every event."""


class Batch(NamedTuple):
    """Entries that are sent together. By stream: `prevs`, the position that it must end with before, and `ends`, the
    one that it ends with then."""

    prevs: dict[str, int]
    ends: dict[str, int]
    entries: list[Entry]


@dataclass(frozen=True)
class Names:
    """How the streams are called, and which there are. `prefix` is that of the log: a restored one has its own."""

    prefix: str
    all: bool
    tenants: bool

    def of(self, tenant_id: str) -> list[str]:
        """The streams that a tenant's events belong in."""
        return [self.prefix] * self.all + [self.of_tenant(tenant_id)] * self.tenants

    def of_tenant(self, tenant_id: str) -> str:
        return f"{self.prefix}:{tenant_id}"


class Filling:
    """`ends`: where each stream ends, or will when the batches are in that were made for it."""

    def __init__(self, names: Names, ends: dict[str, int]) -> None:
        self._names, self.ends = names, ends

    def missing(self, facts: Sequence[Fact]) -> tuple[list[Fact], list[Sequence[str]]]:
        """What any stream lacks of these, and which streams lack it. Positions rise."""
        missing: list[Fact] = []
        streams: list[Sequence[str]] = []
        known: dict[str, Sequence[str]] = {}
        """By tenant: once all of its streams lack an event, they lack those that follow."""
        for fact in facts:
            tenant_id = fact.tenant_id if isinstance(fact, Erased) else fact.event.tenant_id
            lacking = known.get(tenant_id)
            if lacking is None:
                names = self._names.of(tenant_id)
                lacking = tuple(name for name in names if fact.position > self.ends.get(name, 0))
                if len(lacking) == len(names):
                    known[tenant_id] = lacking
            if lacking:
                missing.append(fact)
                streams.append(lacking)
        return missing, streams

    def batches(self, published: Sequence[Published], streams: Sequence[Sequence[str]]) -> list[Batch]:
        """Each with the streams that it goes into."""
        batches: list[Batch] = []
        size = BATCH_BYTES
        for one, names in zip(published, streams, strict=True):
            if size >= BATCH_BYTES:
                batch, size = Batch({}, {}, []), 0
                batches.append(batch)
            for name in names:
                if name not in batch.prevs:
                    batch.prevs[name] = self.ends.get(name, 0)
                self.ends[name] = batch.ends[name] = one.position
            batch.entries.append((one, names))
            size += len(one.event)
        return batches
