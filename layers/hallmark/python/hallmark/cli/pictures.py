"""Pictures of lineage that a person can read: SVG, Mermaid, and a page that needs nothing but a browser."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from hallmark.cli.layout import Box, lay_out
from hallmark.cli.looks import LEGEND, Look, look_of
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import NodeSummary, TracedEdge

_HEIGHT = 40.0
_LETTER = 6.6
_LABEL_LETTERS = 30
_WIDE_FROM = 0x2E7F
"""Letters of East Asian scripts begin here; they are twice as wide."""
_MARGIN = 24.0
_LEGEND_HEIGHT = 44.0
_FOLD_FROM = 4
_FONT = "font-family='ui-sans-serif, system-ui, Helvetica, Arial, sans-serif'"


class Drawing(NamedTuple):
    """What is drawn: nodes by key, and edges whose ends are among them."""

    nodes: dict[str, NodeSummary]
    edges: list[TracedEdge]
    folded: dict[str, int]
    """Nodes that stand for several alike: key to their number."""


def fold_alike(nodes: Sequence[NodeSummary], edges: Sequence[TracedEdge], keep: str) -> Drawing:
    """Let one node stand for many of one kind that have the same neighbours (the children of a tuning job, say)."""
    around: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
    for node in nodes:
        into = frozenset(edge.source for edge in edges if edge.target == node.key)
        out = frozenset(edge.target for edge in edges if edge.source == node.key)
        around[node.key] = (into, out)
    groups: dict[object, list[NodeSummary]] = {}
    for node in nodes:
        alone = node.key == keep or not any(around[node.key])
        groups.setdefault(node.key if alone else (node.kind, around[node.key]), []).append(node)
    kept: dict[str, NodeSummary] = {}
    folded: dict[str, int] = {}
    for group in groups.values():
        shown = group if len(group) < _FOLD_FROM else group[:1]
        kept.update((node.key, node) for node in shown)
        if len(group) >= _FOLD_FROM:
            folded[group[0].key] = len(group)
    seen: set[tuple[str, str]] = set()
    drawn = []
    for edge in edges:
        ends = (edge.source, edge.target)
        if edge.source in kept and edge.target in kept and ends not in seen:
            seen.add(ends)
            drawn.append(edge)
    return Drawing(kept, drawn, folded)


def draw_svg(drawing: Drawing, title: str, start: str = "") -> str:
    """Return an SVG picture: kinds by shape and colour, left to right, full names in tool tips, a legend below."""
    labels = {key: _label(drawing, key) for key in drawing.nodes}
    widths = {key: max(70.0, _width(label) + 26) for key, label in labels.items()}
    layout = lay_out(widths, [(edge.source, edge.target) for edge in drawing.edges], _HEIGHT)
    width = max(layout.width + 2 * _MARGIN, 620.0)
    height = layout.height + 2 * _MARGIN + _LEGEND_HEIGHT
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:.0f} {height:.0f}' width='{width:.0f}' "
        f"height='{height:.0f}' role='img' {_FONT} font-size='12'>",
        f"<title>{escape(title)}</title>",
        "<defs><marker id='arrow' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='7' markerHeight='7' orient='auto'>"
        "<path d='M0 0 L8 4 L0 8 z' fill='#78909c'/></marker></defs>",
        f"<rect width='{width:.0f}' height='{height:.0f}' fill='#ffffff'/>",
        f"<g transform='translate({_MARGIN:.0f} {_MARGIN:.0f})'>",
    ]
    for edge, way in zip(drawing.edges, layout.ways, strict=True):
        parts.append(_edge(edge, way))
    for key, node in drawing.nodes.items():
        parts.append(_node(node, labels[key], layout.boxes[key], starred=key == start, count=drawing.folded.get(key)))
    parts.append("</g>")
    parts.append(_legend(drawing, height - _LEGEND_HEIGHT / 2))
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def draw_mermaid(drawing: Drawing) -> str:
    """Return a Mermaid flow chart."""
    numbers = {key: f"n{number}" for number, key in enumerate(drawing.nodes)}
    brackets = {
        "cylinder": ("[(", ")]"),
        "box": ("[", "]"),
        "round": ("(", ")"),
        "hexagon": ("{{", "}}"),
        "tag": ("[/", "/]"),
        "ellipse": ("([", "])"),
    }
    lines = ["flowchart LR"]
    for key, node in drawing.nodes.items():
        opening, closing = brackets[look_of(node.kind).shape]
        lines.append(f'  {numbers[key]}{opening}"{_mermaid_text(_label(drawing, key))}"{closing}')
    for edge in drawing.edges:
        role = f'|"{_mermaid_text(edge.role)}"|' if edge.role else ""
        lines.append(f"  {numbers[edge.source]} -->{role} {numbers[edge.target]}")
    for number, look in enumerate(LEGEND):
        members = ",".join(numbers[key] for key, node in drawing.nodes.items() if look_of(node.kind) is look)
        if members:
            lines.append(f"  classDef k{number} fill:{look.fill},stroke:{look.line},color:#212121")
            lines.append(f"  class {members} k{number}")
    return "\n".join(lines) + "\n"


def draw_page(drawing: Drawing, title: str, start: str = "") -> str:
    """Return a page with the picture, to move, to enlarge, to search in; it loads nothing from anywhere."""
    details = {
        key: {
            "label": _label(drawing, key),
            "kind": node.kind.value,
            "key": key,
            "status": node.status,
            "at": node.at.isoformat() if node.at else None,
        }
        for key, node in drawing.nodes.items()
    }
    data = json.dumps(list(details.values())).replace("<", "\\u003c")
    return _PAGE.format(title=escape(title), picture=draw_svg(drawing, title, start), data=data)


def _label(drawing: Drawing, key: str) -> str:
    node = drawing.nodes[key]
    if key in drawing.folded:
        return f"{drawing.folded[key]} x {node.kind.value}"
    label = node.label
    if node.kind is NodeKind.DATASET and len(label) > _LABEL_LETTERS:
        label = f"…/{label.rpartition('/')[2]}"
    return (
        label if len(label) <= _LABEL_LETTERS else f"{label[: _LABEL_LETTERS // 2]}…{label[-_LABEL_LETTERS // 2 + 1 :]}"
    )


def _width(label: str) -> float:
    return sum(2 * _LETTER if ord(letter) > _WIDE_FROM else _LETTER for letter in label)


def _node(node: NodeSummary, label: str, box: Box, *, starred: bool, count: int | None) -> str:
    look = look_of(node.kind)
    stroke = 3 if starred else 1.4
    dashes = " stroke-dasharray='5 3'" if node.deleted else ""
    style = f"fill='{look.fill}' stroke='{look.line}' stroke-width='{stroke}'{dashes}"
    under = node.kind.value if not node.status else f"{node.kind.value} · {node.status}"
    tip = "\n".join(filter(None, [node.key, under, node.at.isoformat() if node.at else ""]))
    shadow = f"<rect x='{box.x + 4:.1f}' y='{box.y + 4:.1f}' width='{box.width:.1f}' height='{box.height:.1f}' rx='4' {style}/>"
    middle = box.x + box.width / 2
    return (
        f"<g class='node' data-key='{escape(node.key, quote=True)}'><title>{escape(tip)}</title>"
        f"{shadow if count else ''}{_shape(look, box, style)}"
        f"<text x='{middle:.1f}' y='{box.y + 18:.1f}' text-anchor='middle' fill='#212121' font-weight='600'>"
        f"{escape(label)}</text>"
        f"<text x='{middle:.1f}' y='{box.y + 32:.1f}' text-anchor='middle' fill='#546e7a' font-size='9.5'>"
        f"{escape(under)}</text></g>"
    )


def _shape(look: Look, box: Box, style: str) -> str:
    x, y, width, height = box
    if look.shape == "hexagon":
        corners = [(x + 9, y), (x + width - 9, y), (x + width, y + height / 2), (x + width - 9, y + height)]
        corners += [(x + 9, y + height), (x, y + height / 2)]
        return f"<polygon points='{' '.join(f'{a:.1f},{b:.1f}' for a, b in corners)}' {style}/>"
    if look.shape == "cylinder":
        return (
            f"<path d='M{x:.1f} {y + 4:.1f} a{width / 2:.1f} 4 0 0 1 {width:.1f} 0 v{height - 8:.1f} "
            f"a{width / 2:.1f} 4 0 0 1 -{width:.1f} 0 z' {style}/>"
        )
    if look.shape == "ellipse":
        return f"<ellipse cx='{x + width / 2:.1f}' cy='{y + height / 2:.1f}' rx='{width / 2:.1f}' ry='{height / 2:.1f}' {style}/>"
    if look.shape == "tag":
        corners = [(x + 8, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y + 8)]
        return f"<polygon points='{' '.join(f'{a:.1f},{b:.1f}' for a, b in corners)}' {style}/>"
    radius = 14 if look.shape == "round" else 3
    return f"<rect x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}' rx='{radius}' {style}/>"


def _edge(edge: TracedEdge, way: Sequence[tuple[float, float]]) -> str:
    (x, y), *following = way
    path = f"M{x:.1f} {y:.1f}"
    for next_x, next_y in following:
        bend = (next_x - x) / 2
        path += f" C{x + bend:.1f} {y:.1f} {next_x - bend:.1f} {next_y:.1f} {next_x:.1f} {next_y:.1f}"
        x, y = next_x, next_y
    past = " stroke-dasharray='4 3'" if edge.valid_to else ""
    tip = " ".join(filter(None, [edge.type.value, edge.role, f"since {edge.valid_from.isoformat()}"]))
    return (
        f"<path class='edge' d='{path}' fill='none' stroke='#90a4ae' stroke-width='1.3' marker-end='url(#arrow)'{past}>"
        f"<title>{escape(tip)}</title></path>"
    )


def _legend(drawing: Drawing, y: float) -> str:
    counts = Counter(look_of(node.kind).word for node in drawing.nodes.values())
    parts, x = [], _MARGIN
    for look in LEGEND:
        if look.word in counts:
            box = Box(x, y - 8, 26, 16)
            parts.append(_shape(look, box, f"fill='{look.fill}' stroke='{look.line}' stroke-width='1.2'"))
            parts.append(f"<text x='{x + 34:.0f}' y='{y + 4:.0f}' fill='#37474f' font-size='11'>{look.word}</text>")
            x += 34 + _width(look.word) + 24
    return f"<g class='legend'>{''.join(parts)}</g>"


def _mermaid_text(text: str) -> str:
    return "".join(
        f"#{ord(letter)};" if letter in '"#<>&{}|;`\\' else " " if not letter.isprintable() else letter
        for letter in text
    )


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ margin: 0; font: 14px system-ui, sans-serif; color: #212121; display: flex; flex-direction: column; height: 100vh }}
header {{ display: flex; gap: 1rem; align-items: center; padding: .6rem 1rem; border-bottom: 1px solid #cfd8dc }}
h1 {{ font-size: 1rem; margin: 0; flex: 1 }}
main {{ flex: 1; overflow: hidden; cursor: grab }} main svg {{ width: 100%; height: 100% }}
.node {{ cursor: pointer }} .dim {{ opacity: .15 }}
aside {{ padding: .6rem 1rem; border-top: 1px solid #cfd8dc; min-height: 2.4rem; overflow-wrap: anywhere }}
</style></head><body>
<header><h1>{title}</h1><label>Find <input id="find" type="search"></label><button id="whole">Whole picture</button></header>
<main>{picture}</main><aside id="details">Click a node to see what it is; drag to move, turn the wheel to enlarge.</aside>
<script>
const data = {data};
const svg = document.querySelector('svg'), whole = svg.getAttribute('viewBox');
const nodes = [...document.querySelectorAll('.node')], byKey = new Map(data.map(item => [item.key, item]));
svg.removeAttribute('width'); svg.removeAttribute('height');
const box = () => svg.getAttribute('viewBox').split(' ').map(Number);
svg.addEventListener('wheel', event => {{ event.preventDefault();
  const [x, y, w, h] = box(), r = svg.getBoundingClientRect(), f = event.deltaY > 0 ? 1.15 : 1 / 1.15;
  const px = x + w * (event.clientX - r.left) / r.width, py = y + h * (event.clientY - r.top) / r.height;
  svg.setAttribute('viewBox', [px - (px - x) * f, py - (py - y) * f, w * f, h * f].join(' ')); }}, {{passive: false}});
let from = null;
svg.addEventListener('pointerdown', event => {{ from = [event.clientX, event.clientY, ...box()]; }});
addEventListener('pointerup', () => {{ from = null; }});
svg.addEventListener('pointermove', event => {{ if (!from) return;
  const r = svg.getBoundingClientRect(), s = Math.max(from[4] / r.width, from[5] / r.height);
  svg.setAttribute('viewBox', [from[2] - (event.clientX - from[0]) * s, from[3] - (event.clientY - from[1]) * s, from[4], from[5]].join(' ')); }});
document.getElementById('whole').addEventListener('click', () => svg.setAttribute('viewBox', whole));
document.getElementById('find').addEventListener('input', event => {{ const text = event.target.value.toLowerCase();
  for (const node of nodes) node.classList.toggle('dim', text !== '' && !(node.dataset.key + node.textContent).toLowerCase().includes(text)); }});
for (const node of nodes) node.addEventListener('click', () => {{ const item = byKey.get(node.dataset.key);
  document.getElementById('details').textContent = [item.kind, item.label, item.status, item.at, item.key].filter(Boolean).join(' · '); }});
</script></body></html>
"""
