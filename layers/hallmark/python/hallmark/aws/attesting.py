"""Attesting as functions do it: where attestations lie, who signs, and whom is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from hallmark.attestations.envelopes import Signer
from hallmark.attestations.keeping import Attestation, Files, attest
from hallmark.attestations.statements import Statement
from hallmark.attestations.telling import attestation_signed
from hallmark.aws.attestation_keys import KmsStatementKey
from hallmark.aws.clients import client
from hallmark.aws.eventbridge import EventPublisher
from hallmark.aws.ledger_files import S3LogFiles
from hallmark.events.attestations import ATTESTATION_SIGNED
from hallmark.events.records import LineageNode
from hallmark.runtime.settings import Settings


class AttestingSettings(Settings):
    """What each function that signs is told by its deployment."""

    attestation_bucket_name: str
    attestation_key_id: str
    attestor: str
    """``urn:hallmark:<account>:<Region>``."""
    event_bus_name: str


class Attesting:
    """Signs, keeps, and tells.

    Args:
        settings: Of the function.
    """

    def __init__(self, settings: AttestingSettings) -> None:
        self._settings = settings
        self.files: Files = S3LogFiles(settings.attestation_bucket_name, client("s3"))
        self.signer: Signer = KmsStatementKey(settings.attestation_key_id, client("kms"))
        self.place = f"s3://{settings.attestation_bucket_name}"
        self.attestor = settings.attestor

    def attest(
        self,
        subject: LineageNode,
        predicate_type: str,
        make: Callable[[str], Statement],
        about: Iterable[LineageNode],
        at: datetime,
        *,
        name: str = "",
    ) -> Attestation:
        """Return the signed statement about a node, signed now where it was not, and tell of it.

        Args:
            subject: The node.
            predicate_type: What kind of statement.
            make: Makes it, given who says so.
            about: What the node is about.
            at: When it was so.
            name: What tells the node from all others, where its id can be used again.

        Raises:
            UnavailableError: A service did not answer; a repeat goes on where this one stopped.
        """
        made = attest(name or subject.id, predicate_type, lambda: make(self.attestor), self.files, self.signer)
        told = attestation_signed(made, subject, about, at, self.place)
        entry = told.to_entry(self._settings.event_bus_name, ATTESTATION_SIGNED)
        EventPublisher(client("events")).publish([entry])
        return made
