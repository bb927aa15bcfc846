"""What a comparison rests on: all that a run knows when it is over, or so far."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hallmark.evaluation.cases import Case
from hallmark.evaluation.metrics import Metric
from hallmark.evaluation.results import CaseResult, Finite
from hallmark.evaluation.suites import ComparisonSettings, Facts, Template

Dimension = Literal["dataset", "group", "category", "difficulty"]
"""By what cases are told apart."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class MeasuredMetric(_Value):
    """A metric, with what its numbers depend on."""

    metric: Metric
    signature: str
    """Of the scorer: results compare only where it is the same."""


class EvaluatedData(_Value):
    """A dataset as a run read it."""

    name: str
    digest: str
    """SHA-256 of the cases."""
    prompts: str = ""
    """Digest of what surrounds the cases: template, shots, system prompt; empty where nothing does."""
    cases: int = Field(ge=0)
    """In the dataset."""
    drawn: int = Field(ge=0)
    """In the sample that is asked."""
    notes: tuple[str, ...] = ()


class Strata(_Value):
    """How the cases were sampled, where not every case had the same chance."""

    by: Dimension
    shares: dict[str, float] = Field(min_length=1)
    """Share of each stratum in the population; they are scaled to sum to 1."""


class Provenance(_Value):
    """Where the results of one model come from, if not from this run: reused results of a champion."""

    run: str
    data: dict[str, str] = {}
    """Digest of each dataset by name."""
    prompts: dict[str, str] = {}
    """Digest of the prompts by dataset."""
    signatures: dict[str, str] = {}
    """Signature by metric."""


class EvaluatedModel(_Value):
    """A model that was asked."""

    name: str
    """Of the variant in the suite."""
    model_id: str = ""
    prompts: str = ""
    """Digest of its system prompt; empty where it has none."""
    facts: Facts = Field(default_factory=Facts)
    provenance: Provenance | None = None
    """None where the results are of this run."""


class Anchor(_Value):
    """An answer that a person and a judge have scored."""

    case: str
    human: Finite
    judge: Finite
    model: str | None = None
    """Whose answer it is; None where it is of none of the models."""
    previous: Finite | None = None
    """What the judge said of the same answer in the previous run."""


class JudgeAnchors(_Value):
    """What is known of a judge's honesty: anchors with human labels."""

    metric: str
    """The judge's metric in this run."""
    anchors: tuple[Anchor, ...]
    previous_run: str | None = None


class EvaluationResults(_Value):
    """A run with all its results; the same results in another order, or twice, make the same report."""

    suite: str
    run: str
    template: Template = Template.CHAMPION_CHALLENGER
    settings: ComparisonSettings = Field(default_factory=ComparisonSettings)
    champion: str | None = None
    """None compares all with all."""
    models: tuple[EvaluatedModel, ...] = Field(min_length=1)
    metrics: tuple[MeasuredMetric, ...] = Field(min_length=1)
    data: tuple[EvaluatedData, ...] = ()
    strata: Strata | None = None
    results: tuple[CaseResult, ...] = ()
    copies: tuple[CaseResult, ...] = ()
    """Of copies with flaws; they count in robustness alone."""
    planned: int = Field(ge=0)
    """Calls of each model: cases times repeats."""
    cases: dict[str, tuple[Case, ...]] = {}
    """Questions by dataset, to show beside answers; may lack some."""
    judges: tuple[JudgeAnchors, ...] = ()
    started_at: datetime
    completed_at: datetime
    cost_usd: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    budget_usd: float | None = None
    stopped: str | None = None
    """Why the run ended before all was asked."""
    notes: tuple[str, ...] = ()
    """What a reader must know besides."""

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        models = [model.name for model in self.models]
        metrics = [measured.metric.name for measured in self.metrics]
        for field, names in (("models", models), ("metrics", metrics)):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{field} has {twice[0]!r} twice: name each once")
        if self.champion is not None and self.champion not in models:
            raise ValueError(f"champion {self.champion!r} is not among models ({', '.join(models)})")
        primary = self.settings.primary
        if primary is not None and primary not in metrics:
            raise ValueError(f"settings.primary {primary!r} is not among metrics ({', '.join(metrics)})")
        return self

    @property
    def primary(self) -> Metric:
        """The metric that decides."""
        wanted = self.settings.primary
        return next(each.metric for each in self.metrics if wanted in {None, each.metric.name})

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Who is compared with whom: (candidate, baseline); each with the champion, or all with all."""
        names = [model.name for model in self.models]
        if self.champion is not None:
            return tuple((name, self.champion) for name in names if name != self.champion)
        return tuple((names[j], names[i]) for i in range(len(names)) for j in range(i + 1, len(names)))
