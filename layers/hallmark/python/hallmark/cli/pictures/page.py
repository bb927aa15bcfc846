"""A scene as a page: the picture to move, to enlarge, to search in and to click; it loads nothing from anywhere."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

from hallmark.cli.looks import look_of
from hallmark.cli.pictures.lettering import xml_text
from hallmark.cli.pictures.scene import Figure, Scene
from hallmark.cli.pictures.svg import Drawn, draw


def draw_page(scene: Scene) -> str:
    """Return an HTML page that holds a scene and all that is known of its nodes."""
    drawn = draw(scene)
    values = {
        "title": xml_text(scene.title),
        "cut": "The answer was cut: this is not all." if scene.cut else "",
        "picture": drawn.svg,
        "scene": script_json(_described(scene, drawn)),
    }
    page = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    # In one go: a value that looks like a place for another one stays what it is.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], page)


def script_json(value: object) -> str:
    """Return JSON that cannot end the script element it stands in (HTML, section 4.12.1.3, "Restrictions")."""
    text = json.dumps(value, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _described(scene: Scene, drawn: Drawn) -> dict[str, Any]:
    left, top = drawn.origin
    return {
        "figures": [
            {
                "label": figure.label,
                "box": [round(box.x + left, 1), round(box.y + top, 1), round(box.width, 1), round(box.height, 1)],
                "members": _members(figure),
            }
            for figure, box in zip(scene.figures, drawn.layout.boxes, strict=True)
        ],
        "flows": [{"source": flow.source, "target": flow.target} for flow in scene.flows],
    }


def _members(figure: Figure) -> list[dict[str, str | None]]:
    return [
        {
            "name": node.label,
            "kind": look_of(node.kind).word,
            "status": "Deleted" if node.deleted else node.status,
            "at": node.at.isoformat() if node.at else None,
            "key": node.key,
        }
        for node in figure.members
    ]
