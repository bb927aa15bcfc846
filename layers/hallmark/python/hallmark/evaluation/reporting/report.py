"""The report of a run: a value that JSON keeps exactly."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hallmark.evaluation.metrics import Metric
from hallmark.evaluation.plans import DatasetVersion, Forecast, Trigger


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bounds(_Value):
    """An interval; an end that the cases do not bound is None."""

    low: float | None
    high: float | None
    confidence: float
    method: str


class MetricEstimate(_Value):
    """What a model reached by a metric."""

    metric: str
    value: float | None
    """None where no case could be judged."""
    bounds: Bounds | None = None
    n: int
    """Cases that it rests on."""
    failed: int = 0
    """Answers on which the scorer failed."""
    not_applicable: int = 0
    why: str | None = None
    """Why there is no value, or the first failure of the scorer."""


class GroupEstimate(_Value):
    """What a model reached in a part of the cases."""

    group: str
    estimate: MetricEstimate


class GroupGap(_Value):
    """The largest difference between two groups, with an interval that allows for having chosen it."""

    best: str
    worst: str
    value: float
    bounds: Bounds
    adjusted_p: float | None = None


class Coverage(_Value):
    """How many cases were answered; the others by reason."""

    planned: int
    answered: int
    failures: dict[str, int] = {}
    reasons: dict[str, str] = {}
    """The first reason of each kind."""

    @property
    def share(self) -> float:
        """Answered of planned."""
        return self.answered / self.planned if self.planned else 0.0


class ModelReport(_Value):
    """Everything about one model."""

    model: str
    model_id: str
    coverage: Coverage
    estimates: tuple[MetricEstimate, ...]
    groups: tuple[GroupEstimate, ...] = ()
    """By the primary metric."""
    gap: GroupGap | None = None
    cost_usd: float | None
    cost_per_1000_usd: float | None
    latency_ms: dict[str, float] = {}
    """``p50``, ``p95``, ``p99``."""
    mean_output_tokens: float | None
    letters: str = ""
    """Models that share a letter cannot be told apart by the primary metric."""
    on_front: bool = False
    """Whether no other model is both better and cheaper (Pareto)."""
    facts: dict[str, str] = {}


class Comparison(_Value):
    """A candidate against a baseline, on the cases that both answered."""

    candidate: str
    baseline: str
    metric: str
    effect: float | None
    """Candidate minus baseline, in the unit of the metric."""
    bounds: Bounds | None = None
    p_value: float | None = None
    adjusted_p: float | None = None
    method: str = ""
    n: int
    finding: str
    """``better``, ``worse``, ``equivalent``, ``non_inferior``, ``not_better`` or ``cannot_tell``."""
    more_cases: int | None = None
    sentence: str


class Report(_Value):
    """What a run found."""

    version: Literal[1] = 1
    run: str
    suite: str
    description: str = ""
    template: str
    trigger: Trigger
    started_at: datetime
    completed_at: datetime
    champion: str | None
    primary: str
    confidence: float
    correction: str
    margin: float
    metrics: tuple[Metric, ...]
    signatures: tuple[str, ...]
    datasets: tuple[DatasetVersion, ...]
    forecast: Forecast
    models: tuple[ModelReport, ...]
    comparisons: tuple[Comparison, ...]
    cost_usd: float = Field(ge=0)
    stopped: str | None = None
    """Why it ended before all was asked."""
    owners: tuple[str, ...] = ()

    @property
    def coverage(self) -> float:
        """Share of all planned calls that were answered."""
        planned = sum(model.coverage.planned for model in self.models)
        return sum(model.coverage.answered for model in self.models) / planned if planned else 0.0

    def comparison(self, candidate: str, metric: str) -> Comparison | None:
        """Return the comparison of a candidate by a metric, with whatever baseline it has."""
        found = (each for each in self.comparisons if each.candidate == candidate and each.metric == metric)
        return next(found, None)
