"""Every dead letter carries its reason."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from hallmark.aws.dead_letters import DeadLetters
from hallmark.errors import InvalidInputError, UnavailableError
from tests.contract.aws_adapters.injection import DENIED, FAULTS, Injection

SQS_BYTES = 1_048_576
"""A message with its attributes (SQS quotas)."""


@pytest.fixture
def sqs(aws: botocore.session.Session) -> Any:
    return aws.create_client("sqs")


@pytest.fixture
def queue(sqs: Any) -> str:
    attributes = {"MaximumMessageSize": str(SQS_BYTES)}
    return str(sqs.create_queue(QueueName="dead-letters", Attributes=attributes)["QueueUrl"])


def received(sqs: Any, queue: str) -> tuple[str, dict[str, str]]:
    (message,) = sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"])["Messages"]
    return message["Body"], {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}


def test_a_dead_letter_says_what_was_wrong_where_and_with_what(sqs: Any, queue: str) -> None:
    error = InvalidInputError("detail.TrainingJobArn", None, "send the ARN of the resource")

    DeadLetters(queue, sqs, "record_lineage").send('{"detail": {}}', error)

    assert received(sqs, queue) == (
        '{"detail": {}}',
        {"ErrorType": "InvalidInputError", "ErrorMessage": str(error), "Function": "record_lineage"},
    )


@pytest.mark.parametrize(
    "reason", ["", "x" * 100_000, "größer \u0000\u0007\ufffe\ud800 日本 \n\t", "\r", "é" * 5000], ids=range(5)
)
def test_any_reason_is_taken(sqs: Any, queue: str, reason: str) -> None:
    DeadLetters(queue, sqs, "record_lineage").send("{}", ValueError(reason))

    _, told = received(sqs, queue)
    assert told["ErrorType"] == "ValueError"
    assert told["ErrorMessage"]
    assert all(letter.isprintable() or letter in "\n\t" for letter in told["ErrorMessage"])


@pytest.mark.parametrize(
    "body", ["", "x" * SQS_BYTES, "日" * (SQS_BYTES // 3)], ids=["none", "large", "large, not ASCII"]
)
def test_any_body_is_kept_as_far_as_a_message_has_room(sqs: Any, queue: str, body: str) -> None:
    DeadLetters(queue, sqs, "record_lineage").send(body, ValueError("é" * 5000))

    kept, told = received(sqs, queue)
    assert body.startswith(kept) if body else kept == "{}"
    size = len(kept.encode()) + sum(len(name) + len("String") + len(value.encode()) for name, value in told.items())
    assert (len(body) > 0) * 0.9 * SQS_BYTES < size <= SQS_BYTES


@pytest.mark.parametrize("fault", [*FAULTS[:4], DENIED], ids=lambda fault: fault.name)
def test_what_the_queue_did_not_take_is_said(sqs: Any, queue: str, injection: Injection, fault: Any) -> None:
    injection.fail("sqs.SendMessage", fault)

    with pytest.raises(UnavailableError):
        DeadLetters(queue, sqs, "record_lineage").send("{}", ValueError("no"))
