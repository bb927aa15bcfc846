"""Multiple choice: which letter an answer gives."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from hallmark.evaluation.cases import Case
from hallmark.evaluation.metrics import Metric
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
from hallmark.evaluation.scorers.text import normalise_unicode

CHOICE = binary("choice", "Choice")
_EMPHASIS = re.compile(r"[*`]|(?<!\w)_|_(?!\w)|\\(?:boxed|text|textbf|mathrm)|[{}$]")
_LETTER = r"[(\[]?(?:([B-HJ-Z])(?![\w'’])|([AI])(?![\w'’])(?!\s+(?!(?:because|since|as|due|for|and)\b)[a-z]))"  # noqa: RUF001
_IS = r"\s*(?i:is|are|would be|must be|ist|lautet|est|es|è|é|は|是|为)?\s*[:=：]?\s*(?i:option|choice|letter)?\s*"  # noqa: RUF001
_ANSWER = (
    r"(?i:answer|antwort|lösung|réponse|respuesta|risposta|resposta|答案|答え|正解"
    r"|correct(?:\s+(?:choice|option|letter))?)"
)
_ALONE = re.compile(r"[(\[]?([A-Z])[)\].:]*", re.IGNORECASE)
_STATED = re.compile(rf"(?:{_ANSWER}{_IS}|(?i:choice|option|select|choose|pick)\s*[:=]\s*){_LETTER}")
_MENTIONED = re.compile(rf"(?i:choice|option|select|choose|pick|go with|say|is|be)\s+{_LETTER}")
_LEADING = re.compile(r"(?:[(\[]([A-Z])[)\]]|([A-Z])\s*[).:]|([A-Z])\s+[-–—]|([A-Z])(?=\s*\n))(?=\s|$)")  # noqa: RUF001
_BRACKETED = re.compile(r"[(\[]([A-Z])[)\]]")


def chosen_letter(text: str, choices: Sequence[str], letters: int) -> str | None:
    """Return the letter that an answer gives, or None where none or several could be meant.

    In this order: the letter alone (``b``, ``(B)``); the last "answer is B"; a letter in front (``B) Paris``); a letter
    alone on the last line; the text of exactly one choice; exactly one letter that is in brackets, or after "option",
    "it is" and the like. A word that happens to be a letter ("A dog") is none of these.

    Args:
        text: The answer.
        choices: Texts of the choices; none where only letters are known.
        letters: Number of letters.
    """
    plain = _EMPHASIS.sub("", text).strip()
    known = string.ascii_uppercase[:letters]
    alone = _ALONE.fullmatch(plain)
    if alone and alone[1].upper() in known:
        return alone[1].upper()
    stated = [letter for letter in _letters(_STATED, plain) if letter in known]
    if stated:
        return stated[-1]
    leading = _LEADING.match(plain)
    if leading:
        letter: str = next(filter(None, leading.groups()))
        if letter in known:
            return letter
    last = _ALONE.fullmatch(plain.rpartition("\n")[2].strip())
    if last and last[1] in known:
        return last[1]
    mentioned = {*_letters(_BRACKETED, plain), *_letters(_MENTIONED, plain)}
    return _letter_of_text(plain, choices) or _only(mentioned & set(known))


def _letters(pattern: re.Pattern[str], text: str) -> list[str]:
    return [letter for found in pattern.finditer(text) for letter in found.groups() if letter]


def _letter_of_text(text: str, choices: Sequence[str]) -> str | None:
    given = f" {normalise_unicode(text)} "
    texts = [f" {normalise_unicode(choice)} " for choice in choices]
    # A choice inside a longer one that stands there too is not meant: "red" in "dark red".
    found = [place for place, each in enumerate(texts) if each.strip() and each in given]
    longest = [place for place in found if not any(texts[place] in texts[other] for other in found if other != place)]
    return _only({string.ascii_uppercase[place] for place in longest})


def _only(letters: set[str]) -> str | None:
    return next(iter(letters)) if len(letters) == 1 else None


@dataclass(frozen=True, slots=True)
class ChoiceScorer:
    """1 where the answer gives the expected letter; an answer that gives none, or cannot be read, is wrong."""

    letters: int

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What it measures."""
        return (CHOICE,)

    @property
    def signature(self) -> str:
        """What the numbers depend on."""
        return signature_of("choice", 1, letters=self.letters)

    def score(self, case: Case, answer: Answer, /) -> tuple[Score, ...]:
        """Score an answer; what is expected is a letter or the text of a choice."""
        if not case.expected:
            return not_applicable(self.metrics)
        letters = len(case.choices) or self.letters
        if letters > len(string.ascii_uppercase):
            return failed(self.metrics, f"the case has {letters} choices: there are letters for 26")
        wanted = {_expected_letter(expected, case.choices, letters) for expected in case.expected}
        if None in wanted:
            return failed(self.metrics, f"expected {case.expected!r} is neither a letter nor the text of a choice")
        fault = too_long(answer.text)
        if fault is not None:
            return failed(self.metrics, fault)
        letter = chosen_letter(answer.text, case.choices, letters)
        told = f"read as {letter}" if letter else "no choice could be read"
        return (Score(metric=CHOICE.name, value=float(letter in wanted), explanation=told),)


def _expected_letter(expected: str, choices: Sequence[str], letters: int) -> str | None:
    text = expected.strip()
    for place, choice in enumerate(choices):
        if choice.strip() == text:
            return string.ascii_uppercase[place]
    upper = text.strip("().").upper()
    return upper if len(upper) == 1 and upper in string.ascii_uppercase[:letters] else None


class ChoiceSettings(ScorerSettings):
    """The letter of a choice."""

    letters: int = Field(default=10, ge=2, le=26)
    """Letters where a case does not list its choices."""

    def scorer(self, labels: tuple[str, ...]) -> Scorer:  # noqa: ARG002 - the contract's
        """Make the scorer."""
        return ChoiceScorer(self.letters)
