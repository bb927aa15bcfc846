"""Hyperparameter tuning jobs: children that really run as training jobs, and the best of them."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from local.sagemaker import search_space
from local.sagemaker.contract import Call, Description, Operation, ServiceError
from local.sagemaker.foundation import Foundation, invalid, not_found
from local.sagemaker.jobs import JobRun
from local.sagemaker.listing import Listing, is_descending, list_operation, page
from local.sagemaker.processing import INTERNAL_ERROR
from local.sagemaker.resources import Resource, utc_now
from local.sagemaker.training import TERMINAL, TrainingJobs

KIND = "hyper-parameter-tuning-job"
_COUNTED = {
    "Completed": "Completed",
    "InProgress": "InProgress",
    "Stopping": "InProgress",
    "Failed": "NonRetryableError",
    "Stopped": "Stopped",
}
_NO_JOBS = {"Completed": 0, "InProgress": 0, "RetryableError": 0, "NonRetryableError": 0, "Stopped": 0}
_OBJECTIVES = ("Succeeded", "Pending", "Failed")
_DEFAULT_JOBS = 10  # where neither the limit nor a grid says how many
_OF_CHILD = (
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


@dataclass(frozen=True)
class _Child:
    """One training job of a tuning job, and what was tuned in it."""

    job: Resource
    definition: Description
    objective: Mapping[str, str]
    sample: Mapping[str, str]

    @property
    def score(self) -> float | None:
        """The final value of the objective, once the job is completed."""
        if self.job.status != "Completed":
            return None
        metrics = self.job.description.get("FinalMetricDataList", [])
        wanted = self.objective["MetricName"]
        return next((float(metric["Value"]) for metric in metrics if metric["MetricName"] == wanted), None)

    @property
    def objective_status(self) -> str:
        """``Succeeded``, ``Pending`` or ``Failed``."""
        if self.score is not None:
            return "Succeeded"
        return "Failed" if self.job.status in TERMINAL else "Pending"

    @property
    def rank(self) -> float:
        """The score, so that more is better; nothing is less than no score."""
        if self.score is None:
            return float("-inf")
        return -self.score if self.objective["Type"] == "Minimize" else self.score


@dataclass
class _Search:
    """A running tuning job: its children so far and when it is good enough."""

    job: Resource
    children: list[_Child] = field(default_factory=list)
    running: dict[Future[None], _Child] = field(default_factory=dict)

    def best(self) -> _Child | None:
        scored = [child for child in self.children if child.score is not None]
        return max(scored, key=lambda child: child.rank, default=None)

    def is_good_enough(self) -> bool:
        """Tell whether a criterion of completion is met (API reference, TuningJobCompletionCriteria)."""
        criteria = self.job.description["HyperParameterTuningJobConfig"].get("TuningJobCompletionCriteria", {})
        best = self.best()
        if best is None or best.score is None:
            return False
        target = criteria.get("TargetObjectiveMetricValue")
        if target is not None:
            reached = best.score <= target if best.objective["Type"] == "Minimize" else best.score >= target
            if reached:
                return True
        patience = criteria.get("BestObjectiveNotImproving", {}).get("MaxNumberOfTrainingJobsNotImproving")
        return patience is not None and self._not_improving(best) >= patience

    def _not_improving(self, best: _Child) -> int:
        ended = [child for child in self.children if child.job.status in TERMINAL]
        return len(ended) - 1 - ended.index(best)


class TuningJobs:
    """Create, describe, list, stop and delete of tuning jobs, and the list of their children."""

    def __init__(self, foundation: Foundation, training: TrainingJobs) -> None:
        self._foundation = foundation
        self._store = foundation.store
        self._training = training
        self._searches: dict[str, _Search] = {}

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        listing = Listing(KIND, "HyperParameterTuningJobName", sort_by="Name", more=_summary_of_config)
        return {
            "CreateHyperParameterTuningJob": self._create,
            "DescribeHyperParameterTuningJob": lambda call: self._store.describe(self._find(call)),
            "ListHyperParameterTuningJobs": list_operation(
                self._foundation.model, self._store, "ListHyperParameterTuningJobs", listing
            ),
            "StopHyperParameterTuningJob": lambda call: self.stop(self._find(call)),
            "DeleteHyperParameterTuningJob": self._delete,
            "ListTrainingJobsForHyperParameterTuningJob": self._list_children,
        }

    def start(self, call: Call) -> tuple[Resource, JobRun]:
        """Start a tuning job and return it with its run.

        Raises:
            ServiceError: The name is taken, or the request contradicts itself.
        """
        name, now = call.parameters["HyperParameterTuningJobName"], utc_now()
        definitions = _definitions(call.parameters)
        for definition, _objective, ranges in definitions:
            _check(call.parameters, definition, ranges)
        description = self._foundation.described_members("DescribeHyperParameterTuningJob", call.parameters)
        description |= {
            "HyperParameterTuningJobArn": call.arn(f"{KIND}/{name}"),
            "HyperParameterTuningJobStatus": "InProgress",
            "CreationTime": now,
            "LastModifiedTime": now,
            "TrainingJobStatusCounters": dict(_NO_JOBS),
            "ObjectiveStatusCounters": dict.fromkeys(_OBJECTIVES, 0),
        }
        job = self._foundation.new_resource(call, KIND, name, description)
        if not self._store.add(job):
            raise ServiceError(
                "ResourceInUse",
                "Hyper parameter tuning job names must be unique within an AWS account and region, "
                f"and a tuning job with this name already exists ({job.arn})",
            )
        search = self._searches[job.arn] = _Search(job)
        run = self._foundation.pool.start(job.arn, partial(self._run, search), has_container=False)
        return job, run

    def stop(self, job: Resource) -> Description:
        """Ask a tuning job and its children to end.

        Raises:
            ServiceError: It has ended already.
        """
        run = self._foundation.pool.find(job.arn)
        if run is None or job.status in TERMINAL:
            raise invalid(f"The request was rejected because the hyper parameter tuning job is in status {job.status}.")
        if self._store.update(job, _stopping):
            run.stop()
        return {}

    def children_by_rank(self, job: Resource) -> list[Description]:
        """Return the summaries of the children, the best first."""
        children = self._searches[job.arn].children
        return [_summary(job, child) for child in sorted(children, key=lambda child: child.rank, reverse=True)]

    def _create(self, call: Call) -> Description:
        job, _run = self.start(call)
        return {"HyperParameterTuningJobArn": job.arn}

    def _find(self, call: Call) -> Resource:
        name = call.parameters["HyperParameterTuningJobName"]
        missing = not_found(f"Amazon SageMaker can't find a tuning job with the name {name}")
        return self._foundation.find(call, KIND, name, missing)

    def _delete(self, call: Call) -> Description:
        job = self._find(call)
        if job.status not in TERMINAL:
            raise invalid(f"Tuning job {job.name} is in status {job.status}: stop it before you delete it")
        self._store.remove(job)
        self._searches.pop(job.arn, None)
        return {}

    def _run(self, search: _Search, run: JobRun) -> None:
        run.on_stop(partial(self._stop_children, search))
        try:
            self._try_points(search, run)
            self._end(search, run)
        finally:
            if search.job.status not in TERMINAL:
                failed = {"HyperParameterTuningJobStatus": "Failed", "FailureReason": INTERNAL_ERROR}
                self._store.update(search.job, {**failed, **_ended()})

    def _try_points(self, search: _Search, run: JobRun) -> None:
        parallel = search.job.description["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxParallelTrainingJobs"]
        for number, point in enumerate(_points(search.job), start=1):
            if run.is_stopping or search.is_good_enough():
                break
            child, child_run = self._start_child(search.job, number, *point)
            with self._store.lock:
                search.children.append(child)
            if run.is_stopping:
                self._stop_children(search)
            search.running[child_run.finished] = child
            self._count(search)
            while len(search.running) >= parallel:
                self._collect(search)
        while search.running:
            self._collect(search)

    def _end(self, search: _Search, run: JobRun) -> None:
        members = self._progress(search) | _ended()
        if run.is_stopping:
            members["HyperParameterTuningJobStatus"] = "Stopped"
        elif search.best() is None:
            members["HyperParameterTuningJobStatus"] = "Failed"
            members["FailureReason"] = (
                "All training jobs failed or gave no value of the objective metric. See the training jobs' logs."
            )
        else:
            members["HyperParameterTuningJobStatus"] = "Completed"
        self._store.update(search.job, members)

    def _start_child(
        self,
        job: Resource,
        number: int,
        definition: Description,
        objective: Mapping[str, str],
        sample: Mapping[str, str],
    ) -> tuple[_Child, JobRun]:
        suffix = hashlib.sha256(f"{job.arn}/{job.description['CreationTime']}/{number}".encode()).hexdigest()[:8]
        hyperparameters = {**definition.get("StaticHyperParameters", {}), **sample}
        parameters = {name: definition[name] for name in _OF_CHILD if name in definition} | {
            "TrainingJobName": f"{job.name}-{number:03d}-{suffix}",
            "HyperParameters": {**hyperparameters, "_tuning_objective_metric": objective["MetricName"]},
            # "Tags that you specify for the tuning job are also added to all training jobs that the tuning job
            # launches" (API reference, CreateHyperParameterTuningJob).
            "Tags": [{"Key": key, "Value": value} for key, value in job.tags.items()],
        }
        child, run = self._training.start(job.call("CreateTrainingJob", parameters), tuning_job_arn=job.arn)
        return _Child(child, definition, objective, sample), run

    def _stop_children(self, search: _Search) -> None:
        with self._store.lock:
            children = list(search.children)
        for child in children:
            if child.job.status == "InProgress":
                self._training.stop_if_running(child.job)

    def _collect(self, search: _Search) -> None:
        done, _ = wait(search.running, return_when=FIRST_COMPLETED)
        for future in done:
            del search.running[future]
        self._count(search)

    def _count(self, search: _Search) -> None:
        self._store.update(search.job, self._progress(search), silent=True)

    def _progress(self, search: _Search) -> Description:
        counters = dict(_NO_JOBS)
        objectives = dict.fromkeys(_OBJECTIVES, 0)
        for child in search.children:
            counters[_COUNTED[child.job.status or "InProgress"]] += 1
            objectives[child.objective_status] += 1
        best = search.best()
        return {
            "TrainingJobStatusCounters": counters,
            "ObjectiveStatusCounters": objectives,
            **({"BestTrainingJob": _summary(search.job, best)} if best else {}),
        }

    def _list_children(self, call: Call) -> Description:
        job = self._find(call)
        with self._store.lock:
            children = list(self._searches[job.arn].children)
        status, sort_by = call.parameters.get("StatusEquals"), call.parameters.get("SortBy", "Name")
        children = [child for child in children if status in {None, child.job.status}]
        if sort_by == "FinalObjectiveMetricValue":
            children = [child for child in children if child.score is not None]
        keys = {
            "Name": lambda child: child.job.name,
            "CreationTime": lambda child: child.job.description["CreationTime"],
            "Status": lambda child: child.job.status,
            "FinalObjectiveMetricValue": lambda child: child.score,
        }
        children.sort(key=keys[sort_by], reverse=is_descending(call, default=False))
        chosen, token = page(call, children)
        return {"TrainingJobSummaries": [_summary(job, child) for child in chosen]} | token


def _definitions(parameters: Mapping[str, Any]) -> list[tuple[Description, dict[str, str], Description]]:
    """Return each training job definition with its objective and its ranges."""
    config = parameters["HyperParameterTuningJobConfig"]
    if ("TrainingJobDefinition" in parameters) == ("TrainingJobDefinitions" in parameters):
        raise invalid("Give either TrainingJobDefinition or TrainingJobDefinitions")
    definitions: list[Description] = parameters.get("TrainingJobDefinitions") or [parameters["TrainingJobDefinition"]]
    found = []
    for definition in definitions:
        objective = definition.get("TuningObjective") or config.get("HyperParameterTuningJobObjective")
        if objective is None:
            raise invalid("HyperParameterTuningJobObjective is missing: name the metric that is to be optimised")
        found.append((definition, objective, definition.get("HyperParameterRanges", config.get("ParameterRanges", {}))))
    return found


def _check(parameters: Mapping[str, Any], definition: Description, ranges: Description) -> None:
    fault = search_space.find_fault(ranges, parameters["HyperParameterTuningJobConfig"]["Strategy"])
    if fault:
        raise invalid(fault)
    tuned = {entry["Name"] for entries in ranges.values() for entry in entries}
    both = sorted(tuned & set(definition.get("StaticHyperParameters", {})))
    if both:
        raise invalid(f"Hyperparameter {both[0]} is static and tuned as well: give it once")
    if "ResourceConfig" not in definition:
        raise invalid("The local cloud needs a ResourceConfig in each training job definition")


def _points(job: Resource) -> Iterator[tuple[Description, dict[str, str], search_space.Sample]]:
    """Yield what to try, in turn from each definition; Bayesian search and Hyperband choose at random here."""
    config = job.description["HyperParameterTuningJobConfig"]
    definitions = _definitions(job.description)
    seed = config.get("RandomSeed", job.arn)
    is_grid = config["Strategy"] == "Grid"
    streams = [
        search_space.grid(ranges) if is_grid else search_space.random_points(ranges, f"{seed}/{number}")
        for number, (_, _, ranges) in enumerate(definitions)
    ]
    size = sum(search_space.grid_size(ranges) for _, _, ranges in definitions)
    wanted = config["ResourceLimits"].get("MaxNumberOfTrainingJobs", size if is_grid else _DEFAULT_JOBS)
    turns = itertools.chain.from_iterable(itertools.zip_longest(*streams))
    numbered = zip(itertools.cycle(definitions), turns, strict=False)
    tries = ((definition, objective, point) for (definition, objective, _), point in numbered if point is not None)
    return itertools.islice(tries, wanted)


def _summary(job: Resource, child: _Child) -> Description:
    known = child.job.description
    members = {
        "TrainingJobDefinitionName": child.definition.get("DefinitionName"),
        "TrainingJobName": child.job.name,
        "TrainingJobArn": child.job.arn,
        "TuningJobName": job.name,
        "CreationTime": known["CreationTime"],
        "TrainingStartTime": known.get("TrainingStartTime"),
        "TrainingEndTime": known.get("TrainingEndTime"),
        "TrainingJobStatus": child.job.status,
        "TunedHyperParameters": dict(child.sample),
        "FailureReason": known.get("FailureReason"),
        "FinalHyperParameterTuningJobObjectiveMetric": None
        if child.score is None
        else {**child.objective, "Value": child.score},
        "ObjectiveStatus": child.objective_status,
    }
    return {name: value for name, value in members.items() if value is not None}


def _ended() -> Description:
    now = utc_now()
    return {"HyperParameterTuningEndTime": now, "LastModifiedTime": now}


def _stopping(description: Description) -> Description | None:
    if description["HyperParameterTuningJobStatus"] != "InProgress":
        return None
    return {"HyperParameterTuningJobStatus": "Stopping", "LastModifiedTime": utc_now()}


def _summary_of_config(resource: Resource) -> Description:
    config = resource.description["HyperParameterTuningJobConfig"]
    return {"Strategy": config["Strategy"], "ResourceLimits": config["ResourceLimits"]}
