"""What an answer took: latency, tokens, cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hallmark.evaluation.cases import Case
from hallmark.evaluation.metrics import Metric
from hallmark.evaluation.results import Answer, Score


class OperationScorer(NamedTuple):
    """A number that comes with the answer."""

    metric: Metric
    value: Callable[[Answer], float | None]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What it measures."""
        return (self.metric,)

    @property
    def signature(self) -> str:
        """What the numbers depend on."""
        return f"{self.metric.name}|v1"

    def score(self, _case: Case, answer: Answer) -> tuple[Score, ...]:
        """Score an answer; None where the number is not known."""
        return (Score(metric=self.metric.name, value=self.value(answer)),)
