"""What gates publish, and what asks for one."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from hallmark.events.published import Published
from hallmark.events.records import RecordedEvent

QUALITY_GATE_REQUESTED = "QualityGateRequested"
QUALITY_GATE_PASSED = "QualityGatePassed"
QUALITY_GATE_FAILED = "QualityGateFailed"
QUALITY_GATE_INCONCLUSIVE = "QualityGateInconclusive"
APPROVAL_REQUESTED = "ApprovalRequested"
APPROVAL_DECIDED = "ApprovalDecided"
APPROVAL_EXPIRED = "ApprovalExpired"
GATE_OVERRIDDEN = "GateOverridden"
MODEL_PROMOTED = "ModelPromoted"
MODEL_REJECTED = "ModelRejected"
PROMOTION_REFUSED = "PromotionRefused"
ENDPOINT_ROLLED_BACK = "EndpointRolledBack"
ROLLBACK_FAILED = "RollbackFailed"
TRAINING_HALTED = "TrainingHalted"

STAGE_WAITING = "PendingApproval"
"""Status of a model that came to a stage whose gate has not judged it yet, in SageMaker's own word (developer guide,
model-registry-staging-construct)."""
REGISTRY_APPROVED = "Approved"
REGISTRY_REJECTED = "Rejected"
"""Statuses of a model package (API reference, ModelApprovalStatus)."""

Outcome = Literal["passed", "failed", "inconclusive"]


class QualityGateRequested(Published):
    """Somebody or something asks for a verdict. ``request_id`` makes a repeat the same request."""

    gate: str
    """Name of the gate in the policy."""
    model: str
    """ARN of a model package, custom model or endpoint, or a foundation model's id."""
    request_id: str
    trigger: str
    """``registry``, ``evaluation``, ``endpoint``, ``drift``, ``pipeline``, ``ci`` or ``manual``."""
    source: str = ""
    """What caused it: an ARN, or the id of a node."""
    requested_by: str = ""


class JudgedCriterion(Published):
    """What a gate found by one criterion."""

    name: str
    kind: str
    metric: str = ""
    outcome: Outcome
    value: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float | None = None
    cases: int | None = None
    threshold: float | None = None
    comparison: str = ""
    """``at_least``, ``at_most``, ``not_worse_by`` …"""
    baseline: float | None = None
    """The champion's value, for a relative criterion."""
    why: str
    more_cases: int | None = None
    """So many more would probably decide."""


class JudgedData(Published):
    """What a model was trained on."""

    uri: str
    digest: str = ""
    """Content digest, in hex; empty where nobody knows the content."""


class JudgedReport(Published):
    """A report that a verdict rests on."""

    name: str
    """Of the suite; ``package`` for the package's own report."""
    uri: str
    """Of the file."""
    digest: str
    """SHA-256 of the file, in hex."""
    completed_at: datetime | None = None


class JudgedContent(Published):
    """Of which bytes a verdict was given: it is good for these, and for nothing else."""

    model_digest: str = ""
    """Of what the package consists of, SHA-256 in hex; empty for a model that is known by its id alone."""
    policy_digest: str
    """Of the gate as the policy had it, SHA-256 in hex."""
    data: list[JudgedData] = []
    reports: list[JudgedReport] = []
    expires_at: datetime | None = None
    """When the oldest evidence becomes too old for the gate."""


class QualityGateDecided(RecordedEvent):
    """A gate has given its verdict (``QualityGatePassed``, ``…Failed``, ``…Inconclusive``)."""

    verdict: str
    """Id of the verdict's node: ``hallmark:verdict/…``; tells a repeat."""
    outcome: Outcome
    gate: str
    stage: str
    """``development``, ``staging``, ``production`` or the team's own."""
    model: str
    model_name: str
    """For people: ``group:version``, an endpoint's name …"""
    group: str = ""
    endpoint: str = ""
    criteria: list[JudgedCriterion]
    action: str
    """What follows: ``log``, ``block``, ``promote``, ``roll_back``, ``ask_for_approval`` or ``none``."""
    evidence: list[str] = []
    """URIs of the reports that it rests on."""
    decided_at: datetime
    trigger: str
    requested_by: str = ""
    owners: list[str] = []
    summary: str
    judged: JudgedContent | None = None
    """None: the verdict was given before verdicts had digests."""


class ApprovalRequested(Published):
    """A person must approve or reject before a model moves on."""

    approval: str
    """Id that ``hallmark gate approve`` takes."""
    gate: str
    stage: str
    model: str
    model_name: str
    verdict: str
    approvers: list[str] = []
    expires_at: datetime
    owners: list[str] = []
    summary: str


class ApprovalDecided(RecordedEvent):
    """A person approved or rejected."""

    approval: str
    gate: str
    stage: str
    model: str
    model_name: str
    decision: Literal["approved", "rejected"]
    by: str
    reason: str
    decided_at: datetime
    owners: list[str] = []


class ApprovalExpired(Published):
    """Nobody decided in time."""

    approval: str
    gate: str
    stage: str
    model: str
    model_name: str
    expired_at: datetime
    owners: list[str] = []


class GateOverridden(RecordedEvent):
    """A named person let a model pass against the verdict."""

    verdict: str
    gate: str
    stage: str
    model: str
    model_name: str
    by: str
    reason: str
    overridden_at: datetime
    owners: list[str] = []
    model_digest: str = ""
    """Of what the package consisted of then; empty for a model that is known by its id alone."""


class ModelMoved(RecordedEvent):
    """A model was promoted (``ModelPromoted``) or rejected (``ModelRejected``) in the registry."""

    model: str
    model_name: str
    group: str = ""
    gate: str = ""
    """The gate whose verdict it follows, and the gate's stage."""
    stage: str = ""
    from_stage: str = ""
    to_stage: str = ""
    approval_status: str = ""
    verdict: str
    by: str
    reason: str
    moved_at: datetime
    owners: list[str] = []


class PromotionRefused(RecordedEvent):
    """A model was not moved, because what it rests on is not proved."""

    model: str
    model_name: str
    gate: str
    stage: str
    verdict: str
    cause: str
    """The verdict, or the override of it."""
    fault: str
    """``unsigned``, ``forged``, ``revoked``, ``expired``, or whose digest is another one: ``model``, ``data``,
    ``policy``, ``evaluation``; ``approval`` for a person's word that is not kept; ``other`` for a statement about
    something else."""
    reason: str
    refused_at: datetime
    owners: list[str] = []


class EndpointRolledBack(RecordedEvent):
    """An endpoint was put back to its last good configuration (or that failed: ``RollbackFailed``)."""

    endpoint: str
    endpoint_name: str
    from_config: str
    to_config: str
    verdict: str = ""
    reason: str
    rolled_back_at: datetime
    owners: list[str] = []


class RollbackFailed(RecordedEvent):
    """An endpoint could not be put back."""

    endpoint: str
    endpoint_name: str
    from_config: str
    verdict: str = ""
    reason: str
    failed_at: datetime
    owners: list[str] = []


class TrainingHalted(RecordedEvent):
    """A training job was stopped because of what its metrics showed."""

    job: str
    job_name: str
    watch: str
    rule: str
    """``threshold``, ``champion``, ``plateau``, ``divergence``."""
    metric: str
    value: float | None = None
    threshold: float | None = None
    step: int | None = None
    curve: list[list[Any]] = []
    """``[step or time, value]``, thinned to 100 points."""
    reason: str
    halted_at: datetime
    owners: list[str] = []
