"""Changes of level in a stream: cumulative sums, Page and Hinkley's test, and windows that adapt.

All are functions of the whole stream, or of what is kept of it, computed for all its places at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hallmark.drift.statistics.arrays import Floats
from hallmark.errors import InvalidInputError
from hallmark.statistics.distributions import t_two_sided


@dataclass(frozen=True, eq=False)
class Sums:
    """Cumulative sums after each value of a stream.

    Args:
        up: Evidence that the level has risen, shape ``(n,)``, from 0.
        down: Evidence that it has fallen, shape ``(n,)``, from 0.
    """

    up: Floats
    down: Floats


def cusum(values: Floats, target: float, deviation: float, slack: float | Floats) -> Sums:
    """Cumulative sums of standardised deviations from a target, less a slack (Page, Biometrika 41, 1954).

    ``up[t] = max(0, up[t-1] + (values[t] - target) / deviation - slack)``, and likewise downwards.

    Args:
        values: Shape ``(n,)``.
        target: What the values are on average while nothing has changed.
        deviation: Their standard deviation then, above 0.
        slack: Half the shift that is to be found soonest, in deviations; one for all values, or one for each.
    """
    if not deviation > 0:
        raise InvalidInputError("deviation", deviation, "give the standard deviation of values that vary")
    scaled = (np.asarray(values, dtype=np.float64) - target) / deviation
    return Sums(_above_lowest(scaled - slack), _above_lowest(-scaled - slack))


def page_hinkley(values: Floats, slack: float | Floats) -> Sums:
    """Page and Hinkley's test (1971): cumulative sums of deviations from the mean of the stream so far, less a slack.

    It needs no target; the usual alarm is where a sum exceeds 50 times the deviation of the values. As river's
    ``PageHinkley`` with ``alpha=1`` up to its first alarm.

    Args:
        values: Shape ``(n,)``.
        slack: In units of the values, one for all or one for each; river's ``delta``.
    """
    found = np.asarray(values, dtype=np.float64)
    apart = found - np.cumsum(found) / np.arange(1, len(found) + 1)
    return Sums(_above_lowest(apart - slack, start=False), _above_lowest(-apart - slack, start=False))


def _above_lowest(steps: Floats, *, start: bool = True) -> Floats:
    """Height of a walk above its lowest point so far; with ``start``, 0 before its first step is such a point."""
    walk = np.cumsum(steps)
    lowest = np.minimum.accumulate(walk)
    return np.asarray(walk - (np.minimum(lowest, 0.0) if start else lowest))


def exceedance_p(height: float, slack: float) -> float:
    """Bound of the probability that a cumulative sum of standard normal values is as high, at any given place.

    ``exp(-2 * slack * height)``: Lundberg's inequality for the highest point of a walk with drift ``-slack``, which has
    the law of the sum (Asmussen and Albrecher, Ruin Probabilities, 2010, IV.5). For slacks that vary, their smallest.

    Args:
        height: In standard deviations, from 0.
        slack: In standard deviations, from 0.
    """
    return math.exp(-2 * slack * height)


@dataclass(frozen=True)
class Cut:
    """The place where a stream is best cut in two.

    Args:
        at: First value of the newer part.
        difference: Mean of the newer part less that of the older one.
        p_value: Chance of a difference as clear as this, at any of the places that were tried, if nothing changes.
    """

    at: int
    difference: float
    p_value: float


def adaptive_cut(values: Floats, deviation: float | None = None) -> Cut | None:
    """Cut a stream where its means differ most clearly, as an adaptive window does (ADWIN: Bifet and Gavaldà, 2007).

    The newest 1, 2, 4, 8, … values are held against all older ones, as ADWIN's buckets double; the level is shared
    among those places. Unlike ADWIN's bound, which holds for values from 0 to 1 only, it is that of a normal
    distribution.

    Args:
        values: The oldest first, shape ``(n,)``.
        deviation: Of a value while nothing changes; estimated within the two parts (Student's t) if not known.

    Returns:
        None for fewer than four values.
    """
    found = np.asarray(values, dtype=np.float64)
    sizes = [1 << power for power in range(len(found).bit_length()) if (1 << power) <= len(found) // 2]
    if len(found) < 4 or not sizes:  # noqa: PLR2004 - two on each side
        return None
    cuts = []
    for size in sizes:
        older, newer = found[:-size], found[-size:]
        difference = float(newer.mean() - older.mean())
        spread, degrees = (deviation, math.inf) if deviation is not None else _within(older, newer)
        error = spread * math.sqrt(1 / size + 1 / len(older))
        chance = t_two_sided(difference / error, degrees) if error > 0 else float(difference == 0)
        cuts.append(Cut(len(found) - size, difference, min(1.0, len(sizes) * chance)))
    return min(cuts, key=lambda cut: cut.p_value)


def _within(older: Floats, newer: Floats) -> tuple[float, float]:
    """Deviation within the two parts, and its degrees of freedom."""
    squares = float(((older - older.mean()) ** 2).sum() + ((newer - newer.mean()) ** 2).sum())
    degrees = float(len(older) + len(newer) - 2)
    return math.sqrt(squares / degrees), degrees
