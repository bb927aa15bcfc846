"""The function that measures coverage, over an account that a sweep recorded: SageMaker's stand-in, moto's tables."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import boto3
import pytest

from hallmark.lineage.coverage.report import CoverageReport
from hallmark.lineage.listing import SWEPT
from tests.component.reconcile_lineage.test_reconcile_lineage import run_to_the_end
from tests.fakes.stand_in_account import MANIFESTS, Invocation, StandInAccount, empty_table, load_handler


@pytest.fixture
def function(account: StandInAccount, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    empty_table()
    for queue in (account.queues.sweeps, account.queues.dead_letters):
        account.take(queue)
    account.calls.clear()
    account.refuse = lambda _operation, _request: None
    monkeypatch.setenv("COVERAGE_REQUIRED", "data,commit,model,config")
    monkeypatch.setenv("COVERAGE_WINDOW_SECONDS", "86400")
    return load_handler("measure_coverage")


def measure(function: ModuleType, **question: Any) -> CoverageReport:
    return CoverageReport.model_validate(function.handler({"ask": "measure", **question}, Invocation()))


def test_after_a_sweep_everything_that_is_listed_is_recorded_and_what_lacks_something_is_named(
    account: StandInAccount, function: ModuleType
) -> None:
    run_to_the_end(load_handler("reconcile_lineage"), account, "{}")
    account.calls.clear()

    report = measure(function)

    assert [kind.kind for kind in report.kinds] == list(SWEPT)
    listed = {kind.kind: kind for kind in report.kinds}
    jobs = account.client.list_training_jobs(MaxResults=100)["TrainingJobSummaries"]
    assert listed["training-job"].in_account == len(jobs)
    for kind in report.kinds:
        assert (kind.recorded, kind.gone, kind.whole) == (kind.in_account, 0, True), kind.kind
    lacking = {
        each.name: {gap.need for gap in each.gaps if gap.is_required} for each in listed["training-job"].incomplete
    }
    assert "fit" not in lacking  # it is tagged with its commit
    assert lacking["fail"] == {"commit"}
    assert (listed["endpoint"].complete, listed["endpoint"].judged) == (1, 1)
    assert report.unmatched == 0
    assert account.called("Describe") == []


def test_before_a_sweep_everything_lacks_its_record(account: StandInAccount, function: ModuleType) -> None:
    report = measure(function, kinds=["training-job"])

    (kind,) = report.kinds
    assert (kind.recorded, kind.complete) == (0, 0)
    assert {gap.need for each in kind.incomplete for gap in each.gaps} == {"record"}


def test_a_measurement_of_the_schedule_is_kept_with_its_numbers_and_shown_to_whoever_asks(
    account: StandInAccount, function: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    run_to_the_end(load_handler("reconcile_lineage"), account, "{}")
    capsys.readouterr()
    kept = measure(function, keep=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    account.calls.clear()

    shown = CoverageReport.model_validate(function.handler({}, Invocation()))

    assert shown == kept
    assert account.called("List") == []
    (told,) = [line for line in lines if "_aws" in line]
    assert told["CoveragePercent"] == [pytest.approx(kept.percent)]
    assert told["InputsUnmatched"] == [0.0]
    keys = [
        each["Key"] for each in boto3.client("s3").list_objects_v2(Bucket=MANIFESTS, Prefix="coverage/")["Contents"]
    ]
    assert keys == [f"coverage/{kept.measured_at:%Y-%m-%d}.json", "coverage/latest.json"]


def test_a_kind_that_may_not_be_listed_is_told_and_the_others_are_measured(
    account: StandInAccount, function: ModuleType
) -> None:
    run_to_the_end(load_handler("reconcile_lineage"), account, "{}")
    account.refuse = lambda operation, _request: ("AccessDeniedException", 400) if operation == "ListModels" else None

    report = measure(function)

    refused = {kind.kind: kind.note for kind in report.kinds if not kind.whole}
    assert set(refused) == {"model"}
    assert "AccessDeniedException" in refused["model"]
