"""All forms of a report, as files."""

from __future__ import annotations

from typing import NamedTuple

from hallmark.evaluation.comparison.report import Report
from hallmark.evaluation.reports.markdown import write_markdown
from hallmark.evaluation.reports.page import write_page


class Rendering(NamedTuple):
    """One file."""

    content: bytes
    content_type: str


def render_all(report: Report) -> dict[str, Rendering]:
    """Return the files of a report, by name: JSON, Markdown and a page."""
    return {
        "report.json": Rendering(report.model_dump_json().encode(), "application/json"),
        "report.html": Rendering(write_page(report).encode(), "text/html; charset=utf-8"),
        "report.md": Rendering(write_markdown(report).encode(), "text/markdown; charset=utf-8"),
    }
