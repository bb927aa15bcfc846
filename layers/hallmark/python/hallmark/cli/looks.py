"""How each kind of node looks, on the screen and in pictures."""

from __future__ import annotations

from typing import Literal, NamedTuple

from hallmark.lineage.model import NodeKind

Shape = Literal["cylinder", "box", "round", "hexagon", "tag", "ellipse"]


class Look(NamedTuple):
    """A symbol and a colour for the screen; a shape, a fill and a line for pictures; a word for the legend."""

    symbol: str
    colour: str
    shape: Shape
    fill: str
    line: str
    word: str


_DATA = Look("▤", "cyan", "cylinder", "#e3f2fd", "#1565c0", "data")
_RUN = Look("▶", "yellow", "box", "#fff3e0", "#e65100", "run")
_MODEL = Look("◆", "magenta", "round", "#f3e5f5", "#6a1b9a", "model")
_SERVED = Look("●", "green", "hexagon", "#e8f5e9", "#2e7d32", "endpoint")
_CODE = Look("§", "blue", "tag", "#eceff1", "#37474f", "code, image")
_PERSON = Look("☺", "white", "ellipse", "#fce4ec", "#ad1457", "person")

_LOOKS = {
    NodeKind.DATASET: _DATA,
    NodeKind.DATASET_VERSION: _DATA,
    NodeKind.FEATURE_GROUP: _DATA,
    NodeKind.MODEL: _MODEL,
    NodeKind.MODEL_PACKAGE: _MODEL,
    NodeKind.MODEL_PACKAGE_GROUP: _MODEL,
    NodeKind.MODEL_CARD: _MODEL,
    NodeKind.CUSTOM_MODEL: _MODEL,
    NodeKind.FOUNDATION_MODEL: _MODEL,
    NodeKind.ENDPOINT_CONFIG: _SERVED,
    NodeKind.ENDPOINT: _SERVED,
    NodeKind.IMAGE: _CODE,
    NodeKind.CODE: _CODE,
    NodeKind.USER: _PERSON,
}
LEGEND = (_DATA, _RUN, _MODEL, _SERVED, _CODE, _PERSON)


def look_of(kind: NodeKind) -> Look:
    """Return how a kind looks; every job and execution is a run."""
    return _LOOKS.get(kind, _RUN)
