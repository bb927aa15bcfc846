"""A log as a verifier sees it that nobody here wrote: tlog-scales reads C2SP's tiles and checks RFC 9162's proofs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import MLDSA44CosignatureSigner, PlainEd25519Signer, Vkey, VkeySet
from tlog_scales.tiles import leaf_hash
from tlog_scales.tlog import (
    Checkpoint,
    ConsistencyProof,
    ConsistencyProofInvalid,
    InclusionProof,
    InclusionProofInvalid,
)
from tlog_scales.writer import TilesWriter

from hallmark.aws.ledger_reading import NoteSignatures
from hallmark.ledger.merkle import (
    hash_leaf,
    prove_consistency,
    prove_inclusion,
    verify_consistency,
    verify_inclusion,
)
from hallmark.ledger.notes import read_verifier_key, verify_checkpoint
from hallmark.ledger.sequencing import CHECKPOINT, Sequencer, kept_checkpoint
from hallmark.ledger.tiles import HashReader
from hallmark.ledger.verifying import verify_log
from tests.fakes.log_files import LogFiles, LogKey
from tests.unit.ledger.test_post_quantum_signatures import WITNESS, PostQuantumKey

KEY = LogKey(WITNESS)
BATCHES = (1, 4, 251, 1, 300, 700, 65_000)
"""Sizes between which tiles fill, begin anew, and reach a second and a third level."""


def entries(count: int, start: int = 0) -> list[bytes]:
    return [f'{{"id":"{number:064x}","kind":"fact"}}'.encode() for number in range(start, start + count)]


def sealed(*batches: int, keys: tuple[Any, ...] = (KEY,)) -> LogFiles:
    files, size = LogFiles(), 0
    sequencer = Sequencer(files, WITNESS, list(keys))
    for batch in batches:
        sequencer.append(entries(batch, size), 1_764_400_000)
        size += batch
    return files


def copied(files: LogFiles, folder: Path) -> TilesReader:
    """Copy a log's files, as an auditor copies the bucket, and open them with the foreign reader."""
    for path, content in files.files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return TilesReader(LocalBackend(folder))


def text_of(key: Any) -> str:
    """Return a foreign key as verifiers take it."""
    return str(key.serialize())


def audit(reader: TilesReader, key: str, *places: int) -> Checkpoint:
    """Check by the foreign library alone: the signature, the root of all tiles, and some entries."""
    checkpoint = reader.get_checkpoint()
    checkpoint.verify(Vkey.from_string(key))
    assert reader.calculate_root_hash() == checkpoint.root_hash, "the tiles lead to another root"
    for place in places:
        proof = reader.get_inclusion_proof(place, checkpoint.size)
        proof.check(leaf_hash(reader.get_entry(place)), checkpoint.root_hash)
    return checkpoint


@pytest.fixture(scope="module")
def large() -> LogFiles:
    return sealed(*BATCHES)


def places_in(size: int) -> list[int]:
    return sorted({0, size // 3, size // 2, size - 1, *(place for place in (255, 256, 65_535, 65_536) if place < size)})


def test_a_log_is_whole_to_a_foreign_verifier_and_has_the_entries_that_were_sealed(
    large: LogFiles, tmp_path: Path
) -> None:
    reader, size = copied(large, tmp_path), sum(BATCHES)

    checkpoint = audit(reader, str(KEY.key), *places_in(size))

    assert (checkpoint.origin, checkpoint.size) == (WITNESS, size)
    assert [reader.get_entry(place) for place in places_in(size)] == [entries(1, place)[0] for place in places_in(size)]


def test_each_side_accepts_the_proofs_of_the_other(large: LogFiles, tmp_path: Path) -> None:
    reader, size = copied(large, tmp_path), sum(BATCHES)
    root = reader.get_checkpoint().root_hash
    node = HashReader(large.read, size).node
    for place in places_in(size):
        leaf = hash_leaf(entries(1, place)[0])
        InclusionProof(place, size, prove_inclusion(place, size, node)).check(leaf, root)
        verify_inclusion(place, size, leaf, reader.get_inclusion_proof(place, size).node_hashes, root)
    for batches in range(1, len(BATCHES)):
        before = sum(BATCHES[:batches])
        old = Checkpoint.from_text(large.files[kept_checkpoint(before)].decode())
        old.verify(Vkey.from_string(str(KEY.key)))
        ConsistencyProof(before, size, prove_consistency(before, size, node)).check(old.root_hash, root)
        proof = reader.get_consistency_proof(before, size).node_hashes
        verify_consistency(before, size, old.root_hash, root, proof)


def test_a_log_that_a_foreign_library_wrote_is_whole_to_ours(tmp_path: Path) -> None:
    signer = PlainEd25519Signer("foreign.test/log", Ed25519PrivateKey.from_private_bytes(bytes([5]) * 32))
    writer, size = TilesWriter.create(tmp_path / "log", "foreign.test/log"), 0
    for batch in (3, 600):
        for entry in entries(batch, size):
            writer.add_leaf(entry)
        writer.commit([signer], gc=False)
        size += batch

    def read(path: str) -> bytes | None:
        file = tmp_path / "log" / path
        # The foreign writer keeps no earlier checkpoints: only the newest is there under its size.
        return (tmp_path / "log" / CHECKPOINT if path == kept_checkpoint(size) else file).read_bytes()

    key = read_verifier_key(text_of(signer.vkey))

    assert verify_checkpoint((read(CHECKPOINT) or b"").decode(), [key], NoteSignatures()).size == size
    assert verify_log(read, [key], NoteSignatures()).is_whole


def test_the_second_signature_is_good_to_a_foreign_verifier_and_a_foreign_one_to_ours(tmp_path: Path) -> None:
    witness = PostQuantumKey()
    checkpoint = copied(sealed(7, keys=(KEY, witness)), tmp_path).get_checkpoint()
    keys = VkeySet(*(Vkey.from_string(str(key.key)) for key in (KEY, witness)))

    assert {vkey.sig_type for vkey, _ in keys.verify(checkpoint.signatures, checkpoint)} == {1, 6}
    foreign = MLDSA44CosignatureSigner("witness.test/w", bytes([9]) * 32)
    signed = Checkpoint.make_signed(WITNESS, checkpoint.size, checkpoint.root_hash, [foreign]).serialize()
    key = read_verifier_key(text_of(foreign.vkey))
    assert verify_checkpoint(signed, [key], NoteSignatures()).root == checkpoint.root_hash


def flipped(path: str) -> Callable[[LogFiles], None]:
    def flip(files: LogFiles) -> None:
        content = bytearray(files.files[path])
        content[len(content) // 2] ^= 1
        files.files[path] = bytes(content)

    return flip


def exchanged(files: LogFiles) -> None:
    """Exchange two entries, with their hashes, as somebody does who can write into the bucket but not sign."""
    forged = sealed(3, 597)
    one, other = entries(600)[:2]
    for path, content in forged.files.items():
        if path.startswith("tile/entries/000"):
            files.files[path] = content.replace(one, b"?" * len(one)).replace(other, one)
            files.files[path] = files.files[path].replace(b"?" * len(one), other)


def larger(files: LogFiles) -> None:
    files.files[CHECKPOINT] = files.files[CHECKPOINT].replace(b"\n600\n", b"\n601\n", 1)


@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(flipped("tile/entries/000"), id="an entry"),
        pytest.param(flipped("tile/0/000"), id="a hash"),
        pytest.param(flipped("tile/1/000.p/2"), id="a hash above"),
        pytest.param(flipped(CHECKPOINT), id="the checkpoint"),
        pytest.param(exchanged, id="two entries exchanged"),
        pytest.param(larger, id="another size"),
    ],
)
def test_what_was_tampered_with_is_refused_by_a_foreign_verifier_and_by_ours(
    tamper: Callable[[LogFiles], None], tmp_path: Path
) -> None:
    files = sealed(3, 597)
    audit(copied(files, tmp_path / "whole"), str(KEY.key), *range(600))
    tamper(files)
    reader = copied(files, tmp_path / "tampered")

    with pytest.raises((AssertionError, InclusionProofInvalid, InvalidSignature, RuntimeError, ValueError)):
        audit(reader, str(KEY.key), *range(600))
    assert not verify_log(files.read, [KEY.key], NoteSignatures()).is_whole


def test_a_past_that_was_written_anew_and_signed_is_not_consistent_with_the_checkpoint_that_an_auditor_kept(
    tmp_path: Path,
) -> None:
    kept = Checkpoint.from_text(sealed(600).files[CHECKPOINT].decode())
    anew = LogFiles()
    Sequencer(anew, WITNESS, [KEY]).append([*entries(10), b'{"kind":"forged"}', *entries(689, 11)], 1_764_400_000)
    reader = copied(anew, tmp_path)
    checkpoint = audit(reader, str(KEY.key), 10)

    with pytest.raises(ConsistencyProofInvalid):
        reader.get_consistency_proof(600, 700).check(kept.root_hash, checkpoint.root_hash)
