"""Batch transform jobs: every object of the input through the model, the answers beside each other on S3."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from local.sagemaker.container_folder import ContainerFolder, base_environment, shorten
from local.sagemaker.contract import Call, Description, Operation, ServiceError
from local.sagemaker.foundation import Foundation, invalid, not_found
from local.sagemaker.hosting import ModelError, ModelProcess, serve_model
from local.sagemaker.jobs import JobRun
from local.sagemaker.listing import Listing, list_operation
from local.sagemaker.models import Models
from local.sagemaker.processing import INTERNAL_ERROR
from local.sagemaker.resources import Resource, utc_now
from local.sagemaker.s3_files import StagingError, download, upload_bytes

KIND = "transform-job"
_TERMINAL = {"Completed", "Failed", "Stopped"}
_MEGABYTE = 1_000_000
_DEFAULT_PAYLOAD_MEGABYTES = 6  # API reference, CreateTransformJob, MaxPayloadInMB
_DEFAULT_TIMEOUT_SECONDS = 600  # API reference, ModelClientConfig


class TransformJobs:
    """Create, describe, list and stop of transform jobs."""

    def __init__(self, foundation: Foundation, models: Models) -> None:
        self._foundation = foundation
        self._store = foundation.store
        self._models = models

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        listing = Listing(KIND, "TransformJobName", descending=True)
        return {
            "CreateTransformJob": self._create,
            "DescribeTransformJob": lambda call: self._store.describe(self._find(call)),
            "ListTransformJobs": list_operation(self._foundation.model, self._store, "ListTransformJobs", listing),
            "StopTransformJob": lambda call: self.stop(self._find(call)),
        }

    def start(self, call: Call) -> tuple[Resource, JobRun]:
        """Start a job and return it with its run.

        Raises:
            ServiceError: The name is taken, or the model does not exist.
        """
        name = call.parameters["TransformJobName"]
        self._models.find(call, call.parameters["ModelName"])
        description = self._foundation.described_members("DescribeTransformJob", call.parameters)
        description |= {
            "TransformJobArn": call.arn(f"{KIND}/{name}"),
            "TransformJobStatus": "InProgress",
            "CreationTime": utc_now(),
        }
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
            raise invalid(f"The request was rejected because the transform job is in status {job.status}.")
        stopping = {"TransformJobStatus": "Stopping"}
        if self._store.update(job, lambda now: stopping if now["TransformJobStatus"] == "InProgress" else None):
            run.stop()
        return {}

    def _create(self, call: Call) -> Description:
        job, _run = self.start(call)
        return {"TransformJobArn": job.arn}

    def _find(self, call: Call) -> Resource:
        name = call.parameters["TransformJobName"]
        missing = not_found(f"Could not find requested job with name: {name}")
        return self._foundation.find(call, KIND, name, missing)

    def _run(self, job: Resource, run: JobRun) -> None:
        ended: Description = {"TransformJobStatus": "Failed", "FailureReason": INTERNAL_ERROR}
        try:
            self._transform_all(job, run)
            ended = {"TransformJobStatus": "Stopped" if run.is_stopping else "Completed"}
        except (StagingError, ServiceError) as error:
            ended = {"TransformJobStatus": "Failed", "FailureReason": shorten(str(error))}
        except ModelError as error:
            # A model that was stopped in the middle of a request has not failed.
            failed = {"TransformJobStatus": "Failed", "FailureReason": shorten(f"AlgorithmError: {error}")}
            ended = {"TransformJobStatus": "Stopped"} if run.is_stopping else failed
        finally:
            self._store.update(job, {**ended, "TransformEndTime": utc_now()})

    def _transform_all(self, job: Resource, run: JobRun) -> None:
        run.pause(self._foundation.settings.state_seconds)
        if run.is_stopping:
            return
        description, s3 = job.description, self._foundation.s3_for(job)
        containers = self._models.containers(job.call("DescribeModel", {}), description["ModelName"])
        _check_is_supported(description, containers)
        folder = ContainerFolder.of(self._foundation, job)
        source = description["TransformInput"]
        data = folder.path("/opt/ml/input/data/transform")
        location = source["DataSource"]["S3DataSource"]
        download(
            s3,
            location["S3Uri"],
            location["S3DataType"],
            data,
            gunzip=source.get("CompressionType") == "Gzip",
        )
        role = self._models.find(job.call("DescribeModel", {}), description["ModelName"]).description.get(
            "ExecutionRoleArn", ""
        )
        environment = {**base_environment(self._foundation, job, role), **description.get("Environment", {})}
        self._store.update(job, {"TransformStartTime": utc_now()}, silent=True)
        with serve_model(run, folder, containers[0], s3, environment) as model:
            for file in sorted(path for path in data.rglob("*") if path.is_file()):
                if run.is_stopping:
                    return
                target = f"{description['TransformOutput']['S3OutputPath'].rstrip('/')}/{file.relative_to(data)}.out"
                upload_bytes(s3, _transformed(model, file, description), target)


def _transformed(model: ModelProcess, file: Path, description: Description) -> bytes:
    source, output = description["TransformInput"], description["TransformOutput"]
    content_type = source.get("ContentType", "application/octet-stream")
    accept = output.get("Accept", "*/*")
    timeout = description.get("ModelClientConfig", {}).get("InvocationsTimeoutInSeconds", _DEFAULT_TIMEOUT_SECONDS)
    answers = [model.invoke(body, content_type, accept, timeout)[0] for body in _payloads(file, description)]
    if output.get("AssembleWith") == "Line":
        return b"".join(answer.rstrip(b"\n") + b"\n" for answer in answers)
    return b"".join(answers)


def _payloads(file: Path, description: Description) -> Iterator[bytes]:
    """Yield what one request carries: the file, a line, or as many lines as fit (API reference, BatchStrategy)."""
    content = file.read_bytes()
    limit = description.get("MaxPayloadInMB", _DEFAULT_PAYLOAD_MEGABYTES) * _MEGABYTE
    if description["TransformInput"].get("SplitType", "None") == "None":
        yield _within(content, limit, file)
        return
    lines = [line for line in content.splitlines(keepends=True) if line.strip()]
    if description.get("BatchStrategy", "MultiRecord") == "SingleRecord":
        yield from (_within(line, limit, file) for line in lines)
        return
    batch = b""
    for line in lines:
        if batch and limit and len(batch) + len(line) > limit:
            yield batch
            batch = b""
        batch += _within(line, limit, file)
    if batch:
        yield batch


def _within(payload: bytes, limit: int, file: Path) -> bytes:
    if limit and len(payload) > limit:
        raise StagingError(
            f"ClientError: A record of {file.name} has {len(payload)} bytes, more than MaxPayloadInMB allows: "
            "set SplitType, or a greater MaxPayloadInMB"
        )
    return payload


def _check_is_supported(description: Description, containers: list[dict[str, Any]]) -> None:
    split = description["TransformInput"].get("SplitType", "None")
    given = description.get("DataProcessing", {})
    if split not in {"None", "Line"}:
        raise StagingError(f"ClientError: SplitType {split} is not supported by the local cloud: use Line or None")
    if given.get("InputFilter", "$") != "$" or given.get("OutputFilter", "$") != "$" or "JoinSource" in given:
        raise StagingError("ClientError: DataProcessing is not supported by the local cloud: leave it out")
    if len(containers) != 1:
        raise StagingError(f"ClientError: The local cloud serves models of one container, not of {len(containers)}")
