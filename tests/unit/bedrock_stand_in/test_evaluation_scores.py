from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.bedrock.evaluation_metrics import (
    accuracy,
    builtin_metric,
    custom_metric,
    perturbed,
    robustness,
    word_error_rate,
)


def never(_one: str, _other: str) -> float:
    raise AssertionError("only summaries are compared by their vectors")


@pytest.mark.parametrize(
    ("task", "response", "reference", "score"),
    [
        ("Classification", " Positive!", "positive", 1.0),
        ("Classification", "positive mood", "positive", 0.0),
        ("QuestionAndAnswer", "in Paris", "Paris", 2 / 3),
        ("Generation", "It is Paris, France.", "paris", 1.0),
        ("Generation", "It is Rome.", "paris", 0.0),
    ],
)
def test_accuracy_is_what_the_task_type_makes_it(task: str, response: str, reference: str, score: float) -> None:
    assert accuracy(task, response, reference, never) == pytest.approx(score)


def test_a_summary_is_compared_by_meaning() -> None:
    assert accuracy("Summarization", "a", "b", lambda _one, _other: 0.25) == 0.25


@pytest.mark.parametrize(
    ("reference", "hypothesis", "rate"),
    [("a b c", "a b c", 0), ("a b c", "a x c", 1 / 3), ("a b", "a b c d", 1), ("a b c d", "b c", 0.5), ("a", "", 1)],
)
def test_the_word_error_rate_counts_edits_per_word(reference: str, hypothesis: str, rate: float) -> None:
    assert word_error_rate(reference, hypothesis) == pytest.approx(rate)


def test_robustness_is_the_relative_fall_or_the_word_error_rate() -> None:
    assert robustness("Classification", [1.0, 1.0, 0.0, 1.0, 0.0], []) == pytest.approx(50)
    assert robustness("Classification", [0.0, 1.0], []) == 0
    assert robustness("Generation", [], ["a b", "a b", "a x"]) == pytest.approx(25)


@given(st.text(max_size=60))
def test_a_prompt_is_perturbed_the_same_way_each_time(prompt: str) -> None:
    assert perturbed(prompt) == perturbed(prompt)
    assert len(perturbed(prompt)) == 5


def test_what_names_a_thing_is_not_perturbed() -> None:
    variants = perturbed("Translate sentence [newstest2017:0007] into German please, considering everything twice")

    assert all("[newstest2017:0007]" in variant for variant in variants)
    assert len(set(variants)) > 2


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        ('{"score": 0.5, "explanation": "so so"}', 0.5),
        ('Well.\n{"score": 1}', 1.0),
        ("Score: 0.25", 0.25),
        ("**Score:** 1", 1.0),
        ('{"score": 7}', None),
        ('{"score": true}', None),
        ('{"score": NaN}', None),
        ("florp {{", None),
        ("", None),
    ],
)
def test_a_reply_gives_a_score_between_0_and_1_or_none(reply: str, result: float | None) -> None:
    assert builtin_metric("Builtin.Helpfulness").read(reply).result == result


def test_a_scale_of_words_takes_its_words_alone() -> None:
    steps = [{"definition": word, "value": {"stringValue": word}} for word in ("Poor", "Good")]
    metric = custom_metric({"name": "style", "instructions": "{{prediction}}", "ratingScale": steps})

    assert metric.read('{"score": "good"}').result == "Good"
    assert metric.read('{"score": "great"}').result is None
    assert "Poor" in metric.question("p", "r", "")
    assert "<response>r</response>" in metric.question("p", "r", "")
