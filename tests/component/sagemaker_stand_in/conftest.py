"""The stand-in behind boto3, with moto's S3 beside it: every answer passes botocore's own parser."""

from __future__ import annotations

import io
import json
import os
import select
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ClientError
from moto import mock_aws

from local.sagemaker.contract import ResourceChanged
from local.sagemaker.service import SageMakerService, service_model
from local.sagemaker.settings import NO_QUIRKS, SageMakerSettings
from tests.fakes.moto_clients import MotoClients
from tests.patience import PATIENCE_SECONDS

ACCOUNT = "123456789012"
REGION = "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ml"
BUCKET = "data"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/training:1"
_OK = 200
_JSON_TYPES: dict[str, Any] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "boolean": bool,
    "timestamp": (int, float),
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
}


def faults(shape: Any, value: Any, path: str) -> Iterator[str]:
    """Yield what in an answer's JSON is not as botocore's shape says: names, types, what is required, bounds."""
    if not isinstance(value, _JSON_TYPES[shape.type_name]) or (
        isinstance(value, bool) and shape.type_name != "boolean"
    ):
        yield f"{path}: {value!r} is no {shape.type_name}"
        return
    yield from _faults_inside(shape, value, path)
    if shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield f"{path}: {value!r} is none of {shape.enum}"
    if shape.type_name in {"structure", "timestamp", "boolean"}:
        return
    size = len(value) if hasattr(value, "__len__") else value
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and size < low) or (high is not None and size > high):
        yield f"{path}: {size} is not within {low} and {high}"


def _faults_inside(shape: Any, value: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure":
        yield from (f"{path}.{name}: unknown" for name in sorted(set(value) - set(shape.members)))
        yield from (f"{path}.{name}: missing" for name in shape.required_members if name not in value)
        for name in sorted(set(value) & set(shape.members)):
            yield from faults(shape.members[name], value[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for item in value:
            yield from faults(shape.member, item, f"{path}[]")
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from faults(shape.key, key, f"{path}.key")
            yield from faults(shape.value, item, f"{path}[{key}]")


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_kwargs: object) -> Iterator[bytes]:
        yield self._content


class Cloud:
    """A service, a boto3 client on it, its events, and a way to wait for a state without polling."""

    account, region, role, bucket, image = ACCOUNT, REGION, ROLE, BUCKET, IMAGE

    def __init__(self, service: SageMakerService, published: list[dict[str, Any]], sent: list[tuple[str, str]]) -> None:
        self.service = service
        self.published = published
        self.sent = sent
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
            body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
            status, answered, content = self.service.handle(
                "POST",
                "/",
                headers,
                body,
                account=ACCOUNT,
                region=region,
                caller_arn=f"arn:aws:iam::{ACCOUNT}:user/ann",
            )
            if status == _OK:
                self.answers.append((headers["X-Amz-Target"].partition(".")[2], json.loads(content)))
            response_headers: Any = answered
            return AWSResponse(request.url, status, response_headers, _Body(content))

        events: Any = client.meta.events
        events.register_first("before-send.sagemaker", answer)
        return client

    def _hear(self, change: ResourceChanged) -> None:
        with self._changed:
            self.changes.append(change)
            self._changed.notify_all()

    def wait(self, describe: Callable[[], Mapping[str, Any]], member: str, *statuses: str) -> Mapping[str, Any]:
        """Return what ``describe`` answers once ``member`` has one of ``statuses``, and this was told."""
        found: list[Mapping[str, Any]] = []

        def reached() -> bool:
            found.append(describe())
            answer = found[-1]
            told = [c.description[member] for c in self.changes if c.arn in answer.values() and member in c.description]
            return answer[member] in statuses and told[-1:] in ([], [answer[member]])

        with self._changed:
            assert self._changed.wait_for(reached, PATIENCE_SECONDS), found[-1]
        return found[-1]

    def wait_until_gone(self, describe: Callable[[], object]) -> None:
        """Wait until ``describe`` is refused."""

        def is_gone() -> bool:
            try:
                describe()
            except ClientError:
                return True
            return False

        with self._changed:
            assert self._changed.wait_for(is_gone, PATIENCE_SECONDS)

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

    def faults(self) -> list[str]:
        """Return what in the answers so far is not as botocore's output shapes say."""
        found = []
        for operation, answer in self.answers:
            shape = service_model().operation_model(operation).output_shape
            if shape is not None:
                found += list(faults(shape, answer, operation))
            elif answer:
                found.append(f"{operation}: answers {answer} where nothing is expected")
        return sorted(set(found))

    def wait_for_line(self, kind: str, name: str, beginning: str) -> str:
        """Return the first line of a running job's log that begins so."""
        log = self.service.foundation.settings.scratch / ACCOUNT / REGION / kind / name / "container.log"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            lines = log.read_text().splitlines() if log.is_file() else []
            found = next((line for line in lines if line.startswith(beginning)), None)
            if found is not None:
                return found
            time.sleep(0.01)
        raise AssertionError(f"{log} has no line that begins with {beginning}")

    @staticmethod
    def watch(process_id: int) -> Callable[[], bool]:
        """Return a function that tells whether a process has ended, or does so within seconds."""
        descriptor = os.pidfd_open(process_id)

        def has_ended() -> bool:
            ended, _, _ = select.select([descriptor], [], [], 5)  # readable when the process has ended
            os.close(descriptor)
            return bool(ended)

        return has_ended

    def events(self, detail_type: str | None = None) -> list[dict[str, Any]]:
        """Return the entries published so far, ``Detail`` read."""
        assert self.service.events.flush()
        entries = [{**entry, "Detail": json.loads(entry["Detail"])} for entry in self.published]
        return [entry for entry in entries if detail_type in {None, entry["DetailType"]}]

    def put(self, key: str, body: str | bytes) -> str:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        return f"s3://{BUCKET}/{key}"

    def put_archive(self, key: str, files: Mapping[str, str]) -> str:
        """Put a gzip-compressed tar archive."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for name, text in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(text.encode())
                tar.addfile(entry, io.BytesIO(text.encode()))
        return self.put(key, buffer.getvalue())

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
    moto = MotoClients()

    def make(**settings: Any) -> Cloud:
        published: list[dict[str, Any]] = []
        sent: list[tuple[str, str]] = []
        service = SageMakerService(
            SageMakerSettings(
                **{"scratch": tmp_path / "scratch", "quirks": NO_QUIRKS, "stop_grace_seconds": 2.0, **settings}
            ),
            s3=lambda region, _account: moto.client("s3", region),
            ecr=lambda region, _account: moto.client("ecr", region),
            publish=lambda entry, _account, _region: published.append(dict(entry)),
            environment_of_role=lambda _role, region, _account: {"AWS_REGION": region},
            send_message=lambda queue, body, _role, _region, _account: sent.append((queue, body)),
        )
        made.append(Cloud(service, published, sent))
        return made[-1]

    with mock_aws():
        boto3.client("s3", region_name=REGION).create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        yield make
        for cloud in made:
            cloud.service.close()
        assert [fault for cloud in made for fault in cloud.faults()] == []


@pytest.fixture
def cloud(make_cloud: Callable[..., Cloud]) -> Cloud:
    """A stand-in whose events never vary."""
    return make_cloud()
