"""What a run could show, before it costs anything: detectable difference, cases needed, and their price."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from hallmark.evaluation.comparison.report import Comparison, Report
from hallmark.evaluation.metrics import Metric, MetricKind
from hallmark.evaluation.results import Finite
from hallmark.evaluation.suites import Suite
from hallmark.statistics.distributions import normal_quantile
from hallmark.statistics.power import (
    cases_for_paired_means,
    cases_for_paired_rates,
    detectable_difference_of_rates,
    detectable_mean_difference,
)

POWER = 0.8
"""Chance of finding a difference that is there."""
_SUPPOSED = (0.1, 0.3, 0.5)
"""Of models that nobody has compared: shares of cases on which they disagree, or deviations of their differences."""
_LEAST_CASES = 2


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Prospect(_Value):
    """One question, as far as it can be foreseen."""

    candidate: str | None
    """None where no run has compared the suite's models."""
    baseline: str | None
    supposing: str
    """What it rests on, in words."""
    detectable: Finite | None
    """Smallest difference that so many cases find."""
    needed: int | None
    """Cases that find the difference that was asked for."""
    needed_usd: Finite | None


class Foresight(_Value):
    """What a suite can show."""

    suite: str
    primary: str
    unit: str
    confidence: float
    comparisons: int = Field(ge=1)
    """Each has its share of the error (Bonferroni), the least that Holm's correction leaves."""
    power: float = POWER
    cases: int | None
    """Of each model; None where neither sample nor earlier run tells."""
    difference: Finite | None
    """That matters: what was asked for, or the suite's margin."""
    last_run: str | None
    usd_per_case: Finite | None
    """Of all models and judges together, as the last run paid."""
    expected_usd: Finite | None
    budget_usd: float
    affordable_cases: int | None
    prospects: tuple[Prospect, ...]
    note: str = ""


class _Scatter(NamedTuple):
    """How differences scatter: a share of discordant cases of rates, a standard deviation of anything else."""

    is_rate: bool
    value: float

    def detectable(self, cases: int, alpha: float) -> float | None:
        if self.is_rate:
            found = detectable_difference_of_rates(cases, self.value, power=POWER, alpha=alpha)
        elif cases < _LEAST_CASES:
            return None
        else:
            found = detectable_mean_difference(cases, self.value, power=POWER, alpha=alpha)
        return found if math.isfinite(found) else None

    def needed(self, difference: float, alpha: float) -> int | None:
        if not self.is_rate:
            return cases_for_paired_means(difference, self.value, power=POWER, alpha=alpha)
        if difference > self.value:
            return None
        return cases_for_paired_rates(difference, self.value, power=POWER, alpha=alpha)


def foresee(
    name: str,
    suite: Suite,
    metric: Metric,
    last: Report | None,
    *,
    cases: int | None = None,
    difference: float | None = None,
) -> Foresight:
    """Say what a run of a suite could show.

    Args:
        name: The suite's.
        suite: What the policy says of it.
        metric: Its primary one.
        last: Report of its last completed run; None before the first.
        cases: How many are to be asked of each model; as many as the sample or the last run has where it is None.
        difference: The smallest that matters, in the metric's unit; the suite's margin where it is None.

    Returns:
        With a last run one prospect for each pair that it compared, else one for each of a few suppositions.
    """
    settings = suite.comparison
    wanted = difference if difference is not None else (settings.margin or None)
    known = last if last is not None and last.primary == metric.name else None
    answers = [each for each in known.answers if each.detectable and each.cases] if known is not None else []
    count = max(1, len(answers) or _pairs(suite))
    alpha = (1 - settings.confidence) / count
    planned = cases or (suite.sampling.cases if suite.sampling is not None else None) or _cases_of(last)
    price = _usd_per_case(last)
    asked = _Asked(planned, wanted, alpha, price)
    found = tuple(_from_last(answers, asked) if answers else _supposed(metric, asked))
    note = "" if found else f"nobody knows how {metric.title} scatters before a run has been: run a small sample first"
    if settings.early_stopping:
        note = (note + " " if note else "") + "early_stopping may end the run sooner, and needs more cases at the most"
    return Foresight(
        suite=name,
        primary=metric.name,
        unit=metric.unit,
        confidence=settings.confidence,
        comparisons=count,
        cases=planned,
        difference=wanted,
        last_run=known.run if known is not None and answers else None,
        usd_per_case=price,
        expected_usd=None if price is None or planned is None else price * planned,
        budget_usd=suite.budget.usd,
        affordable_cases=int(suite.budget.usd / price) if price else None,
        prospects=found,
        note=note,
    )


def _pairs(suite: Suite) -> int:
    models = len(suite.model_variants)
    return models - 1 if suite.champion is not None else models * (models - 1) // 2


def _cases_of(last: Report | None) -> int | None:
    drawn = sum(each.drawn for each in last.data) if last is not None else 0
    return drawn or None


def _usd_per_case(last: Report | None) -> float | None:
    if last is None:
        return None
    answered = sum(each.answered for each in last.coverage)
    return last.cost_usd / answered * len(last.models) if answered and last.cost_usd > 0 else None


class _Asked(NamedTuple):
    cases: int | None
    difference: float | None
    alpha: float
    usd_per_case: float | None

    def prospect(self, supposing: str, detectable: float | None, needed: int | None, *pair: str) -> Prospect:
        candidate, baseline = pair or (None, None)
        return Prospect(
            candidate=candidate,
            baseline=baseline,
            supposing=supposing,
            detectable=detectable,
            needed=needed,
            needed_usd=None if self.usd_per_case is None or needed is None else self.usd_per_case * needed,
        )


def _from_last(answers: Sequence[Comparison], asked: _Asked) -> Iterator[Prospect]:
    """Yield what the scatter of the last run foretells: both numbers go by the root of the cases."""
    for each in answers:
        least, n = each.detectable or 0.0, each.cases
        # What the last run could find was said at its confidence, of one comparison alone.
        least *= _reach(asked.alpha) / _reach(1 - (each.span.confidence if each.span is not None else 0.95))
        detectable = None if asked.cases is None else least * math.sqrt(n / asked.cases)
        needed = None if asked.difference is None else math.ceil(n * (least / asked.difference) ** 2)
        supposing = f"differences scatter as in the last run, {n:,} cases"
        yield asked.prospect(supposing, detectable, needed, each.candidate, each.baseline)


def _supposed(metric: Metric, asked: _Asked) -> Iterator[Prospect]:
    if metric.kind not in {MetricKind.BINARY, MetricKind.BOUNDED} or metric.low is None or metric.high is None:
        return
    for share in _SUPPOSED:
        is_rate = metric.kind is MetricKind.BINARY
        scatter = _Scatter(is_rate, share if is_rate else share * (metric.high - metric.low))
        supposing = (
            f"models disagree on {share:.0%} of the cases"
            if is_rate
            else f"differences have a standard deviation of {scatter.value:g}"
        )
        detectable = None if asked.cases is None else scatter.detectable(asked.cases, asked.alpha)
        needed = None if asked.difference is None else scatter.needed(asked.difference, asked.alpha)
        yield asked.prospect(supposing, detectable, needed)


def _reach(alpha: float) -> float:
    return normal_quantile(POWER) - normal_quantile(alpha / 2)
