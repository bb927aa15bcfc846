"""The steps of a pipeline: what each starts, what its references see, how it is stopped."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from local.sagemaker.callbacks import Callback, Callbacks, message_of
from local.sagemaker.contract import Call, Description
from local.sagemaker.foundation import Foundation
from local.sagemaker.models import Models
from local.sagemaker.packages import ModelRegistry
from local.sagemaker.pipeline_definition import DefinitionError, Scope, Step
from local.sagemaker.processing import ProcessingJobs
from local.sagemaker.resources import Resource, utc_now
from local.sagemaker.s3_files import download_object
from local.sagemaker.shapes import parse_request
from local.sagemaker.training import TrainingJobs
from local.sagemaker.transform import TransformJobs
from local.sagemaker.tuning import TuningJobs

_ALPHABET = string.ascii_lowercase + string.digits
_SUFFIX = 10  # the length that the guide's sample event shows
_MAX_NAME = 63
_MAX_TUNING_NAME = 32
_ENDED_WELL = {"Completed", "Succeeded"}


@dataclass
class StepRun:
    """A step that was started: the resource it made, and what to wait for.

    Attributes:
        step: The step.
        record: What ListPipelineExecutionSteps tells of it.
        resource: The job, model or package that it made.
        finished: Done when the resource has ended; ``None`` for a step that is done at once.
        stop: Asks the resource to end.
        outcome: Of a condition: whether it holds.
        callback: Of a callback step: who is waited for.
        failure: Why it failed, where it made no resource.
    """

    step: Step
    record: Resource
    resource: Resource | None = None
    finished: Future[None] | None = None
    stop: Callable[[], object] = field(default=lambda: None)
    outcome: bool | None = None
    failure: str | None = None
    callback: Callback | None = None

    def failure_reason(self) -> str | None:
        """Return why the step failed, or ``None`` where it did not."""
        if self.callback is not None and self.failure is None:
            return self.callback.failure
        if self.failure is not None or self.resource is None:
            return self.failure
        status = self.resource.status
        if status is None or status in _ENDED_WELL:
            return None
        kind = self.resource.kind.replace("-", " ")
        reason = self.resource.description.get("FailureReason", f"The {kind} ended as {status}.")
        return f"ClientError: {kind} {self.resource.name} {status}: {reason}" if status == "Stopped" else str(reason)


@dataclass(frozen=True)
class StepParts:
    """The parts of the stand-in that steps are made of."""

    foundation: Foundation
    training: TrainingJobs
    processing: ProcessingJobs
    tuning: TuningJobs
    transform: TransformJobs
    models: Models
    registry: ModelRegistry
    callbacks: Callbacks


class StepStarter:
    """Starts the steps of one execution."""

    def __init__(self, parts: StepParts, execution: Resource) -> None:
        self._parts = parts
        self._execution = execution
        self._execution_id = execution.arn.rpartition("/")[2]
        # The execution's id is random already; the same execution gives its steps' jobs the same names.
        self._chooser = random.Random(execution.arn)  # noqa: S311 - makes names
        self._starts: dict[str, Callable[[StepRun, Scope], None]] = {
            "Training": self._start_training,
            "Processing": self._start_processing,
            "Tuning": self._start_tuning,
            "Transform": self._start_transform,
            "Model": self._create_model,
            "CreateModel": self._create_model,
            "RegisterModel": self._register_model,
            "Callback": self._call_back,
            "Condition": _decide,
            "Fail": _fail,
        }

    def start(self, run: StepRun, scope: Scope) -> None:
        """Start a step.

        Raises:
            DefinitionError: Its type is not known here, or a reference leads nowhere.
            ServiceError: What it makes is refused.
            StagingError: A property file cannot be read.
        """
        start = self._starts.get(run.step.step_type)
        if start is None:
            raise DefinitionError(
                f"Steps of type {run.step.step_type} are not supported by the local cloud; "
                f"it knows {', '.join(sorted(self._starts))}"
            )
        start(run, scope)

    def properties(self, run: StepRun) -> Mapping[str, Any]:
        """Return what references to a step see: the Describe answer of what it made."""
        if run.callback is not None:
            return {"OutputParameters": run.callback.outputs}
        if run.resource is None:
            return {"Outcome": run.outcome} if run.outcome is not None else {}
        described = self._parts.foundation.store.describe(run.resource)
        if run.step.step_type == "Tuning":
            described["TrainingJobSummaries"] = self._parts.tuning.children_by_rank(run.resource)
        return described

    def read_property_file(self, run: StepRun, name: str) -> Any:
        """Return the JSON document of a property file of a processing step.

        Raises:
            DefinitionError: The step has no such file, or it is not JSON.
            StagingError: It cannot be read.
        """
        output, path = run.step.property_files.get(name, ("", ""))
        if run.resource is None or not output:
            raise DefinitionError(f"Step {run.step.name} has no property file {name}")
        outputs = run.resource.description.get("ProcessingOutputConfig", {}).get("Outputs", [])
        place = next((each["S3Output"]["S3Uri"] for each in outputs if each["OutputName"] == output), None)
        if place is None:
            raise DefinitionError(f"Step {run.step.name} has no output {output}, which property file {name} names")
        uri = f"{place.rstrip('/')}/{path}"
        body = download_object(self._parts.foundation.s3_for(run.resource), uri)
        try:
            return json.loads(body)
        except ValueError as error:
            raise DefinitionError(f"Property file {uri} is not JSON: {error}") from error

    def _start_training(self, run: StepRun, scope: Scope) -> None:
        call = self._call("CreateTrainingJob", run.step, scope, "TrainingJobName")
        run.resource, job = self._parts.training.start(call)
        self._follow(run, job.finished, "TrainingJob", lambda: self._parts.training.stop(_made(run)))

    def _start_processing(self, run: StepRun, scope: Scope) -> None:
        call = self._call("CreateProcessingJob", run.step, scope, "ProcessingJobName")
        run.resource, job = self._parts.processing.start(call)
        self._follow(run, job.finished, "ProcessingJob", lambda: self._parts.processing.stop(_made(run)))

    def _start_tuning(self, run: StepRun, scope: Scope) -> None:
        call = self._call("CreateHyperParameterTuningJob", run.step, scope, "HyperParameterTuningJobName")
        run.resource, job = self._parts.tuning.start(call)
        self._follow(run, job.finished, "TuningJob", lambda: self._parts.tuning.stop(_made(run)))

    def _start_transform(self, run: StepRun, scope: Scope) -> None:
        call = self._call("CreateTransformJob", run.step, scope, "TransformJobName")
        run.resource, job = self._parts.transform.start(call)
        self._follow(run, job.finished, "TransformJob", lambda: self._parts.transform.stop(_made(run)))

    def _create_model(self, run: StepRun, scope: Scope) -> None:
        call = self._call("CreateModel", run.step, scope, "ModelName")
        self._parts.models.create(call)
        run.resource = self._parts.models.find(call, call.parameters["ModelName"])
        run.record.description["Metadata"] = {"Model": {"Arn": run.resource.arn}}

    def _register_model(self, run: StepRun, scope: Scope) -> None:
        arguments = dict(scope.evaluate(run.step.arguments))
        metadata = {"GeneratedBy": self._execution.arn, **arguments.get("MetadataProperties", {})}
        call = self._parsed("CreateModelPackage", {**arguments, "MetadataProperties": metadata})
        group = call.parameters.get("ModelPackageGroupName")
        if group and not self._parts.registry.has_group(call, group):
            self._parts.registry.create_group(self._parsed("CreateModelPackageGroup", {"ModelPackageGroupName": group}))
        run.resource, completion = self._parts.registry.register(call)
        self._follow(run, completion.finished, "RegisterModel", lambda: None)

    def _call_back(self, run: StepRun, scope: Scope) -> None:
        execution = self._execution
        if run.step.queue is None:
            raise DefinitionError(f"Step {run.step.name} has no SqsQueueUrl")
        queue, arguments = str(scope.evaluate(run.step.queue)), dict(scope.evaluate(run.step.arguments))
        role = self._role()
        run.callback = callback = self._parts.callbacks.open(execution.account, execution.region, execution.arn)

        def send(status: str) -> None:
            body = message_of(callback, status, arguments)
            self._parts.callbacks.send(queue, body, role, execution.region, execution.account)

        run.record.description["Metadata"] = {"Callback": {"CallbackToken": callback.token, "SqsQueueUrl": queue}}
        send("Executing")
        run.finished = callback.finished
        # The execution stops once this message is answered, too.
        run.stop = lambda: send("Stopping")

    def _role(self) -> str:
        described = self._execution.description
        pipeline = self._parts.foundation.store.find_arn(described["PipelineArn"])
        return str(described.get("RoleArn") or (pipeline.description["RoleArn"] if pipeline else ""))

    def _follow(self, run: StepRun, finished: Future[None], kind: str, stop: Callable[[], object]) -> None:
        run.finished = finished
        run.stop = stop
        run.record.description["Metadata"] = {kind: {"Arn": _made(run).arn}}

    def _call(self, operation: str, step: Step, scope: Scope, name_member: str) -> Call:
        arguments = dict(scope.evaluate(step.arguments))
        arguments[name_member] = self._name(operation, step, arguments.get(name_member))
        return self._parsed(operation, arguments)

    def _parsed(self, operation: str, arguments: Mapping[str, Any]) -> Call:
        shape = self._parts.foundation.model.operation_model(operation).input_shape
        return self._execution.call(operation, parse_request(shape, dict(arguments)))

    def _name(self, operation: str, step: Step, prefix: str | None) -> str:
        suffix = "".join(self._chooser.choices(_ALPHABET, k=_SUFFIX))
        if operation == "CreateHyperParameterTuningJob":
            lead = prefix or f"{self._execution_id}-{step.name}"
            return f"{lead[: _MAX_TUNING_NAME - _SUFFIX - 1].rstrip('-')}-{suffix}"
        lead = prefix or f"pipelines-{self._execution_id}-{step.name}"
        return f"{lead[: _MAX_NAME - _SUFFIX - 1].rstrip('-')}-{suffix}"


def _made(run: StepRun) -> Resource:
    if run.resource is None:
        raise TypeError(f"step {run.step.name} made no resource")
    return run.resource


def _decide(run: StepRun, scope: Scope) -> None:
    run.outcome = all(scope.holds(condition) for condition in run.step.arguments["Conditions"])
    run.record.description["Metadata"] = {"Condition": {"Outcome": "True" if run.outcome else "False"}}


def _fail(run: StepRun, scope: Scope) -> None:
    run.failure = str(scope.evaluate(run.step.arguments.get("ErrorMessage", "")))
    run.record.description["Metadata"] = {"Fail": {"ErrorMessage": run.failure}}


def step_record(execution: Resource, step: Step) -> Resource:
    """Return what ListPipelineExecutionSteps is to tell of a step that starts now."""
    description: Description = {
        "StepName": step.name,
        "StepType": {"CreateModel": "Model"}.get(step.step_type, step.step_type),
        "StepStatus": "Starting",
        "StartTime": utc_now(),
        "AttemptCount": 1,
    }
    optional = {"StepDisplayName": step.display_name, "StepDescription": step.description}
    return Resource(
        kind="pipeline-step",
        name=step.name,
        arn=execution.arn,
        account=execution.account,
        region=execution.region,
        partition=execution.partition,
        description=description | {name: value for name, value in optional.items() if value},
    )
