"""`ims audit …`: the log as evidence."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from domain.moments import instant, recordable
from domain.rules import MAX_OCC_LOCK
from service.console import output
from service.environment import read_environment

audit = typer.Typer(no_args_is_help=True, help="The log as evidence: taking it out, putting it back, looking into it.")

STREAM = Path("-")
STDIN = Path("/dev/stdin")

COULD_NOT_RUN = 2

MAX_POSITION = 2**63 - 1


def moment(text: str) -> datetime:
    """RFC 3339, with an offset."""
    try:
        return recordable(instant(text))
    except ValueError as error:
        raise typer.BadParameter(f"{error}; such as 2025-01-22T06:31:00Z") from None


File = Annotated[Path, typer.Argument(help="A file; `-` for stdin or stdout.", show_default=False)]
Incident = Annotated[UUID, typer.Argument(help="The incident's id.", show_default=False)]
Moment = Annotated[
    datetime | None,
    typer.Option(parser=moment, metavar="TIME", help="What was recorded by then, such as 2025-01-22T06:31:00Z."),
]
Json = Annotated[bool, typer.Option("--json", help="JSON for programs.")]


@audit.command("history")
def history(incident: Incident, json: Json = False) -> None:
    """Print each change of an incident and its comments: when, who, what, from what to what."""
    from service.audit import looking  # noqa: PLC0415

    asyncio.run(looking.history(read_environment(), incident, json=json))


@audit.command("show")
def show(
    incident: Incident,
    version: Annotated[int | None, typer.Option(min=0, max=MAX_OCC_LOCK, help="As it was in this version.")] = None,
    as_of: Moment = None,
    json: Json = False,
) -> None:
    """Print an incident as it is, or as it was in a version or at a time, deleted or not."""
    from service.audit import looking  # noqa: PLC0415

    if version is not None and as_of is not None:
        raise typer.BadParameter("take --version or --as-of")
    asyncio.run(looking.show(read_environment(), incident, version, as_of, json=json))


@audit.command("diff")
def diff(
    incident: Incident,
    before: Annotated[int, typer.Option("--from", min=0, max=MAX_OCC_LOCK, help="A version.")],
    after: Annotated[int, typer.Option("--to", min=0, max=MAX_OCC_LOCK, help="Another one.")],
    json: Json = False,
) -> None:
    """Print what differs between two versions of an incident."""
    from service.audit import looking  # noqa: PLC0415

    asyncio.run(looking.diff(read_environment(), incident, before, after, json=json))


@audit.command("export")
def export(
    file: File,
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress it, whatever the name ends in.")] = False,
    json: Json = False,
) -> None:
    """Write the whole log into a file: lines of JSON, compressed where its name ends in .gz."""
    from service.audit.export import export as write  # noqa: PLC0415

    packed = gzip or file.suffix == ".gz"
    asyncio.run(write(read_environment(), None if file == STREAM else file, packed=packed, json=json))


@audit.command("import")
def import_(file: File, json: Json = False) -> None:
    """Fill an empty store with an export: the same positions, times and digests."""
    from service.audit.loading import load  # noqa: PLC0415

    asyncio.run(load(read_environment(), STDIN if file == STREAM else file, json=json))


@audit.command("verify")
def verify_(
    file: Annotated[Path | None, typer.Option("--file", help="An export to verify, in place of the database.")] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="File with the public keys to trust, in place of those beside the log.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="A checkpoint that was kept elsewhere, to compare with.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The findings as JSON.")] = False,
) -> None:
    """Verify log, tree, checkpoints and read models; exit code 0: sound, 1: faults, 2: it could not be done."""
    from service.audit.verify.command import verify  # noqa: PLC0415

    try:
        code = verify(read_environment(), file=file, key=key, checkpoint=checkpoint, json=json)
    except SystemExit:  # what the library of tables does where nobody reads any more
        raise typer.Exit(COULD_NOT_RUN) from None
    except Exception as error:  # noqa: BLE001 - whatever it was: nothing is known of the log, and no other code says so
        typer.echo(f"{error}" or type(error).__name__, err=True)
        raise typer.Exit(COULD_NOT_RUN) from None
    raise typer.Exit(code)


@audit.command("replay")
def replay_(
    first: Annotated[int, typer.Option("--from", min=1, max=MAX_POSITION, help="The first position.")] = 1,
    last: Annotated[int | None, typer.Option("--to", min=1, max=MAX_POSITION, help="The last position.")] = None,
    until: Moment = None,
    tenant: Annotated[str | None, typer.Option(help="Only events of this tenant.")] = None,
    incident: Annotated[UUID | None, typer.Option(help="Only events of this incident, its comments included.")] = None,
    into: Annotated[str | None, typer.Option(metavar="URL", help="An empty database to fill, not to print.")] = None,
    json: Annotated[bool, typer.Option("--json", help="With --into; what is printed is JSON anyway.")] = False,
) -> None:
    """Print events as lines of JSON, or fill an empty database with them."""
    from service.audit import replay  # noqa: PLC0415

    if last is not None and first > last:
        raise typer.BadParameter(f"--from {first} is beyond --to {last}")
    if into == "":
        raise typer.BadParameter("--into takes the URL of an empty database")
    wanted = replay.Wanted(first, last, until, tenant, incident)
    if into is None:
        asyncio.run(replay.show(read_environment(), wanted, output()))
    else:
        asyncio.run(replay.fill_another(read_environment(), wanted, into, json=json))
