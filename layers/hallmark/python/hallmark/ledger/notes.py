"""Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint): what the ledger vouches for, in text."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from hallmark.errors import HallmarkError
from hallmark.ledger.merkle import HASH_BYTES

ED25519 = 1
"""Signature type of Ed25519 (signed-note, signature types)."""
ML_DSA_44 = 6
"""Signature type of a cosignature by ML-DSA-44 (tlog-cosignature)."""
_KEY_ID_BYTES = 4
_TIMESTAMP_BYTES = 8
_DASH = "\N{EM DASH}"
_MINIMUM_LINES = 3


class NoteError(HallmarkError):
    """A note is malformed, or nobody whom we trust has signed it."""


class VerifierKey(NamedTuple):
    """A public key with a name and a signature type."""

    name: str
    kind: int
    key: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of the SHA-256 of name, newline, type and key (signed-note)."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.key).digest()[:_KEY_ID_BYTES]

    def __str__(self) -> str:
        """Return the key as verifiers take it: ``name+id+key``."""
        return f"{self.name}+{self.key_id.hex()}+{b64encode(bytes([self.kind]) + self.key).decode()}"


def read_verifier_key(text: str) -> VerifierKey:
    """Read a verifier key (``name+id+key``).

    Raises:
        NoteError: It is none.
    """
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        material = b64decode(encoded, validate=True)
    except ValueError:
        material = b""
    if not name or not material:
        raise NoteError(f"{text!r} is no verifier key: write name+id+key, as `hallmark ledger key` prints it")
    key = VerifierKey(name, material[0], material[1:])
    if key.key_id.hex() != key_id:
        raise NoteError(f"the id of the verifier key {name} is {key_id}, {key.key_id.hex()} fits it: copy it again")
    return key


class Signature(NamedTuple):
    """A line below a note."""

    name: str
    key_id: bytes
    signature: bytes


class Note(NamedTuple):
    """A text, which ends in a newline, and the signatures below it."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        """Return the note as it is kept."""
        lines = (
            f"{_DASH} {line.name} {b64encode(line.key_id + line.signature).decode()}\n" for line in self.signatures
        )
        return f"{self.text}\n{''.join(lines)}"


def read_note(content: str) -> Note:
    """Read a signed note.

    Raises:
        NoteError: It is malformed.
    """
    text, separator, below = content.rpartition("\n\n")
    if not separator or not below.endswith("\n"):
        raise NoteError("this is no signed note: it has no signatures")
    signatures = []
    for line in below.splitlines():
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        try:
            signed = b64decode(encoded, validate=True)
        except ValueError:
            signed = b""
        if dash != _DASH or not name or "+" in name or len(signed) <= _KEY_ID_BYTES:
            raise NoteError(f"{line!r} is no signature of a note")
        signatures.append(Signature(name, signed[:_KEY_ID_BYTES], signed[_KEY_ID_BYTES:]))
    return Note(f"{text}\n", tuple(signatures))


class Checkpoint(NamedTuple):
    """How large a log is, and its root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def read_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint; lines of extensions are allowed and ignored.

    Raises:
        NoteError: It is none.
    """
    lines = text.split("\n")
    if len(lines) <= _MINIMUM_LINES or lines[-1]:
        raise NoteError("a checkpoint has three lines: origin, size, root")
    origin, size, encoded = lines[:_MINIMUM_LINES]
    try:
        root = b64decode(encoded, validate=True)
    except ValueError:
        root = b""
    if not origin or not size.isascii() or not size.isdigit() or str(int(size)) != size or len(root) != HASH_BYTES:
        raise NoteError(f"this is no checkpoint: {text!r}")
    return Checkpoint(origin, int(size), root)


class Signer(Protocol):
    """Signs with one key."""

    @property
    def key(self) -> VerifierKey:
        """The key that verifies what it signs."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        ...


class Verifier(Protocol):
    """Checks signatures of one type."""

    def verify(self, key: VerifierKey, message: bytes, signature: bytes) -> bool:
        """Tell whether a key made a signature."""
        ...


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[Signer], timestamp: int) -> Note:
    """Return a checkpoint with its signatures.

    Args:
        checkpoint: What is vouched for.
        signers: The log's key, and those that cosign.
        timestamp: Seconds since 1970, for cosignatures.
    """
    signatures = []
    for signer in signers:
        key, stamp = signer.key, b""
        if key.kind == ML_DSA_44:
            stamp = timestamp.to_bytes(_TIMESTAMP_BYTES, "big")
        signed = signer.sign(_signed_message(key, checkpoint, checkpoint.text, timestamp))
        signatures.append(Signature(key.name, key.key_id, stamp + signed))
    return Note(checkpoint.text, tuple(signatures))


def verify_checkpoint(content: str, keys: Sequence[VerifierKey], verifier: Verifier) -> Checkpoint:
    """Return the checkpoint of a note that each of these keys has signed; other signatures are ignored.

    Raises:
        NoteError: A signature is missing or wrong, or this is no checkpoint.
    """
    note = read_note(content)
    checkpoint = read_checkpoint(note.text)
    for key in keys:
        lines = [line for line in note.signatures if (line.name, line.key_id) == (key.name, key.key_id)]
        if len(lines) != 1:
            raise NoteError(f"the checkpoint has {len(lines)} signatures of {key.name} ({key.key_id.hex()}), not one")
        signature, timestamp = lines[0].signature, 0
        if key.kind == ML_DSA_44:
            timestamp = int.from_bytes(signature[:_TIMESTAMP_BYTES], "big")
            signature = signature[_TIMESTAMP_BYTES:]
        if not verifier.verify(key, _signed_message(key, checkpoint, note.text, timestamp), signature):
            raise NoteError(f"the checkpoint's signature of {key.name} is forged, or its text was changed")
    if not keys:
        raise NoteError("no key is given: whom is the checkpoint to be signed by?")
    return checkpoint


def signing_keys(content: str, keys: Sequence[VerifierKey]) -> list[VerifierKey]:
    """Return whose signatures an earlier checkpoint must have: the log's own key, and of the others those that signed.

    A cosigner that came later has signed nothing before.

    Raises:
        NoteError: It is no signed note.
    """
    signed = {(line.name, line.key_id) for line in read_note(content).signatures}
    return [*keys[:1], *(key for key in keys[1:] if (key.name, key.key_id) in signed)]


def _signed_message(key: VerifierKey, checkpoint: Checkpoint, text: str, timestamp: int) -> bytes:
    if key.kind == ED25519:
        return text.encode()
    if key.kind != ML_DSA_44:
        raise NoteError(f"signatures of type {key.kind} are not known here: use a key of type {ED25519} or {ML_DSA_44}")
    # tlog-cosignature, "ML-DSA-44 signed message".
    name, origin = key.name.encode(), checkpoint.origin.encode()
    return b"".join(
        (
            b"subtree/v1\n\0",
            bytes([len(name)]) + name,
            timestamp.to_bytes(8, "big"),
            bytes([len(origin)]) + origin,
            bytes(8),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )
