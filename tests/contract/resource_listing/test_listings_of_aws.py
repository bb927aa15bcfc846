"""The listings against botocore's service models and stubs, which refuse what AWS would refuse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.stub import Stubber

from hallmark.aws.resource_listing import JOB_CATEGORIES, LISTINGS, LONGEST_RUN, PAGE_SIZE, AwsResources, Listing
from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.lineage.listing import SWEPT, ListingRefusedError
from hallmark.lineage.model import NodeKind
from hallmark.lineage.translation import draft_fact

SINCE = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
PAYLOADS = Path(__file__).parents[2] / "payloads" / "aws"
PIPELINES = {"MaxResults": PAGE_SIZE, "SortBy": "CreationTime", "SortOrder": "Ascending"}


def operation_of(listing: Listing) -> Any:
    model = botocore.session.get_session().get_service_model(listing.service)
    name = "".join(word.capitalize() for word in listing.operation.split("_"))
    return model.operation_model(name)


@pytest.fixture
def sagemaker() -> Iterator[Stubber]:
    client = boto3.client("sagemaker", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        yield stubber


@pytest.fixture
def resources(sagemaker: Stubber) -> AwsResources:
    return AwsResources(lambda _service: sagemaker.client)


def test_every_kind_that_is_swept_is_listed_and_the_other_way_round() -> None:
    assert set(SWEPT) == set(LISTINGS)


@pytest.mark.parametrize("kind", SWEPT)
def test_what_is_listed_can_be_translated(kind: str) -> None:
    draft = draft_fact(
        kind,
        f"arn:aws:sagemaker:eu-west-1:123456789012:{kind}/name",
        description=dict.fromkeys(("CreationTime", "creationTime", "submitTime", "lastModifiedTime"), SINCE),
        asked=True,
    )
    assert draft.subject.kind is NodeKind(kind)


@pytest.mark.parametrize("kind", LISTINGS)
def test_each_name_of_a_listing_is_one_of_aws(kind: str) -> None:
    listing = LISTINGS[kind]
    operation = operation_of(listing)
    summary = operation.output_shape.members[listing.summaries].member.members
    camel = listing.service == "bedrock"
    order = "sortBy" if camel else "SortBy"

    times = [name for name in (listing.created, listing.changed) if name]
    assert {summary[name].type_name for name in times} == {"timestamp"}
    assert summary[listing.arn].type_name == "string"
    assert listing.status is None or summary[listing.status].enum
    for path, _ in listing.traits:
        shape = operation.output_shape.members[listing.summaries].member
        for name in path:
            shape = shape.members[name]
        assert shape.type_name == "string"
    assert listing.since is None or operation.input_shape.members[listing.since].type_name == "timestamp"
    assert "CreationTime" in operation.input_shape.members[order].enum
    assert operation.input_shape.members["maxResults" if camel else "MaxResults"].metadata["max"] >= PAGE_SIZE


@pytest.mark.parametrize("kind", LISTINGS)
def test_a_listing_uses_the_time_of_the_last_change_wherever_aws_has_it(kind: str) -> None:
    listing = LISTINGS[kind]
    operation = operation_of(listing)
    summary = operation.output_shape.members[listing.summaries].member.members
    filters = [name for name in operation.input_shape.members if name.lower() == "lastmodifiedtimeafter"]

    assert not filters or listing.since == filters[0]
    if kind != "transform-job":
        changes = [name for name in summary if name.lower() == "lastmodifiedtime"]
        assert not changes or listing.changed == changes[0]


def test_all_categories_of_jobs_are_asked_for() -> None:
    assert list(JOB_CATEGORIES) == operation_of(LISTINGS["job"]).input_shape.members["JobCategory"].enum


@pytest.mark.parametrize("kind", [kind for kind in LISTINGS if kind not in {"pipeline-execution", "job"}])
def test_each_page_is_asked_for_with_the_same_filters_oldest_first(kind: str) -> None:
    listing = LISTINGS[kind]
    camel = listing.service == "bedrock"
    client = boto3.client(listing.service, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    names: Callable[[str], str] = (lambda name: name[0].lower() + name[1:]) if camel else str
    request = {
        names("MaxResults"): PAGE_SIZE,
        names("SortBy"): "CreationTime",
        names("SortOrder"): "Ascending",
        **dict(listing.parameters),
    }
    if listing.since:
        request[listing.since] = SINCE - listing.lag
    with Stubber(client) as stubber:
        stubber.add_response(listing.operation, {listing.summaries: [], names("NextToken"): "more"}, request)
        stubber.add_response(listing.operation, {listing.summaries: []}, {**request, names("NextToken"): "more"})
        resources = AwsResources(lambda service: client if service == listing.service else None)

        first = resources.page(kind, SINCE, None)
        second = resources.page(kind, SINCE, first.following)

        assert (first.following, second.following) == ("more", None)
        stubber.assert_no_pending_responses()


def test_a_model_package_is_listed_with_its_approval_and_stage(sagemaker: Stubber, resources: AwsResources) -> None:
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/churn/3"
    summary = {
        "ModelPackageArn": arn,
        "ModelPackageGroupName": "churn",
        "ModelPackageVersion": 3,
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": "Approved",
        "ModelLifeCycle": {"Stage": "Production", "StageStatus": "Approved"},
        "CreationTime": SINCE,
    }
    sagemaker.add_response("list_model_packages", {"ModelPackageSummaryList": [summary]})

    (listed,) = resources.page("model-package", None, None).resources

    assert (listed.arn, listed.created_at, listed.status, listed.changed_at) == (arn, SINCE, "Completed", None)
    assert dict(listed.traits) == {"approval_status": "Approved", "stage": "Production", "stage_status": "Approved"}


def execution(pipeline: str, name: str) -> dict[str, Any]:
    arn = f"arn:aws:sagemaker:eu-west-1:123456789012:pipeline/{pipeline}/execution/{name}"
    return {"PipelineExecutionArn": arn, "StartTime": SINCE, "PipelineExecutionStatus": "Succeeded"}


def pipeline(name: str, **more: Any) -> dict[str, Any]:
    arn = f"arn:aws:sagemaker:eu-west-1:123456789012:pipeline/{name}"
    return {"PipelineName": name, "PipelineArn": arn, "CreationTime": SINCE, **more}


def walk(resources: AwsResources, kind: str, since: datetime | None = None) -> list[str]:
    """Return the names of all resources of a kind, page by page."""
    token: str | None = None
    found = []
    while True:
        page = resources.page(kind, since, token)
        found += [listed.arn.rpartition("/")[2] for listed in page.resources]
        token = page.following
        if token is None:
            return found


def test_the_executions_of_all_pipelines_are_listed_over_pages_of_both(
    sagemaker: Stubber, resources: AwsResources
) -> None:
    def executions(of: str, token: str | None, found: list[str], following: str | None) -> None:
        sagemaker.add_response(
            "list_pipeline_executions",
            {
                "PipelineExecutionSummaries": [execution(of, name) for name in found],
                **({"NextToken": following} if following else {}),
            },
            {**PIPELINES, "PipelineName": of, **({"NextToken": token} if token else {})},
        )

    sagemaker.add_response(
        "list_pipelines", {"PipelineSummaries": [pipeline("one"), pipeline("two")], "NextToken": "more"}, PIPELINES
    )
    executions("one", None, ["1a", "1b"], "inner")
    executions("one", "inner", ["1c"], None)
    executions("two", None, [], None)
    sagemaker.add_response(
        "list_pipelines", {"PipelineSummaries": [pipeline("three")]}, {**PIPELINES, "NextToken": "more"}
    )
    executions("three", None, ["3a"], None)

    assert walk(resources, "pipeline-execution") == ["1a", "1b", "1c", "3a"]
    sagemaker.assert_no_pending_responses()


def test_pipelines_that_did_not_run_for_long_are_left_out(sagemaker: Stubber, resources: AwsResources) -> None:
    idle = pipeline("idle", LastExecutionTime=SINCE - LONGEST_RUN - timedelta(seconds=1))
    busy = pipeline("busy", LastExecutionTime=SINCE - LONGEST_RUN)
    sagemaker.add_response("list_pipelines", {"PipelineSummaries": [idle, busy]}, PIPELINES)
    sagemaker.add_response(
        "list_pipeline_executions",
        {"PipelineExecutionSummaries": [execution("busy", "b")]},
        {**PIPELINES, "PipelineName": "busy", "CreatedAfter": SINCE - LONGEST_RUN},
    )

    assert walk(resources, "pipeline-execution", SINCE) == ["b"]


def test_another_invocation_goes_on_at_the_pipeline_that_the_token_names(sagemaker: Stubber) -> None:
    both = {"PipelineSummaries": [pipeline("one"), pipeline("two")]}
    sagemaker.add_response("list_pipelines", both, PIPELINES)
    sagemaker.add_response("list_pipeline_executions", {"PipelineExecutionSummaries": [execution("one", "1")]})
    token = AwsResources(lambda _service: sagemaker.client).page("pipeline-execution", None, None).following

    sagemaker.add_response("list_pipelines", both, PIPELINES)
    sagemaker.add_response(
        "list_pipeline_executions",
        {"PipelineExecutionSummaries": [execution("two", "2")]},
        {**PIPELINES, "PipelineName": "two"},
    )
    page = AwsResources(lambda _service: sagemaker.client).page("pipeline-execution", None, token)

    assert [listed.arn.rpartition("/")[2] for listed in page.resources] == ["2"]


def test_a_pipeline_that_was_deleted_meanwhile_hides_none_behind_it(sagemaker: Stubber) -> None:
    sagemaker.add_response(
        "list_pipelines", {"PipelineSummaries": [pipeline(name) for name in ("one", "two", "three")]}, PIPELINES
    )
    sagemaker.add_response("list_pipeline_executions", {"PipelineExecutionSummaries": [execution("one", "1")]})
    token = AwsResources(lambda _service: sagemaker.client).page("pipeline-execution", None, None).following

    sagemaker.add_response("list_pipelines", {"PipelineSummaries": [pipeline("one"), pipeline("three")]}, PIPELINES)
    for name in ("one", "three"):
        sagemaker.add_response(
            "list_pipeline_executions",
            {"PipelineExecutionSummaries": [execution(name, name)]},
            {**PIPELINES, "PipelineName": name},
        )
    resources = AwsResources(lambda _service: sagemaker.client)
    found = []
    while token is not None:
        page = resources.page("pipeline-execution", None, token)
        found += [listed.arn.rpartition("/")[2] for listed in page.resources]
        token = page.following

    assert found == ["one", "three"]


def test_jobs_are_listed_category_by_category(sagemaker: Stubber, resources: AwsResources) -> None:
    def jobs(category: str, token: str | None, name: str, following: str | None) -> None:
        summary = {
            "JobName": name,
            "JobArn": f"arn:aws:sagemaker:eu-west-1:123456789012:job/{category}/{name}",
            "JobCategory": category,
            "JobStatus": "Completed",
            "JobSecondaryStatus": "Completed",
            "CreationTime": SINCE,
            "LastModifiedTime": SINCE,
        }
        sagemaker.add_response(
            "list_jobs",
            {"JobSummaries": [summary], **({"NextToken": following} if following else {})},
            {**PIPELINES, "JobCategory": category, **({"NextToken": token} if token else {})},
        )

    jobs("AgentRFT", None, "tune-1", "more")
    jobs("AgentRFT", "more", "tune-2", None)
    jobs("AgentRFTEvaluation", None, "evaluate", None)

    assert walk(resources, "job") == ["tune-1", "tune-2", "evaluate"]


def test_a_token_that_is_no_longer_valid_is_told_from_a_listing_that_is_refused(
    sagemaker: Stubber, resources: AwsResources
) -> None:
    sagemaker.add_client_error("list_models", "ValidationException", "Invalid NextToken")
    with pytest.raises(InvalidInputError, match="start list_models again"):
        resources.page("model", None, "old")

    sagemaker.add_client_error("list_models", "AccessDeniedException", "not authorized to perform", 400)
    with pytest.raises(ListingRefusedError, match="not authorized"):
        resources.page("model", None, "old")

    sagemaker.add_client_error("list_models", "ValidationException", "something else")
    with pytest.raises(ListingRefusedError, match="something else"):
        resources.page("model", None, None)


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalFailure"])
def test_a_service_that_does_not_answer_is_unavailable(sagemaker: Stubber, resources: AwsResources, code: str) -> None:
    sagemaker.add_client_error("list_endpoints", code, "later", 500)

    with pytest.raises(UnavailableError):
        resources.page("endpoint", None, None)


def test_a_listed_step_says_what_its_event_says(sagemaker: Stubber, resources: AwsResources) -> None:
    """AWS's published event of a step and a listing of it lead to the same, but for what only the event knows."""
    event = json.loads((PAYLOADS / "sm-pipeline-step-status-change.json").read_text())["detail"]
    step = {
        "StepName": event["stepName"],
        "StartTime": datetime.fromisoformat(event["stepStartTime"]),
        "EndTime": datetime.fromisoformat(event["stepEndTime"]),
        "StepStatus": event["currentStepStatus"],
        "Metadata": {"ProcessingJob": {"Arn": event["metadata"]["processingJob"]["arn"]}},
        "AttemptCount": 1,
    }
    arn = event["pipelineExecutionArn"]
    request = {"PipelineExecutionArn": arn, "MaxResults": PAGE_SIZE}
    sagemaker.add_response("list_pipeline_execution_steps", {"PipelineExecutionSteps": [], "NextToken": "x"}, request)
    sagemaker.add_response(
        "list_pipeline_execution_steps", {"PipelineExecutionSteps": [step]}, {**request, "NextToken": "x"}
    )

    (listed,) = resources.steps(arn)

    told = draft_fact("pipeline-step", arn, detail={**event, "previousStepStatus": None})
    found = draft_fact("pipeline-step", arn, description=listed, asked=True)
    assert (found.subject, found.at, found.attributes, found.edges) == (
        told.subject,
        told.at,
        told.attributes,
        told.edges,
    )


def test_steps_that_may_not_be_listed_leave_their_execution_for_later(
    sagemaker: Stubber, resources: AwsResources
) -> None:
    sagemaker.add_client_error("list_pipeline_execution_steps", "AccessDeniedException", "not authorized", 400)

    with pytest.raises(UnavailableError, match="not authorized"):
        list(resources.steps(execution("churn", "now")["PipelineExecutionArn"]))


def test_a_step_that_was_taken_from_the_cache_says_from_where(sagemaker: Stubber, resources: AwsResources) -> None:
    arn = execution("churn", "now")["PipelineExecutionArn"]
    source = execution("churn", "earlier")["PipelineExecutionArn"]
    step = {
        "StepName": "train",
        "StartTime": SINCE,
        "StepStatus": "Succeeded",
        "CacheHitResult": {"SourcePipelineExecutionArn": source},
        "Metadata": {"AutoMLJob": {"Arn": "arn:aws:sagemaker:eu-west-1:123456789012:automl-job/search"}},
    }
    sagemaker.add_response("list_pipeline_execution_steps", {"PipelineExecutionSteps": [step]})

    (listed,) = resources.steps(arn)

    drafted = draft_fact("pipeline-step", arn, description=listed, asked=True).attributes["steps"]["train"]
    assert (drafted["cache_hit"], drafted["type"]) == (source, "AutoML")
