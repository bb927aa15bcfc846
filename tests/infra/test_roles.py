"""What schedules, workflows and jobs may do, and what one stack lets roles of another do: the list of a reviewer."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

Resources = Mapping[str, Mapping[str, Any]]

OF_OTHER_STACKS = "roles of other stacks"
# What functions may do stands in tests/infra/test_functions.py. Removing or adding a statement fails here as there.
STATEMENTS = {
    "HallmarkLineage/CoverageStarting": ["StartMeasurement", "SendDeadLetters", "UseKey"],
    "HallmarkLineage/QuestionsStarting": ["StartCompaction", "SendDeadLetters", "UseKey"],
    "HallmarkLineage/ReconciliationStarting": ["StartSweep", "SendDeadLetters", "UseKey"],
    "HallmarkEvaluation/EngineEvaluateSuite": [
        *("InvokeSteps", "GetFiles", "WriteMapResults", "UseKeyOfHistory", "DeliverLogs"),
        *("StartChildren", "WatchChildren"),
    ],
    "HallmarkEvaluation/EngineJobsBedrock": ["AskModels", "ReadPrompts", "WriteOutput", "ListFiles", "UseKey"],
    "HallmarkEvaluation/EngineJobsProcessing": [
        *("ReadRun", "ReadWheel", "WriteOutput", "ListFiles", "WriteJobLogs", "UseKey"),
    ],
    "HallmarkEvaluation/EngineStarting": ["StartRuns", "SendDeadLetters", "UseKey"],
    f"HallmarkEvaluation/{OF_OTHER_STACKS}": ["ListOwnData", "ReadOwnChecksums"],
    "HallmarkGates/ActionsPromoteModel": ["InvokeSteps", "UseKeyOfHistory", "DeliverLogs"],
    "HallmarkGates/ActionsRollBackEndpoint": [
        *("InvokeSteps", "UpdateEndpoints", "LookAtEndpoints", "UseKeyOfHistory", "DeliverLogs"),
    ],
    "HallmarkGates/VerdictsApplyQualityGateWorkflow": ["InvokeSteps", "UseKeyOfHistory", "DeliverLogs"],
    "HallmarkGates/WatchWatchTraining": ["InvokeSteps", "UseKeyOfHistory", "DeliverLogs", "ContinueElsewhere"],
    "HallmarkReviews/CycleStarting": ["AskForReviews", "EndReviews", "SendDeadLetters", "UseKey"],
    "HallmarkReviews/FeedbackStarting": ["JoinAndExport", "SendDeadLetters", "UseKey"],
    "HallmarkAlerts/EngineStarting": ["WakeLooks", "SendDeadLetters", "UseKey"],
    "HallmarkLedger/LedgerStarting": ["StartSweep", "SendDeadLetters", "UseKey"],
    "HallmarkDrift/WatchStarting": ["StartLooks", "SendDeadLetters", "UseKey"],
    "HallmarkDrift/WatchWatchDrift": [
        *("InvokeSteps", "GetFiles", "WriteMapResults", "UseKeyOfHistory", "DeliverLogs"),
        *("StartChildren", "WatchChildren"),
    ],
    f"HallmarkDrift/{OF_OTHER_STACKS}": ["ListOwnData", "ReadOwnChecksums"],
}


def test_a_role_that_no_function_has_allows_what_is_listed_and_nothing_else(stacks: Mapping[str, Resources]) -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for stack, resources in stacks.items():
        functions = [each for each in resources.values() if each["Type"] == "AWS::Lambda::Function"]
        of_functions = {each["Properties"]["Role"]["Fn::GetAtt"][0] for each in functions}
        for policy in [each["Properties"] for each in resources.values() if each["Type"] == "AWS::IAM::Policy"]:
            for role in policy["Roles"]:
                if role.get("Ref") not in of_functions:
                    name = re.sub(r"(Role)?[0-9A-F]{8}$", "", role.get("Ref", OF_OTHER_STACKS))
                    found[f"{stack}/{name}"].update(each["Sid"] for each in policy["PolicyDocument"]["Statement"])

    assert {name: sorted(sids) for name, sids in found.items()} == {
        name: sorted(sids) for name, sids in STATEMENTS.items()
    }


def test_no_role_allows_anything_beside_these_policies(stacks: Mapping[str, Resources]) -> None:
    roles = [each for resources in stacks.values() for each in resources.values() if each["Type"] == "AWS::IAM::Role"]

    assert roles
    assert not [each for each in roles if {"ManagedPolicyArns", "Policies"} & set(each["Properties"])]
