"""Plots as SVG that the page holds in itself: no script, no font, no request; colours are the page's variables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from hallmark.evaluation.comparison.report import Coverage, Span
from hallmark.evaluation.reports.figures import Scale
from hallmark.evaluation.reports.foreign_text import in_html, shortened
from hallmark.evaluation.reports.history import Line

_WIDTH = 480.0
_LABELS = 138.0
_RIGHT = 16.0
_ROW = 30.0
_TOP = 14.0
_AXIS = 44.0
_LABEL_CHARACTERS = 18
_TICKS = 5
_CHARACTER = 7.0


class Mark(NamedTuple):
    """A value with its interval in one row."""

    label: str
    value: float
    span: Span | None
    tone: str = "plain"
    text: str = ""
    """What a pointer over it, or a screen reader, tells."""
    is_open: bool = False
    """Drawn hollow: not shown, or perhaps."""


class Axis:
    """Maps values to places on a line."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        if not high > low:
            pad = abs(low) * 0.1 or 1.0
            low, high = low - pad, high + pad
        self.low, self.high, self._start, self._end = low, high, start, end

    def at(self, value: float) -> float:
        """Return the place of a value; one that lies outside is put at the end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> list[float]:
        """Return round values between the ends."""
        raw = (self.high - self.low) / _TICKS
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * (1 - 1e-9))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def _tick_writer(ticks: Sequence[float], scale: Scale, *, signed: bool = False) -> Callable[[float], str]:
    gaps = [scale.shown(after) - scale.shown(before) for before, after in pairwise(ticks)]
    step = min(gaps, default=1.0)
    decimals = next((digits for digits in range(9) if abs(round(step, digits) - step) < 1e-9 * abs(step)), 8)

    def write(value: float) -> str:
        return scale.number(value, decimals, signed=signed)

    return write


@dataclass
class _Drawing:
    title: str
    description: str
    height: float
    width: float = _WIDTH
    parts: list[str] = field(default_factory=list)

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self.parts.append(f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def rectangle(self, x: float, y: float, width: float, height: float, kind: str, told: str = "") -> None:
        self.parts.append(
            f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}" height="{height:.1f}">'
            f"{_told(told)}</rect>"
        )

    def circle(self, x: float, y: float, radius: float, kind: str, told: str = "") -> None:
        self.parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}">{_told(told)}</circle>')

    def text(self, x: float, y: float, content: str, kind: str = "label", anchor: str = "start") -> None:
        self.parts.append(
            f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{in_html(content)}</text>'
        )

    def path(self, points: Sequence[tuple[float, float]], kind: str) -> None:
        steps = " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self.parts.append(f'<path class="{kind}" d="M{steps}"/>')

    def finish(self) -> str:
        """Return the drawing with its name and what it shows, for those who cannot see it."""
        return (
            f'<svg viewBox="0 0 {self.width:.0f} {self.height:.0f}" role="img" '
            f'aria-label="{in_html(f"{self.title}. {self.description}")}">' + "".join(self.parts) + "</svg>"
        )


def _told(text: str) -> str:
    return f"<title>{in_html(text)}</title>" if text else ""


def _ends(marks: Sequence[Mark], *, also: Sequence[float] = ()) -> tuple[float, float]:
    values = [mark.value for mark in marks] + list(also)
    ends = [end for mark in marks if mark.span for end in (mark.span.low, mark.span.high) if end is not None]
    low, high = min(values + ends), max(values + ends)
    pad = 0.04 * (high - low)
    return low - pad, high + pad


def forest_plot(
    title: str,
    marks: Sequence[Mark],
    scale: Scale,
    *,
    caption: str = "",
    zero: bool = False,
    margin: float | None = None,
    low: float | None = None,
    high: float | None = None,
) -> str:
    """Draw values with their intervals, a row each.

    Args:
        title: What is shown.
        marks: One a row, from the top.
        scale: How values are written.
        caption: Under the axis.
        zero: Draw a line at 0, as differences need it.
        margin: Shade what lies within it, both ways.
        low: The axis does not go lower.
        high: The axis does not go higher.
    """
    if not marks:
        return ""
    also = [0.0] if zero else []
    also += [-margin, margin] if margin is not None else []
    ends = _ends(marks, also=also)
    start = ends[0] if low is None else max(ends[0], low)
    end = ends[1] if high is None else min(ends[1], high)
    axis = Axis(start, end, _LABELS, _WIDTH - _RIGHT)
    bottom = _TOP + _ROW * len(marks)
    described = "; ".join(mark.text or f"{mark.label} {scale.estimate(mark.value, mark.span)}" for mark in marks)
    drawing = _Drawing(title, described, bottom + _AXIS)
    if margin is not None:
        drawing.rectangle(axis.at(-margin), _TOP, axis.at(margin) - axis.at(-margin), bottom - _TOP, "margin")
    _draw_axis(drawing, axis, scale, bottom, caption, signed=zero)
    if zero:
        drawing.line(axis.at(0.0), _TOP, axis.at(0.0), bottom, "zero")
    for row, mark in enumerate(marks):
        _draw_mark(drawing, axis, mark, _TOP + _ROW * (row + 0.5), scale)
    return drawing.finish()


def _draw_axis(
    drawing: _Drawing, axis: Axis, scale: Scale, bottom: float, caption: str, *, signed: bool = False
) -> None:
    ticks = axis.ticks()
    write = _tick_writer(ticks, scale, signed=signed)
    widest = max((len(write(tick)) for tick in ticks), default=1) * _CHARACTER + 10
    last = -math.inf
    for tick in ticks:
        drawing.line(axis.at(tick), _TOP, axis.at(tick), bottom, "grid")
        if axis.at(tick) - last >= widest:
            drawing.text(axis.at(tick), bottom + 17, write(tick), "tick", "middle")
            last = axis.at(tick)
    if caption:
        drawing.text((_LABELS + _WIDTH - _RIGHT) / 2, bottom + 36, caption, "caption", "middle")


def _draw_mark(drawing: _Drawing, axis: Axis, mark: Mark, y: float, scale: Scale) -> None:
    told = mark.text or f"{mark.label}: {scale.estimate(mark.value, mark.span)}"
    drawing.text(_LABELS - 12, y + 4, shortened(mark.label, _LABEL_CHARACTERS), "label", "end")
    if mark.span is not None:
        left = axis.at(axis.low if mark.span.low is None else mark.span.low)
        right = axis.at(axis.high if mark.span.high is None else mark.span.high)
        drawing.line(left, y, right, y, f"bar {mark.tone}")
        for end, place in ((mark.span.low, left), (mark.span.high, right)):
            if end is not None:
                drawing.line(place, y - 5, place, y + 5, f"bar {mark.tone}")
    kind = f"dot {mark.tone} hollow" if mark.is_open else f"dot {mark.tone}"
    drawing.circle(axis.at(mark.value), y, 5.0, kind, told)


class Spot(NamedTuple):
    """A model between two columns."""

    label: str
    x: float
    x_span: Span | None
    y: float
    y_span: Span | None
    tone: str
    text: str


_SCATTER_HEIGHT = 360.0
_SCATTER_LEFT = 56.0


def scatter_plot(
    title: str, spots: Sequence[Spot], x_scale: Scale, y_scale: Scale, x_caption: str, y_caption: str
) -> str:
    """Draw models between two columns, with the intervals of both."""
    if not spots:
        return ""
    bottom = _SCATTER_HEIGHT - _AXIS
    x_axis, y_axis = (
        Axis(*_ends([Mark(spot.label, value, span) for spot, value, span in placed]), *places)
        for placed, places in (
            ([(spot, spot.x, spot.x_span) for spot in spots], (_SCATTER_LEFT, _WIDTH - _RIGHT - 40)),
            ([(spot, spot.y, spot.y_span) for spot in spots], (bottom - 8, _TOP + 22)),
        )
    )
    drawing = _Drawing(title, "; ".join(spot.text for spot in spots), _SCATTER_HEIGHT)
    ticks = x_axis.ticks()
    write = _tick_writer(ticks, x_scale)
    widest = max((len(write(tick)) for tick in ticks), default=1) * _CHARACTER + 10
    last = -math.inf
    for tick in ticks:
        drawing.line(x_axis.at(tick), _TOP + 14, x_axis.at(tick), bottom, "grid")
        if x_axis.at(tick) - last >= widest:
            drawing.text(x_axis.at(tick), bottom + 17, write(tick), "tick", "middle")
            last = x_axis.at(tick)
    ticks = y_axis.ticks()
    write = _tick_writer(ticks, y_scale)
    for tick in ticks:
        drawing.line(_SCATTER_LEFT, y_axis.at(tick), _WIDTH - _RIGHT, y_axis.at(tick), "grid")
        drawing.text(_SCATTER_LEFT - 8, y_axis.at(tick) + 4, write(tick), "tick", "end")
    drawing.text((_SCATTER_LEFT + _WIDTH) / 2, bottom + 36, x_caption, "caption", "middle")
    drawing.text(4, 12, y_caption, "caption", "start")
    for spot in spots:
        _draw_spot(drawing, x_axis, y_axis, spot)
    _label_spots(drawing, x_axis, y_axis, spots)
    return drawing.finish()


def _draw_spot(drawing: _Drawing, x_axis: Axis, y_axis: Axis, spot: Spot) -> None:
    x, y = x_axis.at(spot.x), y_axis.at(spot.y)
    if spot.x_span is not None:
        left, right = (
            x_axis.at(limit if end is None else end)
            for end, limit in ((spot.x_span.low, x_axis.low), (spot.x_span.high, x_axis.high))
        )
        drawing.line(left, y, right, y, f"bar {spot.tone} thin")
    if spot.y_span is not None:
        under, over = (
            y_axis.at(limit if end is None else end)
            for end, limit in ((spot.y_span.low, y_axis.low), (spot.y_span.high, y_axis.high))
        )
        drawing.line(x, under, x, over, f"bar {spot.tone} thin")
    drawing.circle(x, y, 5.5, f"dot {spot.tone}", spot.text)


_LINE = 13.0


def _label_spots(drawing: _Drawing, x_axis: Axis, y_axis: Axis, spots: Sequence[Spot]) -> None:
    """Write names beside their dots where there is room; of those without room the pointer tells the name."""
    taken: list[tuple[float, float, float]] = []
    for spot in sorted(spots, key=lambda each: (each.tone != "good", each.tone != "even", -each.y)):
        label = shortened(spot.label, 18)
        width = len(label) * _CHARACTER
        x, y = x_axis.at(spot.x), y_axis.at(spot.y)
        for left, top in ((x + 9, y - 6), (x + 9, y + 15), (x - 9 - width, y - 6), (x - 9 - width, y + 15)):
            inside = left >= _SCATTER_LEFT and left + width <= _WIDTH
            if inside and all(
                abs(top - other) >= _LINE or left > end or left + width < begin for begin, end, other in taken
            ):
                taken.append((left, left + width, top))
                drawing.text(left, top, label, "label small")
                break


def dot_plot(title: str, rows: Sequence[tuple[str, Sequence[Mark]]], scale: Scale, caption: str = "") -> str:
    """Draw several values a row: one model a tone, one group a row."""
    marks = [mark for _, found in rows for mark in found]
    if not marks:
        return ""
    axis = Axis(*_ends(marks), _LABELS, _WIDTH - _RIGHT)
    heights = [max(_ROW, 13.0 * len(found) + 10) for _, found in rows]
    bottom = _TOP + sum(heights)
    described = "; ".join(f"{label}: {', '.join(mark.text for mark in found)}" for label, found in rows)
    drawing = _Drawing(title, described, bottom + _AXIS)
    _draw_axis(drawing, axis, scale, bottom, caption)
    top = _TOP
    for (label, found), height in zip(rows, heights, strict=True):
        drawing.text(_LABELS - 12, top + height / 2 + 4, shortened(label, _LABEL_CHARACTERS), "label", "end")
        for place, mark in enumerate(found):
            y = top + height / 2 + (place - (len(found) - 1) / 2) * 13.0
            if mark.span is not None:
                left = axis.at(axis.low if mark.span.low is None else mark.span.low)
                right = axis.at(axis.high if mark.span.high is None else mark.span.high)
                drawing.line(left, y, right, y, f"bar {mark.tone} thin")
            drawing.circle(axis.at(mark.value), y, 4.0, f"dot {mark.tone}", mark.text)
        top += height
    return drawing.finish()


def coverage_plot(coverage: Sequence[Coverage]) -> str:
    """Draw how much of what was planned was answered, failed, or not asked."""
    rows = [each for each in coverage if each.planned]
    if not rows:
        return ""
    bottom = _TOP + 24.0 * len(rows)
    described = "; ".join(
        f"{each.model} {each.answered:,} answered, {sum(each.failures.values()):,} failed, "
        f"{each.not_asked:,} not asked of {each.planned:,}"
        for each in rows
    )
    drawing = _Drawing("Coverage", described, bottom + 6)
    width = _WIDTH - _RIGHT - _LABELS
    for row, each in enumerate(rows):
        y = _TOP + 24.0 * row
        drawing.text(_LABELS - 12, y + 12, shortened(each.model, _LABEL_CHARACTERS), "label", "end")
        left = _LABELS
        for kind, count, told in _shares(each):
            part = width * count / each.planned
            drawing.rectangle(left, y, part, 15, kind, f"{each.model}: {told}")
            left += part
    return drawing.finish()


def _shares(coverage: Coverage) -> Iterator[tuple[str, int, str]]:
    yield "fill good", coverage.answered, f"{coverage.answered:,} answered"
    for kind, count in coverage.failures.items():
        yield "fill bad", count, f"{count:,} {kind.replace('_', ' ')}"
    yield "fill open", coverage.not_asked, f"{coverage.not_asked:,} not asked"


def sparkline(line: Line, scale: Scale) -> str:
    """Draw one model over the runs: broken where runs do not compare, marked where the level changed."""
    points = line.points
    if not points:
        return ""
    width, height = 420.0, 84.0
    ends = _ends([Mark(line.model, point.value, point.span) for point in points])
    value = Axis(*ends, height - 12, 10)
    place = Axis(0, max(1, len(points) - 1), 10, width - 10)
    described = f"{len(points)} runs, latest {scale.estimate(points[-1].value, points[-1].span)}. {line.sentence}"
    drawing = _Drawing(f"History of {line.model}", described, height, width)
    begins = {point.after for point in line.breaks}
    segment: list[tuple[float, float]] = []
    for number, point in enumerate(points):
        x, y = place.at(number), value.at(point.value)
        if point.run in begins:
            if len(segment) > 1:
                drawing.path(segment, "trend")
            segment = []
            middle = (x + place.at(number - 1)) / 2
            drawing.line(middle, 4, middle, height - 4, "break")
        segment.append((x, y))
        if point.span is not None and None not in {point.span.low, point.span.high}:
            drawing.line(x, value.at(point.span.low or 0.0), x, value.at(point.span.high or 0.0), "bar plain thin")
    if len(segment) > 1:
        drawing.path(segment, "trend")
    changed = {change.run for change in line.changes}
    regressed = line.regression.run if line.regression is not None else ""
    for number, point in enumerate(points):
        tone = "bad" if point.run == regressed else "even" if point.run in changed else "plain"
        told = f"{point.run}: {scale.estimate(point.value, point.span)}, {point.cases:,} cases"
        drawing.circle(place.at(number), value.at(point.value), 3.5, f"dot {tone}", told)
    return drawing.finish()
