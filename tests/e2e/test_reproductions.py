"""A job is run again by the real command line, in the deployed app: copied, started, compared, recorded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]


class Screen(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def best(shipped: Any) -> str:
    """Name of a training job of the first version."""
    jobs = shipped.client("sagemaker").list_training_jobs(NameContains="wine-tune-v1", MaxResults=10)
    return str(jobs["TrainingJobSummaries"][0]["TrainingJobName"])


def hallmark(shipped: Any, *words: str) -> Screen:
    """Run the installed command as whoever runs the account."""
    done = subprocess.run(
        [sys.executable, "-m", "hallmark.cli.main", *words],
        cwd=ROOT,
        env=shipped.cloud.child_environment() | shipped.cloud.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    return Screen(done.returncode, done.stdout, done.stderr)


def test_a_training_job_is_reproduced_and_lineage_and_ledger_have_the_verdict(shipped: Any, best: str) -> None:
    screen = hallmark(shipped, "reproduce", best, "--run", "--json")

    assert screen.code == 0, screen
    told = json.loads(screen.out)
    assert told["outcome"] in {"Exact", "WithinTolerance"}
    assert {name: metric["is_near"] for name, metric in told["metrics"].items()} == {
        "validation:accuracy": True,
        "validation:macro-f1": True,
        "validation:log-loss": True,
    }
    assert {role: each["is_same"] for role, each in told["read"].items()} == {
        "train": True,
        "validation": True,
        "code": True,
    }
    trace = shipped.ask("trace", node=told["reproduction"], depth=1)
    roles = {(edge["source"], edge["role"]) for edge in trace["edges"]}
    assert roles == {(told["original"], "original"), (told["run"], "reproduction")}
    name = told["run"].partition("@")[0].rpartition("/")[2]
    described = shipped.client("sagemaker").describe_training_job(TrainingJobName=name)
    place = described["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"]
    assert "/hallmark-reproductions/data/" in place


def test_a_processing_job_comes_to_the_same_bytes(shipped: Any) -> None:
    screen = hallmark(shipped, "reproduce", "wine-cultivars-prepare-v2", "--run")

    print(screen.out, screen.err)
    assert screen.code == 0, screen
    assert "wine-cultivars-prepare-v2: reproduced: every output has the same bytes" in screen.out


def test_a_check_says_that_data_and_machines_are_there_and_that_the_bucket_keeps_no_versions(
    shipped: Any, best: str
) -> None:
    screen = hallmark(shipped, "reproduce", best, "--check", "--json")

    found = {each["subject"]: each for each in json.loads(screen.out)}
    assert found["data train"]["standing"] == "same"
    assert "keeps no versions" in found["data train"]["warnings"][0]["text"]
    assert found["instance type ml.m5.large"]["standing"] == "same"
    # Nobody can ask the registry that AWS keeps its own image in.
    assert (found["image"]["standing"], screen.code) == ("unknown", 4)


def test_coverage_is_measured_over_the_account(shipped: Any) -> None:
    screen = hallmark(shipped, "coverage", "--now", "--json")

    print(hallmark(shipped, "coverage", "--now").out)
    report = json.loads(screen.out)
    kinds = {kind["kind"]: kind for kind in report["kinds"]}
    jobs = shipped.client("sagemaker").list_training_jobs(MaxResults=100)["TrainingJobSummaries"]
    assert kinds["training-job"]["in_account"] >= len(jobs) > 0
    assert kinds["training-job"]["recorded"] == kinds["training-job"]["in_account"] + kinds["training-job"]["gone"]
    assert kinds["training-job"]["lacking"]["image"] > 0  # AWS's own image is named by its tag
    assert screen.code == (0 if report["whole"] else 4)
