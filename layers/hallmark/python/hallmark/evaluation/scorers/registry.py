"""Scorers by name."""

from __future__ import annotations

from collections.abc import Callable

from hallmark.errors import InvalidInputError
from hallmark.evaluation.metrics import Direction, Metric, MetricKind
from hallmark.evaluation.scorers.contract import Scorer
from hallmark.evaluation.scorers.corpus import SacrebleuScorer
from hallmark.evaluation.scorers.operations import OperationScorer
from hallmark.evaluation.scorers.text import BestMatchScorer, LabelScorer, contains, exact_match, token_f1
from hallmark.evaluation.suites import ScorerChoice

_Labels = tuple[str, ...]


def _binary(name: str, title: str) -> Metric:
    return Metric(name=name, title=title, kind=MetricKind.BINARY)


def _cheap(name: str, title: str, unit: str) -> Metric:
    return Metric(
        name=name, title=title, direction=Direction.LOWER, kind=MetricKind.UNBOUNDED, low=0.0, high=None, unit=unit
    )


_MAKERS: dict[str, Callable[[_Labels], Scorer]] = {
    "exact_match": lambda _: BestMatchScorer(
        _binary("exact_match", "Exact match"), exact_match, "exact_match|squad|v1"
    ),
    "token_f1": lambda _: BestMatchScorer(Metric(name="token_f1", title="Token F1"), token_f1, "token_f1|squad|v1"),
    "contains": lambda _: BestMatchScorer(_binary("contains", "Contains"), contains, "contains|v1"),
    "label": lambda labels: LabelScorer(labels, _binary("accuracy", "Accuracy")),
    "bleu": lambda _: SacrebleuScorer("bleu"),
    "chrf": lambda _: SacrebleuScorer("chrf"),
    "latency": lambda _: OperationScorer(_cheap("latency_ms", "Latency", "ms"), lambda answer: answer.latency_ms),
    "cost": lambda _: OperationScorer(_cheap("cost_usd", "Cost", "USD"), lambda answer: answer.cost_usd),
}


def make_scorer(choice: ScorerChoice, *, labels: _Labels = ()) -> Scorer:
    """Make a scorer.

    Raises:
        InvalidInputError: There is none of that name.
    """
    maker = _MAKERS.get(choice.name)
    if maker is None:
        raise InvalidInputError("scorers", choice.name, f"name one of {', '.join(sorted(_MAKERS))}")
    return maker(labels)
