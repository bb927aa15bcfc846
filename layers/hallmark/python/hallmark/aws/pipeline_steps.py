"""Callback steps of SageMaker's pipelines: each waits to be told how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, error_code

_REASON_LENGTH = 256
"""FailureReason (SageMaker API reference, SendPipelineExecutionStepFailure)."""
_ANSWERED = frozenset({"ValidationException", "ResourceNotFound", "ConflictException"})


def succeed_step(sagemaker: Any, token: str, parameters: Mapping[str, str]) -> None:
    """Let a pipeline's callback step succeed; one that was answered, or is over, stays as it is."""
    _answer(
        sagemaker.send_pipeline_execution_step_success,
        CallbackToken=token,
        OutputParameters=[{"Name": name, "Value": value} for name, value in parameters.items()],
    )


def fail_step(sagemaker: Any, token: str, reason: str) -> None:
    """Let a pipeline's callback step fail; one that was answered, or is over, stays as it is."""
    _answer(sagemaker.send_pipeline_execution_step_failure, CallbackToken=token, FailureReason=reason[:_REASON_LENGTH])


def _answer(send: Any, **request: Any) -> None:
    try:
        with calling("answering a pipeline's step"):
            send(**request)
    except ClientError as error:
        if error_code(error) not in _ANSWERED:
            raise
