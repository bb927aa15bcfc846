"""The product's own looks at a training job that really runs on the local cloud."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from hallmark.aws.checkpoint_files import CheckpointFiles
from hallmark.aws.gate_actions import Champion
from hallmark.aws.training_jobs import TrainingJobs
from hallmark.aws.training_looks import Look, look
from hallmark.gates.watch_settings import TrainingWatch
from tests.component.local_cloud.conftest import Workbench
from tests.patience import PATIENCE_SECONDS

WATCH = TrainingWatch.model_validate(
    {
        "metric": "train:loss",
        "step_metric": "train:step",
        "better": "lower",
        "period": "1 second",
        "rules": [{"rule": "divergence", "factor": 3, "patience": 1}],
    }
)
# Fewer than 512 characters, the most that a variable of a job may have (API reference, CreateTrainingJob).
SCRIPT = """
import time
for step, loss in enumerate({losses}):
    print(f"step={{step}} loss={{loss}}", flush=True)
    time.sleep(1.1)
time.sleep({rest})
"""


class NoChampions:
    """A watch without a past."""

    def __init__(self) -> None:
        self.crowned: list[Champion] = []

    def champion(self, watch: str) -> Champion | None:
        return None

    def crown(self, watch: str, champion: Champion, better: str) -> bool:
        self.crowned.append(champion)
        return True


@pytest.fixture
def jobs(cloud: Any) -> TrainingJobs:
    return TrainingJobs(cloud.client("sagemaker"), cloud.client("cloudwatch"), cloud.client("logs"))


def train(cloud: Any, workbench: Workbench, losses: list[Any], rest: int, bucket: str = "") -> str:
    bucket = bucket or workbench.name("bucket")
    cloud.client("s3").create_bucket(Bucket=bucket)
    answer = cloud.client("sagemaker").create_training_job(
        TrainingJobName=workbench.name("job"),
        AlgorithmSpecification={
            "TrainingImage": f"{cloud.account}.dkr.ecr.{cloud.region}.amazonaws.com/training:1",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python", "-c", "import os; exec(os.environ['SCRIPT'])"],
            "MetricDefinitions": [
                {"Name": "train:loss", "Regex": "loss=([0-9.e+-]+)"},
                {"Name": "train:step", "Regex": "step=([0-9]+)"},
            ],
        },
        Environment={"SCRIPT": SCRIPT.format(losses=json.dumps(losses), rest=rest)},
        RoleArn=workbench.role(),
        OutputDataConfig={"S3OutputPath": f"s3://{bucket}/out"},
        CheckpointConfig={"S3Uri": f"s3://{bucket}/checkpoints"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )
    return str(answer["TrainingJobArn"])


def until(
    workbench: Workbench,
    jobs: TrainingJobs,
    job: str,
    champions: NoChampions,
    state: str,
    watch: TrainingWatch = WATCH,
) -> Look:
    def looked() -> Look | None:
        files = CheckpointFiles(workbench.cloud.client("s3"))
        seen = look(job, "loss", watch, jobs, files, champions, datetime.now(UTC))
        return seen if seen.state == state else None

    found: Look = workbench.wait_for(looked, timeout_seconds=PATIENCE_SECONDS)
    return found


def test_a_job_that_diverges_is_seen_while_it_runs_and_can_be_stopped(
    cloud: Any, workbench: Workbench, jobs: TrainingJobs
) -> None:
    job = train(cloud, workbench, [2.0, 1.0, 0.5, 4.0, 9.0], rest=600)

    seen = until(workbench, jobs, job, NoChampions(), "halt")
    jobs.stop(job.rpartition("/")[2])
    champions = NoChampions()
    until(workbench, jobs, job, champions, "ended")

    assert seen.finding is not None
    # Values within a second are one, their mean, and a busy machine may put two steps into one.
    assert seen.finding.rule == "divergence"
    assert seen.curve[0] == (0.0, 2.0)
    assert seen.curve[-1].value > (seen.finding.threshold or 0) > 0
    assert champions.crowned == []


def test_nan_is_seen_in_the_log_of_a_job_that_runs(cloud: Any, workbench: Workbench, jobs: TrainingJobs) -> None:
    job = train(cloud, workbench, [2.0, "nan"], rest=600)

    seen = until(workbench, jobs, job, NoChampions(), "halt")
    jobs.stop(job.rpartition("/")[2])

    assert "train:loss is not a number: step=1 loss=nan" in seen.reason


def test_a_job_that_completes_is_offered_as_champion(cloud: Any, workbench: Workbench, jobs: TrainingJobs) -> None:
    job, champions = train(cloud, workbench, [2.0, 1.0], rest=0), NoChampions()

    until(workbench, jobs, job, champions, "ended")

    (champion,) = champions.crowned
    assert (champion.job, champion.final) == (job, 1.0)
    assert champion.curve[-1].step > 0


def test_a_job_is_judged_by_evaluations_beside_the_checkpoints_that_it_says_it_writes(
    cloud: Any, workbench: Workbench, jobs: TrainingJobs
) -> None:
    bucket = workbench.name("bucket")
    job = train(cloud, workbench, [2.0], rest=600, bucket=bucket)
    history = [{"step": step, "eval_loss": loss} for step, loss in ((10, 0.5), (20, 4.0))]
    cloud.client("s3").put_object(
        Bucket=bucket,
        Key="checkpoints/checkpoint-20/trainer_state.json",
        Body=json.dumps({"global_step": 20, "log_history": history}),
    )
    rules = [{"rule": "divergence", "patience": 1}]
    watch = TrainingWatch.model_validate({"metric": "eval_loss", "better": "lower", "checkpoints": {}, "rules": rules})

    seen = until(workbench, jobs, job, NoChampions(), "halt", watch)
    jobs.stop(job.rpartition("/")[2])

    assert seen.finding is not None
    assert (seen.finding.rule, seen.finding.step, list(seen.curve)) == ("divergence", 20, [(10, 0.5), (20, 4.0)])
