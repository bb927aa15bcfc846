"""Results of runs, made up from scores: what comparisons and reports start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hallmark.evaluation.comparison.evidence import EvaluatedData, EvaluatedModel, EvaluationResults, MeasuredMetric
from hallmark.evaluation.metrics import Direction, Metric, MetricKind
from hallmark.evaluation.results import Answer, CaseResult, Failure, FailureKind, Score

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
RIGHT = Metric(name="right", title="Right answers", kind=MetricKind.BINARY)
QUALITY = Metric(name="quality", title="Quality", kind=MetricKind.BOUNDED)
DELAY = Metric(
    name="delay", title="Delay", direction=Direction.LOWER, kind=MetricKind.UNBOUNDED, low=0.0, high=None, unit="ms"
)
RATIO = Metric(name="ratio", title="Ratio of sums", kind=MetricKind.CORPUS)


def answer(text: str = "yes", latency_ms: float = 100.0, cost_usd: float | None = 0.001) -> Answer:
    """An answer."""
    return Answer(
        text=text,
        stop_reason="end_turn",
        input_tokens=10,
        output_tokens=20,
        latency_ms=latency_ms,
        cost_usd=cost_usd,
        answered_at=NOON,
    )


def scored(model: str, case: int | str, value: float, metric: Metric = RIGHT, **others: Any) -> CaseResult:
    """A case with one score."""
    name = case if isinstance(case, str) else f"case-{case:04d}"
    given: dict[str, Any] = {"dataset": "questions", "answer": answer(), **others}
    return CaseResult(model=model, case=name, scores=(Score(metric=metric.name, value=value),), **given)


def failed(model: str, case: int, kind: FailureKind = FailureKind.THROTTLED, **others: Any) -> CaseResult:
    """A case without an answer."""
    given: dict[str, Any] = {"dataset": "questions", **others}
    return CaseResult(model=model, case=f"case-{case:04d}", failure=Failure(kind=kind, reason="slow down"), **given)


def scores_of(models: Mapping[str, Sequence[float]], metric: Metric = RIGHT, **others: Any) -> tuple[CaseResult, ...]:
    """The scores of several models on the same cases."""
    return tuple(
        scored(model, case, value, metric, **others)
        for model, values in models.items()
        for case, value in enumerate(values)
    )


def evidence_of(
    results: Sequence[CaseResult],
    *metrics: Metric,
    models: Sequence[str] = ("old", "new"),
    champion: str | None = "old",
    **others: Any,
) -> EvaluationResults:
    """A run with these results."""
    measured = tuple(MeasuredMetric(metric=metric, signature=f"{metric.name}|v1") for metric in metrics or (RIGHT,))
    cases = len({(result.dataset, result.case, result.epoch) for result in results})
    given: dict[str, Any] = {
        "suite": "answers",
        "run": "run-1",
        "models": tuple(EvaluatedModel(name=name) for name in models),
        "data": (EvaluatedData(name="questions", digest="1" * 64, cases=cases, drawn=cases),),
        "planned": cases,
        "started_at": NOON,
        "completed_at": NOON,
        **others,
    }
    return EvaluationResults(champion=champion, metrics=measured, results=tuple(results), **given)
