"""Jobs that really run, and the lineage that SageMaker's API tells of them."""

from __future__ import annotations

from typing import Any

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
