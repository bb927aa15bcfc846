"""A look at a training job: SageMaker's, CloudWatch's and its log's word, and what the rules make of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import botocore.session
import pytest
from botocore.stub import ANY, Stubber

from hallmark.aws.checkpoint_files import CheckpointFiles
from hallmark.aws.gate_actions import Champion
from hallmark.aws.training_jobs import TrainingJobs, _period_seconds
from hallmark.aws.training_looks import ChampionTable, Look, look
from hallmark.errors import NotFoundError, UnavailableError
from hallmark.gates.curves import Point
from hallmark.gates.watch_settings import TrainingWatch
from tests.fakes.told_verdicts import NOON

JOB = "arn:aws:sagemaker:eu-central-1:111122223333:training-job/churn-1"
START = NOON
NOW = NOON + timedelta(minutes=10)


def watch(*rules: Mapping[str, Any], **more: Any) -> TrainingWatch:
    return TrainingWatch.model_validate({"metric": "train:loss", "better": "lower", "rules": rules, **more})


class Memory:
    """Where champions are kept."""

    def __init__(self) -> None:
        self.kept: dict[str, Champion] = {}

    def champion(self, watch: str) -> Champion | None:
        return self.kept.get(watch)

    def crown(self, watch: str, champion: Champion, better: str) -> bool:
        assert better == "lower"
        self.kept[watch] = champion
        return True


class Services:
    """SageMaker, CloudWatch and its logs, whose requests botocore's models check."""

    def __init__(self) -> None:
        self.clients: dict[str, Any] = {
            name: botocore.session.get_session().create_client(
                name, region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b"
            )
            for name in ("sagemaker", "cloudwatch", "logs", "s3")
        }
        self.stubs = {name: Stubber(client) for name, client in self.clients.items()}
        self.champions = Memory()
        for stub in self.stubs.values():
            stub.activate()

    def describes(self, status: str = "InProgress", **more: Any) -> None:
        self.stubs["sagemaker"].add_response(
            "describe_training_job",
            {
                "TrainingJobName": "churn-1",
                "TrainingJobArn": JOB,
                "TrainingJobStatus": status,
                "SecondaryStatus": "Training",
                "ModelArtifacts": {"S3ModelArtifacts": "s3://b/m"},
                "StoppingCondition": {},
                "CreationTime": START,
                "TrainingStartTime": START,
                "AlgorithmSpecification": {
                    "TrainingInputMode": "File",
                    "MetricDefinitions": [{"Name": "train:loss", "Regex": "loss=([0-9.]+)"}],
                },
                **more,
            },
            {"TrainingJobName": "churn-1"},
        )

    def measures(self, *pages: list[float]) -> None:
        """Tell one value a minute, in as many pages."""
        minute = 0
        for number, values in enumerate(pages):
            times = [START + timedelta(minutes=minute + place) for place in range(len(values))]
            minute += len(values)
            more = {"NextToken": f"page {number + 1}"} if number + 1 < len(pages) else {}
            token = {"NextToken": f"page {number}"} if number else {}
            self.stubs["cloudwatch"].add_response(
                "get_metric_data",
                {
                    "MetricDataResults": [{"Id": "m0", "Label": "x", "Timestamps": times, "Values": values}],
                    **more,
                },
                {
                    "MetricDataQueries": [
                        {
                            "Id": "m0",
                            "MetricStat": {
                                "Metric": {
                                    "Namespace": "/aws/sagemaker/TrainingJobs",
                                    "MetricName": "train:loss",
                                    "Dimensions": [{"Name": "TrainingJobName", "Value": "churn-1"}],
                                },
                                "Period": 60,
                                "Stat": "Average",
                            },
                        }
                    ],
                    "StartTime": ANY,
                    "EndTime": ANY,
                    "ScanBy": "TimestampAscending",
                    **token,
                },
            )

    def logs(self, *lines: str) -> None:
        self.stubs["logs"].add_response(
            "filter_log_events",
            {"events": [{"message": line} for line in lines]},
            {
                "logGroupName": "/aws/sagemaker/TrainingJobs",
                "logStreamNamePrefix": "churn-1/",
                "startTime": ANY,
                "filterPattern": ANY,
                "limit": ANY,
            },
        )

    def look(self, watching: TrainingWatch) -> Look:
        jobs = TrainingJobs(self.clients["sagemaker"], self.clients["cloudwatch"], self.clients["logs"])
        champions: ChampionTable = self.champions
        return look(JOB, "loss", watching, jobs, CheckpointFiles(self.clients["s3"]), champions, NOW)


@pytest.fixture
def services() -> Iterator[Services]:
    found = Services()
    yield found
    for stub in found.stubs.values():
        stub.assert_no_pending_responses()


def test_a_job_whose_loss_explodes_is_to_be_halted_with_its_curve(services: Services) -> None:
    services.describes()
    services.measures([2.0, 1.0], [0.5, 5.0, 9.0])
    services.logs()

    seen = services.look(watch({"rule": "divergence"}))

    assert seen.state == "halt"
    assert seen.finding is not None
    assert seen.finding.rule == "divergence"
    assert list(seen.curve) == [Point(0, 2.0), Point(60, 1.0), Point(120, 0.5), Point(180, 5.0), Point(240, 9.0)]


def test_nan_in_the_log_halts_a_job_whose_metric_shows_nothing(services: Services) -> None:
    services.describes()
    services.measures([0.5])
    services.logs("step 7 loss=nan", "a banana")

    seen = services.look(watch({"rule": "divergence"}))

    assert seen.state == "halt"
    assert "step 7 loss=nan" in seen.reason


def test_where_nothing_was_logged_yet_nothing_is_wrong(services: Services) -> None:
    services.describes()
    services.measures([])
    services.stubs["logs"].add_client_error("filter_log_events", "ResourceNotFoundException")

    assert services.look(watch({"rule": "divergence"})).state == "running"


def test_a_job_is_held_against_the_champion_of_its_watch(services: Services) -> None:
    rule = {"rule": "champion", "margin": 0.1, "patience": 1}
    for _ in range(2):
        services.describes()
        services.measures([2.0, 1.5])

    first = services.look(watch(rule))
    services.champions.kept["loss"] = Champion("job", 0.5, [Point(0, 2.0), Point(60, 1.0)])
    second = services.look(watch(rule))

    assert (first.state, second.state) == ("running", "halt")


def test_a_completed_job_is_offered_as_champion_with_its_final_value(services: Services) -> None:
    final = [{"MetricName": "train:loss", "Value": 0.25, "Timestamp": NOON}]
    services.describes("Completed", FinalMetricDataList=final, TrainingEndTime=NOW)
    services.measures([2.0, 0.5])

    seen = services.look(watch({"rule": "champion"}))

    assert seen.state == "ended"
    assert services.champions.kept["loss"] == Champion(JOB, 0.25, [Point(0, 2.0), Point(60, 0.5)])


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_job_that_did_not_complete_is_no_champion(services: Services, status: str) -> None:
    services.describes(status)
    services.measures([2.0, 0.5])

    assert services.look(watch({"rule": "champion"})).state == "ended"
    assert services.champions.kept == {}


def test_a_job_that_is_being_stopped_is_not_stopped_twice(services: Services) -> None:
    services.describes("Stopping")
    services.measures([1.0, 50.0, 50.0, 50.0])

    assert services.look(watch({"rule": "divergence"})).state == "running"


def test_a_job_that_is_gone_is_said_to_be(services: Services) -> None:
    services.stubs["sagemaker"].add_client_error("describe_training_job", "ResourceNotFound")

    with pytest.raises(NotFoundError):
        services.look(watch({"rule": "divergence"}))


def test_a_job_that_has_ended_before_its_stop_is_fine_and_a_refused_stop_is_not(services: Services) -> None:
    jobs = TrainingJobs(services.clients["sagemaker"], None, None)
    services.stubs["sagemaker"].add_response("stop_training_job", {}, {"TrainingJobName": "churn-1"})
    services.stubs["sagemaker"].add_client_error("stop_training_job", "ValidationException", "status Completed")
    services.stubs["sagemaker"].add_client_error("stop_training_job", "AccessDeniedException")

    jobs.stop("churn-1")
    jobs.stop("churn-1")
    with pytest.raises(UnavailableError):
        jobs.stop("churn-1")


@pytest.mark.parametrize(
    ("age", "wanted", "seconds"),
    [
        (timedelta(minutes=10), 1, 1),
        (timedelta(hours=2), 1, 60),
        (timedelta(hours=4), 1, 60),
        (timedelta(hours=4), 90 * 60, 90 * 60),
        (timedelta(days=16), 60, 1200),
        (timedelta(days=70), 60, 3600),
    ],
)
def test_the_period_is_one_for_which_cloudwatch_keeps_values(age: timedelta, wanted: int, seconds: int) -> None:
    found = _period_seconds(NOON, NOON + age, timedelta(seconds=wanted))

    assert found == seconds
    assert age.total_seconds() / found <= 2_000
