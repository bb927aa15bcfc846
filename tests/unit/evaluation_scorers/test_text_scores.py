"""Exact match, token F1, partial credit, contains, patterns."""

from __future__ import annotations

import re
import string
from collections import Counter
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.evaluation.results import Score
from hallmark.evaluation.scorers.text import exact_match, normalise, normalise_unicode, token_f1

WORDS = st.lists(st.sampled_from(["the", "The", "a", "cat", "cat,", "sat.", "“Paris”", "an", "—"]), max_size=8)
TEXTS = WORDS.map(" ".join)


class Scoring(Protocol):
    def __call__(self, name: str, text: str, expected: object = (), **parameters: object) -> dict[str, Score]: ...


def squad_f1(prediction: str, gold: str) -> float:
    """Derive F1 from the definition of SQuAD v2.0 (Rajpurkar et al. 2018), in three passes over plain lists."""

    def words(text: str) -> list[str]:
        kept = "".join(letter for letter in text.lower() if letter not in set(string.punctuation))
        return re.sub(r"\b(a|an|the)\b", " ", kept).split()

    given_words, gold_words = words(prediction), words(gold)
    if not given_words or not gold_words:
        return 1.0 if given_words == gold_words else 0.0
    left = list(gold_words)
    same = 0
    for word in given_words:
        if word in left:
            left.remove(word)
            same += 1
    if same == 0:
        return 0.0
    precision, recall = same / len(given_words), same / len(gold_words)
    return (2 * precision * recall) / (precision + recall)


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS)
def test_token_f1_is_squads(answer: str, gold: str) -> None:
    assert token_f1(answer, gold) == squad_f1(answer, gold)


@given(TEXTS, TEXTS)
def test_token_f1_is_symmetric_and_bounded(left: str, right: str) -> None:
    assert token_f1(left, right) == token_f1(right, left)
    assert 0 <= token_f1(left, right) <= 1
    assert token_f1(left, left) == 1


def test_words_count_as_often_as_they_come() -> None:
    assert token_f1("cat cat cat", "cat") == 0.5


@pytest.mark.parametrize(
    ("answer", "expected", "same"),
    [
        ("The Eiffel Tower!", "eiffel tower", 1),
        ("“Paris”", "Paris", 0),  # only ASCII punctuation goes
        ("a", "the", 1),  # nothing is left of either
        ("U.S.A.", "usa", 1),  # punctuation goes before articles: U.S.A. is no article
        ("", "", 1),
        ("", "x", 0),
    ],
)
def test_exact_match_normalises_as_squads_script(answer: str, expected: str, same: int) -> None:
    assert exact_match(answer, expected) == same


def test_articles_go_after_punctuation() -> None:
    assert normalise("a-b") == "ab"
    assert normalise("an, apple a.day the") == "apple aday"


def test_the_unicode_form_folds_quotes_widths_and_cases() -> None:
    assert normalise_unicode("“\uff30ARIS”, die STRASSE") == normalise_unicode("paris die straße")


def test_exact_match_can_be_raw(score: Scoring) -> None:
    assert score("exact_match", " Paris. ", "Paris.", normalise="none")["exact_match"].value == 1
    assert score("exact_match", "paris", "Paris", normalise="none")["exact_match"].value == 0
    assert score("exact_match", "paris", "Paris")["exact_match"].value == 1


@pytest.mark.parametrize("name", ["exact_match", "token_f1", "contains", "partial_credit"])
def test_the_best_of_several_expected_answers_counts(score: Scoring, name: str) -> None:
    assert score(name, "Paris", ["London", "Paris"])[name].value == 1


@pytest.mark.parametrize("name", ["exact_match", "token_f1", "contains", "partial_credit", "rouge", "chrf"])
def test_a_case_without_an_expected_answer_does_not_apply(score: Scoring, name: str) -> None:
    assert {(each.value, each.failure) for each in score(name, "Paris").values()} == {(None, None)}


@pytest.mark.parametrize(
    ("answer", "ordered", "share"),
    [
        ("Red and the Blue", False, 2 / 3),
        ("blue, green, red", False, 1.0),
        ("blue, green, red", True, 1 / 3),
        ("red green blue", True, 1.0),
        ("reddish", False, 0.0),
        ("", False, 0.0),
    ],
)
def test_each_part_that_is_found_earns_its_share(score: Scoring, answer: str, ordered: bool, share: float) -> None:
    found = score("partial_credit", answer, "red; green; blue", ordered=ordered)["partial_credit"]

    assert found.value == pytest.approx(share)


def test_an_expected_answer_without_parts_is_a_failure(score: Scoring) -> None:
    assert "has no part" in (score("partial_credit", "x", " ; the ;")["partial_credit"].failure or "")


def test_contains_folds_case_unless_told_otherwise(score: Scoring) -> None:
    assert score("contains", "In der STRASSE", "straße")["contains"].value == 1
    assert score("contains", "In der STRASSE", "straße", ignore_case=False)["contains"].value == 0


@pytest.mark.parametrize(
    ("parameters", "value"),
    [
        ({"pattern": r"\d{3}"}, 1),
        ({"pattern": r"\d{4}"}, 0),
        ({"pattern": r"\d{3}", "wanted": False}, 0),
        ({"pattern": r"ORDER \d+", "ignore_case": True, "whole": True}, 1),
        ({"pattern": r"order", "whole": True}, 0),
    ],
)
def test_patterns_match(score: Scoring, parameters: dict[str, object], value: float) -> None:
    assert score("regex", "order 123 ", **parameters)["regex"].value == value


def test_a_pattern_that_never_ends_is_a_failure_after_a_second(score: Scoring) -> None:
    found = score("regex", "a" * 60 + "!", pattern=r"^(a|aa)+$")["regex"]

    assert found.value is None
    assert "searched for more than 1 s" in (found.failure or "")


@pytest.mark.parametrize("name", ["exact_match", "token_f1", "contains", "rouge", "bleu", "chrf"])
def test_texts_beyond_a_million_characters_are_failures(score: Scoring, name: str) -> None:
    (found, *_) = score(name, "x" * 1_000_001, "x").values()

    assert found.failure == "a text has 1,000,001 characters: at most 1,000,000 are scored"


def test_counting_agrees_with_multisets() -> None:
    left, right = "b b c c c d", "b c c e"
    common = sum((Counter(left.split()) & Counter(right.split())).values())

    assert token_f1(left, right) == pytest.approx(2 * common / (6 + 4))
