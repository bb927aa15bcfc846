"""One run of an evaluation job: ask, score, write.

Layout of the output: Bedrock user guide, "Review model evaluation metrics and reports in Amazon S3". It varies on AWS,
and so it does here: a judge's job writes the name of the job twice into its path, and names metrics with their prefix.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from local.bedrock.contract import Call, Document, Question, ServiceError
from local.bedrock.evaluation_datasets import Record, Turn, read_dataset
from local.bedrock.evaluation_metrics import (
    NEEDS_REFERENCE,
    PREFIX,
    PROGRAMMATIC,
    JudgedMetric,
    accuracy,
    builtin_metric,
    custom_metric,
    perturbed,
    robustness,
)
from local.bedrock.foundation import Foundation, JobFailedError, below, raise_if_stopping
from local.bedrock.models.embedding import SentenceEncoder
from local.bedrock.runtime import read_body, read_conversation
from local.sagemaker.jobs import JobRun
from local.sagemaker.resources import Resource
from local.sagemaker.s3_files import StagingError, upload_bytes

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

SENTINEL = "amazon-bedrock-evaluations-permission-check"
_ENCODER = "hallmark.usem3-embedding-v1:0"


def mark_output(s3: S3Client, uri: str) -> None:
    """Write the object by which Bedrock tries whether it may write.

    Raises:
        ServiceError: It may not.
    """
    try:
        upload_bytes(s3, b"", below(uri, SENTINEL))
    except StagingError as error:
        raise ServiceError("ValidationException", f"The role cannot write to {uri}: {error}") from error


class EvaluationRun:
    """Evaluates one job's datasets."""

    def __init__(self, foundation: Foundation, call: Call, job: Resource, run: JobRun, s3: S3Client) -> None:
        self._foundation = foundation
        self._call = call
        self._job = job
        self._run = run
        self._s3 = s3
        self._config = job.description["evaluationConfig"]["automated"]
        self._judges = _judges(self._config)
        self._custom = {
            one["customMetricDefinition"]["name"]: custom_metric(one["customMetricDefinition"])
            for one in self._config.get("customMetricConfig", {}).get("customMetrics", ())
        }

    def evaluate(self) -> None:
        """Evaluate all datasets and write their records.

        Raises:
            JobFailedError: The job cannot go on.
            JobStoppedError: Somebody stopped it.
        """
        self._check_role()
        name, run_id = self._job.description["jobName"], str(uuid.uuid4())
        root = self._job.description["outputDataConfig"]["s3Uri"]
        folder = below(root, *([name, name] if self._judges else [name]), run_id)
        written = {}
        for config in self._config["datasetMetricConfigs"]:
            records = self._read(config)
            lines = [line for record in records if (line := self._line(config, record)) is not None]
            if not lines:
                raise JobFailedError(f"the model answered none of the prompts of {config['dataset']['name']}")
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            written[below(folder, *self._place(config), f"{uuid.uuid4()}_output.jsonl")] = text
        raise_if_stopping(self._run)
        for metric in self._config.get("customMetricConfig", {}).get("customMetrics", ()):
            definition = metric["customMetricDefinition"]
            uri = below(folder, "custom_metrics", f"{definition['name']}.json")
            upload_bytes(self._s3, json.dumps(definition).encode(), uri)
        for uri, text in written.items():
            upload_bytes(self._s3, text.encode(), uri)

    def _check_role(self) -> None:
        role = self._job.description["roleArn"]
        for model_id in {*self._judges.values(), *([self._model_id] if self._model_id else [])}:
            arn = self._foundation.check_model(self._call, model_id)
            if not self._foundation.may_invoke(role, arn, self._job.region, self._job.account):
                raise JobFailedError(
                    f"AccessDeniedException: the role {role} is not allowed bedrock:InvokeModel on {arn}: grant it"
                )

    @property
    def _model(self) -> Document:
        models = self._job.description["inferenceConfig"].get("models") or [{}]
        found: Document = models[0]
        return found

    @property
    def _model_id(self) -> str | None:
        found: str | None = self._model.get("bedrockModel", {}).get("modelIdentifier")
        return found

    @property
    def _source(self) -> str | None:
        rag = self._job.description["inferenceConfig"].get("ragConfigs")
        if rag:
            (config,) = rag[0]["precomputedRagSourceConfig"].values()
            return str(config["ragSourceIdentifier"])
        found: str | None = self._model.get("precomputedInferenceSource", {}).get("inferenceSourceIdentifier")
        return found

    @property
    def _is_rag(self) -> bool:
        return bool(self._job.description["inferenceConfig"].get("ragConfigs"))

    def _read(self, config: Document) -> list[Record]:
        uri = config["dataset"]["datasetLocation"]["s3Uri"]
        return read_dataset(self._s3, uri, self._source, is_rag=self._is_rag)

    def _place(self, config: Document) -> list[str]:
        dataset = ["datasets", config["dataset"]["name"]]
        if self._is_rag:
            return ["inference_configs", "0", *dataset]
        model = self._model_id or self._source or ""
        return ["models", model.rpartition("/")[2], "taskTypes", config["taskType"], *dataset]

    # --- records ------------------------------------------------------------------------------------------------------

    def _line(self, config: Document, record: Record) -> Document | None:
        """Return the output of one record, or ``None`` where the model did not answer: only answers are scored."""
        raise_if_stopping(self._run)
        if record.turns:
            return {"conversationTurns": [self._turn(config, turn) for turn in record.turns]}
        response = record.response if record.response is not None else self._ask(record.prompt)
        if response is None:
            return None
        scores = [self._score(config, name, record, response) for name in config["metricNames"]]
        line: Document = {"automatedEvaluationResult": {"scores": scores}, "inputRecord": record.record}
        if self._model_id is not None:
            arn = self._foundation.check_model(self._call, self._model_id)
            line["modelResponses"] = [{"modelIdentifier": arn, "response": response}]
        return line

    def _turn(self, config: Document, turn: Turn) -> Document:
        results = [
            self._judge(name, turn.prompt, turn.output, turn.reference, turn.passages) for name in config["metricNames"]
        ]
        inputs = {name: turn.record[name] for name in ("prompt", "referenceResponses") if name in turn.record}
        return {"inputRecord": inputs, "output": turn.record["output"], "results": results}

    def _ask(self, prompt: str) -> str | None:
        question = Question(prompt, turns=(("user", prompt),))
        parameters = self._model.get("bedrockModel", {}).get("inferenceParams")
        if parameters:
            options = read_body(parameters.encode())
            message = {"role": "user", "content": [{"text": prompt}]}
            question = read_conversation({"messages": [message], **options})
        try:
            outcome = self._foundation.inference.ask(self._model_id or "", question, self._call)
        except ServiceError:
            return None
        self._run.pause(outcome.delay_seconds)
        return outcome.text

    # --- scores -------------------------------------------------------------------------------------------------------

    def _score(self, config: Document, name: str, record: Record, response: str) -> Document:
        if name not in PROGRAMMATIC:
            return self._judge(name, record.prompt, response, record.reference)
        # A programmatic metric stands in the record without its prefix.
        plain = name.removeprefix(PREFIX)
        if not record.reference and (name == "Builtin.Accuracy" or config["taskType"] != "Generation"):
            return {"metricName": plain, "result": None}
        if name == "Builtin.Accuracy":
            return {"metricName": plain, "result": self._accuracy(config, record, response)}
        return {"metricName": plain, "result": self._robustness(config, record, response)}

    def _accuracy(self, config: Document, record: Record, response: str) -> float:
        return accuracy(config["taskType"], response, record.reference, self._similarity)

    def _robustness(self, config: Document, record: Record, response: str) -> float | None:
        if self._model_id is None:
            return None  # precomputed answers cannot be asked again
        replies = [reply for prompt in perturbed(record.prompt) if (reply := self._ask(prompt)) is not None]
        if not replies:
            return None
        scores = [self._accuracy(config, record, reply) for reply in (response, *replies)]
        return robustness(config["taskType"], scores, [response, *replies])

    def _similarity(self, one: str, other: str) -> float:
        encoder = self._foundation.inference.catalogue.resolve(_ENCODER, self._call).model
        if not isinstance(encoder, SentenceEncoder):
            raise TypeError(f"{_ENCODER} is no sentence encoder")
        return sum(a * b for a, b in zip(encoder.embed(one), encoder.embed(other), strict=True))

    def _judge(self, name: str, prompt: str, response: str, reference: str, passages: tuple[str, ...] = ()) -> Document:
        """Ask the judge; a score that does not apply is null, one that the judge does not give is absent."""
        score: Document = {"metricName": name}
        if name.removeprefix(PREFIX) in NEEDS_REFERENCE and not reference:
            return {**score, "result": None}
        metric: JudgedMetric = self._custom[name] if name in self._custom else builtin_metric(name)
        judge = self._judges["custom" if metric.is_custom else "builtin"]
        question = metric.question(prompt, response, reference, passages)
        try:
            outcome = self._foundation.inference.ask(judge, Question(question, turns=(("user", question),)), self._call)
        except ServiceError as error:
            return {**score, "evaluatorDetails": [{"modelIdentifier": judge, "explanation": error.message}]}
        self._run.pause(outcome.delay_seconds)
        judgement = metric.read(outcome.text)
        if judgement.result is not None:
            score["result"] = judgement.result
        return {**score, "evaluatorDetails": [{"modelIdentifier": judge, "explanation": judgement.explanation}]}


def _judges(config: Any) -> dict[str, str]:
    found = {"builtin": config, "custom": config.get("customMetricConfig", {})}
    return {
        kind: one["evaluatorModelConfig"]["bedrockEvaluatorModels"][0]["modelIdentifier"]
        for kind, one in found.items()
        if "evaluatorModelConfig" in one
    }
