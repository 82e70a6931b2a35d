"""Where the tree and the log differ: which of the events there were altered, exchanged, moved or are gone.

A leaf's hash covers its position and its time: an event found elsewhere is known by what it would hash to there.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Final

from projections.leaves import Leaf
from service.audit.verify.findings import Fault, events

REACH: Final = 64
"""Places before and behind in which a moved event is looked for."""
MAX_SOUGHT: Final = 512
"""Differences in one part of the log that are looked for elsewhere one by one; then only where the last one was."""


def named(
    leaves: Mapping[int, Leaf], tree: Mapping[int, bytes], first: int, last: int, left_out: Set[int] = frozenset()
) -> list[Fault]:
    """`leaves`: events by the position where the log has them, `tree`: what the tree has there.

    `left_out`: positions that are known to be there, though they cannot be read. What is about positions
    beyond `last` is there to be compared with. The log may be longer than the tree.
    """
    wrong = [position for position, leaf in leaves.items() if position in tree and leaf.hash != tree[position]]
    origins = _origins(wrong, leaves, tree)
    gone = [position for position in range(first, last + 1) if position not in leaves.keys() | left_out]
    faults = [events("EVENTS_MISSING", low, high, "missing") for low, high, _ in _runs([(n, 0) for n in gone])]
    swapped = {(n, origin) for n, origin in origins.items() if n < origin and origins.get(origin) == n and n <= last}
    faults += [Fault("EVENTS_SWAPPED", f"events {low} and {high} swapped", low, high) for low, high in sorted(swapped)]
    named_already = {position for pair in swapped for position in pair}
    rest = [position for position in wrong if position <= last and position not in named_already]
    return faults + list(_moved_or_altered(rest, origins))


def differ(hashes: Mapping[int, bytes], tree: Mapping[int, bytes], first: int, last: int) -> bool:
    """Whether there is anything to name."""
    return any(position not in hashes for position in range(first, last + 1)) or any(
        hashes.get(position) != hash_ for position, hash_ in tree.items() if position <= last
    )


def _origins(wrong: list[int], leaves: Mapping[int, Leaf], tree: Mapping[int, bytes]) -> dict[int, int]:
    """Where each of the events stood when the tree took it, as far as it can be found."""
    origins: dict[int, int] = {}
    last, sought = 0, 0
    for position in wrong:
        offsets: Iterable[int] = (last,) if last else ()
        if not origins or position - 1 not in origins or not _stood(position, position + last, leaves, tree):
            sought += 1
            offsets = _offsets() if sought <= MAX_SOUGHT else offsets
        for offset in offsets:
            if _stood(position, position + offset, leaves, tree):
                origins[position], last = position + offset, offset
                break
    return origins


def _offsets() -> Iterator[int]:
    for distance in range(1, REACH + 1):
        yield distance
        yield -distance


def _stood(position: int, origin: int, leaves: Mapping[int, Leaf], tree: Mapping[int, bytes]) -> bool:
    """With the time that it has now, or with that of the event that is there now."""
    if origin not in tree or origin == position:
        return False
    moved = leaves[position]._replace(position=origin)
    if moved.hash == tree[origin]:
        return True
    there = leaves.get(origin)
    return there is not None and moved._replace(recorded_at=there.recorded_at).hash == tree[origin]


def _moved_or_altered(wrong: list[int], origins: Mapping[int, int]) -> Iterator[Fault]:
    for first, last, offset in _runs([(position, origins.get(position, position) - position) for position in wrong]):
        if offset > 0:
            yield events("EVENTS_MISSING", first, first + offset - 1, f"missing: those after are {offset} too early")
        elif offset < 0:
            yield events("EVENTS_INSERTED", first + offset, first - 1, f"inserted: those after are {-offset} too late")
        else:
            yield events("EVENT_ALTERED", first, last, "altered")


def _runs(marked: list[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """First, last and mark of what follows each other with one mark."""
    runs: list[tuple[int, int, int]] = []
    for position, mark in marked:
        if runs and (runs[-1][1] + 1, runs[-1][2]) == (position, mark):
            runs[-1] = (runs[-1][0], position, mark)
        else:
            runs.append((position, position, mark))
    return runs
