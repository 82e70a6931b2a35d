"""What a leaf of the audit tree says of an event: the columns that prove it, as text that has one reading.

Eight lines, each ended by a line feed:

    ims-event/1
    position           decimal
    tenant id
    aggregate id       32 hexadecimal digits, lower case
    aggregate version  decimal
    topic
    recorded at        microseconds since 1970, decimal
    digest             SHA-256(salt ‖ state), 64 hexadecimal digits, lower case

No tenant id and no topic holds a line feed, so whatever has eight lines can be read in one way only.
"""

from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from domain.erased import Erased
from domain.event import Recorded

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Leaf(NamedTuple):
    """`aggregate_id` is 32 hexadecimal digits, `recorded_at` microseconds since 1970."""

    position: int
    tenant_id: str
    aggregate_id: str
    version: int
    topic: str
    recorded_at: int
    digest: bytes

    @property
    def text(self) -> str:
        return (
            f"ims-event/1\n{self.position}\n{self.tenant_id}\n{self.aggregate_id}\n{self.version}\n{self.topic}\n"
            f"{self.recorded_at}\n{self.digest.hex()}\n"
        )

    @property
    def hash(self) -> bytes:
        return leaf_hash(*self)


def leaf_hash(
    position: int, tenant_id: str, aggregate_id: str, version: int, topic: str, recorded_at: int, digest: bytes
) -> bytes:
    """As RFC 6962 hashes a leaf; written out, for logs are long."""
    return sha256(
        f"\0ims-event/1\n{position}\n{tenant_id}\n{aggregate_id}\n{version}\n{topic}\n{recorded_at}\n"
        f"{digest.hex()}\n".encode()
    ).digest()


def leaf_of(fact: Recorded | Erased) -> Leaf:
    """What was erased has the same leaf as before."""
    told = fact if isinstance(fact, Erased) else fact.event
    topic = fact.topic if isinstance(fact, Erased) else fact.event.TOPIC
    return Leaf(
        fact.position,
        told.tenant_id,
        told.originator_id.hex,
        told.originator_version,
        topic,
        microseconds_of(fact.recorded_at),
        fact.digest,
    )


def microseconds_of(at: datetime) -> int:
    """Since 1970, exact."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
