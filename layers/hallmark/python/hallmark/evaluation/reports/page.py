"""A report as one HTML page: it holds all that it shows, asks nothing of the network, and runs no script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hallmark.evaluation.comparison.report import Column, Comparison, Report, SideBySide
from hallmark.evaluation.metrics import Direction, Metric, MetricKind
from hallmark.evaluation.reports.figures import Scale, write_percent, write_share, write_time, write_usd
from hallmark.evaluation.reports.foreign_text import in_html
from hallmark.evaluation.reports.history import MetricHistory
from hallmark.evaluation.reports.page_style import STYLE
from hallmark.evaluation.reports.plots import (
    Mark,
    Spot,
    coverage_plot,
    dot_plot,
    forest_plot,
    scatter_plot,
    sparkline,
)
from hallmark.evaluation.reports.tables import (
    VERDICT,
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
    metrics_by_name,
    part_comparison_table,
    part_table,
    percentile_table,
    robustness_comparison_table,
    robustness_table,
)
from hallmark.evaluation.reports.wording import (
    TEMPLATES,
    direction_of,
    finding_of,
    how_to_read,
    sentence_on,
    tone_of,
)

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_TONES = 8
_MOST_DOTS = 12
_STATES = {"front": "good", "possible": "even", "dominated": "open"}
_STATE_WORDS = {"front": "on the front", "possible": "perhaps behind the front", "dominated": "behind the front"}


def write_page(report: Report, history: MetricHistory | None = None) -> str:
    """Return the report as an HTML document.

    Args:
        report: What to show.
        history: How the primary metric went over the runs, if it is to be shown.
    """
    return "\n".join(_document(report, history)) + "\n"


def _document(report: Report, history: MetricHistory | None) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="color-scheme" content="light dark">'
    yield f"<title>{in_html(report.suite)}: {in_html(report.run)}</title>"
    yield f"<style>{STYLE}</style>\n</head>\n<body>"
    yield from _header(report)
    yield "<main>"
    yield from _notes(report)
    yield from _answer(report)
    yield from _estimates(report)
    yield from _coverage(report)
    yield from _matrix(report)
    yield from _parts(report)
    yield from _robustness(report)
    yield from _judges(report)
    yield from _history(history)
    yield from _cases(report.cases)
    yield from _reading(report)
    yield "</main>"
    yield f"<footer>Hallmark · report schema {report.schema_version} · suite {in_html(report.suite)}</footer>"
    yield "</body>\n</html>"


def _header(report: Report) -> Iterator[str]:
    planned = sum(each.planned for each in report.coverage)
    answered = sum(each.answered for each in report.coverage)
    budget = "" if report.budget_usd is None else f" of {write_usd(report.budget_usd)}"
    facts = {
        "Run": in_html(report.run),
        "Ended": write_time(report.completed_at),
        "Answered": f"{answered:,} of {planned:,} calls ({write_share(answered, planned)})",
        "Cost": f"{write_usd(report.cost_usd)}{budget}",
        "Champion": in_html(report.champion) if report.champion else "none: all with all",
    }
    yield "<header>"
    yield f'<p class="over">{in_html(report.suite)} · {TEMPLATES[report.template]}</p>'
    yield f"<h1>{in_html(report.headline)}</h1>"
    yield '<ul class="facts">' + "".join(f"<li>{name} <b>{value}</b></li>" for name, value in facts.items()) + "</ul>"
    yield "</header>"


def _notes(report: Report) -> Iterator[str]:
    if report.notes:
        items = "".join(f"<li>{in_html(note)}</li>" for note in report.notes)
        yield f'<section class="notes" aria-label="What to know"><ul>{items}</ul></section>'


def _answer(report: Report) -> Iterator[str]:
    if not report.answers:
        return
    metric = metrics_by_name(report)[report.primary]
    yield f'<section aria-labelledby="answer"><h2 id="answer">The answer, on {in_html(metric.title)}</h2>'
    yield _plots(_difference_plots(report.answers, metric))
    yield from _table(answer_table(report))
    yield "</section>"


_MOST_SENTENCES = 6


def _difference_plots(comparisons: Sequence[Comparison], metric: Metric) -> list[str]:
    """One plot a baseline."""
    plots = []
    scale = Scale.of(metric)
    sign = 1.0 if metric.direction is Direction.HIGHER else -1.0
    for baseline in dict.fromkeys(each.baseline for each in comparisons):
        found = [each for each in comparisons if each.baseline == baseline and each.difference is not None]
        marks = [
            Mark(
                each.candidate,
                each.difference or 0.0,
                each.span,
                tone_of(each),
                f"{sentence_on(each, metric)} Verdict: {finding_of(each)}.",
                is_open=tone_of(each) == "open",
            )
            for each in sorted(found, key=lambda each: -(each.difference or 0.0) * sign)
        ]
        margin = next((each.margin for each in found if each.margin is not None), None)
        unit = "percentage points" if scale.is_rate else metric.unit
        caption = f"difference in {unit}; {direction_of(metric)}" if unit else f"difference; {direction_of(metric)}"
        title = f"Candidates minus {baseline}"
        plot = forest_plot(title, marks, scale, caption=caption, zero=True, margin=margin)
        shade = "; shaded: the margin" if margin is not None else ""
        plots.append(_figure(title, plot, _confidences(each.span.confidence for each in found if each.span) + shade))
    return plots


def _confidences(confidences: Iterator[float]) -> str:
    shown = ", ".join(dict.fromkeys(write_percent(each) for each in confidences))
    return f"{shown} intervals" if shown else ""


def _figure(title: str, plot: str, small: str = "", legend: str = "") -> str:
    if not plot:
        return ""
    told = f" <small>{in_html(small)}</small>" if small else ""
    return f"<figure><figcaption>{in_html(title)}{told}</figcaption>{legend}{plot}</figure>"


def _plots(figures: Sequence[str]) -> str:
    kept = [figure for figure in figures if figure]
    return f'<div class="plots">{"".join(kept)}</div>' if kept else ""


def _estimates(report: Report) -> Iterator[str]:
    yield '<section aria-labelledby="estimates"><h2 id="estimates">How each model does</h2>'
    figures = []
    for measured in report.metrics:
        metric = measured.metric
        scale = Scale.of(metric)
        found = [each for each in report.estimates if each.metric == metric.name and each.part is None]
        marks = [
            Mark(
                each.model,
                each.value,
                each.span,
                "even" if each.model == report.champion else "plain",
                f"{each.model}: {scale.estimate(each.value, each.span)}, {each.cases:,} cases",
            )
            for each in found
            if each.value is not None
        ]
        marks.sort(key=lambda mark: -mark.value if metric.direction is Direction.HIGHER else mark.value)
        bounded = metric.kind is not MetricKind.UNBOUNDED
        plot = forest_plot(
            metric.title,
            marks,
            scale,
            caption=f"{scale.unit or metric.title}; {direction_of(metric)}",
            low=metric.low if bounded else 0.0,
            high=metric.high if bounded else None,
        )
        figures.append(_figure(metric.title, plot, _confidences(e.span.confidence for e in found if e.span)))
    yield _plots(figures)
    yield from _table(estimate_table(report))
    yield from _folded(percentile_table(report))
    yield from _folded(attempts_table(report))
    yield from _folded(comparison_table(report))
    yield "</section>"


def _coverage(report: Report) -> Iterator[str]:
    yield '<section aria-labelledby="coverage"><h2 id="coverage">What was answered</h2>'
    yield _plots([_figure("Answered, failed, not asked", coverage_plot(report.coverage))])
    yield from _table(coverage_table(report))
    yield "</section>"


def _matrix(report: Report) -> Iterator[str]:
    if not report.matrix.columns:
        return
    yield '<section aria-labelledby="matrix"><h2 id="matrix">All respects</h2>'
    columns = {column.name: column for column in report.matrix.columns}
    chosen = [columns[name] for name in report.matrix.pareto_columns]
    if len(chosen) > 1:
        quality = chosen[0]
        yield _plots([_pareto_figure(report, other, quality) for other in chosen[1:]])
    yield from _table(matrix_table(report))
    yield "</section>"


def _pareto_figure(report: Report, across: Column, up: Column) -> str:
    states = {each.model: each.state for each in report.matrix.pareto}
    x_scale, y_scale = Scale.of_column(across), Scale.of_column(up)
    spots = [
        Spot(
            x.model,
            x.value,
            x.span,
            y.value,
            y.span,
            _STATES.get(states.get(x.model, ""), "open"),
            f"{x.model}: {y_scale.estimate(y.value, y.span)}, {x_scale.estimate(x.value, x.span)}"
            f", {_STATE_WORDS.get(states.get(x.model, ''), 'not placed')}",
        )
        for x, y in zip(across.cells, up.cells, strict=True)
        if x.value is not None and y.value is not None
    ]
    title = f"{up.title} against {across.title}"
    plot = scatter_plot(title, spots, x_scale, y_scale, _axis_title(across, x_scale), _axis_title(up, y_scale))
    return _figure(title, plot, "green: on the front; blue: perhaps behind it; grey: behind it")


def _axis_title(column: Column, scale: Scale) -> str:
    unit = f" ({scale.unit})" if scale.unit else ""
    better = (
        "" if column.higher_is_better is None else f", {'higher' if column.higher_is_better else 'lower'} is better"
    )
    return f"{column.title}{unit}{better}"


def _parts(report: Report) -> Iterator[str]:
    table = part_table(report)
    if not table.rows:
        return
    metric = metrics_by_name(report)[report.primary]
    yield f'<section aria-labelledby="parts"><h2 id="parts">{in_html(metric.title)} by group</h2>'
    found = [each for each in report.estimates if each.part is not None and each.metric == metric.name]
    models = [model.name for model in report.models]
    if len(models) <= _TONES:
        legend = "".join(f'<li><i class="t{place}"></i>{in_html(name)}</li>' for place, name in enumerate(models))
        figures = []
        for dimension in dict.fromkeys(each.part.dimension for each in found if each.part):
            values = dict.fromkeys(each.part.value for each in found if each.part and each.part.dimension == dimension)
            rows = [
                (
                    value,
                    [
                        Mark(
                            each.model,
                            each.value,
                            each.span,
                            f"t{models.index(each.model)}",
                            f"{each.model} {Scale.of(metric).estimate(each.value, each.span)}, {each.cases:,} cases",
                        )
                        for each in found
                        if each.part
                        and (each.part.dimension, each.part.value) == (dimension, value)
                        and each.value is not None
                    ],
                )
                for value in list(values)[:_MOST_DOTS]
            ]
            title = f"By {dimension}"
            figures.append(
                _figure(title, dot_plot(title, rows, Scale.of(metric)), legend=f'<ul class="legend">{legend}</ul>')
            )
        yield _plots(figures)
    yield from _table(table)
    yield from _table(gap_table(report))
    yield from _folded(part_comparison_table(report))
    yield "</section>"


def _robustness(report: Report) -> Iterator[str]:
    if not report.robustness:
        return
    yield '<section aria-labelledby="robustness"><h2 id="robustness">With flaws in the prompts</h2>'
    yield from _table(robustness_table(report))
    yield from _table(robustness_comparison_table(report))
    yield "</section>"


def _judges(report: Report) -> Iterator[str]:
    if not report.judges:
        return
    yield '<section aria-labelledby="judges"><h2 id="judges">How far judges can be trusted</h2>'
    for judge in report.judges:
        yield f"<p>{in_html(judge.sentence)}</p>"
    yield from _table(judge_table(report))
    yield from _table(corrected_table(report))
    yield "</section>"


def _history(history: MetricHistory | None) -> Iterator[str]:
    if history is None or not history.lines:
        return
    yield f'<section aria-labelledby="history"><h2 id="history">{in_html(history.title)} over {history.runs} runs</h2>'
    scale = Scale(is_rate=history.is_rate, unit=history.unit)
    figures = [_figure(line.model, sparkline(line, scale), line.sentence) for line in history.lines]
    yield _plots(figures)
    yield "</section>"


def _cases(cases: Sequence[SideBySide]) -> Iterator[str]:
    if not cases:
        return
    yield '<section aria-labelledby="cases"><h2 id="cases">Cases that differ most</h2>'
    for case in cases:
        parts = " · ".join(in_html(f"{name} {value}") for name, value in case.part.items())
        yield f'<article class="case"><h3>{in_html(case.dataset)} / {in_html(case.case)}</h3>'
        if parts:
            yield f'<p class="note">{parts}</p>'
        if case.question is not None:
            yield f'<p class="who">Asked</p><div class="said">{in_html(case.question)}</div>'
        for expected in case.expected:
            yield f'<p class="who">Expected</p><div class="said">{in_html(expected)}</div>'
        yield '<div class="sides">'
        for who, score, said in (
            (case.baseline, case.baseline_score, case.baseline_answer),
            (case.candidate, case.candidate_score, case.candidate_answer),
        ):
            yield (
                f'<div><p class="who">{in_html(who)}, score {score:.3g}</p>'
                f'<div class="said">{in_html(said) or "(nothing)"}</div></div>'
            )
        yield "</div></article>"
    yield "</section>"


def _reading(report: Report) -> Iterator[str]:
    yield '<section aria-labelledby="reading"><h2 id="reading">How to read this</h2>'
    yield "".join(f"<p>{in_html(each)}</p>" for each in how_to_read(report))
    metric = metrics_by_name(report)[report.primary]
    for each in report.answers[:_MOST_SENTENCES]:
        yield f'<p class="note">{in_html(sentence_on(each, metric))}</p>'
    yield "<h3>What it rests on</h3><dl>"
    for dataset in report.data:
        yield (
            f"<dt>dataset {in_html(dataset.name)}</dt><dd>{dataset.drawn:,} of {dataset.cases:,} cases, "
            f"digest {in_html(dataset.digest)}{f', prompts {in_html(dataset.prompts)}' if dataset.prompts else ''}</dd>"
        )
    for measured in report.metrics:
        yield f"<dt>scorer of {in_html(measured.metric.name)}</dt><dd>{in_html(measured.signature)}</dd>"
    for model in report.models:
        source = f", results of run {in_html(model.provenance.run)}" if model.provenance else ""
        yield f"<dt>model {in_html(model.name)}</dt><dd>{in_html(model.model_id or model.name)}{source}</dd>"
    yield "</dl></section>"


def _table(table: Table) -> Iterator[str]:
    if not table.rows:
        return
    kept = [place for place in range(len(table.heads)) if any(row[place] for row in table.rows)]
    yield f'<div class="scroll" role="region" tabindex="0" aria-label="{in_html(table.title)}"><table>'
    yield f"<caption>{in_html(table.title)}</caption><thead><tr>"
    for place in kept:
        kind = ' class="n"' if table.is_number[place] else ""
        yield f'<th scope="col"{kind}>{in_html(table.heads[place]) or "Remark"}</th>'
    yield "</tr></thead><tbody>"
    for number, row in enumerate(table.rows):
        tone = table.tones[number] if table.tones else ""
        cells = "".join(_table_cell(table, row, place, tone, is_first=place == kept[0]) for place in kept)
        yield f"<tr>{cells}</tr>"
    yield "</tbody></table></div>"
    if table.note:
        yield f'<p class="note">{in_html(table.note)}</p>'


def _table_cell(table: Table, row: Sequence[str], place: int, tone: str, *, is_first: bool) -> str:
    if is_first:
        return f'<th scope="row">{in_html(row[place])}</th>'
    if tone and table.heads[place] == VERDICT:
        return f'<td><span class="verdict {tone}">{in_html(row[place])}</span></td>'
    kind = "n" if table.is_number[place] else _KINDS.get(table.heads[place])
    told = f' class="{kind}"' if kind else ""
    return f"<td{told}>{in_html(row[place])}</td>"


_KINDS = {"": "remark", "Model": "name", "Baseline": "name", VERDICT: "name", "Largest gap": "name", "Front": "name"}


def _folded(table: Table) -> Iterator[str]:
    if table.rows:
        yield f"<details><summary>{in_html(table.title)}</summary>"
        yield from _table(table)
        yield "</details>"
