"""What an answer took: latency, tokens, cost. Percentiles come of the values of all cases (p50, p95, p99)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hallmark.evaluation.cases import Case
from hallmark.evaluation.metrics import Direction, Metric, MetricKind
from hallmark.evaluation.results import Answer, Score
from hallmark.evaluation.scorers.contract import Scorer
from hallmark.evaluation.scorers.settings import ScorerSettings, signature_of


def _taken(name: str, title: str, unit: str) -> Metric:
    return Metric(
        name=name, title=title, direction=Direction.LOWER, kind=MetricKind.UNBOUNDED, low=0.0, high=None, unit=unit
    )


LATENCY = _taken("latency_ms", "Latency", "ms")
INPUT_TOKENS = _taken("input_tokens", "Input tokens", "tokens")
OUTPUT_TOKENS = _taken("output_tokens", "Output tokens", "tokens")
TOTAL_TOKENS = _taken("total_tokens", "Tokens", "tokens")
COST = _taken("cost_usd", "Cost", "USD")


@dataclass(frozen=True, slots=True)
class OperationScorer:
    """Numbers that come with the answer."""

    signature: str
    readers: tuple[tuple[Metric, Callable[[Answer], float | None]], ...]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What it measures."""
        return tuple(metric for metric, _ in self.readers)

    def score(self, _case: Case, answer: Answer, /) -> tuple[Score, ...]:
        """Score an answer; a number that is not known does not apply, and is never 0."""
        return tuple(Score(metric=metric.name, value=read(answer)) for metric, read in self.readers)


def _total_tokens(answer: Answer) -> float | None:
    if answer.input_tokens is None or answer.output_tokens is None:
        return None
    return answer.input_tokens + answer.output_tokens


class Latency(ScorerSettings):
    """Milliseconds from request to reply."""

    def scorer(self, labels: tuple[str, ...]) -> Scorer:  # noqa: ARG002 - the contract's
        """Make the scorer."""
        return OperationScorer(signature_of("latency", 1), ((LATENCY, lambda answer: answer.latency_ms),))


class Tokens(ScorerSettings):
    """Tokens read and written."""

    def scorer(self, labels: tuple[str, ...]) -> Scorer:  # noqa: ARG002
        """Make the scorer."""
        return OperationScorer(
            signature_of("tokens", 1),
            (
                (INPUT_TOKENS, lambda answer: answer.input_tokens),
                (OUTPUT_TOKENS, lambda answer: answer.output_tokens),
                (TOTAL_TOKENS, _total_tokens),
            ),
        )


class Cost(ScorerSettings):
    """US dollars, where the model's price is known."""

    def scorer(self, labels: tuple[str, ...]) -> Scorer:  # noqa: ARG002
        """Make the scorer."""
        return OperationScorer(signature_of("cost", 1), ((COST, lambda answer: answer.cost_usd),))
