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

from hallmark.alerts.conditions import Observation, Tuning
from hallmark.alerts.notifications import Link, Reading
from hallmark.alerts.settings import AlarmChoice, AlertsPolicy, RulePolicy
from hallmark.errors import InvalidInputError
from hallmark.events import alerts, drift, gates, published, reviews
from hallmark.events.alerts import Severity
from hallmark.events.records import LineageNode
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
    "QualityGateNotPassed": Kind(_BY_STAGE, _WEEK),
    "ApprovalPending": Kind(_all("warning")),
    "ApprovalExpired": Kind({"production": "error", "default": "warning"}, _DAY),
    "GateOverridden": Kind({"development": "info", "production": "error", "default": "warning"}, _DAY),
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
    "EndpointDown": Kind(_all("critical")),
    "DeliveryFailed": Kind(_all("error"), timedelta(hours=1)),
    "CloudWatchAlarm": Kind(_all("error")),
}

Detail = Mapping[str, Any]


class Around(NamedTuple):
    """What is known beside the event's detail."""

    policy: AlertsPolicy
    told_at: datetime
    """When the event was published: for events that do not say when what they tell of happened."""


Says = Callable[[Any, Around], Iterable[Observation]]


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
        found = list(_of_alarm(event, detail, policy))
    elif event.get("source") == published.SOURCE and isinstance(detail_type, str) and detail_type in TABLE:
        around = Around(policy, _told_at(event))
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


def _seen(  # noqa: PLR0913 - what an observation is made of
    name: str,
    at: datetime,
    *,
    bad: bool,
    summary: str = "",
    subject: str = "",
    subject_name: str = "",
    cause: LineageNode | None = None,
    readings: tuple[Reading, ...] = (),
    owners: Iterable[str] = (),
    links: tuple[Link, ...] = (),
    **labels: str,
) -> Observation:
    known = {label: value for label, value in labels.items() if value}
    if subject_name:
        known["subject"] = subject_name
    return Observation(
        id="",
        name=name,
        labels=known,
        at=at,
        bad=bad,
        summary=summary,
        subject=subject,
        subject_name=subject_name,
        cause=cause,
        readings=readings,
        owners=tuple(owners),
        links=links,
    )


def _command(title: str, command: str) -> Link:
    return Link(title=title, command=command)


# --- gates ------------------------------------------------------------------------------------------------------------


def _of_verdict(event: gates.QualityGateDecided, _: Around) -> Iterable[Observation]:
    failing = [each for each in event.criteria if each.outcome == "failed"]
    open_ones = [each for each in event.criteria if each.outcome == "inconclusive"]
    rest = [each for each in event.criteria if each.outcome == "passed"]
    yield _seen(
        "QualityGateNotPassed",
        event.decided_at,
        bad=event.outcome != "passed",
        summary=event.summary,
        subject=event.endpoint or event.model,
        subject_name=event.model_name,
        cause=event.lineage.node,
        readings=tuple(_criterion(each) for each in (*failing, *open_ones, *rest)),
        owners=event.owners,
        links=(
            _command("What the verdict rests on", f"hallmark show {event.verdict}"),
            _command("Where the model came from", f"hallmark trace {event.model}"),
        ),
        gate=event.gate,
        stage=event.stage,
    )


def _criterion(each: gates.JudgedCriterion) -> Reading:
    return Reading(
        metric=each.metric or each.name,
        value=each.value,
        threshold=each.threshold,
        comparison=each.comparison,
        low=each.low,
        high=each.high,
        confidence=each.confidence,
        baseline=each.baseline,
        change_fraction=_change(each.value, each.baseline),
        cases=each.cases,
        why=each.why,
    )


def _change(value: float | None, baseline: float | None) -> float | None:
    return (value - baseline) / abs(baseline) if value is not None and baseline else None


def _of_rejection(event: gates.ModelMoved, _: Around) -> Iterable[Observation]:
    # What a gate stopped is dealt with once the model is rejected; promoted, it has passed or was overridden.
    stage = event.from_stage or event.to_stage
    return [
        _approval("ApprovalPending", event.moved_at, event.model, event.model_name, stage, (), bad=False),
        _approval("ApprovalExpired", event.moved_at, event.model, event.model_name, stage, (), bad=False),
    ]


def _approval(  # noqa: PLR0913 - what an observation is made of
    name: str,
    at: datetime,
    model: str,
    model_name: str,
    stage: str,
    owners: Iterable[str],
    *,
    bad: bool,
    summary: str = "",
    links: tuple[Link, ...] = (),
) -> Observation:
    return _seen(
        name,
        at,
        bad=bad,
        summary=summary,
        subject=model,
        subject_name=model_name,
        owners=owners,
        links=links,
        stage=stage,
    )


def _of_request(event: gates.ApprovalRequested, around: Around) -> Iterable[Observation]:
    yield _approval(
        "ApprovalPending",
        around.told_at,
        event.model,
        event.model_name,
        event.stage,
        event.owners,
        bad=True,
        summary=event.summary or f"{event.model_name} waits for approval at {event.gate}",
        links=(_command("Decide", f"hallmark gate approve {event.approval} --reason ..."),),
    )


def _of_decision(event: gates.ApprovalDecided, _: Around) -> Iterable[Observation]:
    for name in ("ApprovalPending", "ApprovalExpired"):
        yield _approval(
            name,
            event.decided_at,
            event.model,
            event.model_name,
            event.stage,
            event.owners,
            bad=False,
            summary=f"{event.by} {event.decision} {event.model_name}: {event.reason}",
        )


def _of_expiry(event: gates.ApprovalExpired, _: Around) -> Iterable[Observation]:
    where = (event.expired_at, event.model, event.model_name, event.stage, event.owners)
    yield _approval("ApprovalPending", *where, bad=False)
    yield _approval(
        "ApprovalExpired",
        *where,
        bad=True,
        summary=f"nobody decided in time whether {event.model_name} may pass {event.gate}",
    )


def _of_override(event: gates.GateOverridden, _: Around) -> Iterable[Observation]:
    yield _seen(
        "GateOverridden",
        event.overridden_at,
        bad=True,
        summary=f"{event.by} let {event.model_name} pass {event.gate} against its verdict: {event.reason}",
        subject=event.model,
        subject_name=event.model_name,
        cause=event.lineage.node,
        owners=event.owners,
        links=(_command("The verdict", f"hallmark show {event.verdict}"),),
        gate=event.gate,
        stage=event.stage,
    )
    yield _seen(
        "QualityGateNotPassed",
        event.overridden_at,
        bad=False,
        summary=f"overridden by {event.by}: {event.reason}",
        subject_name=event.model_name,
        gate=event.gate,
        stage=event.stage,
    )


def _of_rollback(event: gates.EndpointRolledBack, _: Around) -> Iterable[Observation]:
    where: dict[str, Any] = {"subject": event.endpoint, "subject_name": event.endpoint_name}
    yield _seen(
        "EndpointRolledBack",
        event.rolled_back_at,
        bad=True,
        summary=f"{event.endpoint_name} went back from {event.from_config} to {event.to_config}: {event.reason}",
        cause=event.lineage.node,
        owners=event.owners,
        links=(_command("The endpoint's history", f"hallmark show {event.endpoint}"),),
        **where,
    )
    yield _seen("RollbackFailed", event.rolled_back_at, bad=False, **where)


def _of_failed_rollback(event: gates.RollbackFailed, _: Around) -> Iterable[Observation]:
    yield _seen(
        "RollbackFailed",
        event.failed_at,
        bad=True,
        summary=f"{event.endpoint_name} could not be put back from {event.from_config}: {event.reason}",
        subject=event.endpoint,
        subject_name=event.endpoint_name,
        owners=event.owners,
        links=(_command("The endpoint's history", f"hallmark show {event.endpoint}"),),
    )


def _of_halt(event: gates.TrainingHalted, _: Around) -> Iterable[Observation]:
    yield _seen(
        "TrainingHalted",
        event.halted_at,
        bad=True,
        summary=f"{event.job_name} was stopped: {event.reason}",
        subject=event.job,
        subject_name=event.job_name,
        cause=event.lineage.node,
        readings=(Reading(metric=event.metric, value=event.value, threshold=event.threshold, comparison=event.rule),),
        owners=event.owners,
        links=(_command("What it was trained on", f"hallmark trace {event.job}"),),
        watch=event.watch,
    )


# --- drift ------------------------------------------------------------------------------------------------------------


def _of_report(event: drift.MonitorReported, _: Around, *, bad: bool) -> Iterable[Observation]:
    where: dict[str, Any] = {"subject": event.subject, "subject_name": event.subject_name, "monitor": event.monitor}
    yield _seen(
        "DriftDetected",
        event.detected_at,
        bad=bad,
        summary=event.summary,
        cause=event.lineage.node,
        readings=tuple(_finding(each) for each in event.findings),
        owners=event.owners,
        links=(_command("The report", f"hallmark show {event.report}"),),
        **where,
    )
    yield _seen("MonitorFailed", event.detected_at, bad=False, **where)


def _of_drift(event: drift.MonitorReported, around: Around) -> Iterable[Observation]:
    return _of_report(event, around, bad=True)


def _of_clearing(event: drift.MonitorReported, around: Around) -> Iterable[Observation]:
    return _of_report(event, around, bad=False)


def _finding(each: drift.DriftFinding) -> Reading:
    return Reading(
        metric=each.feature,
        statistic=each.statistic,
        value=each.value,
        threshold=each.threshold,
        comparison="at_most",
        low=each.low,
        high=each.high,
        baseline=each.baseline_value,
        change_fraction=each.change_fraction,
        cases=each.current_count,
        unit=each.unit,
        why=each.why,
    )


def _of_failed_monitor(event: drift.MonitorFailed, _: Around) -> Iterable[Observation]:
    yield _seen(
        "MonitorFailed",
        event.failed_at,
        bad=True,
        summary=f"the monitor {event.monitor} could not look at {event.subject_name}: {event.reason}",
        subject=event.subject,
        subject_name=event.subject_name,
        owners=event.owners,
        monitor=event.monitor,
    )


def _of_retraining(event: drift.RetrainingStarted, _: Around) -> Iterable[Observation]:
    yield _seen("RetrainingSkipped", event.started_at, bad=False, monitor=event.monitor)


def _of_skipped_retraining(event: drift.RetrainingSkipped, _: Around) -> Iterable[Observation]:
    yield _seen(
        "RetrainingSkipped",
        event.skipped_at,
        bad=True,
        summary=f"{event.monitor} asked for a retraining that policy does not allow now: {event.reason}",
        subject=event.report,
        owners=event.owners,
        links=(_command("Why it was asked for", f"hallmark show {event.report}"),),
        monitor=event.monitor,
    )


# --- reviews ----------------------------------------------------------------------------------------------------------


def _of_low_score(event: reviews.ReviewScoreLow, _: Around) -> Iterable[Observation]:
    yield _seen(
        "ReviewScoreLow",
        event.completed_at,
        bad=True,
        summary=f"people gave {event.subject_name} {event.mean:.0%}, and policy asks for {event.threshold:.0%}",
        subject=event.subject,
        subject_name=event.subject_name,
        readings=(
            Reading(
                metric="human_score",
                value=event.mean,
                threshold=event.threshold,
                comparison="at_least",
                low=event.low,
                high=event.high,
                cases=event.scores,
            ),
        ),
        owners=event.owners,
        links=(_command("The review", f"hallmark show {event.review}"),),
        program=event.program,
    )


def _of_review(event: reviews.ReviewCompleted, _: Around) -> Iterable[Observation]:
    yield _seen(
        "ReviewScoreLow",
        event.completed_at,
        bad=False,
        summary="" if event.mean is None else f"people gave {event.subject_name} {event.mean:.0%}",
        subject=event.subject,
        subject_name=event.subject_name,
        program=event.program,
    )


# --- evaluations and endpoints ----------------------------------------------------------------------------------------


def _of_failed_run(event: published.EvaluationFailed, _: Around) -> Iterable[Observation]:
    yield _seen(
        "EvaluationFailed",
        event.failed_at,
        bad=True,
        summary=f"the suite {event.suite} ended without a report: {event.reason}",
        links=(_command("How the run stands", f"hallmark runs {event.run}"),),
        suite=event.suite,
    )


def _of_run(event: published.EvaluationCompleted, around: Around) -> Iterable[Observation]:
    at, owners = event.completed_at, event.owners
    links = (_command("The report", f"hallmark report {event.run}"),)
    yield _seen("EvaluationFailed", at, bad=False, suite=event.suite)
    yield _seen(
        "CoverageLow",
        at,
        bad=event.coverage < around.policy.least_coverage,
        summary=f"{event.coverage:.0%} of what {event.suite} asked was answered",
        readings=(
            Reading(
                metric="coverage", value=event.coverage, threshold=around.policy.least_coverage, comparison="at_least"
            ),
        ),
        owners=owners,
        links=links,
        suite=event.suite,
    )
    champion = next((model for model in event.models if model.name == event.champion), None)
    before = champion.metrics.get(event.primary) if champion else None
    for model in event.models:
        if model.verdict is None:
            continue
        value = model.metrics.get(event.primary)
        worse = model.verdict == "worse"
        yield _seen(
            "ModelWorse",
            at,
            bad=worse,
            summary=f"{model.name} is {'' if worse else 'not '}worse than {event.champion} on {event.suite}",
            subject=model.model_id,
            subject_name=model.name,
            readings=(
                Reading(
                    metric=event.primary,
                    value=value,
                    baseline=before,
                    comparison="not_worse_by",
                    change_fraction=_change(value, before),
                    cases=model.answered,
                ),
            ),
            owners=owners,
            links=links,
            suite=event.suite,
        )


_DOWN = frozenset({"Failed", "OutOfService", "UpdateRollbackFailed"})
_UP = frozenset({"InService", "Deleted", "Deleting"})


def _of_recording(event: published.LineageRecorded, _: Around) -> Iterable[Observation]:
    if event.kind != "endpoint" or event.status not in _DOWN | _UP:
        return
    name = event.arn.rpartition("/")[2]
    yield _seen(
        "EndpointDown",
        event.occurred_at or event.recorded_at,
        bad=event.status in _DOWN,
        summary=f"the endpoint {name} is {event.status}",
        subject=event.arn,
        subject_name=name,
        cause=LineageNode(kind="endpoint", id=event.arn),
        links=(_command("The endpoint's history", f"hallmark show {event.arn}"),),
    )


def _of_failed_delivery(event: alerts.DeliveryFailed, _: Around) -> Iterable[Observation]:
    yield _seen(
        "DeliveryFailed",
        event.failed_at,
        bad=True,
        summary=f"{event.channel} did not take a notification: {event.reason}",
        links=(_command("What waits", "hallmark dead-letters"),),
        channel=event.channel,
    )


# --- CloudWatch -------------------------------------------------------------------------------------------------------


def _of_alarm(event: Mapping[str, Any], detail: Detail, policy: AlertsPolicy) -> Iterable[Observation]:
    name, state = detail.get("alarmName"), detail.get("state")
    if not isinstance(name, str) or not isinstance(state, Mapping):
        raise InvalidInputError("detail", dict(detail), "send the alarm's change as CloudWatch tells it")
    choice = next((each for each in policy.alarms if _is_chosen(each, name)), None)
    value = state.get("value")
    if choice is None or value not in {"ALARM", "OK"}:
        return
    told = parse_time(state.get("timestamp") or event.get("time"))
    if told is None:
        raise InvalidInputError("detail.state.timestamp", state.get("timestamp"), "send the time of the change")
    configuration = detail.get("configuration")
    description = str(configuration.get("description") or "") if isinstance(configuration, Mapping) else ""
    seen = _seen(
        "CloudWatchAlarm",
        told,
        bad=value == "ALARM",
        summary=f"{name}: {state.get('reason') or value}",
        subject=str((event.get("resources") or [""])[0]),
        subject_name=name,
        readings=_datapoint(name, state),
    )
    yield seen.model_copy(
        update={
            "labels": {**choice.labels, **seen.labels},
            "severity": choice.severity,
            "links": (
                Link(
                    title=description[:300] or "The alarm",
                    command=f"aws cloudwatch describe-alarms --alarm-names {name}",
                ),
            ),
        }
    )


def _is_chosen(choice: AlarmChoice, name: str) -> bool:
    return name.startswith(choice.name[:-1]) if choice.name.endswith("*") else name == choice.name


def _datapoint(name: str, state: Mapping[str, Any]) -> tuple[Reading, ...]:
    try:
        told = json.loads(state.get("reasonData") or "{}")
        value, threshold = told["recentDatapoints"][0], told["threshold"]
        return (Reading(metric=name, statistic=str(told.get("statistic", "")), value=value, threshold=threshold),)
    except (ValueError, KeyError, IndexError, TypeError):
        return ()  # a composite alarm and one of anomalies have no such numbers


TABLE: Mapping[str, Rule] = {
    gates.QUALITY_GATE_PASSED: Rule(gates.QualityGateDecided, _of_verdict),
    gates.QUALITY_GATE_FAILED: Rule(gates.QualityGateDecided, _of_verdict),
    gates.QUALITY_GATE_INCONCLUSIVE: Rule(gates.QualityGateDecided, _of_verdict),
    gates.APPROVAL_REQUESTED: Rule(gates.ApprovalRequested, _of_request),
    gates.APPROVAL_DECIDED: Rule(gates.ApprovalDecided, _of_decision),
    gates.APPROVAL_EXPIRED: Rule(gates.ApprovalExpired, _of_expiry),
    gates.MODEL_REJECTED: Rule(gates.ModelMoved, _of_rejection),
    gates.GATE_OVERRIDDEN: Rule(gates.GateOverridden, _of_override),
    gates.ENDPOINT_ROLLED_BACK: Rule(gates.EndpointRolledBack, _of_rollback),
    gates.ROLLBACK_FAILED: Rule(gates.RollbackFailed, _of_failed_rollback),
    gates.TRAINING_HALTED: Rule(gates.TrainingHalted, _of_halt),
    drift.DRIFT_DETECTED: Rule(drift.MonitorReported, _of_drift),
    drift.DRIFT_CLEARED: Rule(drift.MonitorReported, _of_clearing),
    drift.MONITOR_FAILED: Rule(drift.MonitorFailed, _of_failed_monitor),
    drift.RETRAINING_STARTED: Rule(drift.RetrainingStarted, _of_retraining),
    drift.RETRAINING_SKIPPED: Rule(drift.RetrainingSkipped, _of_skipped_retraining),
    reviews.REVIEW_SCORE_LOW: Rule(reviews.ReviewScoreLow, _of_low_score),
    reviews.REVIEW_COMPLETED: Rule(reviews.ReviewCompleted, _of_review),
    published.EVALUATION_FAILED: Rule(published.EvaluationFailed, _of_failed_run),
    published.EVALUATION_COMPLETED: Rule(published.EvaluationCompleted, _of_run),
    published.LINEAGE_RECORDED: Rule(published.LineageRecorded, _of_recording),
    alerts.DELIVERY_FAILED: Rule(alerts.DeliveryFailed, _of_failed_delivery),
}
