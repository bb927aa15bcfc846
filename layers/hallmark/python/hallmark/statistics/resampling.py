"""Resampled sums: what bootstrap and randomisation have in common, fast where cases repeat or sums suffice.

A metric that is computed from sums over cases (a mean, a ratio, BLEU, macro-F1) needs no resampled cases: a resample is
a vector of counts, and its sums are one product of matrices for all metrics and systems at once. Where the cases have
few distinct rows (0/1 scores) their counts are multinomial, and the number of cases no longer matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from hallmark.errors import InvalidInputError
from hallmark.statistics.inputs import Floats
from hallmark.statistics.ranges import whole

MetricOfSums = Callable[[Floats], Floats]
"""Computes a metric from sums over cases: shape ``(m, k)`` to ``(m,)``, row by row."""

_CHUNK_ELEMENTS = 1 << 21
_REPEATS_FOR_MULTINOMIAL = 20
_EXACT_IN_SINGLE = float(1 << 24)
_SMALL_INDEX = 1 << 16


def mean_of_sums(sums: Floats) -> Floats:
    """First column divided by the second: a mean from sums of weighted values and of weights."""
    return np.divide(sums[:, 0], sums[:, 1])


def row_by_row(combine: Callable[[Sequence[float]], float]) -> MetricOfSums:
    """Turn a function of one vector of sums, shape ``(k,)``, into one of many, shape ``(m, k)``."""

    def metric(sums: Floats) -> Floats:
        return np.array([combine(row) for row in sums.tolist()], dtype=np.float64)

    return metric


def bleu_of_sums(sums: Floats) -> Floats:
    """Corpus BLEU of sacrebleu's statistics, as its default computes it (exponential smoothing, order 4).

    Papineni et al., BLEU, ACL 2002; smoothing as sacrebleu 2.6.0 and mteval-v13a.pl.

    Args:
        sums: Length of the answers, length of the references, 4 counts of matching n-grams, 4 of all n-grams; shape
            ``(m, 10)``.

    Returns:
        BLEU from 0 to 100, shape ``(m,)``.
    """
    length, reference, correct, total = sums[:, 0], sums[:, 1], sums[:, 2:6], sums[:, 6:10]
    missing = (correct == 0) & (total > 0)
    smoothed = np.where(missing, 0.5 ** np.cumsum(missing, axis=1), correct)
    usable = (correct.sum(axis=1) > 0) & (total > 0).all(axis=1)
    safe = usable[:, None]
    logs = np.log(np.where(safe, smoothed, 1.0) / np.where(safe, total, 1.0))
    brevity = np.where(length < reference, 1 - reference / np.where(length > 0, length, 1.0), 0.0)
    return np.where(usable, 100 * np.exp(logs.mean(axis=1) + brevity), 0.0)


def apply_metric(metric: MetricOfSums, sums: Floats) -> Floats:
    """Compute a metric, and refuse what is no number per row.

    Raises:
        InvalidInputError: The metric gives another shape, or a value that is not finite.
    """
    found = np.asarray(metric(sums), dtype=np.float64)
    if found.shape != (len(sums),):
        raise InvalidInputError("metric", found.shape, f"return one value per row of sums, shape ({len(sums)},)")
    if not np.isfinite(found).all():
        raise InvalidInputError(
            "metric", float(found[~np.isfinite(found)][0]), "return a finite value for any resample"
        )
    return found


def generator(seed: int) -> np.random.Generator:
    """Return the source of random numbers for a seed: the same seed gives the same answer."""
    return np.random.default_rng(whole("seed", seed))


def resampled_sums(rows: Floats, resamples: int, random: np.random.Generator) -> Floats:
    """Sums over bootstrap resamples of the rows.

    Args:
        rows: Shape ``(n, k)``.
        resamples: How many.
        random: The source of random numbers.

    Returns:
        Shape ``(resamples, k)``.
    """
    distinct, counts = distinct_rows(rows)
    if len(distinct) * _REPEATS_FOR_MULTINOMIAL <= len(rows):
        drawn = random.multinomial(len(rows), counts / len(rows), size=resamples)
        return np.asarray(drawn @ distinct, dtype=np.float64)
    if rows.shape[1] == 1:
        return _sums_of_drawn(rows[:, 0], resamples, random)[:, None]
    return weighted_sums(rows, _resampling_weights(len(rows), resamples, random), resamples)


def distinct_rows(rows: Floats) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Return the distinct rows and how often each occurs."""
    if rows.shape[1] == 1:
        values, counts = np.unique(rows[:, 0], return_counts=True)
        return values[:, None], counts
    return np.unique(rows, axis=0, return_counts=True)


def weighted_sums(rows: Floats, weights: Iterator[npt.NDArray[np.float32]], count: int) -> Floats:
    """Products of chunks of weight vectors with the rows, one after the other.

    Single precision is used where it is exact: whole numbers whose sums stay below 2**24.

    Returns:
        Shape ``(count, k)``.
    """
    exact = bool((rows == np.rint(rows)).all()) and len(rows) * float(np.abs(rows).max()) < _EXACT_IN_SINGLE
    factors = rows.astype(np.float32) if exact else rows
    sums = np.empty((count, rows.shape[1]))
    done = 0
    for chunk in weights:
        sums[done : done + len(chunk)] = (chunk if exact else chunk.astype(np.float64)) @ factors
        done += len(chunk)
    return sums


def _resampling_weights(n: int, resamples: int, random: np.random.Generator) -> Iterator[npt.NDArray[np.float32]]:
    """How often each of ``n`` rows is drawn in each resample, in chunks of shape ``(some, n)``."""
    for some in chunk_lengths(resamples, n):
        drawn = random.integers(0, n, size=(some, n), dtype=np.int32)
        drawn += np.arange(0, some * n, n, dtype=np.int32)[:, None]
        yield np.bincount(drawn.ravel(), minlength=some * n).reshape(some, n).astype(np.float32)


def shared_resampled_sums(rows: Floats, resamples: int, random: np.random.Generator) -> Floats:
    """Sums over resamples of rows of many columns, without looking for rows that repeat; shape ``(resamples, k)``."""
    return weighted_sums(rows, _resampling_weights(len(rows), resamples, random), resamples)


def randomly_chosen_sums(rows: Floats, trials: int, random: np.random.Generator) -> Floats:
    """Sums over rows of which each is taken with probability ½; shape ``(trials, k)``."""

    def weights() -> Iterator[npt.NDArray[np.float32]]:
        n = len(rows)
        for some in chunk_lengths(trials, n):
            bits = np.frombuffer(random.bytes((some * n + 7) // 8), dtype=np.uint8)
            yield np.unpackbits(bits, count=some * n).reshape(some, n).astype(np.float32)

    return weighted_sums(rows, weights(), trials)


def _sums_of_drawn(values: Floats, resamples: int, random: np.random.Generator) -> Floats:
    n = len(values)
    kind = np.uint16 if n <= _SMALL_INDEX else np.int32
    parts = [
        values.take(random.integers(0, n, size=(some, n), dtype=kind)).sum(axis=1)
        for some in chunk_lengths(resamples, n)
    ]
    return np.concatenate(parts)


def chunk_lengths(total: int, width: int) -> Iterator[int]:
    """Split ``total`` rows of ``width`` numbers so that a chunk fits in some megabytes."""
    most = max(1, _CHUNK_ELEMENTS // max(1, width))
    for begun in range(0, total, most):
        yield min(most, total - begun)


def summed_by_cluster(rows: Floats, codes: npt.NDArray[np.int64], clusters: int) -> Floats:
    """Sum rows by cluster, shape ``(clusters, k)``."""
    sums = np.zeros((clusters, rows.shape[1]))
    np.add.at(sums, codes, rows)
    return sums
