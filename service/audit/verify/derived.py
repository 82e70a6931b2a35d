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
        self.leases = Leases(engine.database, "", engine.log)

    async def look(self) -> None:
        """Find what is wrong before any row is compared; nothing is made or mended."""
        names = {name for (name,) in await self._engine.database.fetch(self._engine.database.dialect.table_names)}
        followers = tables_in(statements_of(self._engine, None, None))
        signed = await self._signed()
        if not names & followers and not signed:  # nothing was ever built from this log
            self._findings.add(Fault("SCHEMA_ALTERED", text) for text in await self._engine.misdefined([]))
            self._findings.note("there are no read models of this log: none are compared")
            return
        states = await self._states() if followers <= names else {}
        models, tree = states.get(READ_MODELS), states.get(TREE)
        if models is not None and not models.position and not names & tables_in(_made_by(self._engine, models)):
            models = None  # its row comes before its tables
        generations_of = (None if one is None else one.generation for one in (models, tree))
        statements = statements_of(self._engine, *generations_of)
        self._findings.add(Fault("SCHEMA_ALTERED", text) for text in await self._engine.misdefined(statements))
        self._findings.add(self._missing(names, states, signed=signed))
        self._findings.add(await self._of_another_log(states))
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
        """The tree and its follower's position are written together."""
        tiles = Tiles(self._engine.database.dialect, state.generation)
        for _ in range(LOOKS):
            found = await self._engine.database.fetch(
                f"""SELECT number, length(hashes) FROM {tiles.table} WHERE level = 0 ORDER BY number DESC LIMIT 1"""  # noqa: S608 - a name of our own
            )
            size = found[0][0] * TILE + found[0][1] // HASH_BYTES if found else 0
            now = await self.leases.state(TREE)
            if size == state.position or now is None:
                return
            if now.position == state.position:
                text = f"the tree has {size} leaves, where followers says {state.position}"
                self._findings.add([Fault("TREE_ALTERED", text)])
                return
            state = now


def _made_by(engine: Engine, state: FollowerState) -> list[str]:
    return read_models(engine, state.generation).tables()
