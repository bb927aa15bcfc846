"""Python functions run and fail as on AWS.

MiniStack answers each exception as ``Runtime.HandlerError`` and ends the process; it also passes the developer's whole
environment to the function and waits up to 50 ms for its log. Here the exception's class is the ``errorType``, the
process stays, the function sees its own variables, the log ends where the worker says so, and a process that died is
``Runtime.ExitError``.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from local.patches.replacement import EmulatorChangedError, replace_function, replace_method
from local.patches.worker_process import END_OF_LOG, FUNCTION_ERROR

_LOG_SECONDS = 0.25  # the log's pipe is read by another thread; where its end does not come, the log is cut
_PROCESS_FAILED = "Runtime.HandlerError"  # what MiniStack calls a process that died; a handler's error has its own name
_PROTOCOL = (
    'init["code_dir"]',
    'init["module"]',
    'init["handler"]',
    '_ms_msg["event"]',
    '"status": "ready"',
    '"status": "ok"',
)


def apply() -> None:
    """Give functions the worker of ``worker_process``.

    Raises:
        EmulatorChangedError: MiniStack's protocol between server and worker is another.
    """
    script = Path(__file__).with_name("worker_process.py").read_text(encoding="utf-8")
    if script != lambda_runtime._PYTHON_WORKER_SCRIPT:
        missing = [part for part in _PROTOCOL if part not in lambda_runtime._PYTHON_WORKER_SCRIPT]
        if missing:
            raise EmulatorChangedError(f"MiniStack's worker for Python functions has no {missing} any more")
        lambda_runtime._PYTHON_WORKER_SCRIPT = script
    replace_method(
        lambda_runtime.Worker,
        "_drain_stderr_bounded",
        ("self", "first_line_wait", "idle_confirm", "hard_cap"),
        lambda _original: _drain_log,
    )
    replace_function(lambda_svc, "_execute_function_warm", ("func", "event", "request_id"), _with_error_document)


def _drain_log(worker: Any) -> str:
    lines: list[str] = []
    deadline = time.monotonic() + _LOG_SECONDS
    while True:
        try:
            line = worker._stderr_queue.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return "\n".join(lines)
        if line == END_OF_LOG:
            return "\n".join(lines)
        lines.append(line)


def _with_error_document(original: Any) -> Any:
    def execute(func: Mapping[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        answer: dict[str, Any] = original(func, event, request_id)
        body = answer.get("body")
        if not isinstance(body, dict):
            return answer
        if answer.get("error") and body.get("errorType") == _PROCESS_FAILED:
            message = f"RequestId: {request_id} Error: Runtime exited: {body.get('errorMessage', '')}"
            return {**answer, "body": {"errorType": "Runtime.ExitError", "errorMessage": message}}
        if FUNCTION_ERROR not in body:
            return answer
        error = body[FUNCTION_ERROR]
        trace = "".join(error.get("stackTrace", []))
        report = f"[ERROR] {error['errorType']}: {error['errorMessage']}\n{trace}".strip()
        return {"body": error, "error": True, "log": "\n".join(filter(None, [answer.get("log", ""), report]))}

    return execute
