"""The stand-in behind boto3: every request is checked by the service model, every answer passes botocore's parser."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from moto import mock_aws

from local.bedrock.contract import HttpRequest
from local.bedrock.rest import CONTROL_PLANE, RUNTIME
from local.bedrock.service import BedrockService
from tests.fakes.moto_clients import MotoClients
from tests.patience import PATIENCE_SECONDS

ACCOUNT = "123456789012"
REGION = "eu-west-1"
BUCKET = "data"


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_args: object, **_kwargs: object) -> Iterator[bytes]:
        yield self._content

    def read(self, *_args: object, **_kwargs: object) -> bytes:
        content, self._content = self._content, b""
        return content


class Bedrock:
    """A service, boto3 clients on it, and what was waited for."""

    account, region, role, bucket = ACCOUNT, REGION, f"arn:aws:iam::{ACCOUNT}:role/bedrock", BUCKET

    def __init__(self, service: BedrockService, published: list[dict[str, Any]]) -> None:
        self.service = service
        self.published = published
        self.s3 = boto3.client("s3", region_name=REGION)
        self.delays: list[float] = []
        self.control = self._client(CONTROL_PLANE)
        self.runtime = self._client(RUNTIME)

    def _client(self, service_name: str) -> Any:
        client: Any = boto3.client(
            service_name,  # type: ignore[call-overload] # the name is a variable
            region_name=REGION,
            endpoint_url="http://bedrock.stand-in",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(retries={"total_max_attempts": 1}),
        )

        def answer(request: AWSPreparedRequest, **_kwargs: object) -> AWSResponse:
            url = urlsplit(request.url)
            headers = {k.lower(): v.decode() if isinstance(v, bytes) else str(v) for k, v in request.headers.items()}
            body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
            caller = f"arn:aws:iam::{ACCOUNT}:user/ann"
            (status, answered, content), delay = self.service.handle(
                service_name,
                HttpRequest(
                    str(request.method), unquote(url.path), parse_qs(url.query), headers, body, ACCOUNT, REGION, caller
                ),
            )
            self.delays.append(delay)
            response_headers: Any = answered
            return AWSResponse(request.url, status, response_headers, _Body(content))

        client.meta.events.register_first(f"before-send.{service_name}", answer)
        return client

    def put(self, key: str, records: Iterable[Any]) -> str:
        """Write one JSON object a line (text as it stands) and return the URI."""
        lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
        self.s3.put_object(Bucket=BUCKET, Key=key, Body="\n".join(lines).encode())
        return f"s3://{BUCKET}/{key}"

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys below a prefix."""
        return [entry["Key"] for entry in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]

    def lines(self, key: str) -> list[dict[str, Any]]:
        """Return the JSON objects of an object."""
        text = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
        return [json.loads(line) for line in text.splitlines()]

    def events(self) -> list[dict[str, Any]]:
        """Return the entries published so far."""
        self.service.events.flush()
        return self.published

    def finish(self, arn: str) -> None:
        """Wait until a job has ended."""
        run = self.service.foundation.pool.find(arn)
        if run is not None:
            run.finished.result(timeout=PATIENCE_SECONDS)

    def deploy(self, model: str, name: str = "live") -> str:
        """Deploy a custom model and return the ARN of its deployment."""
        arn: str = self.control.create_custom_model_deployment(modelDeploymentName=name, modelArn=model)[
            "customModelDeploymentArn"
        ]
        self.finish(arn)
        return arn

    def say(self, model: str, prompt: str, **more: Any) -> dict[str, Any]:
        """Ask a model by Converse."""
        answer: dict[str, Any] = self.runtime.converse(
            modelId=model, messages=[{"role": "user", "content": [{"text": prompt}]}], **more
        )
        return answer

    def text(self, model: str, prompt: str, **more: Any) -> str:
        """Return what a model says."""
        return str(self.say(model, prompt, **more)["output"]["message"]["content"][0]["text"])


@pytest.fixture
def bedrock() -> Iterator[Bedrock]:
    published: list[dict[str, Any]] = []
    with mock_aws():
        boto3.client("s3", region_name=REGION).create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        moto = MotoClients()
        service = BedrockService(
            s3=lambda _role, _jobs, region, _account: moto.client("s3", region),
            may_invoke=lambda role, _model, _region, _account: not role.endswith("/powerless"),
            publish=lambda entry, _account, _region: published.append(dict(entry)),
            logs=lambda region, _account: boto3.client("s3", region_name=region),
        )
        yield Bedrock(service, published)
        service.close()
