"""What subscribers get of each event: its place, what it changed, and the state at that version, never a later one."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson

from domain.erased import Erased
from domain.event import ActEvent, Fact, Recorded, fold
from domain.moments import utc_text
from projections import cloud_events
from projections.cloud_events import CloudEvents
from projections.documents import comment_document, incident_document
from projections.states import KINDS, TOPICS
from tests.domain.examples import (
    COMMENT_ID,
    INCIDENT_ID,
    NOON,
    ONE_OF_EACH,
    SCHEMA_ID,
    TENANT,
    attribute_set,
    edited,
    reported,
)
from tests.projections.histories import long_history

LOG_ID = "8f1f6f3e-5f6e-4f0e-9f57-1d4c0f5ad5f1"


class Past:
    """The log as a list; `asked` counts how often it was read."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self.facts, self.asked = facts, 0

    async def before(self, originator_id: UUID, version: int) -> list[Fact]:
        self.asked += 1
        placed = [(fact, fact if isinstance(fact, Erased) else fact.event) for fact in self.facts]
        return [f for f, at in placed if at.originator_id == originator_id and at.originator_version < version]


def recorded(*events: ActEvent) -> list[Recorded]:
    return [Recorded(event, n, NOON + timedelta(seconds=n), n.to_bytes(32, "big")) for n, event in enumerate(events, 1)]


def erased(fact: Recorded) -> Erased:
    event = fact.event
    placed = (event.tenant_id, event.TOPIC, event.originator_id, event.originator_version, event.subject_id)
    return Erased(fact.position, fact.recorded_at, fact.digest, *placed)


async def published(facts: Sequence[Fact], past: Sequence[Fact] | None = None) -> list[Any]:
    """By a publisher that knows nothing yet."""
    events = await CloudEvents(orjson, LOG_ID, Past(facts if past is None else past)).of(facts)
    return [orjson.loads(event.event) for event in events]


def states_by_replay(facts: Sequence[Recorded]) -> list[dict[str, Any]]:
    """The state after each event, as a fold of the aggregates has it."""
    aggregates: dict[UUID, Any] = {}
    states = []
    for fact in facts:
        id = fact.event.originator_id
        aggregate = aggregates[id] = fold([fact], aggregates.get(id))
        kind = type(aggregate).__name__
        if kind == "Incident":
            states.append(incident_document(aggregate) | {"deleted": aggregate.deleted})
        elif kind == "Comment":
            states.append(comment_document(aggregate) | {"removed": aggregate.removed})
        else:
            states.append(
                {
                    "id": str(id),
                    "attributes": {
                        name: {"type": str(kind), "retired": name in aggregate.retired}
                        for name, kind in aggregate.types.items()
                    },
                    "tenant_id": aggregate.tenant_id,
                    "updated_at": utc_text(fact.recorded_at),
                    "occ_lock": aggregate.version,
                }
            )
    return states


async def test_an_event_says_where_it_stands_what_changed_and_what_is_there_now() -> None:
    facts = recorded(reported({"count": 5}), edited(1, status=("NEW", "OPEN"), attributes__count=(5, None)))
    event = (await published(facts))[1]
    data = event.pop("data")
    assert event == {
        "specversion": "1.0",
        "id": "2",
        "source": f"/tenants/{TENANT}/ims/{LOG_ID}",
        "type": "ims.incident.edited",
        "subject": str(INCIDENT_ID),
        "time": utc_text(facts[1].recorded_at),
        "datacontenttype": "application/json",
        "sequence": "00000000000000000002",
        "tenantid": TENANT,
        "actorid": "id-of-bob",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-6f7d4c1e1a834b57-01",
        "partitionkey": str(INCIDENT_ID),
        "logid": LOG_ID,
    }
    assert data["occ_lock"] == 1
    assert data["changes"] == {"status": {"from": "NEW", "to": "OPEN"}, "attributes.count": {"from": 5, "to": None}}
    assert (data["state"]["status"], data["state"]["attributes"], data["state"]["occ_lock"]) == ("OPEN", None, 1)
    assert data["state"]["updated_by"] == "Bob"


async def test_every_event_of_the_domain_has_a_type_and_a_subject() -> None:
    events = await published(recorded(*ONE_OF_EACH))
    assert [event["type"] for event in events] == [KINDS[event.TOPIC][0] for event in ONE_OF_EACH]
    assert len(TOPICS) == len(KINDS) == len({event.TOPIC for event in ONE_OF_EACH})
    subjects = {event["type"].split(".")[1]: event["subject"] for event in events}
    assert subjects == {"incident": str(INCIDENT_ID), "comment": str(INCIDENT_ID), "attribute": str(SCHEMA_ID)}
    assert next(e for e in events if e["type"] == "ims.comment.added")["data"]["state"]["id"] == str(COMMENT_ID)


async def test_the_state_is_what_the_aggregate_was_after_that_event() -> None:
    facts = recorded(*long_history(400), *ONE_OF_EACH[:9])
    assert [event["data"]["state"] for event in await published(facts)] == states_by_replay(facts)


async def test_the_state_is_the_same_wherever_reading_begins_and_whatever_is_left_out() -> None:
    facts = recorded(*long_history(300))
    states = states_by_replay(facts)
    dice = random.Random(7)
    told = CloudEvents(orjson, LOG_ID, Past(facts))
    for _ in range(60):  # pages of one reader after another, each with a filter of its own
        start = dice.randrange(len(facts))
        page = [fact for fact in facts[start : start + 50] if dice.random() < 0.5]
        events = [orjson.loads(event.event) for event in await told.of(page)]
        assert [event["data"]["state"] for event in events] == [states[fact.position - 1] for fact in page]


async def test_events_are_not_changed_by_being_told() -> None:
    events = (reported({"count": 5}), attribute_set(1, "workflowId", None, "w-1"), edited(2, name=("a", "b")))
    await published(recorded(*events))
    assert events[0].attributes == {"count": 5}
    assert "name" in events[0].details
    assert events[0].details["name"] == reported().details["name"]


async def test_reading_on_needs_no_replay() -> None:
    facts = recorded(reported(), *(edited(n, next_update=(n - 1, n)) for n in range(1, 40)))
    past = Past(facts)
    told = CloudEvents(orjson, LOG_ID, past)
    for fact in facts:
        await told.of([fact])
    assert past.asked == 0
    await CloudEvents(orjson, LOG_ID, past).of(facts[20:])
    assert past.asked == 1


async def test_what_is_kept_is_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr(cloud_events, "MAX_NEW", 3)
    monkeypatch.setattr(cloud_events, "MAX_KEPT", 2)
    births = [replace(reported(), originator_id=UUID(int=n)) for n in range(1, 9)]
    edits = [replace(edited(1, name=("a", "b")), originator_id=birth.originator_id) for birth in births]
    past = Past(recorded(*births, *edits))
    told = CloudEvents(orjson, LOG_ID, past)
    await told.of(past.facts[:8])
    assert len(told._new) == 3
    await told.of(past.facts[8:])
    assert past.asked == 5
    assert (len(told._new), len(told._kept)) == (0, 2)


async def test_what_was_erased_is_forgotten_whether_it_was_changed_or_not() -> None:
    facts = recorded(reported(), edited(1, name=("a", "b")), edited(2, name=("b", "c")))
    past = Past(facts)
    told = CloudEvents(orjson, LOG_ID, past)
    for n, fact in enumerate(facts):
        await told.of([fact])
        assert past.asked == n
        told.forget(INCIDENT_ID)


async def test_what_was_erased_keeps_its_place_and_its_digest_and_nothing_else() -> None:
    facts: list[Fact] = list(recorded(reported(), edited(1, name=("a", "b")), edited(2, name=("b", "c"))))
    assert isinstance(facts[1], Recorded)
    facts[1] = erased(facts[1])
    before, gone, after = await published(facts)
    assert gone["data"] == {"occ_lock": 1, "erased": True, "digest": facts[1].digest.hex()}
    assert "actorid" not in gone
    assert (gone["id"], gone["type"], gone["subject"]) == ("2", "ims.incident.edited", str(INCIDENT_ID))
    assert before["data"]["state"]["occ_lock"] == 0
    assert after["data"]["changes"] == {"name": {"from": "b", "to": "c"}}
    assert after["data"]["state"] is None, "what was there before is not known any more"
    (alone,) = await published(facts[2:], past=facts)
    assert alone == after


async def test_the_digest_of_the_log_goes_with_each_event() -> None:
    facts = recorded(*ONE_OF_EACH[:6])
    told = await CloudEvents(orjson, LOG_ID, Past(facts)).of(facts)
    assert [event.digest for event in told] == [fact.digest.hex() for fact in facts]
    assert [event.position for event in told] == [1, 2, 3, 4, 5, 6]
    assert {event.tenant_id for event in told} == {TENANT}
