"""Running a manifest: versions are copied inside S3, the job is started and followed, by the caller's own rights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError
from s3transfer.exceptions import S3UploadFailedError
from s3transfer.manager import TransferConfig, TransferManager

from hallmark.aws.failures import describe_error
from hallmark.errors import HallmarkError
from hallmark.lineage.reproduction.manifest import Manifest
from hallmark.lineage.reproduction.requests import OPERATIONS
from hallmark.lineage.reproduction.staging import Copy

_WHOLE_BYTES = 5 * 1024**3
"""CopyObject copies up to 5 GB at once (S3 API reference); beyond, parts are copied."""
_PART_BYTES = 512 * 1024**2
_THREADS = 8


class RerunError(HallmarkError):
    """A run cannot be started or followed; the message says why."""


class StartedRun(NamedTuple):
    """A second run: its ARN and when it was made."""

    arn: str
    made_at: datetime


class Standing(NamedTuple):
    """How a run stands."""

    status: str
    detail: str
    failure: str


class Reruns:
    """Copies, starts and follows.

    Args:
        clients: Gives the client of a service.
    """

    def __init__(self, clients: Callable[[str], Any]) -> None:
        self._clients = clients

    def copy(self, copies: Sequence[Copy]) -> Iterator[Copy]:
        """Copy versions to their places, and yield each once it is there.

        A place is named by its content, so what is there already, with the same size, is not copied again.

        Raises:
            RerunError: S3 refuses.
        """
        s3 = self._clients("s3")
        there = self._there(copies)
        config = TransferConfig(
            multipart_threshold=_WHOLE_BYTES, multipart_chunksize=_PART_BYTES, max_request_concurrency=_THREADS
        )
        with TransferManager(s3, config) as transfers:
            waiting = []
            for copy in copies:
                if there.get((copy.bucket, copy.target)) == copy.size:
                    yield copy
                    continue
                source = {"Bucket": copy.source_bucket, "Key": copy.source_key}
                if copy.version_id:
                    source["VersionId"] = copy.version_id
                # Tags are left out: to copy them asks for one more permission on the source.
                waiting.append(
                    (copy, transfers.copy(source, copy.bucket, copy.target, {"TaggingDirective": "REPLACE"}))
                )
            for copy, future in waiting:
                try:
                    future.result()
                except ClientError as error:
                    raise RerunError(f"copying {copy.source}: {describe_error(error)}") from None
                except (BotoCoreError, S3UploadFailedError) as error:
                    raise RerunError(f"copying {copy.source}: {error}") from None
                yield copy

    def _there(self, copies: Sequence[Copy]) -> dict[tuple[str, str], int]:
        """Return the sizes of what lies in the folders that are copied to."""
        found: dict[tuple[str, str], int] = {}
        for bucket, folder in sorted({(copy.bucket, copy.folder) for copy in copies}):
            pages = self._clients("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
            try:
                found.update(
                    {(bucket, each["Key"]): each["Size"] for page in pages for each in page.get("Contents", ())}
                )
            except ClientError as error:
                raise RerunError(f"s3://{bucket}/{folder}: {describe_error(error)}") from None
            except BotoCoreError as error:
                raise RerunError(f"s3://{bucket}/{folder}: {error}") from None
        return found

    def start(self, manifest: Manifest) -> StartedRun:
        """Start the run of a manifest.

        Raises:
            RerunError: There is no request, or SageMaker refuses it.
        """
        if manifest.request is None:
            raise RerunError(f"{manifest.run.name} has no request: the manifest's holes say what is not known")
        answer = self._call(manifest.operation, manifest.request)
        arn = next(str(value) for name, value in answer.items() if name.endswith("Arn"))
        return StartedRun(arn, self._describe(manifest)["CreationTime"])

    def standing(self, manifest: Manifest) -> Standing:
        """Tell how the second run of a manifest stands.

        Raises:
            RerunError: SageMaker does not answer.
        """
        answer = self._describe(manifest)
        word = manifest.operation.removeprefix("Create")
        return Standing(
            str(answer[f"{word}Status"]), str(answer.get("SecondaryStatus", "")), str(answer.get("FailureReason", ""))
        )

    def _describe(self, manifest: Manifest) -> dict[str, Any]:
        name = OPERATIONS[manifest.run.kind].name
        return self._call(manifest.operation.replace("Create", "Describe", 1), {name: (manifest.request or {})[name]})

    def _call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._clients("sagemaker"), xform_name(operation))(**request)
        except ClientError as error:
            raise RerunError(f"{operation}: {describe_error(error)}") from None
        except BotoCoreError as error:
            raise RerunError(f"{operation}: {error}") from None
        answer.pop("ResponseMetadata", None)
        return answer
