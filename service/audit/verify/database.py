"""The verification of a store: its log, its tree and checkpoints, and the read models that are built from it."""

import asyncio
from collections.abc import Mapping, Sequence, Set
from typing import Final

from projections.follower_state import FollowerState
from projections.tiles import Tiles
from service.audit.checkpoints import Checkpoints
from service.audit.notes import Verifier
from service.audit.verify.derived import Derived
from service.audit.verify.findings import Fault, Findings, events
from service.audit.verify.identity import check_identity, kept_keys
from service.audit.verify.live_rows import LiveRows
from service.audit.verify.log_walk import PART, LogWalk
from service.audit.verify.malformed import malformed
from service.audit.verify.report import Summary
from service.audit.verify.told import Row
from service.audit.verify.trust import Claims, Trust
from service.engines import Engine, open_engine
from service.progress import progress
from service.settings import Settings
from service.store.identity import NotALog
from service.store.log import Log, Plain

MAX_HOLE: Final = 1_000_000
"""Positions that may be missing at once; what comes after more of them is not looked at."""
STATEMENT_SECONDS: Final = 600.0
"""What one statement may take: some look at a whole table."""


async def verify_store(settings: Settings, keys: Sequence[Verifier], notes: Sequence[str]) -> tuple[Summary, Findings]:
    """`keys` to trust in place of those that are kept there, `notes`: checkpoints that somebody kept elsewhere."""
    patient = settings.model_copy(update={"database_timeout": STATEMENT_SECONDS})
    try:
        async with open_engine(patient, writing=False) as engine:
            return await verify_engine(engine, keys, notes)
    except NotALog as error:
        findings = Findings()
        findings.add([Fault("LOG_CONTRADICTED", f"{error}: nothing else was looked at")])
        return Summary("a log that does not say which it is", 0, 0, 0), findings


async def verify_engine(engine: Engine, keys: Sequence[Verifier], notes: Sequence[str]) -> tuple[Summary, Findings]:
    """Of a store that is open. Where events have values that cannot be read, once more without them."""
    left_out: dict[int, Fault] = {}
    while True:
        findings = Findings(left_out.values())
        try:
            return await _once(engine, keys, notes, findings, left_out.keys()), findings
        except Exception:  # each driver and each value has one of its own
            faults = {fault.first: fault for fault in await malformed(engine.log)}
            if faults.keys() <= left_out.keys():
                raise
        left_out |= faults
        engine.log.leave_out(left_out.keys())


async def _once(
    engine: Engine, keys: Sequence[Verifier], notes: Sequence[str], findings: Findings, left_out: Set[int]
) -> Summary:
    derived = Derived(engine, findings)
    await derived.look()
    checkpoints = Checkpoints(engine.kept)
    kept = await kept_keys(checkpoints, findings)
    await check_identity(await engine.log.identity(), checkpoints, kept, findings)
    trust = Trust(findings, keys or kept)
    claims = [claim for note in notes if (claim := trust.claim(note, "the checkpoint that was given")) is not None]
    rows = LiveRows(engine, derived.leases, findings, derived.models)
    summary = await _walk(engine, derived.tree, findings, Claims(checkpoints, trust, claims), rows, left_out)
    await rows.end(summary)
    return summary


async def _walk(
    engine: Engine, state: FollowerState | None, findings: Findings, claims: Claims, rows: LiveRows, left_out: Set[int]
) -> Summary:
    """`state` of the tree, read before the head: the tree of this history is never ahead of the log."""
    generation, size = (1, 0) if state is None else (state.generation, state.position)
    tiles = Tiles(engine.database.dialect, generation)
    head = await engine.log.head()

    async def read(level: int, first: int, count: int) -> Mapping[int, bytes]:
        return dict(await tiles.of_level(engine.database, level, first, count)) if size else {}

    walk = LogWalk(findings, engine.log.leaves, read, size, left_out)

    async def part(after: int) -> tuple[Sequence[Plain], Sequence[Row]]:
        last = min(after + PART, head)
        found = [row for row in await engine.log.plain(after, last - after) if row[0] <= last]
        return found, await rows.past(found, after + 1, last)

    aggregates = 0
    coming: asyncio.Task[tuple[Sequence[Plain], Sequence[Row]]] | None = None
    try:
        with progress("events in order", head) as done:
            while walk.position < head:
                there, past = await (coming or part(walk.position))
                if not there and (hole := await _hole(engine.log, walk.position)):
                    findings.add([hole])
                    head = walk.position
                    break
                if engine.apart:  # elsewhere the interpreter goes to and fro between the two, and both are late
                    coming = asyncio.create_task(part(walk.next(head)))
                await walk.part(head, await claims.upto(walk.next(head)), there)
                await rows.part(there, past)
                aggregates += [row[2] for row in there].count(0)
                done(walk.position)
    finally:
        if coming is not None:
            coming.cancel()
    walk.end(head, await claims.upto(None))
    return Summary(_name(engine), head, size, claims.count, aggregates)


def _name(engine: Engine) -> str:
    return f"the log {engine.log.log_id}"


async def _hole(log: Log, after: int) -> Fault | None:
    """Where more is missing than can be gone through, as one position near the greatest of all makes it."""
    beyond = (await log.plain(after, 1))[0][0]
    if beyond - after <= MAX_HOLE:
        return None
    return events("EVENTS_MISSING", after + 1, beyond - 1, "missing; what comes after them is not looked at")
