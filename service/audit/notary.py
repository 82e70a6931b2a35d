"""Whoever signs: a checkpoint now and then, and when somebody asks. Never one that contradicts those before it."""

import asyncio

import structlog

from projections import merkle
from projections.database import Unavailable
from projections.follower import Follower
from projections.leaves import Leaf
from service.audit.checkpoint import Checkpoint, signed
from service.audit.checkpoints import Checkpoints
from service.audit.errors import CheckpointPending, TreeDiverged
from service.audit.notes import NoteInvalid, Signer
from service.audit.tree import Tree

_log = structlog.get_logger(__name__)


class Notary:
    """`interval`: seconds between two checkpoints. `timeout`: seconds the tree has to reach what is asked for.

    `follower` is what builds the tree in this process, if none in another one does.
    """

    def __init__(
        self,
        tree: Tree,
        checkpoints: Checkpoints,
        signer: Signer,
        follower: Follower[Leaf],
        interval: float,
        timeout: float,
    ) -> None:
        self._tree, self._checkpoints, self._signer, self._follower = tree, checkpoints, signer, follower
        self._interval, self._timeout = interval, timeout
        self.refusal = ""
        """Why the last checkpoint was not signed; empty where it was."""

    async def run(self) -> None:
        """Sign for ever; of many processes only the one that builds the tree."""
        while True:
            await asyncio.sleep(self._interval)
            if not self._follower.holding:
                continue
            try:
                await self.sign()
            except (Unavailable, TreeDiverged) as error:
                _log.error("checkpoint_not_signed", reason=str(error))

    async def covering(self, size: int) -> Checkpoint:
        """One of at least this size, signed now where there is none. Raises CheckpointPending, TreeDiverged."""
        newest = await self._checkpoints.newest(self._signer.verifier.name)
        if newest is not None and newest.size >= size:
            return newest
        self._follower.hurry()
        if not await self._tree.reach(size, self._timeout):
            raise CheckpointPending
        return await self.sign()

    async def sign(self) -> Checkpoint:
        """Of the tree as it is now; the newest one where it has not grown since. Raises TreeDiverged."""
        try:
            made = await self._signed()
        except TreeDiverged as error:
            self.refusal = str(error)
            raise
        self.refusal = ""
        return made

    async def _signed(self) -> Checkpoint:
        size = await self._tree.size()
        try:
            newest = await self._checkpoints.newest(self._signer.verifier.name)
            if newest is not None and newest.size >= size:
                return newest
            before = () if newest is None or not newest.size else (newest.size - 1,)
            nodes = await self._tree.nodes(size, *before)
            if newest is not None and merkle.root(newest.size, nodes) != newest.root:
                raise TreeDiverged(f"the tree does not begin with its checkpoint of {newest.size} events")
            made = signed(self._signer, size, merkle.root(size, nodes))
        except (LookupError, NoteInvalid) as error:
            raise TreeDiverged(str(error)) from error
        await self._checkpoints.add(made)
        return made
