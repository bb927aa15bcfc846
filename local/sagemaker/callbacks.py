"""Callback steps: a message in a queue, and a wait until somebody answers its token.

Source: developer guide, "Pipelines steps", callback step.
"""

from __future__ import annotations

import json
import random
import string
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from local.sagemaker.contract import Call, Description, Operation, ServiceError
from local.sagemaker.foundation import not_found

_ALPHABET = string.ascii_letters + string.digits
_TOKEN_LENGTH = 10  # the length that the guide's sample message shows
_REASON = "Callback step failed."

SendMessage = Callable[[str, str, str, str, str], None]
"""Sends a body to a queue as a role: queue URL, body, role ARN, Region, account; raises ServiceError."""


def send_no_message(_queue: str, _body: str, _role: str, _region: str, _account: str) -> None:
    """Send nothing: for pipelines without callback steps."""


@dataclass
class Callback:
    """A step that waits.

    Attributes:
        token: Whoever knows it may answer.
        execution: ARN of the pipeline's execution.
        finished: Done once somebody has answered.
        outputs: What the answer brought.
        failure: Why the step failed; ``None`` where it did not.
    """

    token: str
    execution: str
    finished: Future[None] = field(default_factory=Future)
    outputs: dict[str, Any] = field(default_factory=dict)
    failure: str | None = None


class Callbacks:
    """The tokens that are out, and the operations that answer them."""

    def __init__(self, send: SendMessage = send_no_message) -> None:
        self.send = send
        self._lock = threading.Lock()
        self._chooser = random.SystemRandom()
        self._known: dict[tuple[str, str, str], Callback] = {}

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        return {
            "SendPipelineExecutionStepSuccess": self._succeed,
            "SendPipelineExecutionStepFailure": self._fail,
        }

    def open(self, account: str, region: str, execution: str) -> Callback:
        """Return a step that waits from now on."""
        token = "".join(self._chooser.choices(_ALPHABET, k=_TOKEN_LENGTH))
        callback = Callback(token, execution)
        with self._lock:
            self._known[account, region, token] = callback
        return callback

    def _succeed(self, call: Call) -> Description:
        given = call.parameters.get("OutputParameters", [])
        return self._answer(call, {entry["Name"]: entry["Value"] for entry in given}, None)

    def _fail(self, call: Call) -> Description:
        return self._answer(call, {}, call.parameters.get("FailureReason") or _REASON)

    def _answer(self, call: Call, outputs: Mapping[str, Any], failure: str | None) -> Description:
        token = call.parameters["CallbackToken"]
        with self._lock:
            callback = self._known.get((call.account, call.region, token))
            if callback is None:
                raise not_found(f"No callback step waits for the token {token}.")
            if callback.finished.done():
                raise ServiceError("ConflictException", f"The callback step of the token {token} has ended already.")
            callback.outputs, callback.failure = dict(outputs), failure
            callback.finished.set_result(None)
        return {"PipelineExecutionArn": callback.execution}


def message_of(callback: Callback, status: str, arguments: Mapping[str, Any]) -> str:
    """Return what lies in the queue: ``Executing`` when the step starts, ``Stopping`` once the pipeline is to stop."""
    return json.dumps(
        {
            "token": callback.token,
            "pipelineExecutionArn": callback.execution,
            "arguments": arguments,
            "status": status,
        }
    )
