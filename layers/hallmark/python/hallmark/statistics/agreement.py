"""Do raters agree, and what is a judge's mean worth: kappa, Krippendorff's alpha, prediction-powered means."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from hallmark.errors import InvalidInputError
from hallmark.statistics.bootstrap import BootstrapInterval, bootstrap_metric
from hallmark.statistics.distributions import t_quantile, two_sided_z
from hallmark.statistics.inputs import Floats, Labels, Values, finite
from hallmark.statistics.intervals import estimate_mean
from hallmark.statistics.outcomes import Estimate, Interval
from hallmark.statistics.ranges import fraction, same_length
from hallmark.statistics.resampling import MetricOfSums

_MOST_RANKS = 50
_LEAST = 2


class Disagreement(StrEnum):
    """How far apart two categories are, for weighted kappa."""

    ANY = "any"
    """All that is not the same is alike wrong: plain kappa."""
    LINEAR = "linear"
    QUADRATIC = "quadratic"


class Scale(StrEnum):
    """What the distance between two ratings means, for Krippendorff's alpha."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"


def cohens_kappa(
    first: Labels,
    second: Labels,
    *,
    disagreement: Disagreement = Disagreement.ANY,
    categories: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> Estimate:
    """Agreement of two raters beyond chance: 1 is perfect, 0 is chance (Cohen, 1960; weighted: Cohen, 1968).

    The standard error is that of Fleiss, Cohen and Everitt, Psychological Bulletin 72 (1969), equation 8.

    Args:
        first: A label per case.
        second: The other rater's labels of the same cases in the same order.
        disagreement: How far apart categories are; linear and quadratic go by their order.
        categories: All categories in order; sorted labels without.
        confidence: Of the normal interval, cut off at -1 and 1.

    Raises:
        InvalidInputError: The two are not labels of the same cases, a label is no category, or all labels are the same.
    """
    one, other = (list(labels.tolist() if isinstance(labels, np.ndarray) else labels) for labels in (first, second))
    same_length("second", len(other), len(one), "first")
    ordered = list(categories) if categories is not None else sorted({*one, *other})
    if len(ordered) < _LEAST:
        raise InvalidInputError("first", ordered, "give labels of at least two categories: chance alone agrees on one")
    places = {label: place for place, label in enumerate(ordered)}
    for name, labels in (("first", one), ("second", other)):
        unknown = [number for number, label in enumerate(labels) if label not in places]
        if unknown:
            raise InvalidInputError(f"{name}[{unknown[0]}]", labels[unknown[0]], f"give one of {ordered}")
    size = len(ordered)
    table = np.zeros((size, size))
    np.add.at(table, ([places[label] for label in one], [places[label] for label in other]), 1.0)
    return _kappa(table, disagreement, confidence)


def _kappa(table: Floats, disagreement: Disagreement, confidence: float) -> Estimate:
    n, size = int(table.sum()), len(table)
    shares = table / n
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    distance = np.abs(np.arange(size)[:, None] - np.arange(size)[None, :]) / (size - 1)
    weights = {
        Disagreement.ANY: np.eye(size),
        Disagreement.LINEAR: 1 - distance,
        Disagreement.QUADRATIC: 1 - distance**2,
    }[disagreement]
    chance = float(rows @ weights @ columns)
    if chance >= 1:
        raise InvalidInputError("first", "one category", "give labels that vary: chance alone agrees on one category")
    kappa = (float((weights * shares).sum()) - chance) / (1 - chance)
    margins = (weights @ columns)[:, None] + (rows @ weights)[None, :]
    spread = float((shares * (weights - margins * (1 - kappa)) ** 2).sum()) - (kappa - chance * (1 - kappa)) ** 2
    error = math.sqrt(max(0.0, spread) / n) / (1 - chance)
    half = two_sided_z(confidence) * error
    interval = Interval(max(-1.0, kappa - half), min(1.0, kappa + half), confidence, "normal (Fleiss, Cohen, Everitt)")
    return Estimate(kappa, error, interval, n)


def krippendorffs_alpha(
    ratings: Sequence[Sequence[float | None]] | npt.NDArray[Any],
    scale: Scale = Scale.NOMINAL,
    *,
    confidence: float = 0.95,
    resamples: int = 1_000,
    seed: int = 0,
) -> Estimate:
    """Agreement of any number of raters, with gaps (Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011).

    Args:
        ratings: A row per rater, a column per unit; None or NaN where a rater did not rate. Number nominal labels.
        scale: What the distance between ratings means.
        confidence: Of the percentile interval of a bootstrap over units.
        resamples: How many.
        seed: The same seed gives the same answer.

    Returns:
        ``n`` is the number of units with at least two ratings; others tell nothing about agreement.

    Raises:
        InvalidInputError: Rows differ in length, fewer than two units are rated twice, or all ratings are the same.
    """
    table = _rating_table(ratings)
    rated = np.isfinite(table)
    usable = rated.sum(axis=0) >= _LEAST
    if int(usable.sum()) < _LEAST:
        raise InvalidInputError(
            "ratings", f"{int(usable.sum())} units rated twice", "have at least two units rated twice"
        )
    table, rated = table[:, usable], rated[:, usable]
    values = table[rated]
    if (values == values[0]).all():
        raise InvalidInputError(
            "ratings", float(values[0]), "give ratings that vary: agreement on one value is undefined"
        )
    rows, metric = _interval_sums(table, rated) if scale is Scale.INTERVAL else _category_sums(table, rated, scale)
    return bootstrap_metric(
        rows, metric, method=BootstrapInterval.PERCENTILE, confidence=confidence, resamples=resamples, seed=seed
    )


def _rating_table(ratings: Sequence[Sequence[float | None]] | npt.NDArray[Any]) -> Floats:
    widths = {len(row) for row in ratings}
    if len(widths) != 1 or len(ratings) < _LEAST:
        raise InvalidInputError(
            "ratings", f"{len(ratings)} rows", "give at least two raters, a column per unit for each"
        )
    filled = [[math.nan if value is None else value for value in row] for row in ratings]
    table = np.array(filled, dtype=np.float64)
    if np.isinf(table).any():
        raise InvalidInputError("ratings", math.inf, "give finite ratings, None where there is none")
    return table


def _interval_sums(table: Floats, rated: npt.NDArray[np.bool_]) -> tuple[Floats, MetricOfSums]:
    """Per unit: squared distances within it, ratings, their sum and sum of squares."""
    centred = np.where(rated, table - np.mean(table[rated]), 0.0)
    count, total, squares = rated.sum(axis=0), centred.sum(axis=0), (centred**2).sum(axis=0)
    within = 2 * (count * squares - total**2) / (count - 1)

    def alpha(sums: Floats) -> Floats:
        n = sums[:, 1]
        return _one_minus(sums[:, 0] / n, 2 * (n * sums[:, 3] - sums[:, 2] ** 2) / (n * (n - 1)))

    return np.column_stack((within, count, total, squares)), alpha


def _category_sums(table: Floats, rated: npt.NDArray[np.bool_], scale: Scale) -> tuple[Floats, MetricOfSums]:
    """Per unit: how often each value was given, and how often each pair of values coincides."""
    values, codes = np.unique(table[rated], return_inverse=True)
    size = len(values)
    counts = np.zeros((table.shape[1], size))
    np.add.at(counts, (np.nonzero(rated)[1], codes), 1.0)
    given = counts.sum(axis=1)
    if scale is Scale.NOMINAL:
        unlike = (given**2 - (counts**2).sum(axis=1)) / (given - 1)

        def nominal(sums: Floats) -> Floats:
            n = sums[:, 1:].sum(axis=1)
            return _one_minus(sums[:, 0] / n, (n**2 - (sums[:, 1:] ** 2).sum(axis=1)) / (n * (n - 1)))

        return np.column_stack((unlike, counts)), nominal
    if size > _MOST_RANKS:
        raise InvalidInputError("ratings", f"{size} ranks", f"use the interval scale, or at most {_MOST_RANKS} ranks")
    upper = np.triu_indices(size, 1)
    pairs = 2 * counts[:, upper[0]] * counts[:, upper[1]] / (given - 1)[:, None]

    def ordinal(sums: Floats) -> Floats:
        each, coinciding = sums[:, :size], sums[:, size:]
        n = each.sum(axis=1)
        until = np.cumsum(each, axis=1) - each / 2
        distance = (until[:, upper[1]] - until[:, upper[0]]) ** 2
        expected = 2 * (each[:, upper[0]] * each[:, upper[1]] * distance).sum(axis=1) / (n * (n - 1))
        return _one_minus((coinciding * distance).sum(axis=1) / n, expected)

    return np.column_stack((counts, pairs)), ordinal


def _one_minus(observed: Floats, expected: Floats) -> Floats:
    """Alpha; 1 for a resample in which all ratings are the same."""
    varied = expected > 0
    return np.asarray(1 - np.divide(observed, expected, out=np.zeros_like(observed), where=varied), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class BiasCorrected:
    """A judge's mean corrected by what people say of the anchor cases."""

    estimate: Estimate
    judge_mean: float
    """Of all cases, uncorrected."""
    bias: float
    """Judge minus people on the anchor cases."""
    tuning: float
    """How much the judge counts: 0 not at all, 1 as much as people; chosen to make the interval short."""
    human_only: Estimate
    """What the anchor cases alone say: the corrected interval is not much wider, and often much narrower."""


def prediction_powered_mean(
    human: Values,
    judge_on_anchor: Values,
    judge_on_rest: Values,
    *,
    confidence: float = 0.95,
    power_tuned: bool = True,
) -> BiasCorrected:
    """Mean of what people would say of all cases, from a few human labels and many of a judge.

    Angelopoulos, Bates, Fannjiang, Jordan and Zrnic, Prediction-powered inference, Science 382 (2023); the tuning of
    Angelopoulos, Duchi and Zrnic, PPI++, arXiv 2311.01453, section 6.1. Valid however bad the judge is, if the anchor
    cases are a random sample of the same cases. Student's t with the anchor cases less one widens it for few labels.

    Args:
        human: Labels of the anchor cases, shape ``(n,)``, at least two.
        judge_on_anchor: The judge's scores of the same cases in the same order.
        judge_on_rest: The judge's scores of cases without labels, shape ``(N,)``, at least two.
        confidence: E.g. 0.95.
        power_tuned: False counts the judge fully (plain PPI).

    Raises:
        InvalidInputError: A score is not finite, the anchor scores differ in number, or there are fewer than two.
    """
    labels = finite("human", human, least=_LEAST)
    anchor = finite("judge_on_anchor", judge_on_anchor, least=_LEAST)
    rest = finite("judge_on_rest", judge_on_rest, least=_LEAST)
    same_length("judge_on_anchor", len(anchor), len(labels), "human")
    few, many = len(labels), len(rest)
    everything = np.concatenate((anchor, rest))
    spread = float(everything.var(ddof=1))
    tuning = 1.0 if spread > 0 else 0.0
    if power_tuned and spread > 0:
        shared = float(np.cov(labels, anchor, ddof=1)[0, 1])
        tuning = min(1.0, max(0.0, shared / ((1 + few / many) * spread)))
    corrected = labels - tuning * anchor
    value = tuning * float(rest.mean()) + float(corrected.mean())
    error = math.sqrt(float(corrected.var(ddof=1)) / few + tuning**2 * float(rest.var(ddof=1)) / many)
    half = t_quantile(0.5 + fraction("confidence", confidence) / 2, few - 1) * error
    method = "prediction-powered, tuned" if power_tuned else "prediction-powered"
    return BiasCorrected(
        estimate=Estimate(value, error, Interval(value - half, value + half, confidence, method), few + many),
        judge_mean=float(everything.mean()),
        bias=float((anchor - labels).mean()),
        tuning=tuning,
        human_only=estimate_mean(labels, confidence=confidence),
    )
