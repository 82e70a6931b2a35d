"""`ims projections …`: the read models, and the audit tree."""

import asyncio
import os
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, NoReturn

import typer

from service.audit_cli import COULD_NOT_RUN
from service.durations import NotADuration, duration
from service.environment import read_environment

projections = typer.Typer(no_args_is_help=True, help="The read models: how far they are, and building them anew.")


LEAST_KEEP = timedelta(minutes=1)
NICENESS = 10
"""How much those who wait for an answer come before a rebuild, where a processor is short."""


READ_MODELS = "read_models"
TREE = "audit_tree"
STREAMS = "publisher"
_NO_STREAM = (
    "publisher: a stream is not built beside another. What Redis lost is published again by itself; "
    "`ims events republish --stream NAME` writes history into another stream"
)


class Unused(StrEnum):
    """Tables that nobody reads."""

    KEPT = "kept"
    UNFINISHED = "unfinished"
    OLDER = "older"


Keep = Annotated[
    str | None, typer.Option(help="How long the tables of before stay, such as 1h or 7d; without it, until dropped.")
]


@projections.command("status")
def status() -> None:
    """Print each follower's position, lag and the holder of its lease."""
    from service.read_model_commands import print_status  # noqa: PLC0415

    asyncio.run(print_status(read_environment()))


@projections.command("rebuild")
def rebuild(
    name: Annotated[
        str,
        typer.Argument(metavar="[NAME]", help="What to build, as `status` names it: the read models or audit_tree."),
    ] = READ_MODELS,
    keep: Keep = None,
    anew: Annotated[bool, typer.Option("--anew", help="Begin anew where a rebuild was left unfinished.")] = False,
) -> None:
    """Build the read models, or the audit tree, anew beside the live ones, compare, and switch to them."""
    import uvloop  # noqa: PLC0415 - it is quicker at going on with what is written and read meanwhile

    from projections.read_models import FOLLOWER  # noqa: PLC0415
    from service.audit.rebuilding import rebuild as build_tree  # noqa: PLC0415
    from service.read_model_commands import rebuild as build  # noqa: PLC0415

    if name == STREAMS:
        _refuse(_NO_STREAM)
    if name not in (READ_MODELS, FOLLOWER, TREE):
        _refuse(f"{name}: {FOLLOWER} and {TREE} can be built anew")
    if name == TREE and (keep is not None or anew):
        _refuse(f"{TREE}: it is always begun anew, and the one of before is not kept")
    os.nice(NICENESS)
    if name == TREE:
        uvloop.run(build_tree(read_environment()))
    else:
        uvloop.run(build(read_environment(), _seconds(keep), anew=anew))


def _refuse(why: str) -> NoReturn:
    typer.echo(why, err=True)
    raise typer.Exit(COULD_NOT_RUN)


@projections.command("back")
def back(keep: Keep = None) -> None:
    """Go back to the tables of before the last switch, once they are up to date."""
    from service.read_model_commands import back as go_back  # noqa: PLC0415

    asyncio.run(go_back(read_environment(), _seconds(keep)))


@projections.command("drop")
def drop(
    what: Annotated[Unused, typer.Argument(help="Kept to go back to, left unfinished, or of older releases.")],
) -> None:
    """Drop tables that nobody reads any more."""
    from service.read_model_commands import drop as drop_tables  # noqa: PLC0415

    asyncio.run(drop_tables(read_environment(), what))


def _seconds(keep: str | None) -> float | None:
    """Raises NotADuration."""
    if keep is None:
        return None
    wanted = duration("--keep", keep)
    if wanted < LEAST_KEEP:
        raise NotADuration("--keep takes a minute or more: requests may still be reading the tables of before")
    return wanted.total_seconds()
