"""Where measurements of coverage are kept: the newest, and one of each day."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError
from pydantic import ValidationError

from hallmark.aws.failures import calling, error_code
from hallmark.lineage.coverage.report import CoverageReport

_LATEST = "coverage/latest.json"


class CoverageReports:
    """The reports in a bucket, below ``coverage/``."""

    def __init__(self, bucket: str, client: Any) -> None:
        self._bucket = bucket
        self._client = client

    def keep(self, report: CoverageReport) -> str:
        """Keep a report as the newest and as that of its day; return the day's URI.

        Raises:
            UnavailableError: S3 did not answer.
        """
        body = report.model_dump_json(indent=1).encode()
        day = f"coverage/{report.measured_at:%Y-%m-%d}.json"
        for key in (day, _LATEST):
            with calling("keeping a report of coverage"):
                self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")
        return f"s3://{self._bucket}/{day}"

    def latest(self) -> CoverageReport | None:
        """Return the newest report; None where there is none, or only one of another version of Hallmark's.

        Raises:
            UnavailableError: S3 did not answer.
        """
        try:
            with calling("reading the report of coverage"):
                body = self._client.get_object(Bucket=self._bucket, Key=_LATEST)["Body"].read()
        except ClientError as error:
            if error_code(error) == "NoSuchKey":
                return None
            raise
        try:
            return CoverageReport.model_validate_json(body)
        except ValidationError:
            return None
