"""What evaluations beside checkpoints say of a training job: files as Hugging Face's Trainer and scripts write them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hallmark.aws.checkpoint_files import CheckpointFiles
from hallmark.aws.gate_actions import Champion
from hallmark.aws.training_looks import Look, look
from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.gates.curves import Point
from hallmark.gates.watch_settings import CheckpointEvaluations, TrainingWatch
from tests.contract.aws_adapters.injection import DENIED, FAULTS, Injection

BUCKET = "sagemaker-us-east-1-123456789012"
PLACE = f"s3://{BUCKET}/checkpoints/churn-1"
JOB = "arn:aws:sagemaker:us-east-1:123456789012:training-job/churn-1"
BEGUN = datetime(2026, 11, 29, 8, tzinfo=UTC)


@pytest.fixture
def bucket(s3: Any) -> Any:
    s3.create_bucket(Bucket=BUCKET)
    return s3


def put(s3: Any, key: str, content: Any) -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    s3.put_object(Bucket=BUCKET, Key=f"checkpoints/churn-1/{key}", Body=body)


def trainer_state(*losses: float) -> dict[str, Any]:
    """Return the state as Trainer writes it: what was logged while it trained, and what it evaluated, by step."""
    history: list[dict[str, Any]] = []
    for place, loss in enumerate(losses, 1):
        step, epoch = 50 * place, round(0.32 * place, 2)
        history.append({"epoch": epoch, "learning_rate": 7.9e-06, "loss": 1.387, "step": step})
        history.append(
            {"epoch": epoch, "eval_accuracy": 0.25, "eval_loss": loss, "eval_runtime": 92.0138, "step": step}
        )
    return {
        "best_metric": None,
        "best_model_checkpoint": None,
        "epoch": 0.32 * len(losses),
        "global_step": 50 * len(losses),
        "is_hyper_param_search": False,
        "log_history": history,
    }


def read(s3: Any, metric: str = "eval_loss", **settings: Any) -> Any:
    return CheckpointFiles(s3).read(PLACE, metric, CheckpointEvaluations(**settings))


def test_the_newest_state_of_a_trainer_has_the_whole_curve(bucket: Any) -> None:
    put(bucket, "checkpoint-50/trainer_state.json", trainer_state(1.5))
    time.sleep(1)
    put(bucket, "checkpoint-100/trainer_state.json", trainer_state(1.5, 1.2))
    put(bucket, "checkpoint-100/model.safetensors", b"\0" * 64)
    put(bucket, "checkpoint-100/config.json", {"step": 1, "eval_loss": 99})

    assert list(read(bucket).curve) == [Point(50, 1.5), Point(100, 1.2)]


def test_evaluations_of_single_checkpoints_are_joined_by_their_step(bucket: Any) -> None:
    put(bucket, "20/evaluation.json", {"step": 20, "metrics": {"accuracy": 0.7}})
    put(bucket, "10/evaluation.json", {"step": 10, "accuracy": 0.5})
    put(bucket, "30/evaluation.json", b'{"step": 30, "accura')
    put(bucket, "40/evaluation.json", {"step": 40, "accuracy": "unknown"})

    assert list(read(bucket, "accuracy").curve) == [Point(10, 0.5), Point(20, 0.7)]


def test_files_and_their_step_may_be_named(bucket: Any) -> None:
    put(bucket, "scores/1.json", {"epoch": 1, "f1": 0.4})

    assert list(read(bucket, "f1", files=("scores/*",), step="epoch").curve) == [Point(1, 0.4)]


def test_what_lies_beside_a_jobs_checkpoints_is_another_jobs(bucket: Any) -> None:
    bucket.put_object(Bucket=BUCKET, Key="checkpoints/churn-10/evaluation.json", Body=b'{"step": 1, "eval_loss": 1}')

    assert list(read(bucket).curve) == []


def test_a_place_that_may_not_be_read_is_named_with_the_remedy(bucket: Any, injection: Injection) -> None:
    injection.fail("s3.ListObjectsV2", DENIED)

    with pytest.raises(InvalidInputError, match=r"lineage\.data_buckets"):
        read(bucket)


@pytest.mark.parametrize("call", ["s3.ListObjectsV2", "s3.GetObject"])
def test_a_fault_of_s3_is_tried_again(bucket: Any, injection: Injection, call: str) -> None:
    put(bucket, "evaluation.json", {"step": 1, "eval_loss": 1})
    injection.fail(call, FAULTS[0], times=1)

    with pytest.raises(UnavailableError):
        read(bucket)
    assert list(read(bucket).curve) == [Point(1, 1.0)]


class Running:
    """A job that runs and writes checkpoints."""

    def __init__(self, status: str = "InProgress", place: str = PLACE) -> None:
        self._status, self._place = status, place

    def describe(self, name: str) -> Mapping[str, Any]:
        config = {"CheckpointConfig": {"S3Uri": self._place}} if self._place else {}
        final = [{"MetricName": "eval_loss", "Value": 9.0, "Timestamp": BEGUN}]
        return {
            "TrainingJobName": name,
            "TrainingJobStatus": self._status,
            "CreationTime": BEGUN,
            "FinalMetricDataList": final,
            **config,
        }


class Champions:
    """Where champions are kept."""

    def __init__(self) -> None:
        self.kept: dict[str, Champion] = {}

    def champion(self, watch: str) -> Champion | None:
        return self.kept.get(watch)

    def crown(self, watch: str, champion: Champion, better: str) -> bool:
        self.kept[watch] = champion
        return True


def watch(*rules: Mapping[str, Any]) -> TrainingWatch:
    return TrainingWatch.model_validate(
        {"metric": "eval_loss", "better": "lower", "checkpoints": {}, "rules": list(rules)}
    )


def looked(s3: Any, watching: TrainingWatch, job: Running, champions: Champions | None = None) -> Look:
    jobs: Any = job
    now = datetime.now(UTC) + timedelta(minutes=1)
    return look(JOB, "loss", watching, jobs, CheckpointFiles(s3), champions or Champions(), now)


@pytest.mark.parametrize(
    ("losses", "rule"),
    [
        ((0.5, 0.4, 5.0, 6.0), {"rule": "divergence"}),
        ((0.5, 0.4, float("nan")), {"rule": "divergence"}),
        ((0.9, 0.9, 0.9), {"rule": "threshold", "at_most": 0.5, "after": 50}),
        ((0.9, 0.5, 0.5, 0.5), {"rule": "plateau", "patience": 2}),
        ((0.9, 0.8, 0.8), {"rule": "champion"}),
        ((0.9,), {"rule": "divergence", "silence": "30 seconds"}),
    ],
    ids=lambda given: given["rule"] if isinstance(given, dict) else "",
)
def test_each_rule_judges_evaluations_of_checkpoints(bucket: Any, losses: Any, rule: dict[str, Any]) -> None:
    champions = Champions()
    champions.kept["loss"] = Champion("another", 0.1, [Point(50, 0.2), Point(150, 0.1)])
    put(bucket, "checkpoint-50/trainer_state.json", trainer_state(*losses))

    seen = looked(bucket, watch(rule), Running(), champions)

    assert seen.state == "halt"
    assert seen.finding is not None
    assert seen.finding.rule == rule["rule"]


def test_nan_is_told_with_its_step_and_its_file(bucket: Any) -> None:
    put(bucket, "checkpoint-50/trainer_state.json", trainer_state(0.5, float("nan")))

    assert "nan at step 100 in s3://" in looked(bucket, watch({"rule": "divergence"}), Running()).reason


def test_a_job_that_gets_better_goes_on_and_becomes_the_champion_by_its_last_checkpoint(bucket: Any) -> None:
    put(bucket, "checkpoint-100/trainer_state.json", trainer_state(0.5, 0.4))
    champions, watching = Champions(), watch({"rule": "divergence"}, {"rule": "plateau"})

    assert looked(bucket, watching, Running()).state == "running"
    assert looked(bucket, watching, Running("Completed"), champions).state == "ended"
    assert champions.kept["loss"].final == 0.4


def test_a_job_without_checkpoints_is_refused_with_the_remedy(bucket: Any) -> None:
    with pytest.raises(InvalidInputError, match="let the job write checkpoints"):
        looked(bucket, watch({"rule": "divergence"}), Running(place=""))
