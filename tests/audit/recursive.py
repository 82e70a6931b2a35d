"""RFC 6962, section 2.1, as it stands there: recursive, over the leaves' data, nothing stored. It shares no line with
the service."""

from collections.abc import Sequence
from hashlib import sha256

Data = Sequence[bytes]


def mth(d: Data) -> bytes:
    """Merkle Tree Hash."""
    n = len(d)
    if n == 0:
        return sha256(b"").digest()
    if n == 1:
        return sha256(b"\x00" + d[0]).digest()
    k = split(n)
    return sha256(b"\x01" + mth(d[:k]) + mth(d[k:])).digest()


def path(m: int, d: Data) -> list[bytes]:
    """PATH(m, D[n]), section 2.1.1."""
    n = len(d)
    if n == 1:
        return []
    k = split(n)
    return [*path(m, d[:k]), mth(d[k:])] if m < k else [*path(m - k, d[k:]), mth(d[:k])]


def proof(m: int, d: Data) -> list[bytes]:
    """PROOF(m, D[n]), section 2.1.2."""
    return subproof(m, d, complete=True)


def subproof(m: int, d: Data, *, complete: bool) -> list[bytes]:
    n = len(d)
    if m == n:
        return [] if complete else [mth(d)]
    k = split(n)
    if m <= k:
        return [*subproof(m, d[:k], complete=complete), mth(d[k:])]
    return [*subproof(m - k, d[k:], complete=False), mth(d[:k])]


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def root_of_path(leaf: bytes, index: int, size: int, hashes: Sequence[bytes]) -> bytes:
    """The root that a proof of inclusion leads to, by the recursion that PATH is defined with."""
    if size == 1:
        assert not hashes
        return sha256(b"\x00" + leaf).digest()
    k, (*rest, last) = split(size), hashes
    if index < k:
        return sha256(b"\x01" + root_of_path(leaf, index, k, rest) + last).digest()
    return sha256(b"\x01" + last + root_of_path(leaf, index - k, size - k, rest)).digest()
