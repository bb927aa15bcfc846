"""Section ``gates`` of ``hallmark.yaml``."""

from __future__ import annotations

from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from hallmark.durations import Duration
from hallmark.gates.criteria import (
    PRIMARY,
    BiasCriterion,
    CoverageCriterion,
    Criterion,
    DriftCriterion,
    LineageCriterion,
    RelativeCriterion,
    suite_of,
)
from hallmark.gates.watch_settings import TrainingWatch

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
StageName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9-]{0,62}$")]
"""SageMaker's own limit for a stage (API reference, ModelLifeCycle)."""
FailureAction = Literal["log", "block", "roll_back"]

_ACTIONS: dict[str, FailureAction] = {"development": "log", "staging": "block", "production": "roll_back"}
_LIFECYCLE = {"development": "Development", "staging": "Staging", "production": "Production"}


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class GatedModels(_Section):
    """Which models a gate is for; ``*`` may be used in each."""

    model_package_groups: tuple[str, ...] = ()
    custom_models: tuple[str, ...] = ()
    """Names or ARNs of Bedrock's custom models."""
    endpoints: tuple[str, ...] = ()
    """Names of endpoints."""
    foundation_models: tuple[str, ...] = ()
    """Ids of Bedrock's models, as in ``evaluation.models``."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not any((self.model_package_groups, self.custom_models, self.endpoints, self.foundation_models)):
            raise ValueError("name at least one of model_package_groups, custom_models, endpoints or foundation_models")
        return self

    def has_group(self, group: str) -> bool:
        """Tell whether packages of a group are meant; SageMaker spells names in ARNs in lower case."""
        return _matches(group.lower(), tuple(pattern.lower() for pattern in self.model_package_groups))

    def has_custom_model(self, arn: str) -> bool:
        """Tell whether a custom model is meant."""
        return _matches(arn, self.custom_models) or _matches(arn.rpartition("/")[2], self.custom_models)

    def has_endpoint(self, name: str) -> bool:
        """Tell whether an endpoint is meant; SageMaker spells names in ARNs in lower case."""
        return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in self.endpoints)

    def has_foundation_model(self, model_id: str) -> bool:
        """Tell whether a foundation model is meant."""
        return _matches(model_id, self.foundation_models)


class GateTriggers(_Section):
    """What makes a gate judge by itself; None means what is usual at its stage."""

    registered: bool | None = None
    """A package was registered and waits for approval (usual before production)."""
    lifecycle: bool | None = None
    """A package's life cycle came to this gate's stage, or its approval was set back to pending (usual)."""
    endpoint: bool | None = None
    """An endpoint of the gate is in service with something new (usual in production)."""
    evaluation: bool | None = None
    """One of the gate's suites was run on its model (usual)."""
    drift: bool | None = None
    """Drift was detected on its model (usual in production)."""


class Approval(_Section):
    """Whether a person must agree after the gate has."""

    required: bool = False
    approvers: tuple[str, ...] = ()
    """Who may; empty: whoever may call the function."""
    expires: Duration = Field(default=timedelta(days=3), gt=timedelta(0), le=timedelta(days=365))
    author_may_not_approve: bool = True


class Gate(_Section):
    """What a model must show before it may move on."""

    stage: StageName
    """``development``, ``staging``, ``production`` or the team's own word."""
    description: str = ""
    models: GatedModels
    criteria: dict[Name, Criterion] = {}
    """Empty: what is usual at the stage (docs/gates.md)."""
    suites: tuple[str, ...] = ()
    """Suites of the section ``evaluation`` that bring evidence; what is missing is asked for."""
    report_metrics: tuple[str, ...] = ()
    """Metrics of the packages' own quality reports, besides those that SageMaker writes."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """That of every statement, and with a correction of all statements together."""
    correction: Literal["holm", "bonferroni", "none"] = "holm"
    max_evidence_age: Duration | None = Field(default=None, gt=timedelta(0))
    """Older evidence proves nothing; None takes any."""
    evidence_time: Duration = Field(default=timedelta(hours=2), gt=timedelta(0), le=timedelta(days=7))
    """How long to wait for evidence that was asked for."""
    on_failure: FailureAction | None = None
    """None: ``log`` in development, ``roll_back`` in production, else ``block``."""
    approval: Approval = Field(default_factory=Approval)
    next_stage: StageName | None = None
    """Where a model that passes goes."""
    lifecycle_stage: StageName | None = None
    """The registry's word for the stage (ModelLifeCycle); None capitalises ours."""
    triggers: GateTriggers = Field(default_factory=GateTriggers)
    owners: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.criteria and not self.suites and self.stage not in {"development", "production"}:
            raise ValueError("name criteria, or suites whose usual criteria hold")
        if self.next_stage == self.stage:
            raise ValueError(f"next_stage is the gate's own stage, {self.stage}: name the one after it")
        for name, criterion in self.criteria.items():
            suite = suite_of(criterion)
            if suite is not None and suite not in self.suites:
                raise ValueError(f"criterion {name} names the suite {suite}: add it to the gate's suites")
        if self.on_failure == "roll_back" and not (self.models.endpoints or self.models.model_package_groups):
            raise ValueError("only an endpoint can be rolled back: name endpoints or model_package_groups, or block")
        return self

    @property
    def action_on_failure(self) -> FailureAction:
        """What follows where the gate fails."""
        return self.on_failure or _ACTIONS.get(self.stage, "block")

    @property
    def registry_stage(self) -> str:
        """The stage as the registry spells it."""
        return self.lifecycle_stage or _LIFECYCLE.get(self.stage, self.stage)

    @property
    def asked(self) -> dict[str, Criterion]:
        """The criteria; those of the stage where the gate names none."""
        return dict(self.criteria) or stage_template(self.stage, has_suites=bool(self.suites))

    def reacts_to(self, trigger: Literal["registered", "lifecycle", "endpoint", "evaluation", "drift"]) -> bool:
        """Tell whether the gate judges by itself when something happens."""
        told: bool | None = getattr(self.triggers, trigger)
        if told is not None:
            return told
        if trigger == "registered":
            return self.stage != "production"
        return trigger in {"lifecycle", "evaluation"} or self.stage == "production"


class GatesPolicy(_Section):
    """What the team says of gates."""

    gates: dict[Name, Gate] = {}
    watches: dict[Name, TrainingWatch] = {}

    @property
    def groups_whose_authors_may_approve(self) -> tuple[str, ...]:
        """Patterns of the model package groups for which every gate lets authors approve."""
        forbidden = {
            pattern
            for gate in self.gates.values()
            if gate.approval.author_may_not_approve
            for pattern in gate.models.model_package_groups
        }
        allowed = {
            pattern
            for gate in self.gates.values()
            if not gate.approval.author_may_not_approve
            for pattern in gate.models.model_package_groups
        }
        return tuple(sorted(allowed - forbidden))

    @model_validator(mode="after")
    def _check(self) -> Self:
        stages = {gate.stage for gate in self.gates.values()}
        for name, gate in self.gates.items():
            if gate.next_stage is not None and gate.next_stage not in stages:
                known = ", ".join(sorted(stages))
                raise ValueError(f"gate {name}: no gate is at next_stage {gate.next_stage}: name one of {known}")
            seen = {name}
            while gate.next_stage is not None:
                following = [other for other, each in self.gates.items() if each.stage == gate.next_stage]
                if following[0] in seen:
                    raise ValueError(f"gate {name}: its next stages lead back to {following[0]}")
                seen.add(following[0])
                gate = self.gates[following[0]]  # noqa: PLW2901 - walks along
        return self


def stage_template(stage: str, *, has_suites: bool) -> dict[str, Criterion]:
    """Return what is usually asked at a stage.

    Development asks that a model answers and can be traced; staging, and every stage of the team's own, for benchmarks
    and bias; production for all of that, and that nothing it serves drifts.

    Args:
        stage: The stage.
        has_suites: Whether suites bring evidence.
    """
    found: dict[str, Criterion] = {"traceable": LineageCriterion()}
    if has_suites:
        found["coverage"] = CoverageCriterion(at_least=0.9 if stage == "development" else 0.95)
        if stage != "development":
            found["not-worse-than-champion"] = RelativeCriterion(metric=PRIMARY, not_worse_by=0.02)
            found["fair"] = BiasCriterion(metric=PRIMARY, at_most=0.1)
    if stage == "production":
        found["no-open-drift"] = DriftCriterion()
    return found


def _matches(value: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns)
