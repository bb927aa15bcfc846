"""The real CDK app, deployed by the real ``cdk deploy`` into a local cloud with IAM enforced, once for all tests."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from local.cloud import LocalCloud
from local.deployment import LOCAL_CONTEXT, CloudAddress, deploy
from local.settings import CloudSettings

Found = TypeVar("Found")

ROOT = Path(__file__).parents[2]
STACK = "HallmarkLineage"
POLL_SECONDS = 0.1


class Deployed:
    """What the tests ask of the deployed app: its clients, its outputs, its answers."""

    def __init__(self, cloud: LocalCloud, outputs: dict[str, str]) -> None:
        self.cloud = cloud
        self.outputs = outputs

    def client(self, service: str) -> Any:
        return self.cloud.client(service)

    def ask(self, ask: str, **question: Any) -> dict[str, Any]:
        """Ask the deployed query function, as the command line does."""
        answer = self.client("lambda").invoke(
            FunctionName=self.outputs["QueryLineageFunctionName"], Payload=json.dumps({"ask": ask, **question}).encode()
        )
        payload: dict[str, Any] = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise AssertionError(payload)
        return payload

    def dead_letters(self, name: str = "Recording") -> list[dict[str, Any]]:
        """Return what waits in a dead-letter queue, with its attributes; it is taken out."""
        found: list[dict[str, Any]] = []
        sqs, url = self.client("sqs"), self.outputs[f"DeadLetterQueueUrl{name}"]
        while True:
            messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get(
                "Messages", []
            )
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found += messages
            if not messages:
                return found

    def eventually(self, look: Callable[[], Found | None], *, seconds: float = 30.0) -> Found:
        """Return what ``look`` finds as soon as it finds something."""
        deadline = time.monotonic() + seconds
        while True:
            found = look()
            if found:
                return found
            if time.monotonic() > deadline:
                waiting = {name: self.dead_letters(name) for name in ("Recording", "Reconciliation", "Mirror")}
                raise AssertionError(
                    f"not found within {seconds} s; dead letters: {json.dumps(waiting, default=str)[:3000]}"
                )
            time.sleep(POLL_SECONDS)


@pytest.fixture(scope="package")
def deployed() -> Iterator[Deployed]:
    with LocalCloud(CloudSettings()) as cloud:
        address = CloudAddress(cloud.endpoint, cloud.account, cloud.region, cloud.child_environment())
        done = deploy(ROOT, address, echo=lambda _line: None, context={**LOCAL_CONTEXT, "policy": "local/policy.yaml"})
        yield Deployed(cloud, done.outputs[STACK])
