"""What is watched of a feature, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hallmark.drift.statistics.profiles import Kind


class Statistic(StrEnum):
    """How a window is compared with the baseline."""

    JENSEN_SHANNON = "jensen_shannon"
    """Divergence in bits, from 0 to 1, over 20 quantile bins of the baseline or over categories; noise subtracted."""
    PSI = "psi"
    """Population stability index in nats, over the same bins; noise subtracted."""
    CHI_SQUARE = "chi_square"
    """Cramér's V from 0 to 1 of equally large samples, over the same bins; noise subtracted."""
    KOLMOGOROV_SMIRNOV = "kolmogorov_smirnov"
    """Largest distance of the distribution functions, from 0 to 1."""
    WASSERSTEIN = "wasserstein"
    """How far values move on average, in spreads of the baseline: its quartiles' distance / 1.349, or its deviation."""
    P95_RATIO = "p95_ratio"
    """95th percentile of the window over that of the baseline."""
    MEAN_INCREASE = "mean_increase"
    MEAN_DECREASE = "mean_decrease"
    RATE_INCREASE = "rate_increase"
    """Of a share: values are 0 or 1 (or from 0 to 1), e.g. errors, refusals."""
    RATE_DECREASE = "rate_decrease"
    SCORE_FLOOR = "score_floor"
    """Mean of scores from 0 to 1 is below the threshold, whatever the baseline."""
    MISSING_SHARE = "missing_share"
    """More values are missing or NaN than in the baseline."""
    CUSUM = "cusum"
    """How far the mean has moved from the baseline's since it began to, window by window, in deviations of a value."""
    PAGE_HINKLEY = "page_hinkley"
    """How far the mean has moved from that of the windows so far, since it began to, in deviations of a value."""
    ADWIN = "adwin"
    """How far the means of the newest and of the older windows lie apart, where they do most clearly, in deviations."""
    MMD = "mmd"
    """Kernel distance of embeddings (maximum mean discrepancy), from 0 to 1.41."""
    DOMAIN_CLASSIFIER = "domain_classifier"
    """How well a classifier tells embeddings of window and baseline: area under the curve, 0.5 for not at all."""


class Reading(StrEnum):
    """What an increase is measured in."""

    POINTS = "points"
    """Difference: 0.05 is five percentage points of a share, or 0.05 units of a mean."""
    RELATIVE = "relative"
    """Part of the baseline's value: 0.05 is five percent of it."""


class Demand(StrEnum):
    """What has to lie beyond the threshold."""

    ESTIMATE = "estimate"
    """The estimate, less the noise that is in it."""
    BOUND = "bound"
    """The whole interval of 95 %: an alarm then also says that the threshold itself is exceeded."""


class Norm(NamedTuple):
    """What belongs to a statistic."""

    threshold: float
    unit: str
    kinds: frozenset[Kind]
    has_reading: bool = False
    falls: bool = False
    """Whether low values are what it warns of."""


_NUMERIC = frozenset({Kind.NUMERIC})
_BOTH = frozenset(Kind)
NORMS = {
    Statistic.JENSEN_SHANNON: Norm(0.1, "bits", _BOTH),
    Statistic.PSI: Norm(0.25, "nats", _BOTH),
    Statistic.CHI_SQUARE: Norm(0.1, "", _BOTH),
    Statistic.KOLMOGOROV_SMIRNOV: Norm(0.1, "", _NUMERIC),
    Statistic.WASSERSTEIN: Norm(0.1, "spreads of the baseline", _NUMERIC),
    Statistic.P95_RATIO: Norm(2.0, "times the baseline", _NUMERIC),
    Statistic.MEAN_INCREASE: Norm(0.1, "", _NUMERIC, has_reading=True),
    Statistic.MEAN_DECREASE: Norm(0.1, "", _NUMERIC, has_reading=True),
    Statistic.RATE_INCREASE: Norm(0.05, "", _NUMERIC, has_reading=True),
    Statistic.RATE_DECREASE: Norm(0.05, "", _NUMERIC, has_reading=True),
    Statistic.SCORE_FLOOR: Norm(0.85, "", _NUMERIC, falls=True),
    Statistic.MISSING_SHARE: Norm(0.05, "", _BOTH, has_reading=True),
    Statistic.CUSUM: Norm(0.2, "deviations", _NUMERIC),
    Statistic.PAGE_HINKLEY: Norm(0.2, "deviations", _NUMERIC),
    Statistic.ADWIN: Norm(0.2, "deviations", _NUMERIC),
    Statistic.MMD: Norm(0.1, "", _BOTH),
    Statistic.DOMAIN_CLASSIFIER: Norm(0.6, "", _BOTH),
}
"""Defaults of the field, where it has any."""
ON_STREAMS = frozenset({Statistic.CUSUM, Statistic.PAGE_HINKLEY, Statistic.ADWIN})
"""Read from the means of all windows so far; see ``trends``."""
ON_EMBEDDINGS = frozenset({Statistic.MMD, Statistic.DOMAIN_CLASSIFIER})
"""Read from arrays of embeddings, not from profiles."""


class Check(BaseModel):
    """One statistic of one feature, and when it is an alarm."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    feature: str = Field(min_length=1)
    statistic: Statistic
    threshold: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Beyond it lies drift; the statistic's usual one if none is given."""
    alpha: float = Field(default=0.01, gt=0, lt=1)
    """Chance of any false alarm: see ``LookState`` for how long it holds."""
    reading: Reading = Reading.POINTS
    demand: Demand = Demand.ESTIMATE

    @model_validator(mode="after")
    def _refuse_a_reading_of_nothing(self) -> Check:
        if self.reading is Reading.RELATIVE and not NORMS[self.statistic].has_reading:
            raise ValueError(f"leave reading out: {self.statistic} is no increase, it has one meaning only")
        return self

    @property
    def limit(self) -> float:
        """The threshold that counts."""
        return self.threshold if self.threshold is not None else NORMS[self.statistic].threshold

    @property
    def unit(self) -> str:
        """What its values are measured in; empty for plain numbers."""
        if not NORMS[self.statistic].has_reading:
            return NORMS[self.statistic].unit
        return "of the baseline" if self.reading is Reading.RELATIVE else "points"


@dataclass(frozen=True)
class Finding:
    """What a check found; all but the last two fields are those of ``events.drift.DriftFinding``.

    Args:
        feature: Of the check.
        statistic: Of the check.
        value: The estimate, noise subtracted where that is possible; None where nothing could be compared.
        low: Lower end of the interval of 95 %.
        high: Upper end.
        unit: What value, interval and threshold are measured in.
        threshold: Of the check.
        baseline_value: What the baseline has: mean, share, or P95; None for distances.
        change_fraction: By which part of the baseline's value the window differs; None for distances.
        p_value: Chance of such a difference where nothing has changed, of this comparison alone.
        adjusted_p: The same, accounting for all checks of all features and for all looks: compared with alpha.
        is_drifted: Beyond the threshold, and not by chance.
        baseline_count: Values of the baseline that were compared.
        current_count: Values of the window that were compared.
        why: The sentence for a reader.
        is_conclusive: False where nothing could be compared: neither an alarm nor an all-clear.
        windows: How many of the latest windows were taken together.
    """

    feature: str
    statistic: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    threshold: float
    baseline_value: float | None
    change_fraction: float | None
    p_value: float | None
    adjusted_p: float | None
    is_drifted: bool
    baseline_count: int
    current_count: int
    why: str
    is_conclusive: bool = True
    windows: int = 1
