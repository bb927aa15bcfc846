"""Events of a realistic size, and what AWS answers when it is asked about them."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

from botocore.awsrequest import AWSPreparedRequest

from benchmarks.recording.network import Answer, json_answer

ACCOUNT = "111122223333"
REGION = "us-east-1"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/trainer:2026-11"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/SageMakerJobs"
MILLIS = 1_793_534_400_000
OBJECTS = 20
"""Objects under each S3 URI."""

Json = dict[str, Any]


def events(kind: str, count: int, first: int = 0) -> list[str]:
    """Return the bodies of so many events of a kind, each of a resource of its own."""
    return [json.dumps(_EVENTS[kind](number)) for number in range(first, first + count)]


def answers() -> Mapping[str, Answer]:
    """Return what AWS answers, by operation."""
    return {
        "sagemaker.DescribeTrainingJob": _description(_described_training),
        "sagemaker.DescribeModelPackage": _description(lambda number: {**_package_detail(number - 1), **_TIMES}),
        "sagemaker.DescribeEndpoint": _description(
            lambda number: {**_endpoint_detail(number), **_TIMES, "EndpointStatus": "InService"}
        ),
        "ecr.DescribeImages": json_answer({"imageDetails": [{"imageDigest": f"sha256:{'5' * 64}"}]}),
        "s3.ListObjectVersions": lambda request: _listing(str(request.url)),
        "kms.GenerateMac": json_answer({"KeyId": "index", "Mac": _BLOB}),
        "kms.Encrypt": json_answer({"KeyId": "sealing", "CiphertextBlob": _BLOB}),
    }


_BLOB = b64encode(bytes(32)).decode()
_TIMES = {"CreationTime": MILLIS / 1000, "LastModifiedTime": MILLIS / 1000}
_NUMBERED = re.compile(rb"churn[-/](\d+)")


def _description(describe: Callable[[int], Json]) -> Answer:
    """Describe the resource whose number stands in the request."""

    def answer(request: AWSPreparedRequest) -> bytes:
        asked = _NUMBERED.search(request.body) if isinstance(request.body, bytes) else None
        return json.dumps(describe(int(asked[1]))).encode() if asked else b"{}"

    return answer


def _described_training(number: int) -> Json:
    described = {
        name: value / 1000 if name.endswith("Time") else value
        for name, value in _training_detail(number, "Completed").items()
        if name not in {"Tags", "SecondaryStatusTransitions"}
    }
    return {
        **described,
        "FinalMetricDataList": [{"MetricName": "f1", "Value": 0.93, "Timestamp": MILLIS / 1000}],
        "TrainingTimeInSeconds": 300,
        "BillableTimeInSeconds": 280,
    }


def _listing(url: str) -> bytes:
    prefix = url.partition("prefix=")[2].partition("&")[0].replace("%2F", "/")
    bucket = url.partition("://")[2].partition(".")[0]
    keys = [prefix] if prefix.endswith(".gz") else [f"{prefix}/part-{number:05}.csv" for number in range(OBJECTS)]
    versions = "".join(
        f"<Version><Key>{key}</Key><VersionId>v{number}</VersionId><IsLatest>true</IsLatest>"
        f"<LastModified>2026-10-01T00:00:00.000Z</LastModified><ETag>&quot;{number:032x}&quot;</ETag>"
        f"<Size>{1000 + number}</Size><StorageClass>STANDARD</StorageClass></Version>"
        for number, key in enumerate(keys)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>{bucket}</Name>'
        f"<Prefix>{prefix}</Prefix><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>{versions}</ListVersionsResult>"
    ).encode()


def _event(detail_type: str, arn: str, detail: Json) -> Json:
    return {
        "version": "0",
        "id": "a1b2c3d4-5678-90ab-cdef-111111111111",
        "detail-type": detail_type,
        "source": "aws.sagemaker",
        "account": ACCOUNT,
        "time": "2026-11-01T12:05:00Z",
        "region": REGION,
        "resources": [arn],
        "detail": detail,
    }


def _arn(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name}"


_CHANNELS = {channel: f"s3://churn-data/v7/{channel}" for channel in ("train", "validation", "test")}
_OWN_DATA_FROM = 500_000
"""Jobs from this number on read data that no other job reads; those before have theirs in common."""


def _inputs(number: int) -> Mapping[str, str]:
    return _CHANNELS if number < _OWN_DATA_FROM else {name: f"{uri}/{number}" for name, uri in _CHANNELS.items()}


def _training_detail(number: int, status: str, inputs: Mapping[str, str] | None = None, output: str = "") -> Json:
    name, begun = f"churn-{number:06}", MILLIS + number * 1000
    return {
        "TrainingJobName": name,
        "TrainingJobArn": _arn("training-job", name),
        "TrainingJobStatus": status,
        "SecondaryStatus": status,
        "HyperParameters": {f"hyper-parameter-{place}": f"value {place}" for place in range(30)},
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "InputDataConfig": [
            {
                "ChannelName": channel,
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
                "ContentType": "text/csv",
            }
            for channel, uri in (inputs or _inputs(number)).items()
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://churn-models/output"},
        "ModelArtifacts": {"S3ModelArtifacts": output or f"s3://churn-models/output/{name}/output/model.tar.gz"},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "CreationTime": begun,
        "TrainingStartTime": begun + 30_000,
        "LastModifiedTime": begun + 300_000,
        **({"TrainingEndTime": begun + 300_000} if status == "Completed" else {}),
        "SecondaryStatusTransitions": [
            {"Status": step, "StartTime": begun, "EndTime": begun + 1000, "StatusMessage": f"{step} the job"}
            for step in ("Starting", "Downloading", "Training", "Uploading")
        ],
        "Tags": {f"tag-{place}": f"value {place}" for place in range(8)} | {"git_commit": "0123456789abcdef"},
    }


def training_event(number: int, status: str, inputs: Mapping[str, str] | None = None, output: str = "") -> Json:
    """Return the event of a training job that reads these URIs, by channel, and writes to one.

    Without them it reads what its number says: 60 objects in three channels, which other jobs read as well or not.
    """
    detail = _training_detail(number, status, inputs, output)
    return _event("SageMaker Training Job State Change", detail["TrainingJobArn"], detail)


def _package_detail(number: int) -> Json:
    return {
        "ModelPackageGroupName": "churn",
        "ModelPackageVersion": number + 1,
        "ModelPackageArn": _arn("model-package", f"churn/{number + 1}"),
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": "Approved",
        "InferenceSpecification": {
            "Containers": [
                {
                    "Image": IMAGE,
                    "ImageDigest": f"sha256:{'5' * 64}",
                    "ModelDataUrl": "s3://churn-models/output/churn-000000/output/model.tar.gz",
                }
            ]
        },
        "MetadataProperties": {"GeneratedBy": _arn("training-job", f"churn-{number:06}")},
        "CustomerMetadataProperties": {"owner": "churn team"},
    }


def _package(number: int) -> Json:
    detail = {
        **_package_detail(number),
        "CreationTime": "2026-11-01T12:00:00.000Z",
        "LastModifiedTime": "2026-11-01T12:05:00.000Z",
        "UpdatedModelPackageFields": ["ModelApprovalStatus"],
        "Tags": {},
    }
    return _event("SageMaker Model Package State Change", detail["ModelPackageArn"], detail)


def _endpoint_detail(number: int) -> Json:
    name = f"churn-{number:06}"
    return {"EndpointName": name, "EndpointArn": _arn("endpoint", name), "EndpointConfigName": f"{name}-config"}


def _endpoint(number: int) -> Json:
    detail = {
        **_endpoint_detail(number),
        "EndpointStatus": "IN_SERVICE",
        "ProductionVariants": [{"VariantName": "All", "CurrentWeight": 1.0, "CurrentInstanceCount": 2}],
        "CreationTime": float(MILLIS),
        "LastModifiedTime": float(MILLIS),
        "Tags": {"owner": "churn team"},
    }
    return _event("SageMaker Endpoint State Change", detail["EndpointArn"], detail)


def _step(number: int) -> Json:
    pipeline = _arn("pipeline", "churn")
    execution = f"{pipeline}/execution/{number:012}"
    detail = {
        "metadata": {"processingJob": {"arn": _arn("processing-job", f"churn-{number:06}")}},
        "stepStartTime": "2026-11-01T12:00:00Z",
        "stepEndTime": "2026-11-01T12:05:00Z",
        "stepName": "prepare",
        "stepType": "Processing",
        "previousStepStatus": "Executing",
        "currentStepStatus": "Succeeded",
        "pipelineArn": pipeline,
        "pipelineExecutionArn": execution,
    }
    event = _event("SageMaker Model Building Pipeline Execution Step Status Change", pipeline, detail)
    return {**event, "resources": [pipeline, execution]}


_EVENTS = {
    "training job in progress": lambda number: training_event(number, "InProgress"),
    "training job completed": lambda number: training_event(number, "Completed"),
    "training job completed, with data of its own": lambda number: training_event(_OWN_DATA_FROM + number, "Completed"),
    "model package approved": _package,
    "endpoint in service": _endpoint,
    "pipeline step succeeded": _step,
}
KINDS = tuple(_EVENTS)
