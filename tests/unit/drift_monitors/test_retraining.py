from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from hallmark.drift.retraining import Ledger, PipelineRefusedError, RetrainingOrder, start_retraining
from hallmark.drift.settings import RetrainAction
from hallmark.errors import UnavailableError
from hallmark.events.drift import RetrainingSkipped, RetrainingStarted
from tests.fakes.watched_monitor import HOUR, NOON

ACTION = RetrainAction(
    pipeline="retrain", parameter="Window", parameters={"Depth": "3"}, cool_down=HOUR, at_most_per_week=2
)


class Ledgers:
    def __init__(self) -> None:
        self.kept: tuple[Ledger, int] = (Ledger(), 0)

    def read(self, pipeline: str) -> tuple[Ledger, int]:
        return self.kept

    def write(self, pipeline: str, ledger: Ledger, version: int) -> None:
        if version != self.kept[1]:
            raise UnavailableError("another start came between")
        self.kept = (ledger, version + 1)


class Pipelines:
    def __init__(self, obstacle: Exception | None = None) -> None:
        self.obstacle = obstacle
        self.started: dict[str, Mapping[str, str]] = {}

    def start(self, pipeline: str, token: str, name: str, parameters: Mapping[str, str]) -> str:
        if self.obstacle is not None:
            raise self.obstacle
        self.started.setdefault(token, parameters)
        return f"arn:aws:sagemaker:eu-west-1:1:pipeline/{pipeline}/execution/{token[:12]}"


def order(report: str = "hallmark:drift-report/sizes/1") -> RetrainingOrder:
    return RetrainingOrder("sizes", report, "s3://own/reports/1/window.manifest", ("ml",))


def test_drift_starts_the_pipeline_with_its_window_and_lineage_says_why() -> None:
    pipelines = Pipelines()

    told = start_retraining(order(), ACTION, Ledgers(), pipelines, NOON)

    assert isinstance(told, RetrainingStarted)
    (parameters,) = pipelines.started.values()
    assert parameters == {"Depth": "3", "Window": "s3://own/reports/1/window.manifest"}
    assert told.lineage.node.kind == "action"
    assert [(flow.node.kind, flow.node.id, flow.direction) for flow in told.lineage.flows] == [
        ("drift-report", order().report, "in"),
        ("pipeline-execution", told.execution, "out"),
    ]


def test_a_repeat_starts_nothing_and_says_the_same() -> None:
    ledgers, pipelines = Ledgers(), Pipelines()
    first = start_retraining(order(), ACTION, ledgers, pipelines, NOON)

    # SageMaker is not even asked: it knows a token for a while only.
    forgetful = Pipelines(AssertionError("asked again"))
    again = start_retraining(order(), ACTION, ledgers, forgetful, NOON + timedelta(days=3))

    assert again == first
    assert len(pipelines.started) == 1


def test_another_report_waits_for_the_cool_down() -> None:
    ledgers, pipelines = Ledgers(), Pipelines()
    start_retraining(order("a"), ACTION, ledgers, pipelines, NOON)

    soon = start_retraining(order("b"), ACTION, ledgers, pipelines, NOON + HOUR - timedelta(seconds=1))
    later = start_retraining(order("b"), ACTION, ledgers, pipelines, NOON + HOUR)

    assert isinstance(soon, RetrainingSkipped)
    assert "cools down until 2026-11-01 13:00 UTC" in soon.reason
    assert isinstance(later, RetrainingStarted)


def test_no_more_than_policy_allows_start_within_a_week() -> None:
    ledgers, pipelines = Ledgers(), Pipelines()
    for days, report in enumerate(("a", "b")):
        start_retraining(order(report), ACTION, ledgers, pipelines, NOON + timedelta(days=days))

    third = start_retraining(order("c"), ACTION, ledgers, pipelines, NOON + timedelta(days=3))
    in_a_week = start_retraining(order("c"), ACTION, ledgers, pipelines, NOON + timedelta(days=7))

    assert isinstance(third, RetrainingSkipped)
    assert "policy allows 2" in third.reason
    assert isinstance(in_a_week, RetrainingStarted)


def test_a_pipeline_that_sagemaker_refuses_takes_no_place() -> None:
    ledgers = Ledgers()

    told = start_retraining(order("a"), ACTION, ledgers, Pipelines(PipelineRefusedError("no such pipeline")), NOON)
    after = start_retraining(order("b"), ACTION, ledgers, Pipelines(), NOON)

    assert isinstance(told, RetrainingSkipped)
    assert told.reason == "no such pipeline"
    assert isinstance(after, RetrainingStarted)


def test_a_start_that_died_is_taken_up_with_the_same_token() -> None:
    ledgers, pipelines = Ledgers(), Pipelines()
    with pytest.raises(UnavailableError):
        start_retraining(order(), ACTION, ledgers, Pipelines(UnavailableError("no answer")), NOON)

    told = start_retraining(order(), ACTION, ledgers, pipelines, NOON + timedelta(minutes=1))

    assert isinstance(told, RetrainingStarted)
    assert told.started_at == NOON


def test_two_starts_at_once_are_one() -> None:
    ledgers = Ledgers()
    ledger, version = ledgers.read("retrain")
    start_retraining(order("a"), ACTION, ledgers, Pipelines(), NOON)

    with pytest.raises(UnavailableError):
        ledgers.write("retrain", ledger.with_start("b", NOON, ACTION.cool_down), version)
