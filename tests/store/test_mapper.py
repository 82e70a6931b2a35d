"""Events as bytes: in the library's form, complete, and refused when a newer release wrote them."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import orjson
import pytest
from eventsourcing.persistence import DatetimeAsISO, JSONTranscoder, Mapper, UUIDAsHex

from domain.event import ActEvent
from service.store.log import Entry, Row
from service.store.mapper import SALT_BYTES, UnreadableEvent, entry_of, recorded_of
from tests.domain.examples import BOB, ONE_OF_EACH, added, edited, reported
from tests.domain.given import replayed
from tests.store.engines import Engine

ROOT = Path(__file__).parents[2]
SHAPES = json.loads((ROOT / "tests/domain/event_shapes.json").read_text())
NOW = datetime(2025, 1, 22, tzinfo=UTC)


def row_of(entry: Entry, position: int = 1) -> Row:
    return Row(
        position, entry.originator_id, entry.originator_version, entry.topic, entry.state, entry.tenant_id,
        entry.subject_id, NOW, entry.command_id, entry.salt, entry.digest,
    )  # fmt: skip


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
def test_an_event_is_stored_by_name_with_every_field_and_comes_back(event: ActEvent) -> None:
    entry = entry_of(event, repeatable=True)
    in_columns = {"originator_id", "originator_version"}
    assert {*orjson.loads(entry.state), *in_columns} == {*SHAPES[entry.topic]["fields"]}
    assert entry.topic == event.TOPIC == type(event).__name__
    assert (entry.subject_id, entry.tenant_id, entry.command_id) == (
        event.subject_id, event.tenant_id, event.command_id,
    )  # fmt: skip
    recorded = recorded_of(row_of(entry, 7))
    assert (recorded.event, recorded.position, recorded.recorded_at) == (event, 7, NOW)
    assert repr(recorded.event) == repr(event)


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
def test_what_is_stored_is_what_the_library_would_store(event: ActEvent) -> None:
    transcoder = JSONTranscoder()
    transcoder.register(DatetimeAsISO())
    transcoder.register(UUIDAsHex())
    stored = Mapper[UUID](transcoder).to_stored_event(event)
    entry = entry_of(event, repeatable=False)
    assert entry.topic == stored.topic
    assert orjson.loads(entry.state) == orjson.loads(stored.state)


def test_a_recorded_event_of_today_is_read_for_ever() -> None:
    state = (
        b'{"timestamp":{"_type_":"datetime_iso","_data_":"2025-01-22T12:05:00.251946+00:00"},"tenant_id":"acme",'
        b'"user_id":"id-of-bob","user_name":"Bob","command_id":{"_type_":"uuid_hex","_data_":'
        b'"6f7d4c1e1a834b579a4e0b7b3f2f9a10"},"trace_id":"0af7651916cd43dd8448eb211c80319c","request_digest":"",'
        b'"edits":{"status":{"from":"NEW","to":"OPEN"},"attributes.count":{"from":null,"to":5}}}'
    )
    event = edited(1, status=("NEW", "OPEN"), attributes__count=(None, 5))
    row = row_of(entry_of(event, repeatable=False))._replace(state=state)
    assert recorded_of(row).event == event
    assert entry_of(event, repeatable=False).state == state


def test_every_entry_has_a_salt_of_its_own() -> None:
    entries = [entry_of(added(), repeatable=False) for _ in range(20)]
    assert len({entry.salt for entry in entries}) == len({entry.digest for entry in entries}) == 20
    assert {len(entry.salt) for entry in entries} == {SALT_BYTES}
    assert {entry.command_id for entry in entries} == {None}


def test_what_a_client_sent_is_not_taken_for_something_else() -> None:
    looks_like_one = {"_type_": "uuid_hex", "_data_": "0" * 32}
    event = edited(1, attributes__trick=(None, '{"_type_":"uuid_hex"}'), attributes__other=(looks_like_one, 2**53))
    version = edited(1, BOB._replace(user_name='"class_version":9'))
    for one in (event, version, reported({"class_version": 9})):
        assert recorded_of(row_of(entry_of(one, repeatable=False))).event == one


@pytest.mark.parametrize(("version", "read"), [(1, True), (2, False), (9, False)])
def test_a_shape_newer_than_the_code_is_refused(version: int, read: bool) -> None:
    row = row_of(entry_of(added(), repeatable=False))
    assert row.state is not None
    row = row._replace(state=orjson.dumps({**orjson.loads(row.state), "class_version": version}))
    if read:
        recorded_of(row)
    else:
        with pytest.raises(UnreadableEvent, match=f"CommentAdded in shape {version}, newer than this release"):
            recorded_of(row)


@pytest.mark.parametrize("topic", ["IncidentVaporised", "domain.incident:Vaporised", "nowhere:Nothing", "Incident"])
def test_an_unknown_topic_is_refused(topic: str) -> None:
    with pytest.raises(UnreadableEvent):
        recorded_of(row_of(entry_of(added(), repeatable=False))._replace(topic=topic))


def test_erased_content_is_refused() -> None:
    with pytest.raises(UnreadableEvent, match="position 7 was erased"):
        recorded_of(row_of(entry_of(added(), repeatable=False), 7)._replace(state=None))


async def test_a_program_that_uses_the_library_reads_the_log(engine: Engine) -> None:
    async with engine.log() as log:
        for event in ONE_OF_EACH:
            await log.append([entry_of(event, repeatable=False)])
    reader = [sys.executable, "-m", "tests.store.read_with_library", engine.url]
    done = subprocess.run(reader, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for id in (event.originator_id for event in ONE_OF_EACH if event.originator_version == 0):
        aggregate = replayed(*(event for event in ONE_OF_EACH if event.originator_id == id))
        del aggregate.created_at, aggregate.updated_at  # those are the log's
        assert found.pop(id.hex) == repr(aggregate)
    assert found == {}


def test_ids_in_the_log_are_plain() -> None:
    assert type(recorded_of(row_of(entry_of(added(), repeatable=False))).event.subject_id) is UUID
