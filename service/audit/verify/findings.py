"""What was found: each fault once, by its name; and what looks like one but was done by order."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

MAX_LISTED: Final = 1_000
"""Faults that are named; beyond, they are counted."""


class Fault(NamedTuple):
    """`kind` is for programs, `text` for people. `first` and `last` are positions; 0 where it is about none."""

    kind: str
    text: str
    first: int = 0
    last: int = 0


class Findings:
    """Begins with those that are known already."""

    def __init__(self, known: Iterable[Fault] = ()) -> None:
        self.count = 0
        self._faults: dict[str, Fault] = {}
        self._notes: dict[str, None] = {}
        self.add(known)

    def __iter__(self) -> Iterator[Fault]:
        """By position, those about no position last."""
        return iter(sorted(self._faults.values(), key=lambda fault: (fault.first == 0, fault.first)))

    def add(self, faults: Iterable[Fault]) -> None:
        for fault in faults:
            if fault.text in self._faults:
                continue
            self.count += 1
            if len(self._faults) < MAX_LISTED:
                self._faults[fault.text] = fault

    @property
    def notes(self) -> list[str]:
        return [*self._notes]

    def note(self, text: str) -> None:
        if len(self._notes) < MAX_LISTED:
            self._notes[text] = None

    def about(self, position: int) -> bool:
        """Whether something is known of the event there."""
        return any(fault.first <= position <= fault.last for fault in self._faults.values())


def events(kind: str, first: int, last: int, what: str) -> Fault:
    """A run of events that suffered the same."""
    named = f"event {first}" if first == last else f"events {first} to {last}"
    return Fault(kind, f"{named} {what}", first, last)
