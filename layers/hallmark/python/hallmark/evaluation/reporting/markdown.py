"""The report as Markdown, for terminals and merge requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hallmark.evaluation.reporting.report import Bounds, MetricEstimate, ModelReport, Report


def render_markdown(report: Report) -> str:
    """Return the report as Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# {report.suite}: {report.run}"
    yield ""
    if report.description:
        yield f"{report.description}. "
    took = (report.completed_at - report.started_at).total_seconds()
    yield (
        f"{report.started_at:%Y-%m-%d %H:%M} UTC, {took:.0f} s, started by {report.trigger.kind}; "
        f"coverage {report.coverage:.1%}; cost ${report.cost_usd:.6f} "
        f"(forecast ${report.forecast.expected_usd:.6f})."
    )
    if report.stopped:
        yield f"**Ended early:** {report.stopped}."
    yield ""
    yield from _models(report)
    if report.comparisons:
        yield from _comparisons(report)
    yield from _notes(report)


def _models(report: Report) -> Iterator[str]:
    names = [metric.name for metric in report.metrics]
    header = ["model", "", *names, "coverage", "p95 ms", "$ per 1,000", "front"]
    yield _row(header)
    yield _row(["---"] * len(header))
    for model in report.models:
        estimates = {each.metric: each for each in model.estimates}
        star = " (champion)" if model.model == report.champion else ""
        yield _row(
            [
                f"{model.model}{star}",
                model.letters,
                *(_estimate(estimates[name]) for name in names),
                f"{model.coverage.share:.1%}",
                f"{model.latency_ms['p95']:.3g}" if model.latency_ms else "-",
                f"{model.cost_per_1000_usd:.4g}" if model.cost_per_1000_usd is not None else "no price",
                "yes" if model.on_front else "",
            ]
        )
    yield ""
    yield f"Models that share a letter cannot be told apart by {report.primary} at {report.confidence:.0%}."
    yield ""


def _comparisons(report: Report) -> Iterator[str]:
    yield f"## Comparisons ({report.confidence:.0%}, {report.correction} over {len(report.comparisons)})"
    yield ""
    for each in report.comparisons:
        adjusted = f", p {each.adjusted_p:.3g} adjusted" if each.adjusted_p is not None else ""
        method = f" ({each.method}{adjusted})" if each.method else ""
        yield f"- **{each.candidate}** against **{each.baseline}**, {each.metric}: {each.sentence}{method}"
    yield ""


def _notes(report: Report) -> Iterator[str]:
    yield "## What it rests on"
    yield ""
    for dataset in report.datasets:
        yield f"- {dataset.name}: {dataset.drawn:,} of {dataset.cases:,} cases, version {dataset.digest[:12]}"
        for note in dataset.notes:
            yield f"  - {note}"
    for model in report.models:
        for kind, count in sorted(model.coverage.failures.items()):
            yield f"- {model.model}: {count:,} cases {kind}: {model.coverage.reasons.get(kind, '')}"
        for estimate in model.estimates:
            if estimate.why:
                yield f"- {model.model}, {estimate.metric}: {estimate.why} ({estimate.failed:,} scorer failures)"
        if model.gap is not None:
            gap = model.gap
            yield (
                f"- {model.model}: largest gap between groups {gap.value:.3g} ({_bounds(gap.bounds)}), "
                f"{gap.best} over {gap.worst}"
            )
    for signature in report.signatures:
        yield f"- scorer `{signature}`"
    if report.forecast.unpriced:
        yield f"- no price known for {', '.join(report.forecast.unpriced)}: counted as free"


def _estimate(estimate: MetricEstimate) -> str:
    if estimate.value is None:
        return "-"
    bounds = f" ({_bounds(estimate.bounds)})" if estimate.bounds is not None else ""
    return f"{estimate.value:.4g}{bounds}"


def _bounds(bounds: Bounds) -> str:
    low = f"{bounds.low:.4g}" if bounds.low is not None else "-∞"
    high = f"{bounds.high:.4g}" if bounds.high is not None else "∞"
    return f"{low} to {high}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


__all__ = ["ModelReport", "render_markdown"]
