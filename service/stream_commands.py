"""What `ims events status` and `ims restored` do: show how far the streams are; begin anew after a restore."""

from rich.console import Console
from rich.table import Table

from projections.stream import FOLLOWER
from service.console import wide_console
from service.engines import open_engine
from service.leases import idle_leases, open_leases
from service.read_model_commands import rebuild
from service.settings import InvalidSettings, Settings
from service.status import follower_states
from service.streams.publishing import names_of, wire_of
from service.streams.standing import StreamStanding, standings


async def print_status(settings: Settings, *, every: bool) -> None:
    """The publisher first: it can be told without Redis. Raises Unavailable where that is away."""
    if not settings.redis_url:
        raise InvalidSettings("IMS_REDIS_URL is not set: nothing is published")
    console = wide_console()
    async with open_engine(settings, writing=False) as engine:
        states = await follower_states(engine.log, await open_leases(engine))
        console.print(_publisher([state for state in states if state["name"] == FOLLOWER]))
        wire = wire_of(settings)
        try:
            found = await standings(wire, engine.log, names_of(settings, engine.log))
        finally:
            await wire.close()
    shown = [stream for number, stream in enumerate(found) if every or not number or stream.lag or stream.groups]
    console.print(_streams(shown))
    console.print(_groups(shown))
    if len(shown) < len(found):
        console.print(f"{len(found) - len(shown)} more streams are whole and have no groups: see --all")


async def restored(settings: Settings) -> None:
    """Give the log another identity, then build the read models anew. Raises InUse where a process still runs."""
    async with open_engine(settings, existing=True) as engine, idle_leases(engine) as leases:
        await engine.log.restore()
        await leases.forget(FOLLOWER)
        names = names_of(settings, engine.log)
        Console().print(
            f"The log is {engine.log.log_id} now; its events go to {names.prefix} and {names.of_tenant('<tenant>')}."
        )
    await rebuild(settings)


def _publisher(states: list[dict[str, object]]) -> Table:
    table = Table("publisher", "position", "lag (events)", "lag (s)", "holder", "failure")
    for state in states:
        columns = ("name", "position", "lag_events", "lag_seconds", "holder", "failure")
        table.add_row(*(str(value) if (value := state[column]) is not None else "-" for column in columns))
    return table


def _streams(found: list[StreamStanding]) -> Table:
    table = Table("stream", "last id", "log head", "lag")
    for stream in found:
        table.add_row(stream.name, stream.last_id, str(stream.head), str(stream.lag))
    return table


def _groups(found: list[StreamStanding]) -> Table:
    table = Table("stream", "group", "pending", "lag", "oldest pending")
    for stream in found:
        for group in stream.groups:
            oldest = "-" if group.oldest is None else f"{group.oldest}-0"
            table.add_row(stream.name, group.name, str(group.pending), str(group.lag), oldest)
    return table
