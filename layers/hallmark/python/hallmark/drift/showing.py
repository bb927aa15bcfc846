"""A report as people read it: a page with small pictures, and Markdown."""

from __future__ import annotations

from html import escape

from hallmark.drift.reports import Bars, DriftReport, ReportedFinding

_WIDTH, _HEIGHT, _BASE = 240, 56, 46
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2733; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } .meta { color: #5a6673; margin-top: .2rem; }
.verdict { padding: .6rem .9rem; border-left: .4rem solid; margin: 1.2rem 0; }
.drifted { background: #fdecec; border-color: #b3261e; } .clear { background: #eaf6ec; border-color: #1f6b32; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; color: #5a6673; font-weight: 600; }
td, th { padding: .35rem .6rem; border-bottom: 1px solid #e3e8ee; vertical-align: top; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; } tr.drift td:first-child { font-weight: 700; }
.baseline { fill: #9db4cc; } .current { fill: #b3261e; fill-opacity: .55; } .axis { fill: #5a6673; font-size: 9px; }
"""


def as_html(report: DriftReport) -> str:
    """Return a page that stands alone: no script, no other file."""
    state = "drifted" if report.is_drifted else "clear"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(report.monitor)}: {state}</title>
<style>{_STYLE}</style></head><body>
<h1>{escape(report.monitor)}</h1>
<p class="meta">{escape(_when(report))} · {escape(report.source)} of {escape(report.subject_name)} ·
{report.records:,} records against {report.baseline_records:,} of the baseline</p>
{f"<p>{escape(report.description)}</p>" if report.description else ""}
<p class="verdict {state}">{escape(report.summary)}</p>
{_pictures_note(report)}
<table><thead><tr><th>feature</th><th>statistic</th><th>value</th><th>limit</th><th></th><th>why</th></tr></thead><tbody>
{"".join(_row(report, finding) for finding in report.findings)}
</tbody></table>
{_broken(report)}
<p class="meta">Chance of any false alarm in {report.horizon:,} looks: at most {report.false_alarms:g}.
Report {escape(report.report)}, baseline {escape(report.baseline)}.</p>
</body></html>
"""


def _when(report: DriftReport) -> str:
    return f"{report.start:%Y-%m-%d %H:%M} to {report.end:%Y-%m-%d %H:%M} UTC"


def _pictures_note(report: DriftReport) -> str:
    if not report.bars:
        return ""
    return (
        '<p class="meta"><svg width="12" height="10"><rect class="baseline" width="12" height="10"/></svg> baseline '
        '<svg width="12" height="10"><rect class="current" width="12" height="10"/></svg> window</p>'
    )


def _row(report: DriftReport, finding: ReportedFinding) -> str:
    picture = svg_of(report.bars[finding.feature]) if finding.feature in report.bars else ""
    kind = ' class="drift"' if finding.is_drifted else ""
    return (
        f"<tr{kind}><td>{escape(finding.feature)}</td><td>{escape(finding.statistic)}</td>"
        f'<td class="number">{escape(_value(finding))}</td><td class="number">{finding.threshold:g}</td>'
        f"<td>{picture}</td><td>{'<b>drifted</b>: ' if finding.is_drifted else ''}{escape(finding.why)}</td></tr>\n"
    )


def _value(finding: ReportedFinding) -> str:
    if finding.value is None:
        return "-"
    return f"{finding.value:.3g} {finding.unit}".strip()


def _broken(report: DriftReport) -> str:
    if not report.broken:
        return ""
    parts = ", ".join(f"{escape(reason)} ({count:,})" for reason, count in report.broken.items())
    return f"<p>Not read: {parts}.</p>"


def svg_of(bars: Bars) -> str:
    """Return a small picture of two distributions over the same bars."""
    if not bars.labels:
        return ""
    top = max((*bars.baseline, *bars.current, 1e-9))
    step = _WIDTH / len(bars.labels)
    parts = []
    for kind, shares in (("baseline", bars.baseline), ("current", bars.current)):
        for place, share in enumerate(shares):
            height = share / top * _BASE
            if height > 0:
                parts.append(
                    f'<rect class="{kind}" x="{place * step:.1f}" y="{_BASE - height:.1f}" '
                    f'width="{max(step - 1, 1):.1f}" height="{height:.1f}"/>'
                )
    ends = (
        f'<text class="axis" x="0" y="{_HEIGHT}">{escape(bars.labels[0][:20])}</text>'
        f'<text class="axis" x="{_WIDTH}" y="{_HEIGHT}" text-anchor="end">{escape(bars.labels[-1][:20])}</text>'
    )
    title = f"<title>from {escape(bars.labels[0])} to {escape(bars.labels[-1])}</title>"
    return f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img">{title}{"".join(parts)}{ends}</svg>'


def as_markdown(report: DriftReport) -> str:
    """Return the report as Markdown."""
    lines = [
        f"# {report.monitor}: {'drifted' if report.is_drifted else 'no drift'}",
        "",
        f"{_when(report)}: {report.records:,} records of {report.source}, {report.subject_name}, against "
        f"{report.baseline_records:,} of the baseline.",
        "",
        *([report.description, ""] if report.description else []),
        "| feature | statistic | value | limit | drifted | why |",
        "|---|---|---|---|---|---|",
        *(
            f"| {_cell(finding.feature)} | {finding.statistic} | {_value(finding)} | {finding.threshold:g} | "
            f"{'**yes**' if finding.is_drifted else 'no'} | {_cell(finding.why)} |"
            for finding in report.findings
        ),
        "",
        *(
            ["Not read: " + ", ".join(f"{_cell(why)} ({count:,})" for why, count in report.broken.items()), ""]
            if report.broken
            else []
        ),
        f"Chance of any false alarm in {report.horizon:,} looks: at most {report.false_alarms:g}.",
        "",
    ]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return escape(text, quote=False).replace("|", "\\|").replace("\n", " ")
