"""What `ims projections` does: show how far the read models are, and build them anew."""

import sys
from datetime import UTC, datetime

from rich.table import Table

from projections.comparison import Differences
from projections.generations import KeptGeneration
from projections.read_models import FOLLOWER
from service.audit.auditing import begin_anew_for_another_log
from service.audit.rebuilding import tree_rebuilding
from service.console import wide_console
from service.engines import open_engine
from service.garbage import settle
from service.generations import drop_kept, drop_older
from service.leases import open_leases
from service.projections_cli import Unused
from service.rebuilding import rebuilding
from service.settings import Settings
from service.status import follower_states
from service.store.errors import InUse


async def print_status(settings: Settings) -> None:
    async with open_engine(settings, writing=False) as engine:
        states = await follower_states(engine.log, await open_leases(engine))
        kept = await KeptGeneration(engine.database, FOLLOWER).get()
    table = Table("follower", "generation", "position", "lag (events)", "lag (s)", "holder", "failure")
    for state in states:
        table.add_row(*(str(value if value is not None else "-") for value in state.values()))
    wide_console().print(table)
    if kept is not None:
        until = "until dropped" if kept.until is None else f"until {datetime.fromtimestamp(kept.until, UTC):%F %TZ}"
        print(f"generation {kept.generation} of {FOLLOWER} is kept at position {kept.position}, {until}")  # noqa: T201


async def rebuild(settings: Settings, keep: float | None = None, *, anew: bool = False) -> None:
    """Build beside the live tables, compare, switch. `keep`: seconds that those of before are kept; None for ever.

    Raises InUse, Stopped, Unavailable.
    """
    settle()
    async with open_engine(settings, existing=True) as engine, rebuilding(settings, engine) as one:
        await begin_anew_for_another_log(engine, await open_leases(engine))
        resumed = await one.begin(anew=anew)
        if resumed:
            print("going on where the last one was left", file=sys.stderr)  # noqa: T201
        await one.load("events", one.where_the_live_ones_are, shared=True)
        await one.index()
        _tell(await one.compare())
        await one.load("events since", one.head)
        await one.switch(keep)


async def back(settings: Settings, keep: float | None = None) -> None:
    """Bring the tables of before up to date and switch to them. Raises InUse, NothingKept, Stopped, Unavailable."""
    async with open_engine(settings, existing=True) as engine, rebuilding(settings, engine) as one:
        await one.begin_from_kept()
        await one.load("events", one.head)
        await one.switch(keep)


async def drop(settings: Settings, what: Unused) -> None:
    """Raises InUse, Unavailable."""
    async with open_engine(settings, existing=True) as engine:
        leases = await open_leases(engine)
        if what is Unused.KEPT:
            await drop_kept(engine, leases)
        elif what is Unused.OLDER:
            if followed := await drop_older(engine, leases):
                raise InUse("; ".join(followed))
        else:
            async with rebuilding(settings, engine) as one:
                await one.give_up()
            async with tree_rebuilding(engine) as tree:
                await tree.give_up()


def _tell(found: Differences | None) -> None:
    if found is None:
        print("nothing to compare with")  # noqa: T201
        return
    print(f"{found.total} rows differ from the live ones")  # noqa: T201
    if found.shown:
        table = Table("table", "key", "differs in")
        for one in found.shown:
            table.add_row(one.table, " ".join(map(str, one.key)), ", ".join(one.columns) or f"{one.only} only")
        wide_console().print(table)
