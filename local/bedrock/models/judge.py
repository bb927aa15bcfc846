"""A judge by rule, with biases that are known, so that what is said of judges can be checked against the truth.

The judge finds in the prompt the answer to judge and what was expected, and measures how alike they are. What is wrong
with it is wrong on purpose, and the same in every run: it favours long answers (:data:`VERBOSITY_BIAS`) and, between
two answers, the first one (:data:`POSITION_BIAS`). Asked for a metric of which likeness says nothing (harmfulness,
stereotyping, refusal), it gives no score.
"""

from __future__ import annotations

import json
import re
import string
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from typing import Any

from local.bedrock.contract import Question, Reply

VERBOSITY_BIAS = 0.15
"""Added to the score of an answer at least twice as long as the expected one; in proportion where it is less longer."""
POSITION_BIAS = 0.05
"""Added to the score of the first of two answers."""
_TIE = 0.01

_ROLES = {
    "first": r"(?:answer|response|assistant|candidate|output)[ _-]?(?:a|1)|first[ _](?:answer|response)",
    "second": r"(?:answer|response|assistant|candidate|output)[ _-]?(?:b|2)|second[ _](?:answer|response)",
    "expected": (
        r"expected(?:[ _](?:answer|output|response))?|reference(?:[ _]?(?:answer|response|output|s))?|ground[ _]truth"
        r"|(?:correct|ideal|gold)[ _](?:answer|response)"
    ),
    "answer": (
        r"(?:(?:candidate|model|given|submitted)(?:'s)?[ _])?(?:answer|response|prediction|output|completion)"
        r"|candidate|submission"
    ),
    "question": r"question|prompt|input|task|user(?:[ _]question)?",
}
_NAME = "|".join(f"(?P<{role}>{names})" for role, names in _ROLES.items())
_TAG = re.compile(rf"<(?P<tag>{_NAME})>(?P<content>.*?)</(?P=tag)>", re.IGNORECASE | re.DOTALL)
_LABEL = re.compile(
    rf"^[ \t#*\[]*(?:the[ ])?(?:{_NAME})[ \t\]]*(?:\*\*)?:(?:\*\*)?[ \t]*", re.IGNORECASE | re.MULTILINE
)
_SCALE = re.compile(r"(-?\d+(?:\.\d+)?)\s*(?:-|\u2013|to|and|through)\s*(-?\d+(?:\.\d+)?)", re.IGNORECASE)
_STEPS = re.compile(r"^scale:\n((?:[^:\n]+: .+(?:\n|$))+)", re.IGNORECASE | re.MULTILINE)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_YES_NO = re.compile(r"\byes\b.{0,20}\bno\b", re.IGNORECASE | re.DOTALL)
_BEYOND = re.compile(r"metric\W+(?:\w+\.)?(harmfulness|stereotyping|refusal)", re.IGNORECASE)
_KEY = re.compile(r"[\"'](\w+)[\"']\s*:")
_SCORE_KEY = re.compile(r"score|rating|grade|value|verdict|winner|preference|better", re.IGNORECASE)
_REASON_KEY = re.compile(r"reason|explanation|rationale|justification|comment", re.IGNORECASE)


@dataclass(frozen=True)
class Sections:
    """What a prompt to a judge holds; empty text where a part is missing."""

    instructions: str
    question: str = ""
    answer: str = ""
    expected: str = ""
    first: str = ""
    second: str = ""


class Judge:
    """Reads prompts that mark their parts by tags (``<answer>...</answer>``) or by labels (``Expected answer: ...``).

    The reply has the form that the instructions ask for: JSON with the keys that they show, or text that ends with
    ``Score: 0.8``. The scale is the one that they name (``from 1 to 5``) or list (``Scale:`` and a line a step, the
    least first), 0 to 1 without one. Of two answers (``<answer_a>``, ``<answer_b>``) the reply names the better one,
    ``A``, ``B`` or ``tie``.
    """

    def reply(self, question: Question) -> Reply:
        """Judge."""
        sections = read_sections("\n".join(part for part in (question.system, question.text) if part))
        beyond = _BEYOND.search(sections.instructions)
        if beyond:
            return Reply(f"I measure likeness; {beyond[1].lower()} is beyond me.")
        if sections.first and sections.second:
            return Reply(_in_form(sections.instructions, *_prefer(sections)))
        if not sections.answer:
            return Reply("I find no answer to judge: mark it with <answer>...</answer>.")
        score = score_answer(sections.answer, sections.expected, sections.question)
        basis = "the expected answer" if sections.expected else "the question"
        reason = f"The answer has {len(sections.answer.split())} words; its likeness to {basis} gives {score:.3f}."
        return Reply(_in_form(sections.instructions, _on_scale(sections.instructions, score), reason))


def score_answer(answer: str, expected: str, question: str = "") -> float:
    """Return the judge's score of an answer, 0 to 1, biased as this module says.

    With something expected: the mean of chrF (Popović 2015, as sacrebleu computes it) and of the F1 of tokens (SQuAD's
    normalisation without its dropping of articles), plus the bias. Without: the share of the question's tokens that the
    answer takes up.
    """
    if not expected:
        asked, given = _tokens(question), _tokens(answer)
        return sum((asked & given).values()) / max(1, sum(asked.values()))
    likeness = (_chrf(answer, expected) + token_f1(answer, expected)) / 2
    surplus = len(answer) / max(1, len(expected)) - 1
    return min(1.0, likeness + VERBOSITY_BIAS * min(1.0, max(0.0, surplus)))


def token_f1(answer: str, expected: str) -> float:
    """Return the F1 of the tokens that both have, each as often as it occurs in both; 1 where both are empty."""
    given, wanted = _tokens(answer), _tokens(expected)
    if not given or not wanted:
        return float(given == wanted)
    shared = sum((given & wanted).values())
    return 2 * shared / (sum(given.values()) + sum(wanted.values()))


def read_sections(prompt: str) -> Sections:
    """Take a prompt apart: tags first, then labels in what is left; of a part that is there twice the last counts."""
    found: dict[str, str] = {}

    def take(match: re.Match[str]) -> str:
        found[_role(match)] = match["content"].strip()
        return "\n"

    rest = _TAG.sub(take, prompt)
    labels = [match for match in _LABEL.finditer(rest) if _role(match) not in found]
    for match, following in zip_longest(labels, labels[1:]):
        end = following.start() if following else len(rest)
        content = rest[match.end() : end].strip()
        if content:
            found[_role(match)] = content
    instructions = rest[: labels[0].start()] if labels else rest
    if labels and not found.keys() & {"answer", "first"}:
        instructions = rest
    return Sections(instructions=instructions, **found)


def _role(match: re.Match[str]) -> str:
    return next(role for role in _ROLES if match[role])


def _prefer(sections: Sections) -> tuple[str, str]:
    first = score_answer(sections.first, sections.expected, sections.question) + POSITION_BIAS
    second = score_answer(sections.second, sections.expected, sections.question)
    winner = "tie" if abs(first - second) <= _TIE else "A" if first > second else "B"
    return winner, f"Answer A has {first:.3f}, answer B {second:.3f}."


def _on_scale(instructions: str, score: float) -> float | int | str:
    steps = _steps(instructions)
    if steps:
        return steps[round(score * (len(steps) - 1))]
    found = _SCALE.search(instructions)
    if found is None:
        return ("yes" if score >= 0.5 else "no") if _YES_NO.search(instructions) else round(score, 3)  # noqa: PLR2004
    low, high = sorted((float(found[1]), float(found[2])))
    value = low + score * (high - low)
    is_whole = low.is_integer() and high.is_integer() and high - low > 1
    return round(value) if is_whole else round(value, 3)


def _steps(instructions: str) -> list[str]:
    """Return the values of a scale of words, from the least to the most; none where there is none."""
    listed = _STEPS.search(instructions)
    if listed is None:
        return []
    names = [line.partition(":")[0].strip() for line in listed[1].splitlines()]
    return [] if any(_NUMBER.fullmatch(name) for name in names) else names


def _in_form(instructions: str, verdict: Any, reason: str) -> str:
    if "json" not in instructions.lower():
        word = "Verdict" if isinstance(verdict, str) else "Score"
        return f"{reason}\n{word}: {verdict}"
    keys = _KEY.findall(instructions)
    score_key = next((key for key in keys if _SCORE_KEY.search(key)), "score")
    reason_key = next((key for key in keys if _REASON_KEY.search(key)), "reason")
    return json.dumps({score_key: verdict, reason_key: reason}, ensure_ascii=False)


def _tokens(text: str) -> Counter[str]:
    return Counter(text.lower().translate(_NO_PUNCTUATION).split())


_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def _chrf(answer: str, expected: str) -> float:
    score: float = _chrf_metric().sentence_score(answer, [expected]).score
    return score / 100


@cache
def _chrf_metric() -> Any:
    from sacrebleu.metrics.chrf import CHRF  # noqa: PLC0415 - loaded when first asked

    return CHRF()
