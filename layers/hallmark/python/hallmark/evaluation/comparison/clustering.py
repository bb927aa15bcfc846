"""Which cases are not independent of one another, and whether there are enough of such clusters to tell anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hallmark.statistics.inputs import Floats, Integers

CaseKey = tuple[str, str]
"""Dataset and case."""
FEWEST_CLUSTERS = 10
"""With fewer, as many as there are of equal size, an error computed from them is too unsure: nothing is told then."""


@dataclass(frozen=True, slots=True)
class Clustering:
    """Cases of which some share a cluster."""

    labels: Integers
    """Cluster of each case, shape ``(n,)``."""
    count: int
    effective: float
    """So many clusters of equal size would tell as much (Kish, 1965): few where one of them has most of the weight."""

    @property
    def is_enough(self) -> bool:
        """Whether the clusters tell how far others would scatter."""
        return self.effective >= FEWEST_CLUSTERS - _ROUNDING

    @property
    def reason(self) -> str:
        """Why nothing is told, where they are not enough."""
        few = f"{self.count:,} clusters of cases"
        if self.count >= FEWEST_CLUSTERS:
            few += f", worth {self.effective:.1f} of equal size,"
        return f"{few} do not tell how far others would scatter: {FEWEST_CLUSTERS} do"


_ROUNDING = 1e-9


def number_clusters(keys: Sequence[CaseKey], shared: Mapping[CaseKey, str]) -> Integers:
    """Return a number for the cluster of each case, shape ``(n,)``: a cluster lies within its dataset.

    Args:
        keys: The cases.
        shared: The cluster of each case that names one; any other case is a cluster of its own.
    """
    numbers: dict[tuple[str, str, bool], int] = {}
    named = [(key[0], shared.get(key, key[1]), key in shared) for key in keys]
    return np.array([numbers.setdefault(each, len(numbers)) for each in named], dtype=np.int64)


def find_clustering(labels: Integers, weights: Floats | None = None) -> Clustering | None:
    """Return how cases cluster; None where no two of them share a cluster.

    Args:
        labels: Cluster of each case, shape ``(n,)``.
        weights: How much each case counts; alike without.
    """
    found, codes = np.unique(labels, return_inverse=True)
    if len(found) == len(labels):
        return None
    sums = np.bincount(codes, weights=weights).astype(np.float64)
    return Clustering(labels, len(found), float(sums.sum() ** 2 / (sums @ sums)))
