"""A histogram of numbers that is exact while few of them are distinct, and whose parts can be merged in any order.

A double is a sign, an exponent and 52 bits of fraction; read as whole numbers, doubles keep their order. Leaving out
the last ``shift`` bits gives buckets of constant *relative* width, and the buckets of a larger shift are unions of
those of a smaller one. The shift kept here is the smallest with at most 4,096 occupied buckets. What that is depends
on the values alone and never on how they were split: merging is associative and commutative, to the last count. 4,096
distinct values, and so every small sample, every rating and every count of tokens, are kept as they are (shift 0); a
million values of a normal distribution fall into buckets of 1/32 of their size at most, each with less than 1 % of
all values.

Buckets are what the tests of this package compare: baseline and window are first brought to the same shift. Coarsening
both alike cannot make them differ, so that it costs a little power and no false alarm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hallmark.drift.statistics.arrays import Floats, Integers

MOST_BUCKETS = 4096
_LARGEST = np.int64(0x7FFFFFFFFFFFFFFF)
_BITS = 63


@dataclass(frozen=True, eq=False)
class Histogram:
    """How many values lie in each occupied bucket.

    Args:
        keys: Buckets in ascending order, shape ``(buckets,)``: the leading bits of the doubles in them.
        counts: Values per bucket, shape ``(buckets,)``.
        shift: How many bits were left out; 0 means that the values are exact.
    """

    keys: Integers
    counts: Integers
    shift: int

    @classmethod
    def of(cls, values: Floats, least_shift: int = 0) -> Histogram:
        """Count finite values; with ``least_shift`` the buckets are no finer than that."""
        keys = np.sort(keys_of(values))
        shift = _smallest_shift(keys, least_shift)
        keys >>= shift
        starts = np.flatnonzero(np.concatenate([np.ones(len(keys[:1]), dtype=bool), keys[1:] != keys[:-1]]))
        return cls(keys[starts], np.diff(starts, append=len(keys)), shift)

    @property
    def total(self) -> int:
        """How many values were counted."""
        return int(self.counts.sum())

    @property
    def values(self) -> Floats:
        """What stands for the values of each bucket: the value itself, or the middle of the bucket."""
        first = doubles_of(self.keys << self.shift)
        if not self.shift:
            return first
        last = doubles_of((self.keys << self.shift) | ((1 << self.shift) - 1))
        return np.asarray(first / 2 + last / 2)

    def coarsened(self, shift: int) -> Histogram:
        """Return the same counts in the buckets of a shift that is at least as large."""
        if shift <= self.shift:
            return self
        return _gathered(self.keys >> (shift - self.shift), self.counts, shift)

    def merge(self, other: Histogram) -> Histogram:
        """Count the values of both."""
        shift = max(self.shift, other.shift)
        mine, theirs = self.coarsened(shift), other.coarsened(shift)
        keys = np.concatenate([mine.keys, theirs.keys])
        counts = np.concatenate([mine.counts, theirs.counts])
        order = np.argsort(keys, kind="stable")
        both = _gathered(keys[order], counts[order], shift)
        return both.coarsened(shift + _smallest_shift(both.keys, 0))


def on_common_support(one: Histogram, other: Histogram) -> tuple[Floats, Integers, Integers]:
    """Return the ascending values of either, and how often each occurs in one and in the other.

    Returns:
        Three arrays of shape ``(distinct,)``.
    """
    shift = max(one.shift, other.shift)
    one, other = one.coarsened(shift), other.coarsened(shift)
    keys = np.union1d(one.keys, other.keys)
    counts = np.zeros((2, len(keys)), dtype=np.int64)
    for row, histogram in zip(counts, (one, other), strict=True):
        row[np.searchsorted(keys, histogram.keys)] = histogram.counts
    return Histogram(keys, counts[0], shift).values, counts[0], counts[1]


def quantile(histogram: Histogram, fraction: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed (none: NaN)."""
    if not histogram.total:
        return float("nan")
    reached = np.cumsum(histogram.counts)
    place = int(np.searchsorted(reached, fraction * histogram.total * (1 - 1e-12)))
    return float(histogram.values[min(place, len(reached) - 1)])


def keys_of(values: Floats) -> Integers:
    """Whole numbers in the order of the finite doubles that they stand for, shape ``(n,)`` as given."""
    bits = (values + 0.0).view(np.int64)  # adding zero turns -0.0 into 0.0
    return np.where(bits < 0, -(bits & _LARGEST), bits)


def doubles_of(keys: Integers) -> Floats:
    """Doubles of whole keys; those beyond the largest finite double are lowered to it."""
    largest = np.float64(np.finfo(np.float64).max).view(np.int64)
    sizes = np.minimum(np.abs(keys), largest)
    doubles = sizes.view(np.float64)
    return np.where(keys < 0, -doubles, doubles)


def _smallest_shift(ascending: Integers, least: int) -> int:
    """Smallest shift with at most ``MOST_BUCKETS`` occupied buckets: the number of them falls as the shift grows."""
    few, many = _BITS, least
    if _occupied(ascending, many) <= MOST_BUCKETS:
        return many
    while few - many > 1:
        middle = (few + many) // 2
        few, many = (middle, many) if _occupied(ascending, middle) <= MOST_BUCKETS else (few, middle)
    return few


def _occupied(ascending: Integers, shift: int) -> int:
    shifted = ascending >> shift
    return int(np.count_nonzero(shifted[1:] != shifted[:-1])) + (len(shifted) > 0)


def _gathered(ascending: Integers, counts: Integers, shift: int) -> Histogram:
    if not len(ascending):
        return Histogram(ascending, counts, shift)
    starts = np.flatnonzero(np.concatenate([[True], ascending[1:] != ascending[:-1]]))
    return Histogram(ascending[starts], np.add.reduceat(counts, starts), shift)
