"""Events with values that nothing which appends would write, so that nothing can read them either."""

from service.audit.verify.findings import MAX_LISTED, Fault, events
from service.store.log import Log


async def malformed(log: Log) -> list[Fault]:
    """Looks at the whole log, slowly: for when reading has failed."""
    return [
        events("EVENT_ALTERED", position, position, f"altered: its {column} has a form that no event gives it")
        for position, column in await log.malformed(MAX_LISTED)
    ]
