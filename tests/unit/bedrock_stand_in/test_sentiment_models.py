from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.bedrock.contract import Question, ServiceError
from local.bedrock.models.sentiment import LABELS, Thresholds, fit_thresholds, read_prompt, vader


@pytest.mark.parametrize(
    ("prompt", "text", "labels"),
    [
        ("Is it positive or negative?\n\nText: It broke.", "It broke.", {"positive", "negative"}),
        ("Positive, Negative or Neutral?\n\nIt broke.", "It broke.", {"positive", "negative", "neutral"}),
        ("positive/negative\nReview: Fine.\nSentiment:", "Fine.", {"positive", "negative"}),
        ("positive/negative\nText: a\nSentiment: positive\nText: b\nSentiment:", "b", {"positive", "negative"}),
        ("neutral?\n\nTweet: one\n\ntwo", "one\n\ntwo", {"neutral"}),
    ],
)
def test_the_text_is_at_the_end_and_the_labels_before_it(prompt: str, text: str, labels: set[str]) -> None:
    found, asked = read_prompt(Question(prompt))

    assert (found, set(asked)) == (text, labels)


def test_labels_are_spelled_as_they_were_asked_for() -> None:
    question = Question("I love it", system="Answer POSITIVE, Negative or neutral.\n")

    assert vader().reply(Question("Answer POSITIVE or Negative.\n\nI love it")).text == "POSITIVE"
    with pytest.raises(ServiceError, match="name the labels"):
        read_prompt(Question(""))
    assert read_prompt(question)[1]["positive"] == "POSITIVE"


def test_asked_for_two_labels_the_model_gives_one_of_them() -> None:
    flat = "The table has four legs."

    assert vader().reply(Question(f"positive, negative, neutral?\n\n{flat}")).text == "neutral"
    assert vader().reply(Question(f"positive or negative?\n\n{flat}")).text == "positive"


def right(thresholds: Thresholds, scored: list[tuple[float, str]]) -> int:
    return sum(thresholds.label(score) == label for score, label in scored)


SCORES = st.sampled_from([-0.9, -0.5, -0.1, 0.0, 0.1, 0.4, 0.8])


@given(st.lists(st.tuples(SCORES, st.sampled_from(LABELS)), min_size=1, max_size=12))
def test_no_other_thresholds_are_right_more_often(scored: list[tuple[float, str]]) -> None:
    cuts = [-1.0, -0.7, -0.3, -0.05, 0.05, 0.2, 0.6, 1.0]
    best = max(right(Thresholds(*pair), scored) for pair in itertools.combinations_with_replacement(cuts, 2))

    assert right(fit_thresholds(scored), scored) == best


def test_training_data_without_known_labels_is_refused() -> None:
    with pytest.raises(ServiceError, match="found \\['angry'\\]"):
        fit_thresholds([(0.1, "angry")])
