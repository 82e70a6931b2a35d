"""What has a long past is brought up to date a little at a time: others have their turns meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import pytest

from domain.event import ActEvent
from service.store import mapper, slices
from service.store.history import fold_of
from service.store.slices import in_slices
from tests.http.api import PATH, Api, incident
from tests.http.conftest import Serve
from tests.http.engines import both_engines

EDITS = 40


class Turns:
    """How much of some work was done at most between two turns of somebody else, and how much in all."""

    def __init__(self) -> None:
        self.most = self.total = self._now = 0

    def counted(self, work: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(work)
        def counting(*args: Any, **options: Any) -> Any:
            self._now += 1
            self.total += 1
            self.most = max(self.most, self._now)
            return work(*args, **options)

        return counting

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        async def somebody() -> None:
            while True:
                self._now = 0
                await asyncio.sleep(0)

        task = asyncio.create_task(somebody())
        self.most = self.total = 0
        yield
        task.cancel()


async def test_everything_comes_and_others_have_their_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "SLICE_SECONDS", 0.0)
    turns = Turns()
    work = turns.counted(lambda one: one)
    async with turns.taken():
        assert [work(one) async for one in in_slices(range(9))] == [*range(9)]
    assert (turns.most, turns.total) == (1, 9)
    assert await fold_of([]) is None


@both_engines
async def test_no_request_keeps_the_loop_for_all_of_a_long_past(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "SLICE_SECONDS", 0.0)
    api = await serve()
    eraser, key = api.by(roles=("eraser",)), {"Idempotency-Key": "one"}
    reported = (await api.post(PATH, incident(), headers=key)).data
    place = f"{PATH}/{reported['id']}"
    for number in range(EDITS):
        await api.patch(place, {"location": f"room {number}"})
    read, applied, sealed = Turns(), Turns(), Turns()
    monkeypatch.setattr("service.store.history.recorded_of", read.counted(mapper.recorded_of))
    monkeypatch.setattr(ActEvent, "mutate", applied.counted(ActEvent.mutate))
    monkeypatch.setattr("service.erasures.sealed", sealed.counted(mapper.sealed))

    async def edit(api: Api) -> None:
        api.parts.aggregates._cache.clear()
        assert (await api.patch(place, {"location": "elsewhere"})).data["occ_lock"] == EDITS + 1

    async def repeat(api: Api) -> None:
        assert (await api.post(PATH, incident(), headers=key)).data["occ_lock"] == 0

    async def revert(api: Api) -> None:
        back = {"version": EDITS, "occ_lock": EDITS + 1}
        assert (await api.post(f"{place}/revert", back)).data["occ_lock"] == EDITS + 2

    async def erase(_: Api) -> None:
        erased = await eraser.post(f"{place}/erase", {"fields": ["location"], "reason": "asked for"})
        assert erased.data["occ_lock"] == EDITS + 3

    for request in (edit, repeat, revert, erase):
        async with read.taken(), applied.taken(), sealed.taken():
            await request(api)
        assert max(read.most, applied.most, sealed.most) <= 3, request.__name__
        assert read.total > EDITS
    assert sealed.total > EDITS
