"""From events to conditions: which event says that something is wrong, and which one that it is well again.

``TABLE`` is the whole of it: a type of event, its model, and what it says of which conditions. ``kinds`` says of each
condition how severe it is, and when it ends by itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from hallmark.alerts import observing
from hallmark.alerts.conditions import Observation
from hallmark.alerts.kinds import rule_of, severity_of
from hallmark.alerts.settings import AlertsPolicy
from hallmark.errors import InvalidInputError
from hallmark.events import alerts, drift, gates, published, reviews
from hallmark.events.times import parse_time

ALARM_SOURCE = "aws.cloudwatch"
ALARM_CHANGED = "CloudWatch Alarm State Change"


Detail = Mapping[str, Any]


Says = Callable[[Any, observing.Around], Iterable[Observation]]


class Rule(NamedTuple):
    """A type of event: how it is read, and what it says."""

    model: type[BaseModel]
    says: Says


def observe_event(event: Mapping[str, Any], policy: AlertsPolicy) -> list[Observation]:
    """Return what an event says of conditions; nothing for one that says nothing of any.

    Args:
        event: As EventBridge delivers it.
        policy: The team's.

    Raises:
        InvalidInputError: It is an event of a known type that cannot be read.
    """
    detail_type, detail = event.get("detail-type"), event.get("detail")
    if not isinstance(detail, Mapping):
        raise InvalidInputError("detail", detail, "send the event's detail as a JSON object")
    if event.get("source") == ALARM_SOURCE and detail_type == ALARM_CHANGED:
        found = list(observing.of_alarm(event, detail, policy))
    elif event.get("source") == published.SOURCE and isinstance(detail_type, str) and detail_type in TABLE:
        around = observing.Around(policy, _told_at(event))
        found = list(TABLE[detail_type].says(_read(TABLE[detail_type].model, detail), around))
    else:
        raise InvalidInputError("detail-type", detail_type, "no alert is made of this event; correct the rule")
    digest = hashlib.sha256(json.dumps([detail_type, detail], sort_keys=True).encode()).hexdigest()[:16]
    return [
        seen.model_copy(update={"id": digest, "severity": severity_of(seen, policy)})
        for seen in found
        if rule_of(seen.name, policy).enabled
    ]


def _told_at(event: Mapping[str, Any]) -> datetime:
    try:
        told = parse_time(event.get("time"))
    except ValueError:
        told = None
    if told is None:
        raise InvalidInputError("time", event.get("time"), "send the event with its time, as EventBridge delivers it")
    return told


def _read(model: type[BaseModel], detail: Detail) -> Any:
    try:
        return model.model_validate(detail)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(("detail", *map(str, fault["loc"])))
        raise InvalidInputError(field, fault["input"], f"{fault['msg']}; see docs/events.md") from None


TABLE: Mapping[str, Rule] = {
    gates.QUALITY_GATE_PASSED: Rule(gates.QualityGateDecided, observing.of_verdict),
    gates.QUALITY_GATE_FAILED: Rule(gates.QualityGateDecided, observing.of_verdict),
    gates.QUALITY_GATE_INCONCLUSIVE: Rule(gates.QualityGateDecided, observing.of_verdict),
    gates.APPROVAL_REQUESTED: Rule(gates.ApprovalRequested, observing.of_request),
    gates.APPROVAL_DECIDED: Rule(gates.ApprovalDecided, observing.of_decision),
    gates.APPROVAL_EXPIRED: Rule(gates.ApprovalExpired, observing.of_expiry),
    gates.MODEL_REJECTED: Rule(gates.ModelMoved, observing.of_rejection),
    gates.PROMOTION_REFUSED: Rule(gates.PromotionRefused, observing.of_refusal),
    gates.GATE_OVERRIDDEN: Rule(gates.GateOverridden, observing.of_override),
    gates.ENDPOINT_ROLLED_BACK: Rule(gates.EndpointRolledBack, observing.of_rollback),
    gates.ROLLBACK_FAILED: Rule(gates.RollbackFailed, observing.of_failed_rollback),
    gates.TRAINING_HALTED: Rule(gates.TrainingHalted, observing.of_halt),
    drift.DRIFT_DETECTED: Rule(drift.MonitorReported, observing.of_drift),
    drift.DRIFT_CLEARED: Rule(drift.MonitorReported, observing.of_clearing),
    drift.MONITOR_FAILED: Rule(drift.MonitorFailed, observing.of_failed_monitor),
    drift.MONITOR_RECOVERED: Rule(drift.MonitorRecovered, observing.of_recovered_monitor),
    drift.RETRAINING_STARTED: Rule(drift.RetrainingStarted, observing.of_retraining),
    drift.RETRAINING_SKIPPED: Rule(drift.RetrainingSkipped, observing.of_skipped_retraining),
    reviews.REVIEW_SCORE_LOW: Rule(reviews.ReviewScoreLow, observing.of_low_score),
    reviews.REVIEW_COMPLETED: Rule(reviews.ReviewCompleted, observing.of_review),
    published.EVALUATION_FAILED: Rule(published.EvaluationFailed, observing.of_failed_run),
    published.EVALUATION_COMPLETED: Rule(published.EvaluationCompleted, observing.of_run),
    published.LINEAGE_RECORDED: Rule(published.LineageRecorded, observing.of_recording),
    alerts.DELIVERY_FAILED: Rule(alerts.DeliveryFailed, observing.of_failed_delivery),
}
