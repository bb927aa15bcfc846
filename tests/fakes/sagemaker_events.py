"""SageMaker's events and Describe answers of one small workflow, in the shapes that AWS documents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

ACCOUNT = "111122223333"
PREFIX = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}"
BEGUN = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/trainer:1"

Json = dict[str, Any]


def at(minutes: float) -> datetime:
    return BEGUN + timedelta(minutes=minutes)


def millis(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def arn(kind: str, name: str) -> str:
    return f"{PREFIX}:{kind}/{name}"


def event(detail_type: str, resource: str, detail: Json, time: datetime = BEGUN) -> Json:
    return {
        "version": "0",
        "id": f"{millis(time)}",
        "detail-type": detail_type,
        "source": "aws.sagemaker",
        "account": ACCOUNT,
        "time": time.isoformat(),
        "region": "us-east-1",
        "resources": [resource],
        "detail": detail,
    }


def processing(name: str, status: str, inputs: dict[str, str], outputs: dict[str, str], begun: float = 0.0) -> Json:
    detail = {
        "ProcessingJobName": name,
        "ProcessingJobArn": arn("processing-job", name),
        "ProcessingJobStatus": status,
        "ProcessingInputs": [{"InputName": role, "S3Input": {"S3Uri": uri}} for role, uri in inputs.items()],
        "ProcessingOutputConfig": {
            "Outputs": [{"OutputName": role, "S3Output": {"S3Uri": uri}} for role, uri in outputs.items()]
        },
        "AppSpecification": {"ImageUri": IMAGE},
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/Jobs",
        "CreationTime": millis(at(begun)),
        "LastModifiedTime": millis(at(begun + (5 if status != "InProgress" else 1))),
        **({} if status == "InProgress" else {"ProcessingEndTime": millis(at(begun + 5))}),
    }
    return event("SageMaker Processing Job State Change", arn("processing-job", name), detail, at(begun + 5))


def training(name: str, status: str, channels: dict[str, str], begun: float = 10.0, **more: Any) -> Json:
    detail = {
        "TrainingJobName": name,
        "TrainingJobArn": arn("training-job", name),
        "TrainingJobStatus": status,
        "SecondaryStatus": status,
        "HyperParameters": {"depth": "3"},
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/Jobs",
        "InputDataConfig": [
            {"ChannelName": role, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}
            for role, uri in channels.items()
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
        "ModelArtifacts": {"S3ModelArtifacts": f"s3://bucket/models/{name}/output/model.tar.gz"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        "CreationTime": str(millis(at(begun))),
        "TrainingStartTime": str(millis(at(begun))),
        "LastModifiedTime": str(millis(at(begun + (5 if status != "InProgress" else 1)))),
        "Tags": {"git_commit": "0123456789abcdef", "git_repository": "https://example.com/wine.git"},
        **({} if status == "InProgress" else {"TrainingEndTime": str(millis(at(begun + 5)))}),
        **more,
    }
    return event("SageMaker Training Job State Change", arn("training-job", name), detail, at(begun + 5))


def described_training(name: str, channels: dict[str, str], begun: float = 10.0, **more: Any) -> Json:
    detail = training(name, "Completed", channels, begun)["detail"]
    times = {
        field: at(begun) if field in {"CreationTime", "TrainingStartTime"} else at(begun + 5)
        for field in ("CreationTime", "TrainingStartTime", "TrainingEndTime", "LastModifiedTime")
    }
    return {
        **{field: value for field, value in detail.items() if field != "Tags"},
        **times,
        "FinalMetricDataList": [{"MetricName": "f1", "Value": 0.9, "Timestamp": at(begun + 4)}],
        "TrainingTimeInSeconds": 300,
        "BillableTimeInSeconds": 280,
        **more,
    }


def package(version: int, approval: str, changed: float, **more: Any) -> Json:
    name = f"wine/{version}"
    detail = {
        "ModelPackageGroupName": "wine",
        "ModelPackageVersion": version,
        "ModelPackageArn": arn("model-package", name),
        "CreationTime": at(20).isoformat(),
        "LastModifiedTime": at(changed).isoformat(),
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": approval,
        "InferenceSpecification": {
            "Containers": [
                {
                    "Image": IMAGE,
                    "ImageDigest": f"sha256:{'a' * 64}",
                    "ModelDataUrl": f"s3://bucket/models/train-{version}/output/model.tar.gz",
                }
            ]
        },
        "MetadataProperties": {"GeneratedBy": arn("training-job", f"train-{version}")},
        **more,
    }
    return event("SageMaker Model Package State Change", arn("model-package", name), detail, at(changed))


def endpoint(status: str, config: str, changed: float, name: str = "wine-live", created: float = 30.0) -> Json:
    detail = {
        "EndpointName": name,
        "EndpointArn": arn("endpoint", name),
        "EndpointConfigName": config,
        "ProductionVariants": [{"DesiredWeight": 1.0, "DesiredInstanceCount": 1.0}],
        "EndpointStatus": status,
        "CreationTime": float(millis(at(created))),
        "LastModifiedTime": float(millis(at(changed))),
        "Tags": {},
    }
    return event("SageMaker Endpoint State Change", arn("endpoint", name), detail, at(changed))


def described_endpoint(config: str, changed: float, status: str = "InService", created: float = 30.0) -> Json:
    return {
        "EndpointName": "wine-live",
        "EndpointArn": arn("endpoint", "wine-live"),
        "EndpointConfigName": config,
        "EndpointStatus": status,
        "CreationTime": at(created),
        "LastModifiedTime": at(changed),
    }


def config(name: str, model: str, created: float) -> tuple[Json, Json]:
    described = {
        "EndpointConfigName": name,
        "EndpointConfigArn": arn("endpoint-config", name),
        "ProductionVariants": [{"VariantName": "AllTraffic", "ModelName": model, "InstanceType": "ml.m5.large"}],
        "CreationTime": at(created),
    }
    detail = {**described, "CreationTime": millis(at(created)), "Tags": {}}
    return event("SageMaker Endpoint Config State Change", arn("endpoint-config", name), detail, at(created)), described


def model(name: str, version: int, created: float) -> tuple[Json, Json]:
    described = {
        "ModelName": name,
        "ModelArn": arn("model", name),
        "PrimaryContainer": {"ModelPackageName": arn("model-package", f"wine/{version}")},
        "ExecutionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/Jobs",
        "CreationTime": at(created),
    }
    detail = {**described, "CreationTime": millis(at(created)), "Tags": {}}
    return event("SageMaker Model State Change", arn("model", name), detail, at(created)), described
