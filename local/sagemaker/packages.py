"""The model registry: groups, versions, approval, stages."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from local.sagemaker.contract import Call, Description, Operation, ServiceError
from local.sagemaker.foundation import Foundation, caller_context, invalid
from local.sagemaker.jobs import JobRun
from local.sagemaker.listing import Listing, list_operation
from local.sagemaker.resources import Resource, utc_now
from local.sagemaker.s3_files import object_etag

GROUP = "model-package-group"
PACKAGE = "model-package"
_UPDATED = (
    "ModelApprovalStatus",
    "ApprovalDescription",
    "ModelLifeCycle",
    "SourceUri",
    "InferenceSpecification",
    "ModelCard",
    "ModelPackageRegistrationType",
)


class ModelRegistry:
    """Create, describe, list, update and delete of groups and packages."""

    def __init__(self, foundation: Foundation) -> None:
        self._foundation = foundation
        self._store = foundation.store
        # A version is never given twice, even where its package was deleted.
        self._highest: WeakKeyDictionary[Resource, int] = WeakKeyDictionary()

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        model = self._foundation.model
        groups = Listing(GROUP, "ModelPackageGroupName")
        packages = Listing(PACKAGE, "ModelPackageName", keep=_is_wanted)
        return {
            "CreateModelPackageGroup": self.create_group,
            "DescribeModelPackageGroup": lambda call: self._store.describe(self._group(call)),
            "ListModelPackageGroups": list_operation(model, self._store, "ListModelPackageGroups", groups),
            "DeleteModelPackageGroup": self._delete_group,
            "CreateModelPackage": self._create_package,
            "DescribeModelPackage": lambda call: self._store.describe(
                self.find_package(call, call.parameters["ModelPackageName"])
            ),
            "BatchDescribeModelPackage": self._describe_batch,
            "ListModelPackages": list_operation(model, self._store, "ListModelPackages", packages),
            "UpdateModelPackage": self._update,
            "DeleteModelPackage": self._delete,
        }

    def register(self, call: Call) -> tuple[Resource, JobRun]:
        """Register a package and return it with the run that completes it; its group gives it the next version.

        Raises:
            ServiceError: The group does not exist, the name is taken, or model data is not there.
        """
        parameters, now = call.parameters, utc_now()
        description = self._foundation.described_members("DescribeModelPackage", parameters)
        if description.get("InferenceSpecification"):
            description["InferenceSpecification"] = self._resolved(call, description["InferenceSpecification"])
        name = parameters.get("ModelPackageName", "")
        group = parameters.get("ModelPackageGroupName", "").rpartition("/")[2]
        if bool(name) == bool(group):
            raise invalid("Give either ModelPackageName or ModelPackageGroupName")
        if group:
            version = self._next_version(call, group)
            name = f"{group}/{version}"
            description |= {"ModelPackageGroupName": group, "ModelPackageVersion": version, "ModelPackageName": group}
            description.setdefault("ModelApprovalStatus", "PendingManualApproval")
        description |= {
            "ModelPackageArn": call.arn(f"{PACKAGE}/{name}"),
            "CreationTime": now,
            "LastModifiedTime": now,
            "ModelPackageStatus": "Pending",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "CertifyForMarketplace": parameters.get("CertifyForMarketplace", False),
            "CreatedBy": caller_context(call),
        }
        package = self._foundation.new_resource(call, PACKAGE, name, description)
        if not self._store.add(package):
            raise invalid(f"Model package {package.arn} already exists.")
        run = self._foundation.pool.start(package.arn, partial(self._complete, package), has_container=False)
        return package, run

    def create_group(self, call: Call) -> Description:
        """Create a group.

        Raises:
            ServiceError: The name is taken.
        """
        name = call.parameters["ModelPackageGroupName"]
        description = self._foundation.described_members("DescribeModelPackageGroup", call.parameters)
        description |= {
            "ModelPackageGroupArn": call.arn(f"{GROUP}/{name}"),
            "CreationTime": utc_now(),
            "CreatedBy": caller_context(call),
            "ModelPackageGroupStatus": "Completed",
        }
        group = self._foundation.new_resource(call, GROUP, name, description)
        if not self._store.add(group):
            raise invalid(f"Model Package Group already exists: {group.arn}")
        return {"ModelPackageGroupArn": group.arn}

    def has_group(self, call: Call, name: str) -> bool:
        """Tell whether the caller's account has a group of this name."""
        return self._store.find(call, GROUP, name.rpartition("/")[2]) is not None

    def find_package(self, call: Call, given: str) -> Resource:
        """Return the package with this ARN, or with this name where it has no group.

        Raises:
            ServiceError: There is none.
        """
        name = given.partition(f":{PACKAGE}/")[2] or given
        return self._foundation.find(call, PACKAGE, name, invalid(f"ModelPackage {given} does not exist."))

    def _create_package(self, call: Call) -> Description:
        package, _run = self.register(call)
        return {"ModelPackageArn": package.arn}

    def _next_version(self, call: Call, group: str) -> int:
        owner = self._foundation.find(call, GROUP, group, _no_group(call, group))
        with self._store.lock:
            version = self._highest[owner] = self._highest.get(owner, 0) + 1
        return version

    def _complete(self, package: Resource, run: JobRun) -> None:
        for status in ("InProgress", "Completed"):
            run.pause(self._foundation.settings.state_seconds)
            self._store.update(package, {"ModelPackageStatus": status, "LastModifiedTime": utc_now()})

    def _resolved(self, call: Call, specification: dict[str, Any]) -> dict[str, Any]:
        """Fill in what SageMaker finds out by itself: the digests of images, the ETags of model data."""
        resolved = copy.deepcopy(specification)
        for container in resolved.get("Containers", []):
            if "Image" in container:
                container.setdefault("ImageDigest", self._foundation.images.digest(container["Image"], call.account))
            url = container.get("ModelDataUrl")
            if not url:
                continue
            etag = object_etag(self._foundation.s3(call.region, call.account), url)
            if etag is None:
                raise invalid(
                    f"Could not access model data at {url}. Please ensure that the object exists in {call.region}."
                )
            container["ModelDataETag"] = etag
        return resolved

    def _update(self, call: Call) -> Description:
        parameters = call.parameters
        package = self.find_package(call, parameters["ModelPackageArn"])
        members: Description = {name: parameters[name] for name in _UPDATED if name in parameters}
        if "ModelApprovalStatus" in members and "ModelPackageVersion" not in package.description:
            raise invalid(f"ModelApprovalStatus does not apply to {package.arn}, which is not versioned")
        if "InferenceSpecification" in members:
            members["InferenceSpecification"] = self._resolved(call, members["InferenceSpecification"])

        def change(before: Description) -> Description:
            metadata = {
                **before.get("CustomerMetadataProperties", {}),
                **parameters.get("CustomerMetadataProperties", {}),
            }
            for name in parameters.get("CustomerMetadataPropertiesToRemove", []):
                metadata.pop(name, None)
            if metadata or "CustomerMetadataProperties" in before:
                members["CustomerMetadataProperties"] = metadata or None
            added = parameters.get("AdditionalInferenceSpecificationsToAdd")
            if added:
                earlier = before.get("AdditionalInferenceSpecifications", [])
                members["AdditionalInferenceSpecifications"] = [*earlier, *added]
            return members | {"LastModifiedTime": utc_now(), "LastModifiedBy": caller_context(call)}

        self._store.update(package, change)
        return {"ModelPackageArn": package.arn}

    def _describe_batch(self, call: Call) -> Description:
        found: Description = {}
        missing: Description = {}
        for arn in call.parameters["ModelPackageArnList"]:
            try:
                package = self.find_package(call, arn)
            except ServiceError as error:
                missing[arn] = {"ErrorCode": error.code, "ErrorResponse": error.message}
                continue
            known = self._store.describe(package)
            if "InferenceSpecification" not in known:  # a summary must have one
                message = f"{arn} has no InferenceSpecification: use DescribeModelPackage"
                missing[arn] = {"ErrorCode": "ValidationException", "ErrorResponse": message}
                continue
            found[arn] = self._foundation.summary("BatchDescribeModelPackageSummary", known)
        return {"ModelPackageSummaries": found, "BatchDescribeModelPackageErrorMap": missing}

    def _group(self, call: Call) -> Resource:
        name = call.parameters["ModelPackageGroupName"].rpartition("/")[2]
        return self._foundation.find(call, GROUP, name, _no_group(call, name))

    def _delete(self, call: Call) -> Description:
        package = self.find_package(call, call.parameters["ModelPackageName"])
        self._store.update(package, {"ModelPackageStatus": "Deleting", "LastModifiedTime": utc_now()})
        self._store.remove(package)
        return {}

    def _delete_group(self, call: Call) -> Description:
        group = self._group(call)
        if any(package.name.startswith(f"{group.name}/") for package in self._store.of_kind(call, PACKAGE)):
            raise ServiceError(
                "ConflictException",
                f"Model Package Group {group.name} cannot be deleted because it still contains Model Packages.",
            )
        self._store.remove(group)
        return {}


def _no_group(call: Call, name: str) -> ServiceError:
    return invalid(f"ModelPackageGroup {call.arn(f'{GROUP}/{name}')} does not exist.")


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
