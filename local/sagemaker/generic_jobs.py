"""Jobs of the Job API (agent fine-tuning and its evaluation): told, listed, stopped; nothing here can run them."""

from __future__ import annotations

from functools import partial

from local.sagemaker.contract import Call, Description, Operation, ServiceError
from local.sagemaker.foundation import Foundation, invalid, not_found
from local.sagemaker.jobs import JobRun
from local.sagemaker.listing import Listing, list_operation
from local.sagemaker.resources import Resource, utc_now

KIND = "job"
_TERMINAL = {"Completed", "Failed", "Stopped"}
_PAGE = 50  # "The default value is 50" (API reference, ListJobs)


class GenericJobs:
    """Create, describe, list, stop and delete of jobs by category."""

    def __init__(self, foundation: Foundation) -> None:
        self._foundation = foundation
        self._store = foundation.store

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        listing = Listing(KIND, "JobName", page=_PAGE, more=_summary, keep=_has_category)
        return {
            "CreateJob": self._create,
            "DescribeJob": self._describe,
            "ListJobs": list_operation(self._foundation.model, self._store, "ListJobs", listing),
            "StopJob": self._stop,
            "DeleteJob": self._delete,
        }

    def _create(self, call: Call) -> Description:
        parameters, now = call.parameters, utc_now()
        name = f"{parameters['JobCategory']}/{parameters['JobName']}"
        description = self._foundation.described_members("DescribeJob", parameters)
        description |= {
            "JobArn": call.arn(f"{KIND}/{name}"),
            "CreationTime": now,
            "LastModifiedTime": now,
            "JobStatus": "InProgress",
            "SecondaryStatus": "Starting",
            "SecondaryStatusTransitions": [{"Status": "Starting", "StartTime": now}],
        }
        job = self._foundation.new_resource(call, KIND, name, description)
        if not self._store.add(job):
            raise ServiceError("ResourceInUse", f"A job with this name and category already exists ({job.arn})")
        self._foundation.pool.start(job.arn, partial(self._run, job), has_container=False)
        return {"JobArn": job.arn}

    def _describe(self, call: Call) -> Description:
        job = self._find(call)
        tags = [{"Key": key, "Value": value} for key, value in job.tags.items()]
        return self._store.describe(job) | ({"Tags": tags} if tags else {})

    def _stop(self, call: Call) -> Description:
        job = self._find(call)
        run = self._foundation.pool.find(job.arn)
        if run is None or job.status in _TERMINAL:
            raise invalid(f"The request was rejected because the job is in status {job.status}.")
        if self._enter(job, "Stopping", "Stopping"):
            run.stop()
        return {}

    def _delete(self, call: Call) -> Description:
        job = self._find(call)
        if job.status not in _TERMINAL:
            raise ServiceError("ResourceInUse", f"{job.arn} is in status {job.status}: stop it before you delete it")
        self._store.remove(job)
        return {}

    def _run(self, job: Resource, run: JobRun) -> None:
        run.pause(self._foundation.settings.state_seconds)
        if run.is_stopping:
            self._enter(job, "Stopped", "Stopped")
            return
        reason = (
            f"ClientError: The local cloud cannot run jobs of category {job.description['JobCategory']}: "
            "run them on AWS, or start a training or processing job with an entrypoint"
        )
        if not self._enter(job, "Failed", "Failed", FailureReason=reason):
            self._enter(job, "Stopped", "Stopped")

    def _enter(self, job: Resource, status: str, secondary: str, **members: str) -> bool:
        def change(before: Description) -> Description | None:
            now_allowed = {"InProgress"} if status != "Stopped" else {"InProgress", "Stopping"}
            if before["JobStatus"] not in now_allowed:
                return None
            now = utc_now()
            *past, last = before["SecondaryStatusTransitions"]
            ended = {"EndTime": now} if status in _TERMINAL else {}
            return {
                "JobStatus": status,
                "SecondaryStatus": secondary,
                "SecondaryStatusTransitions": [
                    *past,
                    {**last, "EndTime": now},
                    {"Status": secondary, "StartTime": now, **ended},
                ],
                "LastModifiedTime": now,
                **ended,
                **members,
            }

        return self._store.update(job, change)

    def _find(self, call: Call) -> Resource:
        name = f"{call.parameters['JobCategory']}/{call.parameters['JobName']}"
        return self._foundation.find(call, KIND, name, not_found(f"Could not find a job with the name {name}"))


def _has_category(call: Call, job: Resource) -> bool:
    return bool(job.description["JobCategory"] == call.parameters["JobCategory"])


def _summary(job: Resource) -> Description:
    return {"JobSecondaryStatus": job.description["SecondaryStatus"]}
