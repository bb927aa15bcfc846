from __future__ import annotations

import io
import json
import tarfile
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

WRITE = (
    "import os, boto3; "
    "boto3.client('s3').put_object(Bucket=os.environ['BUCKET'], Key='from-the-container', Body=b'{}'); "
    "print('accuracy=0.5;')"
)


@pytest.fixture
def bucket(cloud: Any, workbench: Any) -> str:
    name = str(workbench.name("bucket"))
    cloud.client("s3").create_bucket(Bucket=name)
    return name


def start_training(cloud: Any, name: str, role: str, bucket: str, *, script: str = WRITE) -> str:
    answer = cloud.client("sagemaker").create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={
            "TrainingImage": f"{cloud.account}.dkr.ecr.{cloud.region}.amazonaws.com/training:1",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python", "-c", script],
            "MetricDefinitions": [{"Name": "accuracy", "Regex": "accuracy=(.*?);"}],
        },
        Environment={"BUCKET": bucket},
        RoleArn=role,
        OutputDataConfig={"S3OutputPath": f"s3://{bucket}/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )
    return str(answer["TrainingJobArn"])


def wait_for(cloud: Any, workbench: Any, name: str) -> dict[str, Any]:
    sagemaker = cloud.client("sagemaker")

    def ended() -> dict[str, Any] | None:
        described: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=name)
        return described if described["TrainingJobStatus"] in {"Completed", "Failed"} else None

    found: dict[str, Any] = workbench.wait_for(ended)
    return found


def test_a_job_that_runs_tells_its_states_on_the_default_bus(cloud: Any, workbench: Any, bucket: str) -> None:
    url, arn = workbench.queue()
    workbench.let_events_send(url, arn)
    name = workbench.name("job")
    pattern = {"source": ["aws.sagemaker"], "detail": {"TrainingJobName": [name]}}
    workbench.events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    workbench.events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    role = workbench.role(("s3:PutObject", f"arn:aws:s3:::{bucket}/*"))
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com", "AWS": cloud.account},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    cloud.client("iam").update_assume_role_policy(RoleName=role.rsplit("/", 1)[1], PolicyDocument=json.dumps(trust))

    job = start_training(cloud, name, role, bucket)
    described = wait_for(cloud, workbench, name)

    assert described["TrainingJobStatus"] == "Completed", described.get("FailureReason")
    assert [metric["Value"] for metric in described["FinalMetricDataList"]] == [0.5]
    assert cloud.client("s3").get_object(Bucket=bucket, Key="from-the-container")["Body"].read() == b"{}"
    seen: list[dict[str, Any]] = []
    while not any(body["detail"]["TrainingJobStatus"] == "Completed" for body in seen):
        received = workbench.bodies(url)
        assert received, [body["detail"]["TrainingJobStatus"] for body in seen]
        seen += received
    assert {(body["account"], body["region"]) for body in seen} == {(cloud.account, cloud.region)}
    assert all(job in body["resources"] for body in seen)
    workbench.events.remove_targets(Rule=name, Ids=["queue"])
    workbench.events.delete_rule(Name=name)


def test_a_container_may_do_what_its_role_allows_and_nothing_else(cloud: Any, workbench: Any, bucket: str) -> None:
    name = workbench.name("job")

    start_training(cloud, name, workbench.role(), bucket)
    described = wait_for(cloud, workbench, name)

    assert described["TrainingJobStatus"] == "Failed"


def test_what_the_lineage_api_made_is_found_again(cloud: Any, workbench: Any) -> None:
    sagemaker = cloud.client("sagemaker")
    uri = f"s3://{workbench.name('data')}/train.csv"

    made = sagemaker.create_artifact(ArtifactType="DataSet", Source={"SourceUri": uri})["ArtifactArn"]

    assert [found["ArtifactArn"] for found in sagemaker.list_artifacts(SourceUri=uri)["ArtifactSummaries"]] == [made]


TALK = "[print(f'accuracy={value};', flush=True) for value in (0.1, 0.2, 0.3, 0.4, 'nan')]"


def test_the_metrics_and_the_log_of_a_training_job_are_in_cloudwatch(cloud: Any, workbench: Any, bucket: str) -> None:
    name, other = workbench.name("talk"), workbench.name("other")
    for each in (name, other):
        start_training(cloud, each, workbench.role(("s3:PutObject", f"arn:aws:s3:::{bucket}/*")), bucket, script=TALK)
    started = wait_for(cloud, workbench, name)["TrainingStartTime"]
    wait_for(cloud, workbench, other)

    answer = cloud.client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            {
                "Id": "m0",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "/aws/sagemaker/TrainingJobs",
                        "MetricName": "accuracy",
                        "Dimensions": [{"Name": "TrainingJobName", "Value": name}],
                    },
                    "Period": 3600,
                    "Stat": "SampleCount",
                },
            }
        ],
        StartTime=started - timedelta(hours=1),
        EndTime=started + timedelta(hours=1),
    )
    lines = cloud.client("logs").filter_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=f"{name}/", filterPattern="%[nN]a[nN]|[iI]nf%"
    )["events"]

    # CloudWatch takes no NaN (API reference, MetricDatum): the log alone tells of it.
    assert sum(answer["MetricDataResults"][0]["Values"]) == 4
    assert [line["message"] for line in lines] == ["accuracy=nan;"]
    assert all(line["logStreamName"].startswith(f"{name}/algo-1-") for line in lines)


def test_a_role_may_move_a_package_only_to_the_stage_that_its_condition_names(cloud: Any, workbench: Any) -> None:
    sagemaker, group = cloud.client("sagemaker"), workbench.name("group")
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    image = f"{cloud.account}.dkr.ecr.{cloud.region}.amazonaws.com/serving:1"
    package = sagemaker.create_model_package(
        ModelPackageGroupName=group, InferenceSpecification={"Containers": [{"Image": image}]}
    )["ModelPackageArn"]
    role = workbench.role()
    statement = {
        "Effect": "Allow",
        "Action": "sagemaker:UpdateModelPackage",
        "Resource": "*",
        "Condition": {"StringEquals": {"sagemaker:ModelLifeCycle:stage": "Staging"}},
    }
    cloud.client("iam").put_role_policy(
        RoleName=role.rpartition("/")[2],
        PolicyName="moves",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": cloud.account}, "Action": "sts:AssumeRole"}],
    }
    cloud.client("iam").update_assume_role_policy(RoleName=role.rpartition("/")[2], PolicyDocument=json.dumps(trust))
    session = cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    mine = boto3.client(
        "sagemaker",
        region_name=cloud.region,
        endpoint_url=cloud.endpoint,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )

    def move(stage: str) -> None:
        mine.update_model_package(
            ModelPackageArn=package, ModelLifeCycle={"Stage": stage, "StageStatus": "PendingApproval"}
        )

    with pytest.raises(ClientError, match="AccessDenied"):
        move("Production")
    with pytest.raises(ClientError, match="AccessDenied"):
        mine.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    move("Staging")
    assert sagemaker.describe_model_package(ModelPackageName=package)["ModelLifeCycle"]["Stage"] == "Staging"


SUMS = """
def model_fn(folder):
    return None

def predict_fn(rows, model):
    return [float(sum(row)) for row in rows]
"""


def test_an_endpoint_answers_whoever_may_invoke_it_and_captures(cloud: Any, workbench: Any, bucket: str) -> None:
    sagemaker, s3 = cloud.client("sagemaker"), cloud.client("s3")
    name, packed = workbench.name("live"), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        entry = tarfile.TarInfo("code/inference.py")
        entry.size = len(SUMS)
        tar.addfile(entry, io.BytesIO(SUMS.encode()))
    s3.put_object(Bucket=bucket, Key="model.tar.gz", Body=packed.getvalue())
    image = f"{cloud.account}.dkr.ecr.{cloud.region}.amazonaws.com/serving:1"
    sagemaker.create_model(
        ModelName=name,
        PrimaryContainer={"Image": image, "ModelDataUrl": f"s3://{bucket}/model.tar.gz"},
        ExecutionRoleArn=workbench.role(),
    )
    sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {"VariantName": "All", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        ],
        DataCaptureConfig={
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": f"s3://{bucket}/captured",
            "CaptureOptions": [{"CaptureMode": "Input"}],
        },
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    workbench.wait_for(lambda: sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService")
    own = f"arn:aws:sagemaker:{cloud.region}:{cloud.account}:endpoint"
    source = f"""
    import boto3

    def handler(event, context):
        runtime = boto3.client("sagemaker-runtime")
        answer = runtime.invoke_endpoint(EndpointName="{name}", Body=b"1,2", ContentType="text/csv")
        return answer["Body"].read().decode()
    """
    allowed = workbench.function(source, workbench.role(("sagemaker:InvokeEndpoint", f"{own}/{name}")))
    denied = workbench.function(source, workbench.role(("sagemaker:InvokeEndpoint", f"{own}/other")))

    assert workbench.invoke(allowed) == ("[3.0]", None)
    refusal, error = workbench.invoke(denied)
    assert error is not None
    assert "sagemaker:InvokeEndpoint" in refusal["errorMessage"]

    def captured() -> list[str]:
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"captured/{name}/All/").get("Contents", [])
        return [each["Key"] for each in listed]

    (key,) = workbench.wait_for(captured)
    lines = s3.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines()
    assert len(lines) == 1
