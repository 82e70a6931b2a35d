"""What the API shows in the end is what a fold of the log gives, however the read models got there."""

import asyncio
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from domain.comment import Comment
from domain.event import Recorded, fold
from domain.incident import Incident
from projections.documents import comment_document, incident_document
from service.store.log import Row
from service.store.mapper import recorded_of
from tests.faults.audit import Event
from tests.faults.load import CUT_OFF, INCIDENTS, Answer, Client

CATCH_UP_SECONDS = 20.0


async def patiently(one: Client, path: str, **headers: str) -> Answer:
    """The answer of a GET as soon as it is one: 503 means that the read model is on its way."""
    async with asyncio.timeout(CATCH_UP_SECONDS):
        while True:
            try:
                answer = await one.ask("GET", path, **headers)
            except CUT_OFF:
                answer = Answer(503, {}, {})
            if answer.status != 503:
                return answer
            await asyncio.sleep(0.1)


async def agree(one: Client, log: list[Event], tenant: str = "acme") -> list[dict[str, Any]]:
    """Compare what the client's tenant sees with the log; returns the incidents, newest first."""
    kept = _folded(log, tenant)
    incidents = [one for one in kept if isinstance(one, Incident) and not one.deleted]
    wanted = [incident_document(incident) for incident in reversed(incidents)]
    answer = await patiently(one, INCIDENTS, Ims_Min_Position=str(len(log)))
    assert answer.status == 200, answer
    assert answer.data["incidents"] == wanted
    assert answer.data["total"] == len(wanted)
    counts = (await patiently(one, f"{INCIDENTS}/counts")).data
    assert counts["total"] == len(wanted)
    for member in ("status", "type", "severity"):
        assert counts[member] == {code: sum(document[member] == code for document in wanted) for code in counts[member]}
    comments: dict[str, list[Any]] = {}
    for comment in kept:
        if isinstance(comment, Comment) and not comment.removed:
            comments.setdefault(str(comment.incident_id), []).append(comment_document(comment))
    for incident in incidents:
        if str(incident.id) in comments:
            shown = await patiently(one, f"{INCIDENTS}/{incident.id}/comments")
            assert shown.data["comments"] == comments[str(incident.id)]
    return wanted


def _folded(log: Iterable[Event], tenant: str) -> list[Any]:
    """Aggregates in the order of their birth."""
    facts: dict[str, list[Recorded]] = {}
    for event in log:
        facts.setdefault(event.id, []).append(recorded_of(_row(event)))
    return [fold(some) for some in facts.values() if some[0].event.tenant_id == tenant]


def _row(event: Event) -> Row:
    id = UUID(event.id)
    return Row(event.position, id, event.version, event.topic, event.state, "", id, event.at, None, None, b"")
