"""chrF and chrF++ (Popović, chrF: character n-gram F-score, 2015; chrF++, 2017), counted as sacrebleu 2.6.0 counts.

The counts are whole numbers and the same as sacrebleu's, so that a corpus's score is sacrebleu's to the last digit. All
character n-grams of a text are numbers in one array: its letters are digits in a base that holds the reference's
alphabet, so that different n-grams are different numbers; nothing is hashed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from hallmark.evaluation.cases import Case
from hallmark.evaluation.metrics import Metric, MetricKind
from hallmark.evaluation.results import Answer, Score
from hallmark.evaluation.scorers.contract import Scorer
from hallmark.evaluation.scorers.settings import ScorerSettings, failed, not_applicable, signature_of, too_long

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Points = NDArray[np.uint32]
    Whole = NDArray[np.int64]

SACREBLEU_VERSION = "2.6.0"
"""Whose numbers these are, exactly: a test says so."""
_LONGEST_RUN = 6
_LARGEST_ALPHABET = 1446
"""(1446 + 2) ** 6 is the largest that fits 63 bits."""
_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_KEPT_REFERENCES = 4096


class _Coded(NamedTuple):
    """Character n-grams of a reference as numbers."""

    alphabet: Points
    """Its code points, ascending."""
    runs: Whole
    """Its n-grams of all orders, ascending, each once."""
    counts: Whole
    orders: Whole
    """Order of each n-gram, from 0."""


class _Reference(NamedTuple):
    """A reference, counted."""

    size: int
    """Characters."""
    coded: _Coded | None
    """None where its alphabet is too large for numbers of 63 bits."""
    runs: tuple[Counter[str], ...]
    """Its character n-grams by order, where they are not coded."""
    words: tuple[Counter[str], ...]
    """Its word n-grams by order, for chrF++."""


def chrf_of_statistics(sums: Sequence[float], orders: int, beta: float) -> float:
    """Return chrF from sums, 0 to 100, in the order of sacrebleu's operations.

    Args:
        sums: N-grams of the answer, of the reference and in common, order by order, shape ``(3 * orders,)``.
        orders: Number of orders, of characters and of words together.
        beta: How much more recall counts than precision.
    """
    factor = beta**2
    precision = recall = 0.0
    effective = 0
    for order in range(orders):
        given, wanted, hits = sums[3 * order : 3 * order + 3]
        if given > 0 and wanted > 0:
            precision += hits / given
            recall += hits / wanted
            effective += 1
    if not effective:
        return 0.0
    precision, recall = precision / effective, recall / effective
    if not precision + recall:
        return 0.0
    score = (1 + factor) * precision * recall
    return 100 * (score / ((factor * precision) + recall))


@dataclass(frozen=True, slots=True)
class ChrfScorer:
    """Character n-grams in common, of the whole corpus; a score's ``value`` is that of its sentence alone."""

    char_order: int = _LONGEST_RUN
    word_order: int = 0
    beta: int = 2
    lowercase: bool = False
    whitespace: bool = False
    references: Literal["all", "first"] = "all"
    metric: Metric = field(init=False)

    def __post_init__(self) -> None:
        pluses = "+" * self.word_order
        name = {0: "chrf", 1: "chrf_plus", 2: "chrf_plus_plus"}[self.word_order]
        metric = Metric(name=name, title=f"chrF{pluses}", kind=MetricKind.CORPUS, high=100.0)
        object.__setattr__(self, "metric", metric)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What it measures."""
        return (self.metric,)

    @property
    def signature(self) -> str:
        """Sacrebleu's signature, which the numbers are equal to, and whose code counted."""
        return signature_of(
            self.metric.name,
            1,
            nrefs="1" if self.references == "first" else "var",
            case="lc" if self.lowercase else "mixed",
            eff="yes",
            nc=self.char_order,
            nw=self.word_order,
            space=self.whitespace,
            sacrebleu=SACREBLEU_VERSION,
        )

    @property
    def _orders(self) -> int:
        return self.char_order + self.word_order

    def score(self, case: Case, answer: Answer, /) -> tuple[Score, ...]:
        """Score an answer; of several references the one with the best chrF counts."""
        if not case.expected:
            return not_applicable(self.metrics)
        references = case.expected[:1] if self.references == "first" else case.expected
        fault = too_long(answer.text, *references)
        if fault is not None:
            return failed(self.metrics, fault)
        statistics = self.statistics(answer.text, references)
        value = chrf_of_statistics(statistics, self._orders, self.beta)
        return (Score(metric=self.metric.name, value=value, statistics=statistics),)

    def combine(self, _metric: str, sums: Sequence[float], /) -> float:
        """Return the corpus's chrF from sums of its cases, shape ``(3 * orders,)``."""
        return chrf_of_statistics(sums, self._orders, self.beta)

    def statistics(self, text: str, references: Sequence[str]) -> tuple[float, ...]:
        """Return n-grams of answer, best reference and both, order by order, shape ``(3 * orders,)``."""
        text = text.lower() if self.lowercase else text
        letters = text if self.whitespace else "".join(text.split())
        words = _word_runs(text, self.word_order)
        best: tuple[float, ...] = ()
        best_score = -1.0
        for each in references:
            reference = _counted(
                each.lower() if self.lowercase else each, self.char_order, self.word_order, self.whitespace
            )
            found = self._against(letters, words, reference)
            score = chrf_of_statistics(found, self._orders, self.beta)
            if score > best_score:
                best, best_score = found, score
        return best

    def _against(self, letters: str, words: tuple[Counter[str], ...], reference: _Reference) -> tuple[float, ...]:
        hits = (
            _coded_hits(letters, reference.coded, self.char_order)
            if reference.coded
            else _hits(_runs(letters, self.char_order), reference.runs)
        )
        found: list[float] = []
        for order, common in enumerate(hits):
            wanted = max(reference.size - order, 0)
            # An answer's n-grams do not count where the reference is too short to have one.
            given = max(len(letters) - order, 0) if wanted else 0
            found += (given, wanted, common)
        for ours, theirs, common in zip(words, reference.words, _hits(words, reference.words), strict=True):
            found += (ours.total() if theirs else 0, theirs.total(), common)
        return tuple(map(float, found))


@lru_cache(maxsize=_KEPT_REFERENCES)
def _counted(text: str, char_order: int, word_order: int, whitespace: bool) -> _Reference:
    letters = text if whitespace else "".join(text.split())
    words = _word_runs(text, word_order)
    if len(set(letters)) > _LARGEST_ALPHABET:
        return _Reference(len(letters), None, _runs(letters, char_order), words)
    return _Reference(len(letters), _code(letters, char_order), (), words)


def _code(letters: str, orders: int) -> _Coded:
    import numpy as np  # noqa: PLC0415 - where no chrF is asked for, nothing waits for it

    alphabet = _code_points("".join(sorted(set(letters))))
    kinds, counts = _counted_kinds(_coded_runs(letters, alphabet, orders))
    base = len(alphabet) + 2
    # The digits of a number are 1 or more: the least of each order is 1, 11, 111, …
    least = [sum(base**place for place in range(order)) for order in range(1, orders + 1)]
    return _Coded(alphabet, kinds, counts, np.asarray(least).searchsorted(kinds, side="right") - 1)


def _code_points(letters: str) -> Points:
    import numpy as np  # noqa: PLC0415

    # Lone surrogates stand in texts that were cut in the middle of a character.
    return np.frombuffer(letters.encode("utf-32-le", "surrogatepass"), dtype=np.dtype("<u4"))


def _coded_runs(letters: str, alphabet: Points, orders: int) -> Whole:
    """Return all n-grams of up to ``orders`` letters as numbers; digits are 1 to k, and k + 1 for any other letter."""
    import numpy as np  # noqa: PLC0415

    points = _code_points(letters)
    digits: Whole = alphabet.searchsorted(points)
    size = len(alphabet)
    if size:
        digits[digits == size] = 0
        digits[alphabet[digits] != points] = size
    digits += 1
    runs = [digits]
    longer = digits
    for order in range(1, min(orders, len(letters))):
        longer = longer[:-1] * (size + 2)
        longer += digits[order:]
        runs.append(longer)
    return np.concatenate(runs)


def _counted_kinds(runs: Whole) -> tuple[Whole, Whole]:
    """Return different numbers, ascending, and how often each comes; ``runs`` is sorted in place."""
    import numpy as np  # noqa: PLC0415

    runs.sort()
    size = len(runs)
    is_new = np.ones(size, dtype=bool)
    np.not_equal(runs[1:], runs[:-1], out=is_new[1:])
    starts = is_new.nonzero()[0]
    counts = np.empty(len(starts), dtype=np.int64)
    np.subtract(starts[1:], starts[:-1], out=counts[:-1])
    counts[-1:] = size - starts[-1:]
    return runs[starts], counts


def _coded_hits(letters: str, reference: _Coded, orders: int) -> Sequence[float]:
    import numpy as np  # noqa: PLC0415

    if not letters or not len(reference.runs):
        return [0.0] * orders
    kinds, counts = _counted_kinds(_coded_runs(letters, reference.alphabet, orders))
    places = reference.runs.searchsorted(kinds)
    places[places == len(reference.runs)] = 0
    same = (reference.runs[places] == kinds).nonzero()[0]
    at = places[same]
    shared = np.minimum(counts[same], reference.counts[at])
    hits: list[float] = np.bincount(reference.orders[at], weights=shared, minlength=orders).tolist()
    return hits


def _hits(given: Sequence[Counter[str]], wanted: Sequence[Counter[str]]) -> Sequence[float]:
    return [
        sum(min(ours[run], theirs[run]) for run in ours.keys() & theirs.keys())
        for ours, theirs in zip(given, wanted, strict=True)
    ]


def _runs(letters: str, orders: int) -> tuple[Counter[str], ...]:
    return tuple(
        Counter(letters[start : start + order] for start in range(len(letters) - order + 1))
        for order in range(1, orders + 1)
    )


def _word_runs(text: str, orders: int) -> tuple[Counter[str], ...]:
    """Return word n-grams by order; a mark at a word's end, or else at its beginning, is a word of its own."""
    if not orders:
        return ()
    words: list[str] = []
    for word in text.split():
        if len(word) == 1 or not (word[-1] in _PUNCTUATION or word[0] in _PUNCTUATION):
            words.append(word)
        elif word[-1] in _PUNCTUATION:
            words += (word[:-1], word[-1])
        else:
            words += (word[0], word[1:])
    return tuple(
        Counter(" ".join(words[start : start + order]) for start in range(len(words) - order + 1))
        for order in range(1, orders + 1)
    )


class ChrfSettings(ScorerSettings):
    """Character n-grams in common."""

    char_order: int = Field(default=_LONGEST_RUN, ge=1, le=_LONGEST_RUN)
    word_order: Literal[0, 1, 2] = 0
    """2 makes it chrF++."""
    beta: int = Field(default=2, ge=1, le=3)
    lowercase: bool = False
    whitespace: bool = False
    references: Literal["all", "first"] = "all"

    def scorer(self, labels: tuple[str, ...]) -> Scorer:  # noqa: ARG002 - the contract's
        """Make the scorer."""
        return ChrfScorer(self.char_order, self.word_order, self.beta, self.lowercase, self.whitespace, self.references)
