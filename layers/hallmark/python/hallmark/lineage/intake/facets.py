"""Facets that no rule reads are kept as they came, within a bound, with credentials concealed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hallmark.lineage.credentials import without_secrets_within

FACET_BYTES = 60_000
"""Of all facets of one node: several facts of this size must fit one request to the bus."""
DROPPED = "dropped"
"""Under this name stand the facets that were too large, with their sizes in bytes."""

_READ = {
    "run": frozenset({"parent", "nominalTime", "tags", "jobDependencies"}),
    "job": frozenset({"sourceCodeLocation", "tags"}),
    "dataset": frozenset({"symlinks", "version"}),
}
"""Facets whose whole content stands elsewhere."""


def kept(facets: Mapping[str, Any], of: str) -> dict[str, Any]:
    """Return the facets to keep, each under ``run.``, ``job.`` or ``dataset.`` and its name."""
    return {
        f"{of}.{name}": without_secrets_within(_plain(facet)) for name, facet in facets.items() if name not in _READ[of]
    }


def fit(facets: Mapping[str, Any], most: int = FACET_BYTES) -> dict[str, Any]:
    """Return facets without the largest ones, so many of them that the rest has its room."""
    sizes = {name: len(json.dumps(facet, ensure_ascii=False).encode()) for name, facet in facets.items()}
    dropped: dict[str, int] = {}
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        if sum(sizes.values()) - sum(dropped.values()) <= most:
            break
        dropped[name] = sizes[name]
    rest = {name: facet for name, facet in sorted(facets.items()) if name not in dropped}
    return {**rest, DROPPED: dropped} if dropped else rest


def _plain(facet: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facet.items() if name not in {"_producer", "_schemaURL"}}
