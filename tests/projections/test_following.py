"""The loop: rows and position together, or neither; what cannot be applied stops it and is named; leases fence it."""

import asyncio
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from domain.event import Fact
from domain.incident import Incident
from projections.database import Rows, Unavailable
from projections.follower import Stopped
from projections.follower_state import LEASE_SECONDS
from projections.generations import existing, removal
from projections.lease import LeaseLost, Leases
from projections.read_models import FOLLOWER, ReadModels
from tests.domain.examples import BREACH, INCIDENT_ID, comment_edited, edited, reported
from tests.projections.building import Building, soon
from tests.store.events import entry

TAKEOVER_SECONDS = 5.0
LOCK_0, LOCK_1 = '"occ_lock":0', '"occ_lock":1'


class Breaking(ReadModels):
    """Read models that fail after some of the rows were written, as a bug or a full disk would make them."""

    def __init__(self, models: ReadModels, error: Exception) -> None:
        self.__dict__.update(models.__dict__)
        self._error = error

    async def apply(self, rows: Rows, batch: Sequence[Fact], past_erased: int = 0) -> int:
        await super().apply(rows, batch, past_erased)
        raise self._error


async def test_a_batch_that_fails_half_way_leaves_nothing(build: Building) -> None:
    await build.record(reported(), edited(1, name=(BREACH["name"], "x")))
    before = await build.dump()
    with pytest.raises(Unavailable):
        await build.catch_up(Breaking(build.models(), Unavailable("gone")))
    assert await build.dump() == before
    assert await build.position() == 0
    await build.catch_up()
    assert await build.position() == 2


async def test_an_event_that_cannot_be_applied_is_named_and_those_before_it_count(build: Building) -> None:
    await build.record(reported(), edited(1, name=(BREACH["name"], "x")), comment_edited(0, "a", "b"), reported_later())
    with pytest.raises(Stopped, match="position 3, CommentEdited of 031312c3-8288-4266-bccb-72e4949118aa"):
        await build.catch_up()
    assert await build.position() == 2
    dump = await build.dump()
    assert len(dump["incidents"]) == 1
    assert dump["comments"] == []


async def test_a_follower_that_stopped_says_why_in_its_row_until_somebody_takes_over(build: Building) -> None:
    await build.record(comment_edited(0, "a", "b"))
    with pytest.raises(Stopped):
        await build.follower().run()
    state = await build.leases.state(FOLLOWER)
    assert state is not None
    assert "position 1, CommentEdited" in state.failure
    assert state.holder == ""
    await build.lease()
    again = await build.leases.state(FOLLOWER)
    assert again is not None
    assert again.failure == ""


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ({"topic": "IncidentMerged"}, "position 2: unknown topic IncidentMerged"),
        ({"state": b'{"class_version":2}'}, "position 2: .*IncidentReported in shape 2, newer than this release"),
        ({"state": b"{"}, "position 2: .*damaged"),
        ({"state": b"[]"}, "position 2: .*damaged"),
        ({"state": b"{}"}, "position 2: .*damaged: timestamp is missing"),
    ],
)
async def test_an_event_that_cannot_be_read_stops_the_follower_before_it(
    sqlite: Building, damage: dict[str, object], named: str
) -> None:
    await sqlite.record(reported())
    await sqlite.engine.log.append([entry(uuid4(), 0)._replace(**damage)])  # type: ignore[arg-type]
    await sqlite.engine.log.append([entry(uuid4(), 0)])
    with pytest.raises(Stopped, match=named):
        await sqlite.catch_up()
    assert await sqlite.position() == 1


async def test_what_is_appended_while_it_follows_is_applied_soon(build: Building) -> None:
    following = asyncio.create_task(build.follower().run())
    try:
        async with asyncio.timeout(2):
            for number in range(1, 4):
                await build.record(replace(reported(), originator_id=UUID(int=number)))
                while (1, number) not in build.moves:
                    await asyncio.sleep(0.005)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_a_lease_is_released_at_the_end_and_taken_at_once(build: Building) -> None:
    following = asyncio.create_task(build.follower().run())
    await soon(lambda: _holder(build))
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert await _holder(build) == ""
    assert await build.leases.acquire(FOLLOWER) is not None


async def test_one_holder_at_a_time_and_a_takeover_within_five_seconds(build: Building) -> None:
    other = Leases(build.engine.database, "other", build.engine.log)
    mine = Leases(build.engine.database, "mine", build.engine.log)
    assert await mine.acquire(FOLLOWER) is not None
    assert await other.acquire(FOLLOWER) is None
    began = asyncio.get_running_loop().time()
    standby = asyncio.create_task(build.follower(leases=other).run())
    try:
        await soon(lambda: _is(_holder(build), "other"), TAKEOVER_SECONDS)
    finally:
        standby.cancel()
        await asyncio.gather(standby, return_exceptions=True)
    assert asyncio.get_running_loop().time() - began >= LEASE_SECONDS - 0.1


async def test_renewing_keeps_it(sqlite: Building) -> None:
    mine = Leases(sqlite.engine.database, "mine", sqlite.engine.log)
    other = Leases(sqlite.engine.database, "other", sqlite.engine.log)
    lease = await mine.acquire(FOLLOWER)
    assert lease is not None
    for _ in range(4):
        await asyncio.sleep(LEASE_SECONDS / 3)
        await mine.renew(lease, 0)
        assert await other.acquire(FOLLOWER) is None


async def test_whoever_has_nothing_to_do_notices_that_a_crash_took_back_its_last_commit(build: Building) -> None:
    await build.record(reported())
    lease = await build.lease()
    assert await build.follower().follow(lease, until=1) == 1
    await build.engine.database.execute("UPDATE followers SET position = 0")
    with pytest.raises(LeaseLost):
        await build.leases.renew(lease, 1)


async def test_whoever_was_replaced_writes_nothing(build: Building) -> None:
    await build.record(reported())
    old = await build.lease()
    await _expire(build)
    new = await build.lease()
    assert new.epoch > old.epoch
    before = await build.dump()
    with pytest.raises(LeaseLost):
        await build.follower().follow(old, until=1)
    assert await build.dump() == before
    assert await build.position() == 0
    with pytest.raises(LeaseLost):
        await build.leases.renew(old, 0)
    await build.leases.release(old)  # is no longer its to give
    assert await _holder(build) != ""
    assert await build.follower().follow(new, until=1) == 1


async def test_whoever_was_replaced_and_finds_its_tables_gone_has_lost_its_lease_and_nothing_else(
    build: Building,
) -> None:
    await build.record(reported())
    old = await build.lease()
    await build.engine.database.execute("UPDATE followers SET generation = 3, epoch = epoch + 1")
    (tables,) = (await existing(build.engine.database)).values()
    await build.engine.database.define(removal(tables))
    with pytest.raises(LeaseLost):
        await build.follower().follow(old, until=1)


async def test_a_position_that_somebody_else_moved_is_not_written_over(build: Building) -> None:
    await build.record(reported(), edited(1, name=(BREACH["name"], "x")))
    lease = await build.lease()
    async with build.engine.database.transaction() as rows:
        await build.leases.advance(rows, lease, 0, 1, b"")
    with pytest.raises(LeaseLost):
        async with build.engine.database.transaction() as rows:
            await build.leases.advance(rows, lease, 0, 2, b"")
    assert await build.position() == 1


async def test_a_lease_of_another_log_is_refused_in_words(build: Building) -> None:
    other_log = copy(build.engine.log)
    other_log.log_id = uuid4()
    leases = Leases(build.engine.database, "mine", other_log)
    with pytest.raises(Stopped, match=r"another log .*ims projections rebuild"):
        await build.follower(leases=leases).run()


async def test_an_incident_whose_events_have_a_gap_is_not_guessed_at(sqlite: Building) -> None:
    await sqlite.record(reported(), edited(1, name=(BREACH["name"], "x")))
    await sqlite.catch_up()
    table = sqlite.models().incidents.table
    await sqlite.engine.database.execute(f"UPDATE {table} SET document = replace(document, $1, $2)", LOCK_1, LOCK_0)
    await sqlite.record(edited(2, name=("x", "y")))
    with pytest.raises(Stopped, match=f"position 3, IncidentEdited of {INCIDENT_ID}: LookupError: version 2 follows 0"):
        await sqlite.catch_up()


def reported_later() -> Incident.IncidentReported:
    return replace(reported(), originator_id=uuid4())


async def _holder(build: Building) -> str:
    state = await build.leases.state(FOLLOWER)
    assert state is not None
    return state.holder


async def _is(value: object, wanted: str) -> bool:
    return await value == wanted  # type: ignore[misc,no-any-return]


async def _expire(build: Building) -> None:
    await build.engine.database.execute("UPDATE followers SET expires_at = 0")
