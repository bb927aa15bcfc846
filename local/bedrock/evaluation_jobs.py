"""Evaluation jobs: CreateEvaluationJob and the operations around it.

Sources: Bedrock API reference (CreateEvaluationJob, ListEvaluationJobs, BatchDeleteEvaluationJob) and the quotas in the
general reference. No event tells of an evaluation job.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from local.bedrock.contract import Call, Document, Operation, ServiceError, invalid
from local.bedrock.evaluation_metrics import JUDGED, PREFIX, PROGRAMMATIC, PROGRAMMATIC_TASKS, UNAVAILABLE
from local.bedrock.evaluation_run import EvaluationRun, mark_output
from local.bedrock.foundation import Foundation, check_s3_uri, listed, new_identifier
from local.bedrock.human_evaluation import RATING_METHODS, Workers, evaluate_by_people
from local.sagemaker.jobs import JobRun
from local.sagemaker.resources import Resource, utc_now

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

KIND = "evaluation-job"
MAX_CONCURRENT = 20
MAX_HUMAN = 10
MAX_STORED = 5000
MAX_PROGRAMMATIC_METRICS = 3
MAX_LISTED = 5
_NOT_DESCRIBED = {"clientRequestToken", "jobTags"}
_ENDED = ("Completed", "Failed", "Stopped")


class EvaluationJobs:
    """Runs evaluation jobs."""

    def __init__(self, foundation: Foundation, workers: Workers) -> None:
        self._foundation = foundation
        self._workers = workers

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        return {
            "CreateEvaluationJob": self._create,
            "GetEvaluationJob": self._get,
            "ListEvaluationJobs": self._list,
            "StopEvaluationJob": self._stop,
            "BatchDeleteEvaluationJob": self._batch_delete,
        }

    def _create(self, call: Call) -> Document:
        wanted = call.parameters
        check_request(wanted)
        for model_id in _model_identifiers(wanted):
            self._foundation.check_model(call, model_id)

        def make() -> Resource:
            self._check_quotas(call)
            now = utc_now()
            description = {name: value for name, value in wanted.items() if name not in _NOT_DESCRIBED}
            description |= {
                "jobArn": call.arn(f"{KIND}/{new_identifier()}"),
                "status": "InProgress",
                "jobType": "Human" if "human" in wanted["evaluationConfig"] else "Automated",
                "applicationType": wanted.get("applicationType") or _application(wanted),
                "creationTime": now,
                "lastModifiedTime": now,
            }
            return self._foundation.new_job(call, KIND, description["jobArn"], description, "jobTags")

        s3 = self._foundation.s3_for(call, KIND)
        mark_output(s3, wanted["outputDataConfig"]["s3Uri"])

        def start(job: Resource) -> None:
            self._foundation.run(
                job,
                lambda run: self._work(call, job, run, s3),
                lambda reason: {"status": "Failed", "failureMessages": [reason]},
            )

        return {"jobArn": self._foundation.create_once(call, KIND, make, start)}

    def _work(self, call: Call, job: Resource, run: JobRun, s3: S3Client) -> Document:
        if job.description["jobType"] == "Human":
            evaluate_by_people(self._foundation, self._workers, call, job, run, s3)
        else:
            EvaluationRun(self._foundation, call, job, run, s3).evaluate()
        return {"status": "Completed"}

    def _get(self, call: Call) -> Document:
        return self._foundation.store.describe(self._foundation.find(call, KIND, call.parameters["jobIdentifier"]))

    def _list(self, call: Call) -> Document:
        kind = call.parameters.get("applicationTypeEquals")
        kept = [
            job
            for job in self._foundation.store.of_kind(call, KIND)
            if kind in {None, job.description["applicationType"]}
        ]
        jobs, token = listed(call, kept, MAX_LISTED, MAX_LISTED)
        # The list's shape has at least one item.
        return ({"jobSummaries": [_summary(job) for job in jobs]} if jobs else {}) | token

    def _stop(self, call: Call) -> Document:
        self._foundation.stop(self._foundation.find(call, KIND, call.parameters["jobIdentifier"]), ("InProgress",))
        return {}

    def _batch_delete(self, call: Call) -> Document:
        errors, deleted = [], []
        for identifier in call.parameters["jobIdentifiers"]:
            try:
                job = self._foundation.find(call, KIND, identifier)
            except ServiceError as error:
                errors.append({"jobIdentifier": identifier, "code": error.code, "message": error.message})
                continue
            if job.status not in _ENDED:
                message = f"{job.arn} is {job.status}: stop it first."
                errors.append({"jobIdentifier": identifier, "code": "ConflictException", "message": message})
                continue
            self._foundation.forget(job)
            deleted.append({"jobIdentifier": identifier, "jobStatus": "Deleting"})
        return {"errors": errors, "evaluationJobs": deleted}

    def _check_quotas(self, call: Call) -> None:
        jobs = self._foundation.store.of_kind(call, KIND)
        if len(jobs) >= MAX_STORED:
            raise _over_quota(
                f"The account keeps {len(jobs)} evaluation jobs, which is the limit: delete some with "
                "BatchDeleteEvaluationJob"
            )
        kind, most = "Automated", MAX_CONCURRENT
        if "human" in call.parameters["evaluationConfig"]:
            kind, most = "Human", MAX_HUMAN
        running = sum(job.status not in _ENDED and job.description["jobType"] == kind for job in jobs)
        if running >= most:
            raise _over_quota(f"{running} evaluation jobs are running, which is the limit: wait for one to end")


def check_request(wanted: Any) -> None:
    """Check what the shapes of the API leave open.

    Raises:
        ServiceError: The request asks for what Bedrock, or this stand-in, does not do.
    """
    automated = wanted["evaluationConfig"].get("automated")
    inference = wanted["inferenceConfig"]
    if automated is None:
        _check_human(wanted["evaluationConfig"]["human"], inference)
        check_s3_uri(wanted["outputDataConfig"]["s3Uri"])
        return
    models, rag = inference.get("models", []), inference.get("ragConfigs", [])
    if len(models) + len(rag) != 1:
        raise invalid("An automated evaluation job needs exactly one model or one RAG source in inferenceConfig.")
    if rag and "precomputedRagSourceConfig" not in rag[0]:
        raise invalid("The local cloud has no knowledge bases: use precomputedRagSourceConfig.")
    check_s3_uri(wanted["outputDataConfig"]["s3Uri"])
    custom = {
        one["customMetricDefinition"]["name"]
        for one in automated.get("customMetricConfig", {}).get("customMetrics", ())
    }
    has_judge = "evaluatorModelConfig" in automated
    names = [config["dataset"]["name"] for config in automated["datasetMetricConfigs"]]
    if len(set(names)) < len(names):
        raise invalid(f"Dataset names must differ: {names}")
    for config in automated["datasetMetricConfigs"]:
        _check_dataset(config, custom, has_judge=has_judge)


def _check_human(human: Any, inference: Any) -> None:
    if len(human["datasetMetricConfigs"]) != 1 or len(inference.get("models", ())) != 1:
        raise invalid("A human evaluation job needs one dataset and, in the local cloud, one model.")
    if "s3Uri" not in human["datasetMetricConfigs"][0]["dataset"].get("datasetLocation", {}):
        raise invalid("The dataset has no s3Uri: the local cloud has none of the built-in datasets.")
    if "humanWorkflowConfig" not in human or not human.get("customMetrics"):
        raise invalid("A human evaluation job needs humanWorkflowConfig and customMetrics.")
    for metric in human["customMetrics"]:
        if metric["ratingMethod"] not in RATING_METHODS:
            raise invalid(f"The local cloud rates by {', '.join(RATING_METHODS)}, not by {metric['ratingMethod']}.")


def _check_dataset(config: Any, custom: set[str], *, has_judge: bool) -> None:
    name = config["dataset"]["name"]
    if "s3Uri" not in config["dataset"].get("datasetLocation", {}):
        raise invalid(f"Dataset {name} has no s3Uri: the local cloud has none of the built-in datasets.")
    programmatic = [metric for metric in config["metricNames"] if metric in PROGRAMMATIC]
    if len(programmatic) > MAX_PROGRAMMATIC_METRICS or len(set(config["metricNames"])) < len(config["metricNames"]):
        raise invalid(
            f"Dataset {name} names a metric twice, or more than {MAX_PROGRAMMATIC_METRICS} programmatic ones."
        )
    if programmatic and config["taskType"] not in PROGRAMMATIC_TASKS:
        raise invalid(
            f"{programmatic[0]} needs a taskType out of {', '.join(PROGRAMMATIC_TASKS)}, not {config['taskType']}."
        )
    for metric in config["metricNames"]:
        if metric in UNAVAILABLE:
            raise invalid(f"The local cloud has no classifier for {metric}: leave it out.")
        if metric in PROGRAMMATIC or metric in custom:
            continue
        if not metric.startswith(PREFIX) or metric.removeprefix(PREFIX) not in JUDGED:
            raise invalid(f"{metric} is no metric: custom metrics must stand in customMetricConfig too.")
        if not has_judge:
            raise invalid(f"{metric} needs a judge: name it in evaluatorModelConfig.")


def _model_identifiers(wanted: Any) -> Iterator[str]:
    automated = wanted["evaluationConfig"].get("automated", {})
    for model in wanted["inferenceConfig"].get("models", ()):
        if "bedrockModel" in model:
            yield model["bedrockModel"]["modelIdentifier"]
    for config in (automated, automated.get("customMetricConfig", {})):
        for evaluator in config.get("evaluatorModelConfig", {}).get("bedrockEvaluatorModels", ()):
            yield evaluator["modelIdentifier"]


def _application(wanted: Any) -> str:
    return "RagEvaluation" if wanted["inferenceConfig"].get("ragConfigs") else "ModelEvaluation"


def _summary(job: Resource) -> Document:
    known = job.description
    (automated,) = known["evaluationConfig"].values()
    names = ("jobArn", "jobName", "status", "creationTime", "jobType", "applicationType")
    summary = {name: known[name] for name in names}
    summary["evaluationTaskTypes"] = sorted({config["taskType"] for config in automated["datasetMetricConfigs"]})
    models = known["inferenceConfig"].get("models", ())
    asked = [model["bedrockModel"]["modelIdentifier"] for model in models if "bedrockModel" in model]
    brought = [
        model["precomputedInferenceSource"]["inferenceSourceIdentifier"]
        for model in models
        if "precomputedInferenceSource" in model
    ]
    if models:
        summary["inferenceConfigSummary"] = {
            "modelConfigSummary": {
                "bedrockModelIdentifiers": asked,
                "precomputedInferenceSourceIdentifiers": brought,
            }
        }
        summary["modelIdentifiers"] = asked
    judges = automated.get("evaluatorModelConfig", {}).get("bedrockEvaluatorModels", ())
    return summary | {"evaluatorModelIdentifiers": [judge["modelIdentifier"] for judge in judges]}


def _over_quota(message: str) -> ServiceError:
    return ServiceError("ServiceQuotaExceededException", message)
