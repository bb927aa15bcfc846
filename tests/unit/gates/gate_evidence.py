"""Evidence for tests: what it says matters, the rest is as usual."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hallmark.events.gates import JudgedCriterion
from hallmark.gates.evidence import ChampionEvidence, CoverageEvidence, Evidence, MetricEvidence, Source
from hallmark.gates.judging import Judgement, judge
from hallmark.gates.settings import Gate
from hallmark.gates.uncertainty import Counts, Measured

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
PACKAGE = "arn:aws:sagemaker:eu-west-1:111122223333:model-package/wine/3"


def counted(name: str, successes: int, cases: int, **groups: tuple[int, int]) -> MetricEvidence:
    return MetricEvidence(
        name=name,
        value=successes / cases,
        cases=cases,
        measured=Counts(successes=successes, cases=cases),
        groups={group: Counts(successes=right, cases=of) for group, (right, of) in groups.items()},
    )


def measured(name: str, sure: Measured | None, value: float | None = None) -> MetricEvidence:
    return MetricEvidence(
        name=name, value=sure.value if sure else value, cases=sure.cases if sure else None, measured=sure
    )


def suite(
    *metrics: MetricEvidence,
    name: str = "s",
    age: timedelta = timedelta(hours=1),
    against: tuple[ChampionEvidence, ...] = (),
    answered: int = 100,
) -> Source:
    return Source(
        kind="suite",
        name=name,
        uri=f"s3://reports/{name}/",
        node=f"arn:aws:states:eu-west-1:111122223333:execution:evaluate:{name}",
        completed_at=NOW - age,
        primary=metrics[0].name if metrics else None,
        metrics=metrics,
        against=against,
        coverage=CoverageEvidence(planned=100, answered=answered),
    )


def evidence(*sources: Source, **more: Any) -> Evidence:
    return Evidence(model=PACKAGE, model_name="wine:3", group="wine", package=PACKAGE, sources=sources, **more)


def gate(criteria: dict[str, Any], **more: Any) -> Gate:
    return Gate.model_validate(
        {
            "stage": "staging",
            "models": {"model_package_groups": ["wine"]},
            "suites": ["s"],
            "criteria": criteria,
            **more,
        }
    )


def judged(criteria: dict[str, Any], found: Evidence, **more: Any) -> Judgement:
    return judge(gate(criteria, **more), found, NOW)


def only(criterion: dict[str, Any], found: Evidence, **more: Any) -> JudgedCriterion:
    return judged({"c": criterion}, found, **more).criteria[0]
