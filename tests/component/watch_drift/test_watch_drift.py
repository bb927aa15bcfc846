"""The functions of the workflow, one after the other, as Lambda runs them; AWS as moto answers it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

from hallmark.aws import clients
from hallmark.drift.settings import DriftPolicy
from hallmark.policy.deployment import write_policy_package
from hallmark.policy.models import Policy
from tests.fakes.lambda_functions import Context, load_function
from tests.fakes.watched_monitor import CAPTURED, HOUR, NOON, Watched

ACCOUNT, REGION = "123456789012", "us-east-1"
POLICY = {
    "data_buckets": ["team"],
    "monitors": {
        "sizes": {
            "endpoint": "live",
            "source": {"kind": "data_capture", "location": CAPTURED},
            "features": {"size": {"select": "$.input[0]"}, "colour": {"kind": "categorical", "select": "$.input[1]"}},
            "every": "1 hour",
            "delay": "0 minutes",
            "looks": 1000,
            "baseline": {"kind": "rolling", "windows": 3},
            "actions": ["alert", {"retrain": {"pipeline": "retrain"}}],
            "owners": ["ml"],
        },
        "scores": {
            "endpoint": "live",
            "source": {"kind": "scores"},
            "features": {"score": {"select": "$.score"}},
            "every": "1 hour",
            "delay": "0 minutes",
            "least_values": 5,
            "baseline": {"kind": "rolling", "windows": 1},
            "checks": [{"score_floor": {"threshold": 0.85}}],
            "looks": 10,
        },
    },
}


class Functions:
    """What is deployed, and what it published."""

    def __init__(self, load: Callable[[str], ModuleType]) -> None:
        self._load = load
        self.s3: Any = boto3.client("s3", region_name=REGION)
        self.sqs: Any = boto3.client("sqs", region_name=REGION)
        self.queue = ""

    def call(self, name: str, event: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._load(name).handler(dict(event), Context())
        return answer

    def look(self, hours: int, monitor: str = "sizes") -> dict[str, Any]:
        """Do what the workflow does."""
        planned = self.call("plan_drift_window", {"monitor": monitor, "at": (NOON + hours * HOUR).isoformat()})
        for part in planned["parts"]:
            self.call("profile_window", part)
        return self.call("judge_drift", {"plan": planned["plan"]})

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what came over the hallmark bus since the last time."""
        found = []
        while messages := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                event = json.loads(message["Body"])
                found.append((event["detail-type"], event["detail"]))
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return found


def make_account() -> str:
    """Make what the stack deploys, and an endpoint with traffic; return the queue that hears the bus."""
    dynamodb: Any = boto3.client("dynamodb", region_name=REGION)
    dynamodb.create_table(
        TableName="drift",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    s3: Any = boto3.client("s3", region_name=REGION)
    for bucket in ("own", "team"):
        s3.create_bucket(Bucket=bucket)
    sagemaker: Any = boto3.client("sagemaker", region_name=REGION)
    role = f"arn:aws:iam::{ACCOUNT}:role/ml"
    sagemaker.create_model(ModelName="m", PrimaryContainer={"Image": "i"}, ExecutionRoleArn=role)
    variant = {"VariantName": "All", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="live-v1", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="live", EndpointConfigName="live-v1")
    definition = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "DriftedWindow", "Type": "String", "DefaultValue": ""}],
        "Steps": [],
    }
    sagemaker.create_pipeline(
        PipelineName="retrain", PipelineDefinition=json.dumps(definition), RoleArn=role, ClientRequestToken="a" * 32
    )
    events: Any = boto3.client("events", region_name=REGION)
    sqs: Any = boto3.client("sqs", region_name=REGION)
    url = str(sqs.create_queue(QueueName="heard")["QueueUrl"])
    events.create_event_bus(Name="hallmark")
    events.put_rule(Name="all", EventBusName="hallmark", EventPattern='{"source": ["hallmark"]}')
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_targets(Rule="all", EventBusName="hallmark", Targets=[{"Id": "heard", "Arn": arn}])
    return url


@pytest.fixture
def functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Functions]:
    variables = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "ACCOUNT_ID": ACCOUNT,
        "DRIFT_TABLE_NAME": "drift",
        "DRIFT_BUCKET_NAME": "own",
        "EVENT_BUS_NAME": "hallmark",
        "QUERY_EVALUATIONS_FUNCTION_NAME": "query",
        "WORKFLOW_ARN": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:watch",
        "DEAD_LETTER_QUEUE_URL": "none",
        "POWERTOOLS_METRICS_NAMESPACE": "Hallmark",
        "POWERTOOLS_SERVICE_NAME": "test",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    policy = Policy(drift=DriftPolicy.model_validate(POLICY))
    write_policy_package(policy, tmp_path, tmp_path / "layer")
    monkeypatch.syspath_prepend(str(tmp_path / "layer"))
    sys.modules.pop("hallmark_policy", None)
    clients._client.cache_clear()
    clients._session.cache_clear()
    with mock_aws():
        queue = make_account()
        deployed = Functions(load_function)
        deployed.queue = queue
        traffic = Watched()
        for hours in range(-4, 2):
            traffic.call(NOON + hours * HOUR, shift=5.0 if hours == 1 else 0)
        for uri, (content, _) in traffic.team.objects.items():
            deployed.s3.put_object(Bucket="team", Key=uri.removeprefix("s3://team/"), Body=content)
        yield deployed
    clients._client.cache_clear()
    clients._session.cache_clear()
    sys.modules.pop("hallmark_policy", None)


def test_from_captured_requests_to_a_retraining(functions: Functions) -> None:
    usual = functions.look(1)
    shifted = functions.look(2)
    started = functions.call("start_retraining", {name: shifted[name] for name in ("monitor", "report", "window")})

    told = dict(functions.told())
    assert (usual["outcome"], usual["retrains"]) == ("clear", False)
    assert (shifted["outcome"], shifted["told"], shifted["retrains"]) == ("drifted", ["DriftDetected"], True)
    assert told["DriftDetected"]["report"] == shifted["report"]
    assert told["RetrainingStarted"]["execution"] == started["execution"]
    causes = [flow["node"]["id"] for flow in told["RetrainingStarted"]["lineage"]["flows"] if flow["direction"] == "in"]
    assert causes == [shifted["report"]]


def test_a_repeat_answers_the_same_and_a_second_report_cools_down(functions: Functions) -> None:
    functions.look(1)
    first = functions.look(2)
    order = {name: first[name] for name in ("monitor", "report", "window")}
    started = functions.call("start_retraining", order)
    functions.told()

    assert functions.look(2) == first
    assert functions.call("start_retraining", order) == started
    other = functions.call("start_retraining", {**order, "report": "hallmark:drift-report/sizes/other"})
    assert other["started"] is False
    assert [name for name, _ in functions.told()] == ["RetrainingStarted", "RetrainingSkipped"]


def test_an_empty_window_and_a_step_that_broke_are_told(functions: Functions) -> None:
    empty = functions.look(5)
    broken = functions.call(
        "judge_drift",
        {
            "monitor": "sizes",
            "at": (NOON + 6 * HOUR).isoformat(),
            "error": "InvalidInputError",
            "cause": json.dumps({"errorMessage": "no such bucket", "errorType": "InvalidInputError"}),
        },
    )

    reasons = [detail["reason"] for name, detail in functions.told() if name == "MonitorFailed"]
    assert empty["outcome"] == broken["outcome"] == "failed"
    assert reasons == [empty["reason"], "InvalidInputError: no such bucket"]


def test_scores_from_the_bus_are_watched(functions: Functions) -> None:
    def feedback(place: int, score: float) -> dict[str, Any]:
        at = NOON + timedelta(minutes=place)
        detail = {
            "feedback": f"f{place}",
            "requestId": f"r{place}",
            "model": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/live",
            "score": score,
            "receivedAt": at.isoformat(),
        }
        body = {"source": "hallmark", "detail-type": "FeedbackReceived", "detail": detail}
        return {"messageId": str(place), "body": json.dumps(body), "attributes": {"ApproximateReceiveCount": "1"}}

    records = [*(feedback(place - 60, 0.95) for place in range(50)), *(feedback(place, 0.2) for place in range(50))]
    answer = functions.call("keep_score", {"Records": records})

    looked = functions.look(1, "scores")
    assert answer == {"batchItemFailures": []}
    assert looked["outcome"] == "drifted"


def test_questions_are_answered_from_what_was_kept(functions: Functions) -> None:
    report = functions.look(2)["report"]

    (sizes,) = [
        each for each in functions.call("query_drift", {"ask": "monitors"})["monitors"] if each["monitor"] == "sizes"
    ]
    shown = functions.call("query_drift", {"ask": "monitor", "monitor": "sizes"})
    page = functions.call("query_drift", {"ask": "report", "report": "sizes", "form": "html"})

    assert (sizes["status"], sizes["report"]) == ("drifted", report)
    assert [look["report"] for look in shown["looks"]] == [report]
    assert "<svg" in page["content"]


def test_a_plan_is_written_for_the_map_of_many_files(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hallmark.drift.planning.PART_FILES", 1)
    planner = load_function("plan_drift_window")
    monkeypatch.setattr(planner, "INLINE_PARTS", 2)

    planned = planner.handler({"monitor": "sizes", "at": (NOON + HOUR).isoformat()}, Context())

    lines = functions.s3.get_object(Bucket="own", Key=planned["partsKey"])["Body"].read().splitlines()
    assert planned["size"] == "large"
    assert len(planned["parts"]) == 2
    assert [json.loads(line)["part"] for line in lines] == list(range(len(lines)))
    assert len(lines) > 2
