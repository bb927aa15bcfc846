"""A metric of a training job as evaluations of its checkpoints found it, in files beside them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeGuard

from hallmark.gates.curves import Point

_HISTORY = "log_history"


class EvaluatedCheckpoints(NamedTuple):
    """What one file says.

    Attributes:
        points: Finite values of the metric, by step.
        not_a_number: A value that is none, in words; empty where all are.
        is_history: Whether it tells of all evaluations up to its own.
    """

    points: tuple[Point, ...]
    not_a_number: str = ""
    is_history: bool = False


def read_evaluations(text: bytes, metric: str, step: str) -> EvaluatedCheckpoints | None:
    """Read a file of evaluations: the state of Hugging Face's Trainer, or an object with a step and metrics.

    Args:
        text: JSON: ``{"log_history": [{"step": 500, "eval_loss": 0.41}, …]}`` (``trainer_state.json``), or
            ``{"step": 500, "eval_loss": 0.41}``, or ``{"step": 500, "metrics": {"eval_loss": 0.41}}``.
        metric: Name of the metric there, e.g. ``eval_loss``.
        step: Name of the step there.

    Returns:
        What it says of the metric; None for what is neither, e.g. a file that is still being written.
    """
    try:
        document = json.loads(text)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    history = document.get(_HISTORY)
    entries = history if isinstance(history, list) else [document]
    values = list(_values(entries, metric, step))
    odd = next((f"{value} at step {at:g}" for at, value in values if not math.isfinite(value)), "")
    points = tuple(Point(at, value) for at, value in values if math.isfinite(value))
    return EvaluatedCheckpoints(points, odd, isinstance(history, list))


def _values(entries: list[Any], metric: str, step: str) -> Iterator[tuple[float, float]]:
    for entry in entries:
        if not isinstance(entry, Mapping):
            continue
        nested = entry.get("metrics")
        at, value = entry.get(step), {**(nested if isinstance(nested, Mapping) else {}), **entry}.get(metric)
        if _is_number(at) and _is_number(value) and math.isfinite(at):
            yield float(at), float(value)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
