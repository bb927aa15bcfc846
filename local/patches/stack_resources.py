"""CloudFormation sets the properties that MiniStack's provisioners leave out.

Each is set by the service's own operation, called in the same thread: CloudFormation runs on the server's event loop,
so a request to the server would wait for itself. A function whose code is not there fails its stack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import botocore.session
from botocore.serialize import create_serializer
from ministack.services import dynamodb, lambda_svc, s3, sns
from ministack.services.cloudformation import provisioners

from local.patches.replacement import EmulatorChangedError

_Properties = Mapping[str, Any]
_Completion = Callable[[str, _Properties], None]
_REFUSED = 400


def apply() -> None:
    """Complete each type's creation and update.

    Raises:
        EmulatorChangedError: MiniStack's table of resource types is no longer what it was.
    """
    for resource_type, complete in _COMPLETIONS.items():
        handlers = provisioners._RESOURCE_HANDLERS.get(resource_type)
        if not handlers or not {"create", "update"} <= handlers.keys():
            raise EmulatorChangedError(
                f"MiniStack's CloudFormation no longer creates and updates {resource_type} itself"
            )
        for event in ("create", "update"):
            if not hasattr(handlers[event], "replaces"):
                handlers[event] = _completing(handlers[event], complete, at_creation=event == "create")


def _completing(original: Any, complete: _Completion, *, at_creation: bool) -> Any:
    # create(logical_id, props, stack), update(physical_id, old_props, new_props, stack[, logical_id])
    position = 1 if at_creation else 2

    def run(*arguments: Any, **named: Any) -> Any:
        answer = original(*arguments, **named)
        complete(answer[0], arguments[position])
        return answer

    run.replaces = original  # type: ignore[attr-defined] # marks the handler as mended
    return run


def _checked(answer: tuple[int, Any, bytes | str]) -> None:
    """Fail the stack with what the service's operation answered.

    Raises:
        ValueError: It refused.
    """
    status, _, body = answer
    if status >= _REFUSED:
        raise ValueError(body.decode() if isinstance(body, bytes) else body)


def _complete_table(name: str, properties: _Properties) -> None:
    encryption = properties.get("SSESpecification")
    if encryption:
        wanted = {
            "Enabled": bool(encryption.get("SSEEnabled")),
            **{key: encryption[key] for key in ("SSEType", "KMSMasterKeyId") if key in encryption},
        }
        _checked(dynamodb._update_table({"TableName": name, "SSESpecification": wanted}))
    recovery = properties.get("PointInTimeRecoverySpecification")
    if recovery:
        wanted = {"TableName": name, "PointInTimeRecoverySpecification": dict(recovery)}
        _checked(dynamodb._update_continuous_backups(wanted))
    expiry = properties.get("TimeToLiveSpecification")
    if expiry:
        _checked(dynamodb._update_ttl({"TableName": name, "TimeToLiveSpecification": dict(expiry)}))


def _complete_bucket(name: str, properties: _Properties) -> None:
    encryption = properties.get("BucketEncryption")
    if encryption:
        rules = [
            {
                "ApplyServerSideEncryptionByDefault": dict(rule["ServerSideEncryptionByDefault"]),
                "BucketKeyEnabled": bool(rule.get("BucketKeyEnabled")),
            }
            for rule in encryption["ServerSideEncryptionConfiguration"]
        ]
        wanted = {"ServerSideEncryptionConfiguration": {"Rules": rules}}
        _checked(s3._put_bucket_encryption(name, _s3_body("PutBucketEncryption", name, wanted)))
    if properties.get("Tags"):
        wanted = {"Tagging": {"TagSet": [dict(tag) for tag in properties["Tags"]]}}
        _checked(s3._put_bucket_tagging(name, _s3_body("PutBucketTagging", name, wanted)))
    lifecycle = properties.get("LifecycleConfiguration")
    if lifecycle:
        wanted = {"LifecycleConfiguration": {"Rules": [_lifecycle_rule(rule) for rule in lifecycle["Rules"]]}}
        _checked(s3._put_bucket_lifecycle(name, _s3_body("PutBucketLifecycleConfiguration", name, wanted)))


def _s3_body(operation: str, bucket: str, parameters: _Properties) -> bytes:
    """Return the body of a request of S3's API, as an SDK writes it."""
    model = botocore.session.get_session().get_service_model("s3")
    request = create_serializer(model.metadata["protocol"]).serialize_to_request(
        {"Bucket": bucket, **parameters}, model.operation_model(operation)
    )
    body: bytes = request["body"]
    return body


def _lifecycle_rule(rule: _Properties) -> dict[str, Any]:
    """Return a rule in the words of S3's API; CloudFormation has some of its own (template reference, Rule)."""
    wanted: dict[str, Any] = {"Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    if "Id" in rule:
        wanted["ID"] = rule["Id"]
    if "ExpirationInDays" in rule:
        wanted["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
    if "NoncurrentVersionExpiration" in rule:
        wanted["NoncurrentVersionExpiration"] = {
            name: int(value) for name, value in rule["NoncurrentVersionExpiration"].items()
        }
    if "AbortIncompleteMultipartUpload" in rule:
        days = rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        wanted["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": int(days)}
    if "Transitions" in rule:
        wanted["Transitions"] = [
            {"StorageClass": step["StorageClass"], "Days": int(step["TransitionInDays"])}
            for step in rule["Transitions"]
        ]
    return wanted


def _complete_topic(arn: str, properties: _Properties) -> None:
    if properties.get("KmsMasterKeyId"):
        sns._topics[arn]["attributes"]["KmsMasterKeyId"] = properties["KmsMasterKeyId"]


def _complete_function(name: str, properties: _Properties) -> None:
    function = lambda_svc._functions[name]
    code = properties.get("Code") or {}
    if function["config"].get("PackageType") != "Image" and not function.get("code_zip"):
        lambda_svc._functions.pop(name, None)
        raise ValueError(
            f"Error occurred while GetObject. S3 bucket {code.get('S3Bucket')} has no object {code.get('S3Key')}"
        )
    if properties.get("DeadLetterConfig"):
        _checked(lambda_svc._update_config(name, {"DeadLetterConfig": dict(properties["DeadLetterConfig"])}))
    reserved = properties.get("ReservedConcurrentExecutions")
    if reserved is not None:
        wanted = {"ReservedConcurrentExecutions": int(reserved)}
        _checked(lambda_svc._put_function_concurrency(name, wanted))


_COMPLETIONS: dict[str, _Completion] = {
    "AWS::DynamoDB::Table": _complete_table,
    "AWS::Lambda::Function": _complete_function,
    "AWS::S3::Bucket": _complete_bucket,
    "AWS::SNS::Topic": _complete_topic,
}
