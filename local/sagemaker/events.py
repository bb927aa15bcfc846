"""SageMaker's events on EventBridge's default bus, in the shapes that AWS publishes.

Shapes: the samples of the developer guide ("Automating SageMaker AI with EventBridge"), kept in ``tests/payloads/aws``,
and where it has none (models, endpoint configurations) the fields of EventBridge's schema registry. Samples, registry
and AWS's own fixtures disagree in the types of times and tags: the sample's types are the rule here, and
``EventQuirks.vary_shapes`` of the events take those of the others. What the samples lack (final metrics, a training
job's environment) the events lack too.
"""

from __future__ import annotations

import json
import logging
import queue
import random
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Literal

from botocore.exceptions import BotoCoreError

from local.sagemaker.contract import Description, ResourceChanged
from local.sagemaker.resources import utc_now
from local.sagemaker.settings import EventQuirks

Publish = Callable[[Mapping[str, Any], str, str], None]  # (PutEvents entry, account, region)
Detail = dict[str, Any]
_LOGGER = logging.getLogger(__name__)


class Time(Enum):
    """How an event writes times."""

    TEXT_MILLISECONDS = "text"
    WHOLE_MILLISECONDS = "int"
    FLOAT_MILLISECONDS = "float"
    ISO = "iso"


@dataclass(frozen=True)
class Style:
    """The types of one event: those of the guide's sample, or of another source of AWS's."""

    time: Time
    tags: Literal["map", "list"] = "map"
    nulls: bool = False


_REGISTRY = Style(Time.WHOLE_MILLISECONDS, tags="list")
_FIXTURE = Style(Time.WHOLE_MILLISECONDS, nulls=True)

# Members of the Describe answer that the samples carry, in their order.
_TRAINING = [
    "TrainingJobName",
    "TrainingJobArn",
    "TuningJobArn",
    "TrainingJobStatus",
    "SecondaryStatus",
    "FailureReason",
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "VpcConfig",
    "StoppingCondition",
    "CreationTime",
    "TrainingStartTime",
    "TrainingEndTime",
    "LastModifiedTime",
    "SecondaryStatusTransitions",
]
_TUNING = [
    "HyperParameterTuningJobName",
    "HyperParameterTuningJobArn",
    "TrainingJobDefinition",
    "TrainingJobDefinitions",
    "HyperParameterTuningJobStatus",
    "FailureReason",
    "CreationTime",
    "HyperParameterTuningEndTime",
    "LastModifiedTime",
    "TrainingJobStatusCounters",
    "ObjectiveStatusCounters",
]
_TUNING_DEFINITION = [
    "StaticHyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "VpcConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
]
_TRANSFORM = [
    "TransformJobName",
    "TransformJobArn",
    "TransformJobStatus",
    "FailureReason",
    "ModelName",
    "MaxConcurrentTransforms",
    "MaxPayloadInMB",
    "BatchStrategy",
    "Environment",
    "TransformInput",
    "TransformOutput",
    "TransformResources",
    "CreationTime",
    "TransformStartTime",
    "TransformEndTime",
]
_PROCESSING = [
    "ProcessingInputs",
    "ProcessingOutputConfig",
    "ProcessingJobName",
    "ProcessingResources",
    "StoppingCondition",
    "AppSpecification",
    "NetworkConfig",
    "RoleArn",
    "ExperimentConfig",
    "ProcessingJobArn",
    "ProcessingJobStatus",
    "ExitMessage",
    "FailureReason",
    "ProcessingEndTime",
    "ProcessingStartTime",
    "LastModifiedTime",
    "CreationTime",
]
_MODEL = ["ModelName", "ModelArn", "PrimaryContainer", "Containers", "ExecutionRoleArn", "VpcConfig", "CreationTime"]
_MODEL_PACKAGE = [
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageName",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "InferenceSpecification",
    "ModelPackageStatus",
    "ModelPackageStatusDetails",
    "CertifyForMarketplace",
    "ModelApprovalStatus",
    "ApprovalDescription",
    "MetadataProperties",
    "ModelMetrics",
    "CustomerMetadataProperties",
    "SourceUri",
    "ModelLifeCycle",
    "LastModifiedTime",
]
_ENDPOINT_CONFIG = ["EndpointConfigName", "EndpointConfigArn", "ProductionVariants", "CreationTime"]
_ENDPOINT = ["EndpointName", "EndpointArn", "EndpointConfigName", "FailureReason", "CreationTime", "LastModifiedTime"]
_FEATURE_GROUP = [
    "FeatureGroupArn",
    "FeatureGroupName",
    "RecordIdentifierFeatureName",
    "EventTimeFeatureName",
    "FeatureDefinitions",
    "CreationTime",
    "OnlineStoreConfig",
    "OfflineStoreConfig",
    "RoleArn",
    "FeatureGroupStatus",
    "OfflineStoreStatus",
    "FailureReason",
]
_MODEL_CARD = [
    "ModelCardVersion",
    "LastModifiedTime",
    "LastModifiedBy",
    "CreationTime",
    "CreatedBy",
    "ModelCardName",
    "ModelCardStatus",
]
_JOB = [
    "JobName",
    "JobArn",
    "JobCategory",
    "JobStatus",
    "SecondaryStatus",
    "RoleArn",
    "CreationTime",
    "LastModifiedTime",
    "EndTime",
    "FailureReason",
    "SecondaryStatusTransitions",
]
_UPDATED_FIELDS = {
    "ModelLifeCycle": "ModelLifeCycle",
    "ModelApprovalStatus": "ModelApprovalStatus",
    "ApprovalDescription": "ApprovalDescription",
    "SourceUri": "sourceUri",
    "CustomerMetadataProperties": "CustomerMetadataProperties",
    "InferenceSpecification": "InferenceSpecification",
}


def _pick(description: Description, names: list[str]) -> Detail:
    return {name: description[name] for name in names if name in description}


def _upper_snake(value: str) -> str:
    """Return ``InService`` as ``IN_SERVICE``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", value).upper()


def _training(change: ResourceChanged) -> Detail:
    return {"HyperParameters": {}, "VpcConfig": {}} | _pick(change.description, _TRAINING)


def _tuning(change: ResourceChanged) -> Detail:
    detail = _pick(change.description, _TUNING)
    definition = change.description.get("TrainingJobDefinition")
    if definition is not None:
        detail["TrainingJobDefinition"] = _tuning_definition(definition)
    definitions = change.description.get("TrainingJobDefinitions")
    if definitions is not None:
        detail["TrainingJobDefinitions"] = [_tuning_definition(each) for each in definitions]
    return detail


def _tuning_definition(definition: Description) -> Detail:
    return {"StaticHyperParameters": {}, "VpcConfig": {}} | _pick(definition, _TUNING_DEFINITION)


def _processing(change: ResourceChanged) -> Detail:
    detail: Detail = {"ProcessingInputs": [], "ExperimentConfig": {}} | _pick(change.description, _PROCESSING)
    spelled = _respell(detail, {"S3DataType", "S3InputMode", "S3UploadMode", "S3CompressionType"}, _upper_snake)
    upper: Detail = _respell(spelled, {"S3DataDistributionType"}, str.upper)
    return upper


def _respell(value: Any, names: set[str], spell: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {
            name: spell(item) if name in names and isinstance(item, str) else _respell(item, names, spell)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_respell(item, names, spell) for item in value]
    return value


def _model_package(change: ResourceChanged) -> Detail:
    detail = _pick(change.description, _MODEL_PACKAGE)
    if change.description.get("ModelPackageGroupName"):
        detail.pop("ModelPackageName", None)  # the sample of a versioned package has its group's name alone
    return detail


def _endpoint(change: ResourceChanged) -> Detail:
    detail = _pick(change.description, _ENDPOINT)
    variants = change.description.get("ProductionVariants", [])
    detail["ProductionVariants"] = [
        {name: float(variant[name]) for name in ("DesiredWeight", "DesiredInstanceCount") if name in variant}
        for variant in variants
    ]
    return detail | {"EndpointStatus": _upper_snake(change.description["EndpointStatus"])}


_DEPLOYED = [
    "VariantName",
    "CurrentWeight",
    "DesiredWeight",
    "CurrentInstanceCount",
    "DesiredInstanceCount",
    "VariantStatus",
]


def _endpoint_deployment(change: ResourceChanged) -> Detail:
    description, pending = change.description, change.description["PendingDeploymentSummary"]
    summary = {
        **_pick(pending, ["EndpointConfigName", "StartTime"]),
        "ProductionVariants": [_pick(variant, _DEPLOYED) for variant in pending.get("ProductionVariants", [])],
    }
    return {
        **_pick(description, _ENDPOINT),
        "ProductionVariants": [
            _pick(variant, [name for name in _DEPLOYED if name != "VariantStatus"])
            for variant in description["ProductionVariants"]
        ],
        "EndpointStatus": _upper_snake(description["EndpointStatus"]),
        "PendingDeploymentSummary": summary,
    }


def _feature_group(change: ResourceChanged) -> Detail:
    detail = _pick(change.description, _FEATURE_GROUP)
    # The guide's sample says "Active" for a group that is ready; the API says "Created".
    status = {"Created": "Active"}.get(detail["FeatureGroupStatus"], detail["FeatureGroupStatus"])
    return detail | {"FeatureGroupStatus": status}


def _model_card(change: ResourceChanged) -> Detail:
    detail = _pick(change.description, _MODEL_CARD)
    content = json.loads(change.description.get("Content") or "{}")
    model_id = content.get("model_overview", {}).get("model_id") if isinstance(content, dict) else None
    return {
        **detail,
        **({"ModelId": model_id} if model_id else {}),
        "AccountId": change.account,
        "SecurityConfig": change.description.get("SecurityConfig", {}),
    }


def _pipeline_execution(change: ResourceChanged) -> Detail:
    description = change.description
    ended = description["PipelineExecutionStatus"] in {"Succeeded", "Failed", "Stopped"}
    detail = {
        "pipelineExecutionDisplayName": description.get("PipelineExecutionDisplayName"),
        "currentPipelineExecutionStatus": description["PipelineExecutionStatus"],
        "previousPipelineExecutionStatus": change.previous_status,
        "executionStartTime": description["CreationTime"],
        "executionEndTime": description["LastModifiedTime"] if ended else None,
        "pipelineExecutionDescription": description.get("PipelineExecutionDescription"),
        "pipelineArn": description["PipelineArn"],
        "pipelineExecutionArn": description["PipelineExecutionArn"],
    }
    return {name: value for name, value in detail.items() if value is not None}


def _pipeline_step(change: ResourceChanged) -> Detail:
    step = change.description
    detail = {
        "metadata": _lower_camel(step.get("Metadata", {})),
        "stepStartTime": step.get("StartTime"),
        "stepEndTime": step.get("EndTime"),
        "stepName": step["StepName"],
        "stepType": step.get("StepType"),
        "previousStepStatus": change.previous_status,
        "currentStepStatus": step["StepStatus"],
        "failureReason": step.get("FailureReason"),
        "pipelineArn": change.arn.rpartition("/execution/")[0],
        "pipelineExecutionArn": change.arn,
    }
    return {name: value for name, value in detail.items() if value is not None}


def _lower_camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: _lower_camel(item) for name, item in value.items()}
    return value


@dataclass(frozen=True)
class EventType:
    """One event type: its name, what it carries, and its types in the guide's sample."""

    detail_type: str
    detail: Callable[[ResourceChanged], Detail]
    sample: Style
    others: tuple[Style, ...] = ()
    has_tags: bool = True


_TEXT = Style(Time.TEXT_MILLISECONDS)
_WHOLE = Style(Time.WHOLE_MILLISECONDS)
_ISO = Style(Time.ISO)
EVENT_TYPES = {
    "training-job": EventType("SageMaker Training Job State Change", _training, _TEXT, (_REGISTRY, _FIXTURE)),
    "hyper-parameter-tuning-job": EventType(
        "SageMaker HyperParameter Tuning Job State Change",
        _tuning,
        _TEXT,
        (Style(Time.TEXT_MILLISECONDS, tags="list"), _FIXTURE),
    ),
    "transform-job": EventType(
        "SageMaker Transform Job State Change",
        lambda change: _pick(change.description, _TRANSFORM),
        _ISO,
        (_REGISTRY, _FIXTURE),
    ),
    "processing-job": EventType("SageMaker Processing Job State Change", _processing, _WHOLE, has_tags=False),
    "model": EventType(
        "SageMaker Model State Change", lambda change: _pick(change.description, _MODEL), _WHOLE, (_REGISTRY, _FIXTURE)
    ),
    "model-package": EventType("SageMaker Model Package State Change", _model_package, _ISO, has_tags=False),
    "endpoint-config": EventType(
        "SageMaker Endpoint Config State Change",
        lambda change: _pick(change.description, _ENDPOINT_CONFIG),
        _WHOLE,
        (_REGISTRY, _FIXTURE),
    ),
    "endpoint": EventType(
        "SageMaker Endpoint State Change", _endpoint, Style(Time.FLOAT_MILLISECONDS), (_REGISTRY, _FIXTURE)
    ),
    "feature-group": EventType("SageMaker Feature Group State Change", _feature_group, _WHOLE),
    "model-card": EventType("SageMaker Model Card State Change", _model_card, _ISO, has_tags=False),
    "pipeline-execution": EventType(
        "SageMaker Model Building Pipeline Execution Status Change", _pipeline_execution, _ISO, has_tags=False
    ),
    "pipeline-step": EventType(
        "SageMaker Model Building Pipeline Execution Step Status Change", _pipeline_step, _ISO, has_tags=False
    ),
    "job": EventType(
        "SageMaker Job State Change", lambda change: _pick(change.description, _JOB), _ISO, has_tags=False
    ),
}
_DEPLOYMENT = EventType("SageMaker Endpoint Deployment State Change", _endpoint_deployment, _WHOLE)


_TELL_OF_DELETION = {"model", "endpoint-config"}


def event_types_of(change: ResourceChanged) -> list[EventType]:
    """Return the types of the events that AWS sends for a change."""
    found = EVENT_TYPES.get(change.kind)
    if found is None or (change.deleted and change.kind not in _TELL_OF_DELETION):
        return []
    if change.kind != "endpoint":
        return [found]
    status_changed = change.description["EndpointStatus"] != change.previous_status
    pending = change.description.get("PendingDeploymentSummary", {}).get("ProductionVariants", [])
    is_deployment = any(variant.get("VariantStatus") for variant in pending)
    return [*([found] if status_changed else []), *([_DEPLOYMENT] if is_deployment else [])]


def write_entry(change: ResourceChanged, event_type: EventType, style: Style) -> dict[str, Any]:
    """Return the entry for ``PutEvents`` that tells ``change``."""
    detail = event_type.detail(change)
    if event_type.has_tags:
        tags = [{"Key": key, "Value": value} for key, value in change.tags.items()]
        detail["Tags"] = dict(change.tags) if style.tags == "map" else tags
    if style.nulls:
        detail = {name: None for name in _nullable(change.kind) if name not in detail} | detail
    nanoseconds = {"LastModifiedTime"} if change.kind == "model-card" else set()
    return {
        "Source": "aws.sagemaker",
        "DetailType": event_type.detail_type,
        "Detail": json.dumps(_write_times(detail, style.time, nanoseconds)),
        "Resources": _resources(change),
        "Time": utc_now(),
    }


def _nullable(kind: str) -> list[str]:
    return {
        "training-job": ["FailureReason", "TrainingStartTime", "TrainingEndTime", "TuningJobArn"],
        "hyper-parameter-tuning-job": ["FailureReason", "HyperParameterTuningEndTime", "TrainingJobDefinitions"],
        "transform-job": ["FailureReason", "TransformStartTime", "TransformEndTime"],
        "model": ["PrimaryContainer", "Containers"],
        "endpoint": ["FailureReason"],
    }.get(kind, [])


def _resources(change: ResourceChanged) -> list[str]:
    pipeline, execution, _ = change.arn.partition("/execution/")
    return [pipeline, change.arn] if execution else [change.arn]


def _write_times(value: Any, style: Time, nanoseconds: set[str], name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _write_times(item, style, nanoseconds, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_write_times(item, style, nanoseconds) for item in value]
    if not isinstance(value, datetime):
        return value
    return _write_time(value, style, with_nanoseconds=name in nanoseconds)


def _write_time(value: datetime, style: Time, *, with_nanoseconds: bool) -> str | float:
    if style is Time.ISO:
        fraction = f".{value.microsecond * 1000:09d}" if with_nanoseconds else ""
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"
    milliseconds = round(value.timestamp() * 1000)
    if style is Time.TEXT_MILLISECONDS:
        return str(milliseconds)
    return float(milliseconds) if style is Time.FLOAT_MILLISECONDS else milliseconds


class EventPublisher:
    """A listener that publishes each change in a thread of its own, so that no request waits for the bus."""

    def __init__(self, publish: Publish, quirks: EventQuirks) -> None:
        self._publish = publish
        self._quirks = quirks
        # Two sources of chance, as two threads choose: what is sent is the same for the same seed, whatever the timing.
        self._random = random.Random(quirks.seed)  # noqa: S311 - chooses shapes, guards nothing
        self._order = random.Random(quirks.seed)  # noqa: S311 - likewise
        self._packages: dict[str, Description] = {}
        self._lock = threading.Lock()
        self._queue: queue.Queue[tuple[dict[str, Any], str, str] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._deliver, name="sagemaker-events", daemon=True)
        self._thread.start()

    def __call__(self, change: ResourceChanged) -> None:
        """Queue the events of ``change``."""
        with self._lock:
            updated = self._updated_package_fields(change)
            for event_type in event_types_of(change):
                entry = write_entry(change, event_type, self._style(event_type))
                if updated:
                    detail = json.loads(entry["Detail"]) | {"UpdatedModelPackageFields": updated}
                    entry["Detail"] = json.dumps(detail)
                copies = 2 if self._random.random() < self._quirks.duplicate else 1
                for _ in range(copies):
                    self._queue.put((entry, change.account, change.region))

    def flush(self, timeout_seconds: float = 10.0) -> bool:
        """Wait until everything queued so far is published; tell whether that was so in time."""
        with self._queue.all_tasks_done:
            return self._queue.all_tasks_done.wait_for(lambda: not self._queue.unfinished_tasks, timeout_seconds)

    def discard(self) -> None:
        """Forget what is queued."""
        with self._lock:
            self._packages.clear()
            try:
                while True:
                    self._queue.get_nowait()
                    self._queue.task_done()
            except queue.Empty:
                return

    def close(self) -> None:
        """Publish what is queued and end the thread."""
        self._queue.put(None)
        self._thread.join(timeout=5)

    def _style(self, event_type: EventType) -> Style:
        if event_type.others and self._random.random() < self._quirks.vary_shapes:
            return self._random.choice(event_type.others)
        return event_type.sample

    def _updated_package_fields(self, change: ResourceChanged) -> list[str]:
        if change.kind != "model-package":
            return []
        before = self._packages.get(change.arn)
        if change.deleted:
            self._packages.pop(change.arn, None)
            return []
        self._packages[change.arn] = change.description
        if before is None or before["ModelPackageStatus"] != change.description["ModelPackageStatus"]:
            return []
        return [told for name, told in _UPDATED_FIELDS.items() if before.get(name) != change.description.get(name)]

    def _deliver(self) -> None:
        held: list[tuple[dict[str, Any], str, str]] = []
        while True:
            item = self._queue.get()
            try:
                if item is None:
                    self._send_all(held)
                    return
                if not held and not self._queue.empty() and self._order.random() < self._quirks.reorder:
                    held.append(item)
                    continue
                self._send_all([item, *held])
                held.clear()
            finally:
                self._queue.task_done()

    def _send_all(self, items: list[tuple[dict[str, Any], str, str]]) -> None:
        for entry, account, region in items:
            try:
                self._publish(entry, account, region)
            except (BotoCoreError, OSError, RuntimeError) as error:
                # SageMaker's events are best effort (EventBridge reference, events-ref-sagemaker): one is lost.
                _LOGGER.warning("event %s of %s was lost: %s", entry["DetailType"], entry["Resources"], error)
