"""Events as gates, monitors, reviews, evaluations and CloudWatch publish them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hallmark.events import drift, gates, published, reviews
from hallmark.events.records import LineageNode, LineageSection
from tests.unit.alerts.observed import NOON

PACKAGE = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/churn/3"
ENDPOINT = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/live"
ALARM = Path(__file__).parents[2] / "payloads" / "aws" / "cloudwatch-alarm-state-change.json"


def section(kind: str, name: str) -> LineageSection:
    return LineageSection(node=LineageNode(kind=kind, id=f"hallmark:{kind}/{name}"), at=NOON)


def event(detail_type: str, told: published.Published) -> dict[str, Any]:
    """Return an event as EventBridge delivers it."""
    entry = told.to_entry("bus", detail_type)
    return {
        "source": "hallmark",
        "detail-type": detail_type,
        "time": NOON.isoformat(),
        "detail": json.loads(entry["Detail"]),
    }


def verdict(
    outcome: gates.Outcome = "failed", *, at: Any = NOON, stage: str = "staging", **fields: Any
) -> dict[str, Any]:
    types = {
        "passed": gates.QUALITY_GATE_PASSED,
        "failed": gates.QUALITY_GATE_FAILED,
        "inconclusive": gates.QUALITY_GATE_INCONCLUSIVE,
    }
    told = gates.QualityGateDecided(
        **{
            "lineage": section("verdict", "v1"),
            "verdict": "hallmark:verdict/v1",
            "outcome": outcome,
            "gate": "benchmarks",
            "stage": stage,
            "model": PACKAGE,
            "model_name": "churn:3",
            "criteria": [
                gates.JudgedCriterion(name="speed", kind="operational", outcome="passed", why="fast"),
                gates.JudgedCriterion(
                    name="accuracy",
                    kind="relative",
                    metric="accuracy",
                    outcome=outcome,
                    value=0.72,
                    low=0.68,
                    high=0.76,
                    baseline=0.8,
                    threshold=0.02,
                    cases=500,
                    why="worse",
                ),
            ],
            "action": "block",
            "decided_at": at,
            "trigger": "registry",
            "owners": ["ada"],
            "summary": f"churn:3 {outcome} benchmarks",
            **fields,
        }
    )
    return event(types[outcome], told)


def drifted(bad: bool = True, *, at: Any = NOON, monitor: str = "traffic") -> dict[str, Any]:
    told = drift.MonitorReported(
        lineage=section("drift-report", f"{monitor}-{at.isoformat()}"),
        report=f"hallmark:drift-report/{monitor}-{at.isoformat()}",
        monitor=monitor,
        subject=ENDPOINT,
        subject_name="live",
        window=drift.WindowTold(start=NOON, end=NOON, values=1000),
        baseline="hallmark:baseline/b",
        findings=[
            drift.DriftFinding(
                feature="length",
                statistic="jensen_shannon",
                value=0.21,
                threshold=0.1,
                is_drifted=bad,
                baseline_count=5000,
                current_count=1000,
                why="longer",
            )
        ],
        report_uri="s3://b/r",
        detected_at=at,
        summary=f"{monitor}: length drifted" if bad else f"{monitor}: no drift",
    )
    return event(drift.DRIFT_DETECTED if bad else drift.DRIFT_CLEARED, told)


LOSS = published.MeasuredDifference(value=-0.2, low=-0.29, high=-0.11, confidence=0.95, margin=0.02, cases=88)


def run(
    coverage: float = 1.0, finding: str = "worse", *, at: Any = NOON, changed_judges: list[str] | None = None
) -> dict[str, Any]:
    models = [
        published.EvaluatedModel(
            name=name,
            model_id=name,
            answered=90,
            planned=100,
            metrics={"f1": value},
            verdict=said,
            difference=difference,
        )
        for name, value, said, difference in (("old", 0.8, None, None), ("new", 0.6, finding, LOSS))
    ]
    told = published.EvaluationCompleted(
        execution="arn:e",
        run="answers-1",
        suite="answers",
        trigger="schedule",
        started_at=at,
        completed_at=at,
        champion="old",
        primary="f1",
        models=models,
        datasets=[],
        coverage=coverage,
        cost_usd=0.1,
        report="s3://b/r",
        changed_judges=changed_judges,
    )
    return event(published.EVALUATION_COMPLETED, told)


def endpoint(status: str, *, at: Any = NOON) -> dict[str, Any]:
    told = published.LineageRecorded(
        fact_id=f"f{status}",
        node=ENDPOINT,
        kind="endpoint",
        arn=ENDPOINT,
        status=status,
        origin="event",
        recorded_at=at,
        occurred_at=at,
        edges=1,
    )
    return event(published.LINEAGE_RECORDED, told)


def review(low: bool, *, at: Any = NOON) -> dict[str, Any]:
    where = {"review": "hallmark:review/1", "program": "weekly", "subject": ENDPOINT, "subject_name": "live"}
    if low:
        told: published.Published = reviews.ReviewScoreLow(
            **where, mean=0.7, threshold=0.85, scores=40, completed_at=at
        )
        return event(reviews.REVIEW_SCORE_LOW, told)
    told = reviews.ReviewCompleted(
        lineage=section("review", "1"), **where, tasks=40, scores=40, mean=0.9, completed_at=at
    )
    return event(reviews.REVIEW_COMPLETED, told)


def alarm(state: str = "ALARM", *, name: str = "HallmarkAlerts-DeadLetters") -> dict[str, Any]:
    told: dict[str, Any] = json.loads(ALARM.read_text())
    told["detail"] |= {"alarmName": name}
    told["detail"]["state"] |= {"value": state}
    return told
