"""BLEU and TER of a whole corpus: sacrebleu's numbers (Post 2018), from sums over the cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, Literal

from pydantic import Field

from hallmark.evaluation.cases import Case
from hallmark.evaluation.metrics import Direction, Metric, MetricKind
from hallmark.evaluation.results import Answer, Score
from hallmark.evaluation.scorers.contract import Scorer
from hallmark.evaluation.scorers.settings import ScorerSettings, failed, not_applicable, signature_of, too_long

BLEU = Metric(name="bleu", title="BLEU", kind=MetricKind.CORPUS, high=100.0)
TER = Metric(name="ter", title="TER", kind=MetricKind.CORPUS, direction=Direction.LOWER, high=None)
MAX_TER_CHARACTERS = 20_000
"""TER looks for shifts of words: time grows with the square of the length and more."""
_ORDERS = 4


@cache
def _bleu(tokenize: str, lowercase: bool, smooth: str) -> Any:
    from sacrebleu.metrics.bleu import BLEU as Implementation  # noqa: N811, PLC0415 - 90 ms, where nobody may ask for it

    return Implementation(tokenize=tokenize, lowercase=lowercase, smooth_method=smooth)


@cache
def _ter(normalized: bool, no_punctuation: bool, asian_support: bool, case_sensitive: bool) -> Any:
    from sacrebleu.metrics.ter import TER as Implementation  # noqa: N811, PLC0415

    return Implementation(
        normalized=normalized, no_punct=no_punctuation, asian_support=asian_support, case_sensitive=case_sensitive
    )


def _references(case: Case, which: Literal["all", "first"]) -> tuple[str, ...]:
    return case.expected[:1] if which == "first" else case.expected


@dataclass(frozen=True, slots=True)
class BleuScorer:
    """BLEU of the corpus; a score's ``value`` is that of its sentence alone, with effective order."""

    tokenize: str = "13a"
    lowercase: bool = False
    smooth: str = "exp"
    references: Literal["all", "first"] = "all"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What it measures."""
        return (BLEU,)

    @property
    def signature(self) -> str:
        """Sacrebleu's signature; ``nrefs`` is ``var`` where a case may have several references."""
        return signature_of(
            "bleu",
            1,
            nrefs="1" if self.references == "first" else "var",
            case="lc" if self.lowercase else "mixed",
            eff="no",
            tok=self.tokenize,
            smooth=self.smooth,
            sacrebleu=version("sacrebleu"),
        )

    def score(self, case: Case, answer: Answer, /) -> tuple[Score, ...]:
        """Score an answer: lengths of answer and reference, n-grams in common and of the answer, shape ``(10,)``."""
        if not case.expected:
            return not_applicable(self.metrics)
        references = _references(case, self.references)
        fault = too_long(answer.text, *references)
        if fault is not None:
            return failed(self.metrics, fault)
        implementation = _bleu(self.tokenize, self.lowercase, self.smooth)
        counted = implementation.corpus_score([answer.text], [[reference] for reference in references])
        statistics = (counted.sys_len, counted.ref_len, *counted.counts, *counted.totals)
        value = self._bleu(statistics, effective_order=True)
        return (Score(metric=BLEU.name, value=value, statistics=tuple(map(float, statistics))),)

    def combine(self, _metric: str, sums: Sequence[float], /) -> float:
        """Return the corpus's BLEU, 0 to 100, from sums of its cases, shape ``(10,)``."""
        return self._bleu(sums, effective_order=False)

    def _bleu(self, sums: Sequence[float], *, effective_order: bool) -> float:
        result = _bleu(self.tokenize, self.lowercase, self.smooth).compute_bleu(
            correct=list(sums[2 : 2 + _ORDERS]),
            total=list(sums[2 + _ORDERS :]),
            sys_len=round(sums[0]),
            ref_len=round(sums[1]),
            smooth_method=self.smooth,
            effective_order=effective_order,
        )
        return float(result.score)


@dataclass(frozen=True, slots=True)
class TerScorer:
    """Translation edit rate (Snover et al. 2006) of the corpus, in percent; it may pass 100."""

    normalized: bool = False
    no_punctuation: bool = False
    asian_support: bool = False
    case_sensitive: bool = False
    references: Literal["all", "first"] = "all"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What it measures."""
        return (TER,)

    @property
    def signature(self) -> str:
        """Sacrebleu's signature."""
        return signature_of(
            "ter",
            1,
            nrefs="1" if self.references == "first" else "var",
            case="mixed" if self.case_sensitive else "lc",
            tok="tercom",
            norm=self.normalized,
            punct=not self.no_punctuation,
            asian=self.asian_support,
            sacrebleu=version("sacrebleu"),
        )

    def score(self, case: Case, answer: Answer, /) -> tuple[Score, ...]:
        """Score an answer: edits, and mean length of the references, shape ``(2,)``."""
        if not case.expected:
            return not_applicable(self.metrics)
        references = _references(case, self.references)
        fault = too_long(answer.text, *references, limit=MAX_TER_CHARACTERS)
        if fault is not None:
            return failed(self.metrics, fault)
        implementation = _ter(self.normalized, self.no_punctuation, self.asian_support, self.case_sensitive)
        counted = implementation.corpus_score([answer.text], [[reference] for reference in references])
        statistics = (float(counted.num_edits), float(counted.ref_length))
        return (Score(metric=TER.name, value=self.combine(TER.name, statistics), statistics=statistics),)

    def combine(self, _metric: str, sums: Sequence[float], /) -> float:
        """Return the corpus's edit rate in percent from sums of its cases, shape ``(2,)``."""
        edits, length = sums
        if length > 0:
            return 100 * (edits / length)
        return 100.0 if edits > 0 else 0.0


class BleuSettings(ScorerSettings):
    """N-grams in common with the reference."""

    tokenize: Literal["13a", "intl", "zh", "char", "none"] = "13a"
    lowercase: bool = False
    smooth: Literal["exp", "floor", "add-k", "none"] = "exp"
    references: Literal["all", "first"] = "all"

    def scorer(self, labels: tuple[str, ...]) -> Scorer:  # noqa: ARG002 - the contract's
        """Make the scorer."""
        return BleuScorer(self.tokenize, self.lowercase, self.smooth, self.references)


class TerSettings(ScorerSettings):
    """Edits to get to the reference."""

    normalized: bool = False
    no_punctuation: bool = Field(default=False, description="Leave punctuation out.")
    asian_support: bool = False
    case_sensitive: bool = False
    references: Literal["all", "first"] = "all"

    def scorer(self, labels: tuple[str, ...]) -> Scorer:  # noqa: ARG002
        """Make the scorer."""
        return TerScorer(self.normalized, self.no_punctuation, self.asian_support, self.case_sensitive, self.references)
