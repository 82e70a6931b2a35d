"""What happened, a line an event; and the beginning of the log as a database to debug with."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from service.audit import replay
from service.audit.errors import Unknown, WouldHaveHoles
from service.audit.replay import Wanted
from service.engines import open_engine
from service.settings import Settings, load_settings
from service.store.errors import NotEmpty
from service.store.feed import READ_EVENTS
from tests.audit import stores
from tests.audit.stores import rows
from tests.domain.examples import COMMENT_ID, INCIDENT_ID, ONE_OF_EACH, TENANT
from tests.faults.load import INCIDENTS, authorization, client
from tests.projections.histories import long_history
from tests.servers.process import ServiceProcess

OWN = {
    "IncidentReported": ("details", "attributes"), "IncidentEdited": ("edits",),
    "IncidentAttributeSet": ("name", "old_value", "value"), "IncidentAttributeRemoved": ("name", "old_value"),
    "IncidentDeleted": (), "IncidentRestored": (), "CommentAdded": ("incident_id", "text"),
    "CommentEdited": ("incident_id", "old_text", "text"), "CommentRemoved": ("incident_id", "old_text"),
    "AttributeDefined": ("name", "type"), "AttributeRetired": ("name", "type"),
}  # fmt: skip
"""What each event has beyond what all have."""
EVENTS = 2 * READ_EVENTS + 100


@pytest.fixture
async def filled(store: Settings) -> Settings:
    await stores.fill(store, long_history(EVENTS))
    return store


async def replayed(store: Settings, **wanted: Any) -> list[dict[str, Any]]:
    out = BytesIO()
    await replay.show(store, Wanted(**wanted), out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def positions(lines: list[dict[str, Any]]) -> list[int]:
    return [line["position"] for line in lines]


async def test_every_event_says_when_where_who_and_what(on_sqlite: Settings) -> None:
    await stores.fill(on_sqlite, ONE_OF_EACH)
    lines = await replayed(on_sqlite)
    for event, line, row in zip(ONE_OF_EACH, lines, await rows(on_sqlite), strict=True):
        assert datetime.fromisoformat(line.pop("recorded_at")) == row.recorded_at
        content = line.pop("content")
        assert {name: getattr(event, name) for name in content} | content == content or event.TOPIC.startswith(
            "Comment"
        )
        assert line == {
            "position": row.position, "tenant": TENANT, "topic": event.TOPIC, "subject": str(event.subject_id),
            "aggregate": str(event.originator_id), "version": event.originator_version,
            "who": {"id": event.user_id, "name": event.user_name}, "command": str(event.command_id),
            "trace": event.trace_id, "changes": event.changes(),
        }  # fmt: skip
    by_topic = {event.TOPIC: line for event, line in zip(ONE_OF_EACH, lines, strict=True)}
    assert by_topic["IncidentReported"]["aggregate"] == str(INCIDENT_ID)
    assert (by_topic["CommentAdded"]["subject"], by_topic["CommentAdded"]["aggregate"]) == (
        str(INCIDENT_ID), str(COMMENT_ID),
    )  # fmt: skip


async def test_of_what_was_erased_its_place_and_digest_are_told(filled: Settings) -> None:
    await stores.erase(filled, 7)
    (line,) = await replayed(filled, first=7, last=7)
    row = (await rows(filled))[6]
    assert (line["position"], line["topic"], line["aggregate"]) == (7, row.topic, str(row.originator_id))
    assert (line["erased"], line["digest"]) == (True, row.digest.hex())
    assert not {"who", "changes", "content"} & line.keys()


async def test_a_part_is_chosen_by_positions_time_tenant_and_incident(filled: Settings) -> None:
    every = await rows(filled)

    async def found(**wanted: Any) -> list[int]:
        return positions(await replayed(filled, **wanted))

    assert await found() == list(range(1, EVENTS + 1))
    assert await found(first=2, last=READ_EVENTS + 2) == list(range(2, READ_EVENTS + 3))
    assert await found(first=EVENTS - 1, last=EVENTS + 99) == [EVENTS - 1, EVENTS]
    assert await found(first=EVENTS + 1) == await found(first=5, last=4) == []
    just_then, moment = every[699].recorded_at, timedelta(microseconds=1)
    assert await found(first=699, until=just_then) == [699, 700]
    assert await found(first=699, until=just_then - moment) == [699]
    assert await found(first=EVENTS, until=datetime(2900, 1, 1, tzinfo=UTC)) == [EVENTS]
    assert await found(until=every[0].recorded_at - moment) == []
    number_nine = [row.position for row in every if row.subject_id == UUID(int=9)]
    assert len(number_nine) > 3
    assert await found(incident=UUID(int=9)) == await found(incident=UUID(int=9), tenant=TENANT) == number_nine
    assert await found(incident=UUID(int=9), first=number_nine[1], last=number_nine[2]) == number_nine[1:3]
    assert await found(tenant=TENANT, first=3, last=READ_EVENTS + 5) == list(range(3, READ_EVENTS + 6))


@pytest.mark.parametrize("wanted", [{"tenant": "other"}, {"incident": UUID(int=10**8), "first": 3}])
async def test_what_the_log_has_nothing_of_is_not_an_empty_replay(on_sqlite: Settings, wanted: dict[str, Any]) -> None:
    await stores.fill(on_sqlite, long_history(20))
    with pytest.raises(Unknown, match="is not in this log"):
        await replayed(on_sqlite, **wanted)


async def test_a_tenants_events_are_its_own(on_sqlite: Settings) -> None:
    await stores.fill(on_sqlite, long_history(20))
    await stores.sql(on_sqlite, "UPDATE log SET tenant_id = 'other' WHERE notification_id % 3 = 0")
    lines = await replayed(on_sqlite, tenant="other", last=15)
    assert positions(lines) == [3, 6, 9, 12, 15]


async def test_an_empty_database_is_filled_with_the_beginning_of_the_log(filled: Settings, tmp_path: Path) -> None:
    there = load_settings(database_url=f"sqlite:///{tmp_path}/there.db")
    every = await rows(filled)
    await replay.fill_another(filled, Wanted(until=every[699].recorded_at), there.database_url)
    assert await rows(there) == every[:700]
    async with open_engine(filled) as here, open_engine(there) as engine:
        assert engine.log.log_id != here.log.log_id
        assert engine.log.restored, "what it publishes goes into streams of its own"
    with pytest.raises(NotEmpty):
        await replay.fill_another(filled, Wanted(), there.database_url)
    for wanted in (Wanted(first=2), Wanted(tenant=TENANT), Wanted(incident=INCIDENT_ID)):
        with pytest.raises(WouldHaveHoles, match="a log has every position from 1 on"):
            await replay.fill_another(filled, wanted, there.database_url)


async def test_a_service_on_the_copy_shows_what_was_there_then(
    empty_postgres_dsn: str, start_service: Callable[..., ServiceProcess], tmp_path: Path
) -> None:
    """The commands as people type them, beside the service that they read from."""
    here = start_service()
    async with client(here.url, authorization(here)) as one:
        incident = await one.report()
        later = await one.ask("PATCH", f"{INCIDENTS}/{incident['id']}", {"status": "OPEN"})
        other = await one.report()
    until = later.data["updated_at"]
    lines = here.command("audit", "replay", "--incident", incident["id"], "--until", until).splitlines()
    assert [json.loads(line)["version"] for line in lines] == [0, 1]
    here.command("audit", "replay", "--until", until, "--into", empty_postgres_dsn)
    there = start_service(database_url=empty_postgres_dsn)
    async with client(there.url, authorization(there)) as one:
        assert (await one.ask("GET", f"{INCIDENTS}/{incident['id']}", Ims_Min_Position="2")).data == later.data
        assert (await one.ask("GET", f"{INCIDENTS}/{other['id']}")).status == 404
    with pytest.raises(RuntimeError, match=r"IMS_DATABASE_URL: .*begin with"):
        here.command("audit", "replay", "--into", "mysql://somewhere")
