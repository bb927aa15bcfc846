"""Training jobs: the container's entrypoint or the user's script, its metrics, its model."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from local.sagemaker import script_mode
from local.sagemaker.container_folder import ContainerFolder, base_environment, resource_config, shorten
from local.sagemaker.contract import Call, Description, Operation, ServiceError
from local.sagemaker.foundation import Foundation, invalid, not_found
from local.sagemaker.jobs import JobRun
from local.sagemaker.listing import Listing, list_operation
from local.sagemaker.processing import INTERNAL_ERROR, failure_reason
from local.sagemaker.resources import Resource, utc_now
from local.sagemaker.runner import ContainerCommand, Ending, Outcome
from local.sagemaker.s3_files import (
    StagingError,
    download,
    download_object,
    object_exists,
    pack,
    unpack,
    upload_bytes,
    upload_folder,
)
from local.sagemaker.telemetry import Telemetry

KIND = "training-job"
TERMINAL = {"Completed", "Failed", "Stopped"}
_MAX_RUNTIME_SECONDS = 86_400  # API reference, StoppingCondition
_KEPT_LINES = 20
_MESSAGES = {
    "Starting": "Starting the training job",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
}


class TrainingJobs:
    """Create, describe, list, stop and delete of training jobs."""

    def __init__(self, foundation: Foundation) -> None:
        self._foundation = foundation
        self._store = foundation.store

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        listing = Listing(KIND, "TrainingJobName", keep=_has_warm_pool_or_plan)
        return {
            "CreateTrainingJob": self._create,
            "DescribeTrainingJob": lambda call: self._store.describe(self._find(call)),
            "ListTrainingJobs": list_operation(self._foundation.model, self._store, "ListTrainingJobs", listing),
            "StopTrainingJob": lambda call: self.stop(self._find(call)),
            "DeleteTrainingJob": self._delete,
        }

    def start(self, call: Call, *, tuning_job_arn: str | None = None) -> tuple[Resource, JobRun]:
        """Start a job and return it with its run.

        Raises:
            ServiceError: The name is taken, or the request contradicts itself.
        """
        _check(call)
        name = call.parameters["TrainingJobName"]
        job = self._foundation.new_resource(call, KIND, name, self._description(call, tuning_job_arn))
        if not self._store.add(job):
            raise ServiceError(
                "ResourceInUse",
                "Training job names must be unique within an AWS account and region, "
                f"and a training job with this name already exists ({job.arn})",
            )
        return job, self._foundation.pool.start(job.arn, partial(self._run, job))

    def stop_if_running(self, job: Resource) -> None:
        """Ask a job to end, unless it has ended or is ending."""
        run = self._foundation.pool.find(job.arn)
        if run is not None and self._enter(job, "Stopping", only_in_progress=True):
            run.stop()

    def stop(self, job: Resource) -> Description:
        """Ask a job to end.

        Raises:
            ServiceError: It has ended already.
        """
        run = self._foundation.pool.find(job.arn)
        if run is None or job.status in TERMINAL:
            raise invalid(f"The request was rejected because the training job is in status {job.status}.")
        self.stop_if_running(job)
        return {}

    def _create(self, call: Call) -> Description:
        job, _run = self.start(call)
        return {"TrainingJobArn": job.arn}

    def _find(self, call: Call) -> Resource:
        return self._foundation.find(call, KIND, call.parameters["TrainingJobName"], not_found())

    def _delete(self, call: Call) -> Description:
        job = self._find(call)
        if job.status not in TERMINAL:
            raise ServiceError(
                "ResourceInUse", f"Training job {job.name} is in status {job.status}: stop it before you delete it"
            )
        self._store.remove(job)
        return {}

    def _description(self, call: Call, tuning_job_arn: str | None) -> Description:
        parameters, now = call.parameters, utc_now()
        description = self._foundation.described_members("DescribeTrainingJob", parameters)
        description.setdefault("StoppingCondition", {})
        description["StoppingCondition"] = {
            "MaxRuntimeInSeconds": _MAX_RUNTIME_SECONDS,
            **description["StoppingCondition"],
        }
        for flag in ("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining"):
            description.setdefault(flag, False)
        output = f"{parameters['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{parameters['TrainingJobName']}/output"
        packed = parameters["OutputDataConfig"].get("CompressionType", "GZIP") == "GZIP"
        description |= {
            "TrainingJobArn": call.arn(f"{KIND}/{parameters['TrainingJobName']}"),
            "ModelArtifacts": {"S3ModelArtifacts": f"{output}/model.tar.gz" if packed else f"{output}/model/"},
            "TrainingJobStatus": "InProgress",
            "SecondaryStatus": "Starting",
            "CreationTime": now,
            "LastModifiedTime": now,
            "SecondaryStatusTransitions": [_transition("Starting", now)],
            "ProfilingStatus": "Disabled",
        }
        return description | ({"TuningJobArn": tuning_job_arn} if tuning_job_arn else {})

    def _run(self, job: Resource, run: JobRun) -> None:
        try:
            self._train(job, run)
        except StagingError as error:
            self._enter(job, "Failed", FailureReason=shorten(str(error)))
        finally:
            if job.status not in TERMINAL:
                self._enter(job, "Failed", FailureReason=INTERNAL_ERROR)

    def _train(self, job: Resource, run: JobRun) -> None:
        run.pause(self._foundation.settings.state_seconds)
        if run.is_stopping:
            self._enter(job, "Stopped")
            return
        self._advance(job, "Downloading")
        training = _Training(self._foundation, job, ContainerFolder.of(self._foundation, job))
        command = training.prepare()
        self._advance(job, "Training", TrainingStartTime=utc_now())
        limit = job.description["StoppingCondition"]["MaxRuntimeInSeconds"]
        with training.telemetry:
            outcome = run.run_container(command, training.read_line, limit)
        metrics = {"FinalMetricDataList": training.final_metrics()} if training.final_metrics() else {}
        if outcome.ending is Ending.EXITED and outcome.exit_code:
            training.keep_output()
            self._end(job, "Failed", FailureReason=training.failure(outcome), **metrics)
            return
        self._advance(job, "Uploading", **metrics)
        training.keep_model(even_if_empty=outcome.ending is Ending.EXITED)
        training.keep_output()
        ended = {Ending.EXITED: "Completed", Ending.STOPPED: "Stopped", Ending.TIMED_OUT: "MaxRuntimeExceeded"}
        self._end(job, ended[outcome.ending])

    def _advance(self, job: Resource, secondary: str, **members: Any) -> None:
        """Enter a state of a job in progress; a job that is to end stays in ``Stopping``."""
        if not self._enter(job, secondary, only_in_progress=True, **members):
            self._store.update(job, members, silent=True)

    def _end(self, job: Resource, secondary: str, **members: Any) -> None:
        start: datetime = job.description["TrainingStartTime"]
        seconds = max(1, math.ceil((utc_now() - start).total_seconds()))
        self._enter(job, secondary, TrainingTimeInSeconds=seconds, BillableTimeInSeconds=seconds, **members)

    def _enter(self, job: Resource, secondary: str, *, only_in_progress: bool = False, **members: Any) -> bool:
        def change(before: Description) -> Description | None:
            if only_in_progress and before["TrainingJobStatus"] != "InProgress":
                return None
            now = utc_now()
            *past, last = before["SecondaryStatusTransitions"]
            status = {"MaxRuntimeExceeded": "Stopped"}.get(secondary, secondary)
            status = status if status in {*TERMINAL, "Stopping"} else "InProgress"
            ended = status in TERMINAL
            transition = _transition(secondary, now) | ({"EndTime": now} if ended else {})
            return {
                "TrainingJobStatus": status,
                "SecondaryStatus": secondary,
                "SecondaryStatusTransitions": [*past, {**last, "EndTime": now}, transition],
                "LastModifiedTime": now,
                **({"TrainingEndTime": now} if ended else {}),
                **members,
            }

        return self._store.update(job, change)


@dataclass
class _Training:
    """One run: what goes into the container's folder, what the container says, what comes out."""

    foundation: Foundation
    job: Resource
    folder: ContainerFolder
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT_LINES))
    metrics: dict[str, tuple[float, datetime]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        description = self.job.description
        definitions = description.get("AlgorithmSpecification", {}).get("MetricDefinitions", [])
        self._patterns = [(entry["Name"], re.compile(entry["Regex"])) for entry in definitions]
        self.telemetry = Telemetry(self.job, self.foundation.send_telemetry)
        self._script = script_mode.find_script(
            description.get("HyperParameters", {}), description.get("Environment", {})
        )

    def prepare(self) -> ContainerCommand:
        """Fill the folder and return what runs in it."""
        description = self.job.description
        arguments = self._arguments()
        instance_type = description.get("ResourceConfig", {}).get("InstanceType", "local")
        input_config = {channel["ChannelName"]: _channel_config(channel) for channel in self._channels()}
        self.folder.write_json("/opt/ml/input/config/hyperparameters.json", description.get("HyperParameters", {}))
        self.folder.write_json("/opt/ml/input/config/inputdataconfig.json", input_config)
        self.folder.write_json("/opt/ml/input/config/resourceconfig.json", resource_config(instance_type))
        for place in ("model", "output/data", "output/intermediate", "code", "input/data"):
            self.folder.path(f"/opt/ml/{place}").mkdir(parents=True, exist_ok=True)
        channels = {channel["ChannelName"]: self._stage_channel(channel) for channel in self._channels()}
        self._stage_checkpoints()
        environment = {
            **base_environment(self.foundation, self.job, description["RoleArn"]),
            "TRAINING_JOB_NAME": self.job.name,
            "TRAINING_JOB_ARN": self.job.arn,
        }
        if self._script is not None:
            self._stage_script(self._script)
            environment |= script_mode.script_environment(self._script, channels, input_config, instance_type)
        environment |= description.get("Environment", {})
        return self.folder.command(arguments, environment, script_mode.CODE if self._script else "/opt/ml")

    def read_line(self, line: str) -> None:
        """Look for metrics in a line of the log (API reference, MetricDefinition: the first group is the value)."""
        self.last_lines.append(line)
        self.telemetry.add_line(line)
        for name, pattern in self._patterns:
            for match in pattern.finditer(line):
                try:
                    value = float(match[1] if pattern.groups else match[0])
                except (TypeError, ValueError):
                    continue
                if math.isfinite(value):
                    at = utc_now()
                    self.metrics[name] = (value, at)
                    self.telemetry.add_value(name, value, at)

    def final_metrics(self) -> list[Description]:
        """Return the last value of each metric."""
        return [{"MetricName": n, "Value": v, "Timestamp": t} for n, (v, t) in self.metrics.items()]

    def failure(self, outcome: Outcome) -> str:
        """Return the job's ``FailureReason``."""
        if self._script is not None:
            script_mode.script_failure(self.folder, self._script, outcome.exit_code, list(self.last_lines))
        return failure_reason(self.folder, outcome)

    def keep_model(self, *, even_if_empty: bool) -> None:
        """Put ``/opt/ml/model`` where ``ModelArtifacts`` says, and the checkpoints where ``CheckpointConfig`` does."""
        model = self.folder.path("/opt/ml/model")
        uri = self.job.description["ModelArtifacts"]["S3ModelArtifacts"]
        s3 = self.foundation.s3_for(self.job)
        if uri.endswith("/"):
            upload_folder(s3, model, uri)
        elif even_if_empty or any(model.iterdir()):
            upload_bytes(s3, pack(model), uri)
        checkpoint = self.job.description.get("CheckpointConfig")
        if checkpoint:
            upload_folder(s3, self._checkpoints(), checkpoint["S3Uri"])

    def keep_output(self) -> None:
        """Put ``/opt/ml/output/data`` beside the model, where the container wrote something there."""
        data = self.folder.path("/opt/ml/output/data")
        if any(data.iterdir()):
            place = self.job.description["ModelArtifacts"]["S3ModelArtifacts"].rstrip("/").rpartition("/")[0]
            upload_bytes(self.foundation.s3_for(self.job), pack(data), f"{place}/output.tar.gz")

    def _arguments(self) -> list[str]:
        specification = self.job.description.get("AlgorithmSpecification", {})
        if specification.get("ContainerEntrypoint"):
            return [*specification["ContainerEntrypoint"], *specification.get("ContainerArguments", [])]
        if self._script is not None:
            return script_mode.script_arguments(self._script)
        image = specification.get("TrainingImage") or specification.get("AlgorithmName")
        raise StagingError(
            f"ClientError: The local cloud does not pull the image {image}: give "
            "AlgorithmSpecification.ContainerEntrypoint the command to run, or use script mode "
            "(hyperparameters sagemaker_program and sagemaker_submit_directory)"
        )

    def _channels(self) -> list[dict[str, Any]]:
        channels: list[dict[str, Any]] = self.job.description.get("InputDataConfig", [])
        return channels

    def _stage_channel(self, channel: Mapping[str, Any]) -> str:
        name, source = channel["ChannelName"], channel["DataSource"].get("S3DataSource")
        specification = self.job.description.get("AlgorithmSpecification", {})
        mode = channel.get("InputMode") or specification.get("TrainingInputMode", "File")
        if source is None or mode == "Pipe":
            raise StagingError(
                f"ClientError: Channel {name} is not supported by the local cloud: "
                "give an S3DataSource with input mode File or FastFile"
            )
        place = f"/opt/ml/input/data/{name}"
        download(
            self.foundation.s3_for(self.job),
            source["S3Uri"],
            source["S3DataType"],
            self.folder.path(place),
            gunzip=channel.get("CompressionType") == "Gzip",
        )
        return place

    def _checkpoints(self) -> Path:
        local = self.job.description["CheckpointConfig"].get("LocalPath", "/opt/ml/checkpoints")
        return self.folder.path(local)

    def _stage_checkpoints(self) -> None:
        checkpoint = self.job.description.get("CheckpointConfig")
        if not checkpoint:
            return
        self._checkpoints().mkdir(parents=True, exist_ok=True)
        s3, place = self.foundation.s3_for(self.job), f"{checkpoint['S3Uri'].rstrip('/')}/"
        if object_exists(s3, place):
            download(s3, place, "S3Prefix", self._checkpoints())

    def _stage_script(self, script: script_mode.Script) -> None:
        code = self.folder.path(script_mode.CODE)
        if script.submit_directory.startswith("s3://"):
            archive = download_object(self.foundation.s3_for(self.job), script.submit_directory)
            unpack(archive, code, script.submit_directory)
            return
        place = self.folder.path(script.submit_directory)
        if not place.is_dir():
            raise StagingError(
                f"ClientError: sagemaker_submit_directory {script.submit_directory} is neither an S3 URI "
                "nor a folder below /opt/ml that a channel fills"
            )
        code.rmdir()
        code.symlink_to(place, target_is_directory=True)


def _check(call: Call) -> None:
    specification = call.parameters.get("AlgorithmSpecification", {})
    if "ServerlessJobConfig" in call.parameters:
        raise invalid("ServerlessJobConfig is not supported by the local cloud: give AlgorithmSpecification")
    if bool(specification.get("TrainingImage")) == bool(specification.get("AlgorithmName")):
        raise invalid("AlgorithmSpecification must have exactly one of TrainingImage and AlgorithmName")
    if "ResourceConfig" not in call.parameters:
        raise invalid("Value null at 'resourceConfig' failed to satisfy constraint: Member must not be null")
    names = [channel["ChannelName"] for channel in call.parameters.get("InputDataConfig", [])]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise invalid(f"InputDataConfig has more than one channel named {', '.join(repeated)}: name each once")
    for entry in specification.get("MetricDefinitions", []):
        try:
            re.compile(entry["Regex"])
        except re.error as error:
            raise invalid(f"Regex '{entry['Regex']}' of metric {entry['Name']} is not valid: {error}") from error


def _has_warm_pool_or_plan(call: Call, job: Resource) -> bool:
    pool = call.parameters.get("WarmPoolStatusEquals")
    plan = call.parameters.get("TrainingPlanArnEquals")
    config = job.description.get("ResourceConfig", {})
    return pool is None and (plan is None or config.get("TrainingPlanArn") == plan)


def _channel_config(channel: Mapping[str, Any]) -> dict[str, Any]:
    source = channel["DataSource"].get("S3DataSource", {})
    return {
        "TrainingInputMode": channel.get("InputMode", "File"),
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
        **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
    }


def _transition(secondary: str, start: datetime) -> Description:
    return {"Status": secondary, "StartTime": start, "StatusMessage": _MESSAGES[secondary]}
