"""`ims audit …`: the log as evidence."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from service.environment import read_environment

audit = typer.Typer(no_args_is_help=True, help="The log as evidence: export and import.")

STREAM = Path("-")
STDIN = Path("/dev/stdin")

File = Annotated[Path, typer.Argument(help="A file; `-` for stdin or stdout.", show_default=False)]


@audit.command("export")
def export(
    file: File,
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress it, whatever the name ends in.")] = False,
) -> None:
    """Write the whole log into a file: lines of JSON, compressed where its name ends in .gz."""
    from service.audit.export import export as write  # noqa: PLC0415

    asyncio.run(write(read_environment(), None if file == STREAM else file, packed=gzip or file.suffix == ".gz"))


@audit.command("import")
def import_(file: File) -> None:
    """Fill an empty store with an export: the same positions, times and digests."""
    from service.audit.loading import load  # noqa: PLC0415

    asyncio.run(load(read_environment(), STDIN if file == STREAM else file))
