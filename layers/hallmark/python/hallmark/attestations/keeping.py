"""Keeping attestations: one for each thing and kind of statement, however often it is asked for, and in any order.

What is to be said is written once, below ``subjects/``, before it is signed: whoever is first decides, and everybody
who comes after, also after a crash, signs and keeps the very same statement.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple, Protocol

from hallmark.attestations.envelopes import Envelope, Signer, read_envelope, seal
from hallmark.attestations.statements import Statement, read_statement
from hallmark.errors import HallmarkError, NotFoundError
from hallmark.events.records import own_id

_PREFIX = own_id("attestation", "")


class Files(Protocol):
    """Where attestations lie: files that are written once."""

    def read(self, path: str) -> bytes | None:
        """Return a file; None where there is none."""
        ...

    def create(self, path: str, content: bytes) -> bool:
        """Write a file that must not exist yet; False where it does."""
        ...


class Attestation(NamedTuple):
    """A signed statement as it is kept."""

    digest: str
    """SHA-256 of the statement, in hex."""
    envelope: Envelope

    @property
    def id(self) -> str:
        """Id of its node."""
        return own_id("attestation", self.digest)

    @property
    def statement(self) -> Statement:
        """What is said; whoever relies on it has opened the envelope before."""
        return read_statement(self.envelope.payload)


def subject_path(node: str, predicate_type: str) -> str:
    """Return where it is written what is said about a node."""
    return f"subjects/{sha256(chr(10).join((node, predicate_type)).encode()).hexdigest()}.json"


def envelope_path(digest: str) -> str:
    """Return where an envelope lies, by the SHA-256 of its statement."""
    return f"envelopes/{digest}.json"


def revocation_path(digest: str) -> str:
    """Return where the revocation of an attestation lies."""
    return f"revocations/{digest}.json"


def attest(node: str, predicate_type: str, make: Callable[[], Statement], files: Files, signer: Signer) -> Attestation:
    """Return the signed statement about a node; make, sign and keep it where there is none yet.

    Args:
        node: Id of what it is about.
        predicate_type: What kind of statement.
        make: Makes the statement; is asked only where nothing has been said yet.
        files: Where attestations lie.
        signer: Signs.

    Raises:
        UnavailableError: A service did not answer: nothing is kept but, perhaps, what is to be said.
    """
    path = subject_path(node, predicate_type)
    content = files.read(path)
    if content is None:
        content = make().content
        if not files.create(path, content):
            content = _present(files, path)
    return _sealed(content, envelope_path(sha256(content).hexdigest()), files, signer)


def revoke(digest: str, make: Callable[[], Statement], files: Files, signer: Signer) -> Attestation:
    """Return the signed revocation of an attestation; the first one counts.

    Args:
        digest: Of the attestation's statement.
        make: Makes the statement that revokes it.
        files: Where attestations lie.
        signer: Signs.
    """
    path = revocation_path(digest)
    if files.read(path) is None:
        files.create(path, seal(make().content, signer).to_json())
    envelope = read_envelope(_present(files, path))
    return Attestation(sha256(envelope.payload).hexdigest(), envelope)


def find(node: str, predicate_type: str, files: Files) -> Attestation | None:
    """Return what was signed about a node; None where nothing was."""
    content = files.read(subject_path(node, predicate_type))
    if content is None:
        return None
    digest = sha256(content).hexdigest()
    kept = files.read(envelope_path(digest))
    return None if kept is None else Attestation(digest, read_envelope(kept))


def read_attestation(attestation: str, files: Files) -> Attestation:
    """Return an attestation by its id, or by its digest.

    Raises:
        NotFoundError: There is none.
    """
    digest = attestation.removeprefix(_PREFIX)
    kept = files.read(envelope_path(digest)) if digest.isalnum() else None
    if kept is None:
        raise NotFoundError(f"there is no attestation {attestation}: `hallmark attest list` shows what there is")
    return Attestation(digest, read_envelope(kept))


def revocation_of(digest: str, files: Files) -> Envelope | None:
    """Return what took an attestation back; None where nothing did."""
    kept = files.read(revocation_path(digest))
    return None if kept is None else read_envelope(kept)


def _sealed(content: bytes, path: str, files: Files, signer: Signer) -> Attestation:
    kept = files.read(path)
    if kept is None:
        envelope = seal(content, signer)
        kept = envelope.to_json() if files.create(path, envelope.to_json()) else _present(files, path)
    return Attestation(sha256(content).hexdigest(), read_envelope(kept))


def _present(files: Files, path: str) -> bytes:
    content = files.read(path)
    if content is None:
        raise HallmarkError(f"{path} was there a moment ago and is gone: somebody removes attestations")
    return content
