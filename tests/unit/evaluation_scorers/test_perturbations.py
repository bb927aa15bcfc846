"""Flaws in prompts, and what they do to scores."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.evaluation.cases import Case, Message
from hallmark.evaluation.scorers.perturbations import (
    PERTURBATIONS,
    perturb_cases,
    perturb_text,
)

TEXT = "The quick brown fox, said Ann, jumps over the lazy dog."
KINDS = tuple(PERTURBATIONS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_changes_the_text_and_the_same_seed_changes_it_alike(kind: str) -> None:
    first = perturb_text(TEXT, kind, "seed")

    assert first != TEXT
    assert first == perturb_text(TEXT, kind, "seed")


@pytest.mark.parametrize("kind", ["butter_fingers", "typos", "random_upper_case", "white_space", "homoglyphs"])
def test_another_seed_makes_other_flaws(kind: str) -> None:
    assert len({perturb_text(TEXT, kind, str(seed)) for seed in range(8)}) > 1


@given(st.text(max_size=60), st.sampled_from(KINDS), st.integers(0, 9))
def test_any_text_can_be_perturbed(text: str, kind: str, seed: int) -> None:
    changed = perturb_text(text, kind, str(seed))

    assert len(changed) <= 2 * len(text) + 1 or kind == "upper_case"


def test_butter_fingers_hit_a_tenth_of_the_letters_and_neighbours_only() -> None:
    text = "a" * 100

    changed = perturb_text(text, "butter_fingers", "1", share=0.1)

    assert sum(letter != "a" for letter in changed) == 10
    assert set(changed) <= set("aqwsz")


def test_look_alikes_look_alike_and_nothing_else_changes() -> None:
    changed = perturb_text("copy", "homoglyphs", "1", share=1)

    assert changed != "copy"
    assert not changed.isascii()
    assert len(changed) == 4


def test_only_the_last_turn_is_changed() -> None:
    talk = Case(
        id="talk",
        messages=(
            Message(role="user", text="Hello there."),
            Message(role="assistant", text="Yes?"),
            Message(role="user", text="What is this?"),
        ),
        expected=("a test",),
    )

    (copy,) = perturb_cases([talk], ["upper_case"])

    assert [turn.text for turn in copy.messages] == ["Hello there.", "Yes?", "WHAT IS THIS?"]
    assert (copy.id, copy.expected) == ("talk~upper_case~1", ("a test",))


def test_copies_differ_and_those_that_came_out_the_same_are_left_out() -> None:
    case = Case(id="1", prompt="what is a cat")

    copies = list(perturb_cases([case], KINDS, copies=3))

    assert len({copy.id for copy in copies}) == len(copies)
    assert len({copy.prompt for copy in copies}) == len(copies)
    assert not any(copy.id.startswith(("1~lower_case", "1~punctuation")) for copy in copies)


def test_the_longest_identifier_still_has_room_for_what_was_done() -> None:
    cases = [Case(id=f"{'x' * 255}{end}", prompt=TEXT) for end in "ab"]

    copies = list(perturb_cases(cases, ["random_upper_case"]))

    assert len({copy.id for copy in copies}) == 2
    assert [copy.copy_of for copy in copies] == [case.id for case in cases]
    assert {copy.perturbation for copy in copies} == {"random_upper_case"}


def test_a_kind_that_does_not_exist_is_answered_with_all_that_do() -> None:
    with pytest.raises(ValueError, match="there is no perturbation 'noise': choose from butter_fingers, typos"):
        perturb_text(TEXT, "noise", "1")
    with pytest.raises(ValueError, match="share is 0: it must be above 0"):
        perturb_text(TEXT, "typos", "1", share=0)
