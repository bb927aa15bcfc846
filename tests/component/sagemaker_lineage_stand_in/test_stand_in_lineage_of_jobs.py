"""Jobs that really run, and the lineage that SageMaker's API tells of them."""

from __future__ import annotations

import io
import tarfile
from typing import Any

ENDED = ("Completed", "Failed", "Stopped")
JOBS = "arn:aws:sagemaker:eu-west-1:123456789012:"


def test_from_raw_data_to_a_model_through_two_jobs(account: Any) -> None:
    raw = account.put("raw/customers.csv", "1,2\n3,4\n").rpartition("/")[0]
    account.process("split", "cp /opt/ml/processing/in/* /opt/ml/processing/out/", raw, "s3://data/train")
    account.train("churn", "cp /opt/ml/input/data/train/* /opt/ml/model/", "s3://data/train")
    model = account.client.describe_training_job(TrainingJobName="churn")["ModelArtifacts"]["S3ModelArtifacts"]

    upstream = account.sources(account.artifact_of(model), "Ascendants", "DataSet", "TrainingJob", "ProcessingJob")
    downstream = account.sources(account.artifact_of(raw), "Descendants", "Model", "DataSet")

    assert upstream == [f"{JOBS}training-job/churn", "s3://data/train", f"{JOBS}processing-job/split", raw]
    assert downstream == ["s3://data/train", model]


def test_a_job_that_fails_has_used_its_data_and_produced_nothing(account: Any) -> None:
    data = account.put("train/a.csv", "1\n").rpartition("/")[0]
    account.train("broken", "exit 3", data)

    found = account.client.query_lineage(StartArns=[account.artifact_of(data)], IncludeEdges=True)
    component = account.client.describe_trial_component(TrialComponentName="broken-aws-training-job")

    assert [vertex.get("Type") for vertex in found["Vertices"]] == ["DataSet", "TrainingJob", "Image"]
    assert component["Status"]["PrimaryStatus"] == "Failed"
    assert component["EndTime"] >= component["StartTime"]


def test_the_lineage_of_a_deleted_job_stays(account: Any) -> None:
    data = account.put("train/a.csv", "1\n").rpartition("/")[0]
    account.train("gone", "true", data)

    account.client.delete_training_job(TrainingJobName="gone")

    assert account.sources(account.artifact_of(data), "Descendants", "TrainingJob") == [f"{JOBS}training-job/gone"]


def test_a_reset_forgets_jobs_and_lineage(account: Any) -> None:
    data = account.put("train/a.csv", "1\n").rpartition("/")[0]
    account.train("before", "true", data)

    account.reset()

    assert account.client.list_artifacts()["ArtifactSummaries"] == []
    assert account.client.list_trial_components()["TrialComponentSummaries"] == []


def archive(name: str, script: str) -> bytes:
    """Return a ``sourcedir.tar.gz`` with one script."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(script)
        tar.addfile(entry, io.BytesIO(script.encode()))
    return packed.getvalue()


def test_each_child_of_a_tuning_job_has_lineage_of_its_own(account: Any) -> None:
    code = account.put("code/sourcedir.tar.gz", archive("train.sh", "echo accuracy=0.5; touch $SM_MODEL_DIR/m"))
    data = account.put("train/a.csv", "1\n").rpartition("/")[0]
    account.client.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="tuned",
        HyperParameterTuningJobConfig={
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "accuracy"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {"IntegerParameterRanges": [{"Name": "depth", "MinValue": "1", "MaxValue": "9"}]},
        },
        TrainingJobDefinition={
            "StaticHyperParameters": {"sagemaker_program": '"train.sh"', "sagemaker_submit_directory": f'"{code}"'},
            "AlgorithmSpecification": {
                "TrainingImage": account.image,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "accuracy", "Regex": "accuracy=([0-9.]+)"}],
            },
            "RoleArn": account.role,
            "InputDataConfig": [
                {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": data}}}
            ],
            "OutputDataConfig": {"S3OutputPath": "s3://data/models"},
            "ResourceConfig": account.resources,
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        },
    )
    account.wait_for("hyper-parameter-tuning-job", "tuned", *ENDED)

    children = account.client.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName="tuned")
    arns = {child["TrainingJobArn"] for child in children["TrainingJobSummaries"]}

    assert len(arns) == 2
    assert set(account.sources(account.artifact_of(data), "Descendants", "TrainingJob")) == arns
    assert len(account.sources(account.artifact_of(data), "Descendants", "Model")) == 2


def test_tags_of_jobs_and_of_their_lineage_are_kept_apart(account: Any) -> None:
    data = account.put("train/a.csv", "1\n").rpartition("/")[0]
    account.train("tagged", "true", data)
    tags = {
        f"{JOBS}training-job/tagged": [{"Key": "team", "Value": "risk"}],
        account.artifact_of(data): [{"Key": "owner", "Value": "sales"}],
    }

    for arn, given in tags.items():
        account.client.add_tags(ResourceArn=arn, Tags=given)

    assert {arn: account.client.list_tags(ResourceArn=arn)["Tags"] for arn in tags} == tags
