"""What recording costs: CPU and AWS calls per event, cold starts, facts per second.

Where ``goal`` is a number, ``ratio`` (ours to peer) must not be above it; nor below it, where ``better`` is ``higher``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.recording.cold_start import cold_starts
from benchmarks.recording.events import costs_of_events


def run() -> Iterator[dict[str, Any]]:
    """Measure, one line after the other."""
    yield from costs_of_events()
    yield from cold_starts()


__all__ = ["run"]
