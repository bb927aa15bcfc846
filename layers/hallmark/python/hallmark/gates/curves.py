"""The curve of a metric of a training job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

CURVE_POINTS = 100
"""As many as an event, and a champion's record, hold."""


class Point(NamedTuple):
    """A value of the metric at a step."""

    step: float
    value: float


Curve = Sequence[Point]
"""In the order of steps."""


def thin(curve: Curve, points: int = CURVE_POINTS) -> list[Point]:
    """Return at most so many points, evenly spread, with the first and the last."""
    if len(curve) <= points:
        return list(curve)
    last = len(curve) - 1
    return [curve[round(place * last / (points - 1))] for place in range(points)]
