"""What is told of an action: the events, each with what it adds to lineage. Edges point from cause to effect."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from hallmark.events.gates import (
    ApprovalDecided,
    ApprovalExpired,
    ApprovalRequested,
    EndpointRolledBack,
    GateOverridden,
    ModelMoved,
    PromotionRefused,
    QualityGateDecided,
    RollbackFailed,
    TrainingHalted,
)
from hallmark.events.records import LineageFlow, LineageNode, LineageSection, own_id
from hallmark.gates.approvals import Approval
from hallmark.gates.curves import Curve, thin
from hallmark.gates.promoting import Order, PackageState
from hallmark.people import Person

if TYPE_CHECKING:
    from hallmark.gates.rolling_back import RollbackOrder
    from hallmark.gates.watching import Finding

_KINDS = ("model-package", "custom-model", "endpoint-config", "endpoint", "training-job")
_BEDROCK_WORDS = {"provisioned-model": "custom-model", "imported-model": "custom-model"}


def node_of(model: str) -> LineageNode:
    """Return the node of what a verdict is about: an ARN of SageMaker or Bedrock, else a foundation model's id."""
    word = model.split(":", 5)[5].partition("/")[0] if model.count(":") >= _ARN_COLONS else ""
    word = _BEDROCK_WORDS.get(word, word)
    return LineageNode(kind=word if word in _KINDS else "foundation-model", id=model)


_ARN_COLONS = 5


def approval_requested(approval: Approval) -> ApprovalRequested:
    """Tell that a person must decide."""
    return ApprovalRequested(
        approval=approval.id,
        gate=approval.gate,
        stage=approval.stage,
        model=approval.model,
        model_name=approval.model_name,
        verdict=approval.verdict,
        approvers=list(approval.rules.approvers),
        expires_at=approval.expires_at,
        owners=list(approval.owners),
        summary=approval.summary,
    )


def approval_decided(approval: Approval) -> ApprovalDecided:
    """Tell that a person has decided.

    Raises:
        ValueError: Nobody has.
    """
    if approval.decided_at is None or approval.state not in {"approved", "rejected"}:
        raise ValueError(f"approval {approval.id} is {approval.state}")
    decision = "approved" if approval.state == "approved" else "rejected"
    return ApprovalDecided(
        approval=approval.id,
        gate=approval.gate,
        stage=approval.stage,
        model=approval.model,
        model_name=approval.model_name,
        decision=decision,
        by=approval.by,
        reason=approval.reason,
        decided_at=approval.decided_at,
        owners=list(approval.owners),
        lineage=LineageSection(
            node=approval_node(approval.id),
            at=approval.decided_at,
            status=approval.state,
            attributes={
                "name": f"{approval.state} for {approval.stage}",
                "by": approval.by,
                "reason": approval.reason,
                "gate": approval.gate,
            },
            flows=[_verdict(approval.verdict), _subject(approval.model)],
        ),
    )


def approval_expired(approval: Approval) -> ApprovalExpired:
    """Tell that nobody decided in time."""
    return ApprovalExpired(
        approval=approval.id,
        gate=approval.gate,
        stage=approval.stage,
        model=approval.model,
        model_name=approval.model_name,
        expired_at=approval.expires_at,
        owners=list(approval.owners),
    )


def gate_overridden(
    verdict: QualityGateDecided, person: Person, reason: str, now: datetime, *, model_digest: str = ""
) -> GateOverridden:
    """Tell that a named person lets a model pass against the verdict.

    Args:
        verdict: What the gate said.
        person: Who.
        reason: Why.
        now: When.
        model_digest: Of what the package consists of, SHA-256 in hex; empty where the model is no package.
    """
    return GateOverridden(
        verdict=verdict.verdict,
        gate=verdict.gate,
        stage=verdict.stage,
        model=verdict.model,
        model_name=verdict.model_name,
        by=person.arn,
        reason=reason,
        overridden_at=now,
        owners=verdict.owners,
        model_digest=model_digest,
        lineage=LineageSection(
            node=LineageNode(kind="override", id=own_id("override", _digest(verdict.verdict))),
            at=now,
            status="overridden",
            attributes={
                "name": f"override of {verdict.gate}",
                "by": person.arn,
                "reason": reason,
                "outcome": verdict.outcome,
            },
            flows=[_verdict(verdict.verdict), _subject(verdict.model)],
        ),
    )


def model_moved(
    order: Order, before: PackageState | None, *, by: str, reason: str, at: datetime, approval: str = ""
) -> ModelMoved:
    """Tell that a model was promoted or rejected.

    Args:
        order: What was asked.
        before: The package before; None for a model that is not in the registry.
        by: Who.
        reason: Why.
        at: When.
        approval: Id of the approval that it rests on, where there is one.
    """
    promoted = order.move == "promote"
    flows = [_verdict(order.verdict), _subject(order.model)]
    if order.cause != order.verdict:
        flows.append(LineageFlow(node=LineageNode(kind="override", id=order.cause), role="override"))
    if approval:
        flows.append(LineageFlow(node=approval_node(approval), role="approval"))
    word = "promoted" if promoted else "rejected"
    place = order.to_stage or order.stage
    return ModelMoved(
        model=order.model,
        model_name=order.model_name,
        group=order.group,
        gate=order.gate,
        stage=order.stage,
        from_stage=before.stage if before is not None else "",
        to_stage=order.to_stage,
        approval_status=_approval_status(order, before),
        verdict=order.verdict,
        by=by,
        reason=reason,
        moved_at=at,
        owners=list(order.owners),
        lineage=LineageSection(
            node=LineageNode(kind="action", id=own_id("action", order.id)),
            at=at,
            status=word,
            attributes={"name": f"{word} {'to' if promoted else 'at'} {place}", "by": by, "reason": reason},
            flows=flows,
        ),
    )


def promotion_refused(order: Order, fault: str, reason: str, at: datetime) -> PromotionRefused:
    """Tell that nothing was done with a model, because what the order rests on is not proved.

    Args:
        order: What was asked.
        fault: What is wrong, in a word.
        reason: What is wrong, for people.
        at: When.
    """
    return PromotionRefused(
        model=order.model,
        model_name=order.model_name,
        gate=order.gate,
        stage=order.stage,
        verdict=order.verdict,
        cause=order.cause,
        fault=fault,
        reason=reason,
        refused_at=at,
        owners=list(order.owners),
        lineage=LineageSection(
            node=LineageNode(kind="action", id=own_id("action", f"refuse-{order.id}")),
            at=at,
            status="refused",
            attributes={
                "name": f"refused to {order.move} at {order.stage}",
                "fault": fault,
                "reason": reason,
                "by": "set_model_stage",
            },
            flows=[_verdict(order.verdict), _subject(order.model)],
        ),
    )


def endpoint_rolled_back(
    order: RollbackOrder, *, from_config: str, to_config: str, config_arns: tuple[str, str], at: datetime
) -> EndpointRolledBack:
    """Tell that an endpoint serves an earlier configuration again.

    Args:
        order: What was asked.
        from_config: Name of what it served.
        to_config: Name of what it serves now.
        config_arns: ARNs of both.
        at: When.
    """
    before, after = (LineageNode(kind="endpoint-config", id=arn) for arn in config_arns)
    return EndpointRolledBack(
        endpoint=order.endpoint,
        endpoint_name=order.endpoint_name,
        from_config=from_config,
        to_config=to_config,
        verdict=order.verdict,
        reason=order.reason,
        rolled_back_at=at,
        owners=list(order.owners),
        lineage=LineageSection(
            node=LineageNode(kind="action", id=own_id("action", order.id)),
            at=at,
            status="rolled back",
            attributes={"name": f"rolled back to {to_config}", "reason": order.reason},
            flows=[
                _verdict(order.verdict),
                _subject(order.endpoint),
                LineageFlow(node=before, role="from"),
                LineageFlow(node=after, role="to"),
            ],
        ),
    )


def rollback_failed(order: RollbackOrder, from_config: str, reason: str, at: datetime) -> RollbackFailed:
    """Tell that an endpoint could not be put back."""
    return RollbackFailed(
        endpoint=order.endpoint,
        endpoint_name=order.endpoint_name,
        from_config=from_config,
        verdict=order.verdict,
        reason=reason,
        failed_at=at,
        owners=list(order.owners),
        lineage=LineageSection(
            node=LineageNode(kind="action", id=own_id("action", order.id)),
            at=at,
            status="rollback failed",
            attributes={"name": f"rollback of {order.endpoint_name} failed", "reason": reason},
            flows=[_verdict(order.verdict), _subject(order.endpoint)],
        ),
    )


def training_halted(
    job: str, watch: str, metric: str, finding: Finding, curve: Curve, *, owners: list[str], at: datetime
) -> TrainingHalted:
    """Tell that a training job was stopped."""
    name = job.rpartition("/")[2]
    return TrainingHalted(
        job=job,
        job_name=name,
        watch=watch,
        rule=finding.rule,
        metric=metric,
        value=finding.value,
        threshold=finding.threshold,
        step=None if finding.step is None else int(finding.step),
        curve=[list(point) for point in thin(curve)],
        reason=finding.reason,
        halted_at=at,
        owners=owners,
        lineage=LineageSection(
            node=LineageNode(kind="action", id=own_id("action", f"halt-{_digest(job, watch)}")),
            at=at,
            status="halted",
            attributes={"name": f"halted {name}", "reason": finding.reason, "rule": finding.rule, "watch": watch},
            flows=[LineageFlow(node=LineageNode(kind="training-job", id=job), role="halted")],
        ),
    )


def approval_node(approval: str) -> LineageNode:
    """Return the node of an approval."""
    return LineageNode(kind="approval", id=own_id("approval", approval))


def _verdict(verdict: str) -> LineageFlow:
    return LineageFlow(node=LineageNode(kind="verdict", id=verdict), role="verdict")


def _subject(model: str) -> LineageFlow:
    return LineageFlow(node=node_of(model), role="subject")


def _approval_status(order: Order, before: PackageState | None) -> str:
    if before is None:
        return ""
    if order.move == "reject":
        return "Rejected"
    return "Approved" if order.approves else before.approval


def _digest(*parts: str) -> str:
    return sha256("\n".join(parts).encode()).hexdigest()[:32]
