"""Calls of AWS's APIs as CloudTrail tells of them: which ones lineage records, and how their events are read.

EventBridge delivers each management event that changes something as ``AWS API Call via CloudTrail`` (EventBridge user
guide, "AWS service events delivered via CloudTrail"). CloudTrail writes a request's members in lower camel case.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from hallmark.errors import InvalidInputError
from hallmark.events.times import parse_time

API_CALL_DETAIL_TYPE = "AWS API Call via CloudTrail"

_Section = Mapping[str, Any]


class CallTarget(NamedTuple):
    """Where a call names the resource that it acts on. Member names are CloudTrail's."""

    word: str
    """The resource's kind, as its ARN spells it; empty where the ARN itself tells."""
    request: str
    """Member of the request: a name, or an ARN."""
    response: str = ""
    """Member of the answer that has the ARN, where there is one."""
    creates: bool = False
    """Whether the resource exists only once the call has succeeded."""


def _of(word: str, member: str, *, arn: str = "", creates: bool = False) -> CallTarget:
    return CallTarget(word, member, arn, creates)


def _family(word: str, stem: str, *verbs: str) -> dict[str, CallTarget]:
    """Return the calls of one kind of resource that has ``<stem>Name`` and ``<stem>Arn``."""
    noun = stem[0].upper() + stem[1:]
    return {
        f"{verb}{noun}": CallTarget(
            word,
            f"{stem}Name",
            f"{stem}Arn" if verb in {"Create", "Update"} else "",
            creates=verb == "Create",
        )
        for verb in verbs
    }


_SAGEMAKER: Mapping[str, CallTarget] = {
    **_family("training-job", "trainingJob", "Create", "Update", "Stop", "Delete"),
    **_family("processing-job", "processingJob", "Create", "Stop", "Delete"),
    **_family("hyper-parameter-tuning-job", "hyperParameterTuningJob", "Create", "Stop", "Delete"),
    **_family("transform-job", "transformJob", "Create", "Stop"),
    **_family("labeling-job", "labelingJob", "Create", "Stop"),
    "CreateAutoMLJob": _of("automl-job", "autoMLJobName", arn="autoMLJobArn", creates=True),
    "CreateAutoMLJobV2": _of("automl-job", "autoMLJobName", arn="autoMLJobArn", creates=True),
    "StopAutoMLJob": _of("automl-job", "autoMLJobName"),
    **_family("job", "job", "Create", "Stop", "Delete"),
    **_family("model", "model", "Create", "Delete"),
    "CreateModelPackage": _of("model-package", "modelPackageName", arn="modelPackageArn", creates=True),
    "UpdateModelPackage": _of("model-package", "modelPackageArn", arn="modelPackageArn"),
    "DeleteModelPackage": _of("model-package", "modelPackageName"),
    **_family("model-package-group", "modelPackageGroup", "Create", "Delete"),
    "PutModelPackageGroupPolicy": _of("model-package-group", "modelPackageGroupName", arn="modelPackageGroupArn"),
    "DeleteModelPackageGroupPolicy": _of("model-package-group", "modelPackageGroupName"),
    **_family("model-card", "modelCard", "Create", "Update", "Delete"),
    **_family("endpoint-config", "endpointConfig", "Create", "Delete"),
    **_family("endpoint", "endpoint", "Create", "Update", "Delete"),
    "UpdateEndpointWeightsAndCapacities": _of("endpoint", "endpointName", arn="endpointArn"),
    **_family("feature-group", "featureGroup", "Create", "Update", "Delete"),
    **_family("pipeline", "pipeline", "Create", "Update", "Delete"),
    "StartPipelineExecution": _of("pipeline-execution", "", arn="pipelineExecutionArn", creates=True),
    "StopPipelineExecution": _of("pipeline-execution", "pipelineExecutionArn"),
    "RetryPipelineExecution": _of("pipeline-execution", "pipelineExecutionArn"),
    "UpdatePipelineExecution": _of("pipeline-execution", "pipelineExecutionArn"),
    "AddTags": _of("", "resourceArn"),
    "DeleteTags": _of("", "resourceArn"),
}
_BEDROCK: Mapping[str, CallTarget] = {
    "CreateModelCustomizationJob": _of("", "", arn="jobArn", creates=True),
    "StopModelCustomizationJob": _of("", "jobIdentifier"),
    "CreateModelInvocationJob": _of("", "", arn="jobArn", creates=True),
    "StopModelInvocationJob": _of("", "jobIdentifier"),
    "CreateCustomModel": _of("", "", arn="modelArn", creates=True),
    "DeleteCustomModel": _of("", "modelIdentifier"),
    "DeleteImportedModel": _of("", "modelIdentifier"),
    "CreateProvisionedModelThroughput": _of("", "", arn="provisionedModelArn", creates=True),
    "UpdateProvisionedModelThroughput": _of("", "provisionedModelId"),
    "DeleteProvisionedModelThroughput": _of("", "provisionedModelId"),
    "TagResource": _of("", "resourceARN"),
    "UntagResource": _of("", "resourceARN"),
}
# What happens to a whole bucket is a management event; what happens to objects is one only where a trail logs them.
_S3: Mapping[str, CallTarget] = {
    "DeleteBucket": _of("dataset", "bucketName"),
    "DeleteBucketLifecycle": _of("dataset", "bucketName"),
    "DeleteBucketPolicy": _of("dataset", "bucketName"),
    "PutBucketLifecycle": _of("dataset", "bucketName"),
    "PutBucketPolicy": _of("dataset", "bucketName"),
    "PutBucketVersioning": _of("dataset", "bucketName"),
}
CALLS: Mapping[str, Mapping[str, CallTarget]] = {
    "sagemaker.amazonaws.com": _SAGEMAKER,
    "bedrock.amazonaws.com": _BEDROCK,
    "s3.amazonaws.com": _S3,
}
"""The calls that lineage records, by the service that was called: what changes something that the graph knows."""

REASON_TAG = "hallmark:reason"
"""Tag of a request that says why it was made."""
COMMIT_MESSAGE_TAG = "hallmark:commit-message"
"""Tag with which a pipeline tells the message of its commit: the reason, where nothing else says it."""


class ApiCall(NamedTuple):
    """One call, as CloudTrail tells of it. What is of another type than CloudTrail's is left out."""

    id: str
    at: datetime
    service: str
    """``sagemaker.amazonaws.com`` …"""
    name: str
    account: str
    region: str
    identity: _Section
    """``userIdentity``."""
    source_ip: str
    user_agent: str
    request_id: str
    error: str
    """``errorCode``; empty where the call succeeded."""
    error_message: str
    request: _Section
    answer: _Section
    from_console: bool

    @property
    def partition(self) -> str:
        """Return the partition of the Region."""
        return next((name for prefix, name in _PARTITIONS.items() if self.region.startswith(prefix)), "aws")


_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}


def read_call(detail: _Section) -> ApiCall:
    """Read the detail of an event that CloudTrail sent.

    Raises:
        InvalidInputError: It has no event id or no time, or tells of a call that is not recorded.
    """
    service, name = _text(detail, "eventSource"), _text(detail, "eventName")
    if name not in CALLS.get(service, {}):
        raise InvalidInputError(
            "detail.eventName", f"{service}:{name}", "no lineage is recorded from this call; narrow the rule's pattern"
        )
    identifier = _text(detail, "eventID")
    if not identifier:
        raise InvalidInputError("detail.eventID", detail.get("eventID"), "send the event as CloudTrail wrote it")
    try:
        at = parse_time(detail.get("eventTime"))
    except ValueError:
        at = None
    if at is None:
        raise InvalidInputError("detail.eventTime", detail.get("eventTime"), "send the event as CloudTrail wrote it")
    identity = _section(detail, "userIdentity")
    return ApiCall(
        id=identifier,
        at=at,
        service=service,
        name=name,
        account=_text(detail, "recipientAccountId") or _text(identity, "accountId"),
        region=_text(detail, "awsRegion"),
        identity=identity,
        source_ip=_text(detail, "sourceIPAddress"),
        user_agent=_text(detail, "userAgent"),
        request_id=_text(detail, "requestID"),
        error=_text(detail, "errorCode"),
        error_message=_text(detail, "errorMessage"),
        request=_section(detail, "requestParameters"),
        answer=_section(detail, "responseElements"),
        # The user guide writes it as a text; records carry it as a truth value too.
        from_console=str(detail.get("sessionCredentialFromConsole")).lower() == "true",
    )


def _text(section: _Section, name: str) -> str:
    value = section.get(name)
    return value.strip() if isinstance(value, str) else ""


def _section(section: _Section, name: str) -> _Section:
    value = section.get(name)
    return value if isinstance(value, Mapping) else {}
