"""Stratified samples, drawn by a seed, the same whatever the order of the cases."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from hallmark.evaluation.cases import Case
from hallmark.evaluation.suites import Allocation, Sampling


class SamplingReport(NamedTuple):
    """How many of each stratum there are, and how many were drawn."""

    population: dict[str, int]
    drawn: dict[str, int]
    warnings: tuple[str, ...]

    @property
    def shares(self) -> dict[str, float]:
        """Share of each stratum in the population: the weights of the strata's means."""
        total = sum(self.population.values())
        return {name: size / total for name, size in self.population.items()}


class Sample(NamedTuple):
    """Cases, and what must be known of the strata for unbiased means."""

    cases: tuple[Case, ...]
    report: SamplingReport


def draw_sample(cases: Sequence[Case], sampling: Sampling, spreads: Mapping[str, float]) -> Sample:
    """Draw a stratified sample.

    Args:
        cases: The population.
        sampling: How many, by what, how they are allocated, and the seed.
        spreads: Standard deviation of the score in each stratum, for Neyman's allocation.
    """
    strata: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        strata[str(getattr(case, sampling.by) or "") if sampling.by else ""].append(case)
    sizes = {name: len(members) for name, members in strata.items()}
    counts = _allocate(sizes, sampling, spreads)
    drawn: list[Case] = []
    for name, members in sorted(strata.items()):
        ordered = sorted(members, key=lambda case: sha256(f"{sampling.seed}\n{case.id}".encode()).digest())
        drawn += ordered[: counts[name]]
    missing = tuple(f"stratum {name!r} has none of its {sizes[name]} cases" for name in sizes if not counts[name])
    return Sample(tuple(drawn), SamplingReport(sizes, counts, missing))


def _allocate(sizes: Mapping[str, int], sampling: Sampling, spreads: Mapping[str, float]) -> dict[str, int]:
    """Return how many of each stratum: by largest remainders, at least one where it goes, no more than there are."""
    total = min(sampling.cases, sum(sizes.values()))
    if sampling.allocation is Allocation.EQUAL:
        shares = dict.fromkeys(sizes, 1.0)
    elif sampling.allocation is Allocation.NEYMAN and spreads:
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
