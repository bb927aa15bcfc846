"""Feature groups: their definition and their life; the stores behind them hold no records here."""

from __future__ import annotations

from functools import partial

from local.sagemaker.contract import Call, Description, Operation, ServiceError
from local.sagemaker.foundation import Foundation, invalid, not_found
from local.sagemaker.jobs import JobRun
from local.sagemaker.listing import Listing, list_operation
from local.sagemaker.resources import Resource, utc_now

KIND = "feature-group"
_CATALOG = {"Catalog": "AwsDataCatalog", "Database": "sagemaker_featurestore"}  # developer guide, sample event


class FeatureGroups:
    """Create, describe, list, update and delete of feature groups."""

    def __init__(self, foundation: Foundation) -> None:
        self._foundation = foundation
        self._store = foundation.store

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        listing = Listing(KIND, "FeatureGroupName", keep=_has_offline_status)
        return {
            "CreateFeatureGroup": self._create,
            "DescribeFeatureGroup": lambda call: self._store.describe(self._find(call)),
            "ListFeatureGroups": list_operation(self._foundation.model, self._store, "ListFeatureGroups", listing),
            "UpdateFeatureGroup": self._update,
            "DeleteFeatureGroup": self._delete,
        }

    def _create(self, call: Call) -> Description:
        parameters, now = call.parameters, utc_now()
        name = parameters["FeatureGroupName"]
        names = [definition["FeatureName"] for definition in parameters["FeatureDefinitions"]]
        for member in ("RecordIdentifierFeatureName", "EventTimeFeatureName"):
            if parameters[member] not in names:
                raise invalid(f"{member} {parameters[member]} is not one of the FeatureDefinitions")
        if "OnlineStoreConfig" not in parameters and "OfflineStoreConfig" not in parameters:
            raise invalid("Give OnlineStoreConfig, OfflineStoreConfig or both")
        description = self._foundation.described_members("DescribeFeatureGroup", parameters)
        description |= {
            "FeatureGroupArn": call.arn(f"{KIND}/{name}"),
            "CreationTime": now,
            "LastModifiedTime": now,
            "FeatureGroupStatus": "Creating",
            "NextToken": "",
        }
        if "OfflineStoreConfig" in parameters:
            description["OfflineStoreConfig"] = _offline_store(call, name, int(now.timestamp()))
        group = self._foundation.new_resource(call, KIND, name, description)
        if not self._store.add(group):
            raise ServiceError(
                "ResourceInUse",
                f"Resource Already Exists: FeatureGroup with name {name} already exists. Choose a different name.",
            )
        self._foundation.pool.start(group.arn, partial(self._complete, group), has_container=False)
        return {"FeatureGroupArn": group.arn}

    def _complete(self, group: Resource, run: JobRun) -> None:
        run.pause(self._foundation.settings.state_seconds)
        offline = {"OfflineStoreStatus": {"Status": "Active"}} if "OfflineStoreConfig" in group.description else {}
        self._store.update(group, {"FeatureGroupStatus": "Created", **offline})

    def _update(self, call: Call) -> Description:
        group, added = self._find(call), call.parameters.get("FeatureAdditions", [])

        def change(before: Description) -> Description:
            if before["FeatureGroupStatus"] != "Created":
                raise invalid(f"{group.arn} is {before['FeatureGroupStatus']}: wait until it is Created")
            names = {definition["FeatureName"] for definition in before["FeatureDefinitions"]}
            repeated = [entry["FeatureName"] for entry in added if entry["FeatureName"] in names]
            if repeated:
                raise invalid(f"Feature {repeated[0]} exists already in {group.arn}")
            online = call.parameters.get("OnlineStoreConfig")
            return {
                "FeatureDefinitions": [*before["FeatureDefinitions"], *added],
                "LastUpdateStatus": {"Status": "Successful"},
                "LastModifiedTime": utc_now(),
                **({"OnlineStoreConfig": {**before.get("OnlineStoreConfig", {}), **online}} if online else {}),
            }

        # AWS tells of changes of FeatureGroupStatus and OfflineStoreStatus alone (developer guide).
        self._store.update(group, change, silent=True)
        return {"FeatureGroupArn": group.arn}

    def _delete(self, call: Call) -> Description:
        group = self._find(call)
        self._store.update(group, {"FeatureGroupStatus": "Deleting", "LastModifiedTime": utc_now()})
        self._foundation.pool.start(group.arn, partial(self._remove, group), has_container=False)
        return {}

    def _remove(self, group: Resource, run: JobRun) -> None:
        run.pause(self._foundation.settings.state_seconds)
        self._store.remove(group)

    def _find(self, call: Call) -> Resource:
        given = call.parameters["FeatureGroupName"]
        name = given.rpartition("/")[2]
        missing = not_found(f"Resource Not Found: Amazon SageMaker can't find a FeatureGroup with name {name}")
        return self._foundation.find(call, KIND, name, missing)


def _offline_store(call: Call, name: str, created: int) -> Description:
    given = call.parameters["OfflineStoreConfig"]
    table = f"{name}-{created}".replace("-", "_")
    storage = given["S3StorageConfig"]
    root = f"{storage['S3Uri'].rstrip('/')}/{call.account}/sagemaker/{call.region}/offline-store"
    return {
        "DisableGlueTableCreation": False,
        "DataCatalogConfig": {"TableName": table, **_CATALOG},
        **given,
        "S3StorageConfig": {"ResolvedOutputS3Uri": f"{root}/{name}-{created}/data", **storage},
    }


def _has_offline_status(call: Call, group: Resource) -> bool:
    wanted = call.parameters.get("OfflineStoreStatusEquals")
    return wanted is None or group.description.get("OfflineStoreStatus", {}).get("Status") == wanted
