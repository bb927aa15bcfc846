"""A report as Markdown that fits the description of a merge request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hallmark.evaluation.comparison.report import Report, SideBySide
from hallmark.evaluation.reports.figures import write_share, write_time, write_usd
from hallmark.evaluation.reports.foreign_text import in_html, in_markdown, shortened
from hallmark.evaluation.reports.tables import (
    Table,
    answer_table,
    attempts_table,
    comparison_table,
    corrected_table,
    coverage_table,
    estimate_table,
    gap_table,
    judge_table,
    matrix_table,
    part_comparison_table,
    part_table,
    percentile_table,
    robustness_comparison_table,
    robustness_table,
)
from hallmark.evaluation.reports.wording import TEMPLATES, how_to_read

_MOST_ROWS = 40
_TEXT = 300


def write_markdown(report: Report) -> str:
    """Return the report as Markdown: the answer first, details folded."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# {in_markdown(report.suite)}: {in_markdown(report.headline)}"
    yield ""
    yield _summary(report)
    yield ""
    if report.notes:
        yield "> [!NOTE]"
        for note in report.notes:
            yield f"> - {in_markdown(note)}"
        yield ""
    for table in (answer_table(report), estimate_table(report), coverage_table(report)):
        yield from _table(table)
    folded = (
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
    for table in folded:
        if table.rows:
            yield from _folded(table.title, [*_table(table, titled=False)])
    for judge in report.judges:
        yield f"- {in_markdown(judge.sentence)}"
        yield ""
    if report.cases:
        yield from _folded("Cases that differ most", [line for case in report.cases for line in _case(case)])
    yield from _folded("How to read this", [f"- {in_markdown(each)}" for each in how_to_read(report)])
    yield from _folded("What it rests on", [*_grounds(report)])


def _summary(report: Report) -> str:
    planned = sum(each.planned for each in report.coverage)
    answered = sum(each.answered for each in report.coverage)
    budget = "" if report.budget_usd is None else f" of {write_usd(report.budget_usd)}"
    parts = [
        f"*{TEMPLATES[report.template]}*",
        f"run `{report.run}`" if "`" not in report.run else in_markdown(report.run),
        write_time(report.completed_at),
        f"{answered:,} of {planned:,} calls answered ({write_share(answered, planned)})",
        f"{write_usd(report.cost_usd)}{budget}",
    ]
    return " · ".join(parts)


def _table(table: Table, *, titled: bool = True) -> Iterator[str]:
    if not table.rows:
        return
    if titled:
        yield f"## {in_markdown(table.title)}"
        yield ""
    kept = [place for place in range(len(table.heads)) if any(row[place] for row in table.rows)]
    yield _row([table.heads[place] for place in kept])
    yield "|" + "|".join("---:" if table.is_number[place] else "---" for place in kept) + "|"
    for row in table.rows[:_MOST_ROWS]:
        yield _row([row[place] for place in kept])
    if len(table.rows) > _MOST_ROWS:
        yield ""
        yield f"… and {len(table.rows) - _MOST_ROWS:,} more rows, in `report.json` and `report.html`."
    if table.note:
        yield ""
        yield f"<sub>{in_markdown(table.note)}</sub>"
    yield ""


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(in_markdown(cell) or " " for cell in cells) + " |"


def _folded(title: str, lines: Sequence[str]) -> Iterator[str]:
    yield f"<details><summary>{in_html(title)}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"
    yield ""


def _case(case: SideBySide) -> Iterator[str]:
    yield f"**{in_markdown(case.dataset)} / {in_markdown(case.case)}**"
    yield ""
    if case.question is not None:
        yield f"- asked: {_quoted(case.question)}"
    for expected in case.expected:
        yield f"- expected: {_quoted(expected)}"
    yield f"- {in_markdown(case.baseline)} ({case.baseline_score:.3g}): {_quoted(case.baseline_answer)}"
    yield f"- {in_markdown(case.candidate)} ({case.candidate_score:.3g}): {_quoted(case.candidate_answer)}"
    yield ""


def _quoted(text: str) -> str:
    return f"“{in_markdown(shortened(text, _TEXT))}”"


def _grounds(report: Report) -> Iterator[str]:
    for dataset in report.data:
        prompts = f", prompts {in_markdown(dataset.prompts[:12])}" if dataset.prompts else ""
        yield (
            f"- dataset {in_markdown(dataset.name)}: {dataset.drawn:,} of {dataset.cases:,} cases, "
            f"digest {in_markdown(dataset.digest[:12])}{prompts}"
        )
    for measured in report.metrics:
        yield f"- {in_markdown(measured.metric.name)}: {in_markdown(measured.signature)}"
    for model in report.models:
        source = f", results of run {in_markdown(model.provenance.run)}" if model.provenance else ""
        yield f"- model {in_markdown(model.name)}: {in_markdown(model.model_id or model.name)}{source}"
