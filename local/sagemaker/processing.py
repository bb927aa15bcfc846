"""Processing jobs: the container's entrypoint on inputs from S3, its outputs to S3."""

from __future__ import annotations

from functools import partial
from typing import Any

from local.sagemaker.container_folder import ContainerFolder, base_environment, resource_config, shorten
from local.sagemaker.contract import Call, Description, Operation, ServiceError
from local.sagemaker.foundation import Foundation, invalid, not_found
from local.sagemaker.jobs import JobRun
from local.sagemaker.listing import Listing, list_operation
from local.sagemaker.resources import Resource, utc_now
from local.sagemaker.runner import Ending, Outcome
from local.sagemaker.s3_files import StagingError, download, upload_folder

KIND = "processing-job"
_MAX_RUNTIME_SECONDS = 86_400  # API reference, ProcessingStoppingCondition
INTERNAL_ERROR = "InternalServerError: We encountered an internal error.  Please try again."
_TERMINAL = {"Completed", "Failed", "Stopped"}


class ProcessingJobs:
    """Create, describe, list, stop and delete of processing jobs."""

    def __init__(self, foundation: Foundation) -> None:
        self._foundation = foundation
        self._store = foundation.store

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        listing = Listing(KIND, "ProcessingJobName")
        return {
            "CreateProcessingJob": self._create,
            "DescribeProcessingJob": lambda call: self._store.describe(self._find(call)),
            "ListProcessingJobs": list_operation(self._foundation.model, self._store, "ListProcessingJobs", listing),
            "StopProcessingJob": lambda call: self.stop(self._find(call)),
            "DeleteProcessingJob": self._delete,
        }

    def start(self, call: Call) -> tuple[Resource, JobRun]:
        """Start a job and return it with its run.

        Raises:
            ServiceError: ``ResourceInUse``, where the name is taken.
        """
        name, now = call.parameters["ProcessingJobName"], utc_now()
        description = self._foundation.described_members("DescribeProcessingJob", call.parameters)
        description |= {
            "ProcessingJobArn": call.arn(f"{KIND}/{name}"),
            "ProcessingJobStatus": "InProgress",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        description.setdefault("StoppingCondition", {"MaxRuntimeInSeconds": _MAX_RUNTIME_SECONDS})
        job = self._foundation.new_resource(call, KIND, name, description)
        if not self._store.add(job):
            raise ServiceError(
                "ResourceInUse",
                "Job name must be unique within an AWS account and region, "
                f"and a job with this name already exists ({job.arn})",
            )
        return job, self._foundation.pool.start(job.arn, partial(self._run, job))

    def stop(self, job: Resource) -> Description:
        """Ask a job to end.

        Raises:
            ServiceError: It has ended already.
        """
        run = self._foundation.pool.find(job.arn)
        if run is None or job.status in _TERMINAL:
            raise invalid(f"The request was rejected because the processing job is in status {job.status}.")
        stopping = {"ProcessingJobStatus": "Stopping", "LastModifiedTime": utc_now()}
        if self._store.update(job, lambda now: stopping if now["ProcessingJobStatus"] == "InProgress" else None):
            run.stop()
        return {}

    def _create(self, call: Call) -> Description:
        job, _run = self.start(call)
        return {"ProcessingJobArn": job.arn}

    def _find(self, call: Call) -> Resource:
        name = call.parameters["ProcessingJobName"]
        missing = not_found(f"Could not find requested job with name: {name}")
        return self._foundation.find(call, KIND, name, missing)

    def _delete(self, call: Call) -> Description:
        job = self._find(call)
        if job.status not in _TERMINAL:
            raise ServiceError(
                "ResourceInUse", f"Processing job {job.name} is in status {job.status}: stop it before you delete it"
            )
        self._store.remove(job)
        return {}

    def _run(self, job: Resource, run: JobRun) -> None:
        try:
            self._finish(job, run)
        except StagingError as error:
            self._end(job, "Failed", FailureReason=shorten(str(error)))
        finally:
            if job.status not in _TERMINAL:
                self._end(job, "Failed", FailureReason=INTERNAL_ERROR)

    def _finish(self, job: Resource, run: JobRun) -> None:
        run.pause(self._foundation.settings.state_seconds)
        if run.is_stopping:
            self._end(job, "Stopped")
            return
        folder = ContainerFolder.of(self._foundation, job)
        arguments = self._arguments(job)
        self._stage_inputs(job, folder)
        self._store.update(job, {"ProcessingStartTime": utc_now()}, silent=True)
        limit = job.description["StoppingCondition"]["MaxRuntimeInSeconds"]
        command = folder.command(arguments, self._environment(job), "/opt/ml/processing")
        outcome = run.run_container(command, lambda _line: None, limit)
        message = folder.read_text("/opt/ml/output/message")
        extra = {"ExitMessage": shorten(message)} if message else {}
        if outcome.ending is Ending.EXITED and outcome.exit_code:
            self._end(job, "Failed", FailureReason=failure_reason(folder, outcome), **extra)
            return
        self._upload_outputs(job, folder)
        self._end(job, "Completed" if outcome.ending is Ending.EXITED else "Stopped", **extra)

    def _end(self, job: Resource, status: str, **members: str) -> None:
        now = utc_now()
        ended = {"ProcessingJobStatus": status, "ProcessingEndTime": now, "LastModifiedTime": now}
        self._store.update(job, ended | members)

    def _arguments(self, job: Resource) -> list[str]:
        specification = job.description["AppSpecification"]
        entrypoint = specification.get("ContainerEntrypoint")
        if not entrypoint:
            raise StagingError(
                f"ClientError: The local cloud does not pull the image {specification['ImageUri']}: "
                "give AppSpecification.ContainerEntrypoint the command to run"
            )
        return [*entrypoint, *specification.get("ContainerArguments", [])]

    def _environment(self, job: Resource) -> dict[str, str]:
        return {
            **base_environment(self._foundation, job, job.description["RoleArn"]),
            "PROCESSING_JOB_ARN": job.arn,
            "PROCESSING_JOB_NAME": job.name,
            **job.description.get("Environment", {}),
        }

    def _stage_inputs(self, job: Resource, folder: ContainerFolder) -> None:
        description = job.description
        cluster = description["ProcessingResources"]["ClusterConfig"]
        folder.write_json("/opt/ml/config/resourceconfig.json", resource_config(cluster["InstanceType"]))
        folder.write_json(
            "/opt/ml/config/processingjobconfig.json",
            {
                name: description[name]
                for name in (
                    "ProcessingJobArn",
                    "ProcessingJobName",
                    "AppSpecification",
                    "Environment",
                    "ProcessingInputs",
                    "ProcessingOutputConfig",
                    "ProcessingResources",
                    "RoleArn",
                    "StoppingCondition",
                )
                if name in description
            },
        )
        for entry in description.get("ProcessingInputs", []):
            source = _s3_input(entry)
            if source is not None:
                gunzip = source.get("S3CompressionType") == "Gzip"
                target = folder.path(source.get("LocalPath", f"/opt/ml/processing/input/{entry['InputName']}"))
                download(self._foundation.s3_for(job), source["S3Uri"], source["S3DataType"], target, gunzip=gunzip)
        for entry in _outputs(job):
            folder.path(entry["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)

    def _upload_outputs(self, job: Resource, folder: ContainerFolder) -> None:
        for entry in _outputs(job):
            target = entry["S3Output"]
            upload_folder(self._foundation.s3_for(job), folder.path(target["LocalPath"]), target["S3Uri"])


def _s3_input(entry: dict[str, Any]) -> dict[str, Any] | None:
    if entry.get("AppManaged"):
        return None
    source: dict[str, Any] | None = entry.get("S3Input")
    if source is None or source.get("S3InputMode", "File") != "File":
        raise StagingError(
            f"ClientError: Processing input {entry['InputName']} is not supported by the local cloud: "
            "give an S3Input with S3InputMode File"
        )
    return source


def _outputs(job: Resource) -> list[dict[str, Any]]:
    outputs = job.description.get("ProcessingOutputConfig", {}).get("Outputs", [])
    chosen = [entry for entry in outputs if not entry.get("AppManaged")]
    for entry in chosen:
        if "LocalPath" not in entry.get("S3Output", {}):
            raise StagingError(
                f"ClientError: Processing output {entry['OutputName']} is not supported by the local cloud: "
                "give an S3Output with a LocalPath"
            )
    return chosen


def failure_reason(folder: ContainerFolder, outcome: Outcome) -> str:
    """Return the reason of a container that failed: its ``/opt/ml/output/failure`` and its exit code."""
    words = folder.read_text("/opt/ml/output/failure") or "See job logs for more information"
    ending = f", exit code: {outcome.exit_code if outcome.exit_code >= 0 else 128 - outcome.exit_code}"
    return f"AlgorithmError: {words[: 1000 - len(ending)]}{ending}"
