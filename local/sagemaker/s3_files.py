"""Folders of a job from and to S3, as SageMaker copies them in File mode."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


_ABSENT = {"404", "NoSuchKey", "NoSuchBucket", "403", "AccessDenied"}


class StagingError(Exception):
    """Data of a job could not be copied; the text is what the job's ``FailureReason`` says."""


def split_s3_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of an S3 URI.

    Raises:
        StagingError: ``uri`` is not one.
    """
    parts = urlsplit(uri, allow_fragments=False)
    if parts.scheme != "s3" or not parts.netloc:
        raise StagingError(f"ClientError: '{uri}' is not an S3 URI: write s3://bucket/key")
    return parts.netloc, parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")


def download(s3: S3Client, uri: str, data_type: str, folder: Path, *, gunzip: bool = False) -> int:
    """Copy what ``uri`` names into ``folder`` and return the number of files.

    Args:
        s3: Client.
        uri: A key prefix (``S3Prefix``) or the manifest's object (``ManifestFile``).
        data_type: ``S3Prefix`` or ``ManifestFile`` (API reference, S3DataSource).
        folder: Where the files go; made where it does not exist.
        gunzip: The objects are gzip-compressed and arrive unpacked (``CompressionType: Gzip``).

    Raises:
        StagingError: Nothing is there, or S3 refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    objects = {"S3Prefix": _prefix_objects, "ManifestFile": _manifest_objects}.get(data_type)
    if objects is None:
        raise StagingError(
            f"ClientError: S3DataType {data_type} is not supported by the local cloud: use S3Prefix or ManifestFile"
        )
    count = 0
    try:
        for bucket, key, relative in objects(s3, uri):
            body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            target = folder / (relative.removesuffix(".gz") if gunzip else relative)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(gzip.decompress(body) if gunzip else body)
            count += 1
    except ClientError as error:
        raise StagingError(_download_failure(f"{_words(error)} S3 URI: {uri}")) from error
    except gzip.BadGzipFile as error:
        raise StagingError(_download_failure(f"{uri} has an object that is not gzip: {error}")) from error
    if not count:
        raise StagingError(_download_failure(f"S3 key: {uri} matched no files on s3"))
    return count


def download_object(s3: S3Client, uri: str) -> bytes:
    """Return the object at ``uri``.

    Raises:
        StagingError: It is not there, or S3 refuses.
    """
    bucket, key = split_s3_uri(uri)
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        raise StagingError(_download_failure(f"{_words(error)} S3 URI: {uri}")) from error


def object_exists(s3: S3Client, uri: str) -> bool:
    """Tell whether there is an object at ``uri``, or below it where it ends with a slash."""
    bucket, key = split_s3_uri(uri)
    if not key.endswith("/"):
        return object_etag(s3, uri) is not None
    try:
        return s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)["KeyCount"] > 0
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return False
        raise


def object_etag(s3: S3Client, uri: str) -> str | None:
    """Return the ETag of the object at ``uri`` without its quotes, or ``None`` where there is none to read."""
    bucket, key = split_s3_uri(uri)
    try:
        return s3.head_object(Bucket=bucket, Key=key)["ETag"].strip('"')
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return None
        raise


def upload_folder(s3: S3Client, folder: Path, uri: str) -> None:
    """Copy every file below ``folder`` to the prefix ``uri``.

    Raises:
        StagingError: S3 refuses.
    """
    bucket, prefix = split_s3_uri(uri)
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        key = str(PurePosixPath(prefix) / file.relative_to(folder).as_posix())
        upload_bytes(s3, file.read_bytes(), f"s3://{bucket}/{key}")


def upload_bytes(s3: S3Client, body: bytes, uri: str) -> None:
    """Write one object.

    Raises:
        StagingError: S3 refuses.
    """
    bucket, key = split_s3_uri(uri)
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    except ClientError as error:
        raise StagingError(f"ClientError: Data upload failed: {_words(error)} S3 URI: {uri}") from error


def pack(folder: Path) -> bytes:
    """Return ``folder``'s content as a gzip-compressed tar archive, in the order of the names."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for entry in sorted(folder.iterdir()):
            archive.add(entry, arcname=entry.name)
    return buffer.getvalue()


def unpack(archive: bytes, folder: Path, uri: str) -> None:
    """Unpack a tar archive into ``folder``; entries that would leave it are refused.

    Raises:
        StagingError: ``archive`` is not a tar archive, or unsafe.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
    except tarfile.TarError as error:
        raise StagingError(f"ClientError: {uri} could not be unpacked: {error}") from error


def _prefix_objects(s3: S3Client, uri: str) -> Iterator[tuple[str, str, str]]:
    bucket, prefix = split_s3_uri(uri)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            key = entry["Key"]
            if not key.endswith("/"):
                yield bucket, key, _relative(key, prefix)


def _relative(key: str, prefix: str) -> str:
    if prefix.endswith("/") or not prefix:
        return key.removeprefix(prefix)
    if key.startswith(f"{prefix}/"):
        return key.removeprefix(f"{prefix}/")
    parent = prefix.rpartition("/")[0]
    return key.removeprefix(f"{parent}/") if parent else key


def _manifest_objects(s3: S3Client, uri: str) -> Iterator[tuple[str, str, str]]:
    manifest = json.loads(download_object(s3, uri))
    match manifest:
        case [{"prefix": str(prefix)}, *names] if all(isinstance(name, str) for name in names):
            for name in cast("list[str]", names):
                bucket, key = split_s3_uri(f"{prefix}{name}")
                yield bucket, key, name
        case _:
            raise StagingError(
                f"ClientError: {uri} is not a manifest: "
                'write [{"prefix": "s3://bucket/folder/"}, "relative/key", ...]'
            )


def _download_failure(text: str) -> str:
    return f"ClientError: Data download failed:{text}"


def _words(error: ClientError) -> str:
    return f"{error.response['Error']['Code']}: {error.response['Error'].get('Message', '')}"
