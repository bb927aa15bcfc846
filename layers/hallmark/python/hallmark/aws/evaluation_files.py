"""What runs keep in S3: the plan, the batches, the results of each batch, the report; and the datasets they read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.errors import InvalidInputError, NotFoundError
from hallmark.evaluation.cases import Case
from hallmark.evaluation.plans import Batch, Plan
from hallmark.evaluation.results import CaseResult

if TYPE_CHECKING:
    from hallmark.evaluation.datasets.reading import DataReport

_READERS = 16
_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "404"})
CASES_PREFIX = "cases"
"""Results of all cases as Parquet, for Athena: ``cases/suite=<suite>/run=<run>/``."""


ANSWERS = "answers"
"""Stage of what jobs of AWS answered and measured, before our scorers see it."""


class RunFiles:
    """Files of one run, under ``runs/<suite>/<run>/``."""

    def __init__(self, bucket: str, client: Any, suite: str, run: str) -> None:
        self._bucket = bucket
        self._client = client
        self._prefix = f"runs/{suite}/{run}"
        self._cases = f"{CASES_PREFIX}/suite={suite}/run={run}/cases.parquet"

    @property
    def uri(self) -> str:
        """URI of the run's folder."""
        return f"s3://{self._bucket}/{self._prefix}/"

    def write_plan(self, plan: Plan) -> None:
        """Keep the plan."""
        self._put("plan.json", plan.model_dump_json().encode())

    def read_plan(self) -> Plan:
        """Return the plan.

        Raises:
            NotFoundError: The run has none.
        """
        return Plan.model_validate_json(self._get("plan.json"))

    def write_batch(self, batch: Batch) -> None:
        """Keep a batch."""
        self._put(f"batches/{batch.number}.json", batch.model_dump_json(exclude_defaults=True).encode())

    def read_batch(self, number: int) -> Batch:
        """Return a batch."""
        return Batch.model_validate_json(self._get(f"batches/{number}.json"))

    def write_data(self, data: Mapping[str, DataReport]) -> None:
        """Keep what the datasets are like, and every line that was rejected."""
        content = {name: each.model_dump(mode="json") for name, each in data.items()}
        self._put("report.data.json", json.dumps(content, ensure_ascii=False).encode())

    def write_anchors(self, cases: Iterable[Case]) -> None:
        """Keep the judges' anchors."""
        lines = [case.model_dump_json(exclude_defaults=True).encode() for case in cases]
        self._put("batches/anchors.jsonl", b"\n".join(lines) + b"\n")

    def read_anchors(self) -> tuple[Case, ...]:
        """Return the judges' anchors; none where the run has none."""
        try:
            content = self._get("batches/anchors.jsonl")
        except NotFoundError:
            return ()
        return tuple(Case.model_validate_json(line) for line in content.splitlines() if line)

    def write_round(self, number: int, lines: Iterable[bytes]) -> str:
        """Keep what a round asks, one JSON object a line, for the workflow's map; return the key."""
        return self._put(f"rounds/{number}.jsonl", b"\n".join(lines) + b"\n")

    def find_results(self, model: str, batch: int, stage: str = "results") -> tuple[CaseResult, ...] | None:
        """Return the results of a batch; None where it has none yet."""
        try:
            return _read_results(self._get(f"{stage}/{model}/{batch}.jsonl"))
        except NotFoundError:
            return None

    def write_results(self, model: str, batch: int, results: Iterable[CaseResult], stage: str = "results") -> None:
        """Keep the results of a batch."""
        lines = [result.model_dump_json(exclude_defaults=True).encode() for result in results]
        self._put(f"{stage}/{model}/{batch}.jsonl", b"\n".join(lines) + b"\n")

    def all_results(self, models: Iterable[str], batches: Iterable[int]) -> Iterator[CaseResult]:
        """Yield the results of batches, with the judges' scores where they were judged; what is missing is left out."""
        wanted = [(model, batch) for model in models for batch in batches]

        def read(one: tuple[str, int]) -> tuple[CaseResult, ...]:
            model, batch = one
            return self.find_results(model, batch, "judged") or self.find_results(model, batch) or ()

        with ThreadPoolExecutor(_READERS) as readers:
            for results in readers.map(read, wanted):
                yield from results

    def write_deployment(self, model: str, arn: str) -> None:
        """Keep the ARN by which a custom model of the run is called."""
        self._put(f"deployments/{model}.txt", arn.encode(), "text/plain")

    def find_deployment(self, model: str) -> str | None:
        """Return the ARN by which a custom model of the run is called; None where it has none."""
        try:
            return self._get(f"deployments/{model}.txt").decode()
        except NotFoundError:
            return None

    def write_jobs(self, name: str, numbers: Iterable[int]) -> str:
        """Keep the numbers of jobs, one JSON object a line, for the workflow's map; return the key.

        Args:
            name: ``jobs`` or ``scoring``.
            numbers: Of the plan's jobs.
        """
        return self._put(f"rounds/{name}.jsonl", b"".join(b'{"job": %d}\n' % number for number in numbers))

    def job_uri(self, job: str) -> str:
        """Return the URI of a job's folder, with ``/`` at its end.

        Args:
            job: Its name in AWS.
        """
        return f"{self.uri}jobs/{job}/"

    def write_job_input(self, job: str, name: str, content: bytes) -> str:
        """Keep what a job reads; return its URI."""
        return f"s3://{self._bucket}/{self._put(f'jobs/{job}/input/{name}', content)}"

    def read_job_output(self, job: str, suffix: str) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of what a job wrote, found by listing: where AWS puts it varies.

        Args:
            job: Its name in AWS.
            suffix: End of the names that are wanted.
        """
        prefix = f"{self._prefix}/jobs/{job}/output/"
        with calling(f"listing the output of {job}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            names = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        for name in sorted(names):
            if name.endswith(suffix):
                yield name.removeprefix(prefix), _read(self._client, self._bucket, name)

    def write_report(self, name: str, content: bytes, content_type: str) -> str:
        """Keep one form of the report; return its URI."""
        return f"s3://{self._bucket}/{self._put(name, content, content_type)}"

    def read_report(self, name: str) -> bytes:
        """Return one form of the report.

        Raises:
            NotFoundError: The run has none (yet).
        """
        return self._get(name)

    def write_table(self, parquet: bytes) -> None:
        """Keep the results of all cases as Parquet, where Athena finds them."""
        with calling("writing the table of cases"):
            self._client.put_object(Bucket=self._bucket, Key=self._cases, Body=parquet)

    def _put(self, name: str, content: bytes, content_type: str = "application/json") -> str:
        key = f"{self._prefix}/{name}"
        with calling(f"writing {name}"):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=content_type)
        return key

    def _get(self, name: str) -> bytes:
        return _read(self._client, self._bucket, f"{self._prefix}/{name}")


def read_objects(client: Any, location: str) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the object at a URI, or of all objects under it where it ends with ``/``.

    Raises:
        InvalidInputError: There is nothing, or it may not be read.
    """
    bucket, _, key = location.removeprefix("s3://").partition("/")
    try:
        names = [key] if not key.endswith("/") else _list(client, bucket, key)
        for name in names:
            yield name, _read(client, bucket, name)
    except NotFoundError:
        raise InvalidInputError("location", location, "there is no such object; put the dataset there") from None
    except ClientError as error:
        remedy = f"it cannot be read ({describe_error(error)}): add its bucket to evaluation.data_buckets"
        raise InvalidInputError("location", location, remedy) from error


def _list(client: Any, bucket: str, prefix: str) -> list[str]:
    with calling(f"listing s3://{bucket}/{prefix}"):
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        names = [entry["Key"] for page in pages for entry in page.get("Contents", []) if entry["Size"]]
    if not names:
        raise NotFoundError(f"s3://{bucket}/{prefix} is empty")
    return sorted(names)


def _read(client: Any, bucket: str, key: str) -> bytes:
    try:
        with calling(f"reading s3://{bucket}/{key}"):
            content: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error_code(error) in _MISSING:
            raise NotFoundError(f"there is no s3://{bucket}/{key}") from error
        raise
    return content


def _read_results(content: bytes) -> tuple[CaseResult, ...]:
    return tuple(CaseResult.model_validate_json(line) for line in content.splitlines() if line)
