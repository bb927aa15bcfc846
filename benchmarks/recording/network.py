"""AWS without a network: botocore's clients do all of their work, and what would be sent is answered at once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

Answer = Callable[[AWSPreparedRequest], bytes]


class _Raw(BytesIO):
    def stream(self) -> Any:
        yield self.getvalue()


class NoNetwork:
    """Answers the calls of a session's clients, and counts them.

    Args:
        answers: What an operation (``s3.ListObjectVersions``) answers; an empty object for all others.
    """

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = answers
        self.calls: Counter[str] = Counter()
        self.items = 0
        """Items that were written in transactions."""

    def clear(self) -> None:
        """Count from here on."""
        self.calls.clear()
        self.items = 0

    def watch(self, session: botocore.session.Session) -> None:
        """Answer for all clients that this session will make."""
        session.register("before-send", self._answer)  # type: ignore[arg-type] # its stubs want handlers that name nothing

    def _answer(self, event_name: str, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        operation = event_name.removeprefix("before-send.")
        self.calls[operation] += 1
        if operation == "dynamodb.TransactWriteItems" and isinstance(request.body, bytes):
            self.items += request.body.count(b'{"Put":') + request.body.count(b'{"Update":')
        answer = self._answers.get(operation)
        body = answer(request) if answer is not None else b"{}"
        headers = HTTPHeaders()
        headers["content-length"] = str(len(body))
        return AWSResponse("https://aws.example", 200, headers, _Raw(body))


def json_answer(content: object) -> Answer:
    """Return the answer of an operation that speaks JSON."""
    body = json.dumps(content).encode()
    return lambda _request: body
