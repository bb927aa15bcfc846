"""The request that creates an evaluation job (Bedrock API reference, CreateEvaluationJob)."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from hallmark.errors import InvalidInputError
from hallmark.evaluation.converse import inference_config
from hallmark.evaluation.suites import ModelVariant, Workers

PARAMETERS_LENGTH = 1023
_RETRIEVALS = 5
"""Passages that a knowledge base looks up for a question (Bedrock API reference, its own default)."""


class JobDataset(BaseModel):
    """A file of prompts."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    name: str
    uri: str


class EvaluationJobOrder(BaseModel):
    """Everything that an evaluation job is told."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    job_name: str
    """Its token too: whoever creates it again gets the same job."""
    description: str
    role_arn: str
    key_arn: str | None
    output_uri: str
    model: ModelVariant
    task: str
    retrieval: Literal["retrieve", "retrieve-and-generate"] | None = None
    datasets: tuple[JobDataset, ...]
    metrics: tuple[str, ...] = ()
    """Bedrock's own, with ``Builtin.``."""
    evaluator_model_id: str | None = None
    custom_metrics: tuple[dict[str, Any], ...] = ()
    """``customMetricDefinition`` of each."""
    workers: Workers | None = None


def evaluation_job_request(order: EvaluationJobOrder) -> dict[str, Any]:
    """Return the request.

    Raises:
        InvalidInputError: The model's parameters are longer than a job takes.
    """
    request: dict[str, Any] = {
        "jobName": order.job_name,
        "clientRequestToken": order.job_name,
        "jobDescription": order.description,
        "roleArn": order.role_arn,
        "applicationType": "ModelEvaluation" if order.retrieval is None else "RagEvaluation",
        "evaluationConfig": _human(order) if order.workers is not None else _automated(order),
        "inferenceConfig": _inference(order) if order.retrieval is None else _retrieval(order),
        "outputDataConfig": {"s3Uri": order.output_uri},
    }
    if order.key_arn is not None:
        request["customerEncryptionKeyId"] = order.key_arn
    return request


def _automated(order: EvaluationJobOrder) -> dict[str, Any]:
    custom = [definition["name"] for definition in order.custom_metrics]
    automated: dict[str, Any] = {"datasetMetricConfigs": _datasets(order, [*order.metrics, *custom])}
    if order.evaluator_model_id is not None:
        evaluator = {"bedrockEvaluatorModels": [{"modelIdentifier": order.evaluator_model_id}]}
        if order.metrics:
            automated["evaluatorModelConfig"] = evaluator
        if custom:
            automated["customMetricConfig"] = {
                "customMetrics": [{"customMetricDefinition": each} for each in order.custom_metrics],
                "evaluatorModelConfig": evaluator,
            }
    return {"automated": automated}


def _human(order: EvaluationJobOrder) -> dict[str, Any]:
    workers = order.workers
    if workers is None:
        raise ValueError("a job for people needs workers")
    metrics = [
        {"name": each.name, "ratingMethod": each.rating_method}
        | ({"description": each.description} if each.description is not None else {})
        for each in workers.metrics
    ]
    return {
        "human": {
            "humanWorkflowConfig": {
                "flowDefinitionArn": workers.flow_definition,
                "instructions": workers.instructions,
            },
            "customMetrics": metrics,
            "datasetMetricConfigs": _datasets(order, [each.name for each in workers.metrics]),
        }
    }


def _datasets(order: EvaluationJobOrder, metrics: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "taskType": order.task,
            "dataset": {"name": each.name, "datasetLocation": {"s3Uri": each.uri}},
            "metricNames": metrics,
        }
        for each in order.datasets
    ]


def _inference(order: EvaluationJobOrder) -> dict[str, Any]:
    model = order.model
    if model.precomputed:
        return {"models": [{"precomputedInferenceSource": {"inferenceSourceIdentifier": model.model_id}}]}
    parameters = json.dumps({"inferenceConfig": inference_config(model.inference)})
    if len(parameters) > PARAMETERS_LENGTH:
        remedy = f"an evaluation job takes {PARAMETERS_LENGTH:,}: shorten its stop_sequences"
        raise InvalidInputError(f"models.{model.model_id}.inference", f"{len(parameters):,} characters", remedy)
    return {"models": [{"bedrockModel": {"modelIdentifier": model.model_id, "inferenceParams": parameters}}]}


def _retrieval(order: EvaluationJobOrder) -> dict[str, Any]:
    model = order.model
    generates = order.retrieval == "retrieve-and-generate"
    if model.precomputed:
        source = {"ragSourceIdentifier": model.model_id}
        kind = "retrieveAndGenerateSourceConfig" if generates else "retrieveSourceConfig"
        return {"ragConfigs": [{"precomputedRagSourceConfig": {kind: source}}]}
    if model.knowledge_base is None:
        remedy = "name its knowledge_base, or bring its answers and set precomputed"
        raise InvalidInputError(f"models.{model.model_id}.knowledge_base", None, remedy)
    looked_up = {"vectorSearchConfiguration": {"numberOfResults": _RETRIEVALS}}
    if not generates:
        config: dict[str, Any] = {
            "retrieveConfig": {
                "knowledgeBaseId": model.knowledge_base,
                "knowledgeBaseRetrievalConfiguration": looked_up,
            }
        }
    else:
        config = {
            "retrieveAndGenerateConfig": {
                "type": "KNOWLEDGE_BASE",
                "knowledgeBaseConfiguration": {
                    "knowledgeBaseId": model.knowledge_base,
                    "modelArn": model.model_id,
                    "retrievalConfiguration": looked_up,
                    "generationConfiguration": {
                        "kbInferenceConfig": {"textInferenceConfig": inference_config(model.inference)}
                    },
                },
            }
        }
    return {"ragConfigs": [{"knowledgeBaseConfig": config}]}
