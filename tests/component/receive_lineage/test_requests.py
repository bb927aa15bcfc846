"""Requests to the intake: CloudEvents, facts, lists, packed ones; and what is said of those that cannot be taken."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.events.reports import LineageReported
from hallmark.lineage.folding import fold
from hallmark.lineage.intake.receiving import EVENT_BYTES, EVENTS, REQUEST_BYTES, Received, answer_request
from tests.component.receive_lineage.conftest import http_request
from tests.fakes.foreign_lineage import ForeignLineage, run_event

RUN = "openlineage:3f5e83fa-3480-44ff-99c5-ff943904e5e8"
EVENT = run_event(outputs=[("hdfs://n", "/a")])
FACT = {
    "tool": "kiln",
    "node": {"kind": "run", "id": "kiln:runs/7"},
    "at": "2026-11-29T10:00:00Z",
    "since": "2026-11-29T09:00:00+01:00",
    "status": "Completed",
    "attributes": {"name": "fire", "api_token": "hush"},
    "flows": [
        {"node": {"kind": "dataset", "id": "s3a://lake/clay/"}, "role": "clay"},
        {"node": {"kind": "model-version", "id": "kiln:models/pot/3"}, "direction": "out", "type": "Produced"},
    ],
}
# CloudEvents 1.0.2, JSON event format, section 3.1; HTTP protocol binding, section 3.1.
CLOUD_EVENT = {
    "specversion": "1.0",
    "id": "A234-1234-1234",
    "source": "https://example.com/orchestrator",
    "type": "io.openlineage.event.run",
    "time": "2026-11-29T10:00:00Z",
    "datacontenttype": "application/json",
}
BINARY = {f"ce-{name}": value for name, value in CLOUD_EVENT.items() if name != "datacontenttype"}


def post(
    lineage: ForeignLineage,
    body: Any,
    headers: dict[str, str] | None = None,
    caller: str | None = "arn:aws:iam::1:user/u",
) -> tuple[int, dict[str, Any]]:
    content = body if isinstance(body, bytes | str) else json.dumps(body)
    answer = answer_request(http_request(content, headers, caller), lineage.intake.receive)
    return answer["statusCode"], json.loads(answer["body"])


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (EVENT, {}),
        ([EVENT], {}),
        ({**CLOUD_EVENT, "data": EVENT}, {"content-type": "application/cloudevents+json; charset=utf-8"}),
        ({**CLOUD_EVENT, "data": json.dumps(EVENT)}, {"content-type": "application/cloudevents+json"}),
        (
            {**CLOUD_EVENT, "data_base64": base64.b64encode(json.dumps(EVENT).encode()).decode()},
            {"content-type": "application/cloudevents+json"},
        ),
        ([{**CLOUD_EVENT, "data": EVENT}], {"content-type": "application/cloudevents-batch+json"}),
        (EVENT, {**BINARY, "content-type": "application/json"}),
        (gzip.compress(json.dumps(EVENT).encode()), {"content-encoding": "gzip"}),
    ],
    ids=["plain", "list", "structured", "text", "base64", "batch", "binary", "gzip"],
)
def test_an_event_is_the_same_fact_in_whatever_envelope_it_comes(body: Any, headers: dict[str, str]) -> None:
    lineage, plain = ForeignLineage(), ForeignLineage()
    status, answer = post(lineage, body, headers)
    plain.intake.receive(EVENT, "arn:aws:iam::1:user/u")

    assert (status, answer["events"], answer["nodes"]) == (201, 1, [RUN])
    assert lineage.store.snapshot() == plain.store.snapshot()


@pytest.mark.parametrize("wrap", [lambda fact: fact, lambda fact: {**CLOUD_EVENT, "data": fact}], ids=["bare", "cloud"])
def test_a_fact_of_a_tool_without_a_standard_is_a_node_with_its_flows(wrap: Any) -> None:
    lineage = ForeignLineage()
    status, _ = post(lineage, wrap(FACT))
    post(lineage, wrap(FACT))

    assert status == 201
    assert lineage.upstream("kiln:models/pot/3") == {"kiln:runs/7", "s3://lake/clay"}
    view = fold(lineage.store.states("kiln:runs/7"))
    assert (view.status, view.attributes["tool"], len(lineage.store.states("kiln:runs/7"))) == ("Completed", "kiln", 1)
    assert view.attributes["api_token"] != "hush"


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the fact with one field changed, or (``...``) taken away."""
    fact: dict[str, Any] = json.loads(json.dumps(FACT))
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place: Any = fact
    for step in steps:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return fact


WRONG = [
    ("tool", ..., "tool"),
    ("tool", "My Tool", "tool"),
    ("node", ..., "node"),
    ("node.kind", "verdict", "node.kind"),
    ("node.kind", "model-package", "node.kind"),
    ("node.id", "", "node.id"),
    ("node.digest", "1a2b", "node.digest"),
    ("at", ..., "at"),
    ("at", "yesterday", "at"),
    ("at", "2026-11-29T10:00:00", "at"),
    ("extra", 1, "extra"),
    ("attributes", [], "attributes"),
    ("flows.0.node", ..., "flows.0.node"),
    ("flows.0.direction", "up", "flows.0.direction"),
    ("flows.0.type", "MadeOf", "flows.0.type"),
    ("flows.0.more", 1, "flows.0.more"),
]


@pytest.mark.parametrize(("path", "value", "field"), WRONG)
def test_a_wrong_fact_is_refused_by_the_schema_and_by_the_intake_with_the_field(
    path: str, value: Any, field: str
) -> None:
    wrong, lineage = changed(path, value), ForeignLineage()
    status, answer = post(lineage, [FACT, wrong])

    assert (status, answer["field"]) == (400, f"[1].{field}")
    assert answer["remedy"]
    assert lineage.store.facts == []
    assert not validator().is_valid(wrong)


def validator() -> Draft202012Validator:
    text = files("hallmark.lineage.intake").joinpath("fact.schema.json").read_text(encoding="utf-8")
    Draft202012Validator.check_schema(json.loads(text))
    return Draft202012Validator(json.loads(text))


def test_the_schema_takes_what_the_intake_takes() -> None:
    for fact in (FACT, changed("flows", ...), changed("status", None), changed("node.digest", None)):
        assert validator().is_valid(fact)
        assert post(ForeignLineage(), fact)[0] == 201


@pytest.mark.parametrize(
    ("fact", "field"),
    [
        (changed("at", "2031-01-01T00:00:00Z"), "at"),
        (changed("node.id", "nameless"), "node.id"),
        (changed("attributes", {"text": "x" * 250_000}), "the fact"),
        (changed("flows.0.node.kind", "unicorn"), "node.kind"),
    ],
)
def test_what_no_schema_can_say_is_refused_too(fact: dict[str, Any], field: str) -> None:
    status, answer = post(ForeignLineage(), fact)

    assert (status, answer["field"]) == (400, field)


@pytest.mark.parametrize(
    ("body", "headers", "field"),
    [
        ("{", {}, "the body"),
        ('{"a": NaN}', {}, "the body"),
        (b"not packed", {"content-encoding": "gzip"}, "the body"),
        (gzip.compress(b"{}" * 100)[:-9], {"content-encoding": "gzip"}, "the body"),
        ("[]", {}, "the events"),
        ("5", {}, "the event"),
        ([run_event()] * (EVENTS + 1), {}, "the events"),
        ({"specversion": "1.0", "id": "1", "source": "s"}, {}, "type"),
        ({**CLOUD_EVENT, "specversion": "0.3", "data": EVENT}, {}, "specversion"),
        (CLOUD_EVENT, {}, "data"),
        ({**CLOUD_EVENT, "data_base64": "?"}, {}, "data_base64"),
        ([{**CLOUD_EVENT, "data": "x"}], {}, "[0].data"),
        (EVENT, {"ce-specversion": "1.0"}, "the header ce-id"),
    ],
)
def test_a_body_that_cannot_be_read_is_answered_with_field_and_remedy(
    body: Any, headers: dict[str, str], field: str
) -> None:
    status, answer = post(ForeignLineage(), body, headers)

    assert (status, answer["field"]) == (400, field)
    assert answer["remedy"]


def test_five_megabytes_are_too_many_packed_or_not() -> None:
    large = run_event(facets={"plan": {"text": "x" * 5_000_000}})
    for body, headers in (
        (json.dumps(large).encode(), {}),
        (gzip.compress(json.dumps(large).encode()), {"content-encoding": "gzip"}),
    ):
        status, answer = post(ForeignLineage(), body, headers)
        assert (status, answer["field"]) == (413, "the body")
        assert f"{REQUEST_BYTES:,}" in answer["remedy"]

    status, answer = post(ForeignLineage(), run_event(facets={"plan": {"text": "x" * EVENT_BYTES}}))
    assert (status, answer["field"]) == (413, "the event")


def test_nobody_who_did_not_sign_gets_in() -> None:
    assert post(ForeignLineage(), EVENT, caller=None)[0] == 403


def test_when_the_bus_is_away_the_client_is_told_to_come_again() -> None:
    class Away:
        def publish(self, reports: Sequence[LineageReported]) -> None:
            raise UnavailableError("events: throttled")

    lineage = ForeignLineage()
    lineage.intake.__dict__["bus"] = Away()

    assert post(lineage, EVENT)[0] == 503


def test_a_fault_that_only_the_bus_finds_is_no_success() -> None:
    def receive(_document: Any, _by: str | None) -> Received:
        raise InvalidInputError("the event", "x", "EventBridge refuses it")

    assert answer_request(http_request("{}"), receive)["statusCode"] == 400
