"""How a metric went over the runs of a suite: only what can be compared is joined, and each break says why."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, ConfigDict

from hallmark.errors import InvalidInputError
from hallmark.evaluation.comparison.report import Report, Span, read_report_document
from hallmark.evaluation.metrics import Direction, Metric
from hallmark.evaluation.results import Finite


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Point(_Value):
    """One model in one run."""

    run: str
    at: datetime
    value: Finite
    span: Span | None
    cases: int
    coverage: Finite
    """Share of the planned calls that were answered."""


class Break(_Value):
    """Between two runs that cannot be compared."""

    before: str
    """The last run before it."""
    after: str
    reasons: tuple[str, ...]


class LevelChange(_Value):
    """A change of the level."""

    run: str
    """The first run at the new level."""
    at: datetime
    before: Finite
    after: Finite
    p_value: Finite


class Regression(_Value):
    """The latest run is worse than an earlier one was."""

    run: str
    since: str
    """The last run that was good."""
    difference: Finite
    """Now minus then, in the unit of the metric."""
    span: Span


class Line(_Value):
    """One model over the runs."""

    model: str
    points: tuple[Point, ...]
    """The oldest first."""
    breaks: tuple[Break, ...]
    changes: tuple[LevelChange, ...]
    can_find_changes: bool
    """False while there are too few comparable runs for any change to be told from chance."""
    regression: Regression | None
    sentence: str


class Skipped(_Value):
    """A report that could not be read."""

    run: str
    reason: str


class MetricHistory(_Value):
    """One metric over the runs of a suite."""

    suite: str
    metric: str
    title: str
    higher_is_better: bool
    unit: str
    is_rate: bool
    runs: int
    lines: tuple[Line, ...]
    skipped: tuple[Skipped, ...]
    metrics: tuple[str, ...]
    """What else could be asked for."""


def history_of(reports: Iterable[Report | Mapping[str, Any]], metric: str | None = None) -> MetricHistory:
    """Join the reports of a suite's runs.

    Args:
        reports: As values or as JSON, in any order; a run that comes twice counts once.
        metric: Its name; the primary one of the latest report where it is None.

    Raises:
        InvalidInputError: No report can be read, or none has this metric.
    """
    read, skipped = _read_all(reports)
    ordered = sorted(read, key=lambda report: (report.completed_at, report.run))
    if not ordered:
        raise InvalidInputError("reports", len(skipped), "give at least one report of a completed run")
    latest = ordered[-1]
    wanted = latest.primary if metric is None else metric
    known = {each.metric.name: each.metric for report in ordered for each in report.metrics}
    if wanted not in known:
        raise InvalidInputError("metric", wanted, f"the suite's runs measured {', '.join(sorted(known))}")
    models = dict.fromkeys(model.name for report in reversed(ordered) for model in report.models)
    lines = [_line(model, known[wanted], ordered) for model in sorted(models)]
    return MetricHistory(
        suite=latest.suite,
        metric=wanted,
        title=known[wanted].title,
        higher_is_better=known[wanted].direction is Direction.HIGHER,
        unit=known[wanted].unit,
        is_rate=known[wanted].kind.value == "binary",
        runs=len(ordered),
        lines=tuple(line for line in lines if line.points),
        skipped=tuple(skipped),
        metrics=tuple(sorted(known)),
    )


def _read_all(reports: Iterable[Report | Mapping[str, Any]]) -> tuple[list[Report], list[Skipped]]:
    read: dict[str, Report] = {}
    skipped = []
    for report in reports:
        if isinstance(report, Report):
            read[report.run] = report
            continue
        try:
            found = read_report_document(report)
        except InvalidInputError as error:
            skipped.append(Skipped(run=str(report.get("run", "?")), reason=str(error)))
        else:
            read[found.run] = found
    return list(read.values()), skipped


def _line(model: str, metric: Metric, reports: Sequence[Report]) -> Line:
    from hallmark.statistics.changes import find_changes  # noqa: PLC0415 - numpy comes with it

    measured = [(report, point) for report in reports if (point := _point(report, model, metric.name)) is not None]
    points = [point for _, point in measured]
    breaks = []
    segments: list[list[Point]] = [points[:1]] if points else []
    for (before, _), (after, point) in pairwise(measured):
        reasons = _reasons_between(before, after, model, metric.name)
        if reasons:
            breaks.append(Break(before=before.run, after=after.run, reasons=reasons))
            segments.append([point])
        else:
            segments[-1].append(point)
    changes: list[LevelChange] = []
    can_find = False
    for segment in segments:
        found = find_changes([point.value for point in segment])
        can_find = found.can_find
        changes += [
            LevelChange(
                run=segment[change.at].run,
                at=segment[change.at].at,
                before=change.before,
                after=change.after,
                p_value=change.p_value,
            )
            for change in found.changes
        ]
    regression = _regression(segments[-1], metric) if segments else None
    return Line(
        model=model,
        points=tuple(points),
        breaks=tuple(breaks),
        changes=tuple(changes),
        can_find_changes=can_find,
        regression=regression,
        sentence=_sentence(segments, breaks, changes, regression, can_find=can_find),
    )


def _point(report: Report, model: str, metric: str) -> Point | None:
    estimate = report.estimate_of(model, metric)
    if any(each.name == model and each.provenance is not None for each in report.models):
        return None  # taken over from another run, which has its own point
    if estimate is None or estimate.value is None:
        return None
    coverage = next((each.share for each in report.coverage if each.model == model), None)
    return Point(
        run=report.run,
        at=report.completed_at,
        value=estimate.value,
        span=estimate.span,
        cases=estimate.cases,
        coverage=coverage or 0.0,
    )


def _reasons_between(before: Report, after: Report, model: str, metric: str) -> tuple[str, ...]:
    reasons = []
    for what, name in (("dataset", "digest"), ("prompts of the dataset", "prompts")):
        old, new = ({each.name: getattr(each, name) for each in report.data} for report in (before, after))
        for dataset in sorted({*old, *new}):
            if dataset not in new or dataset not in old:
                reasons.append(f"{what} {dataset} was {'added' if dataset in new else 'removed'}")
            elif old[dataset] != new[dataset]:
                reasons.append(f"{what} {dataset} changed")
    told = [next((each.prompts for each in report.models if each.name == model), "") for report in (before, after)]
    if told[0] != told[1]:
        reasons.append(f"system prompt of {model} changed")
    signatures = [
        next((each.signature for each in report.metrics if each.metric.name == metric), "")
        for report in (before, after)
    ]
    if signatures[0] != signatures[1]:
        reasons.append(f"scorer changed from {signatures[0]} to {signatures[1]}")
    return tuple(dict.fromkeys(reasons))


def _regression(points: Sequence[Point], metric: Metric) -> Regression | None:
    """Compare each run with the last good one: a run is good unless it is certainly worse than that."""
    good = points[0]
    found: Regression | None = None
    for point in points[1:]:
        span = difference_of(point, good)
        is_worse = span is not None and (
            (span.high is not None and span.high < 0)
            if metric.direction is Direction.HIGHER
            else (span.low is not None and span.low > 0)
        )
        if is_worse and span is not None:
            found = Regression(run=point.run, since=good.run, difference=point.value - good.value, span=span)
        else:
            good, found = point, None
    return found


def difference_of(now: Point, then: Point) -> Span | None:
    """Interval of the difference of two runs from the intervals of both; None where one has none.

    Zou and Donner, Construction of confidence intervals about effect measures, Statistics in Medicine 27 (2008). The
    runs are taken for independent samples although they share their cases: it errs towards "not worse".
    """
    if now.span is None or then.span is None:
        return None
    ends = (now.span.low, now.span.high, then.span.low, then.span.high)
    low, high, other_low, other_high = (math.nan if end is None else end for end in ends)
    difference = now.value - then.value
    span = (
        difference - math.hypot(now.value - low, other_high - then.value),
        difference + math.hypot(high - now.value, then.value - other_low),
    )
    return Span(
        low=span[0] if math.isfinite(span[0]) else None,
        high=span[1] if math.isfinite(span[1]) else None,
        confidence=now.span.confidence,
        method="from the intervals of both runs (MOVER)",
    )


def _sentence(
    segments: Sequence[Sequence[Point]],
    breaks: Sequence[Break],
    changes: Sequence[LevelChange],
    regression: Regression | None,
    *,
    can_find: bool,
) -> str:
    told = []
    if regression is not None:
        told.append(f"Worse than in {regression.since}, the last good run: {regression.difference:+.3g}.")
    if changes:
        last = changes[-1]
        told.append(f"The level changed with {last.run}, from {last.before:.4g} to {last.after:.4g}.")
    elif segments and not can_find:
        told.append("Too few comparable runs to tell a change from chance.")
    else:
        told.append("No change of the level.")
    if breaks:
        told.append(f"Not comparable with runs before {breaks[-1].after}: {'; '.join(breaks[-1].reasons)}.")
    return " ".join(told)
