"""What monitors ask of AWS besides files: endpoints, metrics, the history of evaluations, and pipelines to start."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.drift.ports import EndpointInfo
from hallmark.drift.retraining import PipelineRefusedError
from hallmark.drift.settings import CloudWatchMetrics
from hallmark.drift.sources.metrics import metric_queries
from hallmark.errors import InvalidInputError, UnavailableError

_NAME_LENGTH = 82
"""SageMaker API reference, PipelineExecutionName."""


class SageMakerEndpoints:
    """Endpoints."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def find(self, name: str) -> EndpointInfo | None:
        """Return what an endpoint serves; None where there is none."""
        try:
            with calling(f"describing the endpoint {name}"):
                found = self._client.describe_endpoint(EndpointName=name)
        except ClientError as error:
            # SageMaker has no code of its own for an endpoint that does not exist (API reference, DescribeEndpoint).
            if error_code(error) == "ValidationException":
                return None
            raise
        capture = found.get("DataCaptureConfig") or {}
        return EndpointInfo(
            arn=found["EndpointArn"],
            config=found.get("EndpointConfigName", ""),
            since=found["LastModifiedTime"],
            captures_to=capture.get("DestinationS3Uri") if capture.get("EnableCapture") else None,
        )


class CloudWatchSource:
    """MetricSource."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def read(
        self, source: CloudWatchMetrics, subject: Mapping[str, str], start: datetime, end: datetime
    ) -> Sequence[Mapping[str, Any]]:
        """Return the ``MetricDataResults`` of all pages."""
        request = {"MetricDataQueries": metric_queries(source, subject), "StartTime": start, "EndTime": end}
        with calling("reading metrics"):
            pages = self._client.get_paginator("get_metric_data").paginate(**request)
            return [result for page in pages for result in page["MetricDataResults"]]


class EvaluationHistories:
    """Histories, from the function that tells of evaluations."""

    def __init__(self, function: str, client: Any, runs: int = 100) -> None:
        self._function = function
        self._client = client
        self._runs = runs

    def history(self, suite: str, metric: str) -> Mapping[str, Any]:
        """Return the history of a metric over the latest runs of a suite.

        Raises:
            InvalidInputError: There is no such suite or metric.
            UnavailableError: The function failed.
        """
        question = {"ask": "history", "suite": suite, "metric": metric, "limit": self._runs}
        with calling("asking for a history"):
            answer = self._client.invoke(FunctionName=self._function, Payload=json.dumps(question).encode())
        document: dict[str, Any] = json.loads(answer["Payload"].read())
        if "FunctionError" not in answer:
            return document
        kind, message = str(document.get("errorType", "")), str(document.get("errorMessage", ""))
        if kind in {"InvalidInputError", "NotFoundError"}:
            raise InvalidInputError("features", metric, message)
        raise UnavailableError(f"the history of {suite}: {kind}: {message}")


class SageMakerPipelines:
    """Pipelines."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def start(self, pipeline: str, token: str, name: str, parameters: Mapping[str, str]) -> str:
        """Start an execution, once for a token; return its ARN.

        Raises:
            PipelineRefusedError: There is no such pipeline, or it has no such parameter.
            UnavailableError: SageMaker did not answer, or has no room now.
        """
        request = {
            "PipelineName": pipeline,
            "PipelineExecutionDisplayName": name[:_NAME_LENGTH],
            "PipelineExecutionDescription": "Started by Hallmark because production has drifted",
            "PipelineParameters": [{"Name": key, "Value": value} for key, value in parameters.items()],
            "ClientRequestToken": token,
        }
        try:
            with calling(f"starting the pipeline {pipeline}"):
                arn: str = self._client.start_pipeline_execution(**request)["PipelineExecutionArn"]
        except ClientError as error:
            if error_code(error) in {"ResourceNotFound", "ValidationException", "AccessDeniedException"}:
                raise PipelineRefusedError(f"SageMaker refuses to start it: {describe_error(error)}") from error
            if error_code(error) in {"ConflictException", "ResourceLimitExceeded"}:
                raise UnavailableError(f"starting {pipeline}: {describe_error(error)}") from error
            raise
        return arn
