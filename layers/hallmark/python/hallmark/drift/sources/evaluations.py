"""What a suite's runs found of a model, as records, one a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hallmark.drift.sources.records import AT, ID, Reading, read_instant


def read_histories(histories: Mapping[str, Mapping[str, Any]], variant: str) -> Reading:
    """Read the answers of ``query_evaluations`` about the history of metrics.

    Args:
        histories: By metric.
        variant: The model.

    Returns:
        Records with ``at``, ``id`` (the run) and the metrics that the run has.
    """
    found: dict[str, dict[str, Any]] = {}
    for metric, history in histories.items():
        lines = [line for line in history.get("lines", []) if line.get("model") == variant]
        for point in (point for line in lines for point in line["points"]):
            run = str(point["run"])
            found.setdefault(run, {AT: read_instant(point["at"]), ID: run})[metric] = point["value"]
    return Reading(sorted(found.values(), key=lambda record: (record[AT], record[ID])))
