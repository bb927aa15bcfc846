from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ClientError

from hallmark.drift.sources.data_capture import read_capture

CODE = """
def model_fn(model_dir):
    return float(open(model_dir + "/factor").read())

def input_fn(body, content_type):
    return [[float(cell) for cell in line.split(",")] for line in body.decode().split("\\n") if line]

def predict_fn(rows, factor):
    return [sum(row) * factor for row in rows]
"""


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_args: object, **_kwargs: object) -> Iterator[bytes]:
        yield self._content

    def read(self, *_args: object, **_kwargs: object) -> bytes:
        content, self._content = self._content, b""
        return content

    def set_socket_timeout(self, _timeout: object) -> None:
        """As urllib3's."""


@pytest.fixture
def runtime(cloud: Any) -> Any:
    client: Any = boto3.client(
        "sagemaker-runtime",
        region_name=cloud.region,
        endpoint_url="http://sagemaker.stand-in",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )

    def answer(request: AWSPreparedRequest, **_kwargs: object) -> AWSResponse:
        headers = {k: v.decode() if isinstance(v, bytes) else str(v) for k, v in request.headers.items()}
        body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
        status, answered, content = cloud.service.handle(
            str(request.method),
            unquote(urlsplit(request.url).path),
            headers,
            body,
            account=cloud.account,
            region=cloud.region,
            caller_arn=f"arn:aws:iam::{cloud.account}:user/ann",
        )
        response_headers: Any = answered
        return AWSResponse(request.url, status, response_headers, _Body(content))

    client.meta.events.register_first("before-send.sagemaker-runtime", answer)
    return client


@pytest.fixture
def deploy(cloud: Any) -> Any:
    """Serve a model that multiplies sums; with data capture where it is given."""

    def go(name: str, factor: str = "2", code: str = CODE, **capture: Any) -> None:
        data = cloud.put_archive(f"{name}.tar.gz", {"code/inference.py": code, "factor": factor})
        cloud.client.create_model(
            ModelName=name, PrimaryContainer={"Image": cloud.image, "ModelDataUrl": data}, ExecutionRoleArn=cloud.role
        )
        variant = {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large"}
        more = {"DataCaptureConfig": {**DEFAULT_CAPTURE, **capture}} if capture else {}
        cloud.client.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[{**variant, "InitialInstanceCount": 1}], **more
        )
        try:
            cloud.client.describe_endpoint(EndpointName="Live")
        except ClientError:
            cloud.client.create_endpoint(EndpointName="Live", EndpointConfigName=name)
        else:
            cloud.client.update_endpoint(EndpointName="Live", EndpointConfigName=name)
        cloud.wait(lambda: cloud.client.describe_endpoint(EndpointName="Live"), "EndpointConfigName", name)
        cloud.wait(lambda: cloud.client.describe_endpoint(EndpointName="Live"), "EndpointStatus", "InService")

    return go


DEFAULT_CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://data/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
}


def invoke(runtime: Any, body: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = runtime.invoke_endpoint(
        EndpointName="Live", Body=body.encode(), ContentType="text/csv", Accept="application/json", **more
    )
    return answer


def captured(cloud: Any) -> dict[str, list[dict[str, Any]]]:
    cloud.service.invocations.capture.flush()
    return {
        key: [json.loads(line) for line in cloud.read(f"s3://{cloud.bucket}/{key}").splitlines()]
        for key in cloud.keys("captured/")
    }


def test_an_endpoint_answers_with_its_model(runtime: Any, deploy: Any) -> None:
    deploy("double")

    answer = invoke(runtime, "1,2\n3,4\n")

    assert json.loads(answer["Body"].read()) == [6.0, 14.0]
    assert answer["InvokedProductionVariant"] == "AllTraffic"


def test_an_update_changes_who_answers(runtime: Any, deploy: Any) -> None:
    deploy("double")
    invoke(runtime, "1")
    deploy("triple", "3")

    assert json.loads(invoke(runtime, "1")["Body"].read()) == [3.0]


def test_requests_are_captured_in_the_documented_layout(runtime: Any, deploy: Any, cloud: Any) -> None:
    deploy("double", EnableCapture=True)

    invoke(runtime, "1,2", InferenceId="order-7")
    invoke(runtime, "3,4")

    ((key, lines),) = captured(cloud).items()
    assert re.fullmatch(r"captured/Live/AllTraffic/\d{4}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{3}-[0-9a-f-]{36}\.jsonl", key)
    first = lines[0]
    assert first["captureData"]["endpointInput"] == {
        "observedContentType": "text/csv",
        "mode": "INPUT",
        "data": "1,2",
        "encoding": "CSV",
    }
    assert first["captureData"]["endpointOutput"]["data"] == "[6.0]"
    assert first["eventMetadata"]["inferenceId"] == "order-7"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first["eventMetadata"]["inferenceTime"])
    assert first["eventVersion"] == "0"
    assert "inferenceId" not in lines[1]["eventMetadata"]
    read = read_capture(cloud.read(f"s3://{cloud.bucket}/{key}"))
    assert [(each["input"], each["output"]) for each in read.records] == [(["1", "2"], 6.0), (["3", "4"], 14.0)]


def test_what_has_no_content_type_header_named_is_captured_as_base64(runtime: Any, deploy: Any, cloud: Any) -> None:
    deploy("double", CaptureContentTypeHeader={"JsonContentTypes": ["application/json"]})

    invoke(runtime, "1,2")

    ((_, (line,)),) = captured(cloud).items()
    given = line["captureData"]["endpointInput"]
    assert (given["encoding"], base64.b64decode(given["data"])) == ("BASE64", b"1,2")


def test_only_the_sides_that_are_asked_for_are_captured(runtime: Any, deploy: Any, cloud: Any) -> None:
    deploy("double", CaptureOptions=[{"CaptureMode": "Output"}])

    invoke(runtime, "1,2")

    ((_, (line,)),) = captured(cloud).items()
    assert set(line["captureData"]) == {"endpointOutput"}


def test_nothing_is_captured_where_nobody_asked_for_it(runtime: Any, deploy: Any, cloud: Any) -> None:
    deploy("double")
    invoke(runtime, "1,2")
    deploy("triple", "3", InitialSamplingPercentage=0)
    invoke(runtime, "1,2")

    assert captured(cloud) == {}


def test_an_endpoint_that_does_not_exist_is_a_validation_error(runtime: Any) -> None:
    with pytest.raises(ClientError, match="Endpoint Live of account 123456789012 not found") as refused:
        invoke(runtime, "1")

    assert refused.value.response["Error"]["Code"] == "ValidationError"


def test_a_model_that_raises_is_a_model_error_and_is_not_captured(runtime: Any, deploy: Any, cloud: Any) -> None:
    deploy("double", EnableCapture=True)

    with pytest.raises(ClientError, match="could not convert string") as refused:
        invoke(runtime, "one")

    assert refused.value.response["Error"]["Code"] == "ModelError"
    assert captured(cloud) == {}
