"""Bins over which shares are compared: made from the baseline alone, so that no window can move them."""

from __future__ import annotations

import numpy as np

from hallmark.drift.statistics.arrays import Floats, Integers

BINS = 20


def bins_of(values: Floats, baseline: Integers, bins: int = BINS) -> tuple[Integers, int]:
    """Give each value its bin.

    A baseline of at most ``bins`` distinct values has a bin for each of them and one for each gap beside them, so that
    values which it never had are seen. Other baselines are cut at their quantiles, into bins of equally many values.

    Args:
        values: Ascending and distinct, shape ``(values,)``.
        baseline: How often each occurs in the baseline, shape ``(values,)``, at least once in all.
        bins: How many, where they are cut at quantiles.

    Returns:
        The bin of each value, shape ``(values,)``, and the number of bins.
    """
    occupied = values[baseline > 0]
    if len(occupied) <= bins:
        places = np.searchsorted(occupied, values, "left") + np.searchsorted(occupied, values, "right")
        return places.astype(np.int64), 2 * len(occupied) + 1
    reached = np.cumsum(baseline)
    wanted = np.arange(1, bins) / bins * reached[-1]
    edges = np.unique(values[np.searchsorted(reached, wanted * (1 - 1e-12))])
    return np.searchsorted(edges, values, "left").astype(np.int64), len(edges) + 1


def binned(places: Integers, bins: int, counts: Integers) -> Integers:
    """Sum the counts of values over their bins, shape ``(bins,)``."""
    return np.bincount(places, weights=counts, minlength=bins).astype(np.int64)


def neighbours_merged(baseline: Integers, current: Integers, least: float) -> tuple[Integers, Integers]:
    """Join neighbouring bins until both samples expect at least ``least`` values in each, if they are alike.

    What is joined depends on the sums of both samples only: it is the same whichever values belong to which, so that a
    test given the sums stays valid.
    """
    total = baseline + current
    size = min(int(baseline.sum()), int(current.sum())) / max(1, int(total.sum()))
    groups = np.zeros(len(total), dtype=np.int64)
    group, held = 0, 0.0
    for place, expected in enumerate(total * size):
        groups[place] = group
        held += float(expected)
        if held >= least:
            group, held = group + 1, 0.0
    if group and held < least and groups[-1] == group:  # what is left over belongs to the last one that was full
        groups[groups == group] = group - 1
    count = int(groups.max()) + 1 if len(groups) else 0
    return binned(groups, count, baseline), binned(groups, count, current)


def smallest_merged(baseline: Integers, current: Integers, least: float) -> tuple[Integers, Integers]:
    """Join the rarest categories into one, in the same sense as ``neighbours_merged``."""
    order = np.argsort(-(baseline + current), kind="stable")
    return neighbours_merged(baseline[order], current[order], least)
