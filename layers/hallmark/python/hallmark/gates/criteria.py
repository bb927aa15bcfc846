"""What a gate asks of a model: one frozen model for each kind of criterion."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hallmark.durations import Duration
from hallmark.statistics.directions import is_lower_better

PRIMARY = "primary"
"""In place of a metric's name: the metric that answers the suite's own question."""
Threshold = Annotated[float, Field(allow_inf_nan=False)]


class _Criterion(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class _Measured(_Criterion):
    """A criterion on a metric that was measured on cases."""

    metric: str = Field(min_length=1)
    """As the suite's scorer or the package's quality report names it."""
    suite: str | None = None
    """Where it is measured; None looks in the gate's suites in their order, then in the model package."""


class AbsoluteCriterion(_Measured):
    """A metric against a fixed threshold; the threshold itself is enough."""

    kind: Literal["absolute"] = "absolute"
    at_least: Threshold | None = None
    at_most: Threshold | None = None
    group: str | None = None
    """Only the cases of this group."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_bounds(self.metric, self.at_least, self.at_most)
        return self


class SafetyCriterion(_Measured):
    """How often a model does harm: toxic answers, stereotypes, refusals."""

    kind: Literal["safety"] = "safety"
    at_most: Threshold

    @model_validator(mode="after")
    def _check(self) -> Self:
        if is_lower_better(self.metric) is False:
            raise ValueError(
                f"a higher {self.metric} is better, so it cannot be capped for safety: "
                "name a rate of harm (toxicity, refusal, Builtin.Harmfulness …), or use kind: absolute"
            )
        return self


class OperationalCriterion(_Criterion):
    """What answering takes: milliseconds or money."""

    kind: Literal["operational"] = "operational"
    measure: Literal["latency_p95_ms", "latency_p50_ms", "latency_p99_ms", "cost_per_1000_requests_usd"]
    at_most: float = Field(gt=0, allow_inf_nan=False)
    suite: str | None = None


class RelativeCriterion(_Measured):
    """A metric against the champion's, on the same cases: not worse by more than a margin."""

    kind: Literal["relative"] = "relative"
    not_worse_by: float = Field(ge=0, allow_inf_nan=False)
    """In the metric's unit."""
    champion: str | None = None
    """Name of a variant of the suite; None takes the suite's champion, or the group's approved version before."""


class BiasCriterion(_Measured):
    """The largest gap between two groups of cases."""

    kind: Literal["bias"] = "bias"
    at_most: float = Field(gt=0, allow_inf_nan=False)
    groups: tuple[str, ...] = ()
    """Only between these; empty: between all that the evidence tells apart."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.groups) == 1:
            raise ValueError("a gap is between two groups: name at least two, or none for all")
        return self


class CoverageCriterion(_Criterion):
    """The share of the planned cases that were answered."""

    kind: Literal["coverage"] = "coverage"
    at_least: float = Field(default=0.95, gt=0, le=1)
    suite: str | None = None


class DriftCriterion(_Criterion):
    """No drift is open on what watches the model."""

    kind: Literal["drift"] = "drift"
    monitors: tuple[str, ...] = ()
    """Only these; empty: all that watch the model or its endpoints."""


class Tag(_Criterion):
    """A tag of a resource, or of the objects of a dataset."""

    key: str = Field(min_length=1, max_length=128)
    value: str = "true"


class LineageCriterion(_Criterion):
    """Where the model came from."""

    kind: Literal["lineage"] = "lineage"
    approved: Tag | None = None
    """Every snapshot that it was trained on carries this tag."""
    forbidden: Tag | None = None
    """No snapshot upstream carries this one."""
    image_digest: bool = True
    """The digest of every image that it was trained with and runs in is known."""
    committed: bool = True
    """Its code is a commit, without changes that were not committed."""


class FreshnessCriterion(_Criterion):
    """The evidence is not older than this."""

    kind: Literal["freshness"] = "freshness"
    at_most: Duration = Field(gt=timedelta(0))


Criterion = Annotated[
    AbsoluteCriterion
    | SafetyCriterion
    | OperationalCriterion
    | RelativeCriterion
    | BiasCriterion
    | CoverageCriterion
    | DriftCriterion
    | LineageCriterion
    | FreshnessCriterion,
    Field(discriminator="kind"),
]

METRICS_OF_MEASURES = {
    "latency_p50_ms": "latency",
    "latency_p95_ms": "latency",
    "latency_p99_ms": "latency",
    "cost_per_1000_requests_usd": "cost",
}


def suite_of(criterion: Criterion) -> str | None:
    """Return the suite that a criterion names; None where it names none."""
    return getattr(criterion, "suite", None)


def metric_of(criterion: Criterion) -> str | None:
    """Return the metric that a criterion is about; None for what is no metric."""
    if isinstance(criterion, OperationalCriterion):
        return METRICS_OF_MEASURES[criterion.measure]
    return getattr(criterion, "metric", None)


def _check_bounds(metric: str, at_least: float | None, at_most: float | None) -> None:
    if at_least is None and at_most is None:
        raise ValueError("give at_least, at_most or both")
    if at_least is not None and at_most is not None and at_least > at_most:
        raise ValueError(f"nothing is at least {at_least:g} and at most {at_most:g}: swap them, or leave one out")
    lower = is_lower_better(metric)
    if lower is True and at_most is None:
        raise ValueError(f"a lower {metric} is better: give at_most")
    if lower is False and at_least is None:
        raise ValueError(f"a higher {metric} is better: give at_least")
