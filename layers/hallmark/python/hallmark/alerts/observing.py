"""What each type of event says of conditions: one function for each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from hallmark.alerts.conditions import Observation
from hallmark.alerts.notifications import Link, Reading
from hallmark.alerts.settings import AlarmChoice, AlertsPolicy
from hallmark.errors import InvalidInputError
from hallmark.events import alerts, drift, gates, published, reviews
from hallmark.events.records import LineageNode
from hallmark.events.times import parse_time

Detail = Mapping[str, Any]

_READINGS = 10
_SUMMARY = 1000
_WHY = 500
_OWNERS = 20
"""Numbers, characters and owners that an alert keeps: the worst come first, and twenty alerts share a notification."""


class Around(NamedTuple):
    """What is known beside the event's detail."""

    policy: AlertsPolicy
    told_at: datetime
    """When the event was published: for events that do not say when what they tell of happened."""


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
        summary=summary[:_SUMMARY],
        subject=subject,
        subject_name=subject_name,
        cause=cause,
        readings=tuple(each.model_copy(update={"why": each.why[:_WHY]}) for each in readings[:_READINGS]),
        owners=tuple(owners)[:_OWNERS],
        links=links,
    )


def _command(title: str, command: str) -> Link:
    return Link(title=title, command=command)


# --- gates ------------------------------------------------------------------------------------------------------------


def of_verdict(event: gates.QualityGateDecided, _: Around) -> Iterable[Observation]:
    """Say what a gate's verdict means."""
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


def of_rejection(event: gates.ModelMoved, _: Around) -> Iterable[Observation]:
    """Say what a model that was rejected means: what its gate stopped is dealt with, and nobody needs to decide."""
    for name in ("ApprovalPending", "ApprovalExpired"):
        yield _approval(name, event.moved_at, event.model, event.model_name, event.stage, (), bad=False)
    rejected = _seen(
        "QualityGateNotPassed",
        event.moved_at,
        bad=False,
        summary=f"{event.model_name} was rejected: {event.reason}",
        subject=event.model,
        subject_name=event.model_name,
        gate=event.gate,
        stage=event.stage,
    )
    yield rejected.model_copy(update={"acted": True})


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


def of_request(event: gates.ApprovalRequested, around: Around) -> Iterable[Observation]:
    """Say what a wish for approval means."""
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


def of_decision(event: gates.ApprovalDecided, _: Around) -> Iterable[Observation]:
    """Say what a decision about approval means."""
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


def of_expiry(event: gates.ApprovalExpired, _: Around) -> Iterable[Observation]:
    """Say what an approval that nobody gave means."""
    where = (event.expired_at, event.model, event.model_name, event.stage, event.owners)
    yield _approval("ApprovalPending", *where, bad=False)
    yield _approval(
        "ApprovalExpired",
        *where,
        bad=True,
        summary=f"nobody decided in time whether {event.model_name} may pass {event.gate}",
    )


def of_override(event: gates.GateOverridden, _: Around) -> Iterable[Observation]:
    """Say what an override means."""
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


def of_refusal(event: gates.PromotionRefused, _: Around) -> Iterable[Observation]:
    """Say what a promotion without a proof means."""
    yield _seen(
        "PromotionRefused",
        event.refused_at,
        bad=True,
        summary=f"{event.model_name} was not moved at {event.gate}: {event.reason}",
        subject=event.model,
        subject_name=event.model_name,
        cause=event.lineage.node,
        owners=event.owners,
        links=(
            _command("What is signed of it", f"hallmark attest show {event.cause}"),
            _command("Ask the gate again", f"hallmark gate check {event.model} --gate {event.gate}"),
        ),
        gate=event.gate,
        stage=event.stage,
    )


def of_rollback(event: gates.EndpointRolledBack, _: Around) -> Iterable[Observation]:
    """Say what an endpoint that went back means."""
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


def of_failed_rollback(event: gates.RollbackFailed, _: Around) -> Iterable[Observation]:
    """Say what an endpoint that could not go back means."""
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


def of_halt(event: gates.TrainingHalted, _: Around) -> Iterable[Observation]:
    """Say what a training job that was stopped means."""
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


def of_report(event: drift.MonitorReported, _: Around, *, bad: bool) -> Iterable[Observation]:
    """Say what a monitor's report means."""
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


def of_drift(event: drift.MonitorReported, around: Around) -> Iterable[Observation]:
    """Say what drift means."""
    return of_report(event, around, bad=True)


def of_clearing(event: drift.MonitorReported, around: Around) -> Iterable[Observation]:
    """Say what the end of drift means."""
    return of_report(event, around, bad=False)


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


def of_failed_monitor(event: drift.MonitorFailed, _: Around) -> Iterable[Observation]:
    """Say what a monitor that could not look means."""
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


def of_recovered_monitor(event: drift.MonitorRecovered, _: Around) -> Iterable[Observation]:
    """Say what a monitor that looks again means."""
    yield _seen(
        "MonitorFailed",
        event.recovered_at,
        bad=False,
        subject=event.subject,
        subject_name=event.subject_name,
        monitor=event.monitor,
    )


def of_retraining(event: drift.RetrainingStarted, _: Around) -> Iterable[Observation]:
    """Say what a retraining that began means."""
    yield _seen("RetrainingSkipped", event.started_at, bad=False, monitor=event.monitor)


def of_skipped_retraining(event: drift.RetrainingSkipped, _: Around) -> Iterable[Observation]:
    """Say what a retraining that policy did not allow means."""
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


def of_low_score(event: reviews.ReviewScoreLow, _: Around) -> Iterable[Observation]:
    """Say what people's low scores means."""
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


def of_review(event: reviews.ReviewCompleted, _: Around) -> Iterable[Observation]:
    """Say what a review that is complete means."""
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


def of_failed_run(event: published.EvaluationFailed, _: Around) -> Iterable[Observation]:
    """Say what a run without a report means."""
    yield _seen(
        "EvaluationFailed",
        event.failed_at,
        bad=True,
        summary=f"the suite {event.suite} ended without a report: {event.reason}",
        links=(_command("How the run stands", f"hallmark runs {event.run}"),),
        suite=event.suite,
    )


def of_run(event: published.EvaluationCompleted, around: Around) -> Iterable[Observation]:
    """Say what a run's report means."""
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
    if event.changed_judges is not None:
        yield _seen(
            "JudgeChanged",
            at,
            bad=bool(event.changed_judges),
            summary=f"the judge of {', '.join(event.changed_judges)} in {event.suite} scores the same anchors "
            "otherwise than in the run before",
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
                    change_fraction=_change(value, before),
                    cases=model.answered,
                ),
                *_difference(event.primary, model.difference),
            ),
            owners=owners,
            links=links,
            suite=event.suite,
        )


def _difference(metric: str, measured: published.MeasuredDifference | None) -> Iterable[Reading]:
    if measured is None:
        return
    yield Reading(
        metric=metric,
        statistic="difference_from_the_champion",
        value=measured.value,
        threshold=measured.margin,
        comparison="not_worse_by" if measured.margin is not None else "",
        low=measured.low,
        high=measured.high,
        confidence=measured.confidence,
        cases=measured.cases,
    )


_DOWN = frozenset({"Failed", "OutOfService", "UpdateRollbackFailed"})
_UP = frozenset({"InService", "Deleted", "Deleting"})


def of_recording(event: published.LineageRecorded, _: Around) -> Iterable[Observation]:
    """Say what an endpoint's state means."""
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


def of_failed_delivery(event: alerts.DeliveryFailed, _: Around) -> Iterable[Observation]:
    """Say what a channel that took nothing means."""
    yield _seen(
        "DeliveryFailed",
        event.failed_at,
        bad=True,
        summary=f"{event.channel} did not take a notification: {event.reason}",
        links=(_command("What waits", "hallmark dead-letters"),),
        channel=event.channel,
    )


# --- CloudWatch -------------------------------------------------------------------------------------------------------


def of_alarm(event: Mapping[str, Any], detail: Detail, policy: AlertsPolicy) -> Iterable[Observation]:
    """Say what a CloudWatch alarm means."""
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
