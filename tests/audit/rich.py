"""A store with a bit of everything: definitions, edits, attributes, comments, a deletion, commands with keys, members
and aggregates that were erased, a declared restore, tables that are kept; followed to its end, checkpoints made."""

from itertools import count
from typing import Any
from uuid import UUID

from domain.comment import Comment
from domain.erasure import ALL, Fields
from domain.event import Act, ActEvent
from domain.incident import Incident
from service.app import running
from service.engines import open_engine
from service.parts import Parts
from service.read_model_commands import rebuild
from service.settings import Settings
from service.store.mapper import entry_of
from service.stream_commands import restored as declare_restored
from tests.audit import stores
from tests.audit.followed import follow
from tests.domain.examples import (
    BOB,
    REASON,
    added,
    attribute_removed,
    attribute_set,
    comment_edited,
    comment_removed,
    defined,
    deleted,
    edited,
    reported,
    restored,
    retired,
)

KEPT, ERASED, GONE = UUID(int=0xA1), UUID(int=0xA2), UUID(int=0xA3)
"""Incidents: one as it was, one of which members were erased, one of which all was."""
COMMENT, COMMENT_GONE, COMMENT_REMOVED = UUID(int=0xC1), UUID(int=0xC2), UUID(int=0xC3)


def _of(id: UUID, event: ActEvent, incident: UUID | None = None) -> ActEvent:
    vars(event)["originator_id"] = id
    if incident is not None:
        vars(event)["incident_id"] = incident
    return event


def events() -> list[ActEvent]:
    """Positions 1 to 18; what is erased is erased in 19 to 21, by commands with keys."""
    return [
        defined(0, "people", "INT"),
        defined(1, "seen", "DATETIME"),
        retired(2, "people", "INT"),
        _of(KEPT, reported({"count": 1, "workflowId": "w"}, name="Kept", severity="LOW")),
        _of(KEPT, edited(1, name=("Kept", "Kept as well"), status=("NEW", "OPEN"))),
        _of(KEPT, attribute_set(2, "count", 1, 2)),
        _of(KEPT, attribute_removed(3, "workflowId", "w")),
        _of(KEPT, deleted(4)),
        _of(KEPT, restored(5)),
        _of(COMMENT, added("Seen."), KEPT),
        _of(COMMENT, comment_edited(1, "Seen.", "Seen it."), KEPT),
        _of(COMMENT_REMOVED, added("Wrong."), KEPT),
        _of(COMMENT_REMOVED, comment_removed(1, "Wrong."), KEPT),
        _of(ERASED, reported({"count": 1, "workflowId": "secret"}, name="Secret")),
        _of(ERASED, edited(1, name=("Secret", "Secret too"), attributes__count=(1, 3))),
        _of(GONE, reported(name="All of it")),
        _of(GONE, edited(1, name=("All of it", "All"))),
        _of(COMMENT_GONE, added("All of this too."), GONE),
    ]


async def make_rich(store: Settings) -> None:
    keys = count(1)

    def by_key() -> Act:
        number = next(keys)
        return BOB._replace(command_id=UUID(int=0xFF00 + number), request_digest=f"{number:064x}")

    await stores.begin(store)
    async with open_engine(store) as engine:
        for position, event in enumerate(events(), start=1):
            repeatable = position in (2, 5, 10, 14, 17)
            if repeatable:
                act = by_key()
                vars(event).update(command_id=act.command_id, request_digest=act.request_digest)
            await engine.log.append([entry_of(event, repeatable=repeatable)])
    await follow(store)
    async with running(store) as parts:
        await _erase(parts, by_key(), Incident, ERASED, ["attributes.workflowId", "name"])
        await _erase(parts, by_key(), Comment, COMMENT_GONE, ALL)
        await _erase(parts, by_key(), Incident, GONE, ALL)
    await declare_restored(store)
    await follow(store)
    await rebuild(store, 86_400.0)  # the tables of before are kept
    await follow(store)


async def _erase(parts: Parts, act: Act, kind: Any, id: UUID, fields: Fields) -> None:
    await parts.erasures.erase(
        act, kind, id, fields, lambda aggregate, redacted: aggregate.erase(act, fields, REASON, redacted, None)
    )
