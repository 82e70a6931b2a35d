"""What `ims projections` does: show how far the read models are, and build them anew."""

from dataclasses import replace

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from projections.follower import BATCH, Follower, Tables
from projections.lease import Lease, LeaseLost, Leases
from projections.read_models import FOLLOWER, REBUILD
from service.app import open_leases, read_models
from service.audit.auditing import begin_anew_for_another_log
from service.console import wide_console
from service.engines import Engine, open_engine
from service.settings import Settings
from service.status import follower_states
from service.store.feed import Feed
from service.store.sqlite import InUse

_NO_LEASE = "another rebuild is running"


async def print_status(settings: Settings) -> None:
    async with open_engine(settings, writing=False) as engine:
        states = await follower_states(engine.log, await open_leases(engine))
    table = Table("follower", "generation", "position", "lag (events)", "lag (s)", "holder", "failure")
    for state in states:
        table.add_row(*(str(value if value is not None else "-") for value in state.values()))
    wide_console().print(table)


async def rebuild(settings: Settings) -> None:
    """Fill the tables of the next generation, then switch. Raises InUse where another rebuild runs, Stopped."""
    async with open_engine(settings) as engine:
        leases = await open_leases(engine)
        await leases.register(REBUILD)
        lease = await leases.acquire(REBUILD, anew=True)
        current = await leases.state(FOLLOWER)
        await begin_anew_for_another_log(engine, leases)
        if lease is None or current is None:
            raise InUse(_NO_LEASE)
        try:
            built = await _build(engine, leases, lease, current.generation + 1)
            await leases.switch(FOLLOWER, built)
        except LeaseLost:
            raise InUse(_NO_LEASE) from None
        finally:
            await leases.release(lease)
        # The tables before these stay until the next rebuild: a request may still be reading them.
        if current.generation > 1:
            await engine.database.define(read_models(engine, current.generation - 1).removal())


async def _build(engine: Engine, leases: Leases, lease: Lease, generation: int) -> Lease:
    """Fill empty tables until they are as good as up to date; what is left, the follower does in a moment."""
    models = read_models(engine, generation)
    await engine.database.define([*models.removal(), *models.tables()])
    lease = await leases.reset(lease, generation)
    feed = Feed(engine.log)
    await feed.start()
    with _progress() as progress:
        bar = progress.add_task("events", total=feed.head.value)
        follower = Follower(
            REBUILD, feed, Tables(engine.database, leases, lambda _: models), leases,
            lambda _, position: progress.update(bar, completed=position), lambda *_: None,
        )  # fmt: skip
        while True:
            lease = replace(lease, position=await follower.follow(lease, until=feed.head.value))
            await feed.catch_up()
            progress.update(bar, total=feed.head.value)
            if feed.head.value - lease.position <= BATCH:
                return lease


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True),
    )  # fmt: skip
