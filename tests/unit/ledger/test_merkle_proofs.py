"""Merkle trees against RFC 6962's own words, and against proofs that other people made."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.ledger.merkle import (
    EMPTY_ROOT,
    ProofError,
    hash_children,
    hash_leaf,
    prove_consistency,
    prove_inclusion,
    root_of,
    verify_consistency,
    verify_inclusion,
)

CONFORMANCE = Path(__file__).parents[4] / "shared" / "conformance" / "rfc6962"
# The leaves and roots that the reference implementation of RFC 6962 (certificate-transparency) is tested with.
LEAVES = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
LEAVES.append(bytes(range(0x60, 0x70)))
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


class Tree:
    """Subtrees of some leaves, straight from the recursion of RFC 6962, 2.1."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves = leaves

    def root(self, leaves: list[bytes]) -> bytes:
        if not leaves:
            return hashlib.sha256(b"").digest()
        if len(leaves) == 1:
            return hash_leaf(leaves[0])
        split = 1
        while split * 2 < len(leaves):
            split *= 2
        return hash_children(self.root(leaves[:split]), self.root(leaves[split:]))

    def node(self, level: int, index: int) -> bytes:
        return self.root(self.leaves[index << level : (index + 1) << level])


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_the_reference_implementation(size: int) -> None:
    assert root_of(size, Tree(LEAVES).node).hex() == ROOTS[size - 1]


def test_the_root_of_nothing_is_the_hash_of_nothing() -> None:
    assert root_of(0, Tree([]).node) == EMPTY_ROOT == hashlib.sha256(b"").digest()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.data())
def test_every_entry_is_shown_to_be_in_every_log_that_has_it(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    tree = Tree([str(number).encode() for number in range(size)])
    proof = prove_inclusion(index, size, tree.node)
    root = tree.root(tree.leaves)

    verify_inclusion(index, size, hash_leaf(tree.leaves[index]), proof, root)
    with pytest.raises(ProofError):
        verify_inclusion(index, size, hash_leaf(b"another"), proof, root)
    if size > 1:
        with pytest.raises(ProofError):
            verify_inclusion((index + 1) % size, size, hash_leaf(tree.leaves[index]), proof, root)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.data())
def test_every_log_is_shown_to_extend_each_earlier_one_and_no_other(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    tree = Tree([str(number).encode() for number in range(new)])
    proof = prove_consistency(old, new, tree.node)
    old_root, new_root = tree.root(tree.leaves[:old]), tree.root(tree.leaves)
    other = Tree([b"another", *tree.leaves[1:old]]).root([b"another", *tree.leaves[1:old]])

    verify_consistency(old, new, old_root, new_root, proof)
    with pytest.raises(ProofError):
        verify_consistency(old, new, other, new_root, proof)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 3)])
def test_no_proof_is_made_for_an_entry_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ProofError, match="not in a log"):
        prove_inclusion(index, size, Tree(LEAVES).node)


def _vectors(kind: str) -> list[Any]:
    files = sorted((CONFORMANCE / kind).rglob("*.json"))
    if not files:
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"{CONFORMANCE} is not beside this checkout"))]
    return [pytest.param(file, id="/".join(file.relative_to(CONFORMANCE).parts)) for file in files]


def _hash(value: str | None) -> bytes:
    return b64decode(value or "")


@pytest.mark.parametrize("file", _vectors("inclusion"))
def test_proofs_of_inclusion_that_others_made_are_judged_as_they_say(file: Path) -> None:
    case = json.loads(file.read_text(encoding="utf-8"))
    proof = [_hash(value) for value in case["proof"] or ()]
    arguments = (case["leafIdx"], case["treeSize"], _hash(case["leafHash"]), proof, _hash(case["root"]))
    if case["wantErr"]:
        with pytest.raises(ProofError):
            verify_inclusion(*arguments)
    else:
        verify_inclusion(*arguments)


@pytest.mark.parametrize("file", _vectors("consistency"))
def test_proofs_of_consistency_that_others_made_are_judged_as_they_say(file: Path) -> None:
    case = json.loads(file.read_text(encoding="utf-8"))
    proof = [_hash(value) for value in case["proof"] or ()]
    arguments = (case["size1"], case["size2"], _hash(case["root1"]), _hash(case["root2"]), proof)
    if case["wantErr"]:
        with pytest.raises(ProofError):
            verify_consistency(*arguments)
    else:
        verify_consistency(*arguments)
