"""The verification of a store: its log, its tree and checkpoints, and the read models that are built from it."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final

from projections.lease import Leases
from projections.read_models import FOLLOWER
from service.app import open_leases, read_models
from service.audit.checkpoints import Checkpoints
from service.audit.notes import NoteInvalid, Verifier
from service.audit.tree import Tree
from service.audit.verify.aggregate_walk import AggregateWalk
from service.audit.verify.comparison import Comparison
from service.audit.verify.findings import Fault, Findings
from service.audit.verify.log_walk import LogWalk
from service.audit.verify.rebuilt import Rebuilt
from service.audit.verify.report import Summary
from service.audit.verify.totals import Totals
from service.audit.verify.trust import Claims, Trust
from service.engines import Engine, open_engine
from service.progress import progress
from service.settings import Settings

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
        summary = await _walk_log(engine, leases, findings, Claims(checkpoints, trust, claims))
        await _walk_aggregates(engine, leases, findings, summary)
    return summary, findings


async def _kept_keys(checkpoints: Checkpoints, findings: Findings) -> list[Verifier]:
    try:
        return await checkpoints.keys()
    except NoteInvalid as error:
        findings.add([Fault("KEY_INVALID", f"a key that is kept beside the log: {error}")])
        return []


async def _walk_log(engine: Engine, leases: Leases, findings: Findings, claims: Claims) -> Summary:
    tree = Tree(engine.database, leases, str(engine.log.log_id))
    size = await tree.size()  # before the head: the tree is never ahead of the log
    head = await engine.log.head()
    tiles = await tree.tiles()

    async def read(level: int, first: int, count: int) -> Mapping[int, bytes]:
        return dict(await tiles.of_level(engine.database, level, first, count)) if size else {}

    walk = LogWalk(findings, engine.log.leaves, read, size)
    with progress("events in order", head) as done:
        while walk.position < head:
            await walk.part(head, await claims.upto(walk.next(head)))
            done(walk.position)
    walk.end(head, await claims.upto(None))
    return Summary(f"the log {engine.log.log_id}", head, size, claims.count)


async def _walk_aggregates(engine: Engine, leases: Leases, findings: Findings, summary: Summary) -> None:
    async def position() -> int:
        state = await leases.state(FOLLOWER)
        return 0 if state is None else state.position

    state = await leases.state(FOLLOWER)
    async with AsyncExitStack() as opened:
        comparison = None
        if state is None or state.log_id != str(engine.log.log_id):
            findings.note("there are no read models of this log: none are compared")
        else:
            models = read_models(engine, state.generation)
            await engine.database.define(models.tables())
            rebuilt = await opened.enter_async_context(Rebuilt.open())
            comparison = Comparison(engine.database, models, rebuilt)
        walk = AggregateWalk(findings, engine.log, comparison, position)
        with progress("events by aggregate", summary.events) as done:
            await walk.run(done)
        summary.aggregates = walk.aggregates
        if comparison is not None and state is not None:
            totals = Totals(findings, engine.log, engine.database, models)
            await totals.check_counts()
            summary.rows = await totals.check_owners(state.position, comparison.matched)
