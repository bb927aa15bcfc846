"""What of a manifest the account still has, and running it again: with the rights of whoever asks.

The command line alone uses this: an auditor sees what their own role may see, and no function of Hallmark's needs to
read buckets' rules, repositories or roles, or to start jobs.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from hallmark.aws.failures import describe_error, error_code
from hallmark.lineage.model import NodeKind
from hallmark.lineage.reproduction.checking import Image, KeyState, Known, Place, Protection
from hallmark.lineage.reproduction.lifecycles import StoredVersion
from hallmark.lineage.reproduction.manifest import Row

_GONE = frozenset({"NoSuchBucket", "NoSuchKey", "404", "NotFound"})
_NO_IMAGE = frozenset({"ImageNotFoundException", "RepositoryNotFoundException"})
_MISSING = frozenset({"ResourceNotFound", "ResourceNotFoundException", "ValidationException"})
_REGISTRY_PARTS = 2
# The shapes of SageMaker's service model that list the types of machines, and the words of its quotas.
_MACHINES: Mapping[NodeKind, tuple[str, str]] = {
    NodeKind.TRAINING_JOB: ("TrainingInstanceType", "for training job usage"),
    NodeKind.TUNING_JOB: ("TrainingInstanceType", "for training job usage"),
    NodeKind.PROCESSING_JOB: ("ProcessingInstanceType", "for processing job usage"),
    NodeKind.TRANSFORM_JOB: ("TransformInstanceType", "for transform job usage"),
}


class AccountWorld:
    """World of ``checking.py``, by the caller's own rights.

    Args:
        clients: Gives the client of a service.
    """

    def __init__(self, clients: Callable[[str], Any]) -> None:
        self._clients = clients
        self._buckets: dict[str, tuple[bool | None, Sequence[Mapping[str, Any]] | None, str]] = {}

    def place(self, uri: str, limit: int) -> Place:
        """Return the versions of all objects whose keys begin with a URI's, and the bucket's rules."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            versions, complete = self._versions(bucket, key, limit)
        except ClientError as error:
            return Place(refused=describe_error(error), is_missing=error_code(error) in _GONE)
        except BotoCoreError as error:
            return Place(refused=str(error))
        if bucket not in self._buckets:
            self._buckets[bucket] = self._rules(bucket)
        versioned, rules, unasked = self._buckets[bucket]
        return Place(versions, complete, versioned=versioned, rules=rules, unasked=unasked)

    def _versions(self, bucket: str, key: str, limit: int) -> tuple[list[StoredVersion], bool]:
        found: list[StoredVersion] = []
        newer: tuple[str, Any, int] = ("", None, 0)
        for page in self._clients("s3").get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
            # Versions and delete markers of a key come newest first, each in a list of its own (S3 API reference).
            entries = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
            entries.sort(key=lambda entry: entry["LastModified"], reverse=True)
            for entry in sorted(entries, key=lambda entry: entry["Key"]):
                if entry["Key"] != newer[0]:
                    newer = (entry["Key"], None, 0)
                if "ETag" in entry:
                    found.append(_version(entry, newer[1], newer[2]))
                newer = (entry["Key"], entry["LastModified"], newer[2] + (newer[1] is not None))
            if len(found) >= limit:
                return found, False
        return found, True

    def _rules(self, bucket: str) -> tuple[bool | None, Sequence[Mapping[str, Any]] | None, str]:
        s3 = self._clients("s3")
        try:
            versioned = s3.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled"
            rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket).get("Rules", [])
        except ClientError as error:
            if error_code(error) == "NoSuchLifecycleConfiguration":
                return versioned, [], ""
            return None, None, describe_error(error)
        except BotoCoreError as error:
            return None, None, str(error)
        return versioned, rules, ""

    def checksum(self, bucket: str, key: str, algorithm: str) -> str | None:
        """Return the stored checksum of an object's current content; None where there is none to read."""
        try:
            head = self._clients("s3").head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        except (ClientError, BotoCoreError):
            return None
        stored = head.get(f"Checksum{algorithm.upper()}")
        return f"{algorithm}:{stored}" if stored else None

    def protection(self, bucket: str, key: str, version_id: str) -> Protection:
        """Return what keeps a version readable; nothing, where it may not be asked for."""
        named = {"VersionId": version_id} if version_id else {}
        try:
            head = self._clients("s3").head_object(Bucket=bucket, Key=key, **named)
        except (ClientError, BotoCoreError):
            return Protection()
        return Protection(head.get("SSEKMSKeyId"), head.get("ObjectLockRetainUntilDate"))

    def encryption_key(self, key: str) -> KeyState:
        """Tell how a KMS key stands."""
        try:
            found = self._clients("kms").describe_key(KeyId=key)["KeyMetadata"]
        except ClientError as error:
            gone = error_code(error) == "NotFoundException"
            return KeyState(False if gone else None, f"{key}: {describe_error(error)}")
        except BotoCoreError as error:
            return KeyState(None, f"{key}: {error}")
        if found["KeyState"] == "PendingDeletion":
            end = found.get("DeletionDate")
            when = f" on {end:%Y-%m-%d}" if end is not None else ""
            return KeyState(False, f"{key} is going to be deleted{when}", end)
        return KeyState(found["KeyState"] == "Enabled", f"{key} is {found['KeyState']}")

    def rows(self, uri: str) -> Sequence[Row] | str:
        """Return the rows of a large listing; else why they cannot be read."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            body = self._clients("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            return f"the listing of its versions, {uri}: {describe_error(error)}"
        except BotoCoreError as error:
            return f"the listing of its versions, {uri}: {error}"
        return [(str(row[0]), str(row[1]), str(row[2]), int(row[3])) for row in json.loads(gzip.decompress(body))]

    def image(self, pinned: str) -> Image:
        """Return what ECR says of an image."""
        name, _, digest = pinned.partition("@")
        registry, _, repository = name.partition("/")
        parts = registry.split(".dkr", 1)
        if len(parts) != _REGISTRY_PARTS or "ecr" not in parts[1] or not parts[0].isdigit():
            return Image(None, "it is in no registry of ECR: nobody here can ask")
        ecr = self._clients("ecr")
        if f".{ecr.meta.region_name}." not in registry:
            return Image(None, f"it is in another Region: ask there, with --region ({registry})")
        named = {"registryId": parts[0], "repositoryName": repository}
        try:
            details = ecr.describe_images(**named, imageIds=[{"imageDigest": digest}])["imageDetails"]
        except ClientError as error:
            return Image(False if error_code(error) in _NO_IMAGE else None, describe_error(error))
        except BotoCoreError as error:
            return Image(None, str(error))
        if not details:
            return Image(False, "the repository has no such digest")
        return Image(
            True,
            tags=details[0].get("imageTags", ()),
            pushed_at=details[0].get("imagePushedAt"),
            lifecycle=self._image_rules(named),
        )

    def _image_rules(self, named: Mapping[str, str]) -> str | None:
        try:
            return str(self._clients("ecr").get_lifecycle_policy(**named)["lifecyclePolicyText"])
        except (ClientError, BotoCoreError):
            return None  # there is none, or it may not be read: no warning is given then

    def role(self, arn: str) -> Known:
        """Tell whether a role exists."""
        try:
            self._clients("iam").get_role(RoleName=arn.rpartition("/")[2])
        except ClientError as error:
            return Known(False if error_code(error) == "NoSuchEntity" else None, describe_error(error))
        except BotoCoreError as error:
            return Known(None, str(error))
        return Known(True, arn)

    def instance_type(self, kind: NodeKind, name: str) -> Known:
        """Tell whether SageMaker's API has a type of machine for a kind of job, and how many the account may use."""
        shape, usage = _MACHINES[kind]
        known = self._clients("sagemaker").meta.service_model.shape_for(shape).enum
        if name not in known:
            return Known(False, f"SageMaker's API has no {name} any more")
        try:
            quota = self._quota(f"{name} {usage}")
        except ClientError as error:
            return Known(True, f"SageMaker's API has it; its quota could not be asked: {describe_error(error)}")
        except BotoCoreError as error:
            return Known(True, f"SageMaker's API has it; its quota could not be asked: {error}")
        if quota is None:
            return Known(True, "SageMaker's API has it; no quota names it")
        return Known(quota > 0, f"the account may use {quota:g}")

    def _quota(self, name: str) -> float | None:
        pages = self._clients("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
        return next(
            (float(quota["Value"]) for page in pages for quota in page["Quotas"] if quota["QuotaName"] == name), None
        )

    def model(self, name: str) -> Known:
        """Tell whether a model exists."""
        try:
            answer = self._clients("sagemaker").describe_model(ModelName=name)
        except ClientError as error:
            return Known(False if error_code(error) in _MISSING else None, describe_error(error))
        except BotoCoreError as error:
            return Known(None, str(error))
        return Known(True, str(answer["ModelArn"]))


def _version(entry: Mapping[str, Any], noncurrent_since: Any, newer: int) -> StoredVersion:
    version_id = str(entry.get("VersionId", "null"))
    return StoredVersion(
        key=str(entry["Key"]),
        version_id="" if version_id == "null" else version_id,
        identity=f"etag:{entry['ETag'].strip(chr(34))}",
        size=int(entry["Size"]),
        modified_at=entry["LastModified"],
        is_latest=bool(entry.get("IsLatest", True)),
        noncurrent_since=None if entry.get("IsLatest", True) else noncurrent_since,
        newer_noncurrent=max(0, newer),
    )
