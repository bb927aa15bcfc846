"""Executions of state machines run, fail, go on and are refused as on AWS.

MiniStack ignores ItemBatcher, ResultWriter, expressions in readers, heartbeats and the state machine's time; knows few
services and calls them as nobody; catches what cannot be caught; has no redrive; accepts any definition; shares
variables between branches. Its interpreter is replaced by ``local/step_functions``; its records, lists and tags stay.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import stepfunctions
from ministack.services.cloudformation import provisioners

from local.patches.replacement import EmulatorChangedError, replace_function
from local.step_functions import definitions, distributed_maps, executions, role_sessions

_KEPT = ("_executions", "_state_machines", "_map_runs", "_task_tokens", "_activities", "_activity_tasks")


def apply() -> None:
    """Put the interpreter and its operations in the place of MiniStack's.

    Raises:
        EmulatorChangedError: MiniStack's Step Functions are no longer what they were.
    """
    missing = [name for name in _KEPT if not hasattr(stepfunctions, name)]
    if missing:
        raise EmulatorChangedError(f"{stepfunctions.__name__} has no {missing} any more")
    for name, replacement in (
        ("_start_execution", executions.start_execution),
        ("_stop_execution", executions.stop_execution),
        ("_describe_execution", executions.describe_execution),
        ("_validate_state_machine_definition", _validate),
    ):
        replace_function(stepfunctions, name, ("data",), _calling(replacement))
    replace_function(stepfunctions, "_run_execution", ("exec_arn",), lambda _original: _run)
    replace_function(stepfunctions, "_create_state_machine", ("data",), _checked)
    replace_function(stepfunctions, "_update_state_machine", ("data",), _checked)
    replace_function(
        stepfunctions, "handle_request", ("method", "path", "headers", "body", "query_params"), _with_redrive
    )
    replace_function(stepfunctions, "reset", (), _ending_all)
    replace_function(provisioners, "_sfn_definition", ("props",), _checked_in_template)


def _calling(new: Callable[[dict[str, Any]], executions.Answer]) -> Callable[[Any], Any]:
    def make(_original: Any) -> Any:
        def answer(data: dict[str, Any]) -> executions.Answer:
            return new(data)

        return answer

    return make


def _run(exec_arn: str) -> None:
    executions.run_execution(exec_arn)


def _validate(data: dict[str, Any]) -> executions.Answer:
    found = definitions.diagnose(data.get("definition", ""))
    diagnostics = [
        {"severity": "ERROR", "code": each.code, "message": each.message, "location": each.location or "/"}
        for each in found
    ]
    answer: executions.Answer = json_response(
        {"result": "FAIL" if found else "OK", "diagnostics": diagnostics, "truncated": False}
    )
    return answer


def _checked(original: Any) -> Any:
    def change(data: dict[str, Any]) -> Any:
        text, role = data.get("definition"), data.get("roleArn")
        found = [] if text is None else definitions.diagnose(text)
        if found:
            return error_response_json("InvalidDefinition", definitions.refusal_message(found), 400)
        if role is not None and not role_sessions.trusts_step_functions(role, ""):
            return error_response_json("AccessDeniedException", _untrusted(role), 400)
        return original(data)

    return change


def _checked_in_template(original: Any) -> Any:
    def definition(props: dict[str, Any]) -> Any:
        text = original(props)
        found = definitions.diagnose(text)
        if found:
            raise provisioners._sfn_handler_error(definitions.refusal_message(found))
        if "RoleArn" in props and not role_sessions.trusts_step_functions(props["RoleArn"], ""):
            raise provisioners._sfn_handler_error(_untrusted(props["RoleArn"]))
        return text

    return definition


def _untrusted(role_arn: str) -> str:
    return (
        f"Neither the global service principal {role_sessions.SERVICE}, nor the regional one is authorized to assume "
        f"the provided role: {role_arn}"
    )


def _with_redrive(original: Any) -> Any:
    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
    ) -> executions.Answer:
        if headers.get("x-amz-target", "").endswith(".RedriveExecution"):
            redriven: executions.Answer = stepfunctions._finalize_response(
                executions.redrive_execution(json.loads(body))
            )
            return redriven
        answer: executions.Answer = await original(method, path, headers, body, query_params)
        return answer

    return handle


def _ending_all(original: Any) -> Any:
    def reset() -> None:
        executions.end_all()
        distributed_maps.forget_map_runs()
        role_sessions.forget_clients()
        original()

    return reset
