"""What the log says of things that happen again and again: the first of a kind in full, then once a second how many.

Clients can cause such things, as many a second as they like: were each of them a record, they would fill a disk.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import structlog

SUMMARY_SECONDS: Final = 1.0
"""Between two records of one kind; a kind that was quiet for so long is new again."""
MAX_KINDS: Final = 100
"""Kinds of each level that are told apart; what comes beyond them is counted together."""
MAX_CHARACTERS: Final = 200
"""Of a library's words in a summary."""
MAX_CAUSES: Final = 5
"""Errors of a chain that are looked at."""

_OTHERS: Final = "others"
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Kind:
    tell: Callable[..., object]
    """Writes the summary; takes its members."""
    count: int = 0
    trace_id: str | None = None


class Repeats:
    """Each level has kinds of its own, so that no flood of refusals hides a failure."""

    def __init__(self) -> None:
        self._levels: defaultdict[int, dict[Hashable, _Kind]] = defaultdict(dict)

    def count(self, level: int, kind: Hashable, trace_id: str | None = None) -> bool:
        """Whether it is one of a kind that was logged a moment ago, and is counted now; else it is to be logged."""
        known = self._levels[level].get(kind)
        if known is None:
            return False
        known.count += 1
        known.trace_id = trace_id
        return True

    def begin(self, level: int, kind: Hashable, tell: Callable[..., object], trace_id: str | None = None) -> bool:
        """The first of a kind, which `count` did not know; `tell` is called with what is to be said of the next ones.

        False where it counts as one of the others, which are logged already: then it is not to be logged.
        """
        kinds = self._levels[level]
        if len(kinds) < MAX_KINDS:
            kinds[kind] = _Kind(tell)
            return True
        if self.count(level, _OTHERS, trace_id):
            return False
        kinds[_OTHERS] = _Kind(lambda **members: _log.log(level, "others_repeated", **members))
        return True

    def warn(self, log: Any, event: str, **members: object) -> None:
        """A warning, of the kind that its event and its members are: none of them may be a client's words."""
        kind = (event, *members.values())
        if self.count(logging.WARNING, kind):
            return
        if self.begin(logging.WARNING, kind, lambda **counted: log.warning(event, **members, **counted)):
            log.warning(event, **members)

    async def run(self) -> None:
        try:
            while True:
                await asyncio.sleep(SUMMARY_SECONDS)
                self.tell()
        finally:
            self.tell()

    def tell(self) -> None:
        """A record for each kind that came again since the last time; the others are forgotten."""
        for level, kinds in self._levels.items():
            self._levels[level] = {kind: known for kind, known in kinds.items() if known.count}
            for known in kinds.values():
                if known.count:
                    count, known.count = known.count, 0
                    known.tell(count=count, **({} if known.trace_id is None else {"trace_id": known.trace_id}))

    @contextmanager
    def of_libraries(self, *names: str) -> Iterator[None]:
        """Meanwhile records of these loggers, too, are counted where they come again."""
        loggers = [logging.getLogger(name) for name in names]
        for logger in loggers:
            logger.addFilter(self._is_new)
        try:
            yield
        finally:
            for logger in loggers:
                logger.removeFilter(self._is_new)

    def _is_new(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        said = str(record.msg).partition("\n")[0][:MAX_CHARACTERS]
        kind = record.name, said, place_of(error)
        if self.count(record.levelno, kind):
            return False

        def tell(**members: object) -> None:
            _log.log(record_level, "library_repeated", library=name, said=said, **members)

        name, record_level = record.name, record.levelno
        return self.begin(record.levelno, kind, tell)


def place_of(error: BaseException | None) -> tuple[tuple[str, str, int], ...]:
    """What tells two failures apart that look alike: of the error and its causes the types, files and lines."""
    places: list[tuple[str, str, int]] = []
    while error is not None and len(places) < MAX_CAUSES:
        step = error.__traceback__
        while step is not None and step.tb_next is not None:
            step = step.tb_next
        file, line = ("", 0) if step is None else (step.tb_frame.f_code.co_filename, step.tb_lineno)
        places.append((type(error).__qualname__, file, line))
        error = error.__cause__ or error.__context__
    return tuple(places)
