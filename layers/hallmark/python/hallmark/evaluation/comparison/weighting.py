"""How much each case counts: by its own weight, or so that the sample stands for its population."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from hallmark.evaluation.comparison.evidence import EvaluationResults, Strata
from hallmark.evaluation.comparison.gathering import Gathered
from hallmark.statistics.inputs import Floats, Integers

_LEAST = 2


@dataclass(frozen=True)
class Weighting:
    """Weights of the cases of a run."""

    own: Floats
    """The weight of each case."""
    strata: Strata | None
    labels: tuple[str | None, ...]
    """The stratum of each case, where there are strata."""

    @classmethod
    def of(cls, evidence: EvaluationResults, gathered: Gathered) -> Weighting:
        """Read weights and strata of a run."""
        strata = evidence.strata
        labels = gathered.labels[strata.by] if strata is not None else ()
        return cls(own=gathered.weights, strata=strata, labels=labels)

    def weights(self, cases: Integers) -> Floats | None:
        """Return the weights of some cases, shape ``(n,)``; None where all count alike.

        With strata the cases of a stratum share its part of the population; cases of a stratum without a share keep
        their own weight.
        """
        own = self.own[cases]
        if self.strata is not None:
            strata = np.array([str(self.labels[case]) for case in cases.tolist()])
            present, codes, counts = np.unique(strata, return_inverse=True, return_counts=True)
            shares = np.array([self.strata.shares.get(str(label), 0.0) for label in present])
            if (shares > 0).all():
                own = own * (shares / counts)[codes]
        if not len(own) or bool(np.allclose(own, own[0], rtol=1e-9, atol=0)):
            return None
        return np.asarray(own / own.mean(), dtype=np.float64)

    def strata_of(self, cases: Integers) -> tuple[list[str], dict[Hashable, float]] | None:
        """Return stratum of each case and shares for a stratified estimate; None where there are no strata to use.

        They are of use where cases weigh the same otherwise, and each stratum with a share has at least two cases.
        """
        if self.strata is None or not len(cases):
            return None
        found = [str(self.labels[case]) for case in cases.tolist()]
        counts = {label: found.count(label) for label in sorted(set(found))}
        shares: dict[Hashable, float] = {label: share for label, share in self.strata.shares.items() if share > 0}
        whole = set(counts) == set(shares) and min(counts.values()) >= _LEAST
        alike = all(self._is_even([case for case in cases.tolist() if str(self.labels[case]) == one]) for one in counts)
        return (found, shares) if whole and alike else None

    def _is_even(self, cases: list[int]) -> bool:
        own = self.own[np.array(cases, dtype=np.int64)]
        return bool(np.allclose(own, own[0], rtol=1e-9, atol=0))
