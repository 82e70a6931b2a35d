"""`ims audit import`: an export becomes the log of an empty store, the same positions, times and digests."""

from collections.abc import AsyncIterable, AsyncIterator, Callable
from itertools import islice
from pathlib import Path
from uuid import UUID

from projections.lease import Leases
from service.audit.export_file import ExportFile
from service.audit.outcome import tell
from service.audit.soundness import Soundness
from service.engines import Engine, open_engine
from service.leases import idle_leases
from service.progress import progress
from service.settings import Settings
from service.store.errors import NotEmpty
from service.store.feed import READ_EVENTS
from service.store.log import Row

_HINT = "import into a store without events: another IMS_DATABASE_URL, IMS_DATABASE_SCHEMA or IMS_DATA_DIR"


async def load(settings: Settings, path: Path, *, json: bool = False) -> None:
    """All of it or nothing; the service builds its read models when it starts.

    Raises ExportDamaged, NotEmpty, NotALog, InUse, Unavailable, OSError.
    """
    async with open_engine(settings) as engine:
        with ExportFile.open(path) as file, progress("events", file.header.last) as done:
            header = file.header
            formerly = None if header.formerly is ... else header.formerly
            await fill(engine, _sound(file, done), header.log_id, restored=header.restored, formerly=formerly)
    tell(file.header.log_id, file.closing.rows, file.closing.root, json=json)


async def fill(
    engine: Engine, batches: AsyncIterable[list[Row]], log_id: UUID, *, restored: bool, formerly: UUID | None
) -> None:
    """Raises NotEmpty with a word on what to do, NotALog, InUse, Unavailable, and what `batches` raises."""
    async with idle_leases(engine) as leases:
        await _forget_followers(engine, leases)
        try:
            await engine.log.load(batches, log_id, restored=restored, formerly=formerly)
        except NotEmpty:
            raise NotEmpty(f"the log has events: {_HINT}") from None


async def _forget_followers(engine: Engine, leases: Leases) -> None:
    """What follows the empty log begins anew with the one that is loaded."""
    states = await leases.states()
    for state in states:
        if state.position or state.log_id != str(engine.log.log_id):
            raise NotEmpty(f"{state.name} was built from another log: {_HINT}")
    for state in states:
        await leases.forget(state.name)


async def _sound(file: ExportFile, done: Callable[[int], None]) -> AsyncIterator[list[Row]]:
    """The rows by parts, each judged before it is loaded. Raises ExportDamaged."""
    soundness, rows = Soundness(file.header), file.rows()
    while batch := list(islice(rows, READ_EVENTS)):
        soundness.judge(batch)
        yield batch
        done(batch[-1].position)
    soundness.end(file.closing)
