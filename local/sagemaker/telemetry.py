"""What a running job says, as CloudWatch learns of it: metrics of its regular expressions, and its log.

Namespace and log group are ``/aws/sagemaker/TrainingJobs``, a metric's dimension is ``TrainingJobName``, a log stream
``JOB/algo-1-SECONDS`` (SageMaker developer guide, training-metrics, logging-cloudwatch). AWS publishes once a minute.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from botocore.exceptions import BotoCoreError, ClientError

from local import ministack_access
from local.sagemaker.resources import Resource, utc_now

GROUP = "/aws/sagemaker/TrainingJobs"
_INTERVAL_SECONDS = 0.5
_VALUES_PER_CALL = 1_000  # CloudWatch API reference, PutMetricData
_LINES_PER_CALL = 10_000  # CloudWatch Logs API reference, PutLogEvents
_EMPTY_LINE = " "  # a message has a character at least

Value = tuple[str, float, datetime]
Line = tuple[str, datetime]
SendTelemetry = Callable[[Resource, str, Sequence[Value], Sequence[Line]], None]
"""(job, log stream, values, lines) -> None"""

logger = logging.getLogger(__name__)


def send_nothing(_job: Resource, _stream: str, _values: Sequence[Value], _lines: Sequence[Line]) -> None:
    """Keep what a job says to itself."""


def send_to_cloudwatch(job: Resource, stream: str, values: Sequence[Value], lines: Sequence[Line]) -> None:
    """Put values and lines into the CloudWatch of the job's account, as SageMaker does.

    Raises:
        ClientError: CloudWatch refuses them.
        NotRunningError: No local cloud runs in this process.
    """
    metrics = ministack_access.root_client("cloudwatch", job.account, job.region)
    for begin in range(0, len(values), _VALUES_PER_CALL):
        metrics.put_metric_data(
            Namespace=GROUP,
            MetricData=[
                {
                    "MetricName": name,
                    "Dimensions": [{"Name": "TrainingJobName", "Value": job.name}],
                    "Timestamp": at,
                    "Value": value,
                    "StorageResolution": 1,
                }
                for name, value, at in values[begin : begin + _VALUES_PER_CALL]
            ],
        )
    if not lines:
        return
    logs = ministack_access.root_client("logs", job.account, job.region)
    for create, names in ((logs.create_log_group, {}), (logs.create_log_stream, {"logStreamName": stream})):
        try:
            create(logGroupName=GROUP, **names)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
                raise
    for begin in range(0, len(lines), _LINES_PER_CALL):
        logs.put_log_events(
            logGroupName=GROUP,
            logStreamName=stream,
            logEvents=[
                {"timestamp": int(at.timestamp() * 1000), "message": text or _EMPTY_LINE}
                for text, at in lines[begin : begin + _LINES_PER_CALL]
            ],
        )


@dataclass
class Telemetry:
    """Sends what one job says while it says it, from a thread of its own, so that no job waits for CloudWatch."""

    job: Resource
    send: SendTelemetry
    interval_seconds: float = _INTERVAL_SECONDS
    _values: list[Value] = field(default_factory=list)
    _lines: list[Line] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._stream = f"{self.job.name}/algo-1-{int(utc_now().timestamp())}"
        self._thread = threading.Thread(target=self._work, name=f"telemetry-{self.job.name}", daemon=True)

    def __enter__(self) -> Self:
        """Begin to send."""
        self._thread.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        """Send what is left, and end the thread."""
        self._closed.set()
        self._thread.join()

    def add_line(self, text: str) -> None:
        """Take a line of the job's log."""
        with self._lock:
            self._lines.append((text, utc_now()))

    def add_value(self, name: str, value: float, at: datetime) -> None:
        """Take a value of a metric."""
        with self._lock:
            self._values.append((name, value, at))

    def _work(self) -> None:
        while not self._closed.wait(self.interval_seconds):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        with self._lock:
            values, self._values = self._values, []
            lines, self._lines = self._lines, []
        if not values and not lines:
            return
        try:
            self.send(self.job, self._stream, values, lines)
        except (BotoCoreError, ClientError, ministack_access.NotRunningError):
            # The server ends before its jobs do; a job does not fail because nobody reads what it says.
            logger.warning("not told to CloudWatch: %d values, %d lines of %s", len(values), len(lines), self.job.name)
