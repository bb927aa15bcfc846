"""Counts of categories whose number is bounded, and whose parts can be merged in any order.

Up to 1,024 categories are counted by name. Beyond it those with the 1,024 smallest hashes keep their names and the rest
is counted together: a choice that depends on the names alone, so that merging is associative and commutative. A feature
with so many categories is an identifier rather than a category; it is still compared, on a random part of its names.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from hallmark.drift.statistics.arrays import Integers
from hallmark.errors import InvalidInputError

MOST_CATEGORIES = 1024
MOST_NAME_LENGTH = 200
OTHER = "(other)"


@dataclass(frozen=True)
class Categories:
    """How often each category occurs.

    Args:
        counts: Values of each category that is counted by name.
        other: Values of all others; 0 as long as there are few categories.
    """

    counts: Mapping[str, int]
    other: int = 0

    @property
    def total(self) -> int:
        """How many values were counted."""
        return sum(self.counts.values()) + self.other

    def merge(self, other: Categories) -> Categories:
        """Count the values of both."""
        mine, theirs = _common(self, other)
        both = Counter(mine.counts)
        both.update(theirs.counts)
        return bounded(both, mine.other + theirs.other)


def bounded(counts: Mapping[str, int], other: int = 0) -> Categories:
    """Keep the names with the smallest hashes, if there are too many."""
    if len(counts) <= MOST_CATEGORIES:
        return Categories(dict(counts), other)
    kept = heapq.nsmallest(MOST_CATEGORIES, counts, key=_hash)
    named = {name: counts[name] for name in kept}
    return Categories(named, other + sum(counts.values()) - sum(named.values()))


def count_categories(values: Iterable[object]) -> tuple[Categories, int, int]:
    """Return the counts, how many values were missing (None), and how many were NaN."""
    names: Counter[str] = Counter()
    missing = nan = 0
    try:
        counted = Counter(values)
    except TypeError as error:
        remedy = "give texts, numbers or truth values; write lists and the like as texts"
        raise InvalidInputError("values", str(error), remedy) from error
    for value, times in counted.items():
        if value is None:
            missing += times
        elif isinstance(value, float) and math.isnan(value):
            nan += times
        else:
            names[_name_of(value)] += times
    return bounded(names), missing, nan


def on_common_names(one: Categories, other: Categories) -> tuple[list[str], Integers, Integers]:
    """Return the names that either has, sorted, and how often each occurs in one and in the other.

    Where one of them has no room for all names, names that the other lost count with the rest: ``(other)``, at the end.
    """
    one, other = _common(one, other)
    names = sorted(set(one.counts) | set(other.counts))
    rows = [[*(part.counts.get(name, 0) for name in names), part.other] for part in (one, other)]
    if not rows[0][-1] and not rows[1][-1]:
        rows = [row[:-1] for row in rows]
    else:
        names.append(OTHER)
    return names, np.array(rows[0], dtype=np.int64), np.array(rows[1], dtype=np.int64)


def _common(one: Categories, other: Categories) -> tuple[Categories, Categories]:
    """Both without the names that had no place in one of them."""
    full = [part for part in (one, other) if part.other]
    if not full:
        return one, other
    largest = min(max(_hash(name) for name in part.counts) for part in full)
    return _below(one, largest), _below(other, largest)


def _below(categories: Categories, largest: bytes) -> Categories:
    kept = {name: count for name, count in categories.counts.items() if _hash(name) <= largest}
    return Categories(kept, categories.other + sum(categories.counts.values()) - sum(kept.values()))


def _hash(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _name_of(value: object) -> str:
    """Names that are too long to be kept are cut, and told apart by their hash."""
    name = str(value)
    if len(name) <= MOST_NAME_LENGTH:
        return name
    return f"{name[: MOST_NAME_LENGTH - 17]}…{_hash(name).hex()}"
