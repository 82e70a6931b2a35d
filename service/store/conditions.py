"""What a database must be so that what is recorded in it stays true, as data: looked at first, then watched."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from service.store.errors import Unsuitable


class Weight(IntEnum):
    """What becomes of a process whose database does not meet a condition."""

    WARNS = 1
    REFUSES_WRITES = 2
    REFUSES_START = 3
    """And writes, where it is no longer met while the process runs."""


@dataclass(frozen=True)
class Condition:
    """`must`: what is wanted, after "must be"; `do`: how an operator brings it about."""

    name: str
    must: str
    do: str
    weight: Weight


class Finding(NamedTuple):
    """`found`: what is there, in words."""

    condition: Condition
    met: bool
    found: str

    @property
    def text(self) -> str:
        return f"{self.found}. It must be {self.condition.must}. {self.condition.do}"


def require(findings: Iterable[Finding]) -> None:
    """Raises Unsuitable for the first one that keeps a process from starting."""
    for finding in findings:
        if not finding.met and finding.condition.weight is Weight.REFUSES_START:
            raise Unsuitable(finding.text)
