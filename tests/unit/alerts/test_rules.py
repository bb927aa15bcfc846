from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from hallmark.alerts import observing
from hallmark.alerts.channels.composing import describe_reading
from hallmark.alerts.conditions import Observation
from hallmark.alerts.kinds import KINDS, LABELS, tuning_of
from hallmark.alerts.rules import TABLE, observe_event
from hallmark.alerts.settings import AlarmChoice, AlertsPolicy, RulePolicy
from hallmark.errors import InvalidInputError
from hallmark.events import drift, gates, published
from infra.constructs.alert_engine import TOLD_OF
from tests.unit.alerts import events_of_others as others
from tests.unit.alerts.observed import DAY, NOON

POLICY = AlertsPolicy()


def said(event: dict[str, Any], policy: AlertsPolicy = POLICY) -> dict[str, bool]:
    return {f"{each.name} {each.labels.get('subject', '')}".strip(): each.bad for each in observe_event(event, policy)}


def one(event: dict[str, Any], policy: AlertsPolicy = POLICY, name: str = "") -> Observation:
    return next(each for each in observe_event(event, policy) if each.name.startswith(name))


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (others.verdict("failed"), {"QualityGateNotPassed churn:3": True}),
        (others.verdict("inconclusive"), {"QualityGateNotPassed churn:3": True}),
        (others.verdict("passed"), {"QualityGateNotPassed churn:3": False}),
        (others.drifted(), {"DriftDetected live": True, "MonitorFailed live": False}),
        (others.drifted(bad=False), {"DriftDetected live": False, "MonitorFailed live": False}),
        (others.run(), {"EvaluationFailed": False, "CoverageLow": False, "ModelWorse new": True}),
        (others.run(0.5, "better"), {"EvaluationFailed": False, "CoverageLow": True, "ModelWorse new": False}),
        (
            others.run(changed_judges=["judge_correctness"]),
            {"EvaluationFailed": False, "CoverageLow": False, "JudgeChanged": True, "ModelWorse new": True},
        ),
        (
            others.run(changed_judges=[]),
            {"EvaluationFailed": False, "CoverageLow": False, "JudgeChanged": False, "ModelWorse new": True},
        ),
        (others.endpoint("Failed"), {"EndpointDown live": True}),
        (others.endpoint("InService"), {"EndpointDown live": False}),
        (others.endpoint("Deleted"), {"EndpointDown live": False}),
        (others.endpoint("Creating"), {}),
        (others.review(low=True), {"ReviewScoreLow live": True}),
        (others.review(low=False), {"ReviewScoreLow live": False}),
        (others.alarm(), {"CloudWatchAlarm HallmarkAlerts-DeadLetters": True}),
        (others.alarm("OK"), {"CloudWatchAlarm HallmarkAlerts-DeadLetters": False}),
        (others.alarm("INSUFFICIENT_DATA"), {}),
        (others.alarm(name="AnotherTeams"), {}),
    ],
)
def test_an_event_says_of_conditions_whether_they_hold(event: dict[str, Any], expected: dict[str, bool]) -> None:
    assert said(event) == expected


def test_what_ends_a_condition_names_the_same_one() -> None:
    pairs = [
        (others.verdict("failed"), others.verdict("passed"), ""),
        (others.drifted(), others.drifted(bad=False), "Drift"),
        (others.endpoint("Failed"), others.endpoint("InService"), ""),
        (others.review(low=True), others.review(low=False), ""),
        (others.alarm(), others.alarm("OK"), ""),
    ]

    for bad, good, name in pairs:
        assert one(bad, name=name).fingerprint == one(good, name=name).fingerprint
    assert one(others.verdict("failed")).fingerprint != one(others.verdict("failed", gate="safety")).fingerprint


def test_a_monitor_that_looks_again_ends_the_alert_that_it_could_not() -> None:
    where = {"monitor": "traffic", "subject": others.ENDPOINT, "subject_name": "live"}
    failed = others.event("MonitorFailed", drift.MonitorFailed(**where, reason="no requests", failed_at=NOON))
    again = others.event("MonitorRecovered", drift.MonitorRecovered(**where, recovered_at=NOON + DAY))

    assert (one(failed).bad, one(again).bad) == (True, False)
    assert one(failed).fingerprint == one(again).fingerprint


def test_approvals_wait_until_somebody_decides_or_nobody_did_in_time() -> None:
    where = {"approval": "a", "gate": "g", "stage": "production", "model": "arn:m", "model_name": "churn:3"}
    asked = gates.ApprovalRequested(**where, verdict="v", expires_at=NOON + DAY, summary="")
    expired = gates.ApprovalExpired(**where, expired_at=NOON + DAY)
    decided = gates.ApprovalDecided(
        **where, lineage=others.section("approval", "a"), decision="approved", by="ada", reason="fine", decided_at=NOON
    )

    request = one(others.event(gates.APPROVAL_REQUESTED, asked))
    assert (request.name, request.bad, request.at) == ("ApprovalPending", True, NOON)
    assert said(others.event(gates.APPROVAL_EXPIRED, expired)) == {
        "ApprovalPending churn:3": False,
        "ApprovalExpired churn:3": True,
    }
    assert said(others.event(gates.APPROVAL_DECIDED, decided)) == {
        "ApprovalPending churn:3": False,
        "ApprovalExpired churn:3": False,
    }


def test_a_rejection_ends_what_the_gate_stopped_and_what_waited_for_a_decision() -> None:
    told = gates.ModelMoved(
        lineage=others.section("action", "a"),
        model=others.PACKAGE,
        model_name="churn:3",
        gate="benchmarks",
        stage="staging",
        verdict="hallmark:verdict/v1",
        by="gate benchmarks",
        reason="accuracy is worse",
        moved_at=NOON + DAY,
    )
    where = {
        "approval": "a",
        "gate": "benchmarks",
        "stage": "staging",
        "model": others.PACKAGE,
        "model_name": "churn:3",
    }
    waits = others.event(
        "ApprovalRequested", gates.ApprovalRequested(**where, verdict="v", expires_at=NOON + DAY, summary="")
    )
    rejection = others.event("ModelRejected", told)

    for bad, name in ((others.verdict("failed"), "QualityGate"), (waits, "ApprovalPending")):
        ended = one(rejection, name=name)
        assert (one(bad, name=name).fingerprint, ended.bad) == (ended.fingerprint, False)
    assert one(rejection, name="QualityGate").acted
    assert one(rejection, name="QualityGate").summary == "churn:3 was rejected: accuracy is worse"


def test_an_override_is_told_and_ends_what_it_overrides() -> None:
    told = gates.GateOverridden(
        lineage=others.section("override", "o"),
        verdict="v",
        gate="benchmarks",
        stage="staging",
        model=others.PACKAGE,
        model_name="churn:3",
        by="ada",
        reason="the deadline",
        overridden_at=NOON + DAY,
    )
    event = others.event(gates.GATE_OVERRIDDEN, told)

    assert said(event) == {"GateOverridden churn:3": True, "QualityGateNotPassed churn:3": False}
    assert one(event, name="Quality").fingerprint == one(others.verdict("failed")).fingerprint
    assert "the deadline" in one(event, name="Gate").summary


def test_a_verdict_tells_the_number_that_failed_first_with_its_interval_and_change() -> None:
    first = one(others.verdict("failed")).readings[0]

    assert (first.metric, first.low, first.high, first.cases) == ("accuracy", 0.68, 0.76, 500)
    assert first.change_fraction == pytest.approx(-0.1)


def test_a_model_that_is_worse_tells_by_how_much_and_how_sure_that_is() -> None:
    value, difference = one(others.run(), name="ModelWorse").readings

    assert describe_reading(value) == "0.6, was 0.8, change -25.0%, 90 cases"
    assert describe_reading(difference) == (
        "-0.2 (95% interval -0.29 to -0.11), must be not worse by more than 0.02, 88 cases"
    )


def test_an_alert_keeps_no_more_of_an_event_than_twenty_of_them_can_tell() -> None:
    wordy = gates.JudgedCriterion(name="c", kind="absolute", outcome="failed", value=0.1, why="w" * 9000)
    seen = one(others.verdict("failed", criteria=[wordy] * 30, owners=["o"] * 90, summary="s" * 9000))

    assert (len(seen.readings), len(seen.readings[0].why), len(seen.owners), len(seen.summary)) == (10, 500, 20, 1000)


def test_an_alarm_tells_its_last_datapoint_and_its_threshold() -> None:
    (reading,) = one(others.alarm()).readings

    assert (reading.value, reading.threshold, reading.statistic) == (99.50160229693434, 50.0, "Average")


@pytest.mark.parametrize(
    ("stage", "severity"),
    [("development", "info"), ("staging", "error"), ("production", "critical"), ("the team's own", "error")],
)
def test_a_verdict_is_as_severe_as_its_stage(stage: str, severity: str) -> None:
    assert one(others.verdict("failed", stage=stage)).severity == severity


def test_policy_says_otherwise_of_severity_expiry_and_whether_at_all() -> None:
    rules = {
        "QualityGateNotPassed": RulePolicy(severity={"staging": "critical"}),
        "DriftDetected": RulePolicy(severity="info", expires=DAY),
        "MonitorFailed": RulePolicy(enabled=False, expires="never"),
    }
    policy = AlertsPolicy(
        rules=rules, alarms=(AlarmChoice(name="Another*", severity="critical", labels={"team": "x"}),)
    )

    assert one(others.verdict("failed"), policy).severity == "critical"
    assert one(others.verdict("failed", stage="production"), policy).severity == "critical"
    assert one(others.verdict("failed", stage="development"), policy).severity == "info"
    assert said(others.drifted(), policy) == {"DriftDetected live": True}
    assert one(others.drifted(), policy).severity == "info"
    assert tuning_of("DriftDetected", policy).expires == DAY
    assert tuning_of("DriftDetected", POLICY).expires is None
    assert tuning_of("MonitorFailed", policy).expires is None
    chosen = one(others.alarm(name="AnotherTeams"), policy)
    assert (chosen.severity, chosen.labels["team"]) == ("critical", "x")


def test_a_repeated_event_makes_the_same_observation_and_another_one_another() -> None:
    assert one(others.drifted()) == one(others.drifted())
    assert one(others.drifted()).id != one(others.drifted(at=NOON + DAY)).id


def test_every_rule_has_a_subscription_and_every_kind_a_severity() -> None:
    assert {*TOLD_OF, published.LINEAGE_RECORDED} == set(TABLE)
    assert all("default" in kind.severity for kind in KINDS.values())


def test_what_the_policy_may_match_are_the_labels_that_events_give() -> None:
    """Each that ``observing`` gives is in the list, and none is there that nobody gives."""
    source = Path(observing.__file__).read_text(encoding="utf-8")
    given = set(re.findall(r"^ +(gate|stage|watch|monitor|program|suite|channel)=event", source, re.MULTILINE))

    assert {*given, "subject"} == LABELS
    for event in (others.verdict("failed"), others.drifted(), others.run(), others.review(low=True), others.alarm()):
        assert all(set(seen.labels) <= LABELS for seen in observe_event(event, POLICY))


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"detail": None}, "detail is None"),
        ({"detail-type": "Unknown"}, "no alert is made of this event"),
        ({"detail": {"gate": "g"}}, r"detail\.\w+ is .*docs/events\.md"),
        ({"time": "yesterday"}, "time is 'yesterday'"),
    ],
)
def test_an_event_that_cannot_be_read_is_refused_with_field_and_remedy(broken: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidInputError, match=told):
        observe_event({**others.verdict("failed"), **broken}, POLICY)
