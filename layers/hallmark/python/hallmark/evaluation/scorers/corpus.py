"""BLEU and chrF of a whole corpus: sacrebleu's numbers, from sums over the cases."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from hallmark.evaluation.cases import Case
from hallmark.evaluation.metrics import Metric, MetricKind
from hallmark.evaluation.results import Answer, Score


class SacrebleuScorer:
    """A metric of sacrebleu (Post 2018); ``name`` is ``bleu`` or ``chrf``."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.metric = Metric(name=name, title={"bleu": "BLEU", "chrf": "chrF"}[name], kind=MetricKind.CORPUS, high=100)

    @cached_property
    def _implementation(self) -> Any:
        from sacrebleu.metrics.bleu import BLEU  # noqa: PLC0415 - 90 ms, where nobody may ask for it
        from sacrebleu.metrics.chrf import CHRF  # noqa: PLC0415

        return BLEU() if self._name == "bleu" else CHRF()

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What it measures."""
        return (self.metric,)

    @property
    def signature(self) -> str:
        """What sacrebleu says its numbers depend on."""
        metric = self._implementation
        # The signature says how many references there were, once there were some.
        metric.corpus_score(["a"], [["a"]])
        return f"{self._name}|{metric.get_signature()}"

    def score(self, case: Case, answer: Answer) -> tuple[Score, ...]:
        """Score an answer: its statistics, and the metric of this sentence alone."""
        if not case.expected:
            return (Score(metric=self._name),)
        metric = self._implementation
        references = [[expected] for expected in case.expected]
        statistics = metric._extract_corpus_statistics([answer.text], references)[0]
        return (Score(metric=self._name, statistics=tuple(map(float, statistics))),)

    def combine(self, _metric: str, sums: Sequence[float]) -> float:
        """Return the corpus's metric."""
        return float(self._implementation._compute_score_from_stats(list(sums)).score)
