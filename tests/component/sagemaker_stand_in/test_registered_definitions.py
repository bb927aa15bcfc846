"""Feature groups, model cards, jobs of the Job API: what is defined and told, and runs nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

FEATURES = [
    {"FeatureName": "id", "FeatureType": "Integral"},
    {"FeatureName": "at", "FeatureType": "Fractional"},
]


def create_group(cloud: Any, **more: Any) -> Any:
    return cloud.client.create_feature_group(
        **{
            "FeatureGroupName": "rings",
            "RecordIdentifierFeatureName": "id",
            "EventTimeFeatureName": "at",
            "FeatureDefinitions": FEATURES,
            "OnlineStoreConfig": {"EnableOnlineStore": True},
            "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "s3://data/offline"}},
            "RoleArn": cloud.role,
            **more,
        }
    )


def wait_for_group(cloud: Any) -> Any:
    return cloud.wait(
        lambda: cloud.client.describe_feature_group(FeatureGroupName="rings"), "FeatureGroupStatus", "Created"
    )


def test_a_feature_group_is_created_with_a_table_in_the_catalog(cloud: Any) -> None:
    create_group(cloud)

    group = wait_for_group(cloud)

    offline = group["OfflineStoreConfig"]
    created = int(group["CreationTime"].timestamp())
    assert offline["DataCatalogConfig"] == {
        "TableName": f"rings_{created}", "Catalog": "AwsDataCatalog", "Database": "sagemaker_featurestore",
    }  # fmt: skip
    assert offline["S3StorageConfig"]["ResolvedOutputS3Uri"] == (
        f"s3://data/offline/{cloud.account}/sagemaker/{cloud.region}/offline-store/rings-{created}/data"
    )
    assert group["OfflineStoreStatus"] == {"Status": "Active"}
    assert group["FeatureDefinitions"] == FEATURES


def test_features_are_added_and_never_twice(cloud: Any) -> None:
    create_group(cloud)
    wait_for_group(cloud)
    added = [{"FeatureName": "length", "FeatureType": "Fractional"}]

    cloud.client.update_feature_group(FeatureGroupName="rings", FeatureAdditions=added)

    group = cloud.client.describe_feature_group(FeatureGroupName="rings")
    assert group["FeatureDefinitions"] == [*FEATURES, *added]
    assert group["LastUpdateStatus"]["Status"] == "Successful"
    with pytest.raises(ClientError, match="length exists already"):
        cloud.client.update_feature_group(FeatureGroupName="rings", FeatureAdditions=added)


def test_a_feature_group_is_deleted_by_way_of_deleting(cloud: Any) -> None:
    create_group(cloud)
    wait_for_group(cloud)

    cloud.client.delete_feature_group(FeatureGroupName="rings")

    cloud.wait_until_gone(lambda: cloud.client.describe_feature_group(FeatureGroupName="rings"))
    told = [c.description["FeatureGroupStatus"] for c in cloud.changes if not c.deleted]
    assert told == ["Creating", "Created", "Deleting"]


def test_a_feature_group_s_event_time_is_one_of_its_features(cloud: Any) -> None:
    with pytest.raises(ClientError, match="EventTimeFeatureName when"):
        create_group(cloud, EventTimeFeatureName="when")


def test_a_feature_group_has_a_store(cloud: Any) -> None:
    with pytest.raises(ClientError, match="OnlineStoreConfig, OfflineStoreConfig"):
        cloud.client.create_feature_group(
            FeatureGroupName="rings",
            RecordIdentifierFeatureName="id",
            EventTimeFeatureName="at",
            FeatureDefinitions=FEATURES,
        )


def create_card(cloud: Any, **content: Any) -> None:
    cloud.client.create_model_card(ModelCardName="card", Content=json.dumps(content), ModelCardStatus="Draft")


def test_new_content_makes_a_new_version_and_a_new_status_does_not(cloud: Any) -> None:
    create_card(cloud, a=1)

    cloud.client.update_model_card(ModelCardName="card", Content=json.dumps({"a": 2}))
    cloud.client.update_model_card(ModelCardName="card", ModelCardStatus="Approved")

    now = cloud.client.describe_model_card(ModelCardName="card")
    first = cloud.client.describe_model_card(ModelCardName="card", ModelCardVersion=1)
    assert (now["ModelCardVersion"], now["ModelCardStatus"], json.loads(now["Content"])) == (2, "Approved", {"a": 2})
    assert (first["ModelCardVersion"], first["ModelCardStatus"], json.loads(first["Content"])) == (1, "Draft", {"a": 1})
    versions = cloud.client.list_model_card_versions(ModelCardName="card", SortOrder="Descending")
    assert [v["ModelCardVersion"] for v in versions["ModelCardVersionSummaryList"]] == [2, 1]
    metadata = cloud.client.describe_model_card(ModelCardName="card", IncludedData="MetadataOnly")
    assert metadata["Content"] == ""


def test_a_card_is_refused_where_it_makes_no_sense(cloud: Any) -> None:
    create_card(cloud)
    with pytest.raises(cloud.client.exceptions.ConflictException):
        create_card(cloud)
    with pytest.raises(ClientError, match="not JSON"):
        cloud.client.update_model_card(ModelCardName="card", Content="{")
    with pytest.raises(ClientError, match="either Content or ModelCardStatus"):
        cloud.client.update_model_card(ModelCardName="card", Content="{}", ModelCardStatus="Draft")
    with pytest.raises(cloud.client.exceptions.ResourceNotFound):
        cloud.client.describe_model_card(ModelCardName="card", ModelCardVersion=7)

    cloud.client.delete_model_card(ModelCardName="card")

    with pytest.raises(cloud.client.exceptions.ResourceNotFound):
        cloud.client.describe_model_card(ModelCardName="card")


def test_a_job_that_the_local_cloud_cannot_run_fails_and_says_so(cloud: Any) -> None:
    request = {
        "JobName": "agent",
        "JobCategory": "AgentRFT",
        "RoleArn": cloud.role,
        "JobConfigSchemaVersion": "1.0.0",
        "JobConfigDocument": "{}",
    }
    arn = cloud.client.create_job(**request, Tags=[{"Key": "a", "Value": "b"}])["JobArn"]

    job = cloud.wait(lambda: cloud.client.describe_job(JobName="agent", JobCategory="AgentRFT"), "JobStatus", "Failed")

    assert arn.endswith(":job/AgentRFT/agent")
    assert "AgentRFT" in job["FailureReason"]
    assert {name: job[name] for name in request} == request
    assert [transition["Status"] for transition in job["SecondaryStatusTransitions"]] == ["Starting", "Failed"]
    listed = cloud.client.list_jobs(JobCategory="AgentRFT")["JobSummaries"]
    assert [(each["JobName"], each["JobSecondaryStatus"]) for each in listed] == [("agent", "Failed")]
    assert cloud.client.list_jobs(JobCategory="AgentRFTEvaluation")["JobSummaries"] == []
    with pytest.raises(cloud.client.exceptions.ResourceInUse):
        cloud.client.create_job(**request)
    with pytest.raises(ClientError, match="in status Failed"):
        cloud.client.stop_job(JobName="agent", JobCategory="AgentRFT")
    cloud.client.delete_job(JobName="agent", JobCategory="AgentRFT")
    with pytest.raises(cloud.client.exceptions.ResourceNotFound):
        cloud.client.describe_job(JobName="agent", JobCategory="AgentRFT")
