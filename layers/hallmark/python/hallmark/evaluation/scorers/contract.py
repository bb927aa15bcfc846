"""What every scorer offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hallmark.evaluation.cases import Case
from hallmark.evaluation.metrics import Metric
from hallmark.evaluation.results import Answer, Score


class Scorer(Protocol):
    """Scores one answer; it may tell several metrics at once (ROUGE-1, -2 and -L from one pass)."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What it measures; ``score`` returns one score for each, in this order."""
        ...

    @property
    def signature(self) -> str:
        """What the numbers depend on: name, version, every setting; two results compare only where it is the same."""
        ...

    def score(self, case: Case, answer: Answer, /) -> tuple[Score, ...]:
        """Score an answer. A case that the scorer cannot judge is a score with ``failure``, never an exception."""
        ...


class CorpusScorer(Scorer, Protocol):
    """A scorer whose metric is computed from sums over all cases; its scores carry ``statistics``."""

    def combine(self, metric: str, sums: Sequence[float], /) -> float:
        """Return the metric of a corpus from the sum of its cases' statistics, shape ``(k,)``."""
        ...
