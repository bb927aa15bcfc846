"""Section ``gates.watches`` of ``hallmark.yaml``: training jobs that are stopped when their metrics say so."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hallmark.durations import Duration

Better = Literal["lower", "higher"]
"""Which values of a metric are better."""
_LONG_PERIOD_SECONDS = 60


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class WatchedJobs(_Section):
    """Which training jobs are watched: those that pass all of what is said here."""

    names: tuple[str, ...] = Field(default=("*",), min_length=1)
    """Patterns of names, e.g. ``churn-*``; one of them must fit."""
    tags: dict[str, str] = {}
    """Tags that a job must have; ``*`` may be in a value."""
    pipelines: tuple[str, ...] = ()
    """Patterns of SageMaker pipelines' names; a job that one of them started fits."""
    images: tuple[str, ...] = ()
    """Patterns of training images, e.g. ``*/churn-train:*``, or of names of algorithms; one of them must fit."""


class ThresholdRule(_Section):
    """The metric lies on the wrong side of a number."""

    rule: Literal["threshold"]
    at_most: float | None = Field(default=None, allow_inf_nan=False)
    at_least: float | None = Field(default=None, allow_inf_nan=False)
    after: float = Field(default=0, ge=0)
    """Step from which on it counts: a loss of 0.5 is expected of nobody at the start."""
    patience: int = Field(default=3, ge=1, le=1000)
    """So many values in a row."""

    @model_validator(mode="after")
    def _has_one_side(self) -> Self:
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError("give either at_most or at_least")
        return self


class ChampionRule(_Section):
    """The metric is worse than the champion's was at the same step.

    The champion is the best job of this watch that was completed.
    """

    rule: Literal["champion"]
    margin: float = Field(default=0.1, ge=0, allow_inf_nan=False)
    """How much worse is borne, as a fraction of the champion's value."""
    after: float = Field(default=0, ge=0)
    patience: int = Field(default=3, ge=1, le=1000)


class PlateauRule(_Section):
    """The metric does not get better any more."""

    rule: Literal["plateau"]
    improvement: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """A smaller one, in the metric's unit, is none."""
    after: float = Field(default=0, ge=0)
    patience: int = Field(default=10, ge=2, le=1000)
    """So many values without an improvement."""


class DivergenceRule(_Section):
    """The metric explodes, is not a number, or falls silent."""

    rule: Literal["divergence"]
    factor: float = Field(default=3.0, gt=1, allow_inf_nan=False)
    """So many times as bad as the best value so far."""
    least_change: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """A smaller distance from the best value, in the metric's unit, is never an explosion."""
    patience: int = Field(default=2, ge=1, le=1000)
    not_a_number: bool = True
    """Look in the job's log for NaN and infinity: CloudWatch takes neither, so the metric itself never shows them."""
    silence: Duration | None = None
    """Time without a new value, while the job trains, that counts as a divergence too."""


Rule = Annotated[ThresholdRule | ChampionRule | PlateauRule | DivergenceRule, Field(discriminator="rule")]


class CheckpointEvaluations(_Section):
    """Evaluations that lie beside a job's checkpoints: JSON, below ``S3Uri`` of its ``CheckpointConfig``."""

    files: tuple[str, ...] = Field(default=("*trainer_state.json", "*evaluation.json"), min_length=1)
    """Patterns of their keys below that place; ``*`` stands for folders, too."""
    step: str = Field(default="step", min_length=1, max_length=255)
    """What the step is called in them."""


class TrainingWatch(_Section):
    """What is looked at while a job trains, how often, and what stops it."""

    jobs: WatchedJobs = Field(default_factory=WatchedJobs)
    metric: str = Field(min_length=1, max_length=255)
    """Name in the job's ``MetricDefinitions``, e.g. ``validation:loss``; of checkpoints, in their evaluations."""
    checkpoints: CheckpointEvaluations | None = None
    """Where the metric is that of evaluations of the job's checkpoints; else it is read from CloudWatch."""
    better: Better
    step_metric: str | None = Field(default=None, min_length=1, max_length=255)
    """Metric that tells the step or epoch. Without it, a step is a second since the training began."""
    min_steps: float = Field(default=0, ge=0)
    """Steps before which no rule is asked; that a value is not a number counts always."""
    rules: tuple[Rule, ...] = Field(min_length=1)
    interval: Duration = Field(default=timedelta(minutes=2), ge=timedelta(seconds=1), le=timedelta(days=1))
    """Time between two looks."""
    period: Duration = timedelta(minutes=1)
    """Values within it count as one, their mean. SageMaker publishes once a minute."""
    owners: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_one_step(self) -> Self:
        if self.checkpoints is not None and self.step_metric is not None:
            raise ValueError("evaluations of checkpoints have their step: name it as checkpoints.step, no step_metric")
        return self

    @model_validator(mode="after")
    def _has_a_period_of_cloudwatch(self) -> Self:
        # CloudWatch API reference, GetMetricData: Period.
        seconds = self.period.total_seconds()
        if seconds not in {1, 5, 10, 30} and (seconds < _LONG_PERIOD_SECONDS or seconds % _LONG_PERIOD_SECONDS):
            raise ValueError("period is 1, 5, 10 or 30 seconds, or whole minutes")
        return self
