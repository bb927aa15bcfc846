"""Tasks that end when someone calls back with their token.

Source: "Wait for a Callback with Task Token", "Service integration patterns", developer guide.
"""

from __future__ import annotations

import contextvars
import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from ministack.services import stepfunctions

from local.step_functions.cancellation import Cancellation
from local.step_functions.failures import HEARTBEAT_TIMEOUT, TIMEOUT, ExecutionEnded, StateFailure


class TaskToken:
    """A token, known to ``SendTaskSuccess``, ``SendTaskFailure`` and ``SendTaskHeartbeat`` from now on."""

    def __init__(self) -> None:
        self.text = uuid.uuid4().hex * 2
        self._called = threading.Event()
        self._answer: dict[str, Any] = {"event": self._called, "result": None, "error": None, "heartbeat": None}
        stepfunctions._task_tokens[self.text] = self._answer

    def wait(self, timeout_seconds: float | None, heartbeat_seconds: float | None, cancellation: Cancellation) -> Any:
        """Wait for the call and return its output.

        Args:
            timeout_seconds: For the whole; ``None`` waits as long as the execution lasts.
            heartbeat_seconds: Between heartbeats; ``None`` expects none.
            cancellation: Ends the waiting.

        Raises:
            StateFailure: What ``SendTaskFailure`` said, ``States.Timeout`` or ``States.HeartbeatTimeout``.
            ExecutionEnded: It was cancelled.
        """
        cancellation.on_cancel(self._called.set)
        try:
            self._wait(timeout_seconds, heartbeat_seconds)
        finally:
            cancellation.forget(self._called.set)
            self.forget()
        if self._answer["error"] is not None:
            raise StateFailure(self._answer["error"].get("Error") or "", self._answer["error"].get("Cause") or "")
        if self._answer["result"] is None:
            raise ExecutionEnded
        return json.loads(self._answer["result"])

    def forget(self) -> None:
        """Let nobody call back any more."""
        stepfunctions._task_tokens.pop(self.text, None)

    def _wait(self, timeout_seconds: float | None, heartbeat_seconds: float | None) -> None:
        now = time.monotonic()
        deadline = None if timeout_seconds is None else now + timeout_seconds
        beat, beat_seen = self._answer["heartbeat"], now
        while True:
            now = time.monotonic()
            if self._answer["heartbeat"] != beat:
                beat, beat_seen = self._answer["heartbeat"], now
            limits = [] if deadline is None else [deadline]
            if heartbeat_seconds is not None:
                limits.append(beat_seen + heartbeat_seconds)
            if not limits:
                self._called.wait()
                return
            # A heartbeat moves the limit without waking this thread: look again when it would be reached.
            if self._called.wait(max(0.0, min(limits) - now)):
                return
            if self._answer["heartbeat"] != beat:
                continue
            if deadline is not None and time.monotonic() >= deadline:
                raise StateFailure(TIMEOUT, f"The task did not call back within {timeout_seconds} seconds")
            raise StateFailure(HEARTBEAT_TIMEOUT, f"The task sent no heartbeat for {heartbeat_seconds} seconds")


def within(seconds: float | None, work: Callable[[], Any]) -> Any:
    """Return what ``work`` returns, if it takes no longer than the task's time.

    The work itself goes on in its thread: nothing can end a call that is under way, as on AWS.

    Args:
        seconds: Time of the task; ``None`` has no end.
        work: The call.

    Raises:
        StateFailure: ``States.Timeout``, or what ``work`` raises.
    """
    if seconds is None:
        return work()
    outcome: list[Any] = []
    failure: list[BaseException] = []

    def attempt() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits
            failure.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(attempt,), name="task", daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    if not outcome:
        raise StateFailure(TIMEOUT, f"The task took longer than {seconds} seconds")
    return outcome[0]
