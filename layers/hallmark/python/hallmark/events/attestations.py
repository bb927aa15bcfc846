"""What is told of attestations."""

from __future__ import annotations

from datetime import datetime

from hallmark.events.records import RecordedEvent

ATTESTATION_SIGNED = "AttestationSigned"
ATTESTATION_REVOKED = "AttestationRevoked"


class AttestationSigned(RecordedEvent):
    """A statement was signed and kept. It may be delivered more than once: ``attestation`` tells a repeat."""

    attestation: str
    """Id of its node: ``hallmark:attestation/<SHA-256 of the statement>``."""
    predicate_type: str
    subject: str
    """Id of the node that it is about."""
    digest: str
    """SHA-256 of the statement, in hex."""
    uri: str
    """Of the envelope."""
    key_id: str
    """Of the key that signed."""


class AttestationRevoked(RecordedEvent):
    """A named person took an attestation back."""

    attestation: str
    by: str
    reason: str
    revoked_at: datetime
    uri: str
    """Of the signed revocation."""
