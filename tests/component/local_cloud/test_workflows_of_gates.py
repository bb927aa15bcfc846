"""The workflows of gates as their files say, on the local Step Functions, with functions that only answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from infra.paths import WORKFLOWS
from tests.component.local_cloud.conftest import Workbench
from tests.component.local_cloud.state_machines import StateMachines

ORDER = {"id": "promote-1", "cause": "v", "approval_seconds": 2, "endpoint": "arn", "endpoint_name": "no-such-endpoint"}


@pytest.fixture(scope="module")
def machines(workbench: Workbench) -> StateMachines:
    return StateMachines(workbench)


class Workflow:
    """A workflow of ``infra/workflows`` whose functions answer what a test says, and whose calls are seen."""

    def __init__(self, machines: StateMachines, name: str, answers: Mapping[str, str], **values: Any) -> None:
        self._machines = machines
        workbench = machines.workbench
        text = json.dumps(yaml.safe_load((WORKFLOWS / f"{name}.asl.yaml").read_text(encoding="utf-8")))
        for function, answer in answers.items():
            made = workbench.function(f"def handler(event, context):\n    return {answer}\n")
            text = text.replace(f"${{{function}}}", workbench.function_arn(made))
        for value, given in values.items():
            text = text.replace(f"${{{value}}}", str(given))
        self.machine = machines.create(json.loads(text))

    def run(self, given: Any) -> tuple[Any, list[str]]:
        """Run it; return its output and the states that it entered."""
        ended = self._machines.ended(self._machines.start(self.machine, given))
        assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
        return ended.output, self.entered(ended.arn)

    def entered(self, arn: str) -> list[str]:
        return [
            event["stateEnteredEventDetails"]["name"]
            for event in self._machines.history(arn)
            if "stateEnteredEventDetails" in event
        ]

    def executions(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self._machines.client.list_executions(stateMachineArn=self.machine)["executions"]
        return listed


WATCH = {"watch": "loss", "job": "arn:job", "interval": 0, "part": 1, "id": "watch-1"}


def watching(machines: StateMachines, seen: str) -> Workflow:
    answers = {"InspectTraining": seen, "HaltTraining": "{'halted': event['finding']['rule'], 'at': event['at']}"}
    return Workflow(machines, "watch_training", answers, MaximumLooks=3)


def test_a_watch_halts_what_it_found_wanting(machines: StateMachines) -> None:
    seen = "{'state': 'halt', 'finding': {'rule': 'plateau'}, 'curve': [[1, 2.0]]}"

    output, entered = watching(machines, seen).run(WATCH)

    assert output["halted"] == "plateau"
    assert output["at"].endswith("Z")
    assert entered[-1] == "HaltTraining"


def test_a_watch_ends_with_its_job(machines: StateMachines) -> None:
    _, entered = watching(machines, "{'state': 'ended', 'reason': 'the job is Completed'}").run(WATCH)

    assert entered.count("InspectTraining") == 1
    assert entered[-1] == "Ended"


def test_a_long_watch_goes_on_as_a_new_execution_before_its_history_is_full(
    machines: StateMachines, workbench: Workbench
) -> None:
    count = "handler.__dict__.setdefault('looks', [])"  # a function stays warm
    workflow = watching(machines, f"{{'state': 'ended' if {count}.append(1) or len({count}) > 7 else 'running'}}")
    first = machines.start(workflow.machine, WATCH)

    def last() -> str | None:
        return next((each["executionArn"] for each in workflow.executions() if each["name"] == "watch-1-3"), None)

    found = workbench.wait_for(last, timeout_seconds=60)
    ended = machines.ended(found)
    second = found.removesuffix("3") + "2"

    assert ended.status == "SUCCEEDED"
    assert [workflow.entered(each).count("InspectTraining") for each in (first, second, found)] == [3, 3, 2]
    assert json.loads(machines.describe(found)["input"]) == {**WATCH, "part": 3}


def promoting(machines: StateMachines, plan: str, **answers: str) -> Workflow:
    given = {
        "PlanPromotion": plan,
        "RequestApproval": "None",
        "ExpireApproval": "{'state': 'expired'}",
        "AttestVerdict": "{'attestation': 'a'}",
        "SetModelStage": "{'moved': True, 'answer': event['answer'], 'fingerprint': event['fingerprint']}",
        **answers,
    }
    return Workflow(machines, "promote_model", given)


PLAN = "{'step': '%s', 'reason': 'why', 'fingerprint': 'f', 'from_stage': 'Staging'}"


def test_a_model_that_needs_nobodys_word_is_moved_at_once(machines: StateMachines) -> None:
    output, entered = promoting(machines, PLAN % "move").run({"order": ORDER})

    assert output == {"moved": True, "answer": {}, "fingerprint": "f"}
    assert entered == ["PlanPromotion", "WhatIsNext", "AttestVerdict", "SetModelStage"]


def test_where_nothing_is_to_be_done_the_reason_is_the_output(machines: StateMachines) -> None:
    output, _ = promoting(machines, PLAN % "none").run({"order": ORDER})

    assert output == {"moved": False, "reason": "why"}


def test_an_approval_that_nobody_gives_ends_without_a_move(machines: StateMachines) -> None:
    output, entered = promoting(machines, PLAN % "ask").run({"order": ORDER})

    assert output == {"moved": False, "reason": "the approval is expired"}
    assert "SetModelStage" not in entered


def test_whoever_decided_in_the_last_moment_has_decided(machines: StateMachines) -> None:
    late = "{'state': 'approved', 'by': 'kim', 'reason': 'fine', 'approval': 'ap-1'}"

    output, entered = promoting(machines, PLAN % "ask", ExpireApproval=late).run({"order": ORDER})

    assert output["answer"]["by"] == "kim"
    assert entered[-1] == "SetModelStage"


def rolling_back(machines: StateMachines, plan: str) -> Workflow:
    answers = {"PlanRollback": plan, "CompleteRollback": "{key: event[key] for key in ('plan', 'endpoint', 'failure')}"}
    return Workflow(machines, "roll_back_endpoint", answers, PollSeconds=0, MaximumLooks=3)


def test_a_rollback_that_has_nowhere_to_go_is_told(machines: StateMachines) -> None:
    output, entered = rolling_back(machines, "{'do': 'fail', 'reason': 'no', 'from_config': 'c'}").run({"order": ORDER})

    assert output["plan"]["reason"] == "no"
    assert "UpdateEndpoint" not in entered


def test_an_update_that_is_refused_is_told_with_the_reason(machines: StateMachines) -> None:
    output, entered = rolling_back(machines, "{'do': 'update', 'to_config': 'good'}").run({"order": ORDER})

    assert output["failure"].startswith("UpdateEndpoint: ")
    assert "WaitForEndpoint" not in entered


def test_a_plan_that_fails_for_good_is_told_as_a_rollback_that_failed(machines: StateMachines) -> None:
    output, _ = rolling_back(machines, "1 / 0").run({"order": ORDER})

    assert output["plan"]["do"] == "fail"
    assert "ZeroDivisionError" in output["plan"]["reason"]


def test_what_is_to_be_left_in_peace_ends_silently(machines: StateMachines) -> None:
    output, entered = rolling_back(machines, "{'do': 'skip', 'reason': 'mended already'}").run({"order": ORDER})

    assert output == {"rolled_back": False, "reason": "mended already"}
    assert "CompleteRollback" not in entered
