"""The whole stand-in behind boto3, with moto's S3 beside it, and a way to wait for its lineage."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto import mock_aws

from local.sagemaker.contract import ResourceChanged
from local.sagemaker.lineage import AutomaticLineage
from local.sagemaker.service import SageMakerService
from local.sagemaker.settings import NO_QUIRKS, SageMakerSettings
from tests.fakes.moto_clients import MotoClients
from tests.patience import PATIENCE_SECONDS

ACCOUNT = "123456789012"
REGION = "eu-west-1"
ENDED = {"Completed", "Failed", "Stopped"}


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_kwargs: object) -> Iterator[bytes]:
        yield self._content


class Account:
    """An account of the stand-in: SageMaker and S3 clients, and the changes told so far."""

    role = f"arn:aws:iam::{ACCOUNT}:role/ml"
    bucket = "data"
    image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/training:1"
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}

    def __init__(self, service: SageMakerService) -> None:
        self._service = service
        self._changes: list[ResourceChanged] = []
        self._changed = threading.Condition()
        service.listeners.append(self._hear)
        self._automatic = next(each for each in service.listeners if isinstance(each, AutomaticLineage))
        self.s3: Any = boto3.client("s3", region_name=REGION)
        self.client: Any = boto3.client(
            "sagemaker",
            region_name=REGION,
            endpoint_url="http://sagemaker.stand-in",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        events: Any = self.client.meta.events
        events.register_first("before-send.sagemaker", self._answer)

    def _answer(self, request: AWSPreparedRequest, **_kwargs: object) -> AWSResponse:
        headers = {k: v.decode() if isinstance(v, bytes) else str(v) for k, v in request.headers.items()}
        body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
        status, answered, content = self._service.handle(
            "POST", "/", headers, body, account=ACCOUNT, region=REGION, caller_arn=self.role
        )
        response_headers: Any = answered
        return AWSResponse(request.url, status, response_headers, _Body(content))

    def _hear(self, change: ResourceChanged) -> None:
        with self._changed:
            self._changes.append(change)
            self._changed.notify_all()

    def wait_for(self, kind: str, name: str, *statuses: str) -> None:
        """Wait until a resource was told to have one of ``statuses``, and its lineage is made."""

        def told() -> bool:
            return any(
                change.kind == kind
                and change.arn.endswith(f"/{name}")
                and any(value in statuses for value in change.description.values() if isinstance(value, str))
                for change in self._changes
            )

        with self._changed:
            assert self._changed.wait_for(told, PATIENCE_SECONDS), f"{kind} {name} never was {statuses}"
        assert self._automatic.flush()

    def put(self, key: str, content: str | bytes) -> str:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)
        return f"s3://{self.bucket}/{key}"

    def process(self, name: str, script: str, source: str, target: str) -> None:
        """Run a processing job from ``/opt/ml/processing/in`` to ``/opt/ml/processing/out``."""
        self.client.create_processing_job(
            ProcessingJobName=name,
            RoleArn=self.role,
            AppSpecification={"ImageUri": self.image, "ContainerEntrypoint": ["/bin/sh", "-c", script]},
            ProcessingResources={"ClusterConfig": self.resources},
            ProcessingInputs=[
                {
                    "InputName": "in",
                    "S3Input": {
                        "S3Uri": source,
                        "LocalPath": "/opt/ml/processing/in",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
            ],
            ProcessingOutputConfig={
                "Outputs": [
                    {
                        "OutputName": "out",
                        "S3Output": {
                            "S3Uri": target,
                            "LocalPath": "/opt/ml/processing/out",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
        )
        self.wait_for("processing-job", name, *ENDED)

    def train(self, name: str, script: str, source: str) -> None:
        """Run a training job on one channel."""
        self.client.create_training_job(
            TrainingJobName=name,
            RoleArn=self.role,
            AlgorithmSpecification={
                "TrainingImage": self.image,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["/bin/sh", "-c", script],
            },
            InputDataConfig=[
                {
                    "ChannelName": "train",
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}},
                }
            ],
            OutputDataConfig={"S3OutputPath": f"s3://{self.bucket}/models"},
            ResourceConfig=self.resources,
            StoppingCondition={"MaxRuntimeInSeconds": 60},
        )
        self.wait_for("training-job", name, *ENDED)

    def artifact_of(self, uri: str) -> str:
        """Return the ARN of the one artifact of a source."""
        (summary,) = self.client.list_artifacts(SourceUri=uri)["ArtifactSummaries"]
        arn: str = summary["ArtifactArn"]
        return arn

    def sources(self, start: str, direction: str, *types: str) -> list[str]:
        """Return what the vertices of a query stand for, nearest first."""
        found = self.client.query_lineage(StartArns=[start], Direction=direction, Filters={"Types": list(types)})
        return [self._source(vertex) for vertex in found["Vertices"]]

    def _source(self, vertex: dict[str, str]) -> str:
        name = vertex["Arn"].rpartition("/")[2]
        described = {
            "Artifact": lambda: self.client.describe_artifact(ArtifactArn=vertex["Arn"])["Source"]["SourceUri"],
            "Context": lambda: self.client.describe_context(ContextName=name)["Source"]["SourceUri"],
            "Action": lambda: self.client.describe_action(ActionName=name)["Source"]["SourceUri"],
            "TrialComponent": lambda: self.client.describe_trial_component(TrialComponentName=name)["Source"][
                "SourceArn"
            ],
        }
        source: str = described[vertex["LineageType"]]()
        return source

    def reset(self) -> None:
        self._service.reset()


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with mock_aws():
        boto3.client("s3", region_name=REGION).create_bucket(
            Bucket=Account.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        moto = MotoClients()
        service = SageMakerService(
            SageMakerSettings(scratch=tmp_path / "scratch", quirks=NO_QUIRKS, stop_grace_seconds=2.0),
            s3=lambda region, _account: moto.client("s3", region),
            ecr=lambda region, _account: moto.client("ecr", region),
            publish=lambda _entry, _account, _region: None,
            environment_of_role=lambda _role, region, _account: {"AWS_REGION": region},
        )
        yield Account(service)
        service.close()
