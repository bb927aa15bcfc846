"""ML-DSA-44 beside Ed25519: published vectors, and a log that both keys have signed."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from hallmark.aws.ledger_reading import NoteSignatures
from hallmark.errors import HallmarkError
from hallmark.ledger.notes import ML_DSA_44, NoteError, VerifierKey, read_note, read_verifier_key, verify_checkpoint
from hallmark.ledger.sequencing import CHECKPOINT, Sequencer
from hallmark.ledger.verifying import verify_log
from tests.fakes.log_files import LogFiles, LogKey

VECTORS = Path(__file__).parents[2] / "payloads" / "signatures" / "mldsa_44_verify.json"
WITNESS = "hallmark.test/ledger"


class PostQuantumKey:
    """An ML-DSA-44 key, as KMS signs with one: the message as it is, and no context."""

    def __init__(self, seed: int = 7) -> None:
        self._private = MLDSA44PrivateKey.from_seed_bytes(bytes([seed]) * 32)
        self.key = VerifierKey(WITNESS, ML_DSA_44, self._private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)


def vectors() -> Iterator[Any]:
    for group in json.loads(VECTORS.read_text())["groups"]:
        for test in group["tests"]:
            # A log signs without a context: a signature with one is good for something else.
            expected = test["result"] == "valid" and not test["context"]
            yield pytest.param(group["key"], test, expected, id=f"{test['id']}-{test['comment'].replace(' ', '-')}")


@pytest.mark.parametrize(("key", "test", "expected"), list(vectors()))
def test_the_vectors_of_wycheproof_are_judged_as_they_should_be(key: str, test: dict[str, str], expected: bool) -> None:
    public = VerifierKey("wycheproof", ML_DSA_44, b64decode(key))

    found = NoteSignatures().verify(public, b64decode(test["message"]), b64decode(test["signature"]))

    assert found is expected


def signed_log(*keys: Any) -> LogFiles:
    files = LogFiles()
    Sequencer(files, WITNESS, list(keys)).append([b"one", b"two"], 1_764_400_000)
    return files


def test_a_log_that_both_keys_signed_is_whole_and_both_are_checked() -> None:
    own, witness = LogKey(WITNESS), PostQuantumKey()
    files = signed_log(own, witness)

    assert verify_log(files.read, [own.key, witness.key], NoteSignatures()).is_whole
    other = verify_log(files.read, [own.key, PostQuantumKey(8).key], NoteSignatures())
    assert "0 signatures" in other.damages[0].what


def test_a_forged_cosignature_is_named_though_the_other_signature_holds() -> None:
    own, witness = LogKey(WITNESS), PostQuantumKey()
    files = signed_log(own, witness)
    note = read_note(files.files[CHECKPOINT].decode())
    forged = note.signatures[1]._replace(signature=note.signatures[1].signature[:-1] + b"\0")
    files.files[CHECKPOINT] = str(note._replace(signatures=(note.signatures[0], forged))).encode()

    found = verify_log(files.read, [own.key, witness.key], NoteSignatures())

    assert [damage.what for damage in found.damages] == [
        f"the checkpoint's signature of {WITNESS} is forged, or its text was changed"
    ]


def test_the_time_of_a_cosignature_is_signed() -> None:
    witness = PostQuantumKey()
    files = signed_log(LogKey(WITNESS), witness)
    note = read_note(files.files[CHECKPOINT].decode())
    line = note.signatures[1]
    later = note._replace(signatures=(line._replace(signature=b"\0" * 8 + line.signature[8:]),))

    assert verify_checkpoint(str(note), [witness.key], NoteSignatures()).size == 2
    with pytest.raises(NoteError, match="forged"):
        verify_checkpoint(str(later), [witness.key], NoteSignatures())


def test_a_checkpoint_from_before_the_cosigner_came_still_begins_a_verification() -> None:
    own, witness = LogKey(WITNESS), PostQuantumKey()
    files = signed_log(own)
    before = files.files[CHECKPOINT].decode()
    Sequencer(files, WITNESS, [own, witness]).append([b"three"], 1_764_400_001)

    found = verify_log(files.read, [own.key, witness.key], NoteSignatures(), since=before)

    assert (found.is_whole, found.entries) == (True, 3)
    # The newest one must have both.
    files.files[CHECKPOINT] = before.encode()
    assert not verify_log(files.read, [own.key, witness.key], NoteSignatures()).is_whole


def test_a_verifier_key_of_this_type_is_read_back() -> None:
    key = PostQuantumKey().key

    assert read_verifier_key(str(key)) == key


def test_a_key_of_an_unknown_type_is_no_silent_no() -> None:
    with pytest.raises(HallmarkError, match=r"of type 4: signatures of types 1, 6 are checked"):
        NoteSignatures().verify(VerifierKey("w", 4, bytes(32)), b"", b"")
