"""What models answered in production, where AWS keeps it: logs of Bedrock, captures of endpoints."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from hallmark.aws.review_files import reading, split_location
from hallmark.reviews.feedback import FoundAnswer, group_of
from hallmark.reviews.outputs import Output, read_captures, read_invocation_logs
from hallmark.reviews.ports import Wanted
from hallmark.reviews.settings import FeedbackPolicy
from hallmark.reviews.subjects import Place

_HOUR = timedelta(hours=1)
_LATE = timedelta(hours=2)
"""A record may lie in the file of a later hour than that of its time: files are written some time after."""
_DELIVERY = timedelta(minutes=15)
"""An object that is listed is not always listed at once, clocks differ: a look goes back so far behind the last one."""


class _File(NamedTuple):
    bucket: str
    key: str
    modified_at: datetime

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class ProductionFiles:
    """Files of logs and captures, by the hour that their keys name.

    Args:
        client: Of S3.
        place: Account and Region, which are part of a log's keys.
    """

    def __init__(self, client: Any, place: Place) -> None:
        self._client = client
        self._place = place

    def logs(self, location: str, start: datetime, end: datetime) -> Iterator[_File]:
        """Yield the files of Bedrock's invocation log that may hold records of a time."""
        place = self._place
        bucket, prefix = split_location(location)
        folder = f"{prefix}AWSLogs/{place.account}/BedrockModelInvocationLogs/{place.region}/"
        for file in self._of_hours(bucket, folder, start, end):
            # Large bodies and the permission check lie beside the records.
            if "/data/" not in file.key and file.key.endswith((".json.gz", ".json", ".gz")):
                yield file

    def captures(self, location: str, endpoint: str, start: datetime, end: datetime) -> Iterator[_File]:
        """Yield the files of an endpoint's data capture, of all its variants."""
        bucket, prefix = split_location(location)
        if not prefix.endswith(f"{endpoint}/"):
            prefix = f"{prefix}{endpoint}/"
        with reading(f"s3://{bucket}/{prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
            variants = [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", ())]
        for variant in variants:
            for file in self._of_hours(bucket, variant, start, end):
                if file.key.endswith(".jsonl"):
                    yield file

    def text(self, file: _File) -> str:
        """Return the content of a file; what is broken in it ends it."""
        with reading(file.uri):
            content: bytes = self._client.get_object(Bucket=file.bucket, Key=file.key)["Body"].read()
        return _unpacked(content).decode("utf-8", errors="replace")

    def _of_hours(self, bucket: str, folder: str, start: datetime, end: datetime) -> Iterator[_File]:
        first, last = start.astimezone(UTC) - _HOUR, end.astimezone(UTC) + _LATE
        day = first.date()
        while day <= last.date():
            prefix = f"{folder}{day:%Y/%m/%d}/"
            with reading(f"s3://{bucket}/{prefix}"):
                pages = list(self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix))
            for entry in (entry for page in pages for entry in page.get("Contents", ())):
                hour = entry["Key"].removeprefix(prefix).partition("/")[0]
                if f"{first:%Y%m%d%H}" <= f"{day:%Y%m%d}{hour}" <= f"{last:%Y%m%d%H}" and entry["Size"]:
                    yield _File(bucket, entry["Key"], entry["LastModified"])
            day += timedelta(days=1)


def _unpacked(content: bytes) -> bytes:
    """Return what gzip holds, up to where it is broken off; other content as it is."""
    if content[:2] != _GZIP:
        return content
    found = []
    while content[:2] == _GZIP:
        member = zlib.decompressobj(wbits=_GZIP_BITS)
        try:
            found.append(member.decompress(content))
        except zlib.error:
            break
        content = member.unused_data
    return b"".join(found)


_GZIP = b"\x1f\x8b"
_GZIP_BITS = 31
"""zlib's word for gzip with its largest window."""


class S3Answers:
    """AnswerFinder: looks through logs and captures, from the hour in which the oldest request may have been made."""

    def __init__(self, files: ProductionFiles, policy: FeedbackPolicy, place: Place, now: datetime) -> None:
        self._files = files
        self._policy = policy
        self._place = place
        self._now = now

    def find(self, wanted: Mapping[str, Wanted]) -> dict[str, FoundAnswer]:
        """Return the answers that are delivered already."""
        found: dict[str, FoundAnswer] = {}
        if not wanted:
            return found
        start = min(each.asked_from for each in wanted.values())
        # What was looked through before need not be read again, unless somebody new asks for something.
        looked = [each.looked_at for each in wanted.values()]
        known = min((at for at in looked if at is not None), default=None) if None not in looked else None
        for location in self._policy.logs:
            for file in _since(self._files.logs(location, start, self._now), known):
                outputs = read_invocation_logs(self._files.text(file), wanted)
                self._take(outputs, wanted, found, file, endpoint=None)
        for endpoint, location in self._policy.captures.items():
            for file in _since(self._files.captures(location, endpoint, start, self._now), known):
                outputs = read_captures(self._files.text(file), endpoint, wanted)
                self._take(outputs, wanted, found, file, endpoint=endpoint)
        return found

    def _take(
        self,
        outputs: Iterable[Output],
        wanted: Mapping[str, Wanted],
        found: dict[str, FoundAnswer],
        file: _File,
        endpoint: str | None,
    ) -> None:
        for output in outputs:
            if output.request_id in wanted and output.request_id not in found:
                place = self._place
                found[output.request_id] = FoundAnswer(
                    subject=place.endpoint_arn(endpoint) if endpoint else place.model_arn(output.model),
                    prompt=output.prompt,
                    answer=output.answer,
                    at=output.at,
                    group=group_of(output.labels),
                    where=file.uri,
                )


def _since(files: Iterable[_File], known: datetime | None) -> Iterator[_File]:
    return (file for file in files if known is None or file.modified_at >= known - _DELIVERY)


def within(output: Output, start: datetime, end: datetime) -> bool:
    """Tell whether an output is of a time, or of none that is known."""
    return output.at is None or start <= output.at < end


def variant_of(key: str) -> str:
    """Return the variant of a capture's key: ``…/endpoint/variant/yyyy/mm/dd/hh/file``."""
    parts = key.split("/")
    return parts[-6] if len(parts) > _AFTER_VARIANT else ""


_AFTER_VARIANT = 5
