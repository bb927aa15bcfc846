"""The process in which a Python function runs; started by the emulator as a script of its own, standard library only.

It speaks the emulator's protocol: one JSON line on stdin starts it, each further line is an invocation, each answer is
one JSON line on stdout. A handler that raises is answered with AWS's error document and keeps its process, as on AWS.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import queue
import sys
import sysconfig
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

FUNCTION_ERROR = "hallmark-local:function-error"
END_OF_LOG = "hallmark-local:end-of-log"

# "Defined runtime environment variables", Lambda developer guide, and what the emulator gives beside them.
_KEPT_PREFIXES = ("AWS_LAMBDA_", "_LAMBDA_", "LC_")
_KEPT = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_DISABLE_HOST_PREFIX_INJECTION",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "HOME",
        "LANG",
        "LAMBDA_TASK_ROOT",
        "LD_LIBRARY_PATH",
        "PATH",
        "TMPDIR",
        "TZ",
    }
)

Handler = Callable[[Any, Any], Any]
Document = dict[str, Any]


class Context:
    """The context object of one invocation ("Using the Lambda context object", developer guide)."""

    def __init__(self, started: Document, invocation: Document) -> None:
        self.function_name = started["function_name"]
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        self.invoked_function_arn = invocation.get("invoked_function_arn") or started.get("arn", "")
        self.memory_limit_in_mb = str(started.get("memory", 128))
        self.aws_request_id = invocation.get("request_id", "")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME", f"/aws/lambda/{self.function_name}")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
        self.identity = None
        self.client_context = None
        self._deadline = time.monotonic() + invocation.get("timeout_ms", 3000) / 1000

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the invocation is cut off."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


class InitError(Exception):
    """The function's module does not give a handler; carries AWS's error document."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.document = {"errorMessage": message, "errorType": error_type, "stackTrace": []}


def read_lines(into: queue.SimpleQueue[str]) -> NoReturn:
    """Pass stdin on; leave when it ends, since the emulator is gone then, even in the middle of an invocation."""
    for line in sys.stdin:
        into.put(line)
    os._exit(0)


def set_environment(variables: dict[str, str]) -> None:
    """Leave the function with its own variables and the runtime's: what the developer's shell sets is not on AWS."""
    port = os.environ.get("GATEWAY_PORT", "")
    for name in list(os.environ):
        if name not in _KEPT and not name.startswith(_KEPT_PREFIXES):
            del os.environ[name]
    os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
    # Neither a profile nor credentials of this machine are the function's.
    os.environ.update({"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull})
    os.environ.update({"AWS_EC2_METADATA_DISABLED": "true", "TZ": ":UTC"})
    os.environ["AWS_EXECUTION_ENV"] = f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}"
    os.environ.update(variables)


def set_search_path(code: str) -> None:
    """Import from the function's asset, then its layers, then the installed packages; never from the checkout."""
    installed = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    runtime = [path for path in sys.path if path in installed or path.endswith(("lib-dynload", ".zip"))]
    layers = [path for path in os.environ.get("_LAMBDA_LAYERS_DIRS", "").split(os.pathsep) if path]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    inside = ("python", os.path.join("python", "lib", version, "site-packages"))  # noqa: PTH118 - starts in 20 ms
    folders = [os.path.join(layer, part) for part in inside for layer in layers]  # noqa: PTH118
    sys.path[:] = [code, *folders, *runtime]


def set_logging() -> None:
    """Give the root logger the one handler that the runtime gives it."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("[%(levelname)s]\t%(asctime)s\t%(message)s"))
    logging.getLogger().addHandler(handler)


def load_handler(module_name: str, handler_name: str) -> Handler:
    """Import the function's module and return its handler.

    Raises:
        InitError: With the error types of AWS's runtime interface client for Python.
    """
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise InitError("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from error
    except SyntaxError as error:
        raise InitError("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}") from error
    except Exception as error:
        raise InitError(type(error).__name__, str(error)) from error
    try:
        handler: Handler = getattr(module, handler_name)
    except AttributeError as error:
        message = f"Handler '{handler_name}' missing on module '{module_name}'"
        raise InitError("Runtime.HandlerNotFound", message) from error
    return handler


def invoke(handler: Handler, event: object, context: Context) -> Document:
    """Run the handler; return the emulator's answer."""
    try:
        result = handler(event, context)
    except Exception as error:  # noqa: BLE001 - the handler's error is its answer
        return failure(
            {
                "errorMessage": str(error),
                "errorType": type(error).__name__,
                "requestId": context.aws_request_id,
                "stackTrace": traceback.format_exception(error)[1:-1],
            }
        )
    try:
        json.dumps(result)
    except (TypeError, ValueError) as error:
        message = f"Unable to marshal response: {error}"
        return failure({"errorMessage": message, "errorType": "Runtime.MarshalError", "stackTrace": []})
    return {"status": "ok", "result": result}


def failure(document: Document) -> Document:
    """Wrap an error document so that the emulator keeps this process."""
    return {"status": "ok", "result": {FUNCTION_ERROR: document}}


def set_invocation_variables(invocation: Document) -> None:
    """Set the variable that changes with each invocation."""
    trace = invocation.get("trace_id")
    if trace:
        os.environ["_X_AMZN_TRACE_ID"] = trace
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)


def main() -> None:
    """Serve until the emulator ends this process or goes away."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # Whatever the function or a child of it prints is its log.
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # stdout is a text file here

    def answer(document: Document) -> None:
        sys.stdout.flush()
        sys.stderr.write(f"{END_OF_LOG}\n")
        sys.stderr.flush()
        answers.write(json.dumps(document) + "\n")
        answers.flush()

    started: Document = json.loads(sys.stdin.readline())
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=read_lines, args=(lines,), daemon=True).start()
    set_environment(started.get("env", {}))
    set_search_path(started["code_dir"])
    set_logging()
    handler: Handler | None = None
    init_error: Document = {}
    try:
        handler = load_handler(started["module"], started["handler"])
    except InitError as error:
        init_error = error.document
        traceback.print_exception(error.__cause__)
    answers.write(json.dumps({"status": "ready", "cold": True}) + "\n")
    answers.flush()
    while True:
        message = json.loads(lines.get())
        invocation = message.get("ctx") or {}
        set_invocation_variables(invocation)
        if handler is None:
            # The next invocation starts a new process and tries again.
            answer(failure({**init_error, "requestId": invocation.get("request_id", "")}))
            return
        try:
            result = invoke(handler, message["event"], Context(started, invocation))
        except SystemExit as error:
            request = invocation.get("request_id", "")
            text = f"RequestId: {request} Error: Runtime exited with error: exit status {error.code or 0}"
            answer(failure({"errorMessage": text, "errorType": "Runtime.ExitError"}))
            return
        answer(result)


if __name__ == "__main__":
    main()
