"""Pages for people: sections of tables of plain texts, written as HTML, or as Markdown for tickets and repositories."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from importlib.resources import files

GOOD_WORDS = frozenset({"Passed", "Approved", "Completed", "Succeeded", "InService", "Stable", "Resolved"})
BAD_WORDS = frozenset({"Failed", "Rejected", "Blocked", "Drifted", "Firing", "Overridden", "Deleted", "OutOfService"})
"""Statuses that are coloured."""


@dataclass(frozen=True)
class Table:
    """Rows of plain texts under headings; ``marks`` tells which column has statuses, ``code`` which have ids."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    status: int | None = None
    code: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Section:
    """A heading, what stands under it, and what is said where nothing does."""

    title: str
    tables: tuple[Table, ...]
    nothing: str = ""


@dataclass(frozen=True)
class Page:
    """What a page says: a title, what is said first, and the sections, of which the first stands before the picture.

    ``what`` is what the page is, as in "Model passport".
    """

    what: str
    title: str
    subtitle: str
    glance: tuple[tuple[str, str], ...]
    warning: str
    sections: tuple[Section, ...]
    foot: str


# --- a page ---


def page_html(made: Page, picture: str) -> str:
    """Return a page as HTML that loads nothing from anywhere.

    Args:
        made: What it says.
        picture: The lineage as an SVG element, which is put in as it is.
    """
    values = {
        "what": escape(made.what),
        "title": escape(made.title),
        "subtitle": escape(made.subtitle),
        "warning": f'<p class="warning">This page is not whole: {escape(made.warning)}.</p>' if made.warning else "",
        "glance": "".join(f"<div><dt>{escape(n)}</dt><dd>{_marked(t)}</dd></div>" for n, t in made.glance),
        "picture": picture,
        "first": _section_html(made.sections[0]),
        "sections": "\n".join(_section_html(section) for section in made.sections[1:]),
        "foot": escape(made.foot),
    }
    page = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    # In one go: a value that looks like a place for another one stays what it is.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], page)


def _section_html(section: Section) -> str:
    inner = "\n".join(_table_html(table) for table in section.tables) or f"<p>{escape(section.nothing)}</p>"
    return f"<section><h2>{escape(section.title)}</h2>\n{inner}\n</section>"


def _table_html(table: Table) -> str:
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    if not table.rows:
        return f'<p class="caption">{escape(table.caption)}</p>'
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in table.headings)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{_cell(table, number, text)}</td>" for number, text in enumerate(row)) + "</tr>"
        for row in table.rows
    )
    return f'<div class="wide"><table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'


def _cell(table: Table, number: int, text: str) -> str:
    if number == table.status:
        return _marked(text)
    return f"<code>{escape(text)}</code>" if number in table.code and text else escape(text)


def _marked(text: str) -> str:
    word = text.capitalize()
    colour = "good" if word in GOOD_WORDS else "bad" if word in BAD_WORDS else ""
    return f'<span class="{colour}">{escape(text)}</span>' if colour else escape(text)


# --- a text ---


def page_markdown(made: Page) -> str:
    """Return a page as Markdown, without the picture."""
    lines = [f"# {_plain_text(made.title)}", "", _plain_text(made.subtitle), ""]
    if made.warning:
        lines += [f"**This page is not whole: {_plain_text(made.warning)}.**", ""]
    lines += [f"- **{name}:** {_plain_text(text)}" for name, text in made.glance]
    for section in made.sections:
        lines += ["", f"## {_plain_text(section.title)}", ""]
        if not section.tables:
            lines += [section.nothing]
        for table in section.tables:
            lines += [*([f"*{_plain_text(table.caption)}*", ""] if table.caption else [])]
            if table.rows:
                lines += ["| " + " | ".join(table.headings) + " |", "|" + "---|" * len(table.headings)]
                lines += ["| " + " | ".join(map(_plain_text, row)) + " |" for row in table.rows]
            lines += [""]
    lines += ["", f"*{_plain_text(made.foot)}*"]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def _plain_text(text: str) -> str:
    """Return a text that Markdown does not take for anything else, on one line."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))
