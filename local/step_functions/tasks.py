"""One attempt of a task, with its time, its heartbeat and its token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local.step_functions import integrations
from local.step_functions.documents import limited_text
from local.step_functions.evaluations import Evaluation, Outcome
from local.step_functions.failures import RUNTIME, TIMEOUT, StateFailure
from local.step_functions.integrations import Caller
from local.step_functions.resources import Pattern, TaskResource, parse_resource
from local.step_functions.running import Visit
from local.step_functions.task_tokens import TaskToken, within


def run_task(visit: Visit, evaluate: Callable[[str | None], Evaluation]) -> Outcome:
    """Run one attempt and return what it leaves.

    Args:
        visit: The task state.
        evaluate: Evaluates its fields, with the attempt's token where it has one.

    Raises:
        StateFailure: It failed.
        ExecutionEnded: It was cancelled.
    """
    if "Credentials" in visit.state:
        raise StateFailure(RUNTIME, f"The local cloud has one account: remove Credentials from '{visit.name}'")
    resource = parse_resource(visit.state["Resource"])
    token = TaskToken() if resource.pattern is Pattern.WAIT_FOR_TASK_TOKEN or resource.is_activity else None
    try:
        fields = evaluate(token.text if token and not resource.is_activity else None)
        arguments = fields.arguments()
        recorder = _Recorder(visit, resource)
        scheduled = recorder.scheduled(arguments, fields)
        try:
            result = _result(visit, resource, fields, arguments, token)
            text = limited_text(result, f"The result of the task '{resource.arn}'")
        except StateFailure as failure:
            recorder.failed(scheduled, failure)
            raise
        recorder.succeeded(scheduled, text)
    finally:
        if token is not None:
            token.forget()
    return fields.outcome(result)


def _result(visit: Visit, resource: TaskResource, fields: Evaluation, arguments: Any, token: TaskToken | None) -> Any:
    timeout = fields.number("TimeoutSeconds")
    heartbeat = fields.number("HeartbeatSeconds")
    identity = visit.scope.identity
    caller = Caller(identity.role_arn, identity.session, visit.scope.cancellation)
    if token is None:
        return within(timeout, lambda: integrations.call(resource, arguments, caller))
    if resource.is_activity:
        integrations.enqueue_activity(resource.arn, token.text, arguments)
    else:
        within(timeout, lambda: integrations.call(resource, arguments, caller))
    return token.wait(timeout, heartbeat, visit.scope.cancellation)


class _Recorder:
    """Writes a task's events: functions by their own ARN have other ones than integrations."""

    def __init__(self, visit: Visit, resource: TaskResource) -> None:
        self._history = visit.scope.history
        self._visit = visit
        self._resource = resource
        self._prefix = "LambdaFunction" if resource.is_function else "Activity" if resource.is_activity else "Task"
        self._names = (
            {"resource": resource.action_with_pattern, "resourceType": resource.service}
            if self._prefix == "Task"
            else {}
        )

    def scheduled(self, arguments: Any, fields: Evaluation) -> int:
        text = limited_text(arguments, f"The input of the task '{self._resource.arn}'")
        timeout, heartbeat = fields.number("TimeoutSeconds"), fields.number("HeartbeatSeconds")
        region = self._visit.scope.identity.arn.split(":")[3]
        own = {"input": text, "resource": self._resource.arn, "timeoutInSeconds": timeout}
        task = {
            **self._names,
            "parameters": text,
            "region": region,
            "timeoutInSeconds": timeout,
            "heartbeatInSeconds": heartbeat,
        }
        event = self._history.add(
            f"{self._prefix}Scheduled", self._visit.event, task if self._prefix == "Task" else own
        )
        return self._history.add(f"{self._prefix}Started", event, self._names or None)

    def succeeded(self, event: int, output: str) -> None:
        self._history.add(
            f"{self._prefix}Succeeded",
            event,
            {**self._names, "output": output, "outputDetails": {"truncated": False}},
        )

    def failed(self, event: int, failure: StateFailure) -> None:
        kind = "TimedOut" if failure.error == TIMEOUT else "Failed"
        self._history.add(
            f"{self._prefix}{kind}", event, {**self._names, "error": failure.error, "cause": failure.cause}
        )
