"""Whether a signed verdict, or an override of it, is about what is there now: else nothing may be done by it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from hallmark.attestations.statements import (
    OVERRIDE,
    PACKAGE_DIGEST,
    SNAPSHOT_DIGEST,
    VERIFICATION_SUMMARY,
    Statement,
)
from hallmark.attestations.verdicts import JUDGED

Fault = Literal[
    "unsigned", "forged", "revoked", "expired", "model", "data", "policy", "evaluation", "approval", "other"
]
_SHOWN = 3


class Refusal(NamedTuple):
    """Why nothing may be done."""

    fault: Fault
    reason: str


class Present(NamedTuple):
    """What is there now."""

    model: str
    model_digest: str
    """Empty for a model that is known by its id alone."""
    policy_digest: str
    """Of the gate."""
    data: frozenset[str]
    """What lineage says that the model was trained on: ``s3://…#sha256:…``, or a URI where it knows no content."""
    reports: Mapping[str, str | None]
    """SHA-256 of each report that the verdict rests on; None where it is gone."""
    at: datetime


def reports_of(statement: Statement) -> tuple[str, ...]:
    """Return the URIs of the reports that a verdict rests on."""
    return tuple(str(each["uri"]) for each in _judged(statement).get("reports", ()))


def check_verdict(
    statement: Statement, present: Present, *, verdict: str, gate: str, outcome: Literal["passed", "failed"] | None
) -> Refusal | None:
    """Return why a verdict does not bear what is to be done; None where it does.

    A verdict that is to move a model on must be about the model, the data, the policy and the evaluations as they are
    now. One that takes a model back, or that a person takes back, need only be about the model.

    Args:
        statement: What was signed; its signature was checked.
        present: What is there now.
        verdict: Id of the verdict that is meant.
        gate: The gate that is meant.
        outcome: What it must have said; None where that does not matter.
    """
    judged = _judged(statement)
    if statement.predicate_type != VERIFICATION_SUMMARY or (judged.get("verdict"), judged.get("gate")) != (
        verdict,
        gate,
    ):
        return Refusal("other", f"what is signed is another statement than the verdict {verdict} of {gate}")
    if statement.predicate.get("resourceUri") != present.model:
        return Refusal("other", f"the verdict is about {statement.predicate.get('resourceUri')}")
    if outcome is not None and judged.get("outcome") != outcome:
        return Refusal("other", f"the signed verdict says {judged.get('outcome')}, and not {outcome}")
    refusal = _check_model(statement, present)
    if refusal is not None or outcome != "passed":
        return refusal
    return _check_policy(statement, present) or _check_reports(judged, present) or _check_data(judged, present)


def check_override(statement: Statement, present: Present, *, override: str, verdict: str) -> Refusal | None:
    """Return why an override does not bear what is to be done; None where it does.

    It is a person's word against the gate, so only the model must be as it was then.

    Args:
        statement: What was signed; its signature was checked.
        present: What is there now.
        override: Id of the override that is meant.
        verdict: Id of the verdict that it is about.
    """
    said = statement.predicate
    if statement.predicate_type != OVERRIDE or (said.get("override"), said.get("verdict")) != (override, verdict):
        return Refusal("other", f"what is signed is another statement than the override {override}")
    if statement.subject[0].uri != present.model:
        return Refusal("other", f"the override is about {statement.subject[0].uri}")
    return _check_model(statement, present)


def _judged(statement: Statement) -> Mapping[str, Any]:
    found = statement.predicate.get(JUDGED)
    return found if isinstance(found, Mapping) else {}


def _check_model(statement: Statement, present: Present) -> Refusal | None:
    signed = statement.subject[0].digest.get(PACKAGE_DIGEST, "")
    if signed != present.model_digest:
        return Refusal(
            "model", "the model package consists of other containers or other model data than what was judged"
        )
    return None


def _check_policy(statement: Statement, present: Present) -> Refusal | None:
    signed = (statement.predicate.get("policy") or {}).get("digest", {}).get("sha256")
    if signed != present.policy_digest:
        return Refusal("policy", "the policy of the gate was changed since: ask the gate again")
    return None


def _check_reports(judged: Mapping[str, Any], present: Present) -> Refusal | None:
    for report in judged.get("reports", ()):
        now = present.reports.get(report["uri"])
        if now is None:
            return Refusal("evaluation", f"{report['uri']}, which the verdict rests on, is gone or cannot be read")
        if now != report["digest"]["sha256"]:
            return Refusal("evaluation", f"{report['uri']}, which the verdict rests on, was changed since")
    expires = judged.get("expiresAt")
    if expires is not None and present.at > datetime.fromisoformat(expires):
        return Refusal("expired", f"what the verdict rests on is too old since {expires}: ask the gate again")
    return None


def _check_data(judged: Mapping[str, Any], present: Present) -> Refusal | None:
    signed = {
        f"{each['uri']}#sha256:{each['digest'][SNAPSHOT_DIGEST]}" if each.get("digest") else str(each["uri"])
        for each in judged.get("data", ())
    }
    added, gone = present.data - signed, signed - present.data
    if added or gone:
        told = [f"lineage knows of {_named(added)}, which the gate has not seen"] if added else []
        told += [f"lineage knows nothing of {_named(gone)} any more"] if gone else []
        return Refusal("data", f"{'; '.join(told)}: ask the gate again")
    return None


def _named(keys: set[str] | frozenset[str]) -> str:
    shown = ", ".join(sorted(keys)[:_SHOWN])
    return shown if len(keys) <= _SHOWN else f"{shown} and {len(keys) - _SHOWN} more"
