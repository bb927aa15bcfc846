"""Yes-or-no scores of two models on the same cases: four counts that tests, intervals and effects start from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hallmark.statistics.inputs import Values, zero_or_one
from hallmark.statistics.ranges import same_length, whole


@dataclass(frozen=True, slots=True)
class PairedCounts:
    """How many cases both models pass, only one of them, or neither."""

    both: int
    only_candidate: int
    only_baseline: int
    neither: int

    def __post_init__(self) -> None:
        for name in ("both", "only_candidate", "only_baseline", "neither"):
            whole(name, getattr(self, name))
        whole("cases", self.n, least=1)

    @classmethod
    def of(cls, candidate: Values, baseline: Values) -> PairedCounts:
        """Count the cases of two sequences of 0 and 1, in the same order.

        Raises:
            InvalidInputError: A score is neither 0 nor 1, or the two are not scores of the same cases.
        """
        first, second = zero_or_one("candidate", candidate), zero_or_one("baseline", baseline)
        same_length("candidate", len(first), len(second), "baseline")
        counts = np.bincount((2 * first + second).astype(np.int64), minlength=4).tolist()
        return cls(both=counts[3], only_candidate=counts[2], only_baseline=counts[1], neither=counts[0])

    @property
    def n(self) -> int:
        """All cases."""
        return self.both + self.only_candidate + self.only_baseline + self.neither

    @property
    def discordant(self) -> int:
        """Cases on which the models differ: the only ones that tell which is better."""
        return self.only_candidate + self.only_baseline

    @property
    def difference(self) -> float:
        """Rate of the candidate minus rate of the baseline."""
        return (self.only_candidate - self.only_baseline) / self.n
