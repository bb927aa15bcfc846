"""Do two sets of embeddings come from the same distribution? Rows are texts, columns are what a model gave.

Two answers, without any permutation, so that p-values reach as far as a year of looks asks: kernel distance with a
studentised statistic, and a classifier that tries to tell baseline from window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hallmark.drift.statistics.arrays import Anything, Floats, Integers
from hallmark.errors import InvalidInputError
from hallmark.statistics.distributions import normal_cdf, t_tail

MOST_ROWS = 2_000
"""Rows of either side that the kernel distance looks at; more are thinned evenly."""
MOST_CLASSIFIED = 20_000
_LEAST_ROWS = 8
_NEWTON_STEPS = 25
_SMALL_STEP = 1e-6
_OF_THE_INTERCEPT = 1e-6
"""Penalty of the intercept: none, but for sets that can be told apart wholly."""
_PERMUTATIONS = 999
_Z95 = 1.959963984540054


@dataclass(frozen=True)
class EmbeddingDistance:
    """What was found.

    Args:
        value: Kernel distance (MMD, from 0), or area under the curve (0.5: cannot be told apart, 1: always).
        low: Lower end of the interval of 95 %.
        high: Upper end.
        p_value: Chance of such a value where nothing has changed.
    """

    value: float
    low: float
    high: float
    p_value: float


def maximum_mean_discrepancy(
    baseline: Anything, current: Anything, *, permutations: int | None = None, seed: int = 0
) -> EmbeddingDistance:
    """Maximum mean discrepancy with a Gaussian kernel as wide as the median distance of all rows.

    The value is the square root of the unbiased estimate (Gretton et al., A kernel two-sample test, JMLR 13, 2012,
    lemma 6; 0 where that is negative): from 0 to 1.41. The p-value is that of the cross-statistic, in which each half
    of the rows judges the other, normal for every dimension (Shekhar, Kim and Ramdas, A permutation-free kernel
    two-sample test, NeurIPS 2022), or of permutations if they are asked for. As the variance is estimated from few
    rows, Student's t with Welch's degrees of freedom takes the normal's place, which is much too small far out.

    Args:
        baseline: Shape ``(m, k)``, at least 8 rows.
        current: Shape ``(n, k)``, at least 8 rows.
        permutations: How many, e.g. 999: p is then at least one over one more than that.
        seed: Of the permutations.

    Raises:
        InvalidInputError: They are no tables of finite numbers of equal width, or have too few rows.
    """
    one, other = _tables(baseline, current, MOST_ROWS)
    m, n = len(one), len(other)
    kernel = _gaussian(np.concatenate([one, other]))
    square = _unbiased(kernel, np.arange(m + n) < m)
    halves = _cross_statistic(kernel, m, n)
    spread = _Z95 * halves[1]
    low, value, high = (math.sqrt(max(0.0, part)) for part in (square - spread, square, square + spread))
    if permutations is None:
        chance = t_tail(halves[0] / halves[1], halves[2]) if halves[1] > 0 else 1.0
        return EmbeddingDistance(value, low, high, chance)
    random = np.random.default_rng(seed)
    sides = np.arange(m + n) < m
    larger = sum(_unbiased(kernel, random.permutation(sides)) >= square * (1 - 1e-12) for _ in range(permutations))
    return EmbeddingDistance(value, low, high, (1 + larger) / (1 + permutations))


def domain_classifier(baseline: Anything, current: Anything, *, seed: int = 0) -> EmbeddingDistance:
    """How well a logistic regression tells window from baseline: area under the curve on rows that it has not seen.

    Each half of the rows is judged by what was fitted to the other half, with as much shrinkage as there are columns
    for a row. The p-value is twice the smaller one of two rank tests (Mann and Whitney, 1947), each on one half.

    Args:
        baseline: Shape ``(m, k)``, at least 8 rows.
        current: Shape ``(n, k)``, at least 8 rows.
        seed: Of the halves.

    Raises:
        InvalidInputError: They are no tables of finite numbers of equal width, or have too few rows.
    """
    one, other = _tables(baseline, current, MOST_CLASSIFIED)
    random = np.random.default_rng(seed)
    rows = np.concatenate([one, other])
    labels = np.concatenate([np.zeros(len(one)), np.ones(len(other))])
    halves = np.concatenate([random.permutation(len(one)) % 2, random.permutation(len(other)) % 2])
    areas, chances, errors = [], [], []
    for half in (0, 1):
        fitted = _logistic(rows[halves != half], labels[halves != half])
        area, chance, error = _rank_test(fitted(rows[halves == half]), labels[halves == half])
        areas.append(area)
        chances.append(chance)
        errors.append(error)
    value = float(np.mean(areas))
    spread = _Z95 * math.hypot(*errors) / 2
    return EmbeddingDistance(value, max(0.0, value - spread), min(1.0, value + spread), min(1.0, 2 * min(chances)))


def _tables(baseline: Anything, current: Anything, most: int) -> tuple[Floats, Floats]:
    found = []
    for name, rows in (("baseline", baseline), ("current", current)):
        try:
            table = np.asarray(rows, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InvalidInputError(name, type(rows).__name__, "give a table of numbers, a row per text") from error
        if table.ndim != 2 or len(table) < _LEAST_ROWS or not table.shape[1]:  # noqa: PLR2004 - rows and columns
            raise InvalidInputError(name, table.shape, f"give at least {_LEAST_ROWS} rows of the same length")
        if not np.isfinite(table).all():
            place = int(np.argwhere(~np.isfinite(table))[0][0])
            raise InvalidInputError(f"{name}[{place}]", "NaN or infinite", "leave out texts without an embedding")
        thinned = np.linspace(0, len(table) - 1, min(len(table), most)).round().astype(np.int64)
        found.append(table[thinned])
    if found[0].shape[1] != found[1].shape[1]:
        remedy = f"embed the window with the baseline's model: {found[0].shape[1]} columns"
        raise InvalidInputError("current", found[1].shape, remedy)
    return found[0], found[1]


def _gaussian(rows: Floats) -> Floats:
    norms = np.sum(rows**2, axis=1)
    squares = np.maximum(norms[:, None] + norms[None, :] - 2 * rows @ rows.T, 0.0)
    middle = float(np.median(squares[np.triu_indices(len(rows), 1)]))
    return np.asarray(np.exp(-squares / (middle or 1.0)))


def _unbiased(kernel: Floats, first: Anything) -> float:
    m, n = int(first.sum()), int((~first).sum())
    weights = first.astype(np.float64)
    across = kernel @ weights
    diagonal = float(np.trace(kernel)) / len(kernel)  # 1 for a Gaussian kernel
    within_one = float(weights @ across) - m * diagonal
    both = float((1 - weights) @ across)
    within_other = float(kernel.sum()) - 2 * both - float(weights @ across) - n * diagonal
    return within_one / (m * (m - 1)) + within_other / (n * (n - 1)) - 2 * both / (m * n)


def _cross_statistic(kernel: Floats, m: int, n: int) -> tuple[float, float, float]:
    """Product of the mean embeddings' differences in two halves, its standard error, and the degrees of freedom."""
    ones, others = np.arange(m), m + np.arange(n)
    first, second = (ones[::2], others[::2]), (ones[1::2], others[1::2])
    witness = kernel[:, second[0]].mean(axis=1) - kernel[:, second[1]].mean(axis=1)
    for_one, for_other = witness[first[0]], witness[first[1]]
    parts = [(float(each.var(ddof=1)) / len(each), len(each) - 1) for each in (for_one, for_other)]
    variance = sum(part for part, _ in parts)
    degrees = variance**2 / sum(part**2 / free for part, free in parts) if variance > 0 else 1.0
    return float(for_one.mean() - for_other.mean()), math.sqrt(variance), degrees


class _Fitted:
    """Scores rows by a linear function of standardised columns."""

    def __init__(self, centre: Floats, scale: Floats, weights: Floats) -> None:
        self._centre, self._scale, self._weights = centre, scale, weights

    def __call__(self, rows: Floats) -> Floats:
        return np.asarray((rows - self._centre) / self._scale @ self._weights)


def _logistic(rows: Floats, labels: Floats) -> _Fitted:
    """Fit a ridge logistic regression by Newton's steps; classes weigh the same whatever their sizes."""
    centre, scale = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    table = (rows - centre) / scale
    importance = np.where(labels == 1, 0.5 / labels.mean(), 0.5 / (1 - labels.mean()))
    solve = _solve_by_rows if len(rows) < rows.shape[1] else _solve_by_columns
    return _Fitted(centre, scale, solve(table, labels, importance, 1.0 + rows.shape[1]))


def _solve_by_columns(table: Floats, labels: Floats, importance: Floats, penalty: float) -> Floats:
    table = np.column_stack([table, np.ones(len(table))])
    ridge = np.full(table.shape[1], penalty)
    ridge[-1] = _OF_THE_INTERCEPT
    weights = np.zeros(table.shape[1])
    for _ in range(_NEWTON_STEPS):
        chances = _chances(table @ weights)
        slope = table.T @ (importance * (chances - labels)) + ridge * weights
        curvature = (table * (importance * chances * (1 - chances))[:, None]).T @ table + np.diag(ridge)
        step = np.linalg.solve(curvature, slope)
        weights -= step
        if float(np.abs(step).max()) < _SMALL_STEP:
            break
    return np.asarray(weights[:-1])


def _solve_by_rows(table: Floats, labels: Floats, importance: Floats, penalty: float) -> Floats:
    """Solve for a share of each row: the weights are a combination of the rows, whatever the number of columns.

    With ``weights = table.T @ shares`` the slope is 0 where ``importance * (chances - labels) + penalty * shares`` is.
    """
    products, last = table @ table.T, len(table)
    shares = np.zeros(last + 1)  # and the intercept
    system, diagonal = np.zeros((last + 1, last + 1)), np.arange(last)
    for _ in range(_NEWTON_STEPS):
        chances = _chances(products @ shares[:-1] + shares[-1])
        wrong, bends = importance * (chances - labels), importance * chances * (1 - chances)
        system[:last, :last] = bends[:, None] * products
        system[diagonal, diagonal] += penalty
        system[:last, last] = bends
        system[last, :last] = bends @ products
        system[last, last] = bends.sum() + _OF_THE_INTERCEPT
        slope = np.append(wrong + penalty * shares[:-1], wrong.sum() + _OF_THE_INTERCEPT * shares[-1])
        step = np.linalg.solve(system, slope)
        shares -= step
        if float(np.abs(products @ step[:-1] + step[-1]).max()) < _SMALL_STEP:
            break
    return np.asarray(table.T @ shares[:-1])


def _chances(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))))


def _rank_test(scores: Floats, labels: Floats) -> tuple[float, float, float]:
    """Area under the curve, one-sided p-value of "no better than chance", standard error of the area (Hanley, 1982)."""
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    sizes: Integers = np.diff(starts, append=len(scores))
    ranks = np.empty(len(scores))
    ranks[order] = np.repeat(starts + (sizes + 1) / 2, sizes)
    n = int(labels.sum())
    m, total = len(labels) - n, len(labels)
    area = (float(ranks[labels == 1].sum()) - n * (n + 1) / 2) / (m * n)
    ties = float((sizes.astype(np.float64) ** 3 - sizes).sum()) / (total * (total - 1))
    spread = math.sqrt(max(0.0, (total + 1 - ties) / (12 * m * n)))
    # Ranks come in whole steps: without half a step off, p is too small for a few rows.
    chance = normal_cdf(-(area - 0.5 - 0.5 / (m * n)) / spread) if spread > 0 else 1.0
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (area * (1 - area) + (n - 1) * (q1 - area**2) + (m - 1) * (q2 - area**2)) / (m * n)
    return area, chance, math.sqrt(max(0.0, variance))
