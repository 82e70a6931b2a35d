"""`ims migrate`: the schema alone, by a user who owns it, so that the service can run as one who does not."""

from service.engines import open_engine
from service.settings import Settings


async def migrate(settings: Settings) -> None:
    """Raises Unreachable, SchemaTooNew, InUse."""
    async with open_engine(settings) as engine:
        print(f"The schema of log {engine.log.log_id} is up to date.")  # noqa: T201
