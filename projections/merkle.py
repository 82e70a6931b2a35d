"""The Merkle tree of RFC 6962 and RFC 9162: hashes, roots, proofs, and how proofs are checked. What a leaf says is not
known here. Sizes count leaves, indexes begin at 0.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Final

Nodes = Callable[[int, int], bytes]
"""The hash of a whole subtree by its height (0: a leaf) and its number among those of that height."""

EMPTY_ROOT: Final = sha256().digest()


class NotProven(Exception):
    """A proof that proves nothing; the text says why."""


def leaf_hash(data: bytes) -> bytes:
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over leaf hashes, or over the roots of subtrees of one height."""
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        # Who has no neighbour goes up as it is: the same tree as the RFC's, which splits at the largest power of two.
        alone = level[-1:] if len(level) % 2 else []
        level = [sha256(b"\1" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
        level += alone
    return level[0]


def root(size: int, nodes: Nodes) -> bytes:
    return _hash_of(0, size, nodes) if size else EMPTY_ROOT


def inclusion(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """The proof that the leaf is one of the first `size` (RFC 9162, 2.1.3.1), from the leaf upwards."""
    path, first, beyond = [], 0, size
    while beyond - first > 1:
        middle = first + _largest_power_below(beyond - first)
        if index < middle:
            path.append(_hash_of(middle, beyond, nodes))
            beyond = middle
        else:
            path.append(_hash_of(first, middle, nodes))
            first = middle
    return path[::-1]


def consistency(old: int, new: int, nodes: Nodes) -> list[bytes]:
    """The proof that the tree of size `new` begins with the one of size `old` ≥ 1 (RFC 9162, 2.1.4.1)."""
    path, first, beyond = [], 0, new
    while beyond != old:
        middle = first + _largest_power_below(beyond - first)
        if old <= middle:
            path.append(_hash_of(middle, beyond, nodes))
            beyond = middle
        else:
            path.append(_hash_of(first, middle, nodes))
            first = middle
    if first:
        path.append(_hash_of(first, beyond, nodes))
    return path[::-1]


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes) -> None:
    """Raises NotProven (RFC 9162, 2.1.3.2). `leaf` is its hash, `expected` the root."""
    if not 0 <= index < size:
        raise NotProven(f"a tree of {size} has no leaf {index}")
    place, last, found = index, size - 1, leaf
    for hash_ in path:
        if last == 0:
            raise NotProven("the path is too long")
        if place % 2 or place == last:
            found = node_hash(hash_, found)
            while place % 2 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, hash_)
        place, last = place >> 1, last >> 1
    if last or found != expected:
        raise NotProven("the path does not lead to the root")


def check_consistency(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> None:
    """Raises NotProven (RFC 9162, 2.1.4.2)."""
    if not 0 < old <= new:
        raise NotProven(f"a tree of {new} does not follow one of {old}")
    if old == new:
        if path or old_root != new_root:
            raise NotProven("two trees of one size have one root and an empty path")
        return
    hashes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not hashes:
        raise NotProven("the path is empty")
    place, last = old - 1, new - 1
    while place % 2:
        place, last = place >> 1, last >> 1
    found_old = found_new = hashes[0]
    for hash_ in hashes[1:]:
        if last == 0:
            raise NotProven("the path is too long")
        if place % 2 or place == last:
            found_old, found_new = node_hash(hash_, found_old), node_hash(hash_, found_new)
            while place % 2 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            found_new = node_hash(found_new, hash_)
        place, last = place >> 1, last >> 1
    if last or found_old != old_root or found_new != new_root:
        raise NotProven("the path does not lead from the old root to the new one")


def _hash_of(first: int, beyond: int, nodes: Nodes) -> bytes:
    """Of the leaves from `first` up to `beyond`, which are one subtree of the tree, its last one perhaps not whole."""
    whole = [nodes(height, number) for height, number in _whole_subtrees(first, beyond)]
    found = whole.pop()
    while whole:
        found = node_hash(whole.pop(), found)
    return found


def _whole_subtrees(first: int, beyond: int) -> Iterator[tuple[int, int]]:
    while first < beyond:
        height = (beyond - first).bit_length() - 1
        yield height, first >> height
        first += 1 << height


def _largest_power_below(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1
