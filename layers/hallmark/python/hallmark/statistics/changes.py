"""Where did the level of a metric change? Change points in a history, each with a permutation test.

Binary segmentation (Scott and Knott, Biometrics 30, 1974): the split with the largest standardised difference of means
is tested against what shuffled histories give (as in Matteson and James, A Nonparametric Approach for Multiple Change
Point Analysis, JASA 109, 2014); if it stands, both parts are searched. Without any change the chance of finding one is
at most alpha, for any distribution and any length, if the values are exchangeable: independent runs of equal size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hallmark.statistics.inputs import Floats, Values, finite
from hallmark.statistics.ranges import level, whole
from hallmark.statistics.resampling import chunk_lengths, generator

_LEAST_PERMUTATIONS = 100


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the level."""

    at: int
    """Place of the first value at the new level, from 0."""
    before: float
    """Mean from the change before it."""
    after: float
    """Mean up to the change after it."""
    p_value: float

    @property
    def difference(self) -> float:
        """New level minus old."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class History:
    """What was found in a history."""

    changes: tuple[Change, ...]
    n: int
    can_find: bool
    """False if the history is too short for any change to be significant at this level: no news is then no news."""


def find_changes(
    values: Values, *, alpha: float = 0.05, shortest: int = 2, permutations: int = 999, seed: int = 0
) -> History:
    """Find where the mean of a history changes.

    Args:
        values: One per run, the oldest first, shape ``(n,)``.
        alpha: Chance of finding a change where there is none.
        shortest: Fewest values between changes, at least 1.
        permutations: How many shuffled histories each split is compared with, at least 100.
        seed: The same seed gives the same answer.

    Raises:
        InvalidInputError: A value is not finite, or a number is out of range.
    """
    found = finite("values", values)
    level("alpha", alpha)
    whole("shortest", shortest, least=1)
    whole("permutations", permutations, least=_LEAST_PERMUTATIONS)
    random = generator(seed)
    splits: dict[int, float] = {}
    parts = [(0, len(found))]
    while parts:
        begin, end = parts.pop()
        split = _split(found[begin:end], shortest, permutations, alpha, random)
        if split is not None:
            splits[begin + split[0]] = split[1]
            parts += [(begin, begin + split[0]), (begin + split[0], end)]
    edges = [0, *sorted(splits), len(found)]
    means = [float(found[one:other].mean()) for one, other in pairwise(edges)]
    changes = tuple(Change(at, means[place], means[place + 1], splits[at]) for place, at in enumerate(sorted(splits)))
    return History(changes, len(found), _smallest_p(len(found), shortest) <= alpha)


def _smallest_p(n: int, shortest: int) -> float:
    """Smallest p-value that shuffling can give: the split of ``n`` values that is least likely by chance."""
    if n < 2 * shortest:
        return 1.0
    # As extreme are all orders that put the same values on one side of the split, whichever side it is.
    return 2 / math.comb(n, n // 2)


def _split(
    values: Floats, shortest: int, permutations: int, alpha: float, random: np.random.Generator
) -> tuple[int, float] | None:
    n = len(values)
    if _smallest_p(n, shortest) > alpha:
        return None
    centred = values - values.mean()
    scale = float(np.abs(centred).max())
    if scale <= 1e-12 * max(1.0, float(np.abs(values).max())):
        return None
    statistics = _standardised(centred / scale, shortest)
    best = int(np.argmax(statistics))
    observed = float(statistics[best]) * (1 - 1e-12)
    extreme = 0
    for some in chunk_lengths(permutations, n):
        shuffled = random.permuted(np.broadcast_to(centred / scale, (some, n)), axis=1)
        extreme += int((_standardised(shuffled, shortest).max(axis=-1) >= observed).sum())
    p_value = (extreme + 1) / (permutations + 1)
    return (best + shortest, p_value) if p_value <= alpha else None


def _standardised(centred: Floats, shortest: int) -> Floats:
    """Difference of the means of both sides over its standard deviation, for each split, along the last axis."""
    n = centred.shape[-1]
    sizes = np.arange(shortest, n - shortest + 1)
    sums = np.cumsum(centred, axis=-1)[..., shortest - 1 : n - shortest]
    return np.asarray(np.abs(sums) / np.sqrt(sizes * (n - sizes) / n), dtype=np.float64)
