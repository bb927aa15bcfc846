"""What reports say of a model, as gates read it: evaluations' reports, and quality reports of model packages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hallmark.errors import InvalidInputError
from hallmark.evaluation.metrics import Direction, MetricKind
from hallmark.gates.evidence import ChampionEvidence, CoverageEvidence, MetricEvidence, Source
from hallmark.gates.uncertainty import Counts, Measured, Reported, Spread
from hallmark.statistics.distributions import t_quantile

if TYPE_CHECKING:
    from hallmark.evaluation.comparison.report import Estimate, Report, Span

_LEAST = 2
# A standard deviation of Model Monitor is that of five draws of 80 % of the cases, and is given from 200 cases on
# (SageMaker developer guide, model-monitor-model-quality-metrics). A draw of 80 % without replacement scatters by
# sqrt((1 - 0.8) / 0.8) = 1/2 of what a new sample of all cases would; five draws leave four degrees of freedom.
_ERROR_PER_DEVIATION = 2.0
_DEGREES_OF_DRAWS = 4
_LATENCY_P95 = "answer:latency:p95"
_COST = "answer:cost"


# --- evaluations ---


def source_of_report(report: Report, model: str, *, uri: str, node: str) -> Source:
    """Return what a run's report says of one of its models.

    Args:
        report: The report.
        model: Name of the variant.
        uri: The report's folder.
        node: The run in lineage.
    """
    covered = next((each for each in report.coverage if each.model == model), None)
    return Source(
        kind="suite",
        name=report.suite,
        uri=uri,
        node=node,
        completed_at=report.completed_at,
        primary=report.primary,
        metrics=(*_metrics(report, model), *_operations(report, model)),
        against=tuple(_against(report, model)),
        coverage=None if covered is None else CoverageEvidence(planned=covered.planned, answered=covered.answered),
        notes=report.notes,
    )


def _metrics(report: Report, model: str) -> Iterator[MetricEvidence]:
    for told in report.metrics:
        metric = told.metric
        own = [each for each in report.estimates if (each.model, each.metric) == (model, metric.name)]
        whole = next((each for each in own if each.part is None), None)
        if whole is None:
            continue
        is_rate = metric.kind is MetricKind.BINARY
        groups = {each.part.value: each for each in own if each.part is not None and each.part.dimension == "group"}
        sure = {name: measured_of(each, is_rate=is_rate) for name, each in groups.items()}
        silent = {
            each.group: each.reason
            for fairness in report.fairness
            if (fairness.model, fairness.metric) == (model, metric.name)
            for each in fairness.left_out
        }
        silent |= {name: "nothing says how sure its value is" for name, each in sure.items() if each is None}
        yield MetricEvidence(
            name=metric.name,
            lower_is_better=metric.direction is Direction.LOWER,
            value=whole.value,
            cases=whole.cases,
            measured=measured_of(whole, is_rate=is_rate),
            groups={name: each for name, each in sure.items() if each is not None and name not in silent},
            silent_groups=silent,
            percentiles={
                f"p{round(100 * each.probability)}": _reported(each.value, each.span, whole.cases)
                for each in whole.quantiles
            },
        )


def _operations(report: Report, model: str) -> Iterator[MetricEvidence]:
    """Yield latency and cost of the answers themselves, where no scorer of the suite measured them."""
    scored = {told.metric.name for told in report.metrics}
    answered = next((each.answered for each in report.coverage if each.model == model), 0)
    cells = {
        column.name: next((cell for cell in column.cells if cell.model == model), None)
        for column in report.matrix.columns
    }
    latency, cost = cells.get(_LATENCY_P95), cells.get(_COST)
    if "latency" not in scored and latency is not None and latency.value is not None and latency.span and answered:
        p95 = _reported(latency.value, latency.span, answered)
        yield MetricEvidence(name="latency", lower_is_better=True, cases=answered, percentiles={"p95": p95})
    if "cost" not in scored and cost is not None and cost.value is not None and cost.span and answered:
        sure = _reported(cost.value, cost.span, answered)
        yield MetricEvidence(name="cost", lower_is_better=True, value=cost.value, cases=answered, measured=sure)


def _against(report: Report, model: str) -> Iterator[ChampionEvidence]:
    if model == report.champion:
        for told in report.metrics:
            yield ChampionEvidence(metric=told.metric.name, champion="")
    for each in report.comparisons:
        if each.candidate != model or each.part is not None:
            continue
        sure = None
        if each.difference is not None and each.span is not None and each.cases:
            sure = _reported(each.difference, each.span, each.cases)
        yield ChampionEvidence(
            metric=each.metric,
            champion=each.baseline,
            champion_value=each.baseline_value,
            difference=sure,
            incomparable=each.incomparable,
        )


def measured_of(estimate: Estimate, *, is_rate: bool) -> Measured | None:
    """Return how sure an estimate is; None where the report does not say."""
    span, value = estimate.span, estimate.value
    if span is None or value is None or not estimate.cases:
        return None
    if is_rate and span.method == "Wilson" and estimate.attempts == estimate.cases:
        return Counts(successes=round(value * estimate.cases), cases=estimate.cases)
    if span.method == "t" and estimate.cases >= _LEAST and span.low is not None and span.high is not None:
        # An end may be cut off where no value can lie; the other one tells the error.
        half = max(value - span.low, span.high - value)
        if half > 0:
            degrees = estimate.cases - 1
            error = half / t_quantile((1 + span.confidence) / 2, degrees)
            return Spread(value=value, standard_error=error, degrees=degrees, cases=estimate.cases)
    return _reported(value, span, estimate.cases)


def _reported(value: float, span: Span, cases: int) -> Reported:
    return Reported(value=value, low=span.low, high=span.high, confidence=span.confidence, cases=cases)


# --- quality reports of model packages ---


def source_of_quality_report(document: Mapping[str, Any], *, uri: str, completed_at: datetime) -> Source:
    """Return what a package's quality report says.

    It is what SageMaker's model quality jobs write (``dataset.item_count``, one section of metrics with ``value`` and
    ``standard_deviation``, a confusion matrix), and may have a section ``counts``: of each rate the ``successes`` and
    ``cases``, over all and by ``groups``.

    Raises:
        InvalidInputError: It is no such report.
    """
    cases = _count(document.get("dataset"), "item_count")
    found: dict[str, MetricEvidence] = {}
    for section, told in document.items():
        if section.endswith("_metrics") and isinstance(told, Mapping):
            found |= {each.name: each for each in _section_metrics(told, cases)}
    counts = document.get("counts", {})
    if not isinstance(counts, Mapping):
        raise InvalidInputError("counts", counts, "give an object: metric -> successes, cases, groups")
    for name, told in counts.items():
        found[name] = _counted(str(name), told)
    if not found:
        remedy = "it has no section of metrics and no counts: docs/gates.md shows what a gate can read"
        raise InvalidInputError("the quality report", sorted(document), remedy)
    return Source(kind="package", name="package", uri=uri, completed_at=completed_at, metrics=tuple(found.values()))


def _section_metrics(told: Mapping[str, Any], cases: int | None) -> Iterator[MetricEvidence]:
    by_class = _right_by_class(told.get("confusion_matrix"))
    for name, entry in told.items():
        if not isinstance(entry, Mapping) or "value" not in entry:
            continue
        value, deviation = _number(entry["value"]), _number(entry.get("standard_deviation"))
        sure: Measured | None = None
        if name == "accuracy" and by_class:
            # How often it was right is known case by case, also for each class.
            right, total = (
                sum(each.successes for each in by_class.values()),
                sum(each.cases for each in by_class.values()),
            )
            sure = Counts(successes=right, cases=total)
        elif value is not None and deviation and cases:
            error = _ERROR_PER_DEVIATION * deviation
            sure = Spread(value=value, standard_error=error, degrees=_DEGREES_OF_DRAWS, cases=cases)
        groups: dict[str, Measured] = dict(by_class) if name == "accuracy" else {}
        yield MetricEvidence(
            name=str(name), value=value, cases=sure.cases if sure else cases, measured=sure, groups=groups
        )


def _right_by_class(matrix: object) -> dict[str, Counts]:
    """Return how often each actual class was told: the rows of a confusion matrix are actual classes."""
    if not isinstance(matrix, Mapping):
        return {}
    found = {}
    for actual, row in matrix.items():
        if not isinstance(row, Mapping) or not all(isinstance(each, int) and each >= 0 for each in row.values()):
            return {}
        if sum(row.values()):
            found[str(actual)] = Counts(successes=row.get(actual, 0), cases=sum(row.values()))
    return found


def _counted(name: str, told: object) -> MetricEvidence:
    if not isinstance(told, Mapping):
        raise InvalidInputError(f"counts.{name}", told, "give successes and cases")
    whole = _counts(f"counts.{name}", told)
    parts = told.get("groups", {})
    if not isinstance(parts, Mapping):
        raise InvalidInputError(f"counts.{name}.groups", parts, "give successes and cases of each group by its name")
    groups: dict[str, Measured] = {}
    silent = {}
    for group, part in parts.items():
        if isinstance(part, Mapping) and part.get("cases") == 0:
            silent[str(group)] = "it has no cases"
        else:
            groups[str(group)] = _counts(f"counts.{name}.groups.{group}", part)
    return MetricEvidence(
        name=name, value=whole.value, cases=whole.cases, measured=whole, groups=groups, silent_groups=silent
    )


def _counts(field: str, told: object) -> Counts:
    successes, cases = _count(told, "successes"), _count(told, "cases")
    if successes is None or cases is None or not 0 <= successes <= cases or cases == 0:
        raise InvalidInputError(field, told, "give successes, from 0 to cases, and cases, at least 1")
    return Counts(successes=successes, cases=cases)


def _count(told: object, name: str) -> int | None:
    value = told.get(name) if isinstance(told, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _number(value: object) -> float | None:
    """Read a number; SageMaker writes ``"NaN"`` for none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
