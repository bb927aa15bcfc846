"""What a monitor remembers from look to look, so that looking often does not make false alarms likelier.

The promise is spent evenly: of ``horizon`` looks each may be wrong with alpha / horizon, so that the chance of any
false alarm in that many looks is at most alpha, however windows depend on one another (Boole). They do depend: all
are compared with the same baseline, and a baseline that is unlucky is so every hour. That is why evidence is never
multiplied from window to window, as an e-process would: given the baseline, its factors are not fair bets. After
``horizon`` looks the next ``horizon`` begin.

Small windows are also taken together, the last 4 and the last 16, so that what is too small for one of them is found by
several. Each look shares its part among those: a half for the newest window, the rest for the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hallmark.drift.statistics.arrays import Integers

HOURS_OF_A_YEAR = 8760
MOST_LOOKBACK = 64
MOST_MEANS = 128
"""Windows of a stream that are kept: a change that is older is not found any more."""


class RecentWindows(BaseModel):
    """Counts of the latest windows over the baseline's bins.

    They count as long as the baseline is the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    baseline: tuple[int, ...]
    windows: tuple[tuple[int, ...], ...]
    """Newest last."""

    def latest(self, windows: int) -> Integers:
        """Sum of the counts of that many windows, shape ``(bins,)``."""
        return np.asarray(np.sum(np.array(self.windows[-windows:], dtype=np.int64), axis=0), dtype=np.int64)


class WindowMean(BaseModel):
    """Where the mean of a window lies."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    score: float
    """Of the evidence that it is above the baseline's: standard normal while nothing has changed."""
    shift: float
    """Less the baseline's, in deviations of a value of the baseline."""
    count: int
    """Values of the window."""


class MeanStream(BaseModel):
    """Means of the latest windows; they count as long as the baseline is the same."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    baseline_count: int
    baseline_mean: float
    means: tuple[WindowMean, ...]
    """Newest last."""


class LookState(BaseModel):
    """How often a monitor has looked, how often it will, and what it saw last. A value: JSON by ``model_dump``.

    A repeat of a look with the same state gives the same findings and the same next state.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    version: int = Field(default=1, ge=1, le=1)
    horizon: int = Field(default=1, ge=1, le=10_000_000)
    """Looks over which alpha is spent: 1 promises alpha for each window, 8,760 for a year of hours."""
    lookbacks: tuple[int, ...] = (1, 4, 16)
    """How many of the latest windows are taken together: each of these; ``(1,)`` for the newest only."""
    looks: int = Field(default=0, ge=0)
    recent: dict[str, RecentWindows] = {}
    """Of each feature whose windows are taken together."""
    streams: dict[str, MeanStream] = {}
    """Of each feature that is watched for trends."""

    def weights(self, seen: int) -> Mapping[int, float]:
        """Share of each number of windows in what a look may spend, when ``seen`` windows are there."""
        possible = sorted({min(windows, seen, MOST_LOOKBACK) for windows in self.lookbacks if windows > 0} | {1})
        if len(possible) == 1:
            return {1: 1.0}
        rest = 0.5 / (len(possible) - 1)
        return {windows: 0.5 if windows == 1 else rest for windows in possible}

    def with_window(self, key: str, baseline: Integers, current: Integers) -> RecentWindows:
        """Return the recent windows of a feature with this one; of another baseline, this one alone."""
        known = self.recent.get(key)
        counts = tuple(baseline.tolist())
        before: Sequence[tuple[int, ...]] = known.windows if known is not None and known.baseline == counts else ()
        kept = max(1, min(max(self.lookbacks, default=1), MOST_LOOKBACK))
        return RecentWindows(baseline=counts, windows=(*before, tuple(current.tolist()))[-kept:])

    def with_mean(self, feature: str, baseline_count: int, baseline_mean: float, newest: WindowMean) -> MeanStream:
        """Return the stream of a feature with this window; of another baseline, this one alone."""
        known = self.streams.get(feature)
        is_same = known is not None and (known.baseline_count, known.baseline_mean) == (baseline_count, baseline_mean)
        before = known.means if known is not None and is_same else ()
        return MeanStream(
            baseline_count=baseline_count, baseline_mean=baseline_mean, means=(*before, newest)[-MOST_MEANS:]
        )

    def after(self, recent: Mapping[str, RecentWindows], streams: Mapping[str, MeanStream]) -> LookState:
        """Return the state after a look."""
        seen = {"recent": {**self.recent, **recent}, "streams": {**self.streams, **streams}}
        return self.model_copy(update={"looks": self.looks + 1, **seen})
