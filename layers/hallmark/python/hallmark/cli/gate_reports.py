"""A verdict for the systems that run checks: JUnit XML, and Markdown for merge requests."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from hallmark.events.gates import JudgedCriterion
from hallmark.gates.verdicts import Verdict

_MARKS = {"passed": "✅", "failed": "❌", "inconclusive": "❔"}
_FORBIDDEN = {code: "?" for code in range(32) if chr(code) not in "\t\n\r"}
"""Control characters that no XML 1.0 document may hold."""


def junit(verdict: Verdict) -> str:
    """Return a verdict as a JUnit test suite: a missed criterion is a failure, one that cannot be told an error.

    Both stop a pipeline: doubt is no pass, and none of them is left out as skipped.
    """
    outcomes = [each.outcome for each in verdict.criteria]
    suite = Element(
        "testsuite",
        {
            "name": _clean(f"{verdict.request.gate}: {verdict.model_name}"),
            "tests": str(len(outcomes)),
            "failures": str(outcomes.count("failed")),
            "errors": str(outcomes.count("inconclusive")),
            "timestamp": verdict.decided_at.isoformat(),
        },
    )
    for each in verdict.criteria:
        case = SubElement(suite, "testcase", {"classname": _clean(verdict.request.gate), "name": _clean(each.name)})
        if each.outcome == "failed":
            SubElement(case, "failure", {"message": _clean(each.why), "type": "missed"})
        elif each.outcome == "inconclusive":
            SubElement(case, "error", {"message": _clean(each.why), "type": "inconclusive"})
        else:
            SubElement(case, "system-out").text = _clean(each.why)
    indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suite, encoding="unicode") + "\n"


def markdown(verdict: Verdict) -> str:
    """Return a verdict as a comment on a merge request."""
    lines = [
        f"## {_MARKS[verdict.outcome]} {_cell(verdict.model_name)} at {verdict.request.gate}: {verdict.outcome}",
        "",
        "| | criterion | value | interval | threshold | cases | why |",
        "|---|---|---|---|---|---|---|",
        *(_row(each) for each in verdict.criteria),
        "",
        f"Follows: {verdict.action.replace('_', ' ')}. "
        f"Verdict `{verdict.id}`, {verdict.decided_at:%Y-%m-%d %H:%M} UTC.",
    ]
    lines += [f"Evidence: `{uri}`" for uri in verdict.evidence]
    return "\n".join(lines) + "\n"


def _row(each: JudgedCriterion) -> str:
    bounds = "" if each.low is None and each.high is None else f"{_figure(each.low)} to {_figure(each.high)}"
    wanted = "" if each.threshold is None else f"{each.comparison.replace('_', ' ')} {each.threshold:.4g}"
    name = f"{each.name} ({each.metric})" if each.metric else each.name
    value = "" if each.value is None else f"{each.value:.4g}"
    cases = "" if each.cases is None else f"{each.cases:,}"
    cells = (_MARKS[each.outcome], name, value, bounds, wanted, cases, each.why)
    return f"| {' | '.join(map(_cell, cells))} |"


def _figure(value: float | None) -> str:
    return "…" if value is None else f"{value:.4g}"


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _clean(text: str) -> str:
    return text.translate(_FORBIDDEN)
