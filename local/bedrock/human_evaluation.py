"""Evaluation jobs whose answers people rate: the model answers, and the job waits until somebody has rated each answer.

There is no work team here: whoever runs the local cloud plays it, through :class:`Workers`. Nothing is rated by itself.
Layout of the output: Bedrock user guide, "Review model evaluation metrics and reports in Amazon S3", human jobs.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.bedrock.contract import Call, Document, Question, ServiceError
from local.bedrock.evaluation_datasets import read_dataset
from local.bedrock.foundation import Foundation, JobFailedError, below, raise_if_stopping
from local.bedrock.runtime import read_body, read_conversation
from local.sagemaker.jobs import JobRun
from local.sagemaker.resources import Resource
from local.sagemaker.s3_files import upload_bytes

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

RATING_METHODS = ("ThumbsUpDown", "IndividualLikertScale")
_FORMS = {"ThumbsUpDown": "thumbsUpDown", "IndividualLikertScale": "individualLikertScale"}
"""Where an answer of a rating method stands in the record."""
_LOOK_SECONDS = 0.1


@dataclass
class Task:
    """One answer to rate.

    Attributes:
        job: ARN of the job.
        record: What the model was asked, as the dataset has it.
        response: What it answered.
        metrics: Rating method by metric.
        ratings: What each worker said, by metric.
    """

    job: str
    record: Document
    response: str
    metrics: Mapping[str, str]
    ratings: dict[str, Mapping[str, int | bool]] = field(default_factory=dict)


class Workers:
    """The work team: what waits for it, and what it says; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: list[Task] = []

    def waiting(self) -> list[Task]:
        """Return the answers that nobody has rated yet."""
        with self._lock:
            return [task for task in self._tasks if not task.ratings]

    def rate(self, task: Task, ratings: Mapping[str, int | bool], worker: str = "worker-1") -> None:
        """Rate an answer.

        Args:
            task: Out of :meth:`waiting`.
            ratings: Of each metric: a thumb (true or false), or a step of a scale from 1 to 5.
            worker: Who rates.

        Raises:
            ValueError: A metric is missing, or was not asked for.
        """
        if ratings.keys() != task.metrics.keys():
            raise ValueError(f"rate {', '.join(task.metrics)}, not {', '.join(ratings)}")
        with self._lock:
            task.ratings[worker] = ratings

    def hand_out(self, tasks: list[Task]) -> None:
        """Let the team see answers."""
        with self._lock:
            self._tasks += tasks

    def take_back(self, job: str) -> None:
        """Forget the answers of a job."""
        with self._lock:
            self._tasks = [task for task in self._tasks if task.job != job]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._tasks.clear()


def evaluate_by_people(
    foundation: Foundation, workers: Workers, call: Call, job: Resource, run: JobRun, s3: S3Client
) -> None:
    """Let the model answer, wait for the team, and write what it said.

    Raises:
        JobFailedError: The job cannot go on.
        JobStoppedError: Somebody stopped it.
    """
    (config,) = job.description["evaluationConfig"]["human"]["datasetMetricConfigs"]
    metrics = {
        each["name"]: each["ratingMethod"] for each in job.description["evaluationConfig"]["human"]["customMetrics"]
    }
    model = job.description["inferenceConfig"]["models"][0]
    source = model.get("precomputedInferenceSource", {}).get("inferenceSourceIdentifier")
    records = read_dataset(s3, config["dataset"]["datasetLocation"]["s3Uri"], source, is_rag=False)
    tasks = []
    for record in records:
        raise_if_stopping(run)
        response = record.response if record.response is not None else _ask(foundation, call, model, record.prompt)
        if response is not None:
            tasks.append(Task(job.arn, record.record, response, metrics))
    if not tasks:
        raise JobFailedError(f"the model answered none of the prompts of {config['dataset']['name']}")
    workers.hand_out(tasks)
    try:
        while any(not task.ratings for task in tasks):
            run.pause(_LOOK_SECONDS)
            raise_if_stopping(run)
    finally:
        workers.take_back(job.arn)
    name, identifier = job.description["jobName"], (source or model["bedrockModel"]["modelIdentifier"])
    flow = job.description["evaluationConfig"]["human"]["humanWorkflowConfig"]["flowDefinitionArn"]
    text = "".join(json.dumps(_line(task, identifier, flow), ensure_ascii=False) + "\n" for task in tasks)
    folder = below(job.description["outputDataConfig"]["s3Uri"], name, str(uuid.uuid4()))
    uri = below(folder, "datasets", config["dataset"]["name"], f"{uuid.uuid4()}_output.jsonl")
    upload_bytes(s3, text.encode(), uri)


def _ask(foundation: Foundation, call: Call, model: Any, prompt: str) -> str | None:
    message = {"role": "user", "content": [{"text": prompt}]}
    options = read_body(model["bedrockModel"].get("inferenceParams", "{}").encode())
    question: Question = read_conversation({"messages": [message], **options})
    try:
        return foundation.inference.ask(model["bedrockModel"]["modelIdentifier"], question, call).text
    except ServiceError:
        return None


def _line(task: Task, identifier: str, flow: str) -> Document:
    return {
        "humanEvaluationResult": [
            {
                "flowDefinitionArn": flow,
                "humanAnswers": [_answer(task, worker, said) for worker, said in task.ratings.items()],
                "humanLoopName": str(uuid.uuid4()),
                "modelResponseIdMap": {"0": identifier},
            }
        ],
        "inputRecord": task.record,
        "modelResponses": [{"modelIdentifier": identifier, "response": task.response}],
    }


def _answer(task: Task, worker: str, said: Mapping[str, int | bool]) -> Document:
    results: dict[str, list[Document]] = {}
    for metric, rating in said.items():
        told = {"metricName": metric, "modelResponseId": "0", "result": rating}
        results.setdefault(_FORMS[task.metrics[metric]], []).append(told)
    return {
        "answerContent": {"evaluationResults": results},
        "timeSpentInSeconds": 1.0,
        "workerId": worker,
        "workerMetadata": {"identityData": {"identityProviderType": "Cognito"}},
    }
