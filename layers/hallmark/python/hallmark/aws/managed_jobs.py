"""AWS's jobs that evaluate for us: started once, looked at, stopped, cleaned away."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from hallmark.aws.clients import client
from hallmark.aws.evaluation_files import RunFiles
from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.errors import HallmarkError, NotFoundError, UnavailableError
from hallmark.evaluation.plans import JobKind

_ENDED = frozenset({"Completed", "Failed", "Stopped", "PartiallyCompleted", "Expired", "Deleting", "Active"})
"""Statuses of all kinds (botocore: bedrock EvaluationJobStatus, ModelInvocationJobStatus, CustomModelDeploymentStatus;
sagemaker ProcessingJobStatus)."""
_TAKEN = frozenset({"ConflictException", "ResourceInUse"})
_NO_ROOM = frozenset({"ServiceQuotaExceededException", "ResourceLimitExceeded"})
_BOTH_ERRORS = frozenset({"ResourceNotFoundException", "ResourceNotFound"})


class JobLimitError(HallmarkError):
    """So many jobs run or are kept that AWS takes no more at the moment."""


class JobRefusedError(HallmarkError):
    """AWS refuses the job and will refuse it again."""


class JobState(NamedTuple):
    """Where a job stands."""

    status: str
    reason: str
    """Why it failed, as AWS says it; empty where it says nothing."""
    ended_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in _ENDED


def start_job(kind: JobKind, name: str, request: Mapping[str, Any]) -> str:
    """Start a job, or find the one that was started under this name; return its ARN.

    Args:
        kind: Which of AWS's jobs.
        name: Its name.
        request: Of the operation that creates it.

    Raises:
        JobLimitError: There is no room at the moment.
        JobRefusedError: It will never be taken.
        UnavailableError: AWS did not answer.
    """
    try:
        with calling(f"starting {name}"):
            return _create(kind, request)
    except ClientError as error:
        if error_code(error) in _TAKEN:
            return _find(kind, name)
        if error_code(error) in _NO_ROOM:
            raise JobLimitError(describe_error(error)) from error
        raise JobRefusedError(describe_error(error)) from error


def look_at_job(kind: JobKind, arn: str) -> JobState:
    """Return where a job stands.

    Raises:
        NotFoundError: There is no such job (any more).
        UnavailableError: AWS did not answer.
    """
    try:
        with calling(f"looking at {arn}"):
            return _describe(kind, arn)
    except ClientError as error:
        if error_code(error) in _BOTH_ERRORS or "Could not find" in describe_error(error):
            raise NotFoundError(f"there is no job {arn}: {describe_error(error)}") from error
        raise


def stop_job(kind: JobKind, arn: str) -> None:
    """Stop a job; one that has ended stays as it is."""
    with calling(f"stopping {arn}"):
        try:
            if kind is JobKind.EVALUATION:
                client("bedrock").stop_evaluation_job(jobIdentifier=arn)
            elif kind is JobKind.BATCH_INFERENCE:
                client("bedrock").stop_model_invocation_job(jobIdentifier=arn)
            elif kind is JobKind.SCORING:
                client("sagemaker").stop_processing_job(ProcessingJobName=arn.rpartition("/")[2])
        except ClientError as error:
            if error_code(error) not in {"ConflictException", "ValidationException"}:
                raise


def clean_up_job(kind: JobKind, arn: str) -> None:
    """Delete an evaluation job that has ended: an account keeps 5,000 at most. Other kinds are kept by AWS."""
    if kind is JobKind.EVALUATION:
        with calling(f"deleting {arn}"):
            client("bedrock").batch_delete_evaluation_job(jobIdentifiers=[arn])


def remove_deployments(files: RunFiles) -> None:
    """Remove what a run deployed, if it came to be planned at all."""
    try:
        plan = files.read_plan()
    except NotFoundError:
        return
    for job in plan.jobs:
        arn = files.find_deployment(job.model) if job.kind is JobKind.DEPLOYMENT else None
        if arn is not None:
            _remove_deployment(arn)


def _remove_deployment(arn: str) -> None:
    with calling(f"removing {arn}"):
        try:
            client("bedrock").delete_custom_model_deployment(customModelDeploymentIdentifier=arn)
        except ClientError as error:
            if error_code(error) not in _BOTH_ERRORS:
                raise


def _create(kind: JobKind, request: Mapping[str, Any]) -> str:
    if kind is JobKind.EVALUATION:
        return str(client("bedrock").create_evaluation_job(**request)["jobArn"])
    if kind is JobKind.BATCH_INFERENCE:
        return str(client("bedrock").create_model_invocation_job(**request)["jobArn"])
    if kind is JobKind.DEPLOYMENT:
        return str(client("bedrock").create_custom_model_deployment(**request)["customModelDeploymentArn"])
    return str(client("sagemaker").create_processing_job(**request)["ProcessingJobArn"])


def _find(kind: JobKind, name: str) -> str:
    with calling(f"finding {name}"):
        if kind is JobKind.SCORING:
            return str(client("sagemaker").describe_processing_job(ProcessingJobName=name)["ProcessingJobArn"])
        if kind is JobKind.DEPLOYMENT:
            named = client("bedrock").get_custom_model_deployment(customModelDeploymentIdentifier=name)
            return str(named["customModelDeploymentArn"])
        operation, found = _LISTS[kind]
        for page in client("bedrock").get_paginator(operation).paginate(nameContains=name):
            for job in page.get(found, ()):
                if job["jobName"] == name:
                    return str(job["jobArn"])
    raise UnavailableError(f"{name} is said to exist and is not listed yet: try again")


_LISTS = {
    JobKind.EVALUATION: ("list_evaluation_jobs", "jobSummaries"),
    JobKind.BATCH_INFERENCE: ("list_model_invocation_jobs", "invocationJobSummaries"),
}


def _describe(kind: JobKind, arn: str) -> JobState:
    if kind is JobKind.EVALUATION:
        job = client("bedrock").get_evaluation_job(jobIdentifier=arn)
        return JobState(job["status"], "; ".join(job.get("failureMessages", ())), job.get("lastModifiedTime"))
    if kind is JobKind.BATCH_INFERENCE:
        job = client("bedrock").get_model_invocation_job(jobIdentifier=arn)
        return JobState(job["status"], job.get("message", ""), job.get("endTime"))
    if kind is JobKind.DEPLOYMENT:
        job = client("bedrock").get_custom_model_deployment(customModelDeploymentIdentifier=arn)
        return JobState(job["status"], job.get("failureMessage", ""), job.get("lastUpdatedAt"))
    job = client("sagemaker").describe_processing_job(ProcessingJobName=arn.rpartition("/")[2])
    reason = job.get("FailureReason") or job.get("ExitMessage") or ""
    return JobState(job["ProcessingJobStatus"], reason, job.get("ProcessingEndTime"))
