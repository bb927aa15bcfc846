"""Keeping the graph in memory up to date, at the least cost."""

from __future__ import annotations

from typing import Protocol

from hallmark.lineage.ports import FactLog
from hallmark.lineage.rows import GraphRows


class SnapshotSource(Protocol):
    """Where compact graphs come from."""

    def load_newer(self) -> GraphRows | None:
        """Return the newest snapshot, if it is another one than was read last."""
        ...


def refresh(rows: GraphRows, log: FactLog, snapshots: SnapshotSource) -> int:
    """Add what was recorded since; return how many facts were new.

    Where so much was added that questions would wait for it, a newer snapshot takes its place; without one, the graph
    is made anew here.
    """
    if rows.is_large:
        newer = snapshots.load_newer()
        if newer is not None:
            rows.replace(newer)
    new = rows.add(log.since(rows.watermark))
    if rows.is_large:
        rows.compact_all()
    return new
