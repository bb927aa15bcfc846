"""``watch_drift`` as it is deployed, with functions that only say what they were asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.component.local_cloud.conftest import Workbench
from tests.component.local_cloud.state_machines import Ended, StateMachines

FILE = Path(__file__).parents[3] / "infra" / "workflows" / "watch_drift.asl.yaml"
AT = "2026-11-01T12:00:00Z"

PLAN = """
class InvalidInputError(Exception):
    pass

def handler(event, context):
    if event["monitor"] == "unknown":
        raise InvalidInputError("there is no such monitor")
    count = event["count"]
    parts = [{"plan": "p.json", "part": number} for number in range(count)]
    size = "none" if not count else "large" if count > 2 else "small"
    return {"plan": "p.json", "partsKey": event.get("key", ""), "size": size, "parts": parts[:2]}
"""
JUDGE = """
def handler(event, context):
    told = {"retrains": event.get("plan") is not None and "%s" == "drifted", "outcome": "%s"}
    return {**told, "monitor": "sizes", "report": "r", "window": "w", "asked": event}
"""
# A part that is not as it should be fails the look.
PROFILE = """
def handler(event, context):
    assert event["plan"] == "p.json", event
    return {"records": event["part"] + 0}
"""
RETRAIN = "def handler(event, context):\n    return {'started': True, 'asked': event}\n"

Run = Callable[..., Ended]


@pytest.fixture(scope="module")
def run(workbench: Workbench) -> Run:
    machines = StateMachines(workbench)
    common = {
        "PlanDriftWindow": workbench.function(PLAN),
        "ProfileWindow": workbench.function(PROFILE),
        "StartRetraining": workbench.function(RETRAIN),
    }
    made = {}
    for outcome in ("clear", "drifted"):
        judge = workbench.function(JUDGE.replace("%s", outcome))
        text = json.dumps(yaml.safe_load(FILE.read_text(encoding="utf-8")))
        for name, function in {**common, "JudgeDrift": judge}.items():
            text = text.replace(f"${{{name}}}", workbench.function_arn(function))
        made[outcome] = machines.create(json.loads(text.replace("${Bucket}", machines.bucket)))

    def go(count: int, *, outcome: str = "clear", monitor: str = "sizes") -> Ended:
        key = machines.put_lines([{"part": number} for number in range(count)])
        return machines.ended(machines.start(made[outcome], {"monitor": monitor, "at": AT, "count": count, "key": key}))

    return go


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_a_look_is_judged_after_all_of_its_parts(run: Run, count: int) -> None:
    ended = run(count)

    assert (ended.status, ended.error) == ("SUCCEEDED", None)
    assert ended.output["asked"] == {"plan": "p.json"}
    assert "retraining" not in ended.output


def test_drift_starts_the_retraining_with_report_and_window(run: Run) -> None:
    ended = run(1, outcome="drifted")

    assert ended.output["retraining"] == {
        "started": True,
        "asked": {"monitor": "sizes", "report": "r", "window": "w"},
    }


def test_a_look_that_breaks_off_is_told_of_by_its_monitor_and_fails(run: Run, workbench: Workbench) -> None:
    ended = run(1, monitor="unknown")

    assert (ended.status, ended.error) == ("FAILED", "InvalidInputError")
    assert "there is no such monitor" in str(ended.cause)
    history: Any = workbench.cloud.client("stepfunctions").get_execution_history(executionArn=ended.arn)["events"]
    (told,) = [
        json.loads(event["stateExitedEventDetails"]["output"])
        for event in history
        if event.get("stateExitedEventDetails", {}).get("name") == "FailDriftWindow"
    ]
    asked = told.get("Payload", told)["asked"]
    assert (asked["monitor"], asked["at"], asked["error"]) == ("unknown", AT, "InvalidInputError")
