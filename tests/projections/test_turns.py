"""Whoever folds many events lets the others in the process have their turns: requests that are answered meanwhile."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from domain.event import Recorded
from projections.incident_changes import AT_A_STRETCH, IncidentFold
from tests.domain.examples import reported

STRETCHES = 8
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def reports(count: int) -> list[Recorded]:
    events = [replace(reported(), originator_id=UUID(int=number)) for number in range(count)]
    return [Recorded(event, n, BEGIN + timedelta(seconds=n), b"") for n, event in enumerate(events, 1)]


async def nothing(_tenant: str, _ids: Sequence[str]) -> Sequence[Any]:
    raise AssertionError("incidents that are only reported are not looked up")


async def test_others_have_a_turn_after_each_stretch_of_a_long_batch() -> None:
    folding = asyncio.create_task(IncidentFold(orjson).add(nothing, nothing, reports(STRETCHES * AT_A_STRETCH)))
    turns = 0
    while not folding.done():
        await asyncio.sleep(0)
        turns += 1
    assert STRETCHES <= turns <= STRETCHES + 2
    folding.result()
