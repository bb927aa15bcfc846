"""Checkpoints as C2SP writes them, and entries in canonical JSON."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

import pytest
import rfc8785

from hallmark.ledger.entries import body_of, read_entry, write_entry
from hallmark.ledger.notes import (
    ED25519,
    ML_DSA_44,
    Checkpoint,
    NoteError,
    VerifierKey,
    read_checkpoint,
    read_note,
    read_verifier_key,
    sign_checkpoint,
    verify_checkpoint,
)
from hallmark.ledger.tiles import LogDamagedError, bundle, unbundle
from tests.fakes.log_files import Ed25519Verifier, LogKey

CONFORMANCE = Path(__file__).parents[4] / "shared" / "conformance" / "jcs"
WHEN = datetime(2026, 11, 28, 12, 0, 0, 123456, tzinfo=UTC)
# Key and note of the documentation of Go's package golang.org/x/mod/sumdb/note.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\N{EM DASH} PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


class Made:
    """A key of another type whose signatures are their messages."""

    key = VerifierKey("witness.test/w", ML_DSA_44, bytes(1312))

    def sign(self, message: bytes) -> bytes:
        return message

    def verify(self, key: VerifierKey, message: bytes, signature: bytes) -> bool:
        return signature == message


def test_a_note_that_gos_documentation_shows_is_verified() -> None:
    key = read_verifier_key(GO_KEY)
    note = read_note(GO_NOTE)

    assert str(key) == GO_KEY
    assert str(note) == GO_NOTE
    assert (note.signatures[0].name, note.signatures[0].key_id) == (key.name, key.key_id)
    assert Ed25519Verifier().verify(key, note.text.encode(), note.signatures[0].signature)


def test_a_checkpoint_is_origin_size_and_root_and_is_read_back() -> None:
    checkpoint = Checkpoint("hallmark.test/ledger", 7, bytes(32))
    note = str(sign_checkpoint(checkpoint, [LogKey()], 0))

    assert note.startswith("hallmark.test/ledger\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\N{EM DASH} ")
    assert verify_checkpoint(note, [LogKey().key], Ed25519Verifier()) == checkpoint


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note.replace("\n7\n", "\n8\n"),
        lambda note: note.replace("AAAA", "AAAB", 1),
        lambda note: note.replace("\N{EM DASH} hallmark.test", "\N{EM DASH} elsewhere.test"),
        lambda note: note + note.splitlines(keepends=True)[-1],
        lambda note: note.partition("\n\n")[0] + "\n",
    ],
)
def test_a_changed_checkpoint_is_refused(change) -> None:  # type: ignore[no-untyped-def]
    note = str(sign_checkpoint(Checkpoint("hallmark.test/ledger", 7, bytes(32)), [LogKey()], 0))
    with pytest.raises(NoteError):
        verify_checkpoint(change(note), [LogKey().key], Ed25519Verifier())


def test_a_checkpoint_of_another_key_is_refused_and_further_signatures_are_ignored() -> None:
    checkpoint = Checkpoint("hallmark.test/ledger", 7, bytes(32))
    both = str(sign_checkpoint(checkpoint, [LogKey(), LogKey("witness.test/w", 9)], 0))

    assert verify_checkpoint(both, [LogKey().key], Ed25519Verifier()) == checkpoint
    with pytest.raises(NoteError, match="0 signatures"):
        verify_checkpoint(both, [LogKey(seed=11).key], Ed25519Verifier())
    with pytest.raises(NoteError, match="no key"):
        verify_checkpoint(both, [], Ed25519Verifier())


def test_a_cosignature_by_ml_dsa_has_its_time_and_signs_the_whole_subtree() -> None:
    checkpoint = Checkpoint("log", 258, bytes(range(32)))
    signed = sign_checkpoint(checkpoint, [Made()], 5)
    (line,) = signed.signatures
    message = b"subtree/v1\n\0\x0ewitness.test/w" + (5).to_bytes(8, "big") + b"\x03log"
    message += bytes(8) + (258).to_bytes(8, "big") + bytes(range(32))

    assert line.signature == (5).to_bytes(8, "big") + message
    assert verify_checkpoint(str(signed), [Made.key], Made()) == checkpoint


@pytest.mark.parametrize("text", ["", "log\n1\n", "log\n01\n" + "A" * 43 + "=\n", "log\n-1\n\n", "log\n1\nAAAA\n"])
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        read_checkpoint(text)


@pytest.mark.parametrize("text", ["", "name", "name+00000000+AQ==", "name+zz+????"])
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        read_verifier_key(text)


def test_an_entry_is_canonical_json_and_comes_back_whole() -> None:
    sealed = write_entry("f1", WHEN, b'{"b": 1.0, "a": "\\u20ac", "c": [1e30, 0.1]}')

    assert (
        sealed.content
        == (
            '{"body":{"a":"€","b":1,"c":[1e+30,0.1]},"id":"f1","kind":"fact","recorded_at":"2026-11-28T12:00:00.123456Z"}'
        ).encode()
    )
    assert body_of(read_entry(sealed.content, "entry 0"), None) == {"a": "€", "b": 1, "c": [1e30, 0.1]}


def test_a_long_body_is_a_file_of_its_own_that_the_entry_names() -> None:
    body = json.dumps({"text": "x" * 70_000}).encode()
    sealed = write_entry("f1", WHEN, body)
    entry = read_entry(sealed.content, "entry 0")

    assert sealed.body == body
    assert body_of(entry, body) == json.loads(body)
    with pytest.raises(LogDamagedError, match="missing"):
        body_of(entry, None)
    with pytest.raises(LogDamagedError, match="was changed"):
        body_of(entry, body + b" ")


def test_a_number_that_canonical_json_cannot_write_is_kept_as_it_was() -> None:
    body = b'{"nanoseconds":1764331200123456789}'
    sealed = write_entry("f1", WHEN, body)

    assert body_of(read_entry(sealed.content, "entry 0"), None) == json.loads(body)


def test_a_bundle_is_read_back_and_a_cut_one_is_told() -> None:
    entries = [b"", b"a", b"b" * 65_535]
    assert unbundle(bundle(entries), 3, "tile/entries/000.p/3") == entries
    with pytest.raises(LogDamagedError, match="ends within"):
        unbundle(bundle(entries)[:-1], 3, "tile/entries/000.p/3")
    with pytest.raises(LogDamagedError, match="has 3 entries, 4"):
        unbundle(bundle(entries), 4, "tile/entries/000.p/4")


@pytest.mark.skipif(not CONFORMANCE.is_dir(), reason=f"{CONFORMANCE} is not beside this checkout")
@pytest.mark.parametrize("name", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_canonical_json_is_that_of_rfc_8785(name: str) -> None:
    document = json.loads((CONFORMANCE / "input" / f"{name}.json").read_text(encoding="utf-8"))
    assert rfc8785.dumps(document) == (CONFORMANCE / "output" / f"{name}.json").read_bytes()


def test_a_signature_type_that_is_not_known_is_refused_by_name() -> None:
    unknown = VerifierKey("log", 4, bytes(32))
    note = f"log\n1\n{'A' * 43}=\n\n\N{EM DASH} log {b64encode(unknown.key_id + bytes(64)).decode()}\n"

    with pytest.raises(NoteError, match=f"type 4 are not known here: use a key of type {ED25519}"):
        verify_checkpoint(note, [unknown], Ed25519Verifier())
