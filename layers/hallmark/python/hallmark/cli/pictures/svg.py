"""A scene as SVG: left to right, kinds by shape and colour, full names in the titles, a legend below.

It is plain SVG 1.1 without scripts or anything from elsewhere, dark on light, and scales to the width it is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from hallmark.cli.looks import BAD_STATUSES, KINDS, Look, look_of
from hallmark.cli.pictures.layout import Box, Layout, Point, Size, lay_out
from hallmark.cli.pictures.lettering import fitted, text_width, xml_text
from hallmark.cli.pictures.scene import Figure, Flow, Scene
from hallmark.lineage.model import NodeKind

_HEIGHT = 44.0
_LABEL, _DETAIL, _ROLE, _TITLE = 12.5, 10.0, 9.5, 16.0
_LEAST_TEXT, _MOST_TEXT = 64.0, 166.0
_PADDING = 12.0
_MARGIN = 28.0
_HEAD = 46.0
_LEAST_WIDTH = 640.0
_LEGEND_ROW = 26.0
_FONT = "ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"
_INK, _PALE_INK, _BAD_INK = "#1d252c", "#51606c", "#a3191f"
_LINE = "#8795a1"
_CAP = 5.5
"""Half the height of a cylinder's top, and what a corner takes away."""


class Drawn(NamedTuple):
    """A picture and where everything is in it, for what is built around it."""

    svg: str
    layout: Layout
    origin: Point
    """Where the layout's (0, 0) lies in the picture."""


def draw_svg(scene: Scene) -> str:
    """Return a scene as an SVG document; the same scene gives the same text."""
    return draw(scene).svg


def draw(scene: Scene) -> Drawn:
    """Return a scene as an SVG document with its layout."""
    layout = lay_out(
        [Size(_width(figure), _HEIGHT) for figure in scene.figures],
        [(flow.source, flow.target) for flow in scene.flows],
    )
    width = max(layout.width + 2 * _MARGIN, _LEAST_WIDTH)
    legend, legend_height = _legend(scene, width)
    height = _HEAD + layout.height + _MARGIN + legend_height + _MARGIN
    left = (width - layout.width) / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}" '
        f'style="max-width:100%;height:auto" role="img" aria-label="{xml_text(scene.title)}" '
        f'font-family="{_FONT}" fill="{_INK}">',
        f"<title>{xml_text(scene.title)}</title>",
        f'<rect width="{_n(width)}" height="{_n(height)}" fill="#ffffff"/>',
        *_heading(scene, width),
        f'<g class="picture" transform="translate({_n(left)} {_n(_HEAD)})">',
        '<g class="flows" fill="none">',
        *(_flow(scene, flow, way) for flow, way in zip(scene.flows, layout.ways, strict=True)),
        "</g>",
        '<g class="roles">',
        *_roles(scene, layout),
        "</g>",
        '<g class="figures">',
        *(
            _figure(number, figure, box)
            for number, (figure, box) in enumerate(zip(scene.figures, layout.boxes, strict=True))
        ),
        "</g>",
        "</g>",
        f'<g class="legend" transform="translate({_n(_MARGIN)} {_n(_HEAD + layout.height + _MARGIN)})">',
        *legend,
        "</g>",
        "</svg>",
    ]
    return Drawn("\n".join(filter(None, parts)) + "\n", layout, (left, _HEAD))


def _heading(scene: Scene, width: float) -> list[str]:
    shown = f"{scene.nodes:,} node{'' if scene.nodes == 1 else 's'}"
    parts = [
        f'<text x="{_n(_MARGIN)}" y="27" font-size="{_TITLE}" font-weight="600">'
        f"{xml_text(fitted(scene.title, _TITLE, width - 2 * _MARGIN - 160))}</text>"
    ]
    if scene.cut:
        parts.append(
            f'<text x="{_n(width - _MARGIN)}" y="27" text-anchor="end" font-size="12.5" font-weight="600" '
            f'fill="{_BAD_INK}">incomplete: the first {shown}</text>'
        )
    else:
        parts.append(
            f'<text x="{_n(width - _MARGIN)}" y="27" text-anchor="end" font-size="12" fill="{_PALE_INK}">{shown}</text>'
        )
    return parts


# --- boxes ---


def _detail(figure: Figure) -> str:
    """Return the second line: what it is, and how it stands."""
    look = look_of(figure.kind)
    if figure.others:
        return figure.status
    if figure.kind is NodeKind.DATASET_VERSION:
        return _folder(figure.members[0].key) or look.word
    return " · ".join(filter(None, [look.word, figure.status]))


def _folder(version: str) -> str:
    """Return where a dataset version lies, without the bucket and its own name, which the first line has."""
    _, _, key = version.partition("#")[0].partition("://")[2].partition("/")
    return key.rpartition("/")[0]


def _width(figure: Figure) -> float:
    text = max(text_width(figure.label, _LABEL) * 1.04, min(text_width(_detail(figure), _DETAIL), _MOST_TEXT * 0.8))
    return min(max(text, _LEAST_TEXT), _MOST_TEXT) + 2 * _PADDING


def _figure(number: int, figure: Figure, box: Box) -> str:
    look = look_of(figure.kind)
    node = figure.members[0]
    detail = _detail(figure)
    bad = any(word in BAD_STATUSES for word in figure.status.replace(",", "").split())
    deleted = node.deleted and not figure.others
    stroke = f'stroke="{look.family.line}" stroke-width="{2.6 if figure.is_start else 1.3}"'
    dashes = ' stroke-dasharray="4 3"' if deleted or figure.others else ""
    start = ' data-start="yes"' if figure.is_start else ""
    struck = ' text-decoration="line-through"' if deleted else ""
    room = box.width - 2 * _PADDING + 6
    middle = box.x + box.width / 2
    behind = ""
    if figure.others:
        shifted = box._replace(x=box.x + 4, y=box.y + 4)
        behind = f'<g class="stack">{_shape(look, shifted, stroke)}</g>'
    drop = 3.0 if look.family.shape == "cylinder" else 0.0
    return (
        f'<g class="figure" data-number="{number}"{start}>'
        f"<title>{xml_text(_tip(figure))}</title>{behind}{_shape(look, box, stroke + dashes)}"
        f'<text x="{_n(middle)}" y="{_n(box.y + 19.5 + drop)}" text-anchor="middle" font-size="{_LABEL}" '
        f'font-weight="{600 if figure.is_start else 500}"{struck}>'
        f"{xml_text(fitted(figure.label, _LABEL, room))}</text>"
        f'<text x="{_n(middle)}" y="{_n(box.y + 33.5 + drop)}" text-anchor="middle" font-size="{_DETAIL}" '
        f'fill="{_BAD_INK if bad else _PALE_INK}">{xml_text(fitted(detail, _DETAIL, room))}</text></g>'
    )


def _tip(figure: Figure) -> str:
    if figure.others:
        return "\n".join([f"{figure.label}:", *(node.key for node in figure.members)])
    node = figure.members[0]
    lines = [f"{look_of(node.kind).word}: {node.label}", node.key]
    if figure.status:
        lines.append(f"status: {figure.status}")
    if node.at:
        lines.append(f"at: {node.at.isoformat()}")
    return "\n".join(lines)


def _shape(look: Look, box: Box, stroke: str) -> str:
    x, y, w, h = box
    paint = f'fill="{look.family.fill}" {stroke}'
    match look.family.shape:
        case "box":
            return _rectangle(box, 5, paint)
        case "pill":
            return _rectangle(box, h / 2, paint)
        case "hexagon":
            c = 11
            return _polygon(
                [(x + c, y), (x + w - c, y), (x + w, y + h / 2), (x + w - c, y + h), (x + c, y + h), (x, y + h / 2)],
                paint,
            )
        case "tag":
            c = 9
            return _polygon(
                [(x, y), (x + w - c, y), (x + w, y + h / 2), (x + w - c, y + h), (x, y + h), (x + c, y + h / 2)], paint
            )
        case "note":
            c = 10
            fold = f"M{_n(x + w - c)} {_n(y)} V{_n(y + c)} H{_n(x + w)}"
            page = [(x, y), (x + w - c, y), (x + w, y + c), (x + w, y + h), (x, y + h)]
            return f'{_polygon(page, paint)}<path d="{fold}" fill="none" {stroke}/>'
        case "cylinder":
            left, right, top, bottom = _n(x), _n(x + w), _n(y + _CAP), _n(y + h - _CAP)
            arc = f"A{_n(w / 2)} {_CAP} 0 0"
            side = f"M{left} {top} {arc} 1 {right} {top} V{bottom} {arc} 1 {left} {bottom} Z"
            rim = f"M{left} {top} {arc} 0 {right} {top}"
            return f'<path d="{side}" {paint}/><path d="{rim}" fill="none" {stroke}/>'


def _polygon(corners: Sequence[Point], paint: str) -> str:
    return f'<path d="M{" L".join(f"{_n(x)} {_n(y)}" for x, y in corners)} Z" {paint}/>'


def _rectangle(box: Box, radius: float, paint: str) -> str:
    return (
        f'<rect x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" height="{_n(box.height)}" '
        f'rx="{_n(radius)}" {paint}/>'
    )


# --- lines ---


def _flow(scene: Scene, flow: Flow, way: Sequence[Point]) -> str:
    if not way:
        return ""
    source, target = scene.figures[flow.source], scene.figures[flow.target]
    dashes = ' stroke-dasharray="5 4"' if flow.past else ""
    tip = f"{source.label} to {target.label}" + (f": {flow.tip}" if flow.tip else "")
    line = _curve(way)
    return (
        f'<g class="flow" data-from="{flow.source}" data-to="{flow.target}"><title>{xml_text(tip)}</title>'
        f'<path d="{line}" stroke="{_LINE}" stroke-width="1.4"{dashes}/>{_arrow(way)}</g>'
    )


def _curve(way: Sequence[Point]) -> str:
    """Return a smooth path: an S between layers, level where it passes one."""
    (x, y), *following = way
    path = f"M{_n(x)} {_n(y)}"
    for number, (to_x, to_y) in enumerate(following):
        if number % 2:
            path += f" L{_n(to_x)} {_n(to_y)}"
        else:
            reach = (to_x - x) * 0.5
            path += f" C{_n(x + reach)} {_n(y)} {_n(to_x - reach)} {_n(to_y)} {_n(to_x)} {_n(to_y)}"
        x, y = to_x, to_y
    return path


def _arrow(way: Sequence[Point]) -> str:
    x, y = way[-1]
    back = -7.0 if way[-1][0] >= way[-2][0] else 7.0
    return f'<path d="M{_n(x)} {_n(y)} L{_n(x + back)} {_n(y - 3.2)} V{_n(y + 3.2)} Z" fill="{_LINE}" stroke="none"/>'


def _roles(scene: Scene, layout: Layout) -> list[str]:
    """Return the words on the lines, each where it hides neither a box nor another word."""
    taken: list[Box] = list(layout.boxes)
    found = []
    for flow, way in zip(scene.flows, layout.ways, strict=True):
        words = fitted(scene.spoken_roles(flow), _ROLE, 120.0)
        if not way or not words:
            continue
        width = text_width(words, _ROLE)
        for (x, y), (to_x, to_y) in ((way[-2], way[-1]), (way[0], way[1])):
            place = Box((x + to_x - width) / 2, (y + to_y) / 2 - _ROLE, width, _ROLE + 3)
            if not any(_overlap(place, other) for other in taken):
                taken.append(place)
                found.append(
                    f'<text x="{_n(place.x + width / 2)}" y="{_n(place.y + _ROLE)}" text-anchor="middle" '
                    f'font-size="{_ROLE}" fill="{_PALE_INK}" stroke="#ffffff" stroke-width="3" paint-order="stroke">'
                    f"{xml_text(words)}</text>"
                )
                break
    return found


def _overlap(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


# --- legend ---


def _legend(scene: Scene, width: float) -> tuple[list[str], float]:
    """Return the kinds that occur, with their numbers, in as many rows as they need; and their height."""
    counts = Counter(node.kind for figure in scene.figures for node in figure.members)
    parts, x, row = [], 0.0, 0
    for kind in KINDS:
        if not counts[kind]:
            continue
        look = look_of(kind)
        words = f"{counts[kind]:,} {look.word if counts[kind] == 1 else look.words}"
        needed = 40 + text_width(words, 11) + 22
        if x and x + needed > width - 2 * _MARGIN:
            x, row = 0.0, row + 1
        y = row * _LEGEND_ROW
        stroke = f'stroke="{look.family.line}" stroke-width="1.2"'
        parts.append(
            f"{_shape(look, Box(x, y, 30, 17), stroke)}"
            f'<text x="{_n(x + 38)}" y="{_n(y + 12.5)}" font-size="11" fill="{_PALE_INK}">{xml_text(words)}</text>'
        )
        x += needed
    return parts, (row + 1) * _LEGEND_ROW - 9


def _n(value: float) -> str:
    """Return a coordinate: a tenth of a point is finer than any screen or printer shows."""
    return f"{value:.1f}".removesuffix(".0")
