"""Tables of a report: titles and rows of text, for a terminal, for Markdown and for the page."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from hallmark.evaluation.comparison.report import Column, Comparison, Estimate, Report
from hallmark.evaluation.metrics import Direction, Metric
from hallmark.evaluation.reports.figures import NOTHING, Scale, write_effect, write_p, write_percent, write_share
from hallmark.evaluation.reports.wording import finding_of, remark_on, tone_of
from hallmark.statistics.verdicts import Finding


@dataclass(frozen=True, slots=True)
class Table:
    """Text in rows and columns."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    is_number: tuple[bool, ...]
    """Columns that are aligned to the right."""
    note: str = ""
    tones: tuple[str, ...] = ()
    """How the verdict of each row is coloured; empty where there are no verdicts."""


def metrics_by_name(report: Report) -> dict[str, Metric]:
    """Return the metrics of a report."""
    return {each.metric.name: each.metric for each in report.metrics}


def answer_table(report: Report) -> Table:
    """Return the comparisons that answer the suite's question."""
    metric = metrics_by_name(report)[report.primary]
    return _comparison_table(f"Compared on {metric.title}", report.answers, {metric.name: metric}, with_metric=False)


def comparison_table(report: Report) -> Table:
    """Return all other comparisons over all cases."""
    others = tuple(each for each in report.comparisons if not each.is_primary and each.part is None)
    return _comparison_table("Compared on other metrics", others, metrics_by_name(report), with_metric=True)


def part_comparison_table(report: Report) -> Table:
    """Return the comparisons within groups and datasets."""
    parts = tuple(each for each in report.comparisons if each.part is not None)
    return _comparison_table("Compared within groups", parts, metrics_by_name(report), with_metric=True)


def _comparison_table(
    title: str, comparisons: tuple[Comparison, ...], metrics: dict[str, Metric], *, with_metric: bool
) -> Table:
    baselines = {each.baseline for each in comparisons}
    columns: dict[str, Callable[[Comparison], str]] = {"Candidate": lambda each: each.candidate}
    if len(baselines) > 1:
        columns["Baseline"] = lambda each: each.baseline
    if with_metric:
        columns["Metric"] = lambda each: metrics[each.metric].title
    if any(each.part is not None for each in comparisons):
        columns["Cases of"] = lambda each: f"{each.part.dimension} {each.part.value}" if each.part else "all"
    columns |= {
        VERDICT: finding_of,
        "Difference": lambda each: _difference(Scale.of(metrics[each.metric]), each),
        "Interval": lambda each: _interval(Scale.of(metrics[each.metric]), each),
        "p": lambda each: write_p(each.p_value),
        "adjusted p": lambda each: write_p(each.adjusted_p),
        "Candidate's": lambda each: _beside(Scale.of(metrics[each.metric]), each, each.candidate_value),
        "Baseline's": lambda each: _beside(Scale.of(metrics[each.metric]), each, each.baseline_value),
        "Effect": write_effect,
        "Cases": lambda each: f"{each.cases:,}",
        "": remark_on,
    }
    ordered = sorted(comparisons, key=lambda each: _order(each, metrics)) if not with_metric else comparisons
    shown = f"{title}, with {next(iter(baselines))}" if len(baselines) == 1 else title
    return Table(
        shown,
        tuple(columns),
        tuple(tuple(write(each) for write in columns.values()) for each in ordered),
        tuple(head in _NUMBERS for head in columns),
        _method_note(comparisons),
        tones=tuple(tone_of(each) for each in ordered),
    )


VERDICT = "Verdict"


def _order(comparison: Comparison, metrics: dict[str, Metric]) -> tuple[str, float]:
    """Order the comparisons with one baseline: the best candidate first, those without a result last."""
    if comparison.difference is None:
        return comparison.baseline, math.inf
    sign = -1.0 if metrics[comparison.metric].direction is Direction.HIGHER else 1.0
    return comparison.baseline, sign * comparison.difference


def _difference(scale: Scale, comparison: Comparison) -> str:
    if comparison.difference is None:
        return NOTHING
    decimals = scale.decimals(comparison.difference, comparison.span)
    text = scale.number(comparison.difference, decimals, signed=True)
    return f"{text} pp" if scale.is_rate else scale.with_unit(text)


def _interval(scale: Scale, comparison: Comparison) -> str:
    if comparison.difference is None:
        return NOTHING
    return scale.interval(comparison.difference, comparison.span, signed=True)


def _beside(scale: Scale, comparison: Comparison, value: float | None) -> str:
    """Write a value as precisely as the difference that it is part of."""
    if value is None or comparison.difference is None:
        return NOTHING
    return scale.with_unit(scale.number(value, scale.decimals(comparison.difference, comparison.span)))


_NUMBERS = frozenset({"Candidate's", "Baseline's", "Difference", "Interval", "p", "adjusted p", "Effect", "Cases"})


def _method_note(comparisons: tuple[Comparison, ...]) -> str:
    methods = dict.fromkeys(each.method.split(", ")[0] for each in comparisons if each.method)
    corrections = dict.fromkeys(
        f"{each.correction} over {each.tests} tests" for each in comparisons if each.correction and each.tests > 1
    )
    effects = dict.fromkeys(each.effect_size_name for each in comparisons if each.effect_size_name)
    sure = dict.fromkeys(write_percent(each.span.confidence) for each in comparisons if each.span)
    parts = [f"{', '.join(sure)} intervals."] if sure else []
    if methods:
        parts.append(f"Tests: {', '.join(methods)}.")
    if corrections:
        parts.append(f"Correction: {', '.join(corrections)}.")
    if effects:
        parts.append(f"Effect: {', '.join(effects)}.")
    return " ".join(parts)


def estimate_table(report: Report) -> Table:
    """Return the estimates over all cases; of failures and of what does not apply only where there are any."""
    metrics = metrics_by_name(report)
    found = [each for each in report.estimates if each.part is None]
    columns: dict[str, Callable[[Estimate], str]] = {
        "Metric": lambda each: metrics[each.metric].title,
        "Model": lambda each: each.model,
        "Value": lambda each: Scale.of(metrics[each.metric]).value(each.value, each.span),
        "Interval": lambda each: (
            NOTHING if each.value is None else Scale.of(metrics[each.metric]).interval(each.value, each.span)
        ),
        "Cases": lambda each: f"{each.cases:,}",
    }
    if any(each.not_applicable for each in found):
        columns["Not applicable"] = lambda each: f"{each.not_applicable:,}"
    if any(each.scorer_failures for each in found):
        columns["Scorer failed"] = lambda each: f"{each.scorer_failures:,}"
        columns["Because"] = lambda each: "; ".join(f"{reason} ({count:,})" for reason, count in each.reasons.items())
    if any(each.worst_case is not None for each in found):
        columns["If all had answered"] = lambda each: _bounds(
            Scale.of(metrics[each.metric]), each.worst_case, each.best_case
        )
    columns["Method"] = lambda each: each.span.method if each.span else NOTHING
    return Table(
        "Estimates",
        tuple(columns),
        tuple(tuple(write(each) for write in columns.values()) for each in found),
        tuple(head not in {"Metric", "Model", "Because", "Method"} for head in columns),
        f"{write_percent(report.settings.confidence)} intervals.",
    )


def _bounds(scale: Scale, worst: float | None, best: float | None) -> str:
    if worst is None or best is None:
        return NOTHING
    low, high = sorted((worst, best))
    decimals = 1 if scale.is_rate else 3
    return f"{scale.number(low, decimals)} to {scale.number(high, decimals)}"


def percentile_table(report: Report) -> Table:
    """Return percentiles of what has no bounds."""
    metrics = metrics_by_name(report)
    rows = [
        (
            metrics[each.metric].title,
            each.model,
            *(Scale.of(metrics[each.metric]).estimate(q.value, q.span) for q in each.quantiles),
        )
        for each in report.estimates
        if each.part is None and each.quantiles
    ]
    return Table(
        "Percentiles",
        ("Metric", "Model", "p50", "p95", "p99"),
        tuple(rows),
        (False, False, True, True, True),
        "Intervals of order statistics; ? where too few cases bound an end.",
    )


def attempts_table(report: Report) -> Table:
    """Return what several attempts at a case come to; without rows where each case was asked once."""
    metrics = metrics_by_name(report)
    rows = []
    for each in report.estimates:
        if each.repeated is not None:
            scale, found = Scale.of(metrics[each.metric]), each.repeated
            rows.append(
                (
                    metrics[each.metric].title,
                    each.model,
                    f"{found.k:,}",
                    scale.estimate(found.any_passes, found.any_span),
                    scale.estimate(found.all_pass, found.all_span),
                    f"{found.cases:,}",
                )
            )
    return Table(
        "Several attempts",
        ("Metric", "Model", "k", "pass@k: one is right", "pass^k: all are right", "Cases"),
        tuple(rows),
        (False, False, True, True, True, True),
        "Each case counts alike; cases with fewer than k attempts are left out.",
    )


def coverage_table(report: Report) -> Table:
    """Return how much of what was planned has an answer."""
    kinds = sorted({kind for each in report.coverage for kind in each.failures})
    rows = tuple(
        (
            each.model,
            f"{each.planned:,}",
            f"{each.answered:,}",
            write_share(each.answered, each.planned),
            *(f"{each.failures.get(kind, 0):,}" for kind in kinds),
            f"{each.not_asked:,}",
        )
        for each in report.coverage
    )
    heads = (
        "Model",
        "Planned",
        "Answered",
        "Share",
        *(kind.replace("_", " ").capitalize() for kind in kinds),
        "Not asked",
    )
    return Table("Coverage", heads, rows, (False, *(True for _ in heads[1:])))


def matrix_table(report: Report) -> Table:
    """Return the comparison matrix: a row a model, or a row a respect where there are few models."""
    columns = report.matrix.columns
    states = {each.model: each.state for each in report.matrix.pareto}
    models = [model.name for model in report.models]
    front = [_STATES.get(states.get(name, ""), NOTHING) for name in models]
    note = (
        "Rank, value and interval; models that share a letter cannot be told apart. "
        f"Front: over {', '.join(_title(report, name) for name in report.matrix.pareto_columns)}."
    )
    if len(models) <= _FEW_MODELS:
        rows = [(column.title, *(_cell(column, place) for place in range(len(models)))) for column in columns]
        rows.append(("Front", *front))
        return Table("Matrix", ("Respect", *models), tuple(rows), (False, *(True for _ in models)), note)
    heads = ("Model", *(column.title for column in columns), "Front")
    by_model = tuple(
        (name, *(_cell(column, place) for column in columns), front[place]) for place, name in enumerate(models)
    )
    is_number = (False, *(column.kind == "measured" for column in columns), False)
    return Table("Matrix", heads, by_model, is_number, note)


_FEW_MODELS = 5
_STATES = {"front": "on the front", "possible": "perhaps behind", "dominated": "behind"}


def _title(report: Report, name: str) -> str:
    return next((column.title for column in report.matrix.columns if column.name == name), name)


def _cell(column: Column, place: int) -> str:
    cell = column.cells[place]
    if cell.text is not None:
        return cell.text
    if cell.value is None:
        return NOTHING
    text = Scale.of_column(column).estimate(cell.value, cell.span)
    rank = f"{cell.rank}. " if cell.rank is not None else ""
    return f"{rank}{text}{f' {cell.letters}' if cell.letters else ''}"


def part_table(report: Report) -> Table:
    """Return the primary metric by group, category, difficulty and dataset; a column a model."""
    metric = metrics_by_name(report)[report.primary]
    scale = Scale.of(metric)
    found = {
        (each.part.dimension, each.part.value, each.model): each
        for each in report.estimates
        if each.part is not None and each.metric == metric.name
    }
    rows = []
    for dimension, value in dict.fromkeys(key[:2] for key in found):
        cells = [found.get((dimension, value, model.name)) for model in report.models]
        cases = max((each.cases for each in cells if each is not None), default=0)
        shown = (NOTHING if each is None else scale.estimate(each.value, each.span) for each in cells)
        rows.append((f"{dimension} {value}", f"{cases:,}", *shown))
    heads = ("Cases of", "Cases", *(model.name for model in report.models))
    return Table(f"{metric.title} by part", heads, tuple(rows), (False, *(True for _ in heads[1:])))


def gap_table(report: Report) -> Table:
    """Return the largest gap between groups of each model and metric."""
    metrics = metrics_by_name(report)
    rows = []
    for each in report.fairness:
        scale = Scale.of(metrics[each.metric])
        left_out = "; ".join(f"{out.group} ({out.cases:,}): {out.reason}" for out in each.left_out)
        if not each.gaps:
            rows.append((each.model, metrics[each.metric].title, NOTHING, NOTHING, NOTHING, left_out))
            continue
        gap = each.gaps[0]
        rows.append(
            (
                each.model,
                metrics[each.metric].title,
                f"{gap.higher} above {gap.lower}",
                scale.estimate(gap.difference, gap.span, signed=True),
                "shown" if gap.is_shown else "cannot tell",
                left_out,
            )
        )
    heads = ("Model", "Metric", "Largest gap", "Difference", "Verdict", "Left out")
    return Table(
        "Gaps between groups",
        heads,
        tuple(rows),
        (False, False, False, True, False, False),
        "Intervals hold for all pairs of groups together.",
    )


def robustness_table(report: Report) -> Table:
    """Return what flaws in prompts take from each model."""
    metrics = metrics_by_name(report)
    rows = []
    for each in report.robustness:
        scale = Scale.of(metrics[each.metric])
        loss = NOTHING if each.loss is None else scale.estimate(each.loss, each.span, signed=True)
        rows.append(
            (
                each.model,
                metrics[each.metric].title,
                "all" if each.perturbation is None else each.perturbation.replace("_", " "),
                NOTHING if each.value is None else scale.value(each.value, each.span),
                loss,
                write_p(each.adjusted_p),
                "loses" if each.is_shown else "cannot tell",
                f"{each.cases:,}",
                f"{each.missing:,}" if each.missing else "",
            )
        )
    heads = ("Model", "Metric", "Flaws", "Without", "Loss", "adjusted p", "Shown", "Cases", "Copies missing")
    return Table(
        "Robustness",
        heads,
        tuple(rows),
        (False, False, False, True, True, True, False, True, True),
        "Each case is held against its own copies; a loss is what flaws take, whichever way the metric is better.",
    )


def robustness_comparison_table(report: Report) -> Table:
    """Return which models lose more by flaws than others."""
    metrics = metrics_by_name(report)
    words = {Finding.BETTER: "loses less", Finding.WORSE: "loses more"}
    rows = tuple(
        (
            each.candidate,
            each.baseline,
            metrics[each.metric].title,
            words.get(each.finding, "cannot tell"),
            Scale.of(metrics[each.metric]).estimate(each.difference, each.span, signed=True),
            write_p(each.adjusted_p),
            f"{each.cases:,}",
        )
        for each in report.robustness_comparisons
    )
    heads = ("Candidate", "Baseline", "Metric", "By flaws it", "Difference of losses", "adjusted p", "Cases")
    return Table("Robustness compared", heads, rows, (False, False, False, False, True, True, True))


def judge_table(report: Report) -> Table:
    """Return how far judges can be trusted."""
    rows = []
    for each in report.judges:
        plain = Scale(is_rate=False)
        rows.append(
            (
                each.metric,
                f"{each.anchors:,}",
                f"{each.agreement_name} {plain.estimate(each.agreement, each.agreement_span)}",
                plain.estimate(each.bias, each.bias_span, signed=True),
                f"{each.changed:,} of {each.compared:,}" if each.compared else NOTHING,
                "has changed" if each.has_drifted else "as before" if each.compared else NOTHING,
            )
        )
    heads = ("Judge's metric", "Anchors", "Agreement with people", "Bias", "Scored anew", "Since last run")
    return Table("Judges", heads, tuple(rows), (False, True, True, True, True, False))


def corrected_table(report: Report) -> Table:
    """Return judges' means corrected by people's labels."""
    plain = Scale(is_rate=False)
    rows = tuple(
        (
            judge.metric,
            each.model,
            plain.value(each.judge_value, each.span),
            plain.estimate(each.value, each.span),
            plain.value(each.human_only, each.span),
            f"{each.anchors:,}",
            "this model" if each.is_own else "others",
        )
        for judge in report.judges
        for each in judge.corrected
    )
    heads = ("Judge's metric", "Model", "As judged", "Corrected", "People alone", "Anchors", "Answers of")
    return Table(
        "Judged means, corrected by people",
        heads,
        rows,
        (False, False, True, True, True, True, False),
        "Prediction-powered means: right however biased the judge is, if the anchors are a random sample of the "
        "model's answers. Answers of others only tell the judge's bias, which is taken to be the same here.",
    )


def report_tables(report: Report) -> tuple[Table, ...]:
    """Return all tables that have rows, in the order in which they are read."""
    tables = (
        answer_table(report),
        estimate_table(report),
        coverage_table(report),
        matrix_table(report),
        comparison_table(report),
        part_table(report),
        part_comparison_table(report),
        gap_table(report),
        robustness_table(report),
        robustness_comparison_table(report),
        percentile_table(report),
        attempts_table(report),
        judge_table(report),
        corrected_table(report),
    )
    return tuple(table for table in tables if table.rows)
