"""Classification against scikit-learn."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from hallmark.evaluation.cases import Case
from hallmark.evaluation.results import Answer
from hallmark.evaluation.scorers.labels import LabelScorer, MeasureName, named_labels

LABELS = ("negative", "neutral", "positive")
Answering = Callable[[str], Answer]
ALL: tuple[MeasureName, ...] = ("accuracy", "macro_precision", "macro_recall", "macro_f1")


def test_averages_are_those_of_scikit_learn(answer: Answering) -> None:
    draw = random.Random(3)  # noqa: S311 - made-up cases
    expected = [draw.choice(LABELS[:2]) for _ in range(60)]  # one class never comes
    named = [draw.choice([*LABELS, "neither"]) for _ in expected]
    scorer = LabelScorer(LABELS, ALL)

    scores = [
        scorer.score(Case(id=str(number), prompt="?", expected=(wanted,)), answer(f"It is {given}."))
        for number, (wanted, given) in enumerate(zip(expected, named, strict=True))
    ]

    accuracy, *averages = zip(*scores, strict=True)
    sums = [[sum(column) for column in zip(*(score.statistics for score in each), strict=True)] for each in averages]
    found = [scorer.combine(metric, total) for metric, total in zip(ALL[1:], sums, strict=True)]
    oracle = precision_recall_fscore_support(expected, named, labels=LABELS, average="macro", zero_division=0)
    assert found == pytest.approx(oracle[:3], abs=1e-12)
    assert sum(score.value or 0 for score in accuracy) / 60 == pytest.approx(accuracy_score(expected, named))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Positive", {"positive"}),
        ("I'd say POSITIVE!", {"positive"}),
        ("positively", set()),
        ("positive or negative", {"positive", "negative"}),
        ("very positive", {"very positive"}),
        ("very positive, or just positive", {"very positive", "positive"}),
        ("", set()),
    ],
)
def test_labels_are_named_as_whole_words(text: str, named: set[str]) -> None:
    assert named_labels(text, ("positive", "negative", "very positive")) == named


def test_an_answer_that_names_two_classes_is_wrong(answer: Answering) -> None:
    (accuracy,) = LabelScorer(LABELS, ("accuracy",)).score(
        Case(id="1", prompt="?", expected=("positive",)), answer("positive or negative")
    )

    assert accuracy.value == 0


def test_an_expected_class_that_does_not_exist_is_a_failure(answer: Answering) -> None:
    scores = LabelScorer(LABELS, ALL).score(Case(id="1", prompt="?", expected=("mixed",)), answer("positive"))

    assert {score.failure for score in scores} == {
        "expected ('mixed',) has a class that is none of the labels (negative, neutral, positive)"
    }
