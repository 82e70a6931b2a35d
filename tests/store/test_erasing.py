"""Erasing in the log, on both engines: the event that says so and the rewritten rows are there together, once."""

import asyncio
from uuid import UUID

from service.store.eraser import Eraser
from service.store.log import Log, Outcome, Redaction, Verdict
from tests.domain.examples import erased
from tests.store.engines import Engine, every
from tests.store.events import births, entry

A, B = UUID(int=0xA), UUID(int=0xB)
LEFT = Redaction(1, b"{}", b"s" * 16)
GONE = Redaction(2, None, None)


async def test_an_erasure_rewrites_rows_of_its_aggregate_and_no_others(log: Log) -> None:
    first, second = entry(A, 0), entry(B, 0)
    await log.append([first, second])
    await log.append([entry(A, 1)])
    before = await every(log)
    outcome = await log.erase(entry(A, 2), [LEFT, GONE, Redaction(3, None, None)])
    assert (outcome.verdict, outcome.position) == (Verdict.APPENDED, 4)
    one, other, two, order = await every(log)
    assert one == before[0]._replace(state=LEFT.state, salt=LEFT.salt), "the digest stays"
    assert other == before[1], "another aggregate's"
    assert two == before[2]._replace(state=None, salt=None)
    assert (order.originator_version, order.recorded_at) == (2, outcome.recorded_at)


async def test_who_was_late_rewrites_nothing(log: Log) -> None:
    await log.append([entry(A, 0)])
    await log.append([entry(A, 1)])
    before = await every(log)
    assert await log.erase(entry(A, 1), [LEFT]) == Outcome(Verdict.CONFLICT)
    assert await log.erase(entry(A, 5), [LEFT]) == Outcome(Verdict.CONFLICT)
    assert await every(log) == before


async def test_sent_again_it_counts_and_takes_nothing_back(log: Log) -> None:
    await log.append([entry(A, 0)])
    sent = entry(A, 1)
    first = await log.erase(sent, [LEFT])
    later = await log.erase(entry(A, 2), [Redaction(1, None, None)])
    assert later.verdict is Verdict.APPENDED
    assert await log.erase(sent, [LEFT]) == first
    assert (await every(log))[0].state is None, "what a later erasure took stays away"
    assert await log.head() == 3


async def test_a_command_that_is_known_erases_nothing(log: Log) -> None:
    command = UUID(int=0xC0)
    await log.append([entry(A, 0), entry(B, 0, command)])
    before = await every(log)
    assert (await log.erase(entry(A, 1, command), [LEFT])).verdict is Verdict.REPEATED
    assert await every(log) == before


async def test_positions_stay_dense_while_others_append(engine: Engine) -> None:
    async with engine.process() as process, engine.log() as other:
        await process.log.append([entry(A, 0)])
        eraser = Eraser(process.log, process.feed, 10.0, process.writer.gate)
        event = erased(1, ["name"])
        vars(event)["originator_id"] = A
        recorded, *_ = await asyncio.gather(
            eraser.erase(event, [LEFT], repeatable=False), *(other.append(births(3)) for _ in range(5))
        )
        rows = await every(process.log)
        assert [row.position for row in rows] == list(range(1, 18))
        assert rows[recorded.position - 1].topic == "IncidentErased"
        assert rows[0].salt == LEFT.salt
