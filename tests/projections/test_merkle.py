"""The tree against the published vectors of RFC 6962, and against the RFC's own recursive definitions."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.merkle import (
    EMPTY_ROOT,
    Nodes,
    NotProven,
    check_consistency,
    check_inclusion,
    consistency,
    inclusion,
    leaf_hash,
    root,
    root_of,
)
from projections.tiles import TILE, Edge, nodes_of, open_places
from tests.audit.recursive import mth, path, proof

# The inputs and results that the reference implementation of Certificate Transparency publishes.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSIONS = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}
CONSISTENCIES = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}

sizes = st.integers(1, 3 * TILE + 5)


def nodes_over(hashes: Sequence[bytes]) -> Nodes:
    return lambda height, number: root_of(hashes[number << height : (number + 1) << height])


def data(size: int) -> list[bytes]:
    return [b"%d" % n for n in range(size)]


def test_roots_are_those_that_are_published() -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES]
    assert [root_of(hashes[:size]).hex() for size in range(9)] == ROOTS
    assert [root(size, nodes_over(hashes)).hex() for size in range(9)] == ROOTS


@pytest.mark.parametrize(("place", "expected"), INCLUSIONS.items())
def test_proofs_of_inclusion_are_those_that_are_published(place: tuple[int, int], expected: list[str]) -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES]
    found = inclusion(*place, nodes_over(hashes))
    assert [hash_.hex() for hash_ in found] == expected
    check_inclusion(hashes[place[0]], *place, found, bytes.fromhex(ROOTS[place[1]]))


@pytest.mark.parametrize(("sizes", "expected"), CONSISTENCIES.items())
def test_proofs_of_consistency_are_those_that_are_published(sizes: tuple[int, int], expected: list[str]) -> None:
    old, new = sizes
    found = consistency(old, new, nodes_over([leaf_hash(leaf) for leaf in LEAVES]))
    assert [hash_.hex() for hash_ in found] == expected
    check_consistency(old, bytes.fromhex(ROOTS[old]), new, bytes.fromhex(ROOTS[new]), found)


@given(sizes, st.data())
def test_proofs_are_what_the_recursive_definition_gives_and_hold(size: int, draw: st.DataObject) -> None:
    index, old = draw.draw(st.integers(0, size - 1)), draw.draw(st.integers(1, size))
    leaves = data(size)
    hashes = [leaf_hash(leaf) for leaf in leaves]
    nodes = nodes_over(hashes)
    assert root(size, nodes) == mth(leaves)
    assert inclusion(index, size, nodes) == path(index, leaves)
    assert consistency(old, size, nodes) == proof(old, leaves)
    check_inclusion(hashes[index], index, size, path(index, leaves), mth(leaves))
    check_consistency(old, mth(leaves[:old]), size, mth(leaves), proof(old, leaves))


@given(sizes, st.data())
def test_a_proof_that_was_changed_proves_nothing(size: int, draw: st.DataObject) -> None:
    index, old = draw.draw(st.integers(0, size - 1)), draw.draw(st.integers(1, size))
    leaves = data(size)
    for proven in (path(index, leaves), proof(old, leaves)):
        if proven:
            at = draw.draw(st.integers(0, len(proven) - 1))
            proven[at] = sha256(proven[at]).digest()
        else:
            proven.append(EMPTY_ROOT)
        with pytest.raises(NotProven):
            check_inclusion(leaf_hash(leaves[index]), index, size, proven, mth(leaves))
        with pytest.raises(NotProven):
            check_consistency(old, mth(leaves[:old]), size, mth(leaves), proven)


@given(st.lists(st.integers(1, 2 * TILE + 3), min_size=1, max_size=4))
def test_tiles_that_grew_by_any_steps_give_every_root_and_proof(steps: list[int]) -> None:
    leaves = data(sum(steps))
    hashes = [leaf_hash(leaf) for leaf in leaves]
    stored: dict[tuple[int, int], bytes] = {}
    size = 0
    for step in steps:
        edge = Edge(size, {place: stored[place] for place in open_places(size)})
        stored |= edge.grow(hashes[size : size + step])
        size += step
        assert edge.size == size
        assert edge.root == edge.copy().root == mth(leaves[:size])
    nodes = nodes_of(stored)
    assert root(size, nodes) == mth(leaves)
    for old in {1, size // 2 or 1, steps[0], size}:
        assert root(old, nodes) == mth(leaves[:old])
        assert inclusion(old - 1, size, nodes) == path(old - 1, leaves)
        assert consistency(old, size, nodes) == proof(old, leaves)


def test_a_tree_of_three_levels_is_what_the_recursive_definition_gives() -> None:
    size = TILE * TILE + TILE + 1
    leaves = data(size)
    stored = Edge(0, {}).grow(map(leaf_hash, leaves))
    assert {level for level, _ in stored} == {0, 1, 2}
    assert root(size, nodes_of(stored)) == mth(leaves)


def test_a_tile_that_is_missing_or_short_is_noticed() -> None:
    stored = Edge(0, {}).grow(map(leaf_hash, data(TILE + 9)))
    with pytest.raises(LookupError):
        Edge(TILE + 9, {})
    with pytest.raises(LookupError):
        root(TILE + 10, nodes_of(stored))
