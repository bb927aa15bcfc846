"""ROUGE-1, -2, -L and -Lsum (Lin, ROUGE: A Package for Automatic Evaluation of Summaries, 2004).

Equal to Google's rouge-score 0.1.2 to the last digit, with its tokenizer and with or without its stemmer: counts are
whole numbers, and every quotient is taken in the same order. The longest common subsequence is computed a row at a time
in the bits of one whole number (Hyyrö, Bit-parallel LCS-length computation revisited, 2004).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from pydantic import Field

from hallmark.evaluation.cases import Case
from hallmark.evaluation.metrics import Metric
from hallmark.evaluation.results import Answer, Score
from hallmark.evaluation.scorers.contract import Scorer
from hallmark.evaluation.scorers.settings import (
    ScorerSettings,
    failed,
    not_applicable,
    scored,
    share,
    signature_of,
    too_long,
)
from hallmark.evaluation.scorers.tokens import ascii_words, stemmed, unicode_words

MAX_CELLS = 20_000_000_000
"""Cells of the table of a longest common subsequence, a bit each: 140,000 words against as many take some seconds."""
MAX_KEPT_CELLS = 1_000_000_000
"""Cells of a table that ROUGE-Lsum keeps to read it backwards: 125 MB."""
_KEPT_TEXTS = 4096
_SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n")  # noqa: RUF001 - full-width marks end sentences too


class Rouge(NamedTuple):
    """Precision, recall and their harmonic mean, each from 0 to 1."""

    precision: float
    recall: float
    f1: float


Measure = Literal["f1", "precision", "recall"]


_NOTHING = Rouge(0.0, 0.0, 0.0)
_PAIRS = 2
_FEW = 8
"""Repeated words that are counted one by one, which is faster than counting all words once."""


def _rouge(hits: int, given: int, wanted: int) -> Rouge:
    """Return the quotients of hits and of what was given and wanted."""
    if not hits:
        return _NOTHING
    precision, recall = hits / given, hits / wanted
    return Rouge(precision, recall, 2 * precision * recall / (precision + recall))


# --- words in a row ---------------------------------------------------------------------------------------------------


class _Counted:
    """The words of a text; each count is made once, when it is first asked for."""

    __slots__ = ("_counters", "_pairs", "_places", "_repeated", "words")

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self._pairs: set[Any] | None = None
        self._counters: dict[int, Counter[Any]] | None = None
        self._places: dict[str, int] | None = None
        self._repeated: list[tuple[str, int]] | None = None

    def distinct(self, order: int) -> set[Any]:
        """Return the different runs of two words or more."""
        if order != _PAIRS:
            return set(_runs(self.words, order))
        if self._pairs is None:
            self._pairs = set(zip(self.words, self.words[1:]))  # noqa: B905 - the fastest on a few words
        return self._pairs

    def ngrams(self, order: int) -> Counter[Any]:
        """Return how often each run of ``order`` words comes."""
        counters = self._counters
        if counters is None:
            counters = self._counters = {}
        if order not in counters:
            counters[order] = Counter(_runs(self.words, order))
        return counters[order]

    def repeated(self) -> list[tuple[str, int]]:
        """Return the words that come more than once, and how often."""
        if self._repeated is None:
            self._repeated = [(word, bits.bit_count()) for word, bits in self.bits().items() if bits & (bits - 1)]
        return self._repeated

    def bits(self) -> dict[str, int]:
        """Return at which places each word stands, as the bits of a whole number."""
        places = self._places
        if places is None:
            places = self._places = {}
            bit = 1
            for word in self.words:
                places[word] = places.get(word, 0) | bit
                bit += bit
        return places


def _runs(words: list[str], order: int) -> Iterable[Any]:
    return words if order == 1 else zip(*(words[start:] for start in range(order)), strict=False)


def _rouge_n(given: _Counted, wanted: _Counted, order: int) -> Rouge:
    runs_given, runs_wanted = len(given.words) - order + 1, len(wanted.words) - order + 1
    if runs_given <= 0 or runs_wanted <= 0:
        return _NOTHING
    if order == 1:
        return _rouge(_word_hits(given, wanted), runs_given, runs_wanted)
    ours, theirs = given.distinct(order), wanted.distinct(order)
    both = ours & theirs
    if len(ours) == runs_given or len(theirs) == runs_wanted:
        # Where one of them repeats nothing, each run in common counts once.
        return _rouge(len(both), runs_given, runs_wanted)
    counts_given, counts_wanted = given.ngrams(order), wanted.ngrams(order)
    return _rouge(sum(min(counts_given[run], counts_wanted[run]) for run in both), runs_given, runs_wanted)


def _word_hits(given: _Counted, wanted: _Counted) -> int:
    """Return how many words two texts have in common; only words that repeat in the reference can count twice."""
    ours = set(given.words)
    both = ours.intersection(wanted.bits())
    if len(ours) == len(given.words):
        return len(both)
    again = [(word, count) for word, count in wanted.repeated() if word in both]
    if len(again) > _FEW:
        counts = given.ngrams(1)
        return len(both) + sum(min(counts[word], count) - 1 for word, count in again)
    hits = len(both)
    for word, count in again:
        hits += min(given.words.count(word), count) - 1
    return hits


# --- words in order ---------------------------------------------------------------------------------------------------


def longest_common_subsequence(given: Sequence[str], bits: dict[str, int], width: int) -> int:
    """Return the length of the longest common subsequence of two texts.

    Args:
        given: Words of the one, shape ``(n,)``.
        bits: Places of each word of the other.
        width: Words of the other, m; the time is n m / 64 steps.
    """
    row = (1 << width) - 1
    # A word that the other text does not have changes nothing.
    for places in filter(None, map(bits.get, given)):
        both = row & places
        row = (row + both) | (row - both)
    return width - (row & ((1 << width) - 1)).bit_count()


def _rouge_l(given: _Counted, wanted: _Counted) -> Rouge:
    if len(given.words) * len(wanted.words) > MAX_CELLS:
        raise ValueError(f"{len(given.words):,} words against {len(wanted.words):,} are too many for ROUGE-L")
    hits = longest_common_subsequence(given.words, wanted.bits(), len(wanted.words))
    return _rouge(hits, len(given.words), len(wanted.words))


def _places_in_common(wanted: Sequence[str], given: _Counted) -> set[int]:
    """Return which words of the reference one longest common subsequence takes: the one that ROUGE-1.5.5 reads out."""
    bits, words = given.bits(), given.words
    width = len(words)
    row = (1 << width) - 1
    full = row
    # Bit j of row i is 0 where the subsequence grows from column j to j + 1.
    rows = [row]
    for word in wanted:
        both = row & bits.get(word, 0)
        row = ((row + both) | (row - both)) & full
        rows.append(row)
    length = width - row.bit_count()
    taken: set[int] = set()
    i, j = len(wanted), width
    while length:
        if wanted[i - 1] == words[j - 1]:
            i, j, length = i - 1, j - 1, length - 1
            taken.add(i)
        elif (rows[i] >> (j - 1)) & 1 and j - (rows[i - 1] & ((1 << j) - 1)).bit_count() < length:
            j -= 1
        else:
            i -= 1
    return taken


def _rouge_lsum(given: Sequence[_Counted], wanted: Sequence[_Counted]) -> Rouge:
    """Union of the longest common subsequences of each sentence of the reference with all of the answer (section 3.2).

    A word counts at most as often as it stands in both texts, as in ROUGE-1.5.5.
    """
    size_given, size_wanted = (sum(len(each.words) for each in side) for side in (given, wanted))
    if not size_given or not size_wanted:
        return _NOTHING
    if max(len(each.words) for each in given) * max(len(each.words) for each in wanted) > MAX_KEPT_CELLS:
        raise ValueError(f"{size_given:,} words against {size_wanted:,} are too many for ROUGE-Lsum")
    left_given = Counter(word for each in given for word in each.words)
    left_wanted = Counter(word for each in wanted for word in each.words)
    hits = 0
    for sentence in wanted:
        own = set(sentence.words)
        union: set[int] = set()
        for other in given:
            if not own.isdisjoint(other.words):
                union |= _places_in_common(sentence.words, other)
        for place in sorted(union):
            word = sentence.words[place]
            if left_given[word] > 0 and left_wanted[word] > 0:
                hits += 1
                left_given[word] -= 1
                left_wanted[word] -= 1
    return _rouge(hits, size_given, size_wanted)


# --- texts ------------------------------------------------------------------------------------------------------------

_Words = Callable[[str], list[str]]
_WORDS: dict[tuple[str, bool], _Words] = {
    ("ascii", False): ascii_words,
    ("ascii", True): lambda text: stemmed(ascii_words(text)),
    ("unicode", False): unicode_words,
    ("unicode", True): lambda text: stemmed(unicode_words(text)),
}


def _sentences_of(text: str, *, by_lines: bool) -> list[str]:
    parts = text.split("\n") if by_lines else _SENTENCE_ENDS.split(text)
    return [part for part in parts if part]


class _Prepared(NamedTuple):
    whole: _Counted
    sentences: tuple[_Counted, ...]


@lru_cache(maxsize=_KEPT_TEXTS)
def _prepared_reference(text: str, tokenizer: str, stemmer: bool, by_lines: bool | None) -> _Prepared:
    return _prepare(text, tokenizer, stemmer=stemmer, by_lines=by_lines)


def _prepare(text: str, tokenizer: str, *, stemmer: bool, by_lines: bool | None) -> _Prepared:
    words = _WORDS[tokenizer, stemmer]
    whole = _Counted(words(text))
    if by_lines is None:
        return _Prepared(whole, ())
    parts = _sentences_of(text, by_lines=by_lines)
    if len(parts) == 1:
        return _Prepared(whole, (whole,))
    return _Prepared(whole, tuple(_Counted(words(part)) for part in parts))


Kind = Literal["rouge_1", "rouge_2", "rouge_3", "rouge_4", "rouge_l", "rouge_lsum"]
_TITLES: dict[Kind, str] = {
    "rouge_1": "ROUGE-1",
    "rouge_2": "ROUGE-2",
    "rouge_3": "ROUGE-3",
    "rouge_4": "ROUGE-4",
    "rouge_l": "ROUGE-L",
    "rouge_lsum": "ROUGE-Lsum",
}
_ORDERS: dict[Kind, int] = {"rouge_1": 1, "rouge_2": 2, "rouge_3": 3, "rouge_4": 4}


@dataclass(frozen=True, slots=True)
class RougeScorer:
    """ROUGE of answers; of several references the one with the best F counts, metric by metric."""

    types: tuple[Kind, ...] = ("rouge_1", "rouge_2", "rouge_l", "rouge_lsum")
    stemmer: bool = False
    tokenizer: Literal["ascii", "unicode"] = "ascii"
    measure: Measure = "f1"
    sentences: Literal["lines", "punctuation"] = "lines"
    metrics: tuple[Metric, ...] = field(init=False)

    def __post_init__(self) -> None:
        suffix = "" if self.measure == "f1" else f"_{self.measure}"
        title = "" if self.measure == "f1" else f" {self.measure}"
        object.__setattr__(
            self, "metrics", tuple(share(f"{kind}{suffix}", f"{_TITLES[kind]}{title}") for kind in self.types)
        )

    @property
    def signature(self) -> str:
        """What the numbers depend on."""
        return signature_of(
            "rouge",
            1,
            types=self.types,
            measure=self.measure,
            tok=self.tokenizer,
            stemmer=self.stemmer,
            sentences=self.sentences,
        )

    def score(self, case: Case, answer: Answer, /) -> tuple[Score, ...]:
        """Score an answer."""
        if not case.expected:
            return not_applicable(self.metrics)
        fault = too_long(answer.text, *case.expected)
        if fault is not None:
            return failed(self.metrics, fault)
        try:
            best = self.compare(answer.text, case.expected)
        except ValueError as error:
            return failed(self.metrics, str(error))
        return tuple(
            scored(metric, getattr(rouge, self.measure)) for metric, rouge in zip(self.metrics, best, strict=True)
        )

    def compare(self, text: str, references: Sequence[str]) -> tuple[Rouge, ...]:
        """Return one ROUGE for each of ``types``.

        Raises:
            ValueError: The texts are too long.
        """
        by_lines = self.sentences == "lines" if "rouge_lsum" in self.types else None
        given = _prepare(text, self.tokenizer, stemmer=self.stemmer, by_lines=by_lines)
        found = [
            self._against(given, _prepared_reference(reference, self.tokenizer, self.stemmer, by_lines))
            for reference in references
        ]
        if len(found) == 1:
            return found[0]
        return tuple(max(candidates, key=lambda rouge: rouge.f1) for candidates in zip(*found, strict=True))

    def _against(self, given: _Prepared, wanted: _Prepared) -> tuple[Rouge, ...]:
        subsequence: Rouge | None = None
        found: list[Rouge] = []
        for kind in self.types:
            order = _ORDERS.get(kind)
            if order is not None:
                found.append(_rouge_n(given.whole, wanted.whole, order))
            elif kind == "rouge_lsum" and (len(given.sentences) != 1 or len(wanted.sentences) != 1):
                found.append(_rouge_lsum(given.sentences, wanted.sentences))
            else:
                # Of one sentence against one, the union is the one subsequence.
                if subsequence is None:
                    subsequence = _rouge_l(given.whole, wanted.whole)
                found.append(subsequence)
        return tuple(found)


class RougeSettings(ScorerSettings):
    """Words in common, in a row and in order."""

    types: tuple[Kind, ...] = Field(default=("rouge_1", "rouge_2", "rouge_l", "rouge_lsum"), min_length=1)
    stemmer: bool = False
    """Whether English words are stemmed (Porter)."""
    tokenizer: Literal["ascii", "unicode"] = "ascii"
    """``ascii`` is rouge-score's, whose other letters are lost; ``unicode`` keeps the words of every script."""
    measure: Measure = "f1"
    sentences: Literal["lines", "punctuation"] = "lines"
    """What ends a sentence for ROUGE-Lsum: a new line, as in rouge-score, or also a mark that ends sentences."""

    def scorer(self, labels: tuple[str, ...]) -> Scorer:  # noqa: ARG002 - the contract's
        """Make the scorer."""
        if len(set(self.types)) < len(self.types):
            raise ValueError("types names one of them twice: name each once")
        return RougeScorer(self.types, self.stemmer, self.tokenizer, self.measure, self.sentences)
