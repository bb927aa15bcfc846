"""An answer to a criterion that needs no statistics."""

from __future__ import annotations

from typing import NamedTuple

from hallmark.events.gates import Outcome


class Told(NamedTuple):
    """What was found, and why."""

    outcome: Outcome
    why: str
    metric: str = ""
    value: float | None = None
    cases: int | None = None
    threshold: float | None = None
    comparison: str = ""
    more_cases: int | None = None
