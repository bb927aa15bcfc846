"""How states fail, and which of the errors a retrier or catcher names.

Source: "Handling errors in Step Functions workflows", Step Functions developer guide.
"""

from __future__ import annotations

from collections.abc import Collection

ALL = "States.ALL"
DATA_LIMIT_EXCEEDED = "States.DataLimitExceeded"
EXCEEDED_FAILURES = "States.ExceedToleratedFailureThreshold"
HEARTBEAT_TIMEOUT = "States.HeartbeatTimeout"
INTRINSIC_FAILURE = "States.IntrinsicFailure"
ITEM_READER_FAILED = "States.ItemReaderFailed"
NO_CHOICE_MATCHED = "States.NoChoiceMatched"
PERMISSIONS = "States.Permissions"
QUERY_EVALUATION = "States.QueryEvaluationError"
RESULT_PATH_MATCH = "States.ResultPathMatchFailure"
RESULT_WRITER_FAILED = "States.ResultWriterFailed"
RUNTIME = "States.Runtime"
TASK_FAILED = "States.TaskFailed"
TIMEOUT = "States.Timeout"

_TIMEOUTS = frozenset({TIMEOUT, HEARTBEAT_TIMEOUT})


class StateFailure(Exception):  # noqa: N818 - the guide says that a state fails with an error name
    """A state failed.

    Attributes:
        error: Error name, e.g. ``States.Timeout`` or the class of a function's exception.
        cause: What people read.
    """

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


class ExecutionEnded(Exception):  # noqa: N818 - it is no error: someone stopped the execution, or its time was over
    """The execution, or the iteration that this thread works on, ended from outside."""


def is_named(error: str, error_equals: Collection[str]) -> bool:
    """Tell whether the ``ErrorEquals`` of a retrier or catcher names an error.

    ``States.ALL`` names neither ``States.DataLimitExceeded`` nor ``States.Runtime``, and nothing names the latter;
    ``States.TaskFailed`` names every error but the time-outs.
    """
    if error == RUNTIME:
        return False
    if error in error_equals:
        return True
    if error == HEARTBEAT_TIMEOUT and TIMEOUT in error_equals:
        return True
    if error == DATA_LIMIT_EXCEEDED:
        return False
    return ALL in error_equals or (TASK_FAILED in error_equals and error not in _TIMEOUTS)
