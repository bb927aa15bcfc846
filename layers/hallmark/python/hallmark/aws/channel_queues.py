"""The queue of a channel, the topics of receivers, the engine that heeds people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from hallmark.alerts.channels.email import Email
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.errors import InvalidInputError, NotFoundError, UnavailableError


class ChannelQueue:
    """A channel's queue and its dead letters."""

    def __init__(self, queue_url: str, dead_letters: DeadLetters, client: Any) -> None:
        self._queue_url = queue_url
        self._dead_letters = dead_letters
        self._client = client

    def postpone(self, receipt: str, seconds: float) -> None:
        """Let a message come again after so many seconds; where that cannot be said, it comes by itself, later."""
        try:
            with calling("postponing a message"):
                self._client.change_message_visibility(
                    QueueUrl=self._queue_url, ReceiptHandle=receipt, VisibilityTimeout=max(1, round(seconds))
                )
        except (UnavailableError, ClientError):
            return

    def refuse(self, body: str, error: Exception) -> None:
        """Keep a message as a dead letter, with the reason."""
        self._dead_letters.send(body, error)


class SnsTopics:
    """Topics that send e-mail or speak in chats."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def publish(self, topic_arn: str, message: Mapping[str, Any] | Email) -> None:
        """Publish a mail or a JSON document.

        Raises:
            InvalidInputError: SNS will never take it.
            UnavailableError: SNS did not take it now.
        """
        told: dict[str, str] = (
            {"Subject": message.subject, "Message": message.body}
            if isinstance(message, Email)
            else {"Message": json.dumps(message)}
        )
        try:
            with calling("publishing a notification"):
                self._client.publish(TopicArn=topic_arn, **told)
        except ClientError as error:
            raise InvalidInputError("the notification", "(kept here)", describe_error(error)) from error


class ActingFunction:
    """The function that acknowledges and silences in the names that channels give."""

    def __init__(self, function_name: str, client: Any) -> None:
        self._function_name = function_name
        self._client = client

    def acknowledge(self, target: str, by: str, reason: str) -> str:
        """Note who has a group; return who has it: whoever was first.

        Raises:
            NotFoundError: Nothing of it fires.
            UnavailableError: The function did not answer.
        """
        answer = self._ask(by, {"ask": "acknowledge", "target": target, "reason": reason})
        return str(answer["acknowledged"][0]["acknowledged"]["by"])

    def silence(self, match: Mapping[str, str], length: str, by: str, reason: str) -> None:
        """Let nobody be told for a while of what has these labels."""
        labels = {name: [value] for name, value in match.items()}
        self._ask(by, {"ask": "silence", "match": labels, "length": length, "reason": reason})

    def _ask(self, by: str, message: Mapping[str, Any]) -> dict[str, Any]:
        body = json.dumps({"by": by, "message": message}).encode()
        try:
            with calling("acting on alerts"):
                answer = self._client.invoke(FunctionName=self._function_name, Payload=body)
                payload: dict[str, Any] = json.loads(answer["Payload"].read() or b"{}")
        except ClientError as error:
            raise UnavailableError(f"acting on alerts: {error_code(error)}") from error
        if "FunctionError" not in answer:
            return payload
        if payload.get("errorType") == NotFoundError.__name__:
            raise NotFoundError(str(payload.get("errorMessage", "")))
        raise UnavailableError(f"acting on alerts: {payload.get('errorType')}: {payload.get('errorMessage')}")
