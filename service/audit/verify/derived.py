"""What has been built from the log: whether it is there, of this log, and defined as this release defines it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from projections import applied_events, follower_state, generations
from projections.audit_tree import FOLLOWER as TREE
from projections.follower_state import FollowerState
from projections.lease import Leases
from projections.read_models import FOLLOWER as READ_MODELS
from projections.read_models import VERSION
from projections.stream import FOLLOWER as PUBLISHER
from projections.tiles import HASH_BYTES, TILE, Tiles
from service.audit.checkpoint import origin_of
from service.audit.checkpoints import Checkpoints
from service.audit.verify.findings import Fault, Findings
from service.engines import Engine
from service.generations import read_models
from service.store.definitions import tables_in

_OURS: Final = (READ_MODELS, TREE, PUBLISHER)
LOOKS: Final = 100
"""How often the tree's size is looked at while it grows."""


def statements_of(engine: Engine, models: int | None, tree: int | None) -> list[str]:
    """What made the tables of the followers, and those of these generations."""
    dialect = engine.database.dialect
    made = [sql for kind in (follower_state, applied_events, generations) for sql in kind.tables(dialect)]
    if models is not None:
        made += [*read_models(engine, models).tables(), *read_models(engine, models).indexes()]
    return made + (Tiles(dialect, tree).tables() if tree is not None else [])


class Derived:
    """`models`, `tree`: the followers' rows, None where there is nothing of this log to compare with."""

    models: FollowerState | None = None
    tree: FollowerState | None = None

    def __init__(self, engine: Engine, findings: Findings) -> None:
        self._engine, self._findings = engine, findings
        self._head = 0
        self.leases = Leases(engine.database, "", engine.log)

    async def look(self) -> None:
        """Find what is wrong before any row is compared; nothing is made or mended."""
        names = {name for (name,) in await self._engine.database.fetch(self._engine.database.dialect.table_names)}
        followers = tables_in(statements_of(self._engine, None, None))
        signed = await self._signed()
        self._head = await self._engine.log.head()
        if not names & followers and not signed:  # nothing was ever built from this log
            self._findings.add(Fault("SCHEMA_ALTERED", text) for text in await self._engine.misdefined([]))
            self._findings.note("there are no read models of this log: none are compared")
            return
        states = await self._states() if followers <= names else {}
        models, tree = states.get(READ_MODELS), states.get(TREE)
        if models is not None and not models.position and not names & tables_in(self._made_by(models)):
            models = None  # its row comes before its tables
        generations_of = (None if one is None else one.generation for one in (models, tree))
        statements = statements_of(self._engine, *generations_of)
        self._findings.add(Fault("SCHEMA_ALTERED", text) for text in await self._engine.misdefined(statements))
        self._findings.add(self._missing(names, states, signed=signed))
        self._findings.add(await self._of_another_log(states))
        if followers <= names:
            self._findings.add(await self._bookkeeping_at_one_moment(names, states))
        for one in (models, tree):
            if one is not None and not tables_in(self._made_by(one)) <= names:
                text = f"followers: {one.name} goes on with generation {one.generation}, whose tables are not all there"
                self._findings.add([Fault("NOT_COMPARED", f"{text}: it was not compared")])
        own, there = str(self._engine.log.log_id), tables_in(statements) <= names
        self.models = models if there and models is not None and models.log_id == own else None
        self.tree = tree if there and tree is not None and tree.log_id == own else None
        if self.models is None:
            self._findings.note("there are no read models of this log: none are compared")
        if self.tree is not None:
            await self._check_size(self.tree)

    async def _states(self) -> dict[str, FollowerState]:
        """Those that can be read; SQLite keeps whatever it is given."""
        found = {}
        for state in await self.leases.states():
            if type(state.generation) is int and type(state.position) is int and state.position >= 0:
                found[state.name] = state
            else:
                text = f"followers: {state.name} is at {state.position!r} of generation {state.generation!r}"
                self._findings.add([Fault("NOT_COMPARED", f"{text}; what it built was not compared")])
        return found

    async def _signed(self) -> bool:
        origins = await Checkpoints(self._engine.kept).origins()
        return origin_of(self._engine.log.log_id) in origins

    def _missing(self, names: set[str], states: Mapping[str, FollowerState], *, signed: bool) -> Iterator[Fault]:
        """Followers without a row, though what they built is there, or must have been."""
        built = any(f"_v{VERSION}_" in name for name in names)
        treed = signed or any(name.startswith("audit_tiles_") for name in names)
        for follower, there in ((READ_MODELS, built), (TREE, treed)):
            if there and follower not in states:
                yield Fault("NOT_COMPARED", f"followers: {follower} has no row; what it built was not compared")

    async def _of_another_log(self, states: Mapping[str, FollowerState]) -> Sequence[Fault]:
        found = []
        for name in _OURS:
            if (state := states.get(name)) is None:
                continue
            problem = await self.leases.disagreement(state)
            if problem:
                found.append(Fault("NOT_COMPARED", f"followers, applied_events: {name}: {problem}"))
        return found

    async def _check_size(self, state: FollowerState) -> None:
        """The tree and its follower's position are written together, every tile full but the last of each level."""
        tiles = Tiles(self._engine.database.dialect, state.generation)
        for _ in range(LOOKS):
            found = await self._engine.database.fetch(
                f"""SELECT level, count(*), max(number), CAST(sum(length(hashes)) AS bigint) FROM {tiles.table}
                    GROUP BY level ORDER BY level"""  # noqa: S608 - a name of our own
            )
            now = await self.leases.state(TREE)
            if now is None or now.generation != state.generation:
                return
            if now.position == state.position:
                differing = {*map(tuple, found)} ^ {*_levels(state.position)}
                levels = sorted({str(level) for level, *_ in differing})
                text = f"the tree is not as large as followers says, {state.position}: level {', '.join(levels)}"
                self._findings.add([Fault("TREE_ALTERED", text)] if differing else [])
                return
            state = now

    async def _bookkeeping_at_one_moment(self, names: set[str], states: dict[str, FollowerState]) -> list[Fault]:
        """While followers go on, positions are read again until they stand still for so long."""
        found: list[Fault] = []
        for _ in range(LOOKS):
            found = await self._bookkeeping(names, states)
            now = {state.name: state for state in await self.leases.states()}
            if not found or _positions(now) == _positions(states):
                break
            states = now
        return found

    def _made_by(self, state: FollowerState) -> list[str]:
        dialect = self._engine.database.dialect
        if state.name == TREE:
            return Tiles(dialect, state.generation).tables()
        return read_models(self._engine, state.generation).tables()

    async def _bookkeeping(self, names: set[str], states: Mapping[str, FollowerState]) -> list[Fault]:
        """What is written down beside the followers' positions: of them, and of tables that are there."""
        found = []
        kept = await self._engine.database.fetch("SELECT follower, generation, position, log_id FROM kept_generations")
        for follower, generation, position, log_id in kept:
            right = (
                follower in states and f"incidents_v{VERSION}_{generation}" in names and position <= self._head
                and log_id == str(self._engine.log.log_id)
            )  # fmt: skip
            if follower == READ_MODELS and not right:
                found.append(f"kept_generations: generation {generation} of {follower}, at {position} of log {log_id}")
            elif follower not in states:
                found.append(f"kept_generations: {follower} is no follower")
        known = {(follower, generation): position for follower, generation, position, _ in kept}
        for follower, generation in await self._engine.database.fetch("SELECT follower, generation FROM keeping_times"):
            if (follower, generation) not in known:
                found.append(f"keeping_times: generation {generation} of {follower} is not kept")
        for follower, generation, position, digest in await self._engine.database.fetch(
            "SELECT follower, generation, position, digest FROM applied_events"
        ):
            state = states.get(follower)
            if state is None:
                found.append(f"applied_events: {follower} is no follower")
            elif generation != state.generation:
                at = known.get((follower, generation))
                if at is None:
                    found.append(f"applied_events: {follower} has no generation {generation}")
                elif at != position:
                    text = f"kept_generations and applied_events: generation {generation} of {follower}"
                    found.append(f"{text} is at {at}, or at {position}")
                elif (await self._engine.log.digests([position])).get(position, ("", b""))[1].hex() != digest:
                    found.append(f"applied_events: generation {generation} of {follower} had another event")
            elif position != state.position:
                found.append(f"applied_events says that {follower} is at {position}, followers at {state.position}")
        return [Fault("BOOKS_ALTERED", text) for text in found]


def _levels(size: int) -> Iterator[tuple[int, int, int, int]]:
    """Of each level that a tree of this size has: its tiles, the number of the last, and all their bytes."""
    level = 0
    while size:
        tiles = -(-size // TILE)
        yield level, tiles, tiles - 1, size * HASH_BYTES
        level, size = level + 1, size // TILE


def _positions(states: Mapping[str, FollowerState]) -> list[tuple[str, int, int]]:
    return [(state.name, state.generation, state.position) for state in states.values()]
