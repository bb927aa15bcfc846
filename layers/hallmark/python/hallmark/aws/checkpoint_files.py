"""What evaluations of a training job's checkpoints say, from the files beside them in S3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.errors import InvalidInputError
from hallmark.gates.checkpoints import EvaluatedCheckpoints, read_evaluations
from hallmark.gates.curves import Point
from hallmark.gates.watch_settings import CheckpointEvaluations

_PAGES = 20
"""Of a thousand objects each: a checkpoint of a large model has hundreds of them."""
_FILES = 200
_BYTES = 16_000_000


class _File(NamedTuple):
    key: str
    written_at: datetime
    size: int


class CheckpointCurve(NamedTuple):
    """The metric so far.

    Attributes:
        curve: In the order of steps.
        not_a_number: A value that is none, and the file that has it.
        written_at: When the newest file was written.
    """

    curve: Sequence[Point]
    not_a_number: str | None = None
    written_at: datetime | None = None


class CheckpointFiles:
    """Reads evaluations of checkpoints."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def read(self, uri: str, metric: str, wanted: CheckpointEvaluations) -> CheckpointCurve:
        """Return the metric as the files below a job's checkpoints say it; of two values at a step the newest.

        Args:
            uri: ``S3Uri`` of the job's ``CheckpointConfig``.
            metric: Its name in the files.
            wanted: Which files, and what the step is called there.

        Raises:
            InvalidInputError: The place may not be read, or does not exist.
            UnavailableError: S3 did not answer.
        """
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        prefix = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
        files = sorted(self._files(bucket, prefix, wanted.files), key=lambda file: file.written_at, reverse=True)
        found: dict[float, float] = {}
        odd = None
        for file in files[:_FILES]:
            told = self._told(bucket, file, metric, wanted.step)
            if told is None:
                continue
            for step, value in told.points:
                found.setdefault(step, value)
            if told.not_a_number and odd is None:
                odd = f"{told.not_a_number} in s3://{bucket}/{file.key}"
            if told.is_history:
                break
        curve = [Point(step, value) for step, value in sorted(found.items())]
        return CheckpointCurve(curve, odd, files[0].written_at if files else None)

    def _files(self, bucket: str, prefix: str, patterns: Sequence[str]) -> Iterator[_File]:
        more: dict[str, str] = {}
        for _ in range(_PAGES):
            try:
                with calling("listing checkpoints"):
                    page = self._s3.list_objects_v2(Bucket=bucket, Prefix=prefix, **more)
            except ClientError as error:
                remedy = f"add the bucket to lineage.data_buckets of hallmark.yaml ({describe_error(error)})"
                raise InvalidInputError("CheckpointConfig.S3Uri", f"s3://{bucket}/{prefix}", remedy) from error
            for entry in page.get("Contents", []):
                below = entry["Key"].removeprefix(prefix)
                if entry["Size"] <= _BYTES and any(fnmatchcase(below, pattern) for pattern in patterns):
                    yield _File(entry["Key"], entry["LastModified"], entry["Size"])
            if not page.get("NextContinuationToken"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _told(self, bucket: str, file: _File, metric: str, step: str) -> EvaluatedCheckpoints | None:
        try:
            with calling(f"reading {file.key}"):
                body = self._s3.get_object(Bucket=bucket, Key=file.key)["Body"].read()
        except ClientError as error:
            if error_code(error) == "NoSuchKey":  # trainers keep the newest checkpoints only
                return None
            remedy = f"name its key in lineage.data_keys of hallmark.yaml, if it has one ({describe_error(error)})"
            raise InvalidInputError("a checkpoint's evaluation", f"s3://{bucket}/{file.key}", remedy) from error
        return read_evaluations(body, metric, step)
