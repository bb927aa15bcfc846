"""Which letter an answer gives."""

from __future__ import annotations

from typing import Protocol

import pytest

from hallmark.evaluation.results import Score
from hallmark.evaluation.scorers.choices import chosen_letter

CHOICES = ("Berlin", "Paris", "Rome", "dark red", "red")


class Scoring(Protocol):
    def __call__(
        self, name: str, text: str, expected: object = (), *, choices: tuple[str, ...] = (), **parameters: object
    ) -> dict[str, Score]: ...


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("b.", "B"),
        ("(B)", "B"),
        ("**B**", "B"),
        ("Answer: B", "B"),
        ("The correct answer is **B**.", "B"),
        ("The answer is (C) because B is wrong", "C"),
        ("The answer is B, not C.", "B"),
        ("First I thought the answer is A. In the end the answer is C.", "C"),
        ("B) Paris", "B"),
        ("C. Rome", "C"),
        ("Let's see.\nC", "C"),
        (r"\boxed{D}", "D"),
        ("I think it is C", "C"),
        ("Option C is right", "C"),
        ("Choice: C\n\nExplanation: choice A is wrong", "C"),
        ("The answer is A because it is.", "A"),
        ("Die Antwort lautet B.", "B"),
        ("答案是C", "C"),
        ("It's Paris.", "B"),
        ("dark red", "D"),
        ("The answer is a city: Rome", "C"),
        ("A dog is an animal", None),
        ("A or B", None),
        ("Berlin or Paris", None),
        ("I don't know", None),
        ("Z", None),
        ("", None),
    ],
)
def test_the_letter_is_read_from_what_models_say(text: str, letter: str | None) -> None:
    assert chosen_letter(text, CHOICES, len(CHOICES)) == letter


@pytest.mark.parametrize("expected", ["B", "(b)", "Paris"])
def test_what_is_expected_is_a_letter_or_the_text_of_a_choice(score: Scoring, expected: str) -> None:
    found = score("choice", "The answer is B.", expected, choices=CHOICES)["choice"]

    assert (found.value, found.explanation) == (1, "read as B")


def test_an_answer_that_cannot_be_read_is_wrong_and_says_so(score: Scoring) -> None:
    found = score("choice", "It depends.", "B", choices=CHOICES)["choice"]

    assert (found.value, found.explanation) == (0, "no choice could be read")


def test_an_expected_choice_that_does_not_exist_is_a_failure(score: Scoring) -> None:
    found = score("choice", "B", "London", choices=CHOICES)["choice"]

    assert found.failure == "expected ('London',) is neither a letter nor the text of a choice"


def test_letters_do_without_the_texts_of_choices(score: Scoring) -> None:
    assert score("choice", "The answer is D", "D", letters=4)["choice"].value == 1
    assert score("choice", "E", "E", letters=4)["choice"].failure is not None
