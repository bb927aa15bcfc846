"""Proofs that stand by themselves (C2SP tlog-proof): a place, the hashes that lead to the root, the signed root."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

_FIRST_LINE = "c2sp.org/tlog-proof@v1"


def write_proof(place: int, hashes: Sequence[bytes], checkpoint: str) -> str:
    """Return the proof that an entry is in a log, as other verifiers read it.

    Args:
        place: Of the entry, counted from nought.
        hashes: From its neighbour's up to the root's child.
        checkpoint: The signed note, as the log keeps it.
    """
    lines = [_FIRST_LINE, f"index {place}", *(b64encode(value).decode() for value in hashes), ""]
    return "\n".join([*lines, checkpoint])
