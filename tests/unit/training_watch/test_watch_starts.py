"""Which watches a training job's event begins."""

from __future__ import annotations

from typing import Any

import pytest

from hallmark.errors import InvalidInputError
from hallmark.gates.watch_settings import TrainingWatch, WatchedJobs
from hallmark.gates.watch_starts import starts_of

ARN = "arn:aws:sagemaker:eu-central-1:111122223333:training-job/churn-7"


def watch(*names: str, **tags: str) -> TrainingWatch:
    return TrainingWatch.model_validate(
        {
            "metric": "loss",
            "better": "lower",
            "rules": [{"rule": "divergence"}],
            "jobs": {"names": names, "tags": tags},
            "interval": "90 seconds",
        }
    )


def event(**more: Any) -> dict[str, Any]:
    detail = {"TrainingJobArn": ARN, "TrainingJobName": "churn-7", "TrainingJobStatus": "InProgress", **more}
    return {"detail-type": "SageMaker Training Job State Change", "detail": detail}


def names(given: Any, **watches: TrainingWatch) -> list[str]:
    return [start.watch for start in starts_of(given, watches)]


def test_each_watch_that_is_for_the_job_begins() -> None:
    watches = {"all": watch("*"), "churn": watch("churn-*"), "fraud": watch("fraud-*"), "risk": watch("*", team="risk")}

    assert names(event(Tags=[{"Key": "team", "Value": "risk"}]), **watches) == ["all", "churn", "risk"]
    assert names(event(Tags={"team": "ads"}), **watches) == ["all", "churn"]


def test_the_name_in_the_arn_counts_where_the_events_name_is_another() -> None:
    assert names(event(TrainingJobName="something-else"), churn=watch("churn-*")) == ["churn"]


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ({"pipelines": ["churn-*"]}, True),
        ({"pipelines": ["fraud-*", "churn-weekly"]}, True),
        ({"pipelines": ["fraud-*"]}, False),
        ({"images": ["*/churn-train:*"]}, True),
        ({"images": ["*/fraud-train:*"]}, False),
        ({"pipelines": ["churn-*"], "images": ["*/fraud-train:*"]}, False),
        ({"pipelines": ["churn-*"], "names": ["fraud-*"]}, False),
    ],
)
def test_a_watch_is_for_the_jobs_of_a_pipeline_or_of_an_image(jobs: dict[str, Any], expected: bool) -> None:
    watches = {"it": watch("*").model_copy(update={"jobs": WatchedJobs.model_validate(jobs)})}
    execution = "arn:aws:sagemaker:eu-central-1:111122223333:pipeline/churn-weekly/execution/abc123"
    image = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/churn-train:7"
    given = event(
        Tags=[{"Key": "sagemaker:pipeline-execution-arn", "Value": execution}],
        AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
    )

    assert (names(given, **watches) == ["it"]) is expected


def test_a_job_that_no_pipeline_started_is_not_watched_for_one() -> None:
    watches = {"it": watch("*").model_copy(update={"jobs": WatchedJobs(pipelines=("*",))})}

    assert names(event(), **watches) == []
    assert names(event(AlgorithmSpecification="odd"), all=watch("*")) == ["all"]


@pytest.mark.parametrize("status", ["Completed", "Stopping", None])
def test_a_job_that_does_not_run_is_not_watched(status: str | None) -> None:
    assert names(event(TrainingJobStatus=status), all=watch("*")) == []


def test_all_events_of_a_job_begin_one_watch_however_they_write_its_time() -> None:
    moments = (1583831889050, "1583831889050", "2020-03-10T09:18:09.050Z", 1583831889999)

    found = {start.name for at in moments for start in starts_of(event(CreationTime=at), {"all": watch("*")})}
    other = {start.name for start in starts_of(event(CreationTime=1583831999050), {"all": watch("*")})}

    assert len(found) == 1
    assert not found & other


def test_what_begins_tells_the_workflow_all_that_it_needs() -> None:
    (start,) = starts_of(event(), {"all": watch("*")})

    assert start.to_input() == {"watch": "all", "job": ARN, "interval": 90, "part": 1, "id": start.name}
    # A part's number is added to the name, which Step Functions limits to 80 characters.
    assert len(start.name) <= 70


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ("text", "detail"),
        ({"detail": None}, "detail"),
        ({"detail": {"TrainingJobStatus": "InProgress"}}, "detail.TrainingJobArn"),
        (event(Tags="what"), "detail.Tags"),
    ],
)
def test_what_is_no_event_of_a_job_is_refused(given: Any, field: str) -> None:
    with pytest.raises(InvalidInputError, match=field):
        list(starts_of(given, {"all": watch("*")}))
