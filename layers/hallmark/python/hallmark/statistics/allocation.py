"""How many of each stratum a sample takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum


class Allocation(StrEnum):
    """How many cases each stratum gets (Cochran, Sampling Techniques, chapter 5)."""

    PROPORTIONAL = "proportional"
    EQUAL = "equal"
    NEYMAN = "neyman"
    """By size times the spread that the last run measured; proportional where none did."""


def allocate(sizes: Mapping[str, int], cases: int, how: Allocation, spreads: Mapping[str, float]) -> dict[str, int]:
    """Return how many of each stratum: by largest remainders, at least one where it goes, no more than there are.

    Args:
        sizes: How many there are, by stratum.
        cases: How many are wanted of all together.
        how: By what they are shared out.
        spreads: Standard deviation of the score in each stratum, for Neyman's allocation.
    """
    total = min(cases, sum(sizes.values()))
    if how is Allocation.EQUAL:
        shares = dict.fromkeys(sizes, 1.0)
    elif how is Allocation.NEYMAN and spreads:
        usual = sum(spreads.values()) / len(spreads)
        shares = {name: size * spreads.get(name, usual) for name, size in sizes.items()}
    else:
        shares = {name: float(size) for name, size in sizes.items()}
    counts = {name: min(1, size) if total >= len(sizes) else 0 for name, size in sizes.items()}
    while sum(counts.values()) < total:
        open_strata = {name: share for name, share in shares.items() if counts[name] < sizes[name]}
        whole = sum(open_strata.values()) or 1.0
        left = total - sum(counts.values())
        exact = {name: left * share / whole for name, share in open_strata.items()}
        added = {name: min(math.floor(value), sizes[name] - counts[name]) for name, value in exact.items()}
        if not any(added.values()):
            best = max(sorted(open_strata), key=lambda name: exact[name])
            added = {best: 1}
        counts = {name: count + added.get(name, 0) for name, count in counts.items()}
    return counts
