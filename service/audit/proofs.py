"""Proofs about the log for whoever asks over HTTP: that an event is in it, and that it only ever grew."""

from typing import NamedTuple

from projections import merkle
from projections.leaves import Leaf
from service.audit.checkpoint import Checkpoint, origin_of
from service.audit.checkpoints import Checkpoints
from service.audit.errors import CheckpointPending, SizeUnknown, TreeDiverged
from service.audit.notary import Notary
from service.audit.tree import Tree
from service.store.feed import Feed
from service.store.log import Log


class Inclusion(NamedTuple):
    """Leaf `position` − 1 of the tree that the checkpoint is of."""

    leaf: Leaf
    hashes: list[bytes]
    checkpoint: Checkpoint


class Consistency(NamedTuple):
    old_root: bytes
    new_root: bytes
    hashes: list[bytes]


class Proofs:
    """`notary` is None where this process does not sign: then the newest checkpoint that is kept must do."""

    def __init__(self, log: Log, feed: Feed, tree: Tree, checkpoints: Checkpoints, notary: Notary | None) -> None:
        self._log, self._feed, self._tree = log, feed, tree
        self._checkpoints, self._notary = checkpoints, notary

    async def checkpoint(self) -> Checkpoint:
        """One that covers all that this process knows of, where it signs. Raises CheckpointPending, TreeDiverged."""
        return await self._covering(self._feed.head.value)

    async def inclusion(self, tenant_id: str, position: int) -> Inclusion | None:
        """None where the tenant has no such event. Raises CheckpointPending, TreeDiverged."""
        found = await self._log.leaves(position - 1, 1)
        if not found or found[0].position != position or found[0].tenant_id != tenant_id:
            return None
        (leaf,) = found
        checkpoint = await self._checkpoints.newest(origin_of(self._log.log_id))
        if checkpoint is None or checkpoint.size < position:
            checkpoint = await self._covering(position)
            if checkpoint.size < position:
                raise CheckpointPending
        index, size = position - 1, checkpoint.size
        try:
            hashes = merkle.inclusion(index, size, await self._tree.nodes(size, index))
            merkle.check_inclusion(leaf.hash, index, size, hashes, checkpoint.root)
        except (LookupError, merkle.NotProven) as error:
            raise TreeDiverged(f"event {position} cannot be proven: {error}") from error
        return Inclusion(leaf, hashes, checkpoint)

    async def consistency(self, old: int, new: int) -> Consistency:
        """Between two sizes, 1 ≤ old ≤ new. Raises SizeUnknown, TreeDiverged."""
        size = await self._tree.size()
        if new > size:
            raise SizeUnknown(size)
        nodes = await self._tree.nodes(new, old - 1)
        try:
            return Consistency(merkle.root(old, nodes), merkle.root(new, nodes), merkle.consistency(old, new, nodes))
        except LookupError as error:
            raise TreeDiverged(str(error)) from error

    async def keys(self) -> list[str]:
        return [key.text for key in await self._checkpoints.keys()]

    async def _covering(self, size: int) -> Checkpoint:
        if self._notary is not None:
            return await self._notary.covering(size)
        newest = await self._checkpoints.newest(origin_of(self._log.log_id))
        if newest is None:
            raise CheckpointPending
        return newest
