"""Merkle trees of RFC 6962, section 2.1: hashes, proofs that an entry is in a tree, and that a tree only grew.

A hash is 32 bytes of SHA-256. ``(level, index)`` names the root of the perfect subtree over the leaves
``[index * 2**level, (index + 1) * 2**level)``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

from hallmark.errors import HallmarkError

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of the tree without leaves (RFC 6962, 2.1)."""
HASH_BYTES = 32

NodeHash = Callable[[int, int], bytes]
"""Returns the hash of the perfect subtree at ``(level, index)``."""


class ProofError(HallmarkError):
    """A proof does not show what it should."""


def hash_leaf(entry: bytes) -> bytes:
    """Return the hash of an entry (RFC 6962: a zero byte before it)."""
    return hashlib.sha256(b"\0" + entry).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (RFC 6962: a one byte before its children)."""
    return hashlib.sha256(b"\1" + left + right).digest()


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over a power of two of hashes."""
    row = list(hashes)
    while len(row) > 1:
        row = [hash_children(row[place], row[place + 1]) for place in range(0, len(row), 2)]
    return row[0]


def fold_right(hashes: Sequence[bytes]) -> bytes:
    """Return the root over perfect subtrees that follow one another from the largest to the smallest."""
    if not hashes:
        return EMPTY_ROOT
    *rest, root = hashes
    for left in reversed(rest):
        root = hash_children(left, root)
    return root


def subtrees(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the perfect subtrees ``(level, index)`` that make up the leaves ``[start, end)``, from left to right."""
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        yield level, start >> level
        start += 1 << level


def root_of(size: int, node: NodeHash) -> bytes:
    """Return the root of the tree of the first ``size`` leaves."""
    return fold_right([node(level, index) for level, index in subtrees(0, size)])


def _range_hash(start: int, end: int, node: NodeHash) -> bytes:
    # A range of RFC 6962's recursion begins at a multiple of its power of two, so its subtrees fall in size.
    return fold_right([node(level, index) for level, index in subtrees(start, end)])


def _split(count: int) -> int:
    """Return the largest power of two below a count."""
    return 1 << ((count - 1).bit_length() - 1)


def prove_inclusion(index: int, size: int, node: NodeHash) -> list[bytes]:
    """Return the audit path of a leaf (RFC 6962, 2.1.1), from the leaf to the root.

    Raises:
        ProofError: The tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ProofError(f"entry {index} is not in a log of {size} entries: its entries are 0 to {size - 1}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range_hash(middle, end, node))
            end = middle
        else:
            path.append(_range_hash(start, middle, node))
            start = middle
    return path[::-1]


def prove_consistency(old: int, new: int, node: NodeHash) -> list[bytes]:
    """Return the proof that the tree of ``new`` leaves begins with that of ``old`` leaves (RFC 6962, 2.1.2).

    Raises:
        ProofError: The old tree is empty, or larger than the new one.
    """
    if not 0 < old <= new:
        raise ProofError(f"a log of {new} entries cannot be shown to extend one of {old}: name 1 to {new}")
    path: list[bytes] = []
    start, end = 0, new
    whole = True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(_range_hash(middle, end, node))
            end = middle
        else:
            path.append(_range_hash(start, middle, node))
            start = middle
            whole = False
    if not whole:
        path.append(_range_hash(start, end, node))
    return path[::-1]


def root_from_inclusion(index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes]) -> bytes:
    """Return the root to which an audit path leads (RFC 9162, 2.1.3.2).

    Raises:
        ProofError: The path is too short or too long for the place, or no such place exists.
    """
    if not 0 <= index < size:
        raise ProofError(f"entry {index} is not in a log of {size} entries")
    _check_hashes([leaf_hash, *proof])
    place, last, root = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            raise ProofError("the proof is too long")
        if place & 1 or place == last:
            root = hash_children(sibling, root)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            root = hash_children(root, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofError("the proof is too short")
    return root


def verify_inclusion(index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf is in a tree.

    Raises:
        ProofError: It is not shown.
    """
    if root_from_inclusion(index, size, leaf_hash, proof) != root:
        raise ProofError(f"the proof of entry {index} leads to another root: the entry or the log was changed")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that one tree begins with another (RFC 9162, 2.1.4.2).

    Raises:
        ProofError: It is not shown. Nothing can be shown of an empty tree.
    """
    if not 0 < old <= new:
        raise ProofError(f"nothing shows that a log of {new} entries extends one of {old}")
    _check_hashes([old_root, new_root, *proof])
    if old == new:
        if proof or old_root != new_root:
            raise ProofError("two logs of the same size must have the same root, and need no proof")
        return
    first, second = _roots_from_consistency(old, new, [old_root, *proof] if old & (old - 1) == 0 else proof)
    if first != old_root:
        raise ProofError("the proof leads to another old root: the older log was not a part of this one")
    if second != new_root:
        raise ProofError("the proof leads to another new root")


def _roots_from_consistency(old: int, new: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the old and the new root to which a proof leads; ``path`` begins with the largest common subtree."""
    if not path:
        raise ProofError("the proof is too short")
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("the proof is too long")
        if place & 1 or place == last:
            first, second = hash_children(sibling, first), hash_children(sibling, second)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            second = hash_children(second, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofError("the proof is too short")
    return first, second


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if any(len(value) != HASH_BYTES for value in hashes):
        raise ProofError(f"a hash has {HASH_BYTES} bytes")
