"""chrF and chrF++ (Popović, chrF: character n-gram F-score, 2015; chrF++, 2017), counted as sacrebleu 2.6.0 counts.

The counts are whole numbers and the same as sacrebleu's, so that a corpus's score is sacrebleu's to the last digit.
Character n-grams of all orders come from one sorting: at each letter of both texts the longest n-gram that begins there
is a number, whose digits are letters; sorted, equal n-grams of each shorter order stand side by side too. Different
n-grams are different numbers; nothing is hashed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field

from hallmark.evaluation.cases import Case
from hallmark.evaluation.metrics import Metric, MetricKind
from hallmark.evaluation.results import Answer, Score
from hallmark.evaluation.scorers.contract import Scorer
from hallmark.evaluation.scorers.settings import ScorerSettings, failed, not_applicable, signature_of, too_long

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Whole = NDArray[np.int64]

SACREBLEU_VERSION = "2.6.0"
"""Whose numbers these are, exactly: a test says so."""
_LONGEST_RUN = 6
_DIGIT_BITS = 10
"""Bits of a letter: six letters and the bit that tells the texts apart fit 63."""
_ANSWERS, _REFERENCES = (1 << _DIGIT_BITS) - 2, (1 << _DIGIT_BITS) - 1
"""Digits of what only one of the texts has, and of what follows its end: they make nothing equal."""
_FEW_LETTERS = 40
"""Letters of both texts that are counted faster one by one than all at once."""
_FEW_REPEATED = 8
"""Repeated n-grams that are counted one by one, which is faster than counting all once."""
_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_KEPT_REFERENCES = 4096
_EPSILON = 1e-16


class _Counted(NamedTuple):
    """Word n-grams of a reference, of one order."""

    size: int
    counts: Counter[Any]
    repeated: tuple[tuple[Any, int], ...]
    """Those that come more than once, and how often."""


def chrf_of_statistics(sums: Sequence[float], orders: int, beta: float, *, eps_smoothing: bool = False) -> float:
    """Return chrF from sums, 0 to 100, in the order of sacrebleu's operations.

    Args:
        sums: N-grams of the answer, of the reference and in common, order by order, shape ``(3 * orders,)``.
        orders: Number of orders, of characters and of words together.
        beta: How much more recall counts than precision.
        eps_smoothing: Average F over the orders, each with at least 1e-16, as chrF++.py, NLTK and Moses do; otherwise F
            of the average precision and recall, over the orders that both texts are long enough for.
    """
    factor = beta**2
    if eps_smoothing:
        return _smoothed(sums, orders, factor)
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


def _smoothed(sums: Sequence[float], orders: int, factor: float) -> float:
    score = 0.0
    for order in range(orders):
        given, wanted, hits = sums[3 * order : 3 * order + 3]
        precision = hits / given if given > 0 else _EPSILON
        recall = hits / wanted if wanted > 0 else _EPSILON
        below = factor * precision + recall
        score += ((1 + factor) * precision * recall / below) if below > 0 else _EPSILON
    return 100 * score / orders


@dataclass(frozen=True, slots=True)
class ChrfScorer:
    """Character n-grams in common, of the whole corpus; a score's ``value`` is that of its sentence alone."""

    char_order: int = _LONGEST_RUN
    word_order: int = 0
    beta: int = 2
    lowercase: bool = False
    whitespace: bool = False
    eps_smoothing: bool = False
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
            eff="no" if self.eps_smoothing else "yes",
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
        return (Score(metric=self.metric.name, value=self._chrf(statistics), statistics=statistics),)

    def combine(self, _metric: str, sums: Sequence[float], /) -> float:
        """Return the corpus's chrF from sums of its cases, shape ``(3 * orders,)``."""
        return self._chrf(sums)

    def _chrf(self, sums: Sequence[float]) -> float:
        return chrf_of_statistics(sums, self._orders, self.beta, eps_smoothing=self.eps_smoothing)

    def statistics(self, text: str, references: Sequence[str]) -> tuple[float, ...]:
        """Return n-grams of answer, best reference and both, order by order, shape ``(3 * orders,)``."""
        text = text.lower() if self.lowercase else text
        letters = text if self.whitespace else "".join(text.split())
        words = _words(text, self.word_order)
        best: tuple[float, ...] = ()
        best_score = -1.0
        for each in references:
            reference = each.lower() if self.lowercase else each
            found = self._against(letters, words, reference)
            if len(references) == 1:
                return found
            score = self._chrf(found)
            if score > best_score:
                best, best_score = found, score
        return best

    def _against(self, letters: str, words: tuple[list[Any], ...], reference: str) -> tuple[float, ...]:
        wanted_letters = reference if self.whitespace else "".join(reference.split())
        given, wanted = len(letters), len(wanted_letters)
        found: list[float] = []
        for common in _common_runs(letters, wanted_letters, self.char_order):
            # An answer's n-grams do not count where the reference is too short to have one.
            found += (given if given > 0 < wanted else 0, max(wanted, 0), common)
            given, wanted = given - 1, wanted - 1
        if words:
            for runs, theirs in zip(words, _counted_words(reference, self.word_order), strict=True):
                found += (len(runs) if theirs.size else 0, theirs.size, _word_hits(runs, theirs))
        return tuple(map(float, found))


def _common_runs(given: str, wanted: str, orders: int) -> Sequence[int]:
    """Return how many character n-grams two texts have in common, of 1 to ``orders`` letters, shape ``(orders,)``."""
    if not given or not wanted:
        return [0] * orders
    if len(given) + len(wanted) <= _FEW_LETTERS:
        return _few_common_runs(given, wanted, orders)
    import numpy as np  # noqa: PLC0415 - where no chrF is asked for, nothing waits for it

    digits = _digits(given, wanted, orders - 1)
    if digits is None:
        return _hits(_runs(given, orders), _runs(wanted, orders))
    size = len(digits) - orders + 1
    keys = digits[:size]
    for place in range(1, orders):
        keys = keys << _DIGIT_BITS
        keys |= digits[place : place + size]
    keys = keys << 1
    keys[: len(given) + orders - 1] |= 1
    keys.sort()
    # Row by row the n-grams of one order, equal ones side by side.
    runs = keys >> _shifts(orders)
    is_first = np.empty((orders, size), dtype=bool)
    is_first[:, 0] = True
    np.not_equal(runs[:, 1:], runs[:, :-1], out=is_first[:, 1:])
    firsts = is_first.reshape(-1).nonzero()[0]
    of_answer = np.add.reduceat(np.concatenate([keys & 1] * orders), firsts)
    ends = np.append(firsts[1:], orders * size)
    common = np.minimum(of_answer, ends - firsts - of_answer)
    hits: list[int] = np.add.reduceat(common, firsts.searchsorted(np.arange(0, orders * size, size))).tolist()
    return hits


@cache
def _shifts(orders: int) -> Whole:
    import numpy as np  # noqa: PLC0415

    return np.arange(1 + _DIGIT_BITS * (orders - 1), 0, -_DIGIT_BITS)[:, None]


def _digits(given: str, wanted: str, end: int) -> Whole | None:
    """Return the letters of both texts as digits, each text followed by ``end`` digits of its own.

    None where they have more letters in common than there are digits.
    """
    import numpy as np  # noqa: PLC0415

    # Lone surrogates stand in texts that were cut in the middle of a character.
    points = np.frombuffer((given + wanted).encode("utf-32-le", "surrogatepass"), dtype=np.dtype("<u4"))
    size = len(given)
    digits = np.empty(len(points) + 2 * end, dtype=np.int64)
    own, theirs = digits[:size], digits[size + end : len(digits) - end]
    digits[size : size + end] = _ANSWERS
    digits[len(digits) - end :] = _REFERENCES
    if points.max() < _ANSWERS:
        own[:], theirs[:] = points[:size], points[size:]
        return digits
    shared = np.array(sorted(map(ord, set(given) & set(wanted))), dtype=np.uint32)
    if len(shared) > _ANSWERS:
        return None
    if not len(shared):
        own[:], theirs[:] = _ANSWERS, _REFERENCES
        return digits
    places = shared.searchsorted(points)
    places[places == len(shared)] = 0
    is_alone = shared[places] != points
    own[:], theirs[:] = places[:size], places[size:]
    own[is_alone[:size]], theirs[is_alone[size:]] = _ANSWERS, _REFERENCES
    return digits


def _few_common_runs(given: str, wanted: str, orders: int) -> Sequence[int]:
    hits = [0] * orders
    for order in range(1, orders + 1):
        ours = [given[start : start + order] for start in range(len(given) - order + 1)]
        theirs = [wanted[start : start + order] for start in range(len(wanted) - order + 1)]
        kinds_given, kinds_wanted = set(ours), set(theirs)
        both = kinds_given & kinds_wanted
        if not both:
            # What is longer has nothing in common either.
            break
        hits[order - 1] = len(both)
        if len(kinds_given) < len(ours) and len(kinds_wanted) < len(theirs):
            hits[order - 1] = sum(min(ours.count(run), theirs.count(run)) for run in both)
    return hits


def _hits(given: Sequence[Counter[Any]], wanted: Sequence[Counter[Any]]) -> Sequence[int]:
    return [
        sum(min(ours[run], theirs[run]) for run in ours.keys() & theirs.keys())
        for ours, theirs in zip(given, wanted, strict=True)
    ]


def _runs(letters: str, orders: int) -> tuple[Counter[str], ...]:
    return tuple(
        Counter(letters[start : start + order] for start in range(len(letters) - order + 1))
        for order in range(1, orders + 1)
    )


def _words(text: str, orders: int) -> tuple[list[Any], ...]:
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
    return (words,) if orders == 1 else (words, list(pairwise(words)))


@lru_cache(maxsize=_KEPT_REFERENCES)
def _counted_words(text: str, orders: int) -> tuple[_Counted, ...]:
    counters = [Counter(runs) for runs in _words(text, orders)]
    return tuple(
        _Counted(counts.total(), counts, tuple((run, count) for run, count in counts.items() if count > 1))
        for counts in counters
    )


def _word_hits(given: list[Any], wanted: _Counted) -> int:
    """Return how many word n-grams are in common; only those that repeat in both texts count more than once."""
    kinds = set(given)
    both = kinds & wanted.counts.keys()
    if len(kinds) == len(given) or not wanted.repeated:
        return len(both)
    if len(wanted.repeated) <= _FEW_REPEATED:
        again = (min(given.count(run), count) - 1 for run, count in wanted.repeated if run in both)
        return len(both) + sum(again)
    counts = Counter(given)
    return sum(min(counts[run], wanted.counts[run]) for run in both)


class ChrfSettings(ScorerSettings):
    """Character n-grams in common."""

    char_order: int = Field(default=_LONGEST_RUN, ge=1, le=_LONGEST_RUN)
    word_order: Literal[0, 1, 2] = 0
    """2 makes it chrF++."""
    beta: int = Field(default=2, ge=1, le=3)
    lowercase: bool = False
    whitespace: bool = False
    eps_smoothing: bool = False
    """As chrF++.py, NLTK and Moses smooth: F of each order, then the average."""
    references: Literal["all", "first"] = "all"

    def scorer(self, labels: tuple[str, ...]) -> Scorer:  # noqa: ARG002 - the contract's
        """Make the scorer."""
        return ChrfScorer(
            char_order=self.char_order,
            word_order=self.word_order,
            beta=self.beta,
            lowercase=self.lowercase,
            whitespace=self.whitespace,
            eps_smoothing=self.eps_smoothing,
            references=self.references,
        )
