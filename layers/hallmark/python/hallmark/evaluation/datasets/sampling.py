"""Stratified samples, drawn by a seed, the same whatever the order of the cases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from hallmark.evaluation.cases import Case
from hallmark.evaluation.suites import Sampling
from hallmark.statistics.allocation import allocate


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
    counts = allocate(sizes, sampling.cases, sampling.allocation, spreads)
    drawn: list[Case] = []
    for name, members in sorted(strata.items()):
        ordered = sorted(members, key=lambda case: sha256(f"{sampling.seed}\n{case.id}".encode()).digest())
        drawn += ordered[: counts[name]]
    missing = tuple(f"stratum {name!r} has none of its {sizes[name]} cases" for name in sizes if not counts[name])
    return Sample(tuple(drawn), SamplingReport(sizes, counts, missing))
