"""Moves a model in the registry, and tells of it. No other function may: its role alone can update a model package."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

from hallmark.attestations.proving import Refusal
from hallmark.aws.attestation_keys import KmsStatementKey
from hallmark.aws.clients import client
from hallmark.aws.eventbridge import EventPublisher
from hallmark.aws.gate_actions import GateActionsTable
from hallmark.aws.gate_lineage import LineageOrigins
from hallmark.aws.gate_verdicts import GateVerdicts
from hallmark.aws.ledger_files import S3LogFiles
from hallmark.aws.lineage_service import LineageService
from hallmark.aws.model_registry import ModelRegistry
from hallmark.aws.promotion_proof import PromotionProof
from hallmark.errors import NotFoundError
from hallmark.events.gates import MODEL_PROMOTED, MODEL_REJECTED, PROMOTION_REFUSED, ModelMoved, PromotionRefused
from hallmark.gates.actions import model_moved, promotion_refused
from hallmark.gates.approvals import Decision, approval_gap, approval_id
from hallmark.gates.promoting import (
    Order,
    PackageState,
    check_unchanged,
    describe_move,
    is_done,
    is_package,
    refusal_of,
)
from hallmark.gates.settings import GatesPolicy
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class MovingSettings(Settings):
    """What the function is told by its deployment."""

    gates_table_name: str
    event_bus_name: str
    attestation_bucket_name: str
    attestation_key_id: str
    query_lineage_function_name: str


@cache
def settings() -> MovingSettings:
    """Read the settings once per execution environment."""
    return MovingSettings.from_environment()


@cache
def proof() -> PromotionProof:
    """Build what checks proofs once per execution environment."""
    told = settings()
    return PromotionProof(
        S3LogFiles(told.attestation_bucket_name, client("s3")),
        KmsStatementKey(told.attestation_key_id, client("kms")),
        LineageOrigins(LineageService(told.query_lineage_function_name, client("lambda")), client("s3")),
        client("s3"),
        GatesPolicy.model_validate_json(read_policy_section("gates")),
    )


class Moved(NamedTuple):
    """What came of an order: why it may not be followed, or how the package stood before."""

    refusal: str | None = None
    unproved: Refusal | None = None
    before: PackageState | None = None


def unproved_of(order: Order, package: PackageState | None, *, by_person: bool) -> Refusal | None:
    """Return what an order lacks: a signed verdict, or the word of a person where one is asked."""
    if by_person or (order.move == "promote" and order.asks_approval):
        table = GateActionsTable(settings().gates_table_name, client("dynamodb"))
        wanted: Decision = "rejected" if by_person else "approved"
        try:
            approval, _token = table.approval(approval_id(order.verdict, order.cause))
        except NotFoundError as error:
            return Refusal("approval", str(error))
        gap = approval_gap(approval, verdict=order.verdict, model=order.model, wanted=wanted)
        if gap is not None:
            return Refusal("approval", gap)
    return proof().refusal(order, package, datetime.now(UTC), by_person=by_person)


def move(order: Order, fingerprint: str, by: str, reason: str, *, by_person: bool) -> Moved:
    """Move a package, unless it is where it should be already; nothing is written where the proof fails."""
    if not is_package(order.model):
        return Moved(unproved=unproved_of(order, None, by_person=by_person))
    registry = ModelRegistry(client("sagemaker"))
    package = registry.find(order.model)
    try:
        newer = GateVerdicts(settings().gates_table_name, client("dynamodb")).newer(order)
    except NotFoundError as error:
        return Moved(unproved=Refusal("unsigned", str(error)), before=package)
    refusal = refusal_of(order, package, newer) or check_unchanged(fingerprint, package)
    if refusal is not None or package is None or is_done(order, package):
        return Moved(refusal, before=package)
    unproved = unproved_of(order, package, by_person=by_person)
    if unproved is None:
        registry.move(order, describe_move(order, by, reason))
    return Moved(unproved=unproved, before=package)


def refuse(order: Order, unproved: Refusal, at: datetime) -> dict[str, Any]:
    """Tell that nothing was done, so that it is recorded, and somebody is alerted."""
    told = promotion_refused(order, unproved.fault, unproved.reason, at)
    publish(told, PROMOTION_REFUSED)
    metrics.add_metric(name=PROMOTION_REFUSED, unit=MetricUnit.Count, value=1)
    logger.error("model not moved: not proved", order=order.id, fault=unproved.fault, reason=unproved.reason)
    return {"moved": False, "reason": unproved.reason, "fault": unproved.fault}


def publish(told: ModelMoved | PromotionRefused, detail_type: str) -> None:
    """Publish one event on the hallmark bus."""
    EventPublisher(client("events")).publish([told.to_entry(settings().event_bus_name, detail_type)])


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Re-read the registry, ask for the proof, refuse where in doubt, write once, tell; a repeat tells the same."""
    order = Order.model_validate(event["order"])
    answer = event.get("answer") or {}
    by_person = answer.get("state") == "rejected"
    if by_person:
        order = order.to_rejection()
    by, reason = answer.get("by") or order.by, answer.get("reason") or order.reason
    at = datetime.fromisoformat(event["at"])
    moved = move(order, event.get("fingerprint", ""), by, reason, by_person=by_person)
    if moved.unproved is not None:
        return refuse(order, moved.unproved, at)
    if moved.refusal is not None:
        logger.warning("model not moved", order=order.id, reason=moved.refusal)
        return {"moved": False, "reason": moved.refusal}
    before = moved.before
    if before is not None:  # a repeat finds the package where the first try has put it
        before = before.model_copy(update={"stage": event.get("from_stage", "")})
    told = model_moved(order, before, by=by, reason=reason, at=at, approval=answer.get("approval", ""))
    detail_type = MODEL_PROMOTED if order.move == "promote" else MODEL_REJECTED
    publish(told, detail_type)
    metrics.add_metric(name=detail_type, unit=MetricUnit.Count, value=1)
    logger.info("model moved", order=order.id, move=order.move, stage=order.to_stage)
    return {"moved": True, "reason": reason}
