"""Training jobs while they run: what SageMaker, CloudWatch and their log say of them, and how they are stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.errors import NotFoundError, UnavailableError

NAMESPACE = "/aws/sagemaker/TrainingJobs"
"""Of metrics, with the dimension ``TrainingJobName`` for those of ``MetricDefinitions`` and ``Host`` for those of the
instances (SageMaker developer guide, monitoring-cloudwatch); the log group has the same name."""
_MAXIMUM_POINTS = 2_000
_LOG_EVENTS = 1_000
_ODD = "%[nN][aA][nN]|[iI][nN][fF]%"
"""Filter pattern of CloudWatch Logs, a regular expression: anywhere in a line (user guide, FilterAndPatternSyntax)."""


class TrainingJobs:
    """Training jobs of this account and Region."""

    def __init__(self, sagemaker: Any, cloudwatch: Any, logs: Any) -> None:
        self._sagemaker = sagemaker
        self._cloudwatch = cloudwatch
        self._logs = logs

    def describe(self, name: str) -> Mapping[str, Any]:
        """Return what SageMaker says of a job.

        Raises:
            NotFoundError: It does not exist (any more).
            UnavailableError: SageMaker did not answer, or refuses.
        """
        try:
            with calling(f"describing training job {name}"):
                answer: Mapping[str, Any] = self._sagemaker.describe_training_job(TrainingJobName=name)
        except ClientError as error:
            if error_code(error) in {"ResourceNotFound", "ValidationException"}:
                raise NotFoundError(f"training job {name} does not exist") from error
            raise UnavailableError(f"describing training job {name}: {describe_error(error)}") from error
        return answer

    def metrics(
        self, name: str, metrics: list[str], start: datetime, end: datetime, period: timedelta
    ) -> dict[str, dict[float, float]]:
        """Return metrics of a job: for each, seconds since the epoch to the mean within the period.

        Raises:
            UnavailableError: CloudWatch did not answer, or refuses.
        """
        seconds = _period_seconds(start, end, period)
        queries = [
            {
                "Id": f"m{place}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": NAMESPACE,
                        "MetricName": metric,
                        "Dimensions": [{"Name": "TrainingJobName", "Value": name}],
                    },
                    "Period": seconds,
                    "Stat": "Average",
                },
            }
            for place, metric in enumerate(metrics)
        ]
        found: dict[str, dict[float, float]] = {metric: {} for metric in metrics}
        request = {"MetricDataQueries": queries, "StartTime": start, "EndTime": end, "ScanBy": "TimestampAscending"}
        for page in self._pages("reading metrics", self._cloudwatch.get_metric_data, request):
            for result in page["MetricDataResults"]:
                values = found[metrics[int(result["Id"][1:])]]
                for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                    values[at.timestamp()] = value
        return found

    def odd_lines(self, name: str, since: datetime) -> list[str]:
        """Return lines of a job's log that have NaN or infinity somewhere in them.

        Raises:
            UnavailableError: CloudWatch Logs did not answer, or refuses.
        """
        request = {
            "logGroupName": NAMESPACE,
            "logStreamNamePrefix": f"{name}/",
            "startTime": int(since.timestamp() * 1000),
            "filterPattern": _ODD,
            "limit": _LOG_EVENTS,
        }
        lines: list[str] = []
        try:
            for page in self._pages("reading the log", self._logs.filter_log_events, request, token="nextToken"):  # noqa: S106 - a member's name
                lines += [event["message"] for event in page["events"]]
                if len(lines) >= _LOG_EVENTS:
                    break
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":  # nothing has been logged in this account yet
                raise UnavailableError(f"reading the log of {name}: {describe_error(error)}") from error
        return lines

    def stop(self, name: str) -> None:
        """Ask a job to end; one that has ended, or is ending, stays as it is.

        Raises:
            UnavailableError: SageMaker did not answer, or refuses.
        """
        try:
            with calling(f"stopping training job {name}"):
                self._sagemaker.stop_training_job(TrainingJobName=name)
        except ClientError as error:
            # SageMaker refuses to stop what does not run (API reference, StopTrainingJob).
            if error_code(error) != "ValidationException":
                raise UnavailableError(f"stopping training job {name}: {describe_error(error)}") from error

    def _pages(self, what: str, call: Any, request: dict[str, Any], token: str = "NextToken") -> Iterator[Any]:  # noqa: S107 - a member's name
        more: dict[str, Any] = {}
        while True:
            with calling(what):
                page = call(**request, **more)
            yield page
            if not page.get(token):
                return
            more = {token: page[token]}


def _period_seconds(start: datetime, end: datetime, wanted: timedelta) -> int:
    """Return a period for which CloudWatch has values, and not too many of them.

    It keeps those of a second for 3 hours, of a minute for 15 days, of 5 minutes for 63 days, of an hour for 455 days
    (CloudWatch API reference, GetMetricData).
    """
    age = end - start
    seconds = int(wanted.total_seconds())
    for kept, least in ((timedelta(hours=3), 60), (timedelta(days=15), 300), (timedelta(days=63), 3600)):
        if age > kept:
            seconds = -(-seconds // least) * least
    while age.total_seconds() / seconds > _MAXIMUM_POINTS:
        seconds = 60 if seconds < 60 else seconds * 2  # noqa: PLR2004 - a minute
    return seconds
