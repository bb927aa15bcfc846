"""The function in an account of moto's: its table, bucket, queue and registry, and some jobs that SageMaker knows."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest

from hallmark.aws.person_table import PersonTable
from hallmark.events.subscriptions import RESOURCES
from hallmark.runtime import batches
from tests.contract.aws_adapters.lineage_table import create_lineage_table
from tests.fakes.api_calls import call, user
from tests.fakes.aws_calls import AwsCalls, watched_clients
from tests.fakes.lambda_functions import Context, load_function
from tests.fakes.person_account import create_persons, person_table

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

Item = Mapping[str, Any]

ACCOUNT = "111122223333"
REGION = "us-east-1"
BUCKET = "training-data"
LARGE_BUCKET = "large-training-data"
MANIFESTS = "lineage-bucket"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/train:latest"
PAYLOADS = Path(__file__).parents[2] / "payloads" / "aws"
EVENTS: Mapping[str, Mapping[str, Any]] = {
    path.stem: {**raw, "account": ACCOUNT}
    for path in sorted(PAYLOADS.glob("*.json"))
    if (raw := json.loads(path.read_text())).get("detail-type")
    and str(raw["detail-type"]) in RESOURCES.get(str(raw.get("source")), {})
}
_BEGUN = datetime(2099, 1, 1, tzinfo=UTC)
"""After the test: what lies in the bucket was there before the job."""


class Message(NamedTuple):
    """One message of the queue."""

    id: str
    body: str
    receives: int = 1

    @property
    def record(self) -> dict[str, Any]:
        return {
            "messageId": self.id,
            "body": self.body,
            "attributes": {"ApproximateReceiveCount": str(self.receives)},
        }


def messages_of(*bodies: object) -> list[Message]:
    """Return a message for each body; what is no text is sent as JSON."""
    texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
    return [Message(f"message-{number}", text) for number, text in enumerate(texts)]


def training_event(name: str, *channels: str) -> dict[str, Any]:
    """Return AWS's event of a training job, with another name and with inputs that exist."""
    event: dict[str, Any] = copy.deepcopy(dict(EVENTS["sm-training-job-state-change"]))
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{name}"
    event["resources"] = [arn]
    milliseconds = round(_BEGUN.timestamp() * 1000)
    times = ("CreationTime", "TrainingStartTime", "TrainingEndTime", "LastModifiedTime")
    event["detail"].update({"TrainingJobName": name, "TrainingJobArn": arn, **dict.fromkeys(times, milliseconds)})
    event["detail"]["AlgorithmSpecification"]["TrainingImage"] = IMAGE
    [channel] = event["detail"]["InputDataConfig"]
    event["detail"]["InputDataConfig"] = []
    for uri in channels:
        other = copy.deepcopy(channel)
        other["ChannelName"] = uri.rpartition("/")[2]
        other["DataSource"]["S3DataSource"]["S3Uri"] = uri
        event["detail"]["InputDataConfig"].append(other)
    return event


def act_of(name: str, minute: int) -> dict[str, Any]:
    at = datetime(2026, 11, 1, 12, minute, tzinfo=UTC)
    told = call("DeleteEndpoint", user(name), at, {"endpointName": "live"}, eventID=f"{minute}")
    return told | {"account": ACCOUNT}


class Account:
    """What a test does to the account, and what it finds in it."""

    def __init__(self, calls: AwsCalls) -> None:
        self.calls = calls
        self._tables = 0
        self._dynamodb = boto3.client("dynamodb")
        self._sqs = boto3.client("sqs")
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=MANIFESTS)
        datasets = {
            BUCKET: ["train/a.csv", "train/deep/b.csv", "test/1.csv", "test/2.csv", "test/3.csv"],
            LARGE_BUCKET: [f"train/{number:03}.csv" for number in range(105)],
        }
        for bucket, keys in datasets.items():
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
            for key in keys:
                s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
        ecr = boto3.client("ecr")
        ecr.create_repository(repositoryName="train")
        ecr.put_image(
            repositoryName="train",
            imageManifest=json.dumps({"schemaVersion": 2, "config": {"digest": f"sha256:{'0' * 64}"}}),
            imageManifestMediaType="application/vnd.docker.distribution.manifest.v2+json",
            imageTag="latest",
        )
        # Not renewed: a token is made at random, and stays.
        self._persons = create_persons(REGION)
        os.environ.update(self._persons)
        self._begin()

    def renew(self) -> None:
        """Replace the lineage table and the dead-letter queue by empty ones."""
        self._dynamodb.delete_table(TableName=self.table)
        self._sqs.delete_queue(QueueUrl=self.queue)
        self._begin()

    def _begin(self) -> None:
        self._tables += 1
        create_lineage_table(self._dynamodb, self.table)
        self.queue = self._sqs.create_queue(QueueName=f"dead-letters-{self._tables}")["QueueUrl"]

    @property
    def table(self) -> str:
        return f"lineage-{self._tables}"

    def people(self) -> PersonTable:
        """Return who people are, as who may name them finds it."""
        return person_table(self._persons, REGION)

    def environment(self) -> Environment:
        """Start a new execution environment."""
        return Environment(self)

    def items(self) -> list[Item]:
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self.table)
        return [item for page in pages for item in page["Items"]]

    def graph(self) -> dict[tuple[str, str], tuple[object, object]]:
        """Return what is recorded, by key; when we learned of it does not count."""
        return {(item["pk"]["S"], item["sk"]["S"]): (item["body"], item.get("target")) for item in self.items()}

    def dead_letters(self) -> list[MessageTypeDef]:
        """Take all messages out of the dead-letter queue."""
        found: list[MessageTypeDef] = []
        while True:
            answer = self._sqs.receive_message(
                QueueUrl=self.queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0
            )
            if not answer.get("Messages"):
                return found
            found += answer["Messages"]


class Environment:
    """One execution environment of the function; it dies with a crash."""

    def __init__(self, account: Account) -> None:
        os.environ.update(LINEAGE_TABLE_NAME=account.table, DEAD_LETTER_QUEUE_URL=account.queue)
        self._function = load_function("record_lineage")

    def run(self, messages: Sequence[Message], context: Context | None = None) -> list[str]:
        """Hand the messages to the function; return which will come again."""
        response = self._function.handler({"Records": [message.record for message in messages]}, context or Context())
        return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


@pytest.fixture(scope="module")
def module_patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def shared_account(module_patch: pytest.MonkeyPatch) -> Iterator[Account]:
    # moto keeps a table in dictionaries that it copies for each transaction: one message at a time. That also gives
    # each call of a batch the same number in every run.
    module_patch.setattr(batches, "WORKERS", 1)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "POWERTOOLS_SERVICE_NAME": "record_lineage",
        "ACCOUNT_ID": ACCOUNT,
        "LINEAGE_TABLE_NAME": "set for each environment",
        "DEAD_LETTER_QUEUE_URL": "set for each environment",
        "LINEAGE_BUCKET_NAME": MANIFESTS,
        "PERSON_TABLE_NAME": "set once there is one",
        "PERSON_INDEX_KEY_ID": "set once there is one",
        "PERSON_SEALING_KEY_ID": "set once there is one",
    }.items():
        module_patch.setenv(name, value)
    with watched_clients() as calls:
        yield Account(calls)


@pytest.fixture
def account(shared_account: Account) -> Account:
    shared_account.renew()
    shared_account.calls.clear()
    shared_account.calls.known.clear()
    return shared_account
