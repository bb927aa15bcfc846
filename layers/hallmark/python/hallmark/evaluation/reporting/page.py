"""The report as a page (temporary: Markdown in a page)."""

from __future__ import annotations

from html import escape

from hallmark.evaluation.reporting.markdown import render_markdown
from hallmark.evaluation.reporting.report import Report


def render_page(report: Report) -> str:
    """Return a page."""
    return f"<!doctype html><meta charset=utf-8><title>{escape(report.run)}</title><pre>{escape(render_markdown(report))}</pre>"
