"""Of which bytes a verdict was given: digests of model, data, policy and evaluations."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

from hallmark.events.gates import JudgedContent, JudgedData, JudgedReport
from hallmark.gates.origins import LineageEvidence
from hallmark.gates.settings import Gate

if TYPE_CHECKING:
    from hallmark.gates.evidence import Evidence


def content_of(gate: Gate, evidence: Evidence) -> JudgedContent:
    """Return what a verdict is good for.

    Args:
        gate: The gate.
        evidence: What it was given on.
    """
    known = [source for source in evidence.sources if source.digest]
    expiries = [
        source.completed_at + gate.max_evidence_age
        for source in known
        if gate.max_evidence_age is not None and source.completed_at is not None
    ]
    return JudgedContent(
        model_digest=evidence.digest,
        policy_digest=policy_digest(gate),
        data=judged_data(evidence.lineage),
        reports=[
            JudgedReport(name=each.name, uri=each.document, digest=each.digest, completed_at=each.completed_at)
            for each in known
        ],
        expires_at=min(expiries, default=None),
    )


def policy_digest(gate: Gate) -> str:
    """Return the SHA-256, in hex, of what the policy says of a gate; what is left to its default does not count."""
    said = gate.model_dump(mode="json", exclude_defaults=True)
    return sha256(json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def judged_data(lineage: LineageEvidence | None) -> list[JudgedData]:
    """Return what a model was trained on, as far as lineage knows, in order."""
    trained = () if lineage is None else lineage.snapshots
    found = {(each.name, each.digest) for each in trained if each.trained_on}
    return [JudgedData(uri=uri, digest=digest) for uri, digest in sorted(found)]
