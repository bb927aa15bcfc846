"""What the hallmark bus is told of attestations, and thereby lineage and the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hallmark.attestations.keeping import Attestation, envelope_path, revocation_path
from hallmark.attestations.statements import (
    OVERRIDE,
    PROVENANCE,
    TEST_RESULT,
    VERIFICATION_SUMMARY,
    Statement,
)
from hallmark.events.attestations import AttestationRevoked, AttestationSigned
from hallmark.events.records import LineageFlow, LineageNode, LineageSection

_NAMES = {
    VERIFICATION_SUMMARY: "verification summary",
    TEST_RESULT: "test result",
    PROVENANCE: "provenance",
    OVERRIDE: "override",
}


def attestation_signed(
    attestation: Attestation, subject: LineageNode, about: Iterable[LineageNode], at: datetime, place: str
) -> AttestationSigned:
    """Tell that a statement was signed; a repeat tells the same.

    Args:
        attestation: The statement.
        subject: What it states.
        about: What that is about: a model, what it was made from.
        at: When what it states was so.
        place: URI of the bucket or folder that holds envelopes, without a slash at the end.
    """
    predicate_type = attestation.statement.predicate_type
    key_id = attestation.envelope.signatures[0].key_id
    uri = f"{place}/{envelope_path(attestation.digest)}"
    flows = [LineageFlow(node=subject, role="attested")]
    flows += [LineageFlow(node=node, role="about", type="AssociatedWith") for node in about if node.id != subject.id]
    return AttestationSigned(
        attestation=attestation.id,
        predicate_type=predicate_type,
        subject=subject.id,
        digest=attestation.digest,
        uri=uri,
        key_id=key_id,
        lineage=LineageSection(
            node=LineageNode(kind="attestation", id=attestation.id),
            at=at,
            status="Signed",
            attributes={
                "name": f"{_NAMES.get(predicate_type, predicate_type)} of {subject.id.rpartition('/')[2]}",
                "predicate_type": predicate_type,
                "uri": uri,
                "digest": f"sha256:{attestation.digest}",
                "key_id": key_id,
            },
            flows=flows,
        ),
    )


def attestation_revoked(attestation: Attestation, revocation: Statement, place: str) -> AttestationRevoked:
    """Tell that an attestation was taken back; a repeat tells the same.

    Args:
        attestation: What was taken back.
        revocation: The statement that is kept of it.
        place: URI of the bucket or folder, without a slash at the end.
    """
    said, uri = revocation.predicate, f"{place}/{revocation_path(attestation.digest)}"
    by, reason, at = str(said["by"]), str(said["reason"]), datetime.fromisoformat(said["revokedAt"])
    return AttestationRevoked(
        attestation=attestation.id,
        by=by,
        reason=reason,
        revoked_at=at,
        uri=uri,
        lineage=LineageSection(
            node=LineageNode(kind="attestation", id=attestation.id),
            at=at,
            status="Revoked",
            attributes={"revoked_by": by, "revoked_because": reason, "revocation": uri},
            flows=[LineageFlow(node=LineageNode(kind="user", id=by), role="revoked-by", type="AssociatedWith")],
        ),
    )
