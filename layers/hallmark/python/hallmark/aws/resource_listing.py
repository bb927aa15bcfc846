"""The account's resources, by SageMaker's and Bedrock's List operations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from botocore.exceptions import ClientError

from hallmark.aws.clients import client
from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.lineage.listing import Listed, ListingRefusedError, Page

LONGEST_RUN = timedelta(days=30)
"""How long before a change the run that changed may have begun, where a listing can be asked for beginnings only.

A training job runs for 28 days at most (SageMaker API reference, StoppingCondition), a batch inference job for 7
(Bedrock API reference, CreateModelInvocationJob, timeoutDurationInHours).
"""
PAGE_SIZE = 100
"""The most that SageMaker's List operations take (SageMaker API reference, ListTrainingJobs, MaxResults)."""
JOB_CATEGORIES = ("AgentRFT", "AgentRFTEvaluation")
"""The categories that ListJobs takes (botocore, ListJobs, JobCategory)."""


class Listing(NamedTuple):
    """How one kind is listed: names of the operation, of the member that holds the summaries, and of their members.

    ``changed`` is the time that says whether there is something new; ``since`` the filter that a sweep can use, and
    ``lag`` how long before a change it must look. ``traits`` are members of the summary that change without that time,
    with the attributes in which a state has them.
    """

    operation: str
    summaries: str
    arn: str
    created: str = "CreationTime"
    status: str | None = None
    changed: str | None = None
    since: str | None = None
    lag: timedelta = timedelta(0)
    traits: tuple[tuple[tuple[str, ...], str], ...] = ()
    parameters: tuple[tuple[str, Any], ...] = ()
    service: Literal["sagemaker", "bedrock"] = "sagemaker"


LISTINGS: Mapping[str, Listing] = {
    "processing-job": Listing(
        "list_processing_jobs",
        "ProcessingJobSummaries",
        "ProcessingJobArn",
        status="ProcessingJobStatus",
        changed="LastModifiedTime",
        since="LastModifiedTimeAfter",
    ),
    "training-job": Listing(
        "list_training_jobs",
        "TrainingJobSummaries",
        "TrainingJobArn",
        status="TrainingJobStatus",
        changed="LastModifiedTime",
        since="LastModifiedTimeAfter",
    ),
    "hyper-parameter-tuning-job": Listing(
        "list_hyper_parameter_tuning_jobs",
        "HyperParameterTuningJobSummaries",
        "HyperParameterTuningJobArn",
        status="HyperParameterTuningJobStatus",
        changed="LastModifiedTime",
        since="LastModifiedTimeAfter",
    ),
    # DescribeTransformJob tells no time of the last change, so only the status can be compared.
    "transform-job": Listing(
        "list_transform_jobs",
        "TransformJobSummaries",
        "TransformJobArn",
        status="TransformJobStatus",
        since="LastModifiedTimeAfter",
    ),
    "labeling-job": Listing(
        "list_labeling_jobs",
        "LabelingJobSummaryList",
        "LabelingJobArn",
        status="LabelingJobStatus",
        changed="LastModifiedTime",
        since="LastModifiedTimeAfter",
    ),
    "job": Listing(
        "list_jobs",
        "JobSummaries",
        "JobArn",
        status="JobStatus",
        changed="LastModifiedTime",
        since="LastModifiedTimeAfter",
    ),
    "model": Listing("list_models", "Models", "ModelArn", since="CreationTimeAfter"),
    "model-package-group": Listing(
        "list_model_package_groups",
        "ModelPackageGroupSummaryList",
        "ModelPackageGroupArn",
        status="ModelPackageGroupStatus",
        since="CreationTimeAfter",
    ),
    # An approval changes a package without changing any time that a listing tells or can be asked for.
    "model-package": Listing(
        "list_model_packages",
        "ModelPackageSummaryList",
        "ModelPackageArn",
        status="ModelPackageStatus",
        traits=(
            (("ModelApprovalStatus",), "approval_status"),
            (("ModelLifeCycle", "Stage"), "stage"),
            (("ModelLifeCycle", "StageStatus"), "stage_status"),
        ),
        parameters=(("ModelPackageType", "Both"),),
    ),
    "endpoint-config": Listing(
        "list_endpoint_configs", "EndpointConfigs", "EndpointConfigArn", since="CreationTimeAfter"
    ),
    "endpoint": Listing(
        "list_endpoints",
        "Endpoints",
        "EndpointArn",
        status="EndpointStatus",
        changed="LastModifiedTime",
        since="LastModifiedTimeAfter",
    ),
    "feature-group": Listing(
        "list_feature_groups",
        "FeatureGroupSummaries",
        "FeatureGroupArn",
        status="FeatureGroupStatus",
        traits=((("OfflineStoreStatus", "Status"), "offline_status"),),
    ),
    "model-card": Listing(
        "list_model_cards", "ModelCardSummaries", "ModelCardArn", status="ModelCardStatus", changed="LastModifiedTime"
    ),
    "pipeline-execution": Listing(
        "list_pipeline_executions",
        "PipelineExecutionSummaries",
        "PipelineExecutionArn",
        created="StartTime",
        status="PipelineExecutionStatus",
        since="CreatedAfter",
        lag=LONGEST_RUN,
    ),
    "model-customization-job": Listing(
        "list_model_customization_jobs",
        "modelCustomizationJobSummaries",
        "jobArn",
        created="creationTime",
        status="status",
        changed="lastModifiedTime",
        since="creationTimeAfter",
        lag=LONGEST_RUN,
        service="bedrock",
    ),
    "model-invocation-job": Listing(
        "list_model_invocation_jobs",
        "invocationJobSummaries",
        "jobArn",
        created="submitTime",
        status="status",
        changed="lastModifiedTime",
        since="submitTimeAfter",
        lag=LONGEST_RUN,
        service="bedrock",
    ),
}
"""Kinds that have no description of their own here (AutoML jobs, custom models) are known from those that name them."""


class AwsResources:
    """ResourceLister, oldest first; slows down by itself where AWS throttles.

    Args:
        clients: Gives the client of a service.
    """

    def __init__(self, clients: Callable[[str], Any] = lambda service: client(service, "adaptive")) -> None:
        self._clients = clients
        self._pipelines: tuple[str | None, dict[str, Any]] | None = None

    def page(self, resource: str, since: datetime | None, token: str | None) -> Page:
        """List a page of a kind.

        Raises:
            InvalidInputError: The token is no longer valid.
            ListingRefusedError: The permission is missing, or this Region does not have the operation.
            UnavailableError: AWS did not answer.
        """
        listing = LISTINGS[resource]
        if resource == "pipeline-execution":
            return self._executions(listing, since, token)
        if resource == "job":
            return self._jobs(listing, since, token)
        return self._page(listing, since, token)

    def steps(self, execution_arn: str) -> Iterator[dict[str, object]]:
        """Yield the steps of a pipeline execution, each as the detail of its event.

        Raises:
            UnavailableError: AWS did not answer, or refuses.
        """
        request: dict[str, Any] = {"PipelineExecutionArn": execution_arn, "MaxResults": PAGE_SIZE}
        while True:
            try:
                answer = self._call("sagemaker", "list_pipeline_execution_steps", request)
            except ListingRefusedError as error:
                raise UnavailableError(str(error)) from error
            for step in answer.get("PipelineExecutionSteps", []):
                yield _step_detail(execution_arn, step)
            if "NextToken" not in answer:
                return
            request["NextToken"] = answer["NextToken"]

    def _page(
        self, listing: Listing, since: datetime | None, token: str | None, parameters: Mapping[str, Any] | None = None
    ) -> Page:
        spell = _camel if listing.service == "bedrock" else str
        request: dict[str, Any] = {
            spell("MaxResults"): PAGE_SIZE,
            spell("SortBy"): "CreationTime",
            spell("SortOrder"): "Ascending",
            **dict(listing.parameters),
            **(parameters or {}),
        }
        if since is not None and listing.since is not None:
            request[listing.since] = since - listing.lag
        answer = self._call(listing.service, listing.operation, request, token)
        return Page(
            [_listed(listing, summary) for summary in answer.get(listing.summaries, [])],
            answer.get(spell("NextToken")),
        )

    def _jobs(self, listing: Listing, since: datetime | None, token: str | None) -> Page:
        """List the jobs of one category after the other; the token carries the category and its own token."""
        category, inner = json.loads(token) if token else (JOB_CATEGORIES[0], None)
        page = self._page(listing, since, inner, {"JobCategory": category})
        if page.following is not None:
            return page._replace(following=json.dumps([category, page.following]))
        later = JOB_CATEGORIES[JOB_CATEGORIES.index(category) + 1 :]
        return page._replace(following=json.dumps([later[0], None]) if later else None)

    def _executions(self, listing: Listing, since: datetime | None, token: str | None) -> Page:
        """List the executions of one pipeline; the token carries the page of pipelines, the pipeline, and its page."""
        outer, name, inner = json.loads(token) if token else (None, None, None)
        pipelines = self._pipeline_page(outer)
        names = [
            summary["PipelineName"]
            for summary in pipelines.get("PipelineSummaries", [])
            if since is None or _may_have_run(summary, since - listing.lag)
        ]
        following = json.dumps([pipelines["NextToken"], None, None]) if pipelines.get("NextToken") else None
        if not names:
            return Page([], following)
        # A pipeline that was deleted since its page was listed: that page is begun again.
        number = names.index(name) if name in names else 0
        page = self._page(listing, since, inner if name in names else None, {"PipelineName": names[number]})
        if page.following is not None:
            following = json.dumps([outer, names[number], page.following])
        elif number + 1 < len(names):
            following = json.dumps([outer, names[number + 1], None])
        return page._replace(following=following)

    def _pipeline_page(self, token: str | None) -> dict[str, Any]:
        """Return a page of pipelines; the last one is remembered, since each of its pipelines asks for it."""
        if self._pipelines is None or self._pipelines[0] != token:
            request = {"MaxResults": PAGE_SIZE, "SortBy": "CreationTime", "SortOrder": "Ascending"}
            self._pipelines = (token, self._call("sagemaker", "list_pipelines", request, token))
        return self._pipelines[1]

    def _call(
        self, service: str, operation: str, request: Mapping[str, Any], token: str | None = None
    ) -> dict[str, Any]:
        paged = {**request, **({("nextToken" if service == "bedrock" else "NextToken"): token} if token else {})}
        try:
            with calling(operation):
                answer: dict[str, Any] = getattr(self._clients(service), operation)(**paged)
        except ClientError as error:
            # SageMaker and Bedrock say ValidationException of a token that they do not know (any more).
            if token is not None and error_code(error) == "ValidationException":
                raise InvalidInputError("NextToken", token, f"start {operation} again") from error
            raise ListingRefusedError(f"{operation}: {describe_error(error)}") from error
        return answer


def _listed(listing: Listing, summary: Mapping[str, Any]) -> Listed:
    traits = ((attribute, _at(summary, path)) for path, attribute in listing.traits)
    return Listed(
        arn=summary[listing.arn],
        created_at=summary.get(listing.created),
        status=summary.get(listing.status) if listing.status else None,
        changed_at=summary.get(listing.changed) if listing.changed else None,
        traits=tuple((attribute, str(value)) for attribute, value in traits if value),
    )


def _at(summary: Mapping[str, Any], path: tuple[str, ...]) -> object:
    value: Any = summary
    for name in path:
        value = (value or {}).get(name)
    return value


def _may_have_run(pipeline: Mapping[str, Any], since: datetime) -> bool:
    last = pipeline.get("LastExecutionTime")
    return last is None or last >= since


def _step_detail(execution_arn: str, step: Mapping[str, Any]) -> dict[str, object]:
    """Give a step the names that its event has (SageMaker developer guide, automating-sagemaker-with-eventbridge)."""
    metadata = step.get("Metadata") or {}
    kind = next(iter(metadata), None)
    detail: dict[str, object] = {
        "pipelineArn": execution_arn.partition("/execution/")[0],
        "pipelineExecutionArn": execution_arn,
        "stepName": step.get("StepName"),
        # "TrainingJob" in the metadata is a step of type "Training" in its definition and its events.
        "stepType": (kind.removesuffix("Job") or kind) if kind else None,
        "currentStepStatus": step.get("StepStatus"),
        "stepStartTime": step.get("StartTime"),
        "stepEndTime": step.get("EndTime"),
        "failureReason": step.get("FailureReason"),
        "metadata": metadata,
    }
    source = (step.get("CacheHitResult") or {}).get("SourcePipelineExecutionArn")
    if source:
        detail["cacheHitResult"] = {"sourcePipelineExecutionArn": source}
    return detail


def _camel(name: str) -> str:
    return name[0].lower() + name[1:]
