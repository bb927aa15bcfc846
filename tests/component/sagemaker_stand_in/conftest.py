"""The stand-in behind boto3, with moto's S3 beside it: every answer passes botocore's own parser."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto import mock_aws

from local.sagemaker.contract import ResourceChanged
from local.sagemaker.service import SageMakerService
from local.sagemaker.settings import NO_QUIRKS, SageMakerSettings

ACCOUNT = "123456789012"
REGION = "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ml"
BUCKET = "data"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/training:1"
_PATIENCE_SECONDS = 20.0


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_kwargs: object) -> Iterator[bytes]:
        yield self._content


class Cloud:
    """A service, a boto3 client on it, its events, and a way to wait for a state without polling."""

    account, region, role, bucket, image = ACCOUNT, REGION, ROLE, BUCKET, IMAGE

    def __init__(self, service: SageMakerService, published: list[dict[str, Any]]) -> None:
        self.service = service
        self.published = published
        self.changes: list[ResourceChanged] = []
        self.answers: list[tuple[str, dict[str, Any]]] = []
        self._changed = threading.Condition()
        service.listeners.append(self._hear)
        self.client = self.client_in(REGION)
        self.s3 = boto3.client("s3", region_name=REGION)

    def client_in(self, region: str) -> Any:
        client = boto3.client(
            "sagemaker",
            region_name=region,
            endpoint_url="http://sagemaker.stand-in",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

        def answer(request: AWSPreparedRequest, **_kwargs: object) -> AWSResponse:
            headers = {k: v.decode() if isinstance(v, bytes) else str(v) for k, v in request.headers.items()}
            body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
            status, answered, content = self.service.handle(
                "POST",
                "/",
                headers,
                body,
                account=ACCOUNT,
                region=region,
                caller_arn=f"arn:aws:iam::{ACCOUNT}:user/ann",
            )
            self.answers.append((headers["X-Amz-Target"].partition(".")[2], json.loads(content)))
            return AWSResponse(request.url, status, answered, _Body(content))

        client.meta.events.register_first("before-send.sagemaker", answer)
        return client

    def _hear(self, change: ResourceChanged) -> None:
        with self._changed:
            self.changes.append(change)
            self._changed.notify_all()

    def wait(self, describe: Callable[[], Mapping[str, Any]], member: str, *statuses: str) -> Mapping[str, Any]:
        """Return what ``describe`` answers once ``member`` has one of ``statuses``."""
        found: list[Mapping[str, Any]] = []

        def reached() -> bool:
            found.append(describe())
            return found[-1][member] in statuses

        with self._changed:
            assert self._changed.wait_for(reached, _PATIENCE_SECONDS), found[-1]
        return found[-1]

    def wait_for_training(self, name: str) -> Mapping[str, Any]:
        return self.wait(
            lambda: self.client.describe_training_job(TrainingJobName=name),
            "TrainingJobStatus", "Completed", "Failed", "Stopped",
        )  # fmt: skip

    def wait_for_processing(self, name: str) -> Mapping[str, Any]:
        return self.wait(
            lambda: self.client.describe_processing_job(ProcessingJobName=name),
            "ProcessingJobStatus", "Completed", "Failed", "Stopped",
        )  # fmt: skip

    def wait_for_line(self, kind: str, name: str, beginning: str) -> str:
        """Return the first line of a running job's log that begins so."""
        log = self.service.foundation.settings.scratch / ACCOUNT / REGION / kind / name / "container.log"
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            lines = log.read_text().splitlines() if log.is_file() else []
            found = next((line for line in lines if line.startswith(beginning)), None)
            if found is not None:
                return found
            time.sleep(0.01)
        raise AssertionError(f"{log} has no line that begins with {beginning}")

    @staticmethod
    def is_running(process_id: int) -> bool:
        """Tell whether a process runs; one that is dead and not yet collected does not."""
        state = Path(f"/proc/{process_id}/stat")
        return state.is_file() and state.read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}

    def events(self, detail_type: str | None = None) -> list[dict[str, Any]]:
        """Return the entries published so far, ``Detail`` read."""
        assert self.service.events.flush()
        entries = [{**entry, "Detail": json.loads(entry["Detail"])} for entry in self.published]
        return [entry for entry in entries if detail_type in {None, entry["DetailType"]}]

    def put(self, key: str, body: str | bytes) -> str:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        return f"s3://{BUCKET}/{key}"

    def read(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        content: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def keys(self, prefix: str) -> list[str]:
        answer = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for entry in answer.get("Contents", [])]

    def train(self, name: str, script: str, **more: Any) -> None:
        """Start a training job whose entrypoint is a shell script."""
        specification = more.pop("AlgorithmSpecification", {})
        self.client.create_training_job(
            **{
                "TrainingJobName": name,
                "AlgorithmSpecification": {
                    "TrainingImage": IMAGE,
                    "TrainingInputMode": "File",
                    "ContainerEntrypoint": ["/bin/sh", "-c", script],
                    **specification,
                },
                "RoleArn": ROLE,
                "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/out"},
                "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
                "StoppingCondition": {"MaxRuntimeInSeconds": 60},
                **more,
            }
        )

    def process(self, name: str, script: str, **more: Any) -> None:
        """Start a processing job whose entrypoint is a shell script."""
        self.client.create_processing_job(
            **{
                "ProcessingJobName": name,
                "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["/bin/sh", "-c", script]},
                "RoleArn": ROLE,
                "ProcessingResources": {
                    "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
                },
                **more,
            }
        )


@pytest.fixture
def make_cloud(tmp_path: Path) -> Iterator[Callable[..., Cloud]]:
    """Build a stand-in with settings of the test's own."""
    made: list[Cloud] = []

    def make(**settings: Any) -> Cloud:
        published: list[dict[str, Any]] = []
        service = SageMakerService(
            SageMakerSettings(
                **{"scratch": tmp_path / "scratch", "quirks": NO_QUIRKS, "stop_grace_seconds": 2.0, **settings}
            ),
            s3=lambda region, _account: boto3.client("s3", region_name=region),
            ecr=lambda region, _account: boto3.client("ecr", region_name=region),
            publish=lambda entry, _account, _region: published.append(dict(entry)),
            environment_of_role=lambda _role, region, _account: {"AWS_REGION": region},
        )
        made.append(Cloud(service, published))
        return made[-1]

    with mock_aws():
        boto3.client("s3", region_name=REGION).create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        yield make
        for cloud in made:
            cloud.service.close()


@pytest.fixture
def cloud(make_cloud: Callable[..., Cloud]) -> Cloud:
    """A stand-in whose events never vary."""
    return make_cloud()
