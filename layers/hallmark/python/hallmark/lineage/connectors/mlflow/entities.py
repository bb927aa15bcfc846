"""What MLflow's REST API answers, as far as lineage needs it; everything else is let be.

Field names are those of ``mlflow/protos/service.proto`` and ``model_registry.proto``; times are milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hallmark.errors import InvalidInputError


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True, protected_namespaces=())


class Pair(_Answer):
    """A tag or a parameter."""

    key: str
    value: str = ""


class Metric(_Answer):
    """The last value of a metric; MLflow writes NaN and infinities as texts."""

    key: str
    value: float | None = None


class RunInfo(_Answer):
    """What every run has."""

    run_id: str
    experiment_id: str = ""
    run_name: str = ""
    user_id: str = ""
    status: str = ""
    start_time: int = 0
    end_time: int = 0
    artifact_uri: str = ""
    lifecycle_stage: str = "active"


class RunData(_Answer):
    """What was logged."""

    metrics: Sequence[Metric] = ()
    params: Sequence[Pair] = ()
    tags: Sequence[Pair] = ()


class Dataset(_Answer):
    """A dataset as ``mlflow.log_input`` tells of it; ``source`` is JSON."""

    name: str = ""
    digest: str = ""
    source_type: str = ""
    source: str = ""
    schema_: str = Field(default="", alias="schema")
    profile: str = ""


class DatasetInput(_Answer):
    """A dataset and what it was to the run (tag ``mlflow.data.context``)."""

    dataset: Dataset
    tags: Sequence[Pair] = ()


class ModelUse(_Answer):
    """A logged model that a run read or wrote (MLflow 3)."""

    model_id: str


class RunInputs(_Answer):
    """What a run read."""

    dataset_inputs: Sequence[DatasetInput] = ()
    model_inputs: Sequence[ModelUse] = ()


class RunOutputs(_Answer):
    """What a run wrote."""

    model_outputs: Sequence[ModelUse] = ()


class Run(_Answer):
    """A run."""

    info: RunInfo
    data: RunData = Field(default_factory=RunData)
    inputs: RunInputs = Field(default_factory=RunInputs)
    outputs: RunOutputs = Field(default_factory=RunOutputs)


class Experiment(_Answer):
    """An experiment."""

    experiment_id: str
    name: str = ""


class Alias(_Answer):
    """An alias of a registered model, and the version that it points to."""

    alias: str
    version: str


class RegisteredModel(_Answer):
    """A model of the registry; its name can be used again after a deletion, ``creation_timestamp`` tells it."""

    name: str
    creation_timestamp: int
    last_updated_timestamp: int = 0
    user_id: str = ""
    description: str = ""
    tags: Sequence[Pair] = ()
    aliases: Sequence[Alias] = ()


class ModelVersion(_Answer):
    """A version of a registered model."""

    name: str
    version: str
    creation_timestamp: int
    last_updated_timestamp: int = 0
    user_id: str = ""
    current_stage: str = ""
    description: str = ""
    source: str = ""
    run_id: str = ""
    status: str = ""
    tags: Sequence[Pair] = ()


class LoggedModelInfo(_Answer):
    """Where a logged model lies (MLflow 3)."""

    model_id: str
    name: str = ""
    artifact_uri: str = ""


class LoggedModel(_Answer):
    """A logged model (MLflow 3)."""

    info: LoggedModelInfo


Entity = TypeVar("Entity", bound=_Answer)


def read_entity(kind: type[Entity], document: object) -> Entity:
    """Read one thing that MLflow answered.

    Raises:
        InvalidInputError: It is not what MLflow's API describes.
    """
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join((kind.__name__, *map(str, fault["loc"])))
        raise InvalidInputError(
            field, fault["input"], f"{fault['msg']}; is the address that of MLflow's API?"
        ) from None


def as_map(pairs: Sequence[Pair]) -> dict[str, str]:
    """Return tags or parameters as a map."""
    return {pair.key: pair.value for pair in pairs}
