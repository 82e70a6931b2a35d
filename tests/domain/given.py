"""`given(events).when(command).then(events)`, or `.refused(error)`, or `.nothing_happens()`.

Whatever happened must replay: a fold of the old events and the new ones equals the aggregate that decided.
"""

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from typing import Any, TypeVar

from domain.errors import Invalid, Refused
from domain.event import ActEvent, Recorded, fold
from tests.domain.examples import NOON

Error = TypeVar("Error", bound=Refused)


def replayed(*events: ActEvent, start: Any = None) -> Any:
    """The aggregate after these events, each recorded a second after the one before."""
    facts = (Recorded(event, n, NOON + timedelta(seconds=n), b"") for n, event in enumerate(events, start=1))
    return fold(facts, deepcopy(start))


class When:
    def __init__(self, history: tuple[ActEvent, ...], start: Any, command: Callable[[Any], Any]) -> None:
        self._history, self._start = history, start
        self._before = replayed(*history, start=start)
        self._after = deepcopy(self._before)
        self._error: Refused | None = None
        self._events: list[ActEvent] = []
        try:
            born = command(self._after)
        except Refused as error:
            self._error = error
        else:
            self._after = self._after if born is None else born
            self._events = list(self._after.collect_events())

    def then(self, *events: ActEvent) -> None:
        if self._error is not None:
            raise self._error
        assert self._events == list(events)
        again = replayed(*self._history, *events, start=self._start)
        self._after.recorded(NOON + timedelta(seconds=len(self._history) + len(events)))
        assert again == self._after

    def nothing_happens(self) -> None:
        self.then()

    def refused(self, kind: type[Error]) -> Error:
        assert type(self._error) is kind, f"{self._error!r}, {self._events}"
        assert self._after == self._before
        return self._error

    def invalid(self, *faults: str) -> None:
        """Each fault as `member: CODE`, all of them, in order."""
        assert [f"{fault.field}: {fault.code}" for fault in self.refused(Invalid).faults] == list(faults)


class Given:
    def __init__(self, history: tuple[ActEvent, ...], start: Any) -> None:
        self._history, self._start = history, start

    def when(self, command: Callable[[Any], Any]) -> When:
        """`command` is called with the aggregate; where there is none yet it returns the one that is born."""
        return When(self._history, self._start, command)


def given(*history: ActEvent, start: Any = None) -> Given:
    return Given(history, start)
