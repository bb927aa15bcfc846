"""A scene as a Mermaid flow chart (https://mermaid.js.org/syntax/flowchart.html): text that GitHub and GitLab draw."""

from __future__ import annotations

from hallmark.cli.looks import KINDS, Family, Shape, look_of
from hallmark.cli.pictures.scene import Scene

_BRACKETS: dict[Shape, tuple[str, str]] = {
    "cylinder": ("[(", ")]"),
    "box": ("[", "]"),
    "hexagon": ("{{", "}}"),
    "pill": ("([", "])"),
    "note": ("[/", "/]"),
    "tag": (">", "]"),
}


def draw_mermaid(scene: Scene) -> str:
    """Return a flow chart from left to right; what is cut is said in a comment and in the title."""
    title = f"{scene.title} (incomplete)" if scene.cut else scene.title
    lines = ["---", f'title: "{_yaml_text(title)}"', "---", "flowchart LR"]
    families: dict[Family, list[str]] = {}
    for number, figure in enumerate(scene.figures):
        look = look_of(figure.kind)
        opening, closing = _BRACKETS[look.family.shape]
        second = figure.status if figure.others else " · ".join(filter(None, [look.word, figure.status]))
        text = f"{mermaid_text(figure.label)}<br/><small>{mermaid_text(second)}</small>"
        lines.append(f'  n{number}{opening}"{text}"{closing}')
        families.setdefault(look.family, []).append(f"n{number}")
    for flow in scene.flows:
        line = "-.->" if flow.past else "-->"
        roles = scene.spoken_roles(flow)
        said = f'|"{mermaid_text(roles)}"|' if roles else ""
        lines.append(f"  n{flow.source} {line}{said} n{flow.target}")
    for number, family in enumerate(dict.fromkeys(look_of(kind).family for kind in KINDS)):
        if family in families:
            lines.append(f"  classDef family{number} fill:{family.fill},stroke:{family.line},color:#1d252c")
            lines.append(f"  class {','.join(families[family])} family{number}")
    starts = [f"n{number}" for number, figure in enumerate(scene.figures) if figure.is_start]
    lines += [f"  style {start} stroke-width:3px" for start in starts]
    return "\n".join(lines) + "\n"


def mermaid_text(text: str) -> str:
    """Return a text for a quoted label: letters, digits, and everything else that could mean something as its code.

    Mermaid decodes ``#35;`` and the like (flow charts, "Entity codes to escape characters").
    """
    plain = " ".join(text.split())
    return "".join(letter if _is_harmless(letter) else f"#{ord(letter)};" for letter in plain if letter.isprintable())


def _is_harmless(letter: str) -> bool:
    return letter.isalnum() or letter in " .,:-_/()…·@+=" or ord(letter) > _ASCII


_ASCII = 0x7F


def _yaml_text(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable()).replace("\\", "\\\\").replace('"', '\\"')
