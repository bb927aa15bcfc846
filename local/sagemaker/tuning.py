"""Hyperparameter tuning jobs: children that really run as training jobs, and the best of them."""

from __future__ import annotations

import hashlib
import itertools
import math
import random
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, wait
from functools import partial
from typing import Any

from local.sagemaker.contract import Call, Description, Operation, ServiceError
from local.sagemaker.foundation import Foundation, not_found
from local.sagemaker.jobs import JobRun
from local.sagemaker.listing import Listing, list_operation, page
from local.sagemaker.resources import Resource, utc_now
from local.sagemaker.training import TERMINAL, TrainingJobs

KIND = "hyper-parameter-tuning-job"
_COUNTERS = ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped")
_COUNTED = {"Completed": "Completed", "Failed": "NonRetryableError", "Stopped": "Stopped"}
_OBJECTIVES = ("Succeeded", "Pending", "Failed")
_DEFINITION = (
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "VpcConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "RetryStrategy",
    "Environment",
)


class TuningJobs:
    """Create, describe, list, stop and delete of tuning jobs, and the list of their children."""

    def __init__(self, foundation: Foundation, training: TrainingJobs) -> None:
        self._foundation = foundation
        self._store = foundation.store
        self._training = training
        self._children: dict[str, list[tuple[Resource, dict[str, str]]]] = {}

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        listing = Listing(KIND, "HyperParameterTuningJobName", extra=_limits)
        return {
            "CreateHyperParameterTuningJob": self.create,
            "DescribeHyperParameterTuningJob": lambda call: self._store.describe(self._find(call)),
            "ListHyperParameterTuningJobs": list_operation(
                self._foundation.model, self._store, "ListHyperParameterTuningJobs", listing
            ),
            "StopHyperParameterTuningJob": self._stop,
            "DeleteHyperParameterTuningJob": self._delete,
            "ListTrainingJobsForHyperParameterTuningJob": self._list_children,
        }

    def create(self, call: Call) -> Description:
        """Start a tuning job.

        Raises:
            ServiceError: The name is taken, or there is not exactly one training job definition.
        """
        name, now = call.parameters["HyperParameterTuningJobName"], utc_now()
        if "TrainingJobDefinition" not in call.parameters:
            raise ServiceError(
                "ValidationException",
                "The local cloud tunes one training job definition: give TrainingJobDefinition",
            )
        description = self._foundation.described_members("DescribeHyperParameterTuningJob", call.parameters)
        description["TrainingJobDefinition"] = _with_objective(call.parameters)
        description |= {
            "HyperParameterTuningJobArn": call.arn(f"{KIND}/{name}"),
            "HyperParameterTuningJobStatus": "InProgress",
            "CreationTime": now,
            "LastModifiedTime": now,
            "TrainingJobStatusCounters": dict.fromkeys(_COUNTERS, 0),
            "ObjectiveStatusCounters": dict.fromkeys(_OBJECTIVES, 0),
        }
        job = self._foundation.new_resource(call, KIND, name, description)
        if not self._store.add(job):
            raise ServiceError("ResourceInUse", f"A tuning job with this name already exists ({job.arn})")
        self._children[job.arn] = []
        self._foundation.pool.start(job.arn, partial(self._run, job), has_container=False)
        return {"HyperParameterTuningJobArn": job.arn}

    def _find(self, call: Call) -> Resource:
        name = call.parameters["HyperParameterTuningJobName"]
        missing = not_found(f"Could not find requested tuning job with name: {name}")
        return self._foundation.find(call, KIND, name, missing)

    def _stop(self, call: Call) -> Description:
        job = self._find(call)
        run = self._foundation.pool.find(job.arn)
        if run is not None and self._store.update(job, _stopping):
            run.stop()
            for child, _ in self._children[job.arn]:
                if child.status not in TERMINAL:
                    self._training.stop(child)
        return {}

    def _delete(self, call: Call) -> Description:
        job = self._find(call)
        if job.status not in TERMINAL:
            raise ServiceError("ResourceInUse", f"Tuning job {job.name} is in status {job.status}: stop it first")
        self._store.remove(job)
        return {}

    def _run(self, job: Resource, run: JobRun) -> None:
        config = job.description["HyperParameterTuningJobConfig"]
        limits = config["ResourceLimits"]
        wanted = int(limits.get("MaxNumberOfTrainingJobs", 1))
        parallel = int(limits["MaxParallelTrainingJobs"])
        samples = itertools.islice(_samples(job.name, config), wanted)
        running: dict[Any, Resource] = {}
        for number, sample in enumerate(samples, start=1):
            if run.is_stopping:
                break
            child, child_run = self._start_child(job, number, sample)
            running[child_run.finished] = child
            self._count(job)
            while len(running) >= parallel:
                self._collect(job, running)
        while running:
            self._collect(job, running)
        ended = "Stopped" if run.is_stopping else "Completed"
        members: Description = {"HyperParameterTuningJobStatus": ended, **self._summary(job)}
        if ended == "Completed" and "BestTrainingJob" not in members:
            members |= {
                "HyperParameterTuningJobStatus": "Failed",
                "FailureReason": "All training jobs failed or gave no value of the objective metric.",
            }
        now = utc_now()
        self._store.update(job, members | {"HyperParameterTuningEndTime": now, "LastModifiedTime": now})

    def _start_child(self, job: Resource, number: int, sample: Mapping[str, str]) -> tuple[Resource, JobRun]:
        definition = job.description["TrainingJobDefinition"]
        suffix = hashlib.sha256(f"{job.arn}{number}".encode()).hexdigest()[:8]
        parameters = {name: definition[name] for name in _DEFINITION if name in definition}
        parameters |= {
            "TrainingJobName": f"{job.name[:48]}-{number:03d}-{suffix}",
            "HyperParameters": {**definition.get("StaticHyperParameters", {}), **sample},
            # "Tags … are also added to all training jobs that the tuning job launches" (API reference).
            "Tags": [{"Key": key, "Value": value} for key, value in job.tags.items()],
        }
        child, run = self._training.start(job.call("CreateTrainingJob", parameters), tuning_job_arn=job.arn)
        self._children[job.arn].append((child, dict(sample)))
        return child, run

    def _collect(self, job: Resource, running: dict[Any, Resource]) -> None:
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            del running[future]
        self._count(job)

    def _count(self, job: Resource) -> None:
        self._store.update(job, self._summary(job), silent=True)

    def _summary(self, job: Resource) -> Description:
        counters = dict.fromkeys(_COUNTERS, 0)
        objectives = dict.fromkeys(_OBJECTIVES, 0)
        scored = []
        for child, sample in self._children[job.arn]:
            counters[_COUNTED.get(child.status or "", "InProgress")] += 1
            value = self._score(job, child)
            objectives["Succeeded" if value is not None else "Failed" if child.status in TERMINAL else "Pending"] += 1
            if value is not None:
                scored.append((value, child, sample))
        summary: Description = {
            "TrainingJobStatusCounters": counters,
            "ObjectiveStatusCounters": objectives,
        }
        if scored:
            sign = -1 if self._objective(job)["Type"] == "Minimize" else 1
            _, best, sample = max(scored, key=lambda item: sign * item[0])
            summary["BestTrainingJob"] = self._child_summary(job, best, sample)
        return summary

    def _list_children(self, call: Call) -> Description:
        job = self._find(call)
        found = [self._child_summary(job, child, sample) for child, sample in self._children.get(job.arn, [])]
        status = call.parameters.get("StatusEquals")
        found = [child for child in found if status is None or child["TrainingJobStatus"] == status]
        chosen, token = page(call, found)
        return {"TrainingJobSummaries": chosen} | token

    def _child_summary(self, job: Resource, child: Resource, sample: Mapping[str, str]) -> Description:
        value = self._score(job, child)
        summary = {
            "TrainingJobDefinitionName": job.description["TrainingJobDefinition"].get("DefinitionName"),
            "TrainingJobName": child.name,
            "TrainingJobArn": child.arn,
            "TuningJobName": job.name,
            "CreationTime": child.description["CreationTime"],
            "TrainingStartTime": child.description.get("TrainingStartTime"),
            "TrainingEndTime": child.description.get("TrainingEndTime"),
            "TrainingJobStatus": child.status,
            "TunedHyperParameters": dict(sample),
            "FailureReason": child.description.get("FailureReason"),
            "FinalHyperParameterTuningJobObjectiveMetric": None
            if value is None
            else {**self._objective(job), "Value": value},
            "ObjectiveStatus": "Succeeded"
            if value is not None
            else "Failed"
            if child.status in TERMINAL
            else "Pending",
        }
        return {name: item for name, item in summary.items() if item is not None}

    def _score(self, job: Resource, child: Resource) -> float | None:
        wanted = self._objective(job)["MetricName"]
        metrics = child.description.get("FinalMetricDataList", []) if child.status == "Completed" else []
        return next((float(metric["Value"]) for metric in metrics if metric["MetricName"] == wanted), None)

    @staticmethod
    def _objective(job: Resource) -> dict[str, Any]:
        objective: dict[str, Any] = job.description["TrainingJobDefinition"]["TuningObjective"]
        return objective


def _with_objective(parameters: Mapping[str, Any]) -> Description:
    definition = dict(parameters["TrainingJobDefinition"])
    objective = definition.get("TuningObjective") or parameters["HyperParameterTuningJobConfig"].get(
        "HyperParameterTuningJobObjective"
    )
    if objective is None:
        raise ServiceError(
            "ValidationException",
            "HyperParameterTuningJobObjective is missing: name the metric that the tuning job is to optimise",
        )
    return definition | {"TuningObjective": dict(objective)}


def _stopping(description: Description) -> Description | None:
    if description["HyperParameterTuningJobStatus"] != "InProgress":
        return None
    return {"HyperParameterTuningJobStatus": "Stopping", "LastModifiedTime": utc_now()}


def _limits(resource: Resource) -> Description:
    config = resource.description["HyperParameterTuningJobConfig"]
    return {"Strategy": config["Strategy"], "ResourceLimits": config["ResourceLimits"]}


def _samples(name: str, config: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Yield hyperparameters: a grid where the strategy asks for it, otherwise at random (Bayesian search included)."""
    ranges = config.get("ParameterRanges", {})
    categorical = ranges.get("CategoricalParameterRanges", [])
    if config["Strategy"] == "Grid":
        values = itertools.product(*(entry["Values"] for entry in categorical))
        yield from (dict(zip((entry["Name"] for entry in categorical), chosen, strict=True)) for chosen in values)
        return
    chooser = random.Random(config.get("RandomSeed", name))  # noqa: S311 - samples hyperparameters
    while True:
        sample = {entry["Name"]: chooser.choice(entry["Values"]) for entry in categorical}
        for entry in ranges.get("IntegerParameterRanges", []):
            sample[entry["Name"]] = str(round(_between(chooser, entry)))
        for entry in ranges.get("ContinuousParameterRanges", []):
            sample[entry["Name"]] = repr(_between(chooser, entry))
        yield sample


def _between(chooser: random.Random, entry: Mapping[str, str]) -> float:
    """Return a value of a range on its scale (API reference, ContinuousParameterRange)."""
    low, high = float(entry["MinValue"]), float(entry["MaxValue"])
    scale = entry.get("ScalingType", "Auto")
    if scale == "Logarithmic":
        return math.exp(chooser.uniform(math.log(low), math.log(high)))
    if scale == "ReverseLogarithmic":
        return 1 - math.exp(chooser.uniform(math.log(1 - high), math.log(1 - low)))
    return chooser.uniform(low, high)
