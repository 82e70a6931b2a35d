"""A process that serves: it listens, says so, and leaves in order when it is told to."""

import asyncio
import shlex
import signal
import sys
from datetime import timedelta

import structlog
import uvloop
from aiohttp import web

from service.app import application, running
from service.auth.minting import mint
from service.file_handles import raise_limit
from service.garbage import settle
from service.http.protocol import Runner
from service.log_queue import queued_logs
from service.settings import Settings

LINGERING_SECONDS = 1.0
"""How long the rest of a refused body is still read, so that the client gets to see its answer."""
BACKLOG = 1024
"""Connections that wait to be accepted."""
LEAVING = (signal.SIGTERM, signal.SIGINT)
SAMPLE_TOKEN_LIFE = timedelta(hours=12)

_log = structlog.get_logger(__name__)


def serve(settings: Settings) -> None:
    """Run until SIGINT, or SIGTERM, after which a proxy may look for others first. Raises LogWentBack, LogReplaced."""
    raise_limit()
    with queued_logs():
        uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    told = _told_to_leave()
    # A terminal closed, or somebody rotates logs: there is no file to open again, the logs go to stderr.
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _log.info, "hangup_ignored")
    async with running(settings) as parts:
        runner = Runner(
            application(parts),
            access_log=None,
            shutdown_timeout=settings.shutdown_timeout,
            keepalive_timeout=settings.idle_timeout,
            lingering_time=LINGERING_SECONDS,
        )
        await runner.setup()
        settle()
        site = web.TCPSite(runner, settings.host, settings.port, backlog=BACKLOG)
        await site.start()
        try:
            _greet(settings, runner.addresses[0][1])
            await asyncio.wait((told, parts.broken), return_when=asyncio.FIRST_COMPLETED)
            parts.leaving = True
            if told.done() and told.result() == signal.SIGTERM and "api" in settings.run:
                _log.info("draining", seconds=settings.drain_time)
                await asyncio.wait((parts.broken,), timeout=settings.drain_time)
            _log.info("stopping")
        finally:
            await runner.cleanup()
    _log.info("stopped")
    if parts.broken.done():
        parts.broken.result()


def _told_to_leave() -> asyncio.Future[signal.Signals]:
    """Done with the first signal that asks for it; the next one ends the process at once, wherever it is by then."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[signal.Signals] = loop.create_future()

    def hear(number: signal.Signals) -> None:
        for other in LEAVING:
            loop.remove_signal_handler(other)
            signal.signal(other, signal.SIG_DFL)
        told.set_result(number)

    for number in LEAVING:
        loop.add_signal_handler(number, hear, number)
    return told


def _greet(settings: Settings, port: int) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    print(f"listening on http://{host}:{port}", flush=True)  # noqa: T201
    _log.info("listening", host=settings.host, port=port, runs=list(settings.run))
    if "api" in settings.run and not settings.oidc_issuer and settings.jwks_file is None:
        shown = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else host  # noqa: S104
        print(_sample(settings, f"http://{shown}:{port}"), flush=True)  # noqa: T201


def _sample(settings: Settings, url: str) -> str:
    """How to try it. Where output is kept, in a journal say, whoever reads that could sign in with a token in it."""
    role = (*settings.deployer_roles, *settings.writer_roles)[:1]
    if sys.stdout.isatty():
        token = mint(settings, "demo", "admin", "Demo Admin", role, SAMPLE_TOKEN_LIFE)
        return f'\ncurl -H "Authorization: Bearer {token}" {url}/v1/incident\n'
    folder = shlex.quote(str(settings.data_dir.absolute()))
    options = " ".join(f"--role {shlex.quote(name)}" for name in role)
    return f"for a token: IMS_DATA_DIR={folder} ims token --tenant demo --user admin {options}".rstrip()
