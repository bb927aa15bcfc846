"""From events to conditions: which event says that something is wrong, and which one that it is well again.

``TABLE`` is the whole of it: a type of event, its model, and what it says of which conditions. ``KINDS`` says of each
condition how severe it is by stage, and when it ends by itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from hallmark.alerts import observing
from hallmark.alerts.conditions import Observation, Tuning
from hallmark.alerts.settings import AlertsPolicy, RulePolicy
from hallmark.errors import InvalidInputError
from hallmark.events import alerts, drift, gates, published, reviews
from hallmark.events.alerts import Severity
from hallmark.events.times import parse_time

ALARM_SOURCE = "aws.cloudwatch"
ALARM_CHANGED = "CloudWatch Alarm State Change"


class Kind(NamedTuple):
    """A kind of alert: its severity by stage, and after what time without news it ends by itself."""

    severity: Mapping[str, Severity]
    """``default`` stands for every other stage."""
    expires: timedelta | None = None


_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_BY_STAGE: Mapping[str, Severity] = {
    "development": "info",
    "staging": "error",
    "production": "critical",
    "default": "error",
}


def _all(severity: Severity) -> Mapping[str, Severity]:
    return {"default": severity}


KINDS: Mapping[str, Kind] = {
    "QualityGateNotPassed": Kind(_BY_STAGE, _DAY),
    "ApprovalPending": Kind(_all("warning")),
    "ApprovalExpired": Kind({"production": "error", "default": "warning"}, _DAY),
    "GateOverridden": Kind({"development": "info", "production": "error", "default": "warning"}, _DAY),
    "PromotionRefused": Kind({"production": "critical", "default": "error"}, _WEEK),
    "EndpointRolledBack": Kind(_all("critical"), _DAY),
    "RollbackFailed": Kind(_all("critical"), _WEEK),
    "TrainingHalted": Kind(_all("warning"), _DAY),
    "DriftDetected": Kind(_all("error")),
    "MonitorFailed": Kind(_all("warning"), _DAY),
    "RetrainingSkipped": Kind(_all("info"), _DAY),
    "ReviewScoreLow": Kind(_all("warning")),
    "EvaluationFailed": Kind(_all("warning"), _WEEK),
    "ModelWorse": Kind(_all("warning")),
    "CoverageLow": Kind(_all("warning")),
    "JudgeChanged": Kind(_all("warning"), _WEEK),
    "EndpointDown": Kind(_all("critical")),
    "DeliveryFailed": Kind(_all("error"), timedelta(hours=1)),
    "CloudWatchAlarm": Kind(_all("error")),
}

LABELS = frozenset({"gate", "stage", "subject", "watch", "monitor", "program", "suite", "channel"})
"""Labels of alerts, beside ``name``, ``severity`` and those that the policy gives to alarms."""

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
        if _rule(seen.name, policy).enabled
    ]


def _told_at(event: Mapping[str, Any]) -> datetime:
    try:
        told = parse_time(event.get("time"))
    except ValueError:
        told = None
    if told is None:
        raise InvalidInputError("time", event.get("time"), "send the event with its time, as EventBridge delivers it")
    return told


def severity_of(seen: Observation, policy: AlertsPolicy) -> Severity:
    """Return how severe an observation is at its stage: as the policy says, else as the table says."""
    if seen.name == "CloudWatchAlarm":
        return seen.severity
    stage = seen.labels.get("stage", "default")
    told = _rule(seen.name, policy).severity
    if isinstance(told, str):
        return told
    for table in (told or {}, KINDS[seen.name].severity):
        if stage in table or "default" in table:
            return table.get(stage) or table["default"]
    raise AssertionError("every kind has a severity for every other stage")


def tuning_of(name: str, policy: AlertsPolicy) -> Tuning:
    """Return how observations of a condition become an alert."""
    rule, flapping = _rule(name, policy), policy.flapping
    expires = KINDS[name].expires if rule.expires is None else rule.expires
    return Tuning(
        times=rule.fires_after.times if rule.fires_after else 1,
        of=rule.fires_after.of if rule.fires_after else 1,
        clears_after=rule.clears_after or 1,
        expires=expires if isinstance(expires, timedelta) else None,
        flap_changes=flapping.changes,
        flap_within=flapping.within,
        flap_hold=flapping.hold,
    )


def _rule(name: str, policy: AlertsPolicy) -> RulePolicy:
    return policy.rules.get(name, RulePolicy())


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
