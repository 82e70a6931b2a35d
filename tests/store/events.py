"""Events for the log: whose they are and in which version is what counts, not what they say."""

from typing import Any
from uuid import UUID, uuid4

from domain.event import ActEvent
from domain.incident import Incident
from service.store.log import Entry
from service.store.mapper import entry_of
from tests.domain.examples import ANN, BREACH, event


def happening(
    id: UUID, version: int, command: UUID | None = None, name: str = "Breach", tenant: str = ANN.tenant_id
) -> ActEvent:
    by = ANN._replace(command_id=command or uuid4(), tenant_id=tenant)
    if version == 0:
        fields: dict[str, Any] = {"details": {**BREACH, "name": name}, "attributes": {}, "originator_topic": "Incident"}
        return event(Incident.IncidentReported, id, 0, by, **fields)
    return event(Incident.IncidentEdited, id, version, by, edits={"name": {"from": "Breach", "to": name}})


def entry(id: UUID, version: int, command: UUID | None = None, name: str = "Breach") -> Entry:
    """A fresh one: no two have one salt. With `command` it can be repeated."""
    return entry_of(happening(id, version, command, name), repeatable=command is not None)


def births(number: int) -> list[Entry]:
    return [entry(uuid4(), 0) for _ in range(number)]
