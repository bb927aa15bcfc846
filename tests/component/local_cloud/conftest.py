from __future__ import annotations

import io
import json
import textwrap
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.cloud import LocalCloud
from tests.patience import PATIENCE_SECONDS

TRUST_LAMBDA = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["lambda.amazonaws.com", "scheduler.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}


@pytest.fixture(scope="package")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud() as running:
        yield running


class Workbench:
    """Makes what a test needs, under names of its own, so that tests share one cloud without a reset."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.lambda_ = cloud.client("lambda")
        self.sqs = cloud.client("sqs")
        self.events = cloud.client("events")
        self.dynamodb = cloud.client("dynamodb")

    def name(self, stem: str) -> str:
        return f"{stem}-{uuid.uuid4().hex[:8]}"

    def role(self, *statements: tuple[str | list[str], str | list[str]]) -> str:
        name = self.name("role")
        iam = self.cloud.client("iam")
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST_LAMBDA))["Role"]["Arn"]
        if statements:
            document = {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": action, "Resource": on} for action, on in statements],
            }
            iam.put_role_policy(RoleName=name, PolicyName="permissions", PolicyDocument=json.dumps(document))
        return str(arn)

    def function(self, source: str, role: str | None = None, **settings: Any) -> str:
        """Create a function from the source of its module ``handler`` and return its name."""
        name = self.name("function")
        self.lambda_.create_function(
            **{
                "FunctionName": name,
                "Runtime": "python3.13",
                "Handler": "handler.handler",
                "Role": role or self.role(),
                "Code": {"ZipFile": archive({"handler.py": source})},
                "Timeout": 60,
                **settings,
            }
        )
        self.wait_for(lambda: self.lambda_.get_function_configuration(FunctionName=name)["State"] == "Active")
        return name

    def function_arn(self, name: str) -> str:
        return f"arn:aws:lambda:{self.cloud.region}:{self.cloud.account}:function:{name}"

    def invoke(self, name: str, event: object = None) -> tuple[Any, str | None]:
        answer = self.lambda_.invoke(FunctionName=name, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read()), answer.get("FunctionError")

    def queue(self, **attributes: str) -> tuple[str, str]:
        """Create a queue; return its URL and its ARN."""
        url = self.sqs.create_queue(QueueName=self.name("queue"), Attributes=attributes)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        return url, arn

    def let_events_send(self, url: str, arn: str) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        only_tls = {
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "sqs:*",
            "Resource": arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement, only_tls]})
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    def receive(self, url: str, count: int = 1, timeout_seconds: float = PATIENCE_SECONDS) -> list[dict[str, Any]]:
        """Receive ``count`` messages, or what has come until the time is up."""
        received: list[dict[str, Any]] = []
        deadline = time.monotonic() + timeout_seconds
        while len(received) < count and time.monotonic() < deadline:
            answer = self.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=min(10, count - len(received)),
                WaitTimeSeconds=1 if timeout_seconds >= 1 else 0,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            received += answer.get("Messages", [])
        return received

    def bodies(self, url: str, count: int = 1, timeout_seconds: float = PATIENCE_SECONDS) -> list[Any]:
        return [json.loads(message["Body"]) for message in self.receive(url, count, timeout_seconds)]

    def wait_for(self, condition: Callable[[], Any], timeout_seconds: float = PATIENCE_SECONDS) -> Any:
        deadline = time.monotonic() + timeout_seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, "the condition did not become true in time"
            time.sleep(0.05)
        return found


def archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for path, content in files.items():
            zipped.writestr(path, textwrap.dedent(content))
    return buffer.getvalue()


@pytest.fixture(scope="package")
def workbench(cloud: LocalCloud) -> Workbench:
    return Workbench(cloud)


@pytest.fixture(scope="package")
def zip_files() -> Callable[[dict[str, str]], bytes]:
    return archive
