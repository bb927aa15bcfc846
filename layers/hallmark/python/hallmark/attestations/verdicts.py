"""A gate's verdict as a verification summary (SLSA, VSA v1), and a person's override of it.

Of the two predicates for a verdict this one has a place for the policy with its digest and for a failure; a simple
verification result (SVR) only lists what held. What a verdict rests on beyond that stands in a field of our own.
"""

from __future__ import annotations

from typing import Any

from hallmark.attestations.statements import (
    MODEL_ID,
    OVERRIDE,
    PACKAGE_DIGEST,
    SNAPSHOT_DIGEST,
    VERIFICATION_SUMMARY,
    Resource,
    Statement,
    Subject,
    timestamp,
)
from hallmark.errors import InvalidInputError
from hallmark.events.gates import GateOverridden, JudgedContent, QualityGateDecided

JUDGED = "urn:hallmark:judged"
"""Field of our own (in-toto's parsing rules, extension fields)."""
FAILED = "FAILED"


def verdict_statement(told: QualityGateDecided, attestor: str) -> Statement:
    """Return what is signed of a verdict.

    Args:
        told: The verdict, as it is kept.
        attestor: Who says so: ``urn:hallmark:<account>:<Region>``.

    Raises:
        InvalidInputError: It decides nothing, or was given before verdicts had digests.
    """
    if told.outcome == "inconclusive":
        raise InvalidInputError("outcome", told.outcome, "a summary says passed or failed: this verdict says neither")
    judged = told.judged
    if judged is None:
        raise InvalidInputError(
            "judged", None, "the verdict does not say of which bytes it was given: ask the gate again"
        )
    passed = told.outcome == "passed"
    return Statement(
        subject=(model_subject(told.model, told.model_name, judged.model_digest),),
        predicate_type=VERIFICATION_SUMMARY,
        predicate={
            "verifier": {"id": attestor},
            "timeVerified": timestamp(told.decided_at),
            "resourceUri": told.model,
            "policy": {"uri": policy_uri(told.gate), "digest": {"sha256": judged.policy_digest}},
            "verificationResult": "PASSED" if passed else FAILED,
            "verifiedLevels": [level_of(told.gate) if passed else FAILED],
            JUDGED: _judged(told, judged),
        },
    )


def override_statement(told: GateOverridden, attestor: str) -> Statement:
    """Return what is signed of an override: by whom, why, of which verdict, for which bytes.

    Args:
        told: The override, as it is kept.
        attestor: Who says so.
    """
    return Statement(
        subject=(model_subject(told.model, told.model_name, told.model_digest),),
        predicate_type=OVERRIDE,
        predicate={
            "recorder": {"id": attestor},
            "override": told.lineage.node.id,
            "verdict": told.verdict,
            "gate": told.gate,
            "stage": told.stage,
            "by": told.by,
            "reason": told.reason,
            "overriddenAt": timestamp(told.overridden_at),
        },
    )


def model_subject(model: str, name: str, digest: str) -> Subject:
    """Return a model as the subject of a statement.

    Args:
        model: ARN or id.
        name: For people.
        digest: Of what a package consists of; empty for a model that is known by its id alone.
    """
    return Subject(name=name, uri=model, digest={PACKAGE_DIGEST: digest} if digest else {MODEL_ID: model})


def policy_uri(gate: str) -> str:
    """Return what a gate of the policy is called."""
    return f"urn:hallmark:policy:gates:{gate}"


def level_of(gate: str) -> str:
    """Return the property that a model has which passed a gate; nobody but SLSA may begin one with ``SLSA_``."""
    return f"HALLMARK_GATE_{gate.upper().replace('-', '_')}"


def _judged(told: QualityGateDecided, judged: JudgedContent) -> dict[str, Any]:
    found: dict[str, Any] = {
        "verdict": told.verdict,
        "gate": told.gate,
        "stage": told.stage,
        "outcome": told.outcome,
        "data": [
            _plain(Resource(uri=each.uri, digest={SNAPSHOT_DIGEST: each.digest} if each.digest else None))
            for each in judged.data
        ],
        "reports": [
            _plain(
                Resource(
                    name=each.name,
                    uri=each.uri,
                    digest={"sha256": each.digest},
                    annotations={"completedAt": timestamp(each.completed_at)} if each.completed_at else None,
                )
            )
            for each in judged.reports
        ],
        "criteria": [
            {
                name: value
                for name, value in each.model_dump(by_alias=True, exclude_none=True, mode="json").items()
                if value != ""
            }
            for each in told.criteria
        ],
        "summary": told.summary,
    }
    if judged.expires_at is not None:
        found["expiresAt"] = timestamp(judged.expires_at)
    return found


def _plain(resource: Resource) -> dict[str, Any]:
    return resource.model_dump(by_alias=True, exclude_none=True)
