"""The deployed functions: real handlers, AWS as moto answers it, and the real MLflow server behind them."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from moto import mock_aws

from hallmark.aws import clients
from hallmark.lineage.connectors.messages import read_wake
from hallmark.lineage.connectors.settings import MlflowServer
from hallmark.policy.deployment import write_policy_package
from hallmark.policy.models import LineagePolicy, Policy
from tests.component.mlflow_server.conftest import SECRET, Lived
from tests.fakes.lambda_functions import Context, load_function

ROOT = Path(__file__).parents[3]
TABLE, BUS = "connectors", "hallmark"


@dataclass
class Deployed:
    """The functions and what they use."""

    sqs: Any
    wakes: str
    letters: str
    told: list[dict[str, Any]]

    def sync(self, body: str, seconds: float = 600, receives: int = 1) -> list[str]:
        """Let ``sync_tools`` handle a message; return the ids of those that come again."""
        record = {"messageId": "m", "body": body, "attributes": {"ApproximateReceiveCount": str(receives)}}
        answer = load_function("sync_tools").handler({"Records": [record]}, Context(remaining_seconds=seconds))
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def receive(self, body: bytes, delivery: str, secret: str = SECRET, server: str = "prod") -> int:
        """Let ``receive_webhook`` answer a request that is signed now."""
        stamp = str(int(time.time()))
        mac = hmac.new(secret.encode(), f"{delivery}.{stamp}.".encode() + body, hashlib.sha256).digest()
        headers = {
            "x-mlflow-delivery-id": delivery,
            "x-mlflow-timestamp": stamp,
            "x-mlflow-signature": f"v1,{b64encode(mac).decode()}",
        }
        event = {"rawPath": f"/mlflow/{server}", "pathParameters": {"server": server}, "headers": headers}
        answer = load_function("receive_webhook").handler({**event, "body": body.decode()}, Context())
        return int(answer["statusCode"])

    def waiting(self, queue: str) -> list[str]:
        """Take the bodies that wait in a queue."""
        found = []
        while messages := self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(message["Body"])
                self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return found


@pytest.fixture
def deployed(lived: Lived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    servers = (
        MlflowServer(name="prod", url=lived.url, secret="hallmark/mlflow", requests_per_second=100),
        MlflowServer(name="gone", url="http://127.0.0.1:9"),
    )
    write_policy_package(Policy(lineage=LineagePolicy(mlflow=servers)), ROOT, tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "hallmark_policy", raising=False)
    with mock_aws():
        session: Any = botocore.session.get_session()
        told: list[dict[str, Any]] = []
        session.register("before-parameter-build.events.PutEvents", lambda params, **_: told.extend(params["Entries"]))
        monkeypatch.setattr(clients, "_session", lambda: session)
        clients._client.cache_clear()
        sqs = session.create_client("sqs")
        queues = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("wakes", "letters")]
        session.create_client("events").create_event_bus(Name=BUS)
        session.create_client("dynamodb").create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        session.create_client("secretsmanager").create_secret(
            Name="hallmark/mlflow", SecretString=json.dumps({"webhook_secret": SECRET})
        )
        for name, value in {
            "CONNECTORS_TABLE_NAME": TABLE,
            "EVENT_BUS_NAME": BUS,
            "WAKE_QUEUE_URL": queues[0],
            "DEAD_LETTER_QUEUE_URL": queues[1],
            "POWERTOOLS_METRICS_NAMESPACE": "Hallmark",
            "POWERTOOLS_SERVICE_NAME": "tests",
        }.items():
            monkeypatch.setenv(name, value)
        yield Deployed(sqs, queues[0], queues[1], told)
    clients._client.cache_clear()


def nodes(told: list[dict[str, Any]]) -> set[str]:
    return {json.loads(entry["Detail"])["lineage"]["node"]["id"] for entry in told}


WAKE = '{"mlflow": {"server": "prod"}}'


def test_a_scheduled_look_tells_what_the_server_has_and_the_next_one_nothing(lived: Lived, deployed: Deployed) -> None:
    assert deployed.sync(WAKE) == []
    assert {f"mlflow:prod/runs/{lived.run_id}", "mlflow:prod/models/wine"} <= nodes(deployed.told)
    assert {entry["DetailType"] for entry in deployed.told} == {"LineageReported"}

    deployed.told.clear()
    assert deployed.sync(WAKE) == []
    assert deployed.told == []


def test_a_look_that_runs_out_of_time_goes_on_by_a_message_of_its_own(deployed: Deployed) -> None:
    assert deployed.sync(WAKE, seconds=50) == []
    (body,) = deployed.waiting(deployed.wakes)

    begun = read_wake(body).mlflow
    assert begun is not None
    assert begun.started_at is not None
    assert deployed.sync(body) == []
    assert deployed.told != []
    assert deployed.waiting(deployed.wakes) == []


def test_a_webhook_that_the_server_sent_is_taken_once_and_becomes_lineage(lived: Lived, deployed: Deployed) -> None:
    alias = next(each for each in lived.deliveries if each.document["entity"] == "model_version_alias")

    assert [deployed.receive(alias.body, "d-1"), deployed.receive(alias.body, "d-1")] == [202, 200]
    (body,) = deployed.waiting(deployed.wakes)
    assert deployed.sync(body) == []
    assert nodes(deployed.told) == {"mlflow:prod/models/wine@champion"}


def test_a_forged_webhook_reaches_nobody(lived: Lived, deployed: Deployed) -> None:
    body = lived.deliveries[0].body

    assert deployed.receive(body, "d-2", secret="guessed") == 401
    assert deployed.receive(body, "d-2", server="nobody") == 401
    assert deployed.receive(body, "d-2", server="gone") == 503
    assert deployed.waiting(deployed.wakes) == []


def test_a_server_that_does_not_answer_is_asked_again_and_in_the_end_a_dead_letter(deployed: Deployed) -> None:
    wake = '{"mlflow": {"server": "gone"}}'

    assert deployed.sync(wake) == ["m"]
    assert deployed.sync(wake, receives=5) == []
    assert deployed.waiting(deployed.letters) == [wake]


@pytest.mark.parametrize("body", ['{"mlflow": {"server": "nobody"}}', "no message"])
def test_a_message_that_can_never_succeed_is_a_dead_letter_at_once(deployed: Deployed, body: str) -> None:
    assert deployed.sync(body) == []
    assert deployed.waiting(deployed.letters) == [body]
