"""A page for people as PDF, and its first sheet as PNG, for those who file paper. Needs ``hallmark[pdf]``."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from html import escape
from importlib import import_module
from types import ModuleType
from typing import Any

from hallmark.errors import InvalidInputError
from hallmark.lineage.exports.pages import BAD_WORDS, GOOD_WORDS, Page, Section, Table

_MARGIN = 36.0
_PADDING = 6.0
"""What a frame of the library leaves free on each side."""
_INK, _PALE, _ACCENT, _RULE, _GOOD, _BAD = "#1d252c", "#51606c", "#65309a", "#c9d1d8", "#1f6b32", "#a3191f"
_FONTS = {"Page": "Vera.ttf", "Page-Bold": "VeraBd.ttf"}
"""Fonts that come with reportlab: letters of Western European languages; other letters are drawn as empty boxes."""
_LEAST_COLUMN, _MOST_LETTERS, _WIDE_PICTURE = 44.0, 60, 0.62
_PICTURE_DPI = 110


def page_pdf(page: Page, picture: str) -> bytes:
    """Return a page as a PDF document on A4 sheets, across; the same page makes the same bytes.

    Args:
        page: What it says.
        picture: The lineage as an SVG document.

    Raises:
        InvalidInputError: The libraries that write PDF are not installed.
    """
    library = _library("reportlab.platypus")
    sizes = _library("reportlab.lib.pagesizes")
    width, height = sizes.landscape(sizes.A4)
    _register_fonts()
    written = io.BytesIO()
    document = library.SimpleDocTemplate(
        written,
        pagesize=(width, height),
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN,
        title=f"{page.what}: {page.title}",
        author="Hallmark",
        invariant=True,
    )
    room = width - 2 * (_MARGIN + _PADDING)
    story = [*_head(page, room), *_section(page.sections[0], room)]
    story += _picture(picture, room, height * _WIDE_PICTURE)
    for section in page.sections[1:]:
        story += _section(section, room)
    story.append(_paragraph(page.foot, size=7.5, colour=_PALE, before=10))

    def number_sheet(canvas: Any, sheets: Any) -> None:
        canvas.setFont("Page", 7)
        canvas.setFillColor(_PALE)
        canvas.drawRightString(width - _MARGIN, _MARGIN / 2, f"{page.title} · {sheets.page}")

    document.build(story, onFirstPage=number_sheet, onLaterPages=number_sheet)
    return written.getvalue()


def first_sheet_png(pdf: bytes) -> bytes:
    """Return the first sheet of a PDF document as a picture.

    Raises:
        InvalidInputError: The library that draws PDF is not installed.
    """
    drawn = io.BytesIO()
    sheets = _library("pypdfium2").PdfDocument(pdf)
    sheets[0].render(scale=_PICTURE_DPI / 72).to_pil().save(drawn, format="PNG")
    return drawn.getvalue()


def _library(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError:
        remedy = "install it: pip install 'hallmark[pdf]', or write .html"
        raise InvalidInputError("--output", f"a document that needs {name.partition('.')[0]}", remedy) from None


def _register_fonts() -> None:
    metrics, fonts = _library("reportlab.pdfbase.pdfmetrics"), _library("reportlab.pdfbase.ttfonts")
    for name, file in _FONTS.items():
        metrics.registerFont(fonts.TTFont(name, file))
    metrics.registerFontFamily("Page", normal="Page", bold="Page-Bold", italic="Page", boldItalic="Page-Bold")


def _paragraph(
    text: str, *, size: float = 8.5, colour: str = _INK, bold: bool = False, before: float = 0, breaks: bool = False
) -> Any:
    styles = _library("reportlab.lib.styles")
    style = styles.ParagraphStyle(
        "text",
        fontName="Page-Bold" if bold else "Page",
        fontSize=size,
        leading=size * 1.35,
        textColor=colour,
        spaceBefore=before,
        spaceAfter=2,
        # An id has no blanks to break at: it may break anywhere.
        splitLongWords=True,
        wordWrap="CJK" if breaks else None,
    )
    return _library("reportlab.platypus").Paragraph(escape(text), style)


def _head(page: Page, room: float) -> Iterator[Any]:
    yield _paragraph(page.what.upper(), size=7.5, colour=_ACCENT, bold=True)
    yield _paragraph(page.title, size=18, bold=True)
    yield _paragraph(page.subtitle, colour=_PALE, breaks=True)
    if page.warning:
        yield _paragraph(f"This page is not whole: {page.warning}.", colour=_BAD, bold=True, before=6)
    library = _library("reportlab.platypus")
    cells = [
        [_paragraph(name, size=7, colour=_PALE), _paragraph(text, bold=True, colour=_colour(text))]
        for name, text in page.glance
    ]
    columns = 4
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    if rows:
        rows[-1] += [[]] * (columns - len(rows[-1]))
        yield library.Spacer(1, 6)
        yield library.Table(
            rows,
            colWidths=[room / columns] * columns,
            hAlign="LEFT",
            style=[("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)],
        )


def _section(section: Section, room: float) -> Iterator[Any]:
    library = _library("reportlab.platypus")
    heading = _paragraph(section.title, size=12, bold=True, before=12)
    if not section.tables:
        yield library.KeepTogether([heading, _paragraph(section.nothing)])
        return
    yield library.CondPageBreak(90)
    yield heading
    for table in section.tables:
        yield from _table(table, room)


def _table(table: Table, room: float) -> Iterator[Any]:
    library = _library("reportlab.platypus")
    yield library.CondPageBreak(60)
    if table.caption:
        yield _paragraph(table.caption, bold=True, before=6)
    if not table.rows:
        return
    rows = [[_paragraph(heading, size=7.5, colour=_PALE, bold=True) for heading in table.headings]]
    rows += [
        [
            _paragraph(
                text,
                size=7.2 if number in table.code else 8,
                breaks=number in table.code,
                colour=_colour(text) if number == table.status else _INK,
            )
            for number, text in enumerate(row)
        ]
        for row in table.rows
    ]
    yield library.LongTable(
        rows,
        colWidths=_widths(table, room),
        repeatRows=1,
        hAlign="LEFT",
        style=[
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("LINEBELOW", (0, 0), (-1, 0), 1, _RULE),
            ("LINEBELOW", (0, 1), (-1, -1), 0.4, _RULE),
        ],
    )


def _widths(table: Table, room: float) -> list[float]:
    """Share the room by the longest text of each column, so that no word of a narrow column breaks."""
    columns = list(zip(table.headings, *table.rows, strict=True))
    wanted = [float(min(max(map(len, column)), _MOST_LETTERS)) for column in columns]
    least = [max(len(word) for text in column for word in (text.split() or [""])) for column in columns]
    floors = [
        _LEAST_COLUMN if number in table.code else min(max(_LEAST_COLUMN, length * 5.2), room / len(columns))
        for number, length in enumerate(least)
    ]
    free = room - sum(floors)
    return [floor + free * share / sum(wanted) for floor, share in zip(floors, wanted, strict=True)]


def _colour(text: str) -> str:
    word = text.capitalize()
    return _GOOD if word in GOOD_WORDS else _BAD if word in BAD_WORDS else _INK


def _picture(picture: str, room: float, height: float) -> Iterator[Any]:
    # It warns of what it cannot draw, such as titles that a screen shows when the mouse rests on them.
    logging.getLogger("svglib.svglib").setLevel(logging.ERROR)
    # The library knows neither a browser's words for scaling nor that a text's outline is to lie behind its letters.
    plain = re.sub(r'(<svg\b[^>]*?) style="[^"]*"', r"\1", picture, count=1)
    plain = re.sub(r' stroke="[^"]*" stroke-width="[^"]*" paint-order="stroke"', "", plain)
    drawing = _library("svglib.svglib").svg2rlg(io.BytesIO(plain.encode()))
    if drawing is None:
        return
    scale = min(room / drawing.width, height / drawing.height, 1.0)
    drawing.scale(scale, scale)
    drawing.width, drawing.height = drawing.width * scale, drawing.height * scale
    library = _library("reportlab.platypus")
    yield library.KeepTogether([_paragraph("Where it came from", size=12, bold=True, before=12), drawing])
