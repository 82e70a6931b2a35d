"""The command line of the service."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from projections.database import Unavailable
from projections.follower import Stopped
from projections.generations import NothingKept
from service.audit.errors import Disturbed, ExportDamaged, TreeDiverged, Unknown, WouldHaveHoles
from service.audit_cli import COULD_NOT_RUN, MAX_POSITION, audit
from service.auth.errors import LocalKeyUnusable, MintingRefused
from service.durations import NotADuration, duration
from service.environment import read_environment
from service.projections_cli import projections
from service.release import RELEASE
from service.settings import InvalidSettings
from service.store.errors import InUse, LogReplaced, NoLog, NotEmpty, RightMissing, Unsuitable
from service.store.feed import LogWentBack
from service.store.identity import NotALog
from service.store.mapper import UnreadableEvent
from service.store.migrations import SchemaTooNew
from service.subscribers.entries import Altered, Hole, NotAllowed, WouldSpoil

_KNOWN = (
    InvalidSettings, InUse, SchemaTooNew, Stopped, Unavailable, LocalKeyUnusable, MintingRefused, Hole, Altered,
    NotAllowed, WouldSpoil, ExportDamaged, NotEmpty, NoLog, NotALog, WouldHaveHoles,
    Unknown, Disturbed, TreeDiverged, UnreadableEvent, NothingKept, NotADuration, LogWentBack, LogReplaced,
    Unsuitable, OSError,
)  # fmt: skip

INTERRUPTED = 130
"""What shells make of SIGINT."""

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
cli.add_typer(projections, name="projections")
events = typer.Typer(no_args_is_help=True, help="The streams of events: following them, and how far they are.")
cli.add_typer(events, name="events")
cli.add_typer(audit, name="audit")


def _tell_release(asked: bool) -> None:
    if asked:
        typer.echo(f"ims {RELEASE}")
        raise typer.Exit


@cli.callback()
def ims(
    _version: Annotated[
        bool, typer.Option("--version", callback=_tell_release, is_eager=True, help="Print the release, and leave.")
    ] = False,
) -> None:
    """What stands before the command."""


def main() -> None:
    """Known problems end with one line on stderr and exit code 1; 2 where the database's user may not do it, 130 where
    somebody interrupts it."""
    try:
        cli()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except RightMissing as error:
        _fail(str(error), COULD_NOT_RUN)
    except _KNOWN as error:
        _fail(str(error))


@cli.command()
def serve() -> None:
    """Serve the API and build the read models: whatever IMS_RUN names."""
    from service.serving import serve as run_service  # noqa: PLC0415 - `ims token` need not load a web server

    run_service(read_environment())


@cli.command()
def migrate() -> None:
    """Bring the schema up to date, as `serve` does first where its user may; build read models of a new version."""
    import uvloop  # noqa: PLC0415

    from service.migrating import migrate as bring_up_to_date  # noqa: PLC0415

    uvloop.run(bring_up_to_date(read_environment()))


@cli.command()
def token(
    tenant: Annotated[str, typer.Option(help="Tenant id.")],
    user: Annotated[str, typer.Option(help="User id, the claim `sub`.")],
    name: Annotated[str | None, typer.Option(help="Display name.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="A role in the tenant; may be repeated.")] = None,
    expires: Annotated[str, typer.Option(help="Life, such as 30m, 12h or 7d.")] = "12h",
) -> None:
    """Print a token signed with the local key, and nothing else."""
    from service.auth.minting import mint  # noqa: PLC0415 - nobody else needs the client of the provider's keys

    typer.echo(mint(read_environment(), tenant, user, name, role or (), duration("--expires", expires)))


@events.command("status")
def events_status(
    every: Annotated[bool, typer.Option("--all", help="Also the streams that are whole and have no groups.")] = False,
) -> None:
    """Print how far each stream and each consumer group is behind the log."""
    from service.stream_commands import print_status  # noqa: PLC0415

    asyncio.run(print_status(read_environment(), every=every))


Stream = Annotated[str | None, typer.Option(help="The stream's name, if not `ims:events`.")]
Tenant = Annotated[str | None, typer.Option(help="The stream of this tenant alone.")]


@events.command("tail")
def events_tail(
    after: Annotated[int, typer.Option(min=0, max=MAX_POSITION, help="Only what comes after this position.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="A CloudEvent a line.")] = False,
    tenant: Tenant = None,
    stream: Stream = None,
) -> None:
    """Print all of history, then each change as it happens."""
    from service.event_commands import stream_of, tail  # noqa: PLC0415

    with suppress(KeyboardInterrupt):
        asyncio.run(tail(read_environment(), stream_of(stream, tenant), after, json=json))


@events.command("consume")
def events_consume(
    group: Annotated[str, typer.Option(help="Consumer group; it is made where there is none.")],
    name: Annotated[str, typer.Option(help="This member of the group: the same one after a restart.")],
    tenant: Tenant = None,
    exec: Annotated[  # noqa: A002
        str | None, typer.Option(help="Command for each event, which it gets on stdin; exit code 0 is success.")
    ] = None,
    attempts: Annotated[int, typer.Option(min=1, help="Tries before an event is put aside on ims:dead:<group>.")] = 5,
    idle: Annotated[float, typer.Option(min=1, help="Seconds until another member may claim what is left.")] = 30,
    over_holes: Annotated[bool, typer.Option("--over-holes", help="Warn of a hole rather than stop at it.")] = False,
    stream: Stream = None,
) -> None:
    """Handle each event as a member of a consumer group: print it, or run a command."""
    from service.event_commands import Limits, consume, stream_of  # noqa: PLC0415

    limits = Limits(attempts, idle, stop_at_hole=not over_holes)
    asyncio.run(consume(read_environment(), stream_of(stream, tenant), group, name, exec, limits))


@events.command("republish")
def events_republish(
    first: Annotated[int, typer.Option("--from", min=1, max=MAX_POSITION, help="The first position.")],
    stream: Annotated[str, typer.Option(help="The stream to write into; none of the publisher's own.")],
    last: Annotated[int | None, typer.Option("--to", min=1, max=MAX_POSITION, help="The last position.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only events of this tenant.")] = None,
) -> None:
    """Write a part of history into another stream, in the form of the others."""
    from service.event_commands import republish  # noqa: PLC0415

    asyncio.run(republish(read_environment(), first, last, stream, tenant))


@cli.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="Where the copy goes; none may be there.", show_default=False)],
) -> None:
    """Copy the embedded database into a folder, whole and checked, while the service runs."""
    from service.backup import back_up  # noqa: PLC0415

    typer.echo(f"{back_up(read_environment(), folder)} events")


@cli.command()
def restored() -> None:
    """Declare that the database was restored from a backup: another log id, streams under new names."""
    from service.stream_commands import restored as declare_restored  # noqa: PLC0415

    asyncio.run(declare_restored(read_environment()))


def _fail(message: str, code: int = 1) -> NoReturn:
    print(message, file=sys.stderr)  # noqa: T201
    raise SystemExit(code)
