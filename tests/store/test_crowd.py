"""Commands of many tenants at once: none has more under way than its share, and a tenant alone waits for nobody."""

import asyncio

import pytest

from service import crowd
from service.crowd import MAX_AT_ONCE, Crowd
from service.store.errors import Overloaded


def crowded_by(tenant_id: str, number: int = MAX_AT_ONCE) -> Crowd:
    """So many commands of the tenant are under way, and another tenant has just sent one."""
    place = Crowd()
    assert all(place.may_enter(tenant_id) for _ in range(number))
    assert place.may_enter("other")
    place.leave("other")
    return place


async def test_a_tenant_alone_may_have_any_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "CROWDED_SECONDS", 0.0)
    assert crowded_by("one", 3 * MAX_AT_ONCE).may_enter("one")


async def test_in_a_crowd_whoever_has_its_share_waits_until_one_is_done() -> None:
    place = crowded_by("one")
    assert not place.may_enter("one")
    assert place.may_enter("two")
    turns = [asyncio.create_task(place.turn("one")) for _ in range(2)]
    await asyncio.sleep(0)
    place.leave("two")
    await asyncio.sleep(0)
    assert not any(turn.done() for turn in turns)
    place.leave("one")
    await asyncio.sleep(0)
    assert [turn.done() for turn in turns] == [True, False]
    turns[1].cancel()
    await asyncio.gather(*turns, return_exceptions=True)


async def test_who_gave_up_takes_no_turn() -> None:
    place = crowded_by("one")
    gone, waiting = [asyncio.create_task(place.turn("one")) for _ in range(2)]
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    place.leave("one")
    await waiting
    assert not place.may_enter("one")


async def test_when_the_others_have_gone_all_that_wait_enter(monkeypatch: pytest.MonkeyPatch) -> None:
    place = crowded_by("one")
    turns = [asyncio.create_task(place.turn("one")) for _ in range(9)]
    await asyncio.sleep(0)
    monkeypatch.setattr(crowd, "CROWDED_SECONDS", 0.0)
    monkeypatch.setattr(place, "_crowded_until", 0.0)
    assert not place.may_enter("one")  # who came before it goes first
    place.leave("one")
    await asyncio.gather(*turns)
    assert place.may_enter("one")


async def test_who_waits_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "WAIT_SECONDS", 0.01)
    with pytest.raises(Overloaded):
        await crowded_by("one").turn("one")


async def test_where_too_many_wait_the_tenant_with_most_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "MAX_WAITING", 2)
    place = crowded_by("one")
    assert all(place.may_enter("two") for _ in range(MAX_AT_ONCE))
    turns = [asyncio.create_task(place.turn("one")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await place.turn("one")
    other = asyncio.create_task(place.turn("two"))
    with pytest.raises(Overloaded):
        await turns[1]
    place.leave("two")
    await other
    turns[0].cancel()
    await asyncio.gather(*turns, return_exceptions=True)
