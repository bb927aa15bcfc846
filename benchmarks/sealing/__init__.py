"""The ledger beside what does less: a plain file, and a chain of hashes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from time import process_time
from typing import Any

from hallmark.ledger.merkle import hash_leaf, prove_inclusion, root_of, verify_inclusion
from hallmark.ledger.sequencing import Sequencer
from hallmark.ledger.tiles import HashReader
from hallmark.ledger.verifying import verify_log
from tests.fakes.log_files import Ed25519Verifier, LogFiles, LogKey

ENTRIES = int(os.environ.get("LEDGER_ENTRIES", "1000000"))
BATCH = 2_000
_PROOFS = 2_000


def _entry(number: int) -> bytes:
    return json.dumps({"id": f"{number:064x}", "kind": "fact", "body": {"n": number}}).encode()


def _seconds(work: Callable[[], Any]) -> float:
    start = process_time()
    work()
    return process_time() - start


def run() -> Iterator[dict[str, Any]]:
    """Append and verify a million entries; CPU time of one process, files in memory."""
    entries = [_entry(number) for number in range(ENTRIES)]
    files = LogFiles()
    sequencer = Sequencer(files, "log", [LogKey("log")])

    def seal() -> None:
        for start in range(0, ENTRIES, BATCH):
            sequencer.append(entries[start : start + BATCH], 0)

    def append_plainly() -> None:
        b"".join([entry + b"\n" for entry in entries])

    def chain() -> None:
        last = bytes(32)
        for entry in entries:
            last = hashlib.sha256(last + entry).digest()

    sealing, plain, chained = _seconds(seal), _seconds(append_plainly), _seconds(chain)
    yield _line("append", ENTRIES / sealing, ENTRIES / plain, "entries/s", "plain append, nothing provable")
    yield _line("append", ENTRIES / sealing, ENTRIES / chained, "entries/s", "hash chain, no short proofs")
    verifying = _seconds(lambda: verify_log(files.read, [LogKey("log").key], Ed25519Verifier()))
    yield _line("verify all", ENTRIES / verifying, ENTRIES / chained, "entries/s", "hash chain")
    node = HashReader(files.read, ENTRIES).node
    root = root_of(ENTRIES, node)
    places = [number * (ENTRIES // _PROOFS) for number in range(_PROOFS)]
    proofs = [prove_inclusion(place, ENTRIES, node) for place in places]

    def check() -> None:
        for place, proof in zip(places, proofs, strict=True):
            verify_inclusion(place, ENTRIES, hash_leaf(entries[place]), proof, root)

    checking = _seconds(check) / _PROOFS
    yield _line("check one entry", checking * 1e6, chained * 1e6, "µs", "hash chain, read from its start", lower=True)
    largest = max(len(proof) for proof in proofs) * 32
    whole = sum(map(len, entries))
    yield _line("bytes to show one entry", float(largest), float(whole), "bytes", "hash chain: all of it", lower=True)


def _line(name: str, ours: float, peer: float, unit: str, against: str, *, lower: bool = False) -> dict[str, Any]:
    return {
        "area": "ledger",
        "name": f"{name}, {ENTRIES:,} entries, against {against}",
        "ours": round(ours, 2),
        "peer": round(peer, 2),
        "unit": unit,
        "ratio": round(peer / ours if lower else ours / peer, 3),
        "goal": None,
        "met": None,
    }
