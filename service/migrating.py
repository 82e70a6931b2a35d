"""`ims migrate`: what a release needs before its processes start: the schema, and read models of its version."""

from projections.read_models import FOLLOWER
from service.engines import Engine, open_engine
from service.leases import open_leases
from service.read_model_commands import rebuild
from service.settings import Settings


async def migrate(settings: Settings) -> None:
    """Processes of the release before go on following and serving tables of their own.

    Raises Unreachable, SchemaTooNew, InUse, Stopped.
    """
    async with open_engine(settings) as engine:
        print(f"The schema of log {engine.log.log_id} is up to date.")  # noqa: T201
        unbuilt = await _unbuilt(engine)
    if unbuilt:
        await rebuild(settings)
        print(f"{FOLLOWER} is built.")  # noqa: T201


async def _unbuilt(engine: Engine) -> bool:
    """Whether there is a log, and this release has followed none of it."""
    live = await (await open_leases(engine)).state(FOLLOWER)
    return live is not None and not live.position and await engine.log.head() > 0
