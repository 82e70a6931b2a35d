"""The verifier in the background: a few events a second, round and round, against their digests and the tree."""

import asyncio
from collections.abc import Sequence

import structlog

from projections.database import Unavailable
from service.audit.errors import TreeDiverged
from service.audit.tree import Tree
from service.audit.verify.contents import UNSOUND, is_whole, leaf_of_row
from service.audit.verify.erasures import Erasures
from service.audit.verify.findings import Findings
from service.audit.verify.log_walk import leaves_of_tree
from service.audit.verify.malformed import malformed
from service.audit.verify.places import differ, named
from service.store.log import Log, Row

TICK_SECONDS = 1.0

_log = structlog.get_logger(__name__)


class Sampler:
    """`rate`: events a second. What it finds stays in `divergence` until a whole round found nothing."""

    def __init__(self, log: Log, tree: Tree, rate: int) -> None:
        self._log, self._tree, self._rate = log, tree, rate
        self._found_in_round = False
        self.position = 0
        """The last one that was looked at."""
        self.rounds = 0
        self.divergence = ""

    async def run(self) -> None:
        while True:
            try:
                await self.look()
            except Unavailable as error:
                _log.warning("verifier_waits", error=str(error))
            await asyncio.sleep(TICK_SECONDS)

    async def look(self) -> None:
        """At the next events; at the end of the tree it goes on with the first."""
        try:
            size = await self._tree.size()
        except TreeDiverged as error:
            self._diverged([str(error)])
            return
        first, last = self.position + 1, min(self.position + self._rate, size)
        if first > last:
            self._end_round()
            return
        try:
            faults = await self._faults(first, last)
        except UNSOUND:
            faults = [fault.text for fault in await malformed(self._log)]
            if not faults:
                raise
        if faults:
            self._diverged(faults)
        self.position = last

    def _diverged(self, faults: Sequence[str]) -> None:
        self._found_in_round = True
        self.divergence = faults[0]
        _log.error("log_diverged", faults=faults[:10], advice="run `ims audit verify`")

    async def _faults(self, first: int, last: int) -> list[str]:
        rows = [row for row in await self._log.read(first - 1, self._rate) if row.position <= last]
        if len(rows) <= last - first and (unreadable := await malformed(self._log)):
            return [fault.text for fault in unreadable]
        leaves = {row.position: leaf_of_row(row) for row in rows}
        tree = await leaves_of_tree(self._tree.of_level, first, last)
        faults = await self._contents(rows)
        if differ({position: leaf.hash for position, leaf in leaves.items()}, tree, first, last):
            faults += [fault.text for fault in named(leaves, tree, first, last)]
        return faults

    async def _contents(self, rows: Sequence[Row]) -> list[str]:
        faults = []
        for row in rows:
            if is_whole(row):
                continue
            erasures = Erasures(Findings())
            erasures.altered(row)
            for later in await self._log.stream(row.originator_id, row.originator_version):
                if is_whole(later):
                    erasures.whole(later)
            faults += [fault.text for fault in erasures.end()]
        return faults

    def _end_round(self) -> None:
        if self.position:
            self.rounds += 1
            if not self._found_in_round:
                self.divergence = ""
        self._found_in_round = False
        self.position = 0
