"""The account's resources, by SageMaker's and Bedrock's List operations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from botocore.exceptions import ClientError

from hallmark.aws.clients import client
from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.lineage.reconciliation import Listed, Page


class _Listing(NamedTuple):
    operation: str
    summaries: str
    arn: str
    status: str | None
    changed: str
    since: str | None
    service: Literal["sagemaker", "bedrock"] = "sagemaker"


_LISTINGS: Mapping[str, _Listing] = {
    "processing-job": _Listing(
        "list_processing_jobs",
        "ProcessingJobSummaries",
        "ProcessingJobArn",
        "ProcessingJobStatus",
        "LastModifiedTime",
        "LastModifiedTimeAfter",
    ),
    "training-job": _Listing(
        "list_training_jobs",
        "TrainingJobSummaries",
        "TrainingJobArn",
        "TrainingJobStatus",
        "LastModifiedTime",
        "LastModifiedTimeAfter",
    ),
    "hyper-parameter-tuning-job": _Listing(
        "list_hyper_parameter_tuning_jobs",
        "HyperParameterTuningJobSummaries",
        "HyperParameterTuningJobArn",
        "HyperParameterTuningJobStatus",
        "LastModifiedTime",
        "LastModifiedTimeAfter",
    ),
    "transform-job": _Listing(
        "list_transform_jobs",
        "TransformJobSummaries",
        "TransformJobArn",
        "TransformJobStatus",
        "LastModifiedTime",
        "LastModifiedTimeAfter",
    ),
    "model": _Listing("list_models", "Models", "ModelArn", None, "CreationTime", "CreationTimeAfter"),
    "model-package-group": _Listing(
        "list_model_package_groups",
        "ModelPackageGroupSummaryList",
        "ModelPackageGroupArn",
        "ModelPackageGroupStatus",
        "CreationTime",
        "CreationTimeAfter",
    ),
    # An approval changes a package without changing the time that a listing can be asked for.
    "model-package": _Listing(
        "list_model_packages", "ModelPackageSummaryList", "ModelPackageArn", "ModelPackageStatus", "CreationTime", None
    ),
    "endpoint-config": _Listing(
        "list_endpoint_configs", "EndpointConfigs", "EndpointConfigArn", None, "CreationTime", "CreationTimeAfter"
    ),
    "endpoint": _Listing(
        "list_endpoints", "Endpoints", "EndpointArn", "EndpointStatus", "LastModifiedTime", "LastModifiedTimeAfter"
    ),
    "feature-group": _Listing(
        "list_feature_groups",
        "FeatureGroupSummaries",
        "FeatureGroupArn",
        "FeatureGroupStatus",
        "CreationTime",
        "CreationTimeAfter",
    ),
    "model-card": _Listing(
        "list_model_cards", "ModelCardSummaries", "ModelCardArn", "ModelCardStatus", "LastModifiedTime", None
    ),
    "model-customization-job": _Listing(
        "list_model_customization_jobs",
        "modelCustomizationJobSummaries",
        "jobArn",
        "status",
        "lastModifiedTime",
        None,
        "bedrock",
    ),
    "model-invocation-job": _Listing(
        "list_model_invocation_jobs", "invocationJobSummaries", "jobArn", "status", "lastModifiedTime", None, "bedrock"
    ),
}
_EXECUTIONS = "pipeline-execution"
_PAGE_SIZE = 100


class AwsResources:
    """ResourceLister; slows down by itself where AWS throttles."""

    def page(self, resource: str, since: datetime | None, token: str | None) -> Page:
        """List a page of a kind.

        Raises:
            InvalidInputError: The token is no longer valid.
            UnavailableError: AWS did not answer.
        """
        if resource == _EXECUTIONS:
            return self._executions(token)
        listing = _LISTINGS[resource]
        camel = listing.service == "bedrock"
        request: dict[str, Any] = {"maxResults" if camel else "MaxResults": _PAGE_SIZE}
        if token is not None:
            request["nextToken" if camel else "NextToken"] = token
        if since is not None and listing.since is not None:
            request[listing.since] = since
        if resource == "model-package":
            request["ModelPackageType"] = "Both"
        answer = self._call(listing.service, listing.operation, request, token)
        return Page(
            [
                Listed(
                    arn=item[listing.arn],
                    status=item.get(listing.status) if listing.status else None,
                    changed_at=item.get(listing.changed),
                    approval=item.get("ModelApprovalStatus"),
                )
                for item in answer.get(listing.summaries, [])
            ],
            answer.get("nextToken" if camel else "NextToken"),
        )

    def steps(self, execution_arn: str) -> Iterator[dict[str, object]]:
        """Yield the steps of a pipeline execution, each as the detail of its event."""
        token: str | None = None
        pipeline = execution_arn.partition("/execution/")[0]
        while True:
            request = {"PipelineExecutionArn": execution_arn, **({"NextToken": token} if token else {})}
            answer = self._call("sagemaker", "list_pipeline_execution_steps", request, token)
            for step in answer.get("PipelineExecutionSteps", []):
                yield {
                    "pipelineArn": pipeline,
                    "pipelineExecutionArn": execution_arn,
                    "stepName": step.get("StepName"),
                    "stepType": next((name for name in step.get("Metadata") or {}), None),
                    "currentStepStatus": step.get("StepStatus"),
                    "stepStartTime": step.get("StartTime"),
                    "stepEndTime": step.get("EndTime"),
                    "failureReason": step.get("FailureReason"),
                    "metadata": step.get("Metadata"),
                }
            token = answer.get("NextToken")
            if token is None:
                return

    def _executions(self, token: str | None) -> Page:
        """List the executions of one pipeline; the token carries the page of pipelines, the pipeline, and its page."""
        outer, number, inner = json.loads(token) if token else (None, 0, None)
        request = {"MaxResults": _PAGE_SIZE, **({"NextToken": outer} if outer else {})}
        pipelines = self._call("sagemaker", "list_pipelines", request, token)
        summaries = pipelines.get("PipelineSummaries", [])
        if number >= len(summaries):
            return Page([], None)
        request = {"PipelineName": summaries[number]["PipelineName"], "MaxResults": _PAGE_SIZE}
        if inner:
            request["NextToken"] = inner
        answer = self._call("sagemaker", "list_pipeline_executions", request, token)
        if answer.get("NextToken"):
            following: list[Any] | None = [outer, number, answer["NextToken"]]
        elif number + 1 < len(summaries):
            following = [outer, number + 1, None]
        else:
            following = [pipelines["NextToken"], 0, None] if pipelines.get("NextToken") else None
        listed = [
            Listed(item["PipelineExecutionArn"], item.get("PipelineExecutionStatus"), item.get("StartTime"))
            for item in answer.get("PipelineExecutionSummaries", [])
        ]
        return Page(listed, json.dumps(following) if following else None)

    @staticmethod
    def _call(service: str, operation: str, request: Mapping[str, Any], token: str | None) -> dict[str, Any]:
        try:
            with calling(operation):
                answer: dict[str, Any] = getattr(client(service, "adaptive"), operation)(**request)
        except ClientError as error:
            if token is not None and error_code(error) == "ValidationException":
                raise InvalidInputError("NextToken", token, "start the listing again") from error
            raise UnavailableError(f"{operation}: {describe_error(error)}") from error
        return answer
