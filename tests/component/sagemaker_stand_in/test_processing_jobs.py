from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.sagemaker.mount_namespace import is_available

INPUT = {"S3DataType": "S3Prefix", "S3InputMode": "File", "LocalPath": "/opt/ml/processing/input"}
OUTPUT = {"LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}

ONE_INSTANCE = {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.t3.medium", "VolumeSizeInGB": 1}}


def inputs_and_outputs(cloud: Any) -> dict[str, Any]:
    return {
        "ProcessingInputs": [{"InputName": "raw", "S3Input": {**INPUT, "S3Uri": f"s3://{cloud.bucket}/raw"}}],
        "ProcessingOutputConfig": {
            "Outputs": [{"OutputName": "clean", "S3Output": {**OUTPUT, "S3Uri": f"s3://{cloud.bucket}/clean/"}}]
        },
    }


def test_the_entrypoint_turns_inputs_from_s3_into_outputs_on_s3(cloud: Any) -> None:
    cloud.put("raw/a/first.csv", "1\n2\n")
    cloud.put("raw/second.csv", "3\n")

    cloud.process(
        "clean",
        "cd /opt/ml/processing && mkdir output/deep && cat input/a/first.csv input/second.csv > output/deep/all.csv",
        **inputs_and_outputs(cloud),
    )

    job = cloud.wait_for_processing("clean")
    assert job["ProcessingJobStatus"] == "Completed", job
    assert cloud.read("s3://data/clean/deep/all.csv") == b"1\n2\n3\n"
    assert job["CreationTime"] <= job["ProcessingStartTime"] <= job["ProcessingEndTime"]
    assert cloud.service.foundation.pool.find(job["ProcessingJobArn"]) is None


def test_arguments_and_variables_name_the_same_folder_as_the_inputs(cloud: Any) -> None:
    cloud.put("raw/x.txt", "here")
    cloud.client.create_processing_job(
        ProcessingJobName="paths",
        AppSpecification={
            "ImageUri": cloud.image,
            "ContainerEntrypoint": ["python", "-c", "import os, sys; print(open(sys.argv[1]).read() + os.environ['X'],"
                                    " file=open(os.environ['OUT'] + '/seen', 'w'))"],
            "ContainerArguments": ["/opt/ml/processing/input/x.txt"],
        },
        Environment={"OUT": "/opt/ml/processing/output", "X": "!"},
        RoleArn=cloud.role,
        ProcessingResources=ONE_INSTANCE,
        **inputs_and_outputs(cloud),
    )  # fmt: skip

    assert cloud.wait_for_processing("paths")["ProcessingJobStatus"] == "Completed"
    assert cloud.read("s3://data/clean/seen") == b"here!\n"


def test_a_script_may_name_its_folders_in_its_text_where_the_machine_can_mount_them(cloud: Any) -> None:
    if not is_available(cloud.service.foundation.settings.scratch):
        pytest.skip("this machine grants no mount namespace")
    cloud.put("raw/x.txt", "here")
    script = cloud.put(
        "code/copy.py",
        "import pathlib, shutil, os\n"
        "shutil.copy('/opt/ml/processing/input/x.txt', '/opt/ml/processing/output/y.txt')\n"
        "pathlib.Path('/opt/ml/processing/output/cwd').write_text(os.getcwd())\n",
    )
    more = inputs_and_outputs(cloud)
    code = {**INPUT, "S3Uri": script, "LocalPath": "/opt/ml/processing/input/code"}
    more["ProcessingInputs"].append({"InputName": "code", "S3Input": code})

    cloud.process(
        "named",
        "",
        AppSpecification={
            "ImageUri": cloud.image,
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/copy.py"],
        },
        **more,
    )

    job = cloud.wait_for_processing("named")
    assert job["ProcessingJobStatus"] == "Completed", job
    assert cloud.read("s3://data/clean/y.txt") == b"here"
    assert cloud.read("s3://data/clean/cwd") == b"/opt/ml/processing"
    assert not Path("/opt/ml").exists()


def test_describe_echoes_the_request(cloud: Any) -> None:
    cloud.put("raw/x", "")
    request = {
        **inputs_and_outputs(cloud),
        "Environment": {"A": "b"},
        "NetworkConfig": {"EnableNetworkIsolation": True},
        "ExperimentConfig": {"ExperimentName": "e"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 30},
    }
    cloud.process("echo", "true", **request)

    job = cloud.wait_for_processing("echo")

    assert {name: job[name] for name in request} == request
    assert job["RoleArn"] == cloud.role


@pytest.mark.parametrize("mount_folder", [True, False])
def test_two_jobs_at_once_see_their_own_folders(make_cloud: Any, mount_folder: bool) -> None:
    cloud = make_cloud(mount_folder=mount_folder)
    for name in ("one", "two"):
        output = {**OUTPUT, "S3Uri": f"s3://{cloud.bucket}/{name}"}
        cloud.process(
            name,
            f"echo {name} > /opt/ml/processing/output/me; sleep 0.2; ls /opt/ml/processing/output > /opt/ml/output.txt",
            ProcessingOutputConfig={"Outputs": [{"OutputName": "o", "S3Output": output}]},
        )

    assert {cloud.wait_for_processing(name)["ProcessingJobStatus"] for name in ("one", "two")} == {"Completed"}
    assert [cloud.read(f"s3://data/{name}/me").strip() for name in ("one", "two")] == [b"one", b"two"]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 3", "AlgorithmError: See job logs for more information, exit code: 3"),
        (
            "mkdir -p /opt/ml/output && echo no rows > /opt/ml/output/failure && exit 1",
            "AlgorithmError: no rows, exit code: 1",
        ),
        ("kill -9 $$", "AlgorithmError: See job logs for more information, exit code: 137"),
    ],
)
def test_a_container_that_fails_fails_the_job_with_its_reason(cloud: Any, script: str, reason: str) -> None:
    cloud.process("broken", script)

    job = cloud.wait_for_processing("broken")

    assert (job["ProcessingJobStatus"], job["FailureReason"]) == ("Failed", reason)


def test_the_exit_message_is_what_the_container_wrote(cloud: Any) -> None:
    cloud.process("message", "mkdir -p /opt/ml/output && echo 3 rows dropped > /opt/ml/output/message")

    assert cloud.wait_for_processing("message")["ExitMessage"] == "3 rows dropped"


def test_an_input_that_is_not_there_fails_the_job(cloud: Any) -> None:
    cloud.process("lost", "true", **inputs_and_outputs(cloud))

    job = cloud.wait_for_processing("lost")

    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"] == "ClientError: Data download failed:S3 key: s3://data/raw matched no files on s3"


def test_an_image_without_entrypoint_fails_the_job_and_says_what_to_give(cloud: Any) -> None:
    cloud.process("image", "", AppSpecification={"ImageUri": cloud.image})

    reason = cloud.wait_for_processing("image")["FailureReason"]

    assert cloud.image in reason
    assert "AppSpecification.ContainerEntrypoint" in reason


def test_a_stopped_job_goes_through_stopping_and_keeps_what_it_wrote(cloud: Any) -> None:
    cloud.put("raw/x", "")
    cloud.process(
        "long",
        "cd /opt/ml/processing/output; trap 'echo bye > last; exit 0' TERM; echo x > started; "
        "echo up; while :; do sleep 0.01; done",
        **inputs_and_outputs(cloud),
    )
    cloud.wait_for_line("processing-job", "long", "up")

    cloud.client.stop_processing_job(ProcessingJobName="long")

    assert cloud.wait_for_processing("long")["ProcessingJobStatus"] == "Stopped"
    told = [change.description["ProcessingJobStatus"] for change in cloud.changes]
    assert told == ["InProgress", "Stopping", "Stopped"]
    assert cloud.keys("clean/") == ["clean/last", "clean/started"]


def test_a_job_that_takes_too_long_is_stopped(cloud: Any) -> None:
    cloud.process("slow", "sleep 30", StoppingCondition={"MaxRuntimeInSeconds": 1})

    assert cloud.wait_for_processing("slow")["ProcessingJobStatus"] == "Stopped"


def test_a_job_waits_for_its_place_and_can_be_stopped_while_it_waits(make_cloud: Any) -> None:
    cloud = make_cloud(parallel_jobs=1)
    cloud.process("first", "echo up; while :; do sleep 0.01; done")
    cloud.wait_for_line("processing-job", "first", "up")
    cloud.process("second", "true")

    cloud.client.stop_processing_job(ProcessingJobName="second")
    cloud.client.stop_processing_job(ProcessingJobName="first")

    assert cloud.wait_for_processing("first")["ProcessingJobStatus"] == "Stopped"
    second = cloud.wait_for_processing("second")
    assert second["ProcessingJobStatus"] == "Stopped"
    assert "ProcessingStartTime" not in second


def test_a_name_is_taken_until_the_job_is_deleted(cloud: Any) -> None:
    cloud.process("once", "echo up; while :; do sleep 0.01; done")
    cloud.wait_for_line("processing-job", "once", "up")
    with pytest.raises(cloud.client.exceptions.ResourceInUse):
        cloud.process("once", "true")
    with pytest.raises(cloud.client.exceptions.ResourceInUse):
        cloud.client.delete_processing_job(ProcessingJobName="once")
    cloud.client.stop_processing_job(ProcessingJobName="once")
    cloud.wait_for_processing("once")

    cloud.client.delete_processing_job(ProcessingJobName="once")

    with pytest.raises(cloud.client.exceptions.ResourceNotFound):
        cloud.client.describe_processing_job(ProcessingJobName="once")
    cloud.process("once", "true")
    assert cloud.wait_for_processing("once")["ProcessingJobStatus"] == "Completed"


def test_a_job_that_has_ended_cannot_be_stopped(cloud: Any) -> None:
    cloud.process("done", "true")
    cloud.wait_for_processing("done")

    with pytest.raises(ClientError, match="in status Completed"):
        cloud.client.stop_processing_job(ProcessingJobName="done")


def test_no_process_outlives_the_service(cloud: Any) -> None:
    cloud.process("orphan", "trap '' TERM; sleep 60 & echo up $$ $!; wait")
    line = cloud.wait_for_line("processing-job", "orphan", "up")
    have_ended = [cloud.watch(int(number)) for number in line.split()[1:]]

    cloud.service.close()

    assert [has_ended() for has_ended in have_ended] == [True, True]


def test_a_manifest_names_the_files(cloud: Any) -> None:
    cloud.put("pool/one", "1")
    cloud.put("pool/two", "2")
    cloud.put("pool/three", "3")
    manifest = cloud.put("manifest.json", '[{"prefix": "s3://data/pool/"}, "one", "three"]')
    more = inputs_and_outputs(cloud)
    more["ProcessingInputs"][0]["S3Input"] |= {"S3DataType": "ManifestFile", "S3Uri": manifest}

    cloud.process("manifest", "ls /opt/ml/processing/input > /opt/ml/processing/output/names", **more)

    assert cloud.wait_for_processing("manifest")["ProcessingJobStatus"] == "Completed"
    assert cloud.read("s3://data/clean/names").split() == [b"one", b"three"]
