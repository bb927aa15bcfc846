"""The model registry: groups, versions, approval, stages."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from local.sagemaker.contract import Call, Description, Operation, ServiceError
from local.sagemaker.foundation import Foundation, invalid
from local.sagemaker.jobs import JobRun
from local.sagemaker.listing import Listing, list_operation
from local.sagemaker.resources import Resource, utc_now

GROUP = "model-package-group"
PACKAGE = "model-package"
_UPDATED = ("ModelApprovalStatus", "ApprovalDescription", "ModelLifeCycle", "SourceUri", "InferenceSpecification")


class ModelRegistry:
    """Create, describe, list, update and delete of groups and packages."""

    def __init__(self, foundation: Foundation) -> None:
        self._foundation = foundation
        self._store = foundation.store
        self._highest: dict[str, int] = {}

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        model = self._foundation.model
        groups = Listing(GROUP, "ModelPackageGroupName", descending=True)
        packages = Listing(PACKAGE, "ModelPackageName", descending=True, keep=_is_wanted)
        return {
            "CreateModelPackageGroup": self._create_group,
            "DescribeModelPackageGroup": lambda call: self._store.describe(self._group(call)),
            "ListModelPackageGroups": list_operation(model, self._store, "ListModelPackageGroups", groups),
            "DeleteModelPackageGroup": self._delete_group,
            "CreateModelPackage": self.create_package,
            "DescribeModelPackage": lambda call: self._store.describe(self._package(call, "ModelPackageName")),
            "ListModelPackages": list_operation(model, self._store, "ListModelPackages", packages),
            "UpdateModelPackage": self._update,
            "DeleteModelPackage": self._delete,
        }

    def create_package(self, call: Call) -> Description:
        """Register a package; its group gives it the next version.

        Raises:
            ServiceError: The group does not exist, or the name is taken.
        """
        parameters, now = call.parameters, utc_now()
        description = self._foundation.described_members("DescribeModelPackage", parameters)
        group = parameters.get("ModelPackageGroupName")
        if group:
            group = group.rpartition("/")[2]
            owner = self._foundation.find(call, GROUP, group, _no_group(call, group))
            with self._store.lock:
                version = self._highest[owner.arn] = self._highest.get(owner.arn, 0) + 1
            name = f"{group}/{version}"
            description |= {"ModelPackageGroupName": group, "ModelPackageVersion": version, "ModelPackageName": group}
            description.setdefault("ModelApprovalStatus", "PendingManualApproval")
        else:
            name = parameters.get("ModelPackageName", "")
            if not name:
                raise invalid("Give ModelPackageGroupName or ModelPackageName: a package needs one")
        if description.get("InferenceSpecification"):
            description["InferenceSpecification"] = self._resolved(call, description["InferenceSpecification"])
        description |= {
            "ModelPackageArn": call.arn(f"{PACKAGE}/{name}"),
            "CreationTime": now,
            "LastModifiedTime": now,
            "ModelPackageStatus": "Pending",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "CertifyForMarketplace": parameters.get("CertifyForMarketplace", False),
            "CreatedBy": {"IamIdentity": {"Arn": call.caller_arn}} if call.caller_arn else {},
        }
        package = self._foundation.new_resource(call, PACKAGE, name, description)
        if not self._store.add(package):
            raise invalid(f"Model package {package.arn} already exists.")
        self._foundation.pool.start(package.arn, partial(self._complete, package), has_container=False)
        return {"ModelPackageArn": package.arn}

    def _create_group(self, call: Call) -> Description:
        name = call.parameters["ModelPackageGroupName"]
        description = self._foundation.described_members("DescribeModelPackageGroup", call.parameters)
        description |= {
            "ModelPackageGroupArn": call.arn(f"{GROUP}/{name}"),
            "CreationTime": utc_now(),
            "CreatedBy": {"IamIdentity": {"Arn": call.caller_arn}} if call.caller_arn else {},
            "ModelPackageGroupStatus": "Completed",
        }
        group = self._foundation.new_resource(call, GROUP, name, description)
        if not self._store.add(group):
            raise invalid(f"Model Package Group already exists: {group.arn}")
        return {"ModelPackageGroupArn": group.arn}

    def _complete(self, package: Resource, run: JobRun) -> None:
        for status in ("InProgress", "Completed"):
            run.pause(self._foundation.settings.state_seconds)
            self._store.update(package, {"ModelPackageStatus": status})

    def _resolved(self, call: Call, specification: dict[str, Any]) -> dict[str, Any]:
        """Fill in what SageMaker finds out by itself: the digests of images, the ETags of model data."""
        resolved = copy.deepcopy(specification)
        for container in resolved.get("Containers", []):
            container.setdefault("ImageDigest", self._foundation.images.digest(container["Image"], call.account))
            bucket, _, key = str(container.get("ModelDataUrl", "")).removeprefix("s3://").partition("/")
            if not key:
                continue
            try:
                head = self._foundation.s3(call.region, call.account).head_object(Bucket=bucket, Key=key)
            except ClientError as error:
                raise invalid(f"Model data {container['ModelDataUrl']} cannot be read: {error}") from error
            container["ModelDataETag"] = head["ETag"].strip('"')
        return resolved

    def _update(self, call: Call) -> Description:
        package, parameters = self._package(call, "ModelPackageArn"), call.parameters

        def change(before: Description) -> Description:
            members = {name: parameters[name] for name in _UPDATED if name in parameters}
            metadata = {
                **before.get("CustomerMetadataProperties", {}),
                **parameters.get("CustomerMetadataProperties", {}),
            }
            for name in parameters.get("CustomerMetadataPropertiesToRemove", []):
                metadata.pop(name, None)
            if metadata or "CustomerMetadataProperties" in before:
                members["CustomerMetadataProperties"] = metadata or None
            who = {"IamIdentity": {"Arn": call.caller_arn}} if call.caller_arn else {}
            return members | {"LastModifiedTime": utc_now(), "LastModifiedBy": who}

        self._store.update(package, change)
        return {"ModelPackageArn": package.arn}

    def _package(self, call: Call, member: str) -> Resource:
        given = call.parameters[member]
        name = given.partition(f":{PACKAGE}/")[2] or given
        missing = invalid(f"ModelPackage {given} does not exist")
        return self._foundation.find(call, PACKAGE, name, missing)

    def _group(self, call: Call) -> Resource:
        name = call.parameters["ModelPackageGroupName"].rpartition("/")[2]
        return self._foundation.find(call, GROUP, name, _no_group(call, name))

    def _delete(self, call: Call) -> Description:
        self._store.remove(self._package(call, "ModelPackageName"))
        return {}

    def _delete_group(self, call: Call) -> Description:
        group = self._group(call)
        if any(package.name.startswith(f"{group.name}/") for package in self._store.of_kind(call, PACKAGE)):
            raise invalid(f"Model package group {group.name} has model packages: delete them first")
        self._store.remove(group)
        return {}


def _no_group(call: Call, name: str) -> ServiceError:
    return invalid(f"ModelPackageGroup {call.arn(f'{GROUP}/{name}')} does not exist")


def _is_wanted(call: Call, package: Resource) -> bool:
    """Tell whether a package passes the filters that only ListModelPackages has."""
    wanted, description = call.parameters, package.description
    group = wanted.get("ModelPackageGroupName", "").rpartition("/")[2]
    if group and description.get("ModelPackageGroupName") != group:
        return False
    kind = wanted.get("ModelPackageType", "Versioned" if group else "Unversioned")
    if kind != "Both" and ("ModelPackageVersion" in description) != (kind == "Versioned"):
        return False
    approval = wanted.get("ModelApprovalStatus")
    return approval is None or description.get("ModelApprovalStatus") == approval
