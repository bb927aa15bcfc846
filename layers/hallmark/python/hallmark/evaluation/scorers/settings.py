"""What all scorers are made of: validated settings, signatures, scores that are never NaN."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from hallmark.evaluation.cases import Case
from hallmark.evaluation.metrics import Direction, Metric, MetricKind
from hallmark.evaluation.results import Answer, Score
from hallmark.evaluation.scorers.contract import Scorer

MAX_CHARACTERS = 1_000_000
"""Longest text that is scored: five times what today's longest answers have, and a bound on time and memory."""


class ScorerSettings(BaseModel, ABC):
    """Parameters of a scorer, as the policy gives them; they make the scorer."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True)

    @abstractmethod
    def scorer(self, labels: tuple[str, ...]) -> Scorer:
        """Make the scorer; ``labels`` are the classes of the suite's datasets.

        Raises:
            ValueError: The settings do not fit together, or not the labels.
        """


def signature_of(name: str, version: int, **settings: object) -> str:
    """Return name, version and settings as one line, in sacrebleu's manner: ``rouge|stemmer:yes|version:1``."""
    shown = (f"{key}:{_shown(value)}" for key, value in settings.items())
    return "|".join((name, *shown, f"version:{version}"))


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return "none" if value is None else str(value)


def scored(metric: Metric, value: float, *, explanation: str | None = None) -> Score:
    """Return a score; a value that is no number, or outside the metric's range, is a failure that says so."""
    if not math.isfinite(value):
        return Score(metric=metric.name, failure=f"the score is {value}, which is no number")
    if metric.kind is MetricKind.BINARY and value not in {0.0, 1.0}:
        return Score(metric=metric.name, failure=f"the score is {value:g}, neither 0 nor 1")
    low, high = metric.low, metric.high
    if (low is not None and value < low) or (high is not None and value > high):
        there = f"{'-inf' if low is None else f'{low:g}'} to {'inf' if high is None else f'{high:g}'}"
        return Score(metric=metric.name, failure=f"the score is {value:g}, outside of {there}")
    return Score(metric=metric.name, value=value, explanation=explanation)


def not_applicable(metrics: Sequence[Metric]) -> tuple[Score, ...]:
    """Return the scores of a case that a scorer does not apply to."""
    return tuple(Score(metric=metric.name) for metric in metrics)


def failed(metrics: Sequence[Metric], reason: str) -> tuple[Score, ...]:
    """Return the scores of a case that a scorer cannot judge."""
    return tuple(Score(metric=metric.name, failure=reason) for metric in metrics)


def too_long(*texts: str, limit: int = MAX_CHARACTERS) -> str | None:
    """Return why texts are not scored: one of them is longer than ``limit`` characters; None where none is."""
    longest = max(map(len, texts), default=0)
    return f"a text has {longest:,} characters: at most {limit:,} are scored" if longest > limit else None


def binary(name: str, title: str, direction: Direction = Direction.HIGHER) -> Metric:
    """Return a metric whose values are 0 and 1."""
    return Metric(name=name, title=title, kind=MetricKind.BINARY, direction=direction)


def share(name: str, title: str, direction: Direction = Direction.HIGHER) -> Metric:
    """Return a metric whose values are from 0 to 1."""
    return Metric(name=name, title=title, kind=MetricKind.BOUNDED, direction=direction)


@dataclass(frozen=True, slots=True)
class BestMatchScorer:
    """Compares an answer with each of the expected ones: the best counts. A case without one does not apply."""

    metric: Metric
    compare: Callable[[str, str], float]
    """Takes the answer and one expected answer. ValueError says why they cannot be compared."""
    signature: str

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What it measures."""
        return (self.metric,)

    def score(self, case: Case, answer: Answer, /) -> tuple[Score, ...]:
        """Score an answer."""
        if not case.expected:
            return not_applicable(self.metrics)
        fault = too_long(answer.text, *case.expected)
        if fault is not None:
            return failed(self.metrics, fault)
        try:
            value = max(self.compare(answer.text, expected) for expected in case.expected)
        except ValueError as error:
            return failed(self.metrics, str(error))
        return (scored(self.metric, value),)


@dataclass(frozen=True, slots=True)
class TextScorer:
    """Judges the text of an answer by itself."""

    metric: Metric
    judge: Callable[[str], float]
    """Takes the answer. ValueError says why it cannot be judged."""
    signature: str

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What it measures."""
        return (self.metric,)

    def score(self, _case: Case, answer: Answer, /) -> tuple[Score, ...]:
        """Score an answer."""
        fault = too_long(answer.text)
        if fault is not None:
            return failed(self.metrics, fault)
        try:
            return (scored(self.metric, self.judge(answer.text)),)
        except ValueError as error:
            return failed(self.metrics, str(error))
