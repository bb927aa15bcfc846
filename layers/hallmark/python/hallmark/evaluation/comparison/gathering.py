"""Results as arrays: each case once, repeats averaged within their case, whatever order the results came in."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hallmark.evaluation.comparison.clustering import CaseKey, Clustering, find_clustering, number_clusters
from hallmark.evaluation.comparison.evidence import Dimension, EvaluationResults
from hallmark.evaluation.metrics import Direction, Metric, MetricKind
from hallmark.evaluation.results import Answer, CaseResult, Score
from hallmark.statistics.inputs import Floats, Integers

DIMENSIONS: tuple[Dimension, ...] = ("dataset", "group", "category", "difficulty")

LATENCY = Metric(
    name="answer:latency", title="Latency", direction=Direction.LOWER, kind=MetricKind.UNBOUNDED, high=None, unit="ms"
)
COST = Metric(
    name="answer:cost",
    title="Cost per request",
    direction=Direction.LOWER,
    kind=MetricKind.UNBOUNDED,
    high=None,
    unit="USD",
)
MEASUREMENTS = (LATENCY, COST)
"""What every answer tells without a scorer."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What one model scored on one metric, by case, in the order of the cases."""

    cases: Integers
    """Places of the cases that have a score, ascending, shape ``(n,)``."""
    means: Floats
    """Mean over the repeats of each case, shape ``(n,)``."""
    attempts: Integers
    """Repeats with a score of each case, shape ``(n,)``."""
    values: Floats
    """Every repeat, case by case, shape ``(attempts.sum(),)``."""
    rows: Floats | None = None
    """Of a metric of the corpus: statistics of each case, averaged over its repeats, shape ``(n, k)``."""
    clusters: Integers | None = None
    """Cluster of each case, shape ``(n,)``; None where each is its own."""

    @property
    def has_repeats(self) -> bool:
        """Whether a case was scored more than once."""
        return len(self.values) > len(self.means)

    def clustering(self, weights: Floats | None = None) -> Clustering | None:
        """Return how the cases cluster; None where no two of them share a cluster."""
        return None if self.clusters is None else find_clustering(self.clusters, weights)

    def at(self, wanted: Integers) -> Scores:
        """Return the scores of some cases: places, ascending."""
        kept = np.isin(self.cases, wanted, assume_unique=True)
        return Scores(
            cases=self.cases[kept],
            means=self.means[kept],
            attempts=self.attempts[kept],
            values=self.values[np.repeat(kept, self.attempts)],
            rows=None if self.rows is None else self.rows[kept],
            clusters=None if self.clusters is None else self.clusters[kept],
        )


@dataclass(slots=True)
class Tally:
    """Answers without a value of one model on one metric."""

    not_applicable: int = 0
    failures: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Gathered:
    """All results of a run."""

    keys: tuple[CaseKey, ...]
    weights: Floats
    """Of each case."""
    clusters: Integers | None
    """Of each case, a number for its cluster; None where each case is its own."""
    labels: Mapping[Dimension, tuple[str | None, ...]]
    """Of each case."""
    scores: Mapping[tuple[str, str], Scores]
    """By model and metric; a pair without any score is not in it."""
    tallies: Mapping[tuple[str, str], Tally]
    answers: Mapping[tuple[str, CaseKey], Answer]
    """The first answer of a model to a case."""
    outcomes: Mapping[str, Counter[str]]
    """Per model: calls by kind of failure, and those that were answered under the empty name."""
    throughput: Mapping[str, Floats]
    """Per model and answer: output tokens and seconds, shape ``(n, 2)``."""
    repeated: int
    """Results that came again with other content; one of them was kept."""

    def parts(self, dimension: Dimension) -> Mapping[str, Integers]:
        """Return the cases of each part, by name; nothing where there is only one part."""
        places: dict[str, list[int]] = defaultdict(list)
        for place, label in enumerate(self.labels[dimension]):
            if label is not None:
                places[label].append(place)
        if dimension == "dataset" and len(places) == 1:
            return {}
        return {label: np.array(places[label], dtype=np.int64) for label in sorted(places)}


def gather(evidence: EvaluationResults) -> Gathered:
    """Turn results into arrays.

    Results of models that the run does not name are left out. A score that its metric does not allow (a rate that is
    neither 0 nor 1, a value out of range, statistics of another length) counts as a failure of the scorer.
    """
    unique, repeated = _without_repeats(evidence)
    keys = tuple(sorted({(result.dataset, result.case) for result in unique}))
    places = {key: place for place, key in enumerate(keys)}
    weights = np.ones(len(keys))
    labels: dict[Dimension, list[str | None]] = {dimension: [None] * len(keys) for dimension in DIMENSIONS}
    outcomes: dict[str, Counter[str]] = {model.name: Counter() for model in evidence.models}
    answers: dict[tuple[str, CaseKey], Answer] = {}
    speeds: dict[str, list[tuple[float, float]]] = defaultdict(list)
    shelves = {measured.metric.name: _Shelf(measured.metric) for measured in evidence.metrics}
    measurements = {metric.name: _Shelf(metric) for metric in MEASUREMENTS}
    shared: dict[CaseKey, str] = {}
    for result in reversed(unique):
        # In reverse, so that what the first model says of a case is what remains.
        place = places[result.dataset, result.case]
        weights[place] = result.weight
        if result.cluster is not None:
            # Results of a champion that are older than clusters have none.
            shared[result.dataset, result.case] = result.cluster
        for dimension in DIMENSIONS:
            labels[dimension][place] = getattr(result, dimension)
    for result in unique:
        place = places[result.dataset, result.case]
        if result.answer is None:
            outcomes[result.model][str(result.failure.kind) if result.failure else "missing"] += 1
            continue
        answer = result.answer
        outcomes[result.model][""] += 1
        answers.setdefault((result.model, (result.dataset, result.case)), answer)
        if answer.latency_ms is not None:
            measurements[LATENCY.name].put(result.model, place, answer.latency_ms)
        if answer.cost_usd is not None:
            measurements[COST.name].put(result.model, place, answer.cost_usd)
        if answer.latency_ms and answer.output_tokens is not None:
            speeds[result.model].append((float(answer.output_tokens), answer.latency_ms / 1000))
        scored = {score.metric: score for score in result.scores}
        for name, shelf in shelves.items():
            shelf.add(result.model, place, scored.get(name))
    numbered = number_clusters(keys, shared)
    clusters = None if find_clustering(numbered) is None else numbered
    every = [*shelves.values(), *measurements.values()]
    return Gathered(
        keys=keys,
        weights=weights,
        clusters=clusters,
        labels={dimension: tuple(found) for dimension, found in labels.items()},
        scores={key: scores for shelf in every for key, scores in shelf.scores(clusters)},
        tallies={(model, shelf.metric.name): tally for shelf in every for model, tally in shelf.tallies.items()},
        answers=answers,
        outcomes=outcomes,
        throughput={model: np.array(found) for model, found in speeds.items()},
        repeated=repeated,
    )


def _without_repeats(evidence: EvaluationResults) -> tuple[list[CaseResult], int]:
    """Return each case of each model and repeat once, in order; an answer is kept before a failure."""
    known = {model.name for model in evidence.models}
    found: dict[tuple[str, str, str, int], CaseResult] = {}
    differing: set[tuple[str, str, str, int]] = set()
    for result in evidence.results:
        if result.model not in known:
            continue
        key = (result.dataset, result.case, result.model, result.epoch)
        other = found.setdefault(key, result)
        if other is not result and other != result:
            differing.add(key)
            found[key] = min(other, result, key=_precedence)
    return [found[key] for key in sorted(found)], len(differing)


def _precedence(result: CaseResult) -> tuple[bool, str]:
    return result.answer is None, result.model_dump_json()


_LARGEST = 1e100
"""Squares and sums of larger scores would be no numbers."""


class _Shelf:
    """Collects the scores of one metric."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.tallies: dict[str, Tally] = defaultdict(Tally)
        self._found: dict[str, list[tuple[int, tuple[float, ...]]]] = defaultdict(list)

    def add(self, model: str, place: int, score: Score | None) -> None:
        """Take a score, or count why there is none."""
        if score is None or (score.value is None and score.failure is None and not self._is_corpus(score)):
            self.tallies[model].not_applicable += 1
            return
        fault = score.failure if score.failure is not None else self._fault(score)
        if fault is not None:
            self.tallies[model].failures[fault] += 1
        else:
            self._found[model].append((place, score.statistics if self._is_corpus(score) else (score.value or 0.0,)))

    def put(self, model: str, place: int, value: float) -> None:
        """Take a value that is known to be in order."""
        self._found[model].append((place, (value,)))

    def _is_corpus(self, score: Score) -> bool:
        return self.metric.kind is MetricKind.CORPUS and bool(score.statistics)

    def _fault(self, score: Score) -> str | None:
        metric, value = self.metric, score.value
        large = next((each for each in (*score.statistics, value or 0.0) if abs(each) > _LARGEST), None)
        if large is not None:
            return f"the score is {large:g}, too large to compute with"
        if metric.kind is MetricKind.CORPUS:
            return None if score.statistics else "the score has no statistics to sum over the corpus"
        if value is None or not math.isfinite(value):
            return f"the score is {value}, which is no number"
        if metric.kind is MetricKind.BINARY and value not in {0, 1}:
            return f"the score is {value:g}, neither 0 nor 1"
        if metric.kind is MetricKind.BOUNDED and not _lies_within(value, metric.low, metric.high):
            return f"the score is {value:g}, not from {metric.low} to {metric.high}"
        return None

    def scores(self, clusters: Integers | None) -> Iterable[tuple[tuple[str, str], Scores]]:
        """Yield the arrays of each model."""
        is_corpus = self.metric.kind is MetricKind.CORPUS
        widths = Counter(len(values) for found in self._found.values() for _, values in found)
        width = min(widths, key=lambda each: (-widths[each], each)) if widths else 0
        for model, found in sorted(self._found.items()):
            kept = found
            if is_corpus:
                kept = [each for each in found if len(each[1]) == width]
                if len(kept) < len(found):
                    fault = f"the score has another number of statistics than {width}"
                    self.tallies[model].failures[fault] += len(found) - len(kept)
            if kept:
                yield (model, self.metric.name), _arrays(kept, clusters, is_corpus=is_corpus)


def _lies_within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _arrays(found: Sequence[tuple[int, tuple[float, ...]]], clusters: Integers | None, *, is_corpus: bool) -> Scores:
    places = np.array([place for place, _ in found], dtype=np.int64)
    cases, codes, attempts = np.unique(places, return_inverse=True, return_counts=True)
    own = None if clusters is None else clusters[cases]
    if is_corpus:
        table = np.array([values for _, values in found], dtype=np.float64)
        rows = np.zeros((len(cases), table.shape[1]))
        np.add.at(rows, codes, table)
        if (attempts > 1).any():
            rows /= attempts[:, None]
        means = np.zeros(len(cases))
        return Scores(cases, means, attempts.astype(np.int64), np.zeros(len(found)), rows, own)
    values = np.array([value for _, (value,) in found], dtype=np.float64)
    means = np.bincount(codes, weights=values) / attempts
    return Scores(cases, np.asarray(means, dtype=np.float64), attempts.astype(np.int64), values, clusters=own)
