from __future__ import annotations

import importlib
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

REQUESTS = {
    ("s3", "get_bucket_inventory_configuration"): {"Bucket": "a-bucket", "Id": "x"},
    ("s3", "delete_bucket_inventory_configuration"): {"Bucket": "a-bucket", "Id": "x"},
    ("s3", "get_bucket_request_payment"): {"Bucket": "a-bucket"},
    ("s3", "get_object_torrent"): {"Bucket": "a-bucket", "Key": "a/b"},
    ("lambda", "list_code_signing_configs"): {},
    ("lambda", "get_runtime_management_config"): {"FunctionName": "x"},
    ("ecr", "describe_pull_through_cache_rules"): {},
    ("ssm", "describe_activations"): {},
    ("sqs", "list_message_move_tasks"): {"SourceArn": "arn:aws:sqs:us-east-1:111122223333:x"},
    ("kms", "describe_custom_key_stores"): {},
    ("cloudformation", "describe_type"): {"Type": "RESOURCE", "TypeName": "AWS::S3::Bucket"},
    ("redshift", "describe_clusters"): {},
    ("comprehend", "list_endpoints"): {},
    ("sagemaker", "list_clusters"): {},
}


@pytest.mark.parametrize(("service", "method"), list(REQUESTS))
def test_an_operation_that_nothing_implements_is_refused_by_its_name(cloud: Any, service: str, method: str) -> None:
    client = cloud.client(service)
    operation = client.meta.method_to_api_mapping[method]

    with pytest.raises(ClientError) as refused:
        getattr(client, method)(**REQUESTS[service, method])

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in {400, 501}
    assert operation in refused.value.response["Error"]["Message"]


def test_a_refused_sub_resource_leaves_the_bucket_alone(cloud: Any, workbench: Any) -> None:
    s3 = cloud.client("s3")
    bucket = workbench.name("bucket")
    s3.create_bucket(Bucket=bucket)

    with pytest.raises(ClientError, match="DeleteBucketMetricsConfiguration"):
        s3.delete_bucket_metrics_configuration(Bucket=bucket, Id="x")

    assert s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_every_refused_operation_is_one_of_the_service(cloud: Any) -> None:
    # The module imports the emulator, which the cloud configures first.
    mend = importlib.import_module("local.patches.unimplemented_operations")

    for service, operations in mend.UNIMPLEMENTED.items():
        model = botocore.session.get_session().get_service_model(service)
        assert operations <= set(model.operation_names)


def test_a_key_that_nobody_made_is_refused(cloud: Any) -> None:
    client = botocore.session.get_session().create_client(
        "sqs",
        region_name=cloud.region,
        endpoint_url=cloud.endpoint,
        aws_access_key_id="AKIAUNKNOWNUNKNOWN00",
        aws_secret_access_key="x",
    )

    with pytest.raises(ClientError) as refused:
        client.list_queues()  # type: ignore[attr-defined] # botocore makes the method

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
