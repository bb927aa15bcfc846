"""Dead letters: what cannot be handled is kept, with the reason."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, describe_error
from hallmark.errors import UnavailableError

_REASON_LENGTH = 1000
_BODY_BYTES = 1_000_000
"""SQS takes 1 MiB for a message with its attributes (SQS quotas)."""


class DeadLetters:
    """A function's dead-letter queue."""

    def __init__(self, queue_url: str, client: Any, function: str) -> None:
        self._queue_url = queue_url
        self._client = client
        self._function = function

    def send(self, body: str, error: Exception) -> None:
        """Keep a message with the reason for which it was refused.

        Raises:
            UnavailableError: SQS did not take it, for whatever reason; the message must stay where it is.
        """
        attributes = {
            "ErrorType": type(error).__name__,
            "ErrorMessage": str(error)[:_REASON_LENGTH] or type(error).__name__,
            "Function": self._function,
        }
        try:
            with calling("sending a dead letter"):
                self._client.send_message(
                    QueueUrl=self._queue_url,
                    MessageBody=body.encode()[:_BODY_BYTES].decode(errors="ignore") or "{}",
                    MessageAttributes={
                        name: {"DataType": "String", "StringValue": _printable(value)}
                        for name, value in attributes.items()
                    },
                )
        except ClientError as failure:
            raise UnavailableError(f"sending a dead letter: {describe_error(failure)}") from failure


def _printable(text: str) -> str:
    # SQS refuses most control characters (SQS API reference, SendMessage).
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "?" for letter in text)
