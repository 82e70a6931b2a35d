"""What an incident was, and who changed what: from the log alone, for people and for programs."""

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console
from rich.table import Table

from domain.event import ActEvent
from service.audit.errors import Unknown
from service.audit.incident_past import IncidentPast
from service.audit.tables import difference_table, history_table, state_table
from service.engines import open_engine
from service.settings import Settings
from service.store.feed import READ_EVENTS
from tests.audit import stores
from tests.audit.stores import rows
from tests.domain.examples import (
    BREACH,
    COMMENT_ID,
    INCIDENT_ID,
    SCHEMA_ID,
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
)  # fmt: skip
from tests.faults.load import INCIDENTS, authorization, client
from tests.servers.process import ServiceProcess

LIFE: tuple[ActEvent, ...] = (
    defined(0, "people", "INT"),
    reported({"count": 5}),
    edited(1, status=("NEW", "OPEN"), severity=("", "HIGH"), attributes__count=(5, None)),
    added("Looking into it."),
    attribute_set(2, "people", None, 3),
    comment_edited(1, "Looking into it.", "Solved."),
    deleted(3),
    comment_removed(2, "Solved."),
    restored(4),
    attribute_removed(5, "people", 3),
)


@pytest.fixture
async def lived(store: Settings) -> Settings:
    await stores.fill(store, LIFE)
    return store


@asynccontextmanager
async def past(store: Settings, id: UUID = INCIDENT_ID) -> AsyncIterator[IncidentPast]:
    async with open_engine(store, writing=False) as engine:
        yield IncidentPast(engine.log, id)


async def history(store: Settings, id: UUID = INCIDENT_ID) -> list[dict[str, Any]]:
    async with past(store, id) as one:
        return [change async for changes in one.history() for change in changes]


async def test_the_history_is_every_change_of_the_incident_and_its_comments(lived: Settings) -> None:
    changes = await history(lived)
    assert [(change["position"], change["occ_lock"], change["by"], change["what"]) for change in changes] == [
        (2, 0, "Ann", "ims.incident.reported"), (3, 1, "Bob", "ims.incident.edited"),
        (4, 0, "Ann", "ims.comment.added"), (5, 2, "Bob", "ims.incident.attribute_set"),
        (6, 1, "Ann", "ims.comment.edited"), (7, 3, "Bob", "ims.incident.deleted"),
        (8, 2, "Ann", "ims.comment.removed"), (9, 4, "Bob", "ims.incident.restored"),
        (10, 5, "Bob", "ims.incident.attribute_removed"),
    ]  # fmt: skip
    assert changes[1]["changes"] == {
        "status": {"from": "NEW", "to": "OPEN"}, "severity": {"from": "", "to": "HIGH"},
        "attributes.count": {"from": 5, "to": None},
    }  # fmt: skip
    assert changes[0]["changes"]["name"] == {"from": None, "to": BREACH["name"]}
    assert changes[4]["changes"] == {"text": {"from": "Looking into it.", "to": "Solved."}}
    assert {change.get("comment_id") for change in changes} == {None, str(COMMENT_ID)}
    assert [datetime.fromisoformat(change["at"]) for change in changes] == [
        row.recorded_at for row in (await rows(lived))[1:]
    ]


async def test_a_version_is_what_the_events_up_to_it_made(lived: Settings) -> None:
    async with past(lived) as one:
        versions = [await one.at_version(number) for number in range(6)]
        assert await one.at_version() == versions[5]
    shown = [(state["status"], state["severity"], state["attributes"], state["deleted"]) for state in versions]
    assert shown == [
        ("NEW", "", {"count": 5}, False), ("OPEN", "HIGH", None, False), ("OPEN", "HIGH", {"people": 3}, False),
        ("OPEN", "HIGH", {"people": 3}, True), ("OPEN", "HIGH", {"people": 3}, False), ("OPEN", "HIGH", None, False),
    ]  # fmt: skip
    assert [state["occ_lock"] for state in versions] == [0, 1, 2, 3, 4, 5]


async def test_a_time_names_the_version_that_was_recorded_by_then(lived: Settings) -> None:
    times = {row.originator_version: row.recorded_at for row in await rows(lived) if row.topic.startswith("Incident")}
    moment = timedelta(microseconds=1)
    async with past(lived) as one:
        for version in range(6):
            assert await one.as_of(times[version]) == await one.at_version(version)
        for version in range(1, 6):
            assert await one.as_of(times[version] - moment) == await one.at_version(version - 1)
        with pytest.raises(Unknown, match="was not reported before 20"):
            await one.as_of(times[0] - moment)


async def test_a_difference_is_of_two_versions_whichever_is_the_older(lived: Settings) -> None:
    async with past(lived) as one:
        assert await one.difference(0, 3) == {
            "status": {"from": "NEW", "to": "OPEN"}, "severity": {"from": "", "to": "HIGH"},
            "attributes.count": {"from": 5, "to": None}, "attributes.people": {"from": None, "to": 3},
            "deleted": {"from": False, "to": True},
        }  # fmt: skip
        assert await one.difference(1, 0) == {
            "status": {"from": "OPEN", "to": "NEW"}, "severity": {"from": "HIGH", "to": ""},
            "attributes.count": {"from": None, "to": 5},
        }  # fmt: skip
        assert await one.difference(3, 4) == {"deleted": {"from": True, "to": False}}
        assert await one.difference(2, 4) == {}


async def test_what_the_log_has_not_is_named(lived: Settings) -> None:
    async with past(lived) as one:
        with pytest.raises(Unknown, match=f"^incident {INCIDENT_ID} has no version 6, its newest is 5$"):
            await one.at_version(6)
        with pytest.raises(Unknown, match="has no version 99"):
            await one.difference(0, 99)
    for id in (UUID(int=1), COMMENT_ID, SCHEMA_ID):
        async with past(lived, id) as one:
            with pytest.raises(Unknown, match=f"^incident {id} is not in this log$"):
                await one.at_version()
            with pytest.raises(Unknown, match="is not in this log"):
                await one.as_of(datetime.now(UTC))
    with pytest.raises(Unknown, match="is not in this log"):
        await history(lived, UUID(int=1))


async def test_content_that_was_erased_is_shown_as_erased(lived: Settings) -> None:
    await stores.erase(lived, 3)
    changes = await history(lived)
    assert {**changes[1], "at": ""} == {
        "position": 3, "occ_lock": 1, "at": "", "what": "ims.incident.edited", "erased": True,
    }  # fmt: skip
    async with past(lived) as one:
        assert (await one.at_version(0))["status"] == "NEW"
        assert (await one.at_version(2)).items() >= {"id": str(INCIDENT_ID), "occ_lock": 2, "erased": "all"}.items()
        with pytest.raises(Unknown, match="has no content in version 2: it was erased"):
            await one.difference(0, 2)


async def test_a_long_history_is_read_by_parts(on_sqlite: Settings) -> None:
    count = READ_EVENTS + 50
    await stores.fill(on_sqlite, (reported(), *(edited(n, next_update=(n - 1, n)) for n in range(1, count))))
    assert [change["occ_lock"] for change in await history(on_sqlite)] == list(range(count))


async def test_people_get_tables_and_programs_json(start_service: Callable[..., ServiceProcess]) -> None:
    """The commands as they are typed, beside the service."""
    service = start_service()
    async with client(service.url, authorization(service)) as one:
        incident = await one.report(name="Fire \x1b[31m alarm", location="")
        path = f"{INCIDENTS}/{incident['id']}"
        changed = (await one.ask("PATCH", path, {"status": "OPEN", "description": "x" * 500})).data
        await one.ask("POST", f"{path}/comments", {"text": "On my way."})
        await one.ask("DELETE", path)

    def told(*arguments: str) -> str:
        return service.command("audit", *arguments)

    id = incident["id"]
    table = told("history", id)
    for words in ("incident reported", "Alice", "status: NEW → OPEN", "comment added", "On my way.", "deleted"):
        assert words in table
    assert "Fire \\x1b[31m alarm" in table
    assert "x" * 200 not in table
    lines = [json.loads(line) for line in told("history", id, "--json").splitlines()]
    assert [line["what"].removeprefix("ims.") for line in lines] == [
        "incident.reported", "incident.edited", "comment.added", "incident.deleted",
    ]  # fmt: skip
    shown = json.loads(told("show", id, "--as-of", changed["updated_at"], "--json"))
    assert shown == {**changed, "deleted": False}
    assert json.loads(told("diff", id, "--from", "0", "--to", "2", "--json")) == {
        "from": 0, "to": 2,
        "changes": {
            "status": {"from": "NEW", "to": "OPEN"},
            "description": {"from": incident["description"], "to": "x" * 500},
            "deleted": {"from": False, "to": True},
        },
    }  # fmt: skip
    with pytest.raises(RuntimeError, match=f"exit code 1: incident {id} has no version 9, its newest is 2"):
        told("show", id, "--version", "9")
    with pytest.raises(RuntimeError, match=r"take --version or --as-of"):
        told("show", id, "--version", "0", "--as-of", incident["created_at"])


async def test_tables_hold_whole_values_and_nothing_that_a_terminal_obeys(lived: Settings) -> None:
    async with past(lived) as one:
        state, changes = await one.at_version(2), await one.difference(0, 2)
    long = {**state, "description": "x" * 500, "name": "\x1b[2J\nSecond line"}
    shown = printed(state_table(long))
    assert shown.count("x") > 500
    for words in ("version 2", "attributes.people", "\\x1b[2J", "Second line", "false"):
        assert words in shown
    difference = printed(difference_table(changes, 0, 2))
    for words in ("version 0", "version 2", "status", "NEW", "OPEN", "attributes.count", "5", "–"):
        assert words in difference
    assert "\x1b[2J" not in shown


def test_tables_tell_what_was_erased_by_whom_and_why() -> None:
    nothing = {"from": None, "to": None}
    place: dict[str, Any] = {"position": 3, "occ_lock": 1, "at": "", "by": "Eve", "what": "ims.incident.edited"}
    for change, words in (
        ({"erased": True}, ["erased"]),
        ({"changes": {"location": nothing}, "erased": ["location"]}, ["location: erased"]),
        ({"changes": {"status": {"from": None, "to": "NEW"}}, "erased": ["name"]}, ["status: – → NEW", "name: erased"]),
        ({"changes": {"name": nothing}, "fields": ["name"], "reason": "asked"}, ["name: erased", "reason: asked"]),
        ({"changes": {}, "fields": "all", "reason": "a court's order"}, ["all: erased", "reason: a court's order"]),
    ):
        shown = printed(history_table([{**place, **change}]), colours=False)
        for word in words:
            assert word in shown
    state = {"id": "i", "occ_lock": 2, "name": None, "resolved_date": None, "erased": ["name"]}
    assert re.search(r"name +│ erased", shown := printed(state_table(state), colours=False))
    assert re.search(r"resolved_date +│ –", shown)


def printed(table: Table, *, colours: bool = True) -> str:
    """As a terminal gets it."""
    console = Console(file=StringIO(), force_terminal=colours, width=120)
    console.print(table)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()
