"""The verification of a store: its log, its tree and checkpoints, and the read models that are built from it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from projections.lease import Leases
from service.audit.checkpoints import Checkpoints
from service.audit.notes import NoteInvalid, Verifier
from service.audit.tree import Tree
from service.audit.verify.findings import Fault, Findings
from service.audit.verify.live_rows import LiveRows
from service.audit.verify.log_walk import PART, LogWalk
from service.audit.verify.report import Summary
from service.audit.verify.told import Row
from service.audit.verify.trust import Claims, Trust
from service.engines import Engine, open_engine
from service.leases import open_leases
from service.progress import progress
from service.settings import Settings
from service.store.log import Plain

STATEMENT_SECONDS: Final = 600.0
"""What one statement may take: some look at a whole table."""


async def verify_store(settings: Settings, keys: Sequence[Verifier], notes: Sequence[str]) -> tuple[Summary, Findings]:
    """`keys` to trust in place of those that are kept there, `notes`: checkpoints that somebody kept elsewhere."""
    patient = settings.model_copy(update={"database_timeout": STATEMENT_SECONDS})
    findings = Findings()
    async with open_engine(patient, writing=False) as engine:
        leases = await open_leases(engine)
        checkpoints = Checkpoints(engine.kept)
        trust = Trust(findings, keys or await _kept_keys(checkpoints, findings))
        claims = [claim for note in notes if (claim := trust.claim(note, "the checkpoint that was given")) is not None]
        rows = await LiveRows.open(engine, leases, findings)
        summary = await _walk(engine, leases, findings, Claims(checkpoints, trust, claims), rows)
        await rows.end(summary)
    return summary, findings


async def _kept_keys(checkpoints: Checkpoints, findings: Findings) -> list[Verifier]:
    try:
        return await checkpoints.keys()
    except NoteInvalid as error:
        findings.add([Fault("KEY_INVALID", f"a key that is kept beside the log: {error}")])
        return []


async def _walk(engine: Engine, leases: Leases, findings: Findings, claims: Claims, rows: LiveRows) -> Summary:
    tree = Tree(engine.database, leases, str(engine.log.log_id))
    size = await tree.size()  # before the head: the tree is never ahead of the log
    head = await engine.log.head()
    tiles = await tree.tiles()

    async def read(level: int, first: int, count: int) -> Mapping[int, bytes]:
        return dict(await tiles.of_level(engine.database, level, first, count)) if size else {}

    walk = LogWalk(findings, engine.log.leaves, read, size)

    async def part(after: int) -> tuple[Sequence[Plain], Sequence[Row]]:
        last = min(after + PART, head)
        found = [row for row in await engine.log.plain(after, last - after) if row[0] <= last]
        return found, await rows.past(found, after + 1, last)

    aggregates = 0
    coming: asyncio.Task[tuple[Sequence[Plain], Sequence[Row]]] | None = None
    try:
        with progress("events in order", head) as done:
            while walk.position < head:
                events, past = await (coming or part(walk.position))
                if engine.apart:  # elsewhere the interpreter goes to and fro between the two, and both are late
                    coming = asyncio.create_task(part(walk.next(head)))
                await walk.part(head, await claims.upto(walk.next(head)), events)
                await rows.part(events, past)
                aggregates += [row[2] for row in events].count(0)
                done(walk.position)
    finally:
        if coming is not None:
            coming.cancel()
    walk.end(head, await claims.upto(None))
    return Summary(f"the log {engine.log.log_id}", head, size, claims.count, aggregates)
