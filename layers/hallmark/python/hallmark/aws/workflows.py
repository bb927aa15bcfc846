"""Starting executions of a workflow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, error_code
from hallmark.errors import NotFoundError


class Workflow:
    """One state machine of Step Functions."""

    def __init__(self, arn: str, client: Any) -> None:
        self._arn = arn
        self._client = client

    def start(self, name: str, given: Mapping[str, Any]) -> bool:
        """Start an execution of this name, unless there was one; tell whether it was started.

        Raises:
            UnavailableError: Step Functions did not answer.
        """
        try:
            with calling(f"starting {name}"):
                self._client.start_execution(stateMachineArn=self._arn, name=name, input=json.dumps(given))
        except ClientError as error:
            if error_code(error) == "ExecutionAlreadyExists":
                return False
            raise
        return True

    def outcome(self, name: str) -> dict[str, Any]:
        """Return how an execution stands: ``status``; then its ``output``, or ``error`` and ``cause``.

        Raises:
            NotFoundError: There is none of this name.
            UnavailableError: Step Functions did not answer.
        """
        arn = f"{self._arn.replace(':stateMachine:', ':execution:')}:{name}"
        try:
            with calling(f"looking at {name}"):
                found = self._client.describe_execution(executionArn=arn)
        except ClientError as error:
            if error_code(error) == "ExecutionDoesNotExist":
                raise NotFoundError(f"there is no execution {name}") from error
            raise
        told: dict[str, Any] = {"status": found["status"]}
        told |= {key: found[key] for key in ("error", "cause") if found.get(key)}
        return {**told, "output": json.loads(found["output"])} if found.get("output") else told


_GONE = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


def tell_task(client: Any, token: str, output: Mapping[str, Any]) -> bool:
    """Let a task that waits go on; False where it waits no more.

    Args:
        client: Of Step Functions.
        token: The task's.
        output: What it is told.

    Raises:
        UnavailableError: Step Functions did not answer.
    """
    try:
        with calling("telling a task"):
            client.send_task_success(taskToken=token, output=json.dumps(output))
    except ClientError as error:
        if error_code(error) in _GONE:
            return False
        raise
    return True
