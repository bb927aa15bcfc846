from __future__ import annotations

from typing import Any

import pytest

DOUBLE = """
import json, pathlib

class Model:
    def __init__(self, factor): self.factor = factor
    def predict(self, rows): return [sum(row) * self.factor for row in rows]

def model_fn(model_dir):
    return Model(json.loads(pathlib.Path(model_dir, "factor.json").read_text()))
"""
ECHO = """
def model_fn(model_dir):
    return None

def transform_fn(model, body, content_type, accept):
    return f"[{len(body.splitlines())} {content_type} {accept}]", accept
"""


@pytest.fixture
def transform(cloud: Any) -> Any:
    """Make a model of a module's text and start a job ``batch`` with it."""

    def go(
        module: str, *, source: dict[str, Any] | None = None, output: dict[str, Any] | None = None, **more: Any
    ) -> None:
        data = cloud.put_archive("model.tar.gz", {"code/inference.py": module, "factor.json": "2"})
        cloud.client.create_model(
            ModelName="m", PrimaryContainer={"Image": cloud.image, "ModelDataUrl": data}, ExecutionRoleArn=cloud.role
        )
        where = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{cloud.bucket}/in/"}}
        cloud.client.create_transform_job(
            TransformJobName="batch",
            ModelName="m",
            TransformInput={"DataSource": where, "ContentType": "text/csv", **(source or {})},
            TransformOutput={"S3OutputPath": f"s3://{cloud.bucket}/out", "Accept": "text/csv", **(output or {})},
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
            **more,
        )

    return go


def wait(cloud: Any) -> Any:
    return cloud.wait(
        lambda: cloud.client.describe_transform_job(TransformJobName="batch"),
        "TransformJobStatus", "Completed", "Failed", "Stopped",
    )  # fmt: skip


def test_every_object_goes_through_the_model_and_keeps_its_name(cloud: Any, transform: Any) -> None:
    cloud.put("in/a.csv", "1,2\n3,4\n")
    cloud.put("in/deep/b.csv", "5,6\n")

    transform(DOUBLE, source={"SplitType": "Line"}, output={"AssembleWith": "Line"}, Environment={"X": "1"})

    job = wait(cloud)
    assert job["TransformJobStatus"] == "Completed", job
    assert cloud.read("s3://data/out/a.csv.out") == b"6.0\n14.0\n"
    assert cloud.read("s3://data/out/deep/b.csv.out") == b"22.0\n"
    assert job["CreationTime"] <= job["TransformStartTime"] <= job["TransformEndTime"]
    assert job["Environment"] == {"X": "1"}


@pytest.mark.parametrize(
    ("source", "strategy", "answer"),
    [
        ({}, "MultiRecord", b"[3 text/csv text/csv]"),
        ({"SplitType": "Line"}, "MultiRecord", b"[3 text/csv text/csv]"),
        ({"SplitType": "Line"}, "SingleRecord", b"[1 text/csv text/csv]" * 3),
    ],
)
def test_what_a_request_carries_is_as_the_batch_strategy_says(
    cloud: Any, transform: Any, source: dict[str, Any], strategy: str, answer: bytes
) -> None:
    cloud.put("in/a", "1\n2\n3\n")

    transform(ECHO, source=source, BatchStrategy=strategy)

    assert wait(cloud)["TransformJobStatus"] == "Completed"
    assert cloud.read("s3://data/out/a.out") == answer


def test_a_model_that_raises_fails_the_job_in_its_own_words(cloud: Any, transform: Any) -> None:
    cloud.put("in/a.csv", "1,x\n")

    transform(DOUBLE)

    job = wait(cloud)
    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: ValueError: could not convert string to float")


def test_a_model_without_code_fails_the_job_and_says_what_to_give(cloud: Any) -> None:
    cloud.put("in/a.csv", "1\n")
    data = cloud.put_archive("model.tar.gz", {"weights": "1"})
    cloud.client.create_model(
        ModelName="m", PrimaryContainer={"Image": cloud.image, "ModelDataUrl": data}, ExecutionRoleArn=cloud.role
    )
    where = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{cloud.bucket}/in/"}}
    cloud.client.create_transform_job(
        TransformJobName="batch",
        ModelName="m",
        TransformInput={"DataSource": where},
        TransformOutput={"S3OutputPath": f"s3://{cloud.bucket}/out"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )

    reason = wait(cloud)["FailureReason"]

    assert cloud.image in reason
    assert "code/inference.py" in reason


def test_a_stopped_job_ends_as_stopped(cloud: Any, transform: Any) -> None:
    cloud.put("in/a", "1\n")
    slow = ECHO.replace(
        "    return f", "    import time\n    print('busy', flush=True)\n    time.sleep(60)\n    return f"
    )
    transform(slow)
    cloud.wait_for_line("transform-job", "batch", "busy")

    cloud.client.stop_transform_job(TransformJobName="batch")

    assert wait(cloud)["TransformJobStatus"] == "Stopped"
    told = [c.description["TransformJobStatus"] for c in cloud.changes if c.kind == "transform-job"]
    assert told == ["InProgress", "Stopping", "Stopped"]


def test_a_record_that_is_too_large_fails_the_job(cloud: Any, transform: Any) -> None:
    cloud.put("in/a", "x" * 1_000_001)

    transform(ECHO, MaxPayloadInMB=1)

    assert "MaxPayloadInMB" in wait(cloud)["FailureReason"]
