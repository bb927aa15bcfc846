"""Calls of AWS's APIs become actions: who did what to which resource, why, and whether it was done."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.errors import InvalidInputError
from hallmark.events.calls import CALLS
from hallmark.events.subscriptions import CALL_SUBSCRIPTIONS
from hallmark.lineage.model import NodeKind
from hallmark.lineage.recording import record_event
from hallmark.lineage.references import kind_of
from hallmark.lineage.rows import GraphRows
from hallmark.lineage.translation.calls import human_call
from tests.fakes.api_calls import ACCOUNT, PAYLOADS, SAMPLE, arn, call, event_of, sso, user
from tests.fakes.memory_store import MemoryStore, surroundings
from tests.fakes.sagemaker_events import at, training

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
ANNA = user("anna")
PACKAGE = arn("model-package", "wine/3")


def fact(event: dict[str, Any]) -> Any:
    return record_event(event, surroundings(account=ACCOUNT)).fact


def edges(event: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(edge.source.id, edge.role, edge.target.id) for edge in fact(event).edges]


@pytest.mark.parametrize("name", ["create-endpoint", "create-model"])
def test_a_record_of_the_documentation_is_an_action_of_its_user_on_its_resource(name: str) -> None:
    record = json.loads((PAYLOADS / f"cloudtrail-sagemaker-{name}.json").read_text())
    action = f"hallmark:action/cloudtrail-{record['eventID']}"
    made = fact(event_of(record))

    assert (made.subject.id, made.states[0].status) == (action, "Done")
    assert edges(event_of(record)) == [
        (action, "done", next(iter(record["responseElements"].values()))),
        ("arn:aws:iam::123456789012:user/intern", "called", action),
    ]
    told = made.states[0].attributes
    assert (told["action"], told["by_name"], told["actor"]) == (record["eventName"], "intern", "person")
    assert (told["source_ip"], told["user_agent"]) == ("127.0.0.1", "USER_AGENT")
    assert told["request_id"] == record["requestID"]
    assert made.states[0].at == datetime.fromisoformat(record["eventTime"])


def test_a_call_that_failed_is_an_attempt_and_makes_no_resource() -> None:
    refused: dict[str, Any] = {"errorCode": "AccessDeniedException", "errorMessage": "User: intern is not authorized"}
    deletion = call("DeleteEndpoint", ANNA, AT, {"endpointName": "Live"}, **refused)
    creation = call("CreateEndpoint", ANNA, AT, {"endpointName": "new"}, **refused)

    made = fact(deletion)
    assert made.states[0].status == "Attempted"
    assert made.states[0].attributes["error"] == "AccessDeniedException"
    assert (made.subject.id, "attempted", arn("endpoint", "live")) in edges(deletion)
    assert [role for _, role, _ in edges(creation)] == ["called"]
    assert fact(creation).states[0].attributes["target"] == arn("endpoint", "new")


@pytest.mark.parametrize(
    ("name", "request_", "reason", "said_in"),
    [
        ("CreateTrainingJob", {"tags": [{"key": "hallmark:reason", "value": "new data"}]}, "new data", "tag"),
        ("AddTags", {"resourceArn": PACKAGE, "tags": [{"key": "hallmark:reason", "value": "audit"}]}, "audit", "tag"),
        ("UpdateModelPackage", {"approvalDescription": "better"}, "better", "approval description"),
        ("UpdateModelPackage", {"modelLifeCycle": {"stageDescription": "ready"}}, "ready", "stage description"),
        (
            "CreateTrainingJob",
            {"tags": [{"key": "hallmark:commit-message", "value": "Use more trees"}]},
            "Use more trees",
            "commit message",
        ),
        ("DeleteEndpoint", {"endpointName": "live"}, "", ""),
        ("DeleteEndpoint", {"tags": [3, {"key": "hallmark:reason"}]}, "", ""),
    ],
)
def test_the_reason_is_taken_from_where_people_say_it(
    name: str, request_: dict[str, Any], reason: str, said_in: str
) -> None:
    made = fact(call(name, ANNA, AT, request_))

    told = made.states[0].attributes
    assert (told.get("reason", ""), told.get("reason_from", "")) == (reason, said_in)
    human = human_call(made)
    assert human is not None
    assert human.reason == reason


def test_a_machine_need_not_say_why() -> None:
    service = {"userIdentity": {"type": "AWSService", "invokedBy": "sagemaker.amazonaws.com"}}

    assert human_call(fact(call("CreateModel", service, AT, {"modelName": "m"}))) is None


def test_what_an_approval_changed_is_kept_and_nothing_else_of_the_request() -> None:
    request = {
        "modelPackageArn": PACKAGE,
        "modelApprovalStatus": "Approved",
        "modelLifeCycle": {"stage": "Production", "stageStatus": "Approved"},
        "customerMetadataProperties": {"api_key": "abcdef"},
    }
    told = fact(call("UpdateModelPackage", ANNA, AT, request)).states[0].attributes

    assert (told["approval_status"], told["stage"], told["stage_status"]) == ("Approved", "Production", "Approved")
    assert told["fields"] == sorted(request)
    assert "abcdef" not in json.dumps(dict(told))


def test_a_generic_job_is_named_with_its_category() -> None:
    stopped = call("StopJob", ANNA, AT, {"jobName": "Tune", "jobCategory": "AgentRFT"})

    assert edges(stopped)[0][2] == arn("job", "agentrft/tune")


def test_a_tag_on_what_the_graph_does_not_know_is_told_without_an_edge_to_it() -> None:
    tagged = call("AddTags", ANNA, AT, {"resourceArn": arn("notebook-instance", "mine"), "tags": []})

    assert [role for _, role, _ in edges(tagged)] == ["called"]
    assert fact(tagged).states[0].attributes["target"] == arn("notebook-instance", "mine")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"eventID": ""}, "detail.eventID"),
        ({"eventTime": "yesterday"}, "detail.eventTime"),
        ({"eventTime": None}, "detail.eventTime"),
        ({"eventName": "ListModels"}, "detail.eventName"),
        ({"eventSource": "iam.amazonaws.com"}, "detail.eventName"),
    ],
)
def test_what_is_no_record_is_refused_by_field(changes: dict[str, Any], field: str) -> None:
    event = event_of(SAMPLE)
    event["detail"] = {**SAMPLE, **changes}
    with pytest.raises(InvalidInputError) as refused:
        fact(event)
    assert refused.value.field == field


@given(
    st.dictionaries(
        st.sampled_from(["userIdentity", "requestParameters", "responseElements", "errorCode", "sourceIPAddress"]),
        st.recursive(
            st.none() | st.integers() | st.text(),
            lambda each: (
                st.lists(each)
                | st.dictionaries(
                    st.sampled_from(["type", "arn", "tags", "endpointName", "endpointArn", "sessionContext", "key"]),
                    each,
                )
            ),
        ),
    )
)
@settings(max_examples=100, deadline=None)
def test_a_record_with_odd_fields_is_recorded_with_what_can_be_read(odd: dict[str, Any]) -> None:
    assert fact(event_of({**SAMPLE, **odd})).subject.kind is NodeKind.ACTION


# --- the lists, against AWS's own models ---


@cache
def members(service: str, operation: str) -> tuple[frozenset[str], frozenset[str]]:
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)

    def spelled(shape: Any) -> frozenset[str]:
        return frozenset(name[0].lower() + name[1:] for name in shape.members) if shape else frozenset()

    return spelled(model.input_shape), spelled(model.output_shape)


RECORDED = [
    (host.partition(".")[0], name, target)
    for host, calls in CALLS.items()
    for name, target in calls.items()
    if host != "s3.amazonaws.com"
]


@pytest.mark.parametrize(("service", "name", "target"), RECORDED, ids=[name for _, name, _ in RECORDED])
def test_each_recorded_call_is_an_operation_that_names_its_resource_so(service: str, name: str, target: Any) -> None:
    request, answer = members(service, name)

    assert not target.request or target.request in request
    assert not target.response or target.response in answer
    assert target.request or target.response
    if target.word:
        assert kind_of(f"arn:aws:{service}:us-east-1:111122223333:{target.word}/x/execution/y") is not None


def test_calls_of_buckets_are_operations_of_s3() -> None:
    operations = botocore.session.get_session().get_service_model("s3").operation_names

    assert set(CALLS["s3.amazonaws.com"]) <= set(operations)


def test_every_call_that_changes_what_the_graph_knows_is_recorded() -> None:
    """Of the kinds that the graph has, each Create, Update, Delete, Stop, Start and Retry of SageMaker is there."""
    kinds = {target.word for target in CALLS["sagemaker.amazonaws.com"].values()}
    nouns = {"".join(part.capitalize() for part in kind.split("-")) for kind in kinds if kind}
    nouns = {noun.replace("Automl", "AutoML") for noun in nouns} | {"PipelineExecution"}
    verbs = ("Create", "Update", "Delete", "Stop", "Start", "Retry")
    operations = botocore.session.get_session().get_service_model("sagemaker").operation_names

    wanted = {f"{verb}{noun}" for verb in verbs for noun in nouns} & set(operations)
    assert wanted <= set(CALLS["sagemaker.amazonaws.com"])


def test_no_call_that_only_reads_is_subscribed() -> None:
    for calls in CALL_SUBSCRIPTIONS.values():
        assert not [name for name in calls if name.startswith(("Describe", "List", "Get", "Invoke", "Search"))]


# --- order and repeats, with the service's own events ---


def deliveries() -> list[dict[str, Any]]:
    job = training("train-1", "Completed", {"train": "s3://bucket/train"})
    job_arn = job["detail"]["TrainingJobArn"]
    account = job_arn.split(":")[4]
    created = call(
        "CreateTrainingJob", sso("anna@example.com"), at(0), {"trainingJobName": "train-1"}, {"trainingJobArn": job_arn}
    )
    stopped = call(
        "StopTrainingJob",
        user("ben"),
        at(5),
        {"trainingJobName": "train-1"},
        recipientAccountId=account,
        awsRegion=job_arn.split(":")[3],
    )
    tagged = call("AddTags", user("ben"), at(4), {"resourceArn": job_arn, "tags": []})
    return [job, training("train-1", "InProgress", {"train": "s3://bucket/train"}), created, stopped, tagged]


def graph_of(order: list[int]) -> bytes:
    store, rows = MemoryStore(), GraphRows()
    events = deliveries()
    for place in order:
        record_event(events[place], surroundings(store))
    rows.add(store.since(None))
    return store.snapshot() + rows.compacted(None).to_bytes()


@given(st.permutations([0, 1, 2, 3, 4, 2, 3, 0]))
@settings(max_examples=60, deadline=None)
def test_any_order_and_any_repeats_of_calls_and_events_make_one_graph(order: list[int]) -> None:
    assert graph_of(order) == graph_of([0, 1, 2, 3, 4])
