"""The request that made a job, put together again from what lineage recorded of it.

Recording takes a Describe answer apart: what rules read becomes attributes, what is left stays under ``unrecognised``
with its places kept (``translation/reading.py``). Here both are put together again. What cannot be known any more is a
hole, never a guess.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hallmark.lineage.model import NodeKind

Section = dict[str, Any]


class Hole(NamedTuple):
    """Something that lineage does not know. ``blocking``: without it there is no request."""

    what: str
    why: str
    remedy: str
    blocking: bool = False


class Operation(NamedTuple):
    """How SageMaker's API starts and describes a kind of job.

    ``members`` are those of the request that Describe answers, too (SageMaker's service model); ``name_length`` is the
    longest name that the API takes.
    """

    create: str
    name: str
    name_length: int
    members: tuple[str, ...]


OPERATIONS: Mapping[NodeKind, Operation] = {
    NodeKind.TRAINING_JOB: Operation(
        "CreateTrainingJob",
        "TrainingJobName",
        63,
        (
            *("HyperParameters", "AlgorithmSpecification", "RoleArn", "InputDataConfig", "OutputDataConfig"),
            *("ResourceConfig", "VpcConfig", "StoppingCondition", "EnableNetworkIsolation"),
            *("EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining", "CheckpointConfig"),
            *("DebugHookConfig", "DebugRuleConfigurations", "TensorBoardOutputConfig", "ExperimentConfig"),
            *("ProfilerConfig", "ProfilerRuleConfigurations", "Environment", "RetryStrategy", "RemoteDebugConfig"),
            *("InfraCheckConfig", "ServerlessJobConfig", "MlflowConfig", "ModelPackageConfig"),
        ),
    ),
    NodeKind.PROCESSING_JOB: Operation(
        "CreateProcessingJob",
        "ProcessingJobName",
        63,
        (
            *("ProcessingInputs", "ProcessingOutputConfig", "ProcessingResources", "StoppingCondition"),
            *("AppSpecification", "Environment", "NetworkConfig", "RoleArn", "ExperimentConfig"),
        ),
    ),
    NodeKind.TRANSFORM_JOB: Operation(
        "CreateTransformJob",
        "TransformJobName",
        63,
        (
            *("ModelName", "MaxConcurrentTransforms", "ModelClientConfig", "MaxPayloadInMB", "BatchStrategy"),
            *("Environment", "TransformInput", "TransformOutput", "DataCaptureConfig", "TransformResources"),
            *("DataProcessing", "ExperimentConfig"),
        ),
    ),
    NodeKind.TUNING_JOB: Operation(
        "CreateHyperParameterTuningJob",
        "HyperParameterTuningJobName",
        32,
        (
            *("HyperParameterTuningJobConfig", "TrainingJobDefinition", "TrainingJobDefinitions"),
            *("WarmStartConfig", "Autotune"),
        ),
    ),
}
"""Kinds of runs that can be started again by one request."""

RESERVED_HYPERPARAMETER = "_tuning_objective_metric"
"""SageMaker adds it to the static hyperparameters of a tuning job, and refuses it in a request."""

CONCEALED = re.compile(r"sha256:[0-9a-f]{8}…")
"""What stands in the place of a credential (``credentials.py``)."""


class Rebuilt(NamedTuple):
    """The request as it was, but for its name and tags, and what of it is not known."""

    request: Section
    holes: list[Hole]


class ModelName(NamedTuple):
    """The model that a transform job used, as its own state spells it; ``name`` is None where nothing tells."""

    key: str
    name: str | None


def rebuild(
    kind: NodeKind,
    attributes: Mapping[str, Any],
    *,
    model: ModelName | None = None,
    feature_groups: Sequence[str] = (),
) -> Rebuilt:
    """Put a job's request together.

    Args:
        kind: One of ``OPERATIONS``.
        attributes: The job's, as lineage answers them (docs/graph.md).
        model: Of a transform job.
        feature_groups: Keys of the feature groups that a processing job wrote to.
    """
    rest = copy.deepcopy(attributes.get("unrecognised") or {})
    work = _Rebuilding(attributes, {name: rest[name] for name in OPERATIONS[kind].members if name in rest})
    if kind is NodeKind.TRANSFORM_JOB:
        work.transform(model)
    elif kind is NodeKind.PROCESSING_JOB:
        work.processing(feature_groups)
    else:
        _RULES[kind](work)
    for path, value in texts_within(work.request):
        if CONCEALED.fullmatch(value):
            work.holes.append(
                Hole(
                    f"the value of {path}",
                    "it is named like a credential, and no credential is kept",
                    f"give it with --set {path}=VALUE",
                    blocking=True,
                )
            )
    return Rebuilt(work.request, work.holes)


class _Rebuilding:
    def __init__(self, attributes: Mapping[str, Any], request: Section) -> None:
        self._attributes = attributes
        self.request = request
        self.holes: list[Hole] = []
        uses = attributes.get("inputs") or ()
        self._data = [use for use in uses if not _is_archive(use, attributes)]
        self._outputs = list(attributes.get("outputs") or ())

    def training(self) -> None:
        request, told = self.request, self._attributes
        self._note("HyperParameters", told.get("hyperparameters"))
        self._note("Environment", told.get("environment"))
        self._role(request)
        self._algorithm(request)
        self._cluster(request, "ResourceConfig")
        self._channels(request)
        self._note("StoppingCondition", told.get("stopping_condition"))
        self._note("ExperimentConfig", told.get("experiment"))
        self._note("MlflowConfig", told.get("mlflow"))
        self._note("EnableManagedSpotTraining", told.get("spot"))
        checkpoints = self._output_of("checkpoints")
        if checkpoints:
            _section(request, "CheckpointConfig")["S3Uri"] = checkpoints
        elif not request.get("CheckpointConfig", {}).get("S3Uri"):
            request.pop("CheckpointConfig", None)
        if not request.get("OutputDataConfig", {}).get("S3OutputPath"):
            self._miss("where the model was written", "nothing tells of it", "record the job again: hallmark backfill")

    def processing(self, feature_groups: Sequence[str]) -> None:
        request, told = self.request, self._attributes
        self._note("Environment", told.get("environment"))
        self._role(request)
        application = _section(request, "AppSpecification")
        self._image(application, "ImageUri")
        self._command(application)
        self._cluster(_section(request, "ProcessingResources"), "ClusterConfig")
        self._note("StoppingCondition", told.get("stopping_condition"))
        self._note("ExperimentConfig", told.get("experiment"))
        self._processing_inputs(request)
        self._processing_outputs(request, feature_groups)

    def transform(self, model: ModelName | None) -> None:
        request, told = self.request, self._attributes
        if model is None or model.name is None:
            named = f" but for {model.key}" if model else ""
            self._miss("the model's name", f"nothing tells of the model{named}", "record the model: hallmark backfill")
        else:
            request["ModelName"] = model.name
        self._note("Environment", told.get("environment"))
        self._note("ExperimentConfig", told.get("experiment"))
        self._cluster(request, "TransformResources")
        source = _section(request, "TransformInput")
        if self._data:
            use = self._data[0]
            _put_source(_section(source, "DataSource"), str(use["uri"]))
            if use.get("content_type"):
                source["ContentType"] = use["content_type"]
        else:
            self._miss(
                "the data that was transformed", "nothing tells of it", "record the job again: hallmark backfill"
            )
        output = self._output_of("output")
        if output:
            _section(request, "TransformOutput")["S3OutputPath"] = output
        else:
            self._miss("where the output was written", "the job has not ended", "ask again once it has")

    def tuning(self) -> None:
        request, told = self.request, self._attributes
        config = _section(request, "HyperParameterTuningJobConfig")
        for name, attribute in (("Strategy", "strategy"), ("ParameterRanges", "ranges")):
            if told.get(attribute):
                config[name] = copy.deepcopy(told[attribute])
        objective = told.get("objective") or {}
        named = {"Type": objective.get("type"), "MetricName": objective.get("metric")}
        if any(named.values()):
            _section(config, "HyperParameterTuningJobObjective").update({k: v for k, v in named.items() if v})
        if "TrainingJobDefinitions" in request:
            self._miss(
                "the training definitions",
                "there are several, and lineage keeps the parameters of one",
                "start the best training job again instead",
            )
            return
        if "WarmStartConfig" in request:
            self._miss(
                "the parents of the warm start", "their results are not part of this job", "start the best job instead"
            )
        definition = _section(request, "TrainingJobDefinition")
        static = dict(told.get("hyperparameters") or {})
        static.pop(RESERVED_HYPERPARAMETER, None)
        if static:
            definition["StaticHyperParameters"] = static
        if told.get("environment"):
            definition["Environment"] = dict(told["environment"])
        self._role(definition)
        self._algorithm(definition)
        self._cluster(definition, "ResourceConfig")
        self._channels(definition)

    # --- sections that several kinds have ---

    def _note(self, name: str, value: Any) -> None:
        if value not in (None, {}, []):
            self.request[name] = copy.deepcopy(value)

    def _miss(self, what: str, why: str, remedy: str) -> None:
        self.holes.append(Hole(what, why, remedy, blocking=True))

    def _role(self, holder: Section) -> None:
        role = self._attributes.get("role_arn")
        if role:
            holder["RoleArn"] = role
        else:
            self._miss("the role", "nothing tells of it", "give it with --set RoleArn=ARN")

    def _algorithm(self, holder: Section) -> None:
        algorithm = _section(holder, "AlgorithmSpecification")
        name = self._attributes.get("algorithm")
        if name:
            algorithm["AlgorithmName"] = name
        else:
            self._image(algorithm, "TrainingImage")
        self._command(algorithm)

    def _image(self, holder: Section, member: str) -> None:
        uri = (self._attributes.get("image") or {}).get("uri")
        if uri:
            holder[member] = uri
        elif "ServerlessJobConfig" not in self.request:
            self._miss("the image", "nothing tells of it", "record the job again: hallmark backfill")

    def _command(self, holder: Section) -> None:
        for member, attribute in (("ContainerEntrypoint", "entrypoint"), ("ContainerArguments", "arguments")):
            if self._attributes.get(attribute):
                holder[member] = list(self._attributes[attribute])

    def _cluster(self, holder: Section, member: str) -> None:
        found = self._attributes.get("resources") or {}
        names = {
            "instance_type": "InstanceType",
            "instance_count": "InstanceCount",
            "volume_gb": "VolumeSizeInGB",
            "instance_groups": "InstanceGroups",
        }
        if found:
            _section(holder, member).update({names[name]: value for name, value in found.items() if name in names})
        elif not holder.get(member) and "ServerlessJobConfig" not in self.request:
            self._miss("the machines", "nothing tells of them", "record the job again: hallmark backfill")

    def _channels(self, holder: Section) -> None:
        waiting = iter(self._data)
        channels = []
        for item in _items(holder.get("InputDataConfig"), len(self._data)):
            if "ChannelName" in item:  # a channel of a kind that no rule reads: all of it is left
                channels.append(item)
                continue
            use = next(waiting, None)
            if use is None:
                continue
            item["ChannelName"] = use["role"]
            _put_source(_section(item, "DataSource"), str(use["uri"]))
            if use.get("content_type"):
                item["ContentType"] = use["content_type"]
            channels.append(item)
        self._set_list(holder, "InputDataConfig", channels)

    def _processing_inputs(self, request: Section) -> None:
        waiting = iter(self._data)
        inputs = []
        for item in _items(request.get("ProcessingInputs"), len(self._data)):
            if "InputName" not in item:
                use = next(waiting, None)
                if use is None:
                    continue
                item["InputName"] = use["role"]
                self._put_input(item, str(use["uri"]))
            inputs.append(item)
        self._set_list(request, "ProcessingInputs", inputs)

    def _put_input(self, item: Section, uri: str) -> None:
        definition = item.get("DatasetDefinition")
        if definition is None:
            _section(item, "S3Input")["S3Uri"] = uri
            return
        query = next((name for name in _QUERIES if name in definition), _QUERIES[0])
        _section(definition, query)["OutputS3Uri"] = uri
        self.holes.append(
            Hole(
                f"what the query of {item['InputName']} answered",
                "the query runs again, over data that may have changed",
                "none: compare the outputs",
            )
        )

    def _processing_outputs(self, request: Section, feature_groups: Sequence[str]) -> None:
        config = request.get("ProcessingOutputConfig")
        waiting = iter(self._outputs)
        outputs = []
        for item in _items((config or {}).get("Outputs"), len(self._outputs)):
            if "S3Output" not in item:
                continue
            use = next(waiting, None)
            if use is None:
                continue
            item["OutputName"] = use["role"]
            item["S3Output"]["S3Uri"] = use["uri"]
            outputs.append(item)
        if feature_groups:
            self.holes.append(
                Hole(
                    f"the output to {', '.join(sorted(feature_groups))}",
                    "a second run must not write into a feature group that is in use",
                    "none: the outputs in S3 are compared",
                )
            )
        if outputs:
            _section(request, "ProcessingOutputConfig")["Outputs"] = outputs
        else:
            request.pop("ProcessingOutputConfig", None)

    def _output_of(self, role: str) -> str | None:
        return next((str(use["uri"]) for use in self._outputs if use.get("role") == role), None)

    def _set_list(self, holder: Section, name: str, items: list[Section]) -> None:
        if items:
            holder[name] = items
        else:
            holder.pop(name, None)


_RULES: Mapping[NodeKind, Callable[[_Rebuilding], None]] = {
    NodeKind.TRAINING_JOB: _Rebuilding.training,
    NodeKind.TUNING_JOB: _Rebuilding.tuning,
}
_QUERIES = ("AthenaDatasetDefinition", "RedshiftDatasetDefinition")
_FILE_SYSTEMS = {"efs": "EFS", "fsxlustre": "FSxLustre"}


def _is_archive(use: Mapping[str, Any], attributes: Mapping[str, Any]) -> bool:
    """Tell whether an input is the source archive of script mode, which no channel names."""
    return use.get("role") == "code" and use.get("uri") == (attributes.get("code") or {}).get("source_uri")


def _section(holder: Section, name: str) -> Section:
    found = holder.get(name)
    if not isinstance(found, dict):
        found = holder[name] = {}
    return found


def _items(left: Any, least: int) -> list[Section]:
    """Return what is left of a list, an empty section for each item that was read whole."""
    items = [item if isinstance(item, dict) else {} for item in left] if isinstance(left, list) else []
    return items + [{} for _ in range(least - len(items))]


def _put_source(source: Section, uri: str) -> None:
    scheme, _, rest = uri.partition("://")
    if scheme in _FILE_SYSTEMS:
        system, slash, path = rest.partition("/")
        found = _section(source, "FileSystemDataSource")
        found.update(FileSystemId=system, FileSystemType=_FILE_SYSTEMS[scheme], DirectoryPath=f"{slash}{path}" or "/")
    elif uri.startswith("arn:"):
        _section(source, "DatasetSource")["DatasetArn"] = uri
    else:
        _section(source, "S3DataSource")["S3Uri"] = uri


def texts_within(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each text of a JSON value with its dotted path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from texts_within(item, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from texts_within(item, f"{path}[{number}]")
