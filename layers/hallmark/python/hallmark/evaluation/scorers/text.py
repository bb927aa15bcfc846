"""Scores of one answer against the expected ones."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from hallmark.evaluation.cases import Case
from hallmark.evaluation.metrics import Metric
from hallmark.evaluation.results import Answer, Score

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """Return a text as SQuAD's official script compares it: lower case, no ASCII punctuation, no articles."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, expected: str) -> float:
    """Return 1 where both are the same once normalised (Rajpurkar et al. 2016)."""
    return float(normalise(answer) == normalise(expected))


def token_f1(answer: str, expected: str) -> float:
    """Return the harmonic mean of precision and recall over the multisets of words (Rajpurkar et al. 2016)."""
    given, wanted = normalise(answer).split(), normalise(expected).split()
    if not given or not wanted:
        return float(given == wanted)
    common = (Counter(given) & Counter(wanted)).total()
    return 2 * common / (len(given) + len(wanted))


def contains(answer: str, expected: str) -> float:
    """Return 1 where the expected text stands in the answer, whatever the case of its letters."""
    return float(expected.casefold() in answer.casefold())


class BestMatchScorer(NamedTuple):
    """The best of the expected answers counts; a case without one does not apply."""

    metric: Metric
    compare: Callable[[str, str], float]
    signature: str

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What it measures."""
        return (self.metric,)

    def score(self, case: Case, answer: Answer) -> tuple[Score, ...]:
        """Score an answer."""
        if not case.expected:
            return (Score(metric=self.metric.name),)
        value = max(self.compare(answer.text, expected) for expected in case.expected)
        return (Score(metric=self.metric.name, value=value),)


class LabelScorer(NamedTuple):
    """Accuracy of a classification: the one label that stands in the answer."""

    labels: tuple[str, ...]
    metric: Metric

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What it measures."""
        return (self.metric,)

    @property
    def signature(self) -> str:
        """What the numbers depend on."""
        return f"accuracy|labels:{','.join(self.labels)}|v1"

    def score(self, case: Case, answer: Answer) -> tuple[Score, ...]:
        """Score an answer; one that names no label, or several, is wrong."""
        if not case.expected:
            return (Score(metric=self.metric.name),)
        found = {
            label
            for label in self.labels
            if re.search(rf"(?<!\w){re.escape(label)}(?!\w)", answer.text, flags=re.IGNORECASE)
        }
        wanted = {label.casefold() for label in case.expected}
        right = len(found) == 1 and next(iter(found)).casefold() in wanted
        return (Score(metric=self.metric.name, value=float(right)),)
