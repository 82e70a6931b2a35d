"""The verifier in the background: it goes round and round, and a divergence shows in the metric and in `/status`."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from service.app import running
from service.audit.verify.sampler import Sampler
from service.measuring import measure
from service.parts import Parts
from service.settings import Settings
from service.status import status_of
from tests.audit import stores
from tests.audit.followed import EVENTS
from tests.projections.histories import long_history

RATE = 100
"""Events of one look: less than there are."""


@asynccontextmanager
async def sampled(store: Settings) -> AsyncIterator[Parts]:
    """A service whose verifier looks when it is told to, and not by itself."""
    async with running(store.model_copy(update={"verify_rate": 0})) as parts:
        assert parts.auditing is not None
        parts.auditing = parts.auditing._replace(sampler=Sampler(parts.log, parts.proofs._tree, RATE))
        yield parts


async def a_round(parts: Parts) -> str:
    """Goes on to the next round's beginning; returns what was found."""
    assert parts.auditing is not None
    assert parts.auditing.sampler is not None
    rounds = parts.auditing.sampler.rounds
    while parts.auditing.sampler.rounds == rounds:
        await parts.auditing.sampler.look()
    return parts.auditing.sampler.divergence


async def diverged(parts: Parts) -> bool:
    await measure(parts)
    return b"ims_verifier_diverged 1.0" in parts.metrics.text()


async def test_a_sound_log_is_gone_round_and_round(followed: Settings) -> None:
    async with sampled(followed) as parts:
        for _ in range(2):
            assert await a_round(parts) == ""
        assert not await diverged(parts)
        assert (await status_of(parts))["audit"]["divergence"] is None


async def test_a_divergence_is_told_until_it_is_no_more(followed: Settings) -> None:
    async with sampled(followed) as parts:
        await stores.sql(followed, "UPDATE log SET topic = 'Tampered' WHERE notification_id = 142")
        assert await a_round(parts) == "event 142 altered"
        assert await a_round(parts) == "event 142 altered"
        assert await diverged(parts)
        assert (await status_of(parts))["audit"]["divergence"] == "event 142 altered"
        topic = long_history(EVENTS)[141].TOPIC
        await stores.sql(followed, f"UPDATE log SET topic = '{topic}' WHERE notification_id = 142")
        await a_round(parts)
        assert await a_round(parts) == ""
        assert not await diverged(parts)


async def test_altered_content_and_missing_events_are_noticed(followed: Settings) -> None:
    async with sampled(followed) as parts:
        await stores.sql(followed, "UPDATE log SET state = salt WHERE notification_id = 7")
        assert await a_round(parts) == "event 7 altered: its content does not have its digest"
        await stores.sql(followed, "DELETE FROM log WHERE notification_id = 7")
        assert await a_round(parts) == "event 7 missing"


async def test_an_event_that_cannot_be_read_is_told_and_passed_over(followed_file: Path, tmp_path: Path) -> None:
    on_sqlite = stores.sqlite(shutil.copytree(followed_file, tmp_path / "copy"))
    async with sampled(on_sqlite) as parts:
        await stores.sql(on_sqlite, "UPDATE log SET subject_id = 'q' WHERE notification_id = 142")
        assert await a_round(parts) == "event 142 altered: its subject_id has a form that no event gives it"
        assert await diverged(parts)
