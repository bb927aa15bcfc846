"""All comparisons of a run: who with whom, on which metric and which cases; corrected for how many there are.

The comparisons on the primary metric over all cases answer the suite's question: they are one family. Everything else
(metrics times models times groups, those included) is another, so that looking into every group does not blur the
answer to the question that was asked first, and no group is found worse by looking at many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hallmark.evaluation.comparison.corpora import CorpusMetrics
from hallmark.evaluation.comparison.evidence import Dimension, EvaluatedModel, EvaluationResults
from hallmark.evaluation.comparison.gathering import Gathered, Scores
from hallmark.evaluation.comparison.pairing import (
    Paired,
    common_cases,
    compare_anytime,
    compare_corpora,
    compare_influences,
    compare_means,
)
from hallmark.evaluation.comparison.report import Comparison, Slice
from hallmark.evaluation.comparison.spans import as_span
from hallmark.evaluation.comparison.weighting import Weighting
from hallmark.evaluation.metrics import Direction, Metric
from hallmark.statistics.corrections import Correction, adjust
from hallmark.statistics.inputs import Integers
from hallmark.statistics.outcomes import Interval
from hallmark.statistics.verdicts import Answer, Finding, Verdict, judge

COMPARED_PARTS: tuple[Dimension, ...] = ("dataset", "group")
"""Parts of the cases that are compared of their own; of others there are estimates only."""
_CORRECTIONS = {
    "holm": Correction.HOLM,
    "benjamini-hochberg": Correction.BENJAMINI_HOCHBERG,
    "none": Correction.NONE,
}
CORRECTION_NAMES = {"holm": "Holm", "benjamini-hochberg": "Benjamini-Hochberg", "none": "none"}
_ANYTIME_CORRECTION = "Bonferroni"

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Tested:
    metric: Metric
    pair: Pair
    part: Slice | None
    is_primary: bool
    incomparable: tuple[str, ...] = ()
    paired: Paired | None = None
    wide: Interval | None = None
    """Of the difference, right together with those of all other pairs: what is held against the margin."""
    anytime: bool = False
    note: str = ""


def correct(p_values: Sequence[float], correction: str) -> list[float]:
    """Return adjusted p-values by the name of the correction in the suite's settings."""
    adjusted: list[float] = adjust(p_values, _CORRECTIONS[correction]).tolist()
    return adjusted


class Contest:
    """Compares the models of a run."""

    def __init__(
        self, evidence: EvaluationResults, gathered: Gathered, weighting: Weighting, corpora: CorpusMetrics
    ) -> None:
        self._evidence = evidence
        self._gathered = gathered
        self._weighting = weighting
        self._corpora = corpora
        self._confidence = evidence.settings.confidence

    def compare(self) -> tuple[Comparison, ...]:
        """Return all comparisons; those that answer the suite's question first."""
        tested = [
            each
            for measured in self._evidence.metrics
            for part in self._parts()
            for each in self._test(measured.metric, *part)
        ]
        tested.sort(key=lambda each: not each.is_primary)
        return tuple(self._judged(tested))

    def test(self, metric: Metric, pairs: Sequence[Pair]) -> dict[Pair, Paired]:
        """Test pairs of models on all cases; those that cannot be compared, or have nothing in common, are left out."""
        comparable = [pair for pair in pairs if not reasons_against(self._evidence, *pair, metric.name)]
        corpus = self._corpora.get(metric.name)
        if corpus is not None:
            return compare_influences(
                corpus, lambda model: self._scores(model, metric.name, None), comparable, self._confidence
            )
        return self._tests(metric, comparable, None, self._confidence)

    def _parts(self) -> Iterator[tuple[Slice | None, Integers | None]]:
        yield None, None
        for dimension in COMPARED_PARTS:
            for name, cases in self._gathered.parts(dimension).items():
                yield Slice(dimension=dimension, value=name), cases

    def _scores(self, model: str, metric: str, cases: Integers | None) -> Scores | None:
        found = self._gathered.scores.get((model, metric))
        return found if found is None or cases is None else found.at(cases)

    def _tests(
        self, metric: Metric, pairs: Sequence[Pair], cases: Integers | None, confidence: float
    ) -> dict[Pair, Paired]:
        corpus = self._corpora.get(metric.name)
        if corpus is not None:
            return compare_corpora(corpus, lambda model: self._scores(model, metric.name, cases), pairs, confidence)
        found = {}
        for pair in pairs:
            common = self._common(metric, pair, cases)
            paired = None if common is None else compare_means(metric, *common, self._weighting, confidence)
            if paired is not None:
                found[pair] = paired
        return found

    def _common(self, metric: Metric, pair: Pair, cases: Integers | None) -> tuple[Scores, Scores] | None:
        first, second = (self._scores(model, metric.name, cases) for model in pair)
        if first is None or second is None or first.rows is not None or second.rows is not None:
            return None
        return common_cases(first, second)

    def _test(self, metric: Metric, part: Slice | None, cases: Integers | None) -> Iterator[_Tested]:
        pairs = self._evidence.pairs
        is_primary = part is None and metric.name == self._evidence.primary.name
        against = {pair: reasons_against(self._evidence, *pair, metric.name) for pair in pairs}
        comparable = [pair for pair in pairs if not against[pair]]
        settings = self._evidence.settings
        looks = settings.early_stopping and (is_primary or (part is None and self._evidence.stopped is not None))
        found = self._anytime(metric, comparable) if looks else {}
        anytime = frozenset(found)
        rest = [pair for pair in comparable if pair not in anytime]
        found |= self._tests(metric, rest, cases, self._confidence)
        wide = {}
        if is_primary and settings.margin > 0 and len(comparable) > 1 and rest:
            wide = self._tests(metric, rest, cases, self._simultaneous)
        unprotected = settings.early_stopping and self._evidence.stopped is not None
        for pair in pairs:
            paired = found.get(pair)
            note = ""
            if paired is None:
                note = "the two have no case with a score in common"
            elif unprotected and pair not in anytime:
                note = "the run was stopped by looking at its results: this p-value is somewhat too small"
            elif paired.clustering is not None and not paired.clustering.is_enough:
                note = paired.clustering.reason
            elif paired.interval is None:
                note = "the cases do not tell how far others would scatter"
            yield _Tested(
                metric=metric,
                pair=pair,
                part=part,
                is_primary=is_primary,
                incomparable=against[pair],
                paired=paired,
                wide=wide[pair].interval if pair in wide else None,
                anytime=pair in anytime,
                note="" if against[pair] else note,
            )

    @property
    def _simultaneous(self) -> float:
        """Confidence of each interval with which all of the primary comparisons' intervals are right (Bonferroni)."""
        return 1 - (1 - self._confidence) / max(1, len(self._evidence.pairs))

    def _anytime(self, metric: Metric, pairs: Sequence[Pair]) -> dict[Pair, Paired]:
        found = {}
        for pair in pairs:
            common = self._common(metric, pair, None)
            if common is None or self._weighting.weights(common[0].cases) is not None or common[0].clustering():
                continue  # where cases do not count alike, or share clusters, no look may end the run (see stopping)
            paired = compare_anytime(metric, *common, self._simultaneous)
            if paired is not None:
                found[pair] = paired
        return found

    def _judged(self, tested: Sequence[_Tested]) -> Iterator[Comparison]:
        correction = self._evidence.settings.correction
        sure = [each for each in tested if each.paired is not None and each.paired.p_value is not None]
        p_values = [each.paired.p_value for each in sure if each.paired is not None and each.paired.p_value is not None]
        fixed = [place for place, each in enumerate(sure) if not each.anytime]
        first = [place for place in fixed if sure[place].is_primary]
        everything = dict(zip(fixed, correct([p_values[place] for place in fixed], correction), strict=True))
        answering = dict(zip(first, correct([p_values[place] for place in first], correction), strict=True))
        adjusted: dict[int, tuple[float, str, int]] = {}
        for place, each in enumerate(sure):
            if each.anytime:
                count = len(self._evidence.pairs)
                adjusted[id(each)] = min(1.0, p_values[place] * count), _ANYTIME_CORRECTION, count
            elif place in answering:
                adjusted[id(each)] = answering[place], CORRECTION_NAMES[correction], len(first)
            else:
                adjusted[id(each)] = everything[place], CORRECTION_NAMES[correction], len(fixed)
        for each in tested:
            yield self._conclude(each, *adjusted.get(id(each), (None, "", 0)))

    def _conclude(self, tested: _Tested, adjusted: float | None, correction: str, tests: int) -> Comparison:
        candidate, baseline = tested.pair
        known = Comparison(
            metric=tested.metric.name,
            candidate=candidate,
            baseline=baseline,
            part=tested.part,
            is_primary=tested.is_primary,
            incomparable=tested.incomparable,
            note=tested.note,
        )
        paired = tested.paired
        if paired is None:
            return known
        margin = self._evidence.settings.margin if tested.is_primary and self._evidence.settings.margin > 0 else None
        verdict, held = _verdict(tested, paired, adjusted, margin)
        return known.model_copy(
            update={
                "cases": paired.cases,
                "clusters": None if paired.clustering is None else paired.clustering.count,
                "effective_clusters": None if paired.clustering is None else paired.clustering.effective,
                "candidate_value": paired.candidate_value,
                "baseline_value": paired.baseline_value,
                "difference": paired.difference,
                "span": None if paired.interval is None else as_span(paired.interval),
                "p_value": paired.p_value,
                "method": paired.method,
                "adjusted_p": adjusted,
                "correction": correction,
                "tests": tests,
                "effect_size": paired.effect_size,
                "effect_size_name": paired.effect_size_name if paired.effect_size is not None else "",
                "margin": margin,
                "margin_span": None if held is None or margin is None else as_span(held),
                "answer": Answer.CANNOT_TELL if verdict is None else verdict.answer,
                "finding": Finding.CANNOT_TELL if verdict is None else verdict.finding,
                "is_non_inferior": None if verdict is None else verdict.is_non_inferior,
                "more_cases": None if verdict is None else verdict.more_cases,
                "detectable": paired.detectable,
            }
        )


def _verdict(
    tested: _Tested, paired: Paired, adjusted: float | None, margin: float | None
) -> tuple[Verdict | None, Interval | None]:
    """Return the verdict and what was held against the margin."""
    if paired.interval is None:
        return None, None
    higher = tested.metric.direction is Direction.HIGHER
    p_value = None if tested.anytime else adjusted
    interval = _holding(paired.interval, paired.difference)
    plain = judge(paired.difference, interval, paired.cases, p_value=p_value, higher_is_better=higher)
    if margin is None:
        return plain, None
    wide = interval if tested.wide is None else _holding(tested.wide, paired.difference)
    held = judge(paired.difference, wide, paired.cases, margin=margin, p_value=p_value, higher_is_better=higher)
    if plain.finding in {Finding.BETTER, Finding.WORSE}:
        return replace(plain, is_non_inferior=held.is_non_inferior, margin=margin), wide
    return held, wide


def _holding(interval: Interval, effect: float) -> Interval:
    """Return the interval with the effect in it: with few cases resampled values may all lie to one side of it."""
    return replace(interval, low=min(interval.low, effect), high=max(interval.high, effect))


def reasons_against(evidence: EvaluationResults, candidate: str, baseline: str, metric: str) -> tuple[str, ...]:
    """Return why two models cannot be compared on a metric: other data, other prompts, another scorer."""
    models = {model.name: model for model in evidence.models}
    first, second = models[candidate], models[baseline]
    if first.provenance is None and second.provenance is None:
        return ()
    signatures = {each.metric.name: each.signature for each in evidence.metrics}
    reasons = []
    for dataset in evidence.data:
        for what, own, kept in (
            ("dataset", dataset.digest, "data"),
            ("prompts of the dataset", dataset.prompts, "prompts"),
        ):
            found = [_of_model(model, kept, dataset.name, own) for model in (first, second)]
            if found[0] != found[1]:
                reasons.append(
                    f"the {what} {dataset.name} differ: {_shown(found[0])} of {candidate}, "
                    f"{_shown(found[1])} of {baseline}"
                )
    scorers = [
        _of_model(model, "signatures", metric, signatures[metric]) for model in (first, second) if metric in signatures
    ]
    if len(set(scorers)) > 1:
        reasons.append(f"the scorers of {metric} differ: {_shown(scorers[0])} and {_shown(scorers[1])}")
    return tuple(reasons)


def _of_model(model: EvaluatedModel, kept: str, name: str, own: str) -> str | None:
    if model.provenance is None:
        return own
    found: str | None = getattr(model.provenance, kept).get(name)
    return found


_SHOWN = 16


def _shown(value: str | None) -> str:
    if value is None:
        return "unknown"
    return value if len(value) <= _SHOWN * 3 else f"{value[:_SHOWN]}…"
