"""The command line: `ims serve`, `ims token`, `ims projections status`, `ims projections rebuild`."""

import asyncio
import re
import sys
from datetime import timedelta
from typing import Annotated, NoReturn

import typer

from projections.database import Unavailable
from projections.follower import Stopped
from service.auth.errors import LocalKeyUnusable, MintingRefused
from service.auth.minting import mint
from service.logs import configure_logs
from service.settings import InvalidSettings, Settings, load_settings
from service.store.migrations import SchemaTooNew
from service.store.sqlite import InUse

_LIFE = re.compile(r"(\d{1,6})(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

_KNOWN = (InvalidSettings, InUse, SchemaTooNew, Stopped, Unavailable, LocalKeyUnusable, MintingRefused, OSError)

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
projections = typer.Typer(no_args_is_help=True, help="The read models: how far they are, and building them anew.")
cli.add_typer(projections, name="projections")


def main() -> None:
    """Known problems end with one line on stderr and exit code 1."""
    try:
        cli()
    except _KNOWN as error:
        _fail(str(error))


@cli.command()
def serve() -> None:
    """Serve the API and build the read models: whatever IMS_RUN names."""
    from service.serving import serve as run_service  # noqa: PLC0415 - `ims token` need not load a web server

    run_service(_settings())


@cli.command()
def token(
    tenant: Annotated[str, typer.Option(help="Tenant id.")],
    user: Annotated[str, typer.Option(help="User id, the claim `sub`.")],
    name: Annotated[str | None, typer.Option(help="Display name.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="A role in the tenant; may be repeated.")] = None,
    expires: Annotated[str, typer.Option(help="Life, such as 30m, 12h or 7d.")] = "12h",
) -> None:
    """Print a token signed with the local key, and nothing else."""
    match = _LIFE.fullmatch(expires)
    if match is None:
        _fail("--expires takes a number and s, m, h or d, such as 12h")
    life = timedelta(**{_UNITS[match[2]]: int(match[1])})
    typer.echo(mint(_settings(), tenant, user, name, role or (), life))


@projections.command()
def status() -> None:
    """Print each follower's position, lag and the holder of its lease."""
    from service.read_model_commands import print_status  # noqa: PLC0415

    asyncio.run(print_status(_settings()))


@projections.command()
def rebuild() -> None:
    """Build the read models anew from the log, then switch to them."""
    from service.read_model_commands import rebuild as rebuild_read_models  # noqa: PLC0415

    asyncio.run(rebuild_read_models(_settings()))


def _settings() -> Settings:
    settings = load_settings()
    configure_logs(settings)
    return settings


def _fail(message: str) -> NoReturn:
    print(message, file=sys.stderr)  # noqa: T201
    raise SystemExit(1)
