"""What a running training job tells CloudWatch, while it runs."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import EndpointConnectionError

from local.sagemaker.resources import Resource
from local.sagemaker.telemetry import Line, Telemetry, Value

JOB = Resource(
    kind="training-job",
    name="train",
    arn="arn:aws:sagemaker:eu-west-1:123456789012:training-job/train",
    account="123456789012",
    region="eu-west-1",
    partition="aws",
    description={},
    tags={},
)


class Heard:
    def __init__(self) -> None:
        self.values: list[Value] = []
        self.lines: list[Line] = []
        self.streams: set[str] = set()
        self.came = threading.Event()

    def __call__(self, _job: Resource, stream: str, values: Sequence[Value], lines: Sequence[Line]) -> None:
        self.streams.add(stream)
        self.values += values
        self.lines += lines
        self.came.set()


def now() -> datetime:
    return datetime.fromisoformat("2026-11-23T12:00:00+00:00")


def test_what_a_job_says_is_sent_before_it_ends() -> None:
    heard = Heard()

    with Telemetry(JOB, heard, interval_seconds=0.01) as telemetry:
        telemetry.add_line("loss=0.5")
        telemetry.add_value("loss", 0.5, now())
        assert heard.came.wait(20)

    assert heard.values == [("loss", 0.5, now())]
    assert [text for text, _ in heard.lines] == ["loss=0.5"]
    assert all(stream.startswith("train/algo-1-") for stream in heard.streams)


def test_what_is_said_last_is_sent_at_the_end() -> None:
    heard = Heard()

    with Telemetry(JOB, heard, interval_seconds=1000) as telemetry:
        telemetry.add_value("loss", 0.4, now())

    assert heard.values == [("loss", 0.4, now())]


def test_a_job_does_not_fail_because_nobody_hears_it() -> None:
    def deaf(*_said: Any) -> None:
        raise EndpointConnectionError(endpoint_url="http://gone")

    with Telemetry(JOB, deaf, interval_seconds=1000) as telemetry:
        telemetry.add_value("loss", 0.4, now())
