"""What each function is told and may do, against its own settings and the list that a reviewer reads."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hallmark.runtime.settings import Settings

Resources = Mapping[str, Mapping[str, Any]]

ROOT = Path(__file__).parents[2]
FUNCTIONS = sorted(folder.name for folder in (ROOT / "functions").iterdir() if (folder / "handler.py").exists())
GIVEN_BY_LAMBDA = {"AWS_REGION"}
COMMON_VARIABLES = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "PYDANTIC_DISABLE_PLUGINS"}

# Statements that a function has only where the policy gives them resources.
OF_THE_POLICY = {"PromoteModels", "RejectModels"}
# Every statement of every function's role: what it may do, in one word each. Removing or adding one fails here; that
# the app works with these and no more is shown by the tests in tests/e2e, which run with IAM enforced.
STATEMENTS = {
    "plan_drift_window": [
        "WriteOwnLog",
        "UseMemory",
        "GetFiles",
        "PutFiles",
        "TellMissingFromDenied",
        "UseKey",
        "ListSources",
        "DescribeEndpoints",
    ],
    "profile_window": ["WriteOwnLog", "GetFiles", "PutFiles", "UseKey", "ReadSources", "ListSources", "UseMemory"],
    "judge_drift": ["WriteOwnLog", "UseMemory", "GetFiles", "PutFiles", "TellMissingFromDenied", "UseKey", "Publish"],
    "start_retraining": ["WriteOwnLog", "UseMemory", "UseKey", "Publish", "StartPipelines"],
    "keep_score": ["WriteOwnLog", "ReceiveWork", "SendDeadLetters", "UseMemory", "UseKey"],
    "query_drift": [
        "WriteOwnLog",
        "UseMemory",
        "GetFiles",
        "TellMissingFromDenied",
        "UseKey",
        "StartLooks",
        "FollowLooks",
    ],
    "request_quality_gate": [
        *("WriteOwnLog", "ReceiveWork", "SendDeadLetters", "StartGates", "UseKey", "AnswerPipelineSteps"),
    ],
    "apply_quality_gate": [
        *("WriteOwnLog", "UseGates", "UseKey", "Publish", "ListRuns", "GetFiles", "TellMissingFromDenied"),
        *("AskLineage", "DescribePackages", "ListPackages", "ReadQualityReports", "TellMissingReports"),
        "AnswerPipelineSteps",
    ],
    "judge_reproduction": [
        *("WriteOwnLog", "ReceiveWork", "SendDeadLetters", "QueryLineage", "UseKey", "Publish"),
    ],
    "measure_coverage": [
        *("WriteOwnLog", "QueryLineage", "ReadGraph", "KeepReports", "TellMissingFromDenied", "UseKey"),
        *("ListSageMaker", "ListBedrock"),
    ],
    "query_gates": ["WriteOwnLog", "UseGates", "ListGates", "UseKey", "StartGates"],
    "record_lineage": [
        *("WriteOwnLog", "ReceiveWork", "SendDeadLetters", "RecordFacts", "UseKey", "KeepManifests"),
        *("DescribeSageMaker", "DescribeBedrock", "ListDatasets", "ReadChecksums", "ResolveImages"),
        *("ResolveOthersImages", "KeepPersons", "SealPersons", "FindPersons"),
    ],
    "forget_person": ["WriteOwnLog", "ForgetPersons", "FindPersons", "Publish", "UseKey"],
    "announce_lineage": [
        *("WriteOwnLog", "ReadTableStream", "ListStreams", "Publish", "SendDeadLetters", "UseKey"),
    ],
    "reconcile_lineage": [
        *("WriteOwnLog", "ReceiveWork", "ContinueSweep", "SendDeadLetters", "RecordFacts", "QueryLineage"),
        *("ReadCursor", "Publish", "UseKey", "KeepManifests", "ListSageMaker", "ListBedrock"),
        *("DescribeSageMaker", "DescribeBedrock", "ListDatasets", "ReadChecksums", "ResolveImages"),
        *("ResolveOthersImages", "KeepPersons", "SealPersons", "FindPersons"),
    ],
    "mirror_lineage": [
        *(
            "WriteOwnLog",
            "ReceiveWork",
            "SendDeadLetters",
            "ReadFactsAndBudget",
            "UseKey",
            "AddToLineage",
            "FindLineage",
        ),
    ],
    "compact_lineage": ["WriteOwnLog", "QueryLineage", "WriteGraph", "TellMissingFromDenied", "UseKey"],
    "plan_evaluation": [
        *("WriteOwnLog", "UseRuns", "PutFiles", "UseKey", "ListDatasets", "ReadDatasets"),
    ],
    "ask_models": ["WriteOwnLog", "UseRuns", "GetFiles", "PutFiles", "TellMissingFromDenied", "UseKey", "AskModels"],
    "judge_answers": ["WriteOwnLog", "UseRuns", "GetFiles", "PutFiles", "TellMissingFromDenied", "UseKey", "AskModels"],
    "decide_continuation": ["WriteOwnLog", "GetFiles", "TellMissingFromDenied", "UseKey"],
    "complete_evaluation": [
        *("WriteOwnLog", "UseRuns", "GetFiles", "PutFiles", "TellMissingFromDenied", "UseKey", "Publish"),
        "RemoveDeployments",
    ],
    "fail_evaluation": [
        *("WriteOwnLog", "UseRuns", "GetFiles", "TellMissingFromDenied", "UseKey", "Publish", "RemoveDeployments"),
    ],
    "follow_execution": ["WriteOwnLog", "ReceiveWork", "SendDeadLetters", "UseRuns", "UseKey", "Publish"],
    "start_evaluation": ["WriteOwnLog", "ReceiveWork", "SendDeadLetters", "StartRuns", "UseKey"],
    "query_evaluations": [
        *("WriteOwnLog", "UseRuns", "ListRuns", "GetFiles", "TellMissingFromDenied", "StartRuns", "UseKey"),
        "AskModels",
    ],
    "start_job": [
        *("WriteOwnLog", "GetFiles", "PutFiles", "UseKey", "StartJobs", "FindJobs", "StartProcessing"),
        *("PassRoleToBedrock", "PassRoleToProcessing"),
    ],
    "await_job": ["WriteOwnLog", "UseRuns", "GetFiles", "UseKey", "LookAtJobs", "StopJobs", "TellTasks"],
    "wake_job": ["WriteOwnLog", "ReceiveWork", "SendDeadLetters", "UseRuns", "UseKey", "TellTasks"],
    "collect_job": [
        *("WriteOwnLog", "UseRuns", "GetFiles", "PutFiles", "TellMissingFromDenied", "UseKey", "LookAtJobs"),
        "CleanUpJobs",
    ],
    "request_reviews": [
        *("WriteOwnLog", "ReceiveWork", "SendDeadLetters", "UseReviews", "UseKey", "Publish", "AskForRuns"),
        *("GetFiles", "TellMissingFromDenied"),
    ],
    "complete_reviews": ["WriteOwnLog", "UseReviews", "ListReviews", "WriteRows", "UseKey", "Publish"],
    "query_reviews": [
        *("WriteOwnLog", "UseReviews", "ListReviews", "WriteRows", "UseKey", "Publish", "AskForReviews"),
    ],
    # tests/infra/test_tool_syncs.py has what servers in the policy add.
    "sync_tools": [
        *("WriteOwnLog", "ReceiveWork", "ContinuePass", "SendDeadLetters", "UseMemory", "Publish", "UseKey"),
    ],
    "receive_webhook": ["WriteOwnLog", "HandOn", "UseMemory", "UseKey"],
    "receive_lineage": ["WriteOwnLog", "ReceiveWork", "SendDeadLetters", "QueryLineage", "UseKey", "Publish"],
    # Who gets run events is for the policy to say: tests/infra/test_intake_stack.py.
    "send_lineage": ["WriteOwnLog", "ReceiveWork", "SendDeadLetters", "UseKey", "AskLineage"],
    "receive_feedback": ["WriteOwnLog", "ReceiveWork", "SendDeadLetters", "UseReviews", "UseKey", "Publish"],
    "join_feedback": [
        *("WriteOwnLog", "UseReviews", "ListReviews", "WriteRows", "UseKey", "Publish"),
        *("ListProduction", "ReadProduction"),
    ],
    "export_feedback": ["WriteOwnLog", "UseReviews", "ListReviews", "WriteRows", "UseKey", "Publish"],
    "route_alerts": [
        *("WriteOwnLog", "ReceiveWork", "SendDeadLetters", "WakeLooks", "UseAlerts", "Publish", "UseKey"),
    ],
    "tick_alerts": [
        *("WriteOwnLog", "ReceiveWork", "SendDeadLetters", "WakeLooks", "SendNotifications", "UseAlerts"),
        *("FindAlerts", "Publish", "AskLineage", "UseKey"),
    ],
    "query_alerts": ["WriteOwnLog", "UseAlerts", "FindAlerts", "UseKey"],
    "act_for_channels": ["WriteOwnLog", "UseAlerts", "WakeLooks", "FindAlerts", "Publish", "UseKey"],
    "act_on_alerts": ["WriteOwnLog", "UseAlerts", "WakeLooks", "FindAlerts", "Publish", "UseKey"],
    "follow_verdict": [
        *("WriteOwnLog", "ReceiveWork", "SendDeadLetters", "UseGates", "StartActions", "AskLineage", "UseKey"),
    ],
    "plan_promotion": ["WriteOwnLog", "UseGates", "ReadPackages", "UseKey"],
    "request_approval": ["WriteOwnLog", "UseGates", "Publish", "ReadPackages", "TellTasks", "UseKey"],
    "expire_approval": ["WriteOwnLog", "UseGates", "Publish", "UseKey"],
    # Moving packages is allowed where the policy has gates for them: tests/infra/test_gate_actions.py.
    "set_model_stage": [
        *("WriteOwnLog", "UseGates", "Publish", "ReadPackages", "UseKey", "AskLineage", "UseAttestationKey"),
        *("AttestationsGetObject", "TellMissingAttestations", "GetFiles", "TellMissingFromDenied"),
        *("ReadQualityReports", "TellMissingReports"),
    ],
    "attest_verdict": [
        *("WriteOwnLog", "ReceiveWork", "SendDeadLetters", "UseGates", "Publish", "UseKey", "UseAttestationKey"),
        *("AttestationsGetObject", "AttestationsPutObject", "TellMissingAttestations"),
    ],
    "attest_run": [
        *("WriteOwnLog", "ReceiveWork", "SendDeadLetters", "UseRuns", "Publish", "UseKey", "UseAttestationKey"),
        *("AttestationsGetObject", "AttestationsPutObject", "TellMissingAttestations", "AskLineage"),
        *("GetFiles", "TellMissingFromDenied"),
    ],
    "sign_answer": ["WriteOwnLog", "UseAttestationKey", "AskQuestions"],
    "query_attestations": [
        *("WriteOwnLog", "AttestationsGetObject", "TellMissingAttestations", "UseAttestationKey", "UseKey"),
    ],
    "revoke_attestation": [
        *("WriteOwnLog", "AttestationsGetObject", "AttestationsPutObject", "TellMissingAttestations"),
        *("UseAttestationKey", "Publish", "UseKey"),
    ],
    "decide_promotion": ["WriteOwnLog", "UseGates", "ListGates", "Publish", "ReadPackages", "TellTasks", "UseKey"],
    "plan_rollback": ["WriteOwnLog", "UseGates", "LookAtEndpoints", "AskLineage", "UseKey"],
    "complete_rollback": ["WriteOwnLog", "UseGates", "Publish", "UseKey"],
    "start_watch": ["WriteOwnLog", "ReceiveWork", "SendDeadLetters", "StartWatches", "UseKey"],
    "inspect_training": ["WriteOwnLog", "UseGates", "DescribeTraining", "ReadMetrics", "ReadLogs", "UseKey"],
    "halt_training": ["WriteOwnLog", "UseGates", "Publish", "DescribeTraining", "StopTraining", "UseKey"],
    # For e-mail, the first of its kinds; tests/infra/test_channels_stack.py has what differs.
    "deliver_notification": [
        *("WriteOwnLog", "ReceiveWork", "PostponeWork", "SendDeadLetters", "UseDeliveries", "Publish", "SignLinks"),
        *("UseKey", "PublishToTopics"),
    ],
    "announce_change": ["WriteOwnLog", "ReceiveWork", "SendDeadLetters", "UseKey", "ReadSecrets"],
    "receive_action": ["WriteOwnLog", "ActForChannels", "VerifyLinks", "ReadSecrets"],
    "query_lineage": [
        *("WriteOwnLog", "QueryLineage", "ReadGraph", "TellMissingFromDenied", "UseKey"),
        *("ReadPersons", "OpenPersons", "FindPersons"),
    ],
    "seal_ledger": [
        *("WriteOwnLog", "ReadTableStream", "ListStreams", "QueryLineage", "LogGetObject", "LogPutObject"),
        *("TellMissing", "UseIndex", "UseSigningKeys", "SendDeadLetters", "UseKey"),
    ],
    "record_subjects": [
        "WriteOwnLog",
        "SubjectsGetObject",
        "SubjectsPutObject",
        "ListSubjects",
        "MakeTokens",
        "Publish",
        "UseKey",
    ],
    "find_subject": ["WriteOwnLog", "SubjectsGetObject", "ListSubjects", "MakeTokens", "AskLineage", "UseKey"],
    "query_ledger": ["WriteOwnLog", "LogGetObject", "TellMissing", "UseIndex", "UseSigningKeys", "UseKey"],
    "rebuild_lineage": ["WriteOwnLog", "LogGetObject", "TellMissing", "CompareFacts", "RecordFacts", "UseKey"],
}


@pytest.fixture
def resources(stacks: Mapping[str, Resources], request: pytest.FixtureRequest) -> Resources:
    """Return the resources of the stack that has the function under test."""
    name = request.node.callspec.params["name"]
    return next(found for found in stacks.values() if name in functions_in(found))


def functions_in(resources: Resources) -> set[str]:
    return {
        resource["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        for resource in resources.values()
        if resource["Type"] == "AWS::Lambda::Function"
    }


def function_of(resources: Resources, name: str) -> Mapping[str, Any]:
    return next(
        resource["Properties"]
        for resource in resources.values()
        if resource["Type"] == "AWS::Lambda::Function"
        and resource["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] == name
    )


def handler_of(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{name}_handler", ROOT / "functions" / name / "handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_function_of_the_repository_is_deployed_once(stacks: Mapping[str, Resources]) -> None:
    deployed = [name for resources in stacks.values() for name in functions_in(resources)]

    assert sorted(deployed) == FUNCTIONS


def test_only_what_delivers_is_deployed_more_than_once_in_a_stack(stacks: Mapping[str, Resources]) -> None:
    names = Counter(
        resource["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        for resources in stacks.values()
        for resource in resources.values()
        if resource["Type"] == "AWS::Lambda::Function"
    )

    assert {name for name, count in names.items() if count > 1} <= {"deliver_notification"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_told_what_its_settings_ask_for_and_nothing_else(resources: Resources, name: str) -> None:
    module = handler_of(name)
    (model,) = (
        item
        for _, item in inspect.getmembers(module, inspect.isclass)
        if issubclass(item, Settings) and item is not Settings and item.__module__ == module.__name__
    )
    told = set(function_of(resources, name)["Environment"]["Variables"]) - COMMON_VARIABLES

    assert {field.upper() for field, info in model.model_fields.items() if info.is_required()} <= told | GIVEN_BY_LAMBDA
    assert told <= {field.upper() for field in model.model_fields}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_role_allows_what_is_listed_and_nothing_else(resources: Resources, name: str) -> None:
    role = function_of(resources, name)["Role"]["Fn::GetAtt"][0]
    allowed = [
        statement["Sid"]
        for resource in resources.values()
        if resource["Type"] == "AWS::IAM::Policy" and {"Ref": role} in resource["Properties"]["Roles"]
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
    ]

    assert sorted(set(allowed) - OF_THE_POLICY) == sorted(STATEMENTS[name])
    assert "ManagedPolicyArns" not in resources[role]["Properties"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_handler_is_named_like_its_folder_its_construct_and_its_log(resources: Resources, name: str) -> None:
    logical = next(
        key
        for key, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Function" and resource["Properties"] is function_of(resources, name)
    )

    assert "".join(word.capitalize() for word in name.split("_")) in logical
