"""What tasks call, in the name of the state machine's role.

Functions are called in this process; every other service over the port, so that IAM sees the role. Sources:
"Integrating optimized services with Step Functions" and "Learning to use AWS service SDK integrations", developer
guide.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from ministack.services import stepfunctions

from local.step_functions import role_sessions, sdk_shapes
from local.step_functions.cancellation import Cancellation
from local.step_functions.failures import RUNTIME, TASK_FAILED, ExecutionEnded, StateFailure
from local.step_functions.lambda_calls import call_function
from local.step_functions.resources import Pattern, TaskResource

_POLL_SECONDS = 0.1
_JOB_POLL_SECONDS = 0.5
_HTTP_OK = 200
_HTTP_ACCEPTED = 202
# Service of an optimised integration -> (SDK service, prefix of its errors, its own exception).
_OPTIMISED = {
    "bedrock": ("bedrockruntime", "Bedrock", "BedrockException"),
    "dynamodb": ("dynamodb", "DynamoDB", "AmazonDynamoDBException"),
    "events": ("eventbridge", "EventBridge", "AmazonEventBridgeException"),
    "sagemaker": ("sagemaker", "SageMaker", "AmazonSageMakerException"),
    "sns": ("sns", "SNS", "AmazonSNSException"),
    "sqs": ("sqs", "SQS", "AmazonSQSException"),
    "states": ("sfn", "StepFunctions", "AWSStepFunctionsException"),
}
# Members that the optimised integrations take as JSON and send as text.
_TEXT_MEMBERS = {"events": "Detail", "sns": "Message", "sqs": "MessageBody", "states": "Input"}
_ENDED_JOB = {"Completed", "Failed", "Stopped"}
_JOBS = ("HyperParameterTuningJob", "ProcessingJob", "TrainingJob", "TransformJob")


@dataclass(frozen=True)
class Caller:
    """In whose name a task calls, and what ends it.

    Attributes:
        role_arn: The state machine's role.
        session: Name of the role's session.
        cancellation: Ends what waits.
    """

    role_arn: str
    session: str
    cancellation: Cancellation


def call(resource: TaskResource, arguments: Any, caller: Caller) -> Any:
    """Do what a task asks for and return its result.

    Args:
        resource: The task's resource; for ``waitForTaskToken`` this is the call that carries the token.
        arguments: The task's ``Arguments`` or effective ``Parameters``.
        caller: In whose name.

    Raises:
        StateFailure: The service's error, under the name that ``Retry`` and ``Catch`` know.
        ExecutionEnded: It was cancelled.
    """
    if resource.is_function:
        return call_function(
            resource.arn, arguments, role_arn=caller.role_arn, session=caller.session, wait=caller.cancellation.wait
        )[0]
    if resource.service == "lambda" and resource.action == "invoke":
        return _invoke(arguments, caller)
    if resource.sdk_service is not None:
        _refuse_sync(resource)
        return _call_sdk(resource.sdk_service, resource.action, arguments, caller)
    if resource.service in _OPTIMISED:
        return _call_optimised(resource, arguments, caller)
    raise StateFailure(RUNTIME, f"The local cloud does not have the integration {resource.arn}: use its aws-sdk form")


def _invoke(arguments: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    reference = str(arguments.get("FunctionName", ""))
    if arguments.get("Qualifier"):
        reference = f"{reference}:{arguments['Qualifier']}"
    event = arguments.get("Payload", {})
    if arguments.get("InvocationType") == "Event":
        return _invoke_event(reference, event, caller)
    payload, version = call_function(
        reference, event, role_arn=caller.role_arn, session=caller.session, wait=caller.cancellation.wait
    )
    return {"ExecutedVersion": version, "Payload": payload, **_sdk_metadata(_HTTP_OK), "StatusCode": _HTTP_OK}


def _invoke_event(reference: str, event: Any, caller: Caller) -> dict[str, Any]:
    """Put an event into a function's queue, over the port: IAM answers there."""
    parameters = {"FunctionName": reference, "InvocationType": "Event", "Payload": json.dumps(event)}
    _call_sdk("lambda", "invoke", parameters, caller)
    return {"Payload": "", **_sdk_metadata(_HTTP_ACCEPTED), "StatusCode": _HTTP_ACCEPTED}


def _sdk_metadata(status: int) -> dict[str, Any]:
    request_id = str(uuid.uuid4())
    return {
        "SdkHttpMetadata": {"HttpHeaders": {"x-amzn-RequestId": request_id}, "HttpStatusCode": status},
        "SdkResponseMetadata": {"RequestId": request_id},
    }


def _refuse_sync(resource: TaskResource) -> None:
    if resource.pattern in {Pattern.SYNC, Pattern.SYNC_2}:
        raise StateFailure(RUNTIME, f"{resource.arn}: aws-sdk integrations have no {resource.pattern.value}")


def _call_optimised(resource: TaskResource, arguments: Any, caller: Caller) -> Any:
    service, action = resource.service, resource.action
    sdk_service, prefix, own_exception = _OPTIMISED[service]
    body = _with_text(service, arguments)

    def call_sdk(name: str, parameters: Any) -> Any:
        def rename(error: str) -> str:
            code = error.partition(".")[2]
            own = f"{sdk_shapes.error_prefix(sdk_service)}Exception"
            return f"{prefix}.{own_exception if code == own else code}"

        return _call_sdk(sdk_service, name, parameters, caller, rename)

    if service == "states" and action == "startExecution":
        return _start_execution(resource, body, call_sdk, caller)
    if service == "sagemaker" and resource.pattern is not Pattern.REQUEST_RESPONSE:
        return _run_job(resource, body, call_sdk, caller)
    if resource.pattern in {Pattern.SYNC, Pattern.SYNC_2}:
        raise StateFailure(RUNTIME, f"{resource.arn}: the local cloud cannot wait for it")
    result = call_sdk(action, body)
    if service == "events" and result.get("FailedEntryCount"):
        raise StateFailure("EventBridge.FailedEntry", json.dumps(result))
    if service == "bedrock" and isinstance(result.get("Body"), str):
        result["Body"] = json.loads(result["Body"])
    return result


def _with_text(service: str, arguments: Any) -> Any:
    member = _TEXT_MEMBERS.get(service)
    if isinstance(arguments, list):
        return [_with_text(service, item) for item in arguments]
    if member is None or not isinstance(arguments, Mapping):
        return arguments
    return {
        name: json.dumps(item)
        if name == member and not isinstance(item, str)
        else (_with_text(service, item) if name == "Entries" else item)
        for name, item in arguments.items()
    }


def _call_sdk(
    service: str, action: str, arguments: Any, caller: Caller, rename: Callable[[str], str] = lambda error: error
) -> Any:
    try:
        operation = sdk_shapes.operation_model(service, action)
        request = sdk_shapes.to_request(arguments or {}, operation.input_shape)
    except sdk_shapes.UnknownOperationError as error:
        raise StateFailure(RUNTIME, str(error)) from error
    client = role_sessions.client(operation.service_model.service_name, caller.role_arn)
    try:
        answer = getattr(client, xform_name(operation.name))(**request)
    except ClientError as error:
        details = error.response["Error"]
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        raise StateFailure(
            rename(sdk_shapes.error_name(service, str(details.get("QueryErrorCode") or details.get("Code", "")))),
            f"{details.get('Message', '')} (Service: {sdk_shapes.error_prefix(service)}, Status Code: {status})",
        ) from error
    except ParamValidationError as error:
        raise StateFailure(RUNTIME, f"The parameters could not be used to start the task: {error}") from error
    except BotoCoreError as error:
        raise StateFailure(rename(f"{sdk_shapes.error_prefix(service)}.SdkClientException"), str(error)) from error
    answer.pop("ResponseMetadata", None)
    return sdk_shapes.to_result(answer, operation.output_shape)


def _start_execution(
    resource: TaskResource, body: Any, call_sdk: Callable[[str, Any], Any], caller: Caller
) -> dict[str, Any]:
    started: dict[str, Any] = call_sdk("startExecution", body)
    if resource.pattern in {Pattern.REQUEST_RESPONSE, Pattern.WAIT_FOR_TASK_TOKEN}:
        return started
    arn = started["ExecutionArn"]
    try:
        while (stepfunctions._executions.get(arn) or {}).get("status") == "RUNNING":
            caller.cancellation.wait(_POLL_SECONDS)
    except ExecutionEnded:
        call_sdk("stopExecution", {"ExecutionArn": arn})
        raise
    described: dict[str, Any] = call_sdk("describeExecution", {"ExecutionArn": arn})
    if described["Status"] != "SUCCEEDED":
        raise StateFailure(TASK_FAILED, json.dumps(described))
    if resource.pattern is Pattern.SYNC_2:
        described["Input"] = json.loads(described["Input"])
        described["Output"] = json.loads(described["Output"])
    return described


def _run_job(resource: TaskResource, body: Any, call_sdk: Callable[[str, Any], Any], caller: Caller) -> Any:
    kind = resource.action.removeprefix("create")
    if kind not in _JOBS or resource.pattern is not Pattern.SYNC:
        raise StateFailure(RUNTIME, f"{resource.arn}: the local cloud cannot wait for it")
    name = {f"{kind}Name": body.get(f"{kind}Name")}
    call_sdk(resource.action, body)
    try:
        while (described := call_sdk(f"describe{kind}", name))[f"{kind}Status"] not in _ENDED_JOB:
            caller.cancellation.wait(_JOB_POLL_SECONDS)
    except ExecutionEnded:
        call_sdk(f"stop{kind}", name)
        raise
    if described[f"{kind}Status"] != "Completed":
        raise StateFailure(TASK_FAILED, json.dumps(described))
    return described


def enqueue_activity(arn: str, token: str, task_input: Any) -> None:
    """Put a task before the workers of an activity.

    Raises:
        StateFailure: There is no such activity.
    """
    if arn not in stepfunctions._activities:
        raise StateFailure("ActivityDoesNotExist", f"Activity {arn} not found")
    stepfunctions._activity_tasks[arn].append({"taskToken": token, "input": json.dumps(task_input)})
