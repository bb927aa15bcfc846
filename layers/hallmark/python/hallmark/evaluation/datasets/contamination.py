"""Whether cases stand in the training data: overlap of word n-grams (Brown et al. 2020, appendix C)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict

from hallmark.evaluation.cases import Case
from hallmark.evaluation.suites import Contamination

_WORD = re.compile(r"\w+")


class CaseOverlap(BaseModel):
    """How much of a case stands in the training data."""

    model_config = ConfigDict(frozen=True)

    case: str
    share: float
    """Seen n-grams of all n-grams of the case."""


class ContaminationReport(BaseModel):
    """What was found."""

    model_config = ConfigDict(frozen=True)

    overlaps: tuple[CaseOverlap, ...]
    """Cases with any seen n-gram, the most contaminated first."""
    contaminated: frozenset[str]
    too_short: int
    """Cases with fewer words than an n-gram has: nothing can be said about them."""
    checked: int

    @property
    def summary(self) -> str:
        """What a reader of the results must know."""
        short = f", {self.too_short:,} were too short to check" if self.too_short else ""
        return f"{len(self.contaminated):,} of {self.checked:,} cases stand in the training data{short}"


def check_contamination(
    cases: Sequence[Case], training_data: Iterable[tuple[str, bytes]], settings: Contamination
) -> ContaminationReport:
    """Look for the cases' n-grams in the training data, which is read object by object and not kept.

    Args:
        cases: What is to be asked.
        training_data: Name and content of each object; any text, JSON Lines included.
        settings: Length of an n-gram and the share from which on a case counts as contaminated.
    """
    wanted = {case.id: _ngrams(_words(_text(case)), settings.ngram) for case in cases}
    sought = frozenset().union(*wanted.values()) if wanted else frozenset()
    seen: set[tuple[str, ...]] = set()
    for _, content in training_data:
        words = _words(content.decode("utf-8", errors="replace"))
        seen |= sought & _ngrams(words, settings.ngram)
    overlaps = [
        CaseOverlap(case=name, share=len(grams & seen) / len(grams))
        for name, grams in wanted.items()
        if grams and not grams.isdisjoint(seen)
    ]
    overlaps.sort(key=lambda overlap: (-overlap.share, overlap.case))
    return ContaminationReport(
        overlaps=tuple(overlaps),
        contaminated=frozenset(overlap.case for overlap in overlaps if overlap.share >= settings.threshold),
        too_short=sum(not grams for grams in wanted.values()),
        checked=len(wanted),
    )


def _text(case: Case) -> str:
    return "\n".join([*(turn.text for turn in case.conversation), *case.expected])


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _ngrams(words: Sequence[str], length: int) -> frozenset[tuple[str, ...]]:
    return frozenset(zip(*(words[start:] for start in range(length)), strict=False))
