"""A store whose tree and read models have come to the end of its log, a checkpoint in its middle and one there."""

from projections.audit_tree import FOLLOWER as AUDIT_TREE
from projections.read_models import FOLLOWER as READ_MODELS
from service.app import running
from service.audit.verify.database import verify_store
from service.engines import open_engine
from service.settings import Settings
from service.store.mapper import entry_of
from tests.audit import stores
from tests.projections.building import soon
from tests.projections.histories import long_history

EVENTS = 300


async def make_followed(store: Settings) -> None:
    events = long_history(EVENTS)
    await stores.fill(store, events[: len(events) // 2])
    await follow(store)
    async with open_engine(store) as engine:
        for event in events[len(events) // 2 :]:
            await engine.log.append([entry_of(event, repeatable=False)])
    await follow(store)


async def follow(store: Settings) -> None:
    async with running(store) as parts:
        head = await parts.log.head()

        async def up_to_date() -> bool:
            positions = {state.name: state.position for state in await parts.leases.states()}
            return positions[READ_MODELS] == positions[AUDIT_TREE] == head

        await soon(up_to_date, 30)
        assert (await parts.proofs.checkpoint()).size == head


async def faults(store: Settings) -> list[str]:
    return [fault.text for fault in (await verify_store(store, [], []))[1]]
