"""Erasing in the log, on both engines: the event that says so and the rewritten rows are there together, once."""

import asyncio
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest

from domain.erasure import ALL, Fields
from service.erasures import redactions_of
from service.store.eraser import Eraser
from service.store.history import told_of
from service.store.log import Entry, Log, Outcome, Redaction, Verdict
from service.store.mapper import entry_of, event_of
from service.store.redactions import NotAnErasure
from tests.domain.examples import attribute_set, deleted, edited, erased, reported, restored
from tests.store.engines import Engine, every
from tests.store.events import births, entry

A, B = UUID(int=0xA), UUID(int=0xB)
NAME = ["name"]


async def ordered(log: Log, fields: Fields = NAME, version: int | None = None) -> tuple[Entry, list[Redaction]]:
    """The event that erases these of A, in its next version, and what it leaves of the events before it."""
    rows = await log.stream(A)
    redactions, redacted = await redactions_of([told_of(row) for row in rows], fields)
    order = erased(rows[-1].originator_version + 1 if version is None else version, fields, redacted)
    vars(order)["originator_id"] = A
    return entry_of(order, repeatable=False), redactions


async def test_an_erasure_rewrites_rows_of_its_aggregate_and_no_others(log: Log) -> None:
    await log.append([entry(A, 0), entry(B, 0)])
    await log.append([entry(A, 1)])
    before = await every(log)
    order, redactions = await ordered(log)
    outcome = await log.erase(order, redactions)
    assert (outcome.verdict, outcome.position) == (Verdict.APPENDED, 4)
    one, other, two, last = await every(log)
    assert one == before[0]._replace(state=redactions[0].state, salt=redactions[0].salt), "the digest stays"
    assert other == before[1], "another aggregate's"
    assert two == before[2]._replace(state=redactions[1].state, salt=redactions[1].salt)
    assert (last.originator_version, last.recorded_at) == (2, outcome.recorded_at)
    await log.erase(*await ordered(log, ALL))
    assert [row.state is None for row in await log.stream(A)] == [True, True, False, False]


async def test_who_was_late_rewrites_nothing(log: Log) -> None:
    await log.append([entry(A, 0)])
    await log.append([entry(A, 1)])
    before = await every(log)
    assert await log.erase(*await ordered(log, version=1)) == Outcome(Verdict.CONFLICT)
    assert await log.erase(*await ordered(log, version=5)) == Outcome(Verdict.CONFLICT)
    assert await every(log) == before


async def test_sent_again_it_counts_and_takes_nothing_back(log: Log) -> None:
    await log.append([entry(A, 0)])
    sent = await ordered(log)
    first = await log.erase(*sent)
    later = await log.erase(*await ordered(log, ALL))
    assert later.verdict is Verdict.APPENDED
    assert await log.erase(*sent) == first
    assert (await every(log))[0].state is None, "what a later erasure took stays away"
    assert await log.head() == 3


async def test_a_command_that_is_known_erases_nothing(log: Log) -> None:
    command = UUID(int=0xC0)
    await log.append([entry(A, 0), entry(B, 0, command)])
    before = await every(log)
    order, redactions = await ordered(log)
    again = order._replace(command_id=command)
    assert (await log.erase(again, redactions)).verdict is Verdict.REPEATED
    assert await every(log) == before


async def test_positions_stay_dense_while_others_append(engine: Engine) -> None:
    async with engine.process() as process, engine.log() as other:
        await process.log.append([entry(A, 0)])
        eraser = Eraser(process.log, process.feed, 10.0, process.writer.gate)
        order, redactions = await ordered(process.log)
        event = event_of(0, A, 1, order.topic, order.state)
        recorded, *_ = await asyncio.gather(
            eraser.erase(event, redactions, repeatable=False), *(other.append(births(3)) for _ in range(5))
        )
        rows = await every(process.log)
        assert [row.position for row in rows] == list(range(1, 18))
        assert rows[recorded.position - 1].topic == "IncidentErased"
        assert rows[0].salt == redactions[0].salt


def put(redaction: Redaction, before: bytes, after: bytes) -> Redaction:
    assert before in (redaction.state or b"")
    return redaction._replace(state=(redaction.state or b"").replace(before, after, 1))


def telling(order: Entry, redactions: list[Redaction]) -> Entry:
    """The order with the digests of what is to be left, whatever that is: as whoever makes something up would."""
    event: Any = event_of(0, A, order.originator_version, order.topic, order.state)
    event.redacted.clear()
    event.redacted.update(
        {str(n): "" if state is None else sha256((salt or b"") + state).hexdigest() for n, state, salt in redactions}
    )
    return entry_of(event, repeatable=False)


MADE_UP: dict[str, Callable[[list[Redaction]], list[Redaction]]] = {
    "another value": lambda those: [put(those[0], b'"status":"', b'"status":"NOT'), those[1]],
    "a name again": lambda those: [put(those[0], b'"name":null', b'"name":"Made up"'), those[1]],
    "a member that hides another": lambda those: [
        put(those[0], b'"name":null', b'"name":"Made up","name":null'),
        those[1],
    ],
    "another user": lambda those: [put(those[0], b'"user_id":"', b'"user_id":"x'), those[1]],
    "a member more": lambda those: [put(those[0], b'{"', b'{"more":1,"'), those[1]],
    "other fields": lambda those: [put(those[0], b'"erased":["', b'"erased":["location","'), those[1]],
    "an edit": lambda those: [those[0], put(those[1], b'"to":null', b'"to":"Made up"')],
    "all of it": lambda those: [Redaction(those[0].position, None, None), those[1]],
    "text in the salt": lambda those: [those[0]._replace(salt=b"What was never said by anybody"), those[1]],
    "no content": lambda those: [those[0]._replace(state=b"{}"), those[1]],
    "another aggregate": lambda those: [*those, those[0]._replace(position=2)],
    "what was not there": lambda those: [*those, those[0]._replace(position=99)],
}


async def test_what_was_not_said_cannot_be_put_in_the_place_of_what_was(log: Log) -> None:
    """Whoever may call the function of the server calls it with content of his own, the digests fitting."""
    await log.append([entry(A, 0), entry(B, 0)])
    await log.append([entry(A, 1)])
    before = await every(log)
    order, redactions = await ordered(log)
    for name, made_up in MADE_UP.items():
        wrong = made_up(redactions)
        try:
            await log.erase(telling(order, wrong), wrong)
            pytest.fail(f"{name} was taken")
        except NotAnErasure:
            pass
        assert await every(log) == before, name
    with pytest.raises(NotAnErasure):
        await log.erase(order, redactions[:1])
    with pytest.raises(NotAnErasure):
        await log.erase(entry(A, 2), redactions)
    assert await every(log) == before
    assert (await log.erase(order, redactions)).verdict is Verdict.APPENDED


async def test_an_erasure_is_not_erased_and_what_is_gone_does_not_come_back(log: Log) -> None:
    await log.append([entry(A, 0)])
    first, gone = await ordered(log, ALL)
    await log.erase(first, gone)
    before = await every(log)
    order, _ = await ordered(log, NAME)
    for redaction in (Redaction(2, None, None), Redaction(1, b"{}", b"s" * 16)):
        with pytest.raises(NotAnErasure):
            await log.erase(telling(order, [redaction]), [redaction])
    assert await every(log) == before


async def test_every_kind_of_event_loses_just_what_is_erased(log: Log) -> None:
    """Both engines hold the sender to what the domain leaves of it."""
    events: list[Any] = [
        reported({"count": 7, "kept": "Zoë \U0001f525"}, name="Name", location='Here "and" there\n'),
        edited(1, name=("Name", "New"), status=("NEW", "OPEN")),
        attribute_set(2, "count", 7, 8.5),
        attribute_set(3, "kept", "Zoë", "é\u2028"),
        deleted(4),
        restored(5),
    ]
    for event in events:
        vars(event)["originator_id"] = A
        await log.append([entry_of(event, repeatable=False)])
    for fields in (["attributes.count"], ["location", "name"], ["attributes"], ["description"]):
        assert (await log.erase(*await ordered(log, fields))).verdict is Verdict.APPENDED
    assert [row.state for row in await log.stream(A) if b'"count":7' in (row.state or b"")] == []
