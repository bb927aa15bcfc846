"""Draws a Slack message as SVG from the JSON that is posted: ``python -m local.channels.picture BODY.json OUT.svg``.

Slack's own look is imitated (fonts, bars, buttons); every word, its order and what is bold come from the blocks.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from html import escape, unescape
from pathlib import Path
from typing import Any

_WIDTH = 720
_MARGIN = 24
_LINE = 22
_CHARACTER = 7.4
"""Width of a letter of the picture's font at 15 px, on average."""
_COLUMNS = int((_WIDTH - 2 * _MARGIN) / _CHARACTER)
_LINK = re.compile(r"<([^|>]+)\|([^>]+)>")
_MARK = re.compile(r"(?<!\w)\*([^*\n]+)\*(?!\w)|(?<!\w)_([^_\n]+)_(?!\w)")
_STYLE = (
    "text{font:15px Lato,'Segoe UI',Roboto,'Noto Sans','Noto Color Emoji',sans-serif;fill:#1d1c1d}"
    ".header{font-size:18px;font-weight:900}.small{font-size:13px;fill:#616061}"
    ".button{font-weight:700}.primary{fill:#fff}.link{fill:#1264a3}"
)


class Drawing:
    """Lines from top to bottom."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.y = float(_MARGIN)

    def write(self, text: str, kind: str = "") -> None:
        """Write a text, broken between words."""
        for paragraph in text.split("\n"):
            for line in _broken(paragraph):
                self.y += _LINE
                self.parts.append(f'<text x="{_MARGIN}" y="{self.y:.0f}" class="{kind}">{_marked(line)}</text>')

    def rule(self) -> None:
        """Draw a line."""
        self.y += _LINE / 2
        y = f"{self.y:.0f}"
        self.parts.append(f'<line x1="{_MARGIN}" x2="{_WIDTH - _MARGIN}" y1="{y}" y2="{y}" stroke="#ddd"/>')

    def buttons(self, elements: list[Mapping[str, Any]]) -> None:
        """Draw buttons side by side."""
        self.y += _LINE / 2
        x = float(_MARGIN)
        for element in elements:
            text, is_primary = element["text"]["text"], element.get("style") == "primary"
            width = len(text) * 8.5 + 24
            fill, stroke = ("#007a5a", "#007a5a") if is_primary else ("#fff", "#bbb")
            self.parts.append(
                f'<rect x="{x:.0f}" y="{self.y:.0f}" width="{width:.0f}" height="34" rx="4" fill="{fill}" '
                f'stroke="{stroke}"/><text x="{x + width / 2:.0f}" y="{self.y + 22:.0f}" text-anchor="middle" '
                f'class="button {"primary" if is_primary else ""}">{escape(text)}</text>'
            )
            x += width + 10
        self.y += 34

    def to_svg(self) -> str:
        """Return the picture."""
        height = self.y + _MARGIN
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:.0f}" '
            f'viewBox="0 0 {_WIDTH} {height:.0f}"><style>{_STYLE}</style>'
            f'<rect width="{_WIDTH}" height="{height:.0f}" fill="#fff"/>' + "\n".join(self.parts) + "</svg>\n"
        )


def draw(body: Mapping[str, Any]) -> str:
    """Return a message to a webhook as SVG."""
    drawing = Drawing()
    for block in body["blocks"]:
        match block["type"]:
            case "header":
                drawing.write(escape(block["text"]["text"]), "header")
            case "section":
                drawing.write(block["text"]["text"])
            case "context":
                drawing.write(" ".join(element["text"] for element in block["elements"]), "small")
            case "divider":
                drawing.rule()
            case "actions":
                drawing.buttons(block["elements"])
            case kind:
                raise ValueError(f"a block of type {kind!r} cannot be drawn")
    return drawing.to_svg()


def _broken(paragraph: str) -> list[str]:
    """Break a paragraph between words; what is not shown of a link does not count."""
    lines: list[list[str]] = [[]]
    left = _COLUMNS
    for word in re.findall(r"<[^>]*>[^\s<]*|[^\s<]+", paragraph):
        shown = len(unescape(_LINK.sub(r"\2", word)))
        if shown > left and lines[-1]:
            lines.append([])
            left = _COLUMNS
        lines[-1].append(word)
        left -= shown + 1
    return [" ".join(words) for words in lines]


def _marked(line: str) -> str:
    """Turn Slack's marks into tspans; the text is escaped already, as in XML."""
    text = _MARK.sub(
        lambda found: (
            f'<tspan font-weight="700">{found[1]}</tspan>'
            if found[1]
            else f'<tspan font-style="italic" fill="#616061">{found[2]}</tspan>'
        ),
        _LINK.sub("\x00\\2\x01", line),
    )
    return text.replace("\x00", '<tspan class="link">').replace("\x01", "</tspan>")


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:3])
    target.write_text(draw(json.loads(source.read_text(encoding="utf-8"))), encoding="utf-8")
