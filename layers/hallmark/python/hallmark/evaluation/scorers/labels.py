"""Classification: which class an answer names, and what that is worth over all cases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from hallmark.evaluation.cases import Case
from hallmark.evaluation.metrics import Metric, MetricKind
from hallmark.evaluation.results import Answer, Score
from hallmark.evaluation.scorers.contract import Scorer
from hallmark.evaluation.scorers.settings import (
    ScorerSettings,
    binary,
    failed,
    not_applicable,
    signature_of,
    too_long,
)

ACCURACY = binary("accuracy", "Accuracy")
_MACRO = {
    name: Metric(name=name, title=title, kind=MetricKind.CORPUS)
    for name, title in (
        ("macro_precision", "Macro precision"),
        ("macro_recall", "Macro recall"),
        ("macro_f1", "Macro F1"),
    )
}
MeasureName = Literal["accuracy", "macro_precision", "macro_recall", "macro_f1"]


def named_labels(text: str, labels: Sequence[str]) -> set[str]:
    """Return the labels that a text names as whole words, whatever their case.

    A label that only stands inside a longer one that is named too is not named: ``positive`` in ``very positive``.
    """
    folded = text.casefold()
    spans = {
        label: [found.span() for found in re.finditer(rf"(?<!\w){re.escape(label.casefold())}(?!\w)", folded)]
        for label in labels
    }
    return {
        label
        for label, places in spans.items()
        if any(
            not any(
                start <= place[0] and place[1] <= end and end - start > place[1] - place[0]
                for other, others in spans.items()
                if other != label
                for start, end in others
            )
            for place in places
        )
    }


def confusion_metrics(matrix: Sequence[float], size: int) -> dict[str, float]:
    """Return macro precision, recall and F1 of a confusion matrix: means over the classes.

    A quotient without a case is 0, as scikit-learn has it by default (``zero_division``).

    Args:
        matrix: Cases by expected class and named class, row by row; the last column is "none, or several", shape
            ``(size * (size + 1),)``.
        size: Number of classes.
    """
    rows = [matrix[row * (size + 1) : (row + 1) * (size + 1)] for row in range(size)]
    precisions, recalls, scores = [], [], []
    for each in range(size):
        right, wanted = rows[each][each], sum(rows[each])
        named = sum(row[each] for row in rows)
        precisions.append(right / named if named else 0.0)
        recalls.append(right / wanted if wanted else 0.0)
        scores.append(2 * right / (named + wanted) if named + wanted else 0.0)
    return {
        "macro_precision": sum(precisions) / size,
        "macro_recall": sum(recalls) / size,
        "macro_f1": sum(scores) / size,
    }


@dataclass(frozen=True, slots=True)
class LabelScorer:
    """Accuracy of each case, and macro-averages of the corpus. An answer that names no class, or several, is wrong."""

    labels: tuple[str, ...]
    measures: tuple[MeasureName, ...]
    metrics: tuple[Metric, ...] = field(init=False)

    def __post_init__(self) -> None:
        known = {"accuracy": ACCURACY, **_MACRO}
        object.__setattr__(self, "metrics", tuple(known[name] for name in self.measures))

    @property
    def signature(self) -> str:
        """What the numbers depend on."""
        return signature_of("label", 1, labels=self.labels, averages="all classes")

    def score(self, case: Case, answer: Answer, /) -> tuple[Score, ...]:
        """Score an answer; an expected class that is none of the labels is a failure."""
        if not case.expected:
            return not_applicable(self.metrics)
        by_fold = {label.casefold(): place for place, label in enumerate(self.labels)}
        wanted = [by_fold.get(expected.strip().casefold()) for expected in case.expected]
        if None in wanted:
            there = ", ".join(self.labels)
            return failed(self.metrics, f"expected {case.expected!r} has a class that is none of the labels ({there})")
        fault = too_long(answer.text)
        if fault is not None:
            return failed(self.metrics, fault)
        named = named_labels(answer.text, self.labels)
        size = len(self.labels)
        given = self.labels.index(next(iter(named))) if len(named) == 1 else size
        is_right = given in wanted
        row = given if is_right else wanted[0]
        matrix = [0.0] * (size * (size + 1))
        matrix[(row or 0) * (size + 1) + given] = 1.0
        return tuple(
            Score(metric=metric.name, value=float(is_right))
            if metric.kind is MetricKind.BINARY
            else Score(metric=metric.name, statistics=tuple(matrix))
            for metric in self.metrics
        )

    def combine(self, metric: str, sums: Sequence[float], /) -> float:
        """Return a macro-average from the sum of confusion matrices, shape ``(k * (k + 1),)``."""
        return confusion_metrics(sums, len(self.labels))[metric]


class LabelSettings(ScorerSettings):
    """The one class that an answer names."""

    labels: tuple[str, ...] = ()
    """Classes; those of the datasets where none are given."""
    metrics: tuple[MeasureName, ...] = Field(
        default=("accuracy", "macro_precision", "macro_recall", "macro_f1"), min_length=1
    )

    def scorer(self, labels: tuple[str, ...]) -> Scorer:
        """Make the scorer."""
        classes = self.labels or labels
        if len(classes) <= 1:
            raise ValueError(f"labels are {classes!r}: give two or more, here or at the dataset")
        if len({label.strip().casefold() for label in classes}) < len(classes) or not all(map(str.strip, classes)):
            raise ValueError(f"labels are {classes!r}: each must differ from the others, and none may be empty")
        if len(set(self.metrics)) < len(self.metrics):
            raise ValueError("metrics names one of them twice: name each once")
        return LabelScorer(tuple(label.strip() for label in classes), self.metrics)
