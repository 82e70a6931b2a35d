"""The service as a later release of it: `python -m tests.machines.release reads serve`.

`reads` knows a second shape of `IncidentReported`, which says by which channel an incident came, and still writes the
first; `writes` is the release after it. What the code is today knows the first alone.
"""

import sys
from collections.abc import Callable
from typing import Any

from domain.event import ActEvent
from domain.incident import Incident
from service.cli import main
from service.store.mapper import LogMapper

READS, WRITES = "reads", "writes"
MODULE = "tests.machines.release"

_write = LogMapper.state_of


def know_the_second_shape(set_to: Callable[[Any, str, Any], None] = setattr) -> None:
    """`set_to` is what undoes it afterwards, in a test."""
    set_to(Incident.IncidentReported, "class_version", 2)
    set_to(Incident.IncidentReported, "upcast_v1_v2", staticmethod(lambda state: state.update(channel="unknown")))


def _in_the_first_shape(self: LogMapper, event: ActEvent) -> bytes:
    if not isinstance(event, Incident.IncidentReported):
        return _write(self, event)
    state = {name: value for name, value in vars(event).items() if name not in {"originator_id", "originator_version"}}
    return self.transcoder.encode(state)


def _in_the_second_shape(self: LogMapper, event: ActEvent) -> bytes:
    if isinstance(event, Incident.IncidentReported):
        vars(event)["channel"] = "api"
    return _write(self, event)


if __name__ == "__main__":
    know_the_second_shape()
    shape = _in_the_second_shape if sys.argv.pop(1) == WRITES else _in_the_first_shape
    setattr(LogMapper, "state_of", shape)  # noqa: B010 - the type checker is right: nobody else may
    main()
