"""Scores of a text against the expected ones: the same words, some of them, a pattern."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from typing import Literal

from pydantic import Field, field_validator

from hallmark.evaluation.scorers.contract import Scorer
from hallmark.evaluation.scorers.settings import (
    BestMatchScorer,
    ScorerSettings,
    TextScorer,
    binary,
    share,
    signature_of,
)

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_ASCII_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE_LETTERS = re.compile(r"(?<!\w)(?:a|an|the)(?!\w)")
PATTERN_SECONDS = 1.0
"""How long one pattern may search one answer."""


def normalise(text: str) -> str:
    """Return a text as SQuAD's official script compares it: lower case, no ASCII punctuation, no English articles.

    Source: Rajpurkar et al. 2016, official evaluation script of v1.1 and v2.0; punctuation goes before articles.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_ASCII_PUNCTUATION)).split())


def normalise_unicode(text: str) -> str:
    """Return a text as ``normalise`` does, for all scripts: compatibility forms and any punctuation are folded too."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(character for character in folded if not unicodedata.category(character).startswith("P"))
    return " ".join(_ARTICLE_LETTERS.sub(" ", kept).split())


def _stripped(text: str) -> str:
    return text.strip()


_FORMS = {"squad": normalise, "unicode": normalise_unicode, "none": _stripped}
Normalisation = Literal["squad", "unicode", "none"]
"""How texts are made comparable; ``none`` only strips white space at both ends."""


def exact_match(answer: str, expected: str) -> float:
    """Return 1 where both are the same once normalised (Rajpurkar et al. 2016)."""
    return float(normalise(answer) == normalise(expected))


def token_f1(answer: str, expected: str) -> float:
    """Return the harmonic mean of precision and recall over the multisets of words, as SQuAD v2.0's script does.

    Where one of them has no word left, it is 1 if neither has, else 0.
    """
    return _f1(normalise(answer).split(), normalise(expected).split())


def _f1(given: list[str], wanted: list[str]) -> float:
    if not given or not wanted:
        return float(given == wanted)
    common = (Counter(given) & Counter(wanted)).total()
    if common == 0:
        return 0.0
    # In the order of the official script, so that the last digit is the same.
    precision, recall = common / len(given), common / len(wanted)
    return (2 * precision * recall) / (precision + recall)


def contains(answer: str, expected: str) -> float:
    """Return 1 where the expected text stands in the answer, whatever the case of its letters."""
    return float(expected.casefold() in answer.casefold())


class ExactMatch(ScorerSettings):
    """The whole answer is what was expected."""

    normalise: Normalisation = "squad"

    def scorer(self, labels: tuple[str, ...]) -> Scorer:  # noqa: ARG002 - the contract's
        """Make the scorer."""
        form = _FORMS[self.normalise]
        return BestMatchScorer(
            binary("exact_match", "Exact match"),
            lambda answer, expected: float(form(answer) == form(expected)),
            signature_of("exact_match", 1, norm=self.normalise),
        )


class TokenF1(ScorerSettings):
    """Words in common, as multisets."""

    normalise: Normalisation = "squad"

    def scorer(self, labels: tuple[str, ...]) -> Scorer:  # noqa: ARG002
        """Make the scorer."""
        form = _FORMS[self.normalise]
        return BestMatchScorer(
            share("token_f1", "Token F1"),
            lambda answer, expected: _f1(form(answer).split(), form(expected).split()),
            signature_of("token_f1", 1, norm=self.normalise),
        )


class PartialCredit(ScorerSettings):
    """Share of the parts of the expected answer that stand in the answer: ``red; green; blue`` has three."""

    separator: str = Field(default=";", min_length=1)
    ordered: bool = False
    """Whether parts count only where they come in the expected order."""
    normalise: Normalisation = "squad"

    def scorer(self, labels: tuple[str, ...]) -> Scorer:  # noqa: ARG002
        """Make the scorer."""
        return BestMatchScorer(
            share("partial_credit", "Partial credit"),
            self._share_found,
            signature_of("partial_credit", 1, norm=self.normalise, order=self.ordered, separator=repr(self.separator)),
        )

    def _share_found(self, answer: str, expected: str) -> float:
        form = _FORMS[self.normalise]
        parts = [part for part in map(form, expected.split(self.separator)) if part]
        if not parts:
            raise ValueError(f"the expected answer {expected!r} has no part that could be found")
        text, found, start = f" {form(answer)} ", 0, 0
        for part in parts:
            place = text.find(f" {part} ", start)
            if place >= 0:
                found += 1
                if self.ordered:
                    start = place + len(part) + 1
        return found / len(parts)


class Contains(ScorerSettings):
    """The expected text stands in the answer."""

    ignore_case: bool = True

    def scorer(self, labels: tuple[str, ...]) -> Scorer:  # noqa: ARG002
        """Make the scorer."""
        return BestMatchScorer(
            binary("contains", "Contains"),
            contains if self.ignore_case else (lambda answer, expected: float(expected in answer)),
            signature_of("contains", 1, case="folded" if self.ignore_case else "kept"),
        )


class Pattern(ScorerSettings):
    """A pattern is found in the answer."""

    pattern: str = Field(min_length=1)
    """Regular expression in Python's syntax."""
    whole: bool = False
    """Whether the whole answer, without white space around it, must match."""
    ignore_case: bool = False
    wanted: bool = True
    """Whether a match is right; False for what must not stand in an answer."""

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"it is no regular expression ({error}): mend it") from error
        return pattern

    def scorer(self, labels: tuple[str, ...]) -> Scorer:  # noqa: ARG002
        """Make the scorer."""
        return TextScorer(
            binary("regex", "Pattern"),
            self._matches,
            signature_of(
                "regex",
                1,
                case="folded" if self.ignore_case else "kept",
                wanted=self.wanted,
                whole=self.whole,
                pattern=repr(self.pattern),
            ),
        )

    def _matches(self, text: str) -> float:
        import regex  # type: ignore[import-untyped]  # noqa: PLC0415 - the one that stops after a time; no stubs

        flags = regex.IGNORECASE if self.ignore_case else 0
        compiled = regex.compile(self.pattern, flags)
        find = compiled.fullmatch if self.whole else compiled.search
        try:
            found = find(text.strip() if self.whole else text, timeout=PATTERN_SECONDS)
        except TimeoutError as error:
            remedy = "a pattern without nested repeats would not"
            raise ValueError(f"the pattern searched for more than {PATTERN_SECONDS:g} s: {remedy}") from error
        return float((found is not None) == self.wanted)
