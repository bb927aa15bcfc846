from __future__ import annotations

import io
import itertools
import json
import tarfile
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

SCRIPT = """
import argparse, json, os, pathlib, sys
parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int)
parser.add_argument("--name")
arguments = parser.parse_args()
rows = pathlib.Path(os.environ["SM_CHANNEL_TRAIN"], "rows.csv").read_text().split()
print(f"accuracy={arguments.depth / 10};")
if arguments.name == "broken":
    raise ValueError("no such name")
seen = {name: os.environ[name] for name in ("SM_HPS", "SM_CHANNELS", "SM_HP_DEPTH", "SM_CURRENT_HOST", "SM_USER_ARGS")}
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.json").write_text(json.dumps({"rows": rows, "seen": seen}))
pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], "report.txt").write_text("fine")
"""


def channel(name: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "ContentType": "text/csv"}


def files_of(packed: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        return {m.name: tar.extractfile(m).read().decode() for m in tar if m.isfile()}  # type: ignore[union-attr]


def script_mode(cloud: Any, **hyperparameters: str) -> dict[str, Any]:
    code = cloud.put_archive("code/source.tar.gz", {"train.py": SCRIPT})
    return {
        "HyperParameters": {
            "sagemaker_program": json.dumps("train.py"),
            "sagemaker_submit_directory": json.dumps(code),
            **hyperparameters,
        },
        "InputDataConfig": [channel("train", cloud.put("train/rows.csv", "1 2 3").removesuffix("rows.csv"))],
        "AlgorithmSpecification": {
            "TrainingImage": cloud.image,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "accuracy", "Regex": "accuracy=(.*?);"}],
        },
    }


def create(cloud: Any, name: str, **more: Any) -> None:
    cloud.client.create_training_job(
        TrainingJobName=name,
        RoleArn=cloud.role,
        OutputDataConfig={"S3OutputPath": "s3://data/out/"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
        **more,
    )


def test_a_script_of_the_sdk_trains_and_leaves_a_model_and_metrics(cloud: Any) -> None:
    create(cloud, "script", **script_mode(cloud, depth="7", name=json.dumps("seven")))

    job = cloud.wait_for_training("script")

    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == "s3://data/out/script/output/model.tar.gz"
    model = json.loads(files_of(cloud.read(job["ModelArtifacts"]["S3ModelArtifacts"]))["model.json"])
    assert model["rows"] == ["1", "2", "3"]
    assert json.loads(model["seen"]["SM_HPS"]) == {"depth": 7, "name": "seven"}
    assert json.loads(model["seen"]["SM_CHANNELS"]) == ["train"]
    assert json.loads(model["seen"]["SM_USER_ARGS"]) == ["--depth", "7", "--name", "seven"]
    assert files_of(cloud.read("s3://data/out/script/output/output.tar.gz")) == {"report.txt": "fine"}
    assert [(m["MetricName"], m["Value"]) for m in job["FinalMetricDataList"]] == [("accuracy", 0.7)]
    assert isinstance(job["FinalMetricDataList"][0]["Timestamp"], datetime)


def test_a_script_that_raises_fails_the_job_as_the_framework_containers_say_it(cloud: Any) -> None:
    create(cloud, "broken", **script_mode(cloud, depth="1", name="broken"))

    job = cloud.wait_for_training("broken")

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"].startswith(
        'AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage "ValueError: no such name"\nCommand "python'
    )
    assert job["FailureReason"].endswith("exit code: 1")
    assert job["FinalMetricDataList"][0]["Value"] == pytest.approx(0.1)
    assert cloud.keys("out/broken/") == []


@pytest.mark.parametrize("mount_folder", [True, False])
def test_a_container_finds_its_configuration_where_sagemaker_puts_it(make_cloud: Any, mount_folder: bool) -> None:
    cloud = make_cloud(mount_folder=mount_folder)
    uri = cloud.put("in/rows.csv", "1")
    cloud.train(
        "config",
        "cp /opt/ml/input/config/*.json /opt/ml/input/data/train/rows.csv /opt/ml/model/ && env > /opt/ml/model/env",
        HyperParameters={"epochs": "3"},
        InputDataConfig=[channel("train", uri)],
        Environment={"COLOUR": "blue", "PLACE": "/opt/ml/model"},
    )

    job = cloud.wait_for_training("config")

    files = files_of(cloud.read(job["ModelArtifacts"]["S3ModelArtifacts"]))
    assert json.loads(files["hyperparameters.json"]) == {"epochs": "3"}
    assert json.loads(files["inputdataconfig.json"])["train"]["ContentType"] == "text/csv"
    assert json.loads(files["resourceconfig.json"])["hosts"] == ["algo-1"]
    assert files["rows.csv"] == "1"
    variables = dict(line.split("=", 1) for line in files["env"].splitlines() if "=" in line)
    assert variables["COLOUR"] == "blue"
    assert variables["PLACE"].endswith("/opt/ml/model")
    assert variables["TRAINING_JOB_ARN"] == job["TrainingJobArn"]
    assert variables["AWS_REGION"] == cloud.region


def test_each_state_of_a_job_is_told_and_kept_in_its_transitions(cloud: Any) -> None:
    cloud.train("states", "true")

    job = cloud.wait_for_training("states")

    states = ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert [change.description["SecondaryStatus"] for change in cloud.changes] == states
    transitions = job["SecondaryStatusTransitions"]
    assert [transition["Status"] for transition in transitions] == states
    for earlier, later in itertools.pairwise(transitions):
        assert earlier["StartTime"] <= earlier["EndTime"] == later["StartTime"]
    assert [change.previous_status for change in cloud.changes] == [None, *["InProgress"] * 4]
    assert job["TrainingTimeInSeconds"] == job["BillableTimeInSeconds"] >= 1
    assert job["CreationTime"] <= job["TrainingStartTime"] <= job["TrainingEndTime"] == job["LastModifiedTime"]


def test_the_last_value_of_a_metric_is_final_and_odd_values_are_none(cloud: Any) -> None:
    definitions = [{"Name": "loss", "Regex": r"loss=(\S+)"}, {"Name": "never", "Regex": r"never=(\d+)"}]
    cloud.train(
        "metrics",
        "echo loss=0.5; echo loss=0.25 loss=0.125; echo loss=oops; echo loss=nan",
        AlgorithmSpecification={"MetricDefinitions": definitions},
    )

    metrics = cloud.wait_for_training("metrics")["FinalMetricDataList"]

    assert [(metric["MetricName"], metric["Value"]) for metric in metrics] == [("loss", 0.125)]


def test_a_stopped_job_keeps_the_model_that_it_has_so_far(cloud: Any) -> None:
    cloud.train(
        "long", "trap 'echo late > /opt/ml/model/late; exit 0' TERM; echo half > /opt/ml/model/half; echo up;"
        " while :; do sleep 0.01; done",
    )  # fmt: skip
    cloud.wait_for_line("training-job", "long", "up")

    cloud.client.stop_training_job(TrainingJobName="long")

    job = cloud.wait_for_training("long")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert "Stopping" in [transition["Status"] for transition in job["SecondaryStatusTransitions"]]
    assert set(files_of(cloud.read(job["ModelArtifacts"]["S3ModelArtifacts"]))) == {"half", "late"}


def test_a_job_that_ignores_the_request_to_stop_is_killed_after_the_grace_period(make_cloud: Any) -> None:
    cloud = make_cloud(stop_grace_seconds=0.3)
    cloud.train("deaf", "trap '' TERM; echo up; while :; do sleep 0.01; done")
    cloud.wait_for_line("training-job", "deaf", "up")

    cloud.client.stop_training_job(TrainingJobName="deaf")

    assert cloud.wait_for_training("deaf")["TrainingJobStatus"] == "Stopped"


def test_a_job_that_exceeds_its_time_is_stopped_for_that_reason(cloud: Any) -> None:
    cloud.train("slow", "echo > /opt/ml/model/m; sleep 30", StoppingCondition={"MaxRuntimeInSeconds": 1})

    job = cloud.wait_for_training("slow")

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert cloud.keys("out/slow/") == ["out/slow/output/model.tar.gz"]


def test_an_image_without_entrypoint_or_script_fails_the_job_and_says_what_to_give(cloud: Any) -> None:
    create(
        cloud,
        "image",
        AlgorithmSpecification={"TrainingImage": cloud.image, "TrainingInputMode": "File"},
    )

    reason = cloud.wait_for_training("image")["FailureReason"]

    assert cloud.image in reason
    assert "ContainerEntrypoint" in reason
    assert "sagemaker_submit_directory" in reason


def test_a_channel_that_is_streamed_fails_the_job_and_says_so(cloud: Any) -> None:
    piped = channel("train", cloud.put("in/x", "")) | {"InputMode": "Pipe"}
    cloud.train("piped", "true", InputDataConfig=[piped])

    assert "Channel train" in cloud.wait_for_training("piped")["FailureReason"]


def test_describe_echoes_the_request(cloud: Any) -> None:
    request = {
        "HyperParameters": {"a": "1"},
        "Environment": {"B": "2"},
        "InputDataConfig": [channel("train", cloud.put("in/x", ""))],
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        "EnableNetworkIsolation": True,
        "ExperimentConfig": {"ExperimentName": "e", "TrialName": "t"},
        "RetryStrategy": {"MaximumRetryAttempts": 2},
        "CheckpointConfig": {"S3Uri": "s3://data/checkpoints"},
    }
    cloud.train("echo", "echo 1 > /opt/ml/checkpoints/one", **request)

    job = cloud.wait_for_training("echo")

    assert {name: job[name] for name in request} == request
    assert job["TrainingJobStatus"] == "Completed"
    assert cloud.keys("checkpoints/") == ["checkpoints/one"]


def test_checkpoints_of_an_earlier_job_are_there_for_the_next(cloud: Any) -> None:
    cloud.put("checkpoints/one", "step 7")
    cloud.train(
        "resumed", "cp /opt/ml/checkpoints/one /opt/ml/model/", CheckpointConfig={"S3Uri": "s3://data/checkpoints"}
    )

    job = cloud.wait_for_training("resumed")

    assert files_of(cloud.read(job["ModelArtifacts"]["S3ModelArtifacts"])) == {"one": "step 7"}


def test_a_model_that_is_not_packed_is_a_folder_on_s3(cloud: Any) -> None:
    output = {"S3OutputPath": "s3://data/out", "CompressionType": "NONE"}
    cloud.train("plain", "echo x > /opt/ml/model/weights", OutputDataConfig=output)

    job = cloud.wait_for_training("plain")

    assert job["ModelArtifacts"]["S3ModelArtifacts"] == "s3://data/out/plain/output/model/"
    assert cloud.read("s3://data/out/plain/output/model/weights") == b"x\n"


def test_a_name_can_be_used_again_after_the_job_is_deleted(cloud: Any) -> None:
    cloud.train("again", "echo 1 > /opt/ml/model/m")
    first = cloud.wait_for_training("again")
    with pytest.raises(cloud.client.exceptions.ResourceInUse):
        cloud.train("again", "true")

    cloud.client.delete_training_job(TrainingJobName="again")

    with pytest.raises(cloud.client.exceptions.ResourceNotFound):
        cloud.client.describe_training_job(TrainingJobName="again")
    cloud.train("again", "true")
    assert cloud.wait_for_training("again")["CreationTime"] > first["CreationTime"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"AlgorithmSpecification": {"AlgorithmName": "mine"}}, "exactly one of TrainingImage and AlgorithmName"),
        ({"AlgorithmSpecification": {"MetricDefinitions": [{"Name": "m", "Regex": "("}]}}, "of metric m is not valid"),
        ({"TrainingJobName": "no_underscores"}, "'no_underscores' at 'trainingJobName'"),
        ({"ResourceConfig": {"InstanceType": "ml.huge", "VolumeSizeInGB": 1}}, "'resourceConfig.instanceType'"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_with_field_and_value(
    cloud: Any, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ClientError, match="ValidationException") as refusal:
        cloud.train(**{"name": "bad", "script": "true", **change})

    assert words in refusal.value.response["Error"]["Message"]
    assert cloud.client.list_training_jobs()["TrainingJobSummaries"] == []
