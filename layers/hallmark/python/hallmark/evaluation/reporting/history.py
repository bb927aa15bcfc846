"""A metric over runs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class MetricHistory(BaseModel):
    """A metric over the runs of a suite."""

    metric: str
    points: list[dict[str, Any]]


def history_of(reports: list[dict[str, Any]], metric: str | None) -> MetricHistory:
    """Return the history."""
    return MetricHistory(metric=metric or "", points=[])
