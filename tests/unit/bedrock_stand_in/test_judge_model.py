from __future__ import annotations

import json

import pytest

from local.bedrock.contract import Question
from local.bedrock.models.judge import POSITION_BIAS, VERBOSITY_BIAS, Judge, read_sections, score_answer, token_f1


def judge(prompt: str, system: str = "") -> str:
    return Judge().reply(Question(prompt, system=system)).text


@pytest.mark.parametrize(
    "prompt",
    [
        "Grade it.\n<question>Who?</question>\n<answer>Ann Lee</answer>\n<expected>Ann</expected>",
        "Grade it.\n<prompt>Who?</prompt>\n<response>Ann Lee</response>\n<ground_truth>Ann</ground_truth>",
        "Grade it.\nQuestion: Who?\nReference answer: Ann\nAnswer: Ann Lee",
        "Grade it.\n\n## Question:\nWho?\n\n## Expected answer:\nAnn\n\n**Model answer:** Ann Lee\n",
    ],
)
def test_the_parts_are_found_by_tags_and_by_labels(prompt: str) -> None:
    sections = read_sections(prompt)

    assert (sections.question, sections.answer, sections.expected) == ("Who?", "Ann Lee", "Ann")
    assert "Grade it." in sections.instructions


@pytest.mark.parametrize(
    ("instructions", "best", "worst"),
    [
        ("Rate from 1 to 5.", "Score: 5", "Score: 1"),
        ("Rate between 0 and 10.", "Score: 10", "Score: 0"),
        ("Rate the answer.", "Score: 1.0", "Score: 0.0"),
        ("Say yes or no.", "Verdict: yes", "Verdict: no"),
    ],
)
def test_the_scale_is_the_one_asked_for(instructions: str, best: str, worst: str) -> None:
    right = f"{instructions}\n<answer>the blue house</answer><expected>the blue house</expected>"
    wrong = f"{instructions}\n<answer>zzz</answer><expected>the blue house</expected>"

    assert (judge(right).splitlines()[-1], judge(wrong).splitlines()[-1]) == (best, worst)


def test_json_has_the_keys_that_the_instructions_show() -> None:
    system = 'Answer with JSON: {"rationale": "...", "rating": 1-5}'
    verdict = json.loads(judge("<answer>blue</answer><expected>blue</expected>", system))

    assert (set(verdict), verdict["rating"]) == ({"rating", "rationale"}, 5)


def test_long_answers_are_favoured_by_the_documented_amount() -> None:
    expected = "the cat sat on the mat"
    padded = "zzzz " * 20

    assert score_answer(padded, expected) == pytest.approx(VERBOSITY_BIAS, abs=0.02)
    assert score_answer("zzzz", expected) == pytest.approx(0, abs=0.02)


def test_the_first_of_two_equal_answers_wins_whichever_it_is() -> None:
    prompt = "Which is better?\n<answer_a>{a}</answer_a><answer_b>{b}</answer_b><expected>red</expected>"

    assert judge(prompt.format(a="red", b="red")).endswith("Verdict: A")
    assert judge(prompt.format(a="green", b="red")).endswith("Verdict: B")
    assert POSITION_BIAS > 0


def test_without_something_expected_the_question_counts() -> None:
    assert score_answer("Paris is the capital", "", "the capital of France") > score_answer("blue", "", "the capital")


def test_a_prompt_without_an_answer_is_answered_without_a_score() -> None:
    assert "Score" not in judge("Rate it from 1 to 5.")


def test_token_f1_counts_each_token_as_often_as_both_have_it() -> None:
    assert token_f1("cat cat cat", "cat") == pytest.approx(0.5)
    assert token_f1("", "") == 1.0
    assert token_f1("A cat!", "a CAT") == 1.0
