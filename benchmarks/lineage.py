"""What the benchmarks of lineage share."""

from __future__ import annotations

from typing import Any

from hallmark.lineage.ports import RecordedEdge, RecordedState


class NoReader:
    """A table without nodes: the questions that are measured need none of their attributes."""

    def states(self, _node_id: str) -> list[RecordedState]:
        """Return none."""
        return []

    def edges_from(self, _node_id: str) -> list[RecordedEdge]:
        """Return none."""
        return []

    def edges_to(self, _node_id: str) -> list[RecordedEdge]:
        """Return none."""
        return []


def lineage_line(
    name: str, ours: float, peer: float | None, unit: str, goal: float | None = None, *, more: bool = False
) -> dict[str, Any]:
    """Return a line; ``ratio`` is how many times better ours is (``more``: the larger figure is the better one)."""
    ratio = None if peer is None else ours / peer if more else peer / ours
    return {
        "area": "lineage",
        "name": name,
        "ours": round(ours, 3),
        "peer": None if peer is None else round(peer, 3),
        "unit": unit,
        "ratio": None if ratio is None else round(ratio, 2),
        "goal": goal,
        "met": None if goal is None or ratio is None else ratio >= goal,
    }
