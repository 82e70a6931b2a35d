"""What followers do at once is bounded by bytes: an edit of a few bytes keeps a whole version of a large document."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain.event import Fact, fold
from projections.cloud_events import RENDERED_BYTES, CloudEvents
from projections.database import Rows, Unavailable
from projections.follower_state import FollowerState
from projections.incident_changes import UNMEASURED, WRITTEN_BYTES
from projections.lease import LeaseLost
from projections.read_models import FOLLOWER, ReadModels
from service.erasures import redactions_of
from service.store.feed import WINDOW_BYTES
from service.store.history import LogHistory, told_of
from service.store.log import READ_BYTES
from service.store.mapper import entry_of
from tests.domain.examples import BOB, INCIDENT_ID, REASON, edited, reported
from tests.projections.building import Building, soon

LARGE = 150_000
"""Characters of an attribute."""
EDITS = 40
MANY = 2 * UNMEASURED


def large() -> Any:
    return reported({"workflowId": "x" * LARGE}, name="Xanthippe")


def small_edits(id: UUID = INCIDENT_ID) -> list[Any]:
    names = ["Xanthippe", *(f"Xanthippe {number}" for number in range(EDITS))]
    return [replace(edited(version, name=pair), originator_id=id) for version, pair in enumerate(pairwise(names), 1)]


async def test_small_edits_of_a_large_document_are_written_by_few(build: Building) -> None:
    await build.record(large(), *small_edits())
    assert await build.catch_up() == EDITS + 1
    steps = [after - before for (_, before), (_, after) in pairwise(build.moves)]
    assert sum(steps) == EDITS + 1
    assert max(steps) <= WRITTEN_BYTES // LARGE + 2
    assert [document["occ_lock"] for document in await past(build)] == list(range(EDITS))


async def test_many_large_documents_are_not_loaded_at_once(build: Building) -> None:
    ids = [UUID(int=number) for number in range(1, MANY + 1)]
    await build.record(*(replace(large(), originator_id=id) for id in ids))
    await build.catch_up()
    await build.record(*(small_edits(id)[0] for id in ids))
    build.moves.clear()
    assert await build.catch_up() == 2 * MANY
    steps = [after - before for (_, before), (_, after) in pairwise(build.moves)]
    assert max(steps) <= WRITTEN_BYTES // LARGE + 2
    documents = [orjson.loads(row[-1]) for row in (await build.dump())["incidents"]]
    assert [document["name"] for document in documents] == ["Xanthippe 0"] * MANY


async def test_events_are_read_and_kept_in_memory_by_bytes(build: Building) -> None:
    ids = [UUID(int=number) for number in range(1, WINDOW_BYTES // LARGE + 5)]
    facts = await build.record(*(replace(large(), originator_id=id) for id in ids))
    most = READ_BYTES // LARGE + 1
    assert build.feed.recent(0, 1) is None
    assert 1 <= len(await build.feed.after(0, 500, 0)) <= most
    recent = [position for position in range(len(facts)) if build.feed.recent(position, 500) is not None]
    assert 0 < len(recent) <= WINDOW_BYTES // LARGE
    assert all(len(build.feed.recent(position, 500) or []) <= most for position in recent)
    assert 1 <= len(await build.engine.log.plain(0, 500, READ_BYTES)) <= most
    position, seen = 0, []
    while batch := await build.feed.after(position, 500, 0):
        seen += [fact.position for fact in batch]
        position = seen[-1]
    assert seen == [fact.position for fact in facts]


async def test_events_are_rendered_by_bytes_and_say_the_same(sqlite: Building) -> None:
    facts = await sqlite.record(large(), *small_edits())
    parts = CloudEvents(orjson, "log", LogHistory(sqlite.engine.log))
    at_once = CloudEvents(orjson, "log", LogHistory(sqlite.engine.log))
    rendered, left = [], facts
    while left:
        some = await parts.of(left)
        assert sum(len(one.event) for one in some[:-1]) < RENDERED_BYTES
        rendered += some
        left = left[len(some) :]
    assert rendered == await at_once.of(facts, 1_000 * RENDERED_BYTES)


class Late(ReadModels):
    """Read models in a database that does not do more than some events in time."""

    def __init__(self, models: ReadModels, most: int) -> None:
        self.__dict__.update(models.__dict__)
        self.most = most

    async def apply(self, rows: Rows, batch: Sequence[Fact], past_erased: int = 0) -> int:
        if len(batch) > self.most:
            raise Unavailable("TimeoutError")
        return await super().apply(rows, batch, past_erased)


async def test_what_is_not_done_in_time_is_tried_with_half_as_much(
    sqlite: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.follower.LOOK_SECONDS", 0.01)
    await sqlite.record(reported(), *small_edits())
    following = asyncio.create_task(sqlite.follower(Late(sqlite.models(), 3)).run())
    await soon(lambda: reached(sqlite, EDITS + 1), 30)
    await stopped(following)
    assert (await state(sqlite)).failure == ""


async def test_a_failure_that_repeats_stays_told_while_it_is_tried_again(
    sqlite: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.follower.LOOK_SECONDS", 0.01)
    await sqlite.record(reported())
    models = Late(sqlite.models(), 0)
    seen: list[FollowerState] = []
    begin = models.apply

    async def looked(rows: Rows, batch: Sequence[Fact], past_erased: int = 0) -> int:
        seen.append(await seen_from_outside())
        return await begin(rows, batch, past_erased)

    async def seen_from_outside() -> FollowerState:
        return await state(sqlite)

    monkeypatch.setattr(models, "apply", looked)
    following = asyncio.create_task(sqlite.follower(models).run())
    await soon(lambda: enough(seen), 30)
    held = [one.failure for one in seen if one.holder]
    assert held[0] == ""
    assert held[1] == "TimeoutError"
    assert held[2:] == [f"TimeoutError ({times} times in a row)" for times in range(2, len(held))]
    models.most = 1
    await soon(lambda: reached(sqlite, 1), 30)
    await soon(lambda: told(sqlite, ""), 30)
    await stopped(following)


async def test_the_past_of_what_is_erased_is_rewritten_in_many_transactions_and_gone_on_with(
    build: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.past.WRITTEN_BYTES", 3 * LARGE)
    await build.record(large(), *small_edits())
    await build.catch_up()
    await erase_names(build)
    transactions = 0
    begin = build.engine.database.transaction

    @asynccontextmanager
    async def counted(*, durable: bool = False) -> AsyncIterator[Rows]:
        nonlocal transactions
        transactions += 1
        if transactions == EDITS // 6:
            raise LeaseLost
        async with begin(durable=durable) as rows:
            yield rows

    monkeypatch.setattr(build.engine.database, "transaction", counted)
    with pytest.raises(LeaseLost):
        await build.catch_up()
    names = [document["name"] for document in await past(build)]
    assert None in names
    assert names[-1] == f"Xanthippe {EDITS - 2}"
    assert await build.catch_up() == EDITS + 2
    assert transactions > EDITS // 6 + EDITS // 3
    assert b"Xanthippe" not in orjson.dumps([document["name"] for document in await past(build)])
    assert len(await past(build)) == EDITS + 1


async def past(build: Building) -> list[Any]:
    return [orjson.loads(row[-2]) for row in (await build.dump())["past"]]


async def erase_names(build: Building) -> None:
    facts: list[Any] = [told_of(row) for row in await build.engine.log.stream(INCIDENT_ID)]
    redactions, redacted = await redactions_of(facts, ["name"])
    incident: Any = fold(facts)
    incident.erase(BOB, ["name"], REASON, redacted, None)
    (event,) = incident.collect_events()
    await build.engine.log.erase(entry_of(event, repeatable=False), redactions)
    await build.feed.catch_up()


async def state(build: Building) -> FollowerState:
    found = await build.leases.state(FOLLOWER)
    assert found is not None
    return found


async def reached(build: Building, position: int) -> bool:
    return await build.position() == position


async def told(build: Building, failure: str) -> bool:
    return (await state(build)).failure == failure


async def enough(seen: Sequence[FollowerState]) -> bool:
    return len(seen) >= 5


async def stopped(following: "asyncio.Task[None]") -> None:
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
