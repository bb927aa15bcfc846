from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from hallmark.aws.drift_files import DriftFiles, TeamFiles
from hallmark.aws.drift_memory import DynamoMemory, DynamoScores
from hallmark.aws.drift_sources import CloudWatchSource
from hallmark.drift.following import MonitorState, MonitorStatus
from hallmark.drift.ports import Look
from hallmark.drift.retraining import Ledger
from hallmark.drift.settings import CloudWatchMetrics
from hallmark.drift.sources.metrics import read_metrics
from hallmark.errors import InvalidInputError, NotFoundError, UnavailableError
from tests.fakes.watched_monitor import HOUR, NOON, MemoryOfMonitors

REGION = "eu-west-1"


@pytest.fixture
def account() -> Iterator[None]:
    with mock_aws():
        boto3.client("dynamodb", region_name=REGION).create_table(
            TableName="drift",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        boto3.client("s3", region_name=REGION).create_bucket(
            Bucket="team", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        yield


@pytest.fixture(params=["in memory", "dynamodb"])
def memory(request: pytest.FixtureRequest, account: None) -> Any:
    if request.param == "in memory":
        return MemoryOfMonitors()
    return DynamoMemory("drift", boto3.client("dynamodb", region_name=REGION))


def look(hours: int, **changes: Any) -> Look:
    end = NOON + hours * HOUR
    return Look("sizes", end - HOUR, end, "clear", end, report=f"r{hours}", key=f"reports/r{hours}")._replace(**changes)


def test_a_monitor_that_never_looked_is_waiting(memory: Any) -> None:
    assert memory.state("sizes") == (MonitorState(), 0)
    assert memory.look("sizes", NOON) is None


def test_a_look_and_the_state_after_it_are_kept_together(memory: Any) -> None:
    told = look(1, outcome="drifted", tells=("DriftDetected",))
    state = MonitorState(status=MonitorStatus.DRIFTED, last_end=told.end)

    memory.remember(told, state, "sizes", 0)

    assert memory.state("sizes") == (state, 1)
    assert memory.look("sizes", told.end) == told


def test_a_state_of_an_older_version_is_refused_and_its_look_with_it(memory: Any) -> None:
    memory.remember(look(1), MonitorState(), "sizes", 0)

    for version in (0, 2):
        with pytest.raises(UnavailableError):
            memory.remember(look(2), MonitorState(), "sizes", version)

    assert memory.look("sizes", NOON + 2 * HOUR) is None


def test_looks_are_listed_the_latest_first_and_before_a_window(memory: Any) -> None:
    for version, hours in enumerate((1, 3, 2)):
        memory.remember(look(hours), MonitorState(), "sizes", version)

    assert [each.report for each in memory.looks("sizes", 2)] == ["r3", "r2"]
    assert [each.report for each in memory.looks("sizes", 5, NOON + 3 * HOUR)] == ["r2", "r1"]
    assert memory.looks("others", 5) == []


def test_the_starts_of_a_pipeline_are_written_on_condition_of_their_version(account: None) -> None:
    memory = DynamoMemory("drift", boto3.client("dynamodb", region_name=REGION))
    ledger, version = memory.read("retrain")

    memory.write("retrain", ledger.with_start("r1", NOON, HOUR), version)

    assert memory.read("retrain") == (Ledger().with_start("r1", NOON, HOUR), 1)
    with pytest.raises(UnavailableError, match="another start"):
        memory.write("retrain", ledger, version)


def test_a_score_is_kept_once_and_found_by_its_time(account: None) -> None:
    scores = DynamoScores("drift", boto3.client("dynamodb", region_name=REGION))

    new = [scores.add("m", name, NOON + hours * HOUR, 0.25) for name, hours in (("a", 0), ("b", 1), ("a", 0))]

    assert new == [True, True, False]
    found = list(scores.between("m", NOON, NOON + timedelta(minutes=30)))
    assert [(each["id"], each["score"]) for each in found] == [("a", 0.25)]


def test_files_are_listed_by_prefix_with_folders(account: None) -> None:
    client: Any = boto3.client("s3", region_name=REGION)
    for key in ("live/All/2026/11/01/12/a.jsonl", "live/Shadow/2026/11/01/12/b.jsonl", "live/All/", "other/c.jsonl"):
        client.put_object(Bucket="team", Key=key, Body=b"x")
    files = TeamFiles(client)

    assert files.folders("s3://team/live/") == ["All", "Shadow"]
    (found,) = files.list("s3://team/live/All/")
    assert (found.uri, found.size) == ("s3://team/live/All/2026/11/01/12/a.jsonl", 1)
    assert files.read(found.uri) == b"x"


def test_what_is_not_there_is_told_from_what_may_not_be_read(account: None) -> None:
    client: Any = boto3.client("s3", region_name=REGION)

    with pytest.raises(NotFoundError):
        TeamFiles(client).read("s3://team/none")
    with pytest.raises(InvalidInputError, match=r"add its bucket to drift\.data_buckets"):
        list(TeamFiles(client).list("s3://nobodys/"))
    own = DriftFiles("team", client)
    assert (own.find("none"), own.has("none")) == (None, False)
    assert own.put("a/b", b"c") == "s3://team/a/b"
    assert (own.find("a/b"), own.has("a/b")) == (b"c", True)


def test_metrics_are_read_point_by_point(account: None) -> None:
    client: Any = boto3.client("cloudwatch", region_name=REGION)
    source = CloudWatchMetrics.model_validate(
        {
            "period": "1 minute",
            "queries": {"rate": {"metric": "InvocationServerErrors", "statistic": "Sum", "per": "Invocations"}},
        }
    )
    for minute, (errors, calls) in enumerate([(1, 4), (0, 5)]):
        for name, value in (("InvocationServerErrors", errors), ("Invocations", calls)):
            client.put_metric_data(
                Namespace="AWS/Bedrock",
                MetricData=[
                    {
                        "MetricName": name,
                        "Dimensions": [{"Name": "ModelId", "Value": "m"}],
                        "Timestamp": NOON + timedelta(minutes=minute),
                        "Value": value,
                    }
                ],
            )

    results = CloudWatchSource(client).read(source, {"ModelId": "m"}, NOON, NOON + HOUR)

    assert [each["rate"] for each in read_metrics(source, results).records] == [0.25, 0.0]
