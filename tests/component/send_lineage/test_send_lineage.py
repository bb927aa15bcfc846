"""Run events to an OpenLineage endpoint on loopback, and to SageMaker Catalog as botocore would send them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config

from hallmark.aws.http_posts import HttpPosts
from hallmark.aws.lineage_targets import CatalogDomain, OpenLineageEndpoint
from hallmark.aws.secrets import Secrets
from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.lineage.exports.sending import CATALOG_BYTES, events_about, send_about, shrink
from local.standards import check_event, openlineage_schemas
from tests.fakes.described_lineage import ENDPOINT, TRAINING, described
from tests.fakes.openlineage_server import OpenLineageServer
from tests.unit.lineage_exports.test_openlineage_events import OWN

DOMAIN = "dzd_abc123"


@pytest.fixture
def endpoint() -> Iterator[OpenLineageServer]:
    with OpenLineageServer() as served:
        yield served


class KnownSecrets:
    """Secrets Manager with one secret."""

    def __init__(self, value: str) -> None:
        self.value = value

    def get_secret_value(self, **_: Any) -> dict[str, str]:
        return {"SecretString": self.value}


def test_the_events_of_a_run_reach_the_endpoint_in_order_with_the_key_and_are_valid(
    endpoint: OpenLineageServer,
) -> None:
    target = OpenLineageEndpoint(endpoint.url, HttpPosts(), secrets=Secrets(KnownSecrets("k1\n")), secret="marquez")
    assert send_about(described().answer, TRAINING, target.post) == 2

    assert endpoint.asked == [("/api/v1/lineage", "Bearer k1")] * 2
    assert [event["eventType"] for event in endpoint.taken] == ["START", "COMPLETE"]
    schemas = openlineage_schemas(OWN)
    for event in endpoint.taken:
        check_event(event, schemas)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (500, UnavailableError),
        (503, UnavailableError),
        (429, UnavailableError),
        (401, UnavailableError),
        (400, InvalidInputError),
        (422, InvalidInputError),
        (301, InvalidInputError),
    ],
)
def test_what_passes_is_tried_again_and_what_never_will_is_a_dead_letter(
    endpoint: OpenLineageServer, status: int, error: type[Exception]
) -> None:
    endpoint.status = status
    with pytest.raises(error):
        send_about(described().answer, ENDPOINT, OpenLineageEndpoint(endpoint.url, HttpPosts()).post)


def test_a_key_that_was_changed_is_read_anew(endpoint: OpenLineageServer) -> None:
    known = KnownSecrets("old")
    target = OpenLineageEndpoint(endpoint.url, HttpPosts(), secrets=Secrets(known), secret="marquez")
    endpoint.status, known.value = 401, "old"
    with pytest.raises(UnavailableError):
        send_about(described().answer, ENDPOINT, target.post)
    endpoint.status, known.value = 201, "new"
    send_about(described().answer, ENDPOINT, target.post)

    assert [key for _, key in endpoint.asked] == ["Bearer old", "Bearer new"]


class Catalog:
    """DataZone's client of botocore, its validation on; what it would send is kept, and answered."""

    def __init__(self, status: int = 200, code: str = "") -> None:
        session = botocore.session.get_session()
        session.set_credentials("testing", "testing")
        config = Config(retries={"total_max_attempts": 1})
        self.client: Any = session.create_client("datazone", region_name="eu-west-1", config=config)
        self.requests: list[Any] = []
        self.status, self.code = status, code
        events: Any = self.client.meta.events
        events.register("before-send.datazone.PostLineageEvent", self._answer)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        self.requests.append(request)
        headers = HTTPHeaders()
        headers["content-type"] = "application/json"
        if self.code:
            headers["x-amzn-errortype"] = self.code
        body = b'{"message": "no"}' if self.code else b'{"id": "e1", "domainId": "dzd_abc123"}'
        response: Any = AWSResponse(request.url, self.status, headers, None)
        response._content = body
        answered: AWSResponse = response
        return answered


def test_the_catalog_gets_run_events_whose_repeats_have_the_same_token() -> None:
    catalog = Catalog()
    target = CatalogDomain(DOMAIN, catalog.client)
    for _ in range(2):
        assert send_about(described().answer, TRAINING, target.post, CATALOG_BYTES) == 2

    first, second, *again = catalog.requests
    assert first.url.endswith(f"/v2/domains/{DOMAIN}/lineage/events")
    assert json.loads(first.body)["eventType"] == "START"
    assert json.loads(second.body)["run"]["runId"] == json.loads(first.body)["run"]["runId"]
    tokens = [request.headers["Client-Token"] for request in catalog.requests]
    assert tokens[:2] == tokens[2:]
    assert tokens[0] != tokens[1]
    assert [request.body for request in again] == [first.body, second.body]


def test_an_event_above_the_limit_of_the_api_is_shrunk_below_it() -> None:
    lineage = described()
    lineage.attributes[TRAINING]["environment"] = {"PLAN": "x" * 400_000}
    catalog = Catalog()
    send_about(lineage.answer, TRAINING, CatalogDomain(DOMAIN, catalog.client).post, CATALOG_BYTES)

    model = catalog.client.meta.service_model.operation_model("PostLineageEvent")
    most = model.input_shape.members["event"].metadata["max"]
    assert all(len(request.body) <= most for request in catalog.requests)
    assert len(shrink(events_about(lineage.answer, TRAINING)[0]).body) <= most


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (429, "ThrottlingException", UnavailableError),
        (500, "InternalServerException", UnavailableError),
        (403, "AccessDeniedException", InvalidInputError),
        (404, "ResourceNotFoundException", InvalidInputError),
    ],
)
def test_a_catalog_that_does_not_take_an_event_says_why(status: int, code: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=code):
        send_about(described().answer, ENDPOINT, CatalogDomain(DOMAIN, Catalog(status, code).client).post)


def test_an_event_that_is_on_its_way_already_is_sent() -> None:
    catalog = Catalog(409, "ConflictException")
    assert send_about(described().answer, ENDPOINT, CatalogDomain(DOMAIN, catalog.client).post) == 1


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch, endpoint: OpenLineageServer) -> ModuleType:
    path = Path(__file__).parents[3] / "functions" / "send_lineage" / "handler.py"
    spec = importlib.util.spec_from_file_location("send_lineage_handler", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, value in {
        "QUERY_LINEAGE_FUNCTION_NAME": "query",
        "DEAD_LETTER_QUEUE_URL": "https://queue",
        "MAXIMUM_RECEIVES": "5",
    }.items():
        monkeypatch.setenv(name, value)
    policy = json.dumps({"data_buckets": [], "openlineage": {"url": endpoint.url}})
    monkeypatch.setattr(module, "read_policy_section", lambda _: policy)
    monkeypatch.setattr(module, "client", lambda _: None)
    monkeypatch.setattr(module.LineageService, "ask", lambda _, question: described().answer(question))
    return module


def batch(*bodies: str) -> dict[str, Any]:
    return {
        "Records": [
            {"messageId": str(number), "body": body, "attributes": {"ApproximateReceiveCount": "1"}}
            for number, body in enumerate(bodies)
        ]
    }


class Context:
    """What powertools asks of Lambda's context."""

    function_name = function_version = invoked_function_arn = aws_request_id = "send_lineage"
    memory_limit_in_mb = 128


def test_the_function_sends_for_a_message_keeps_one_that_was_not_taken_and_refuses_a_wrong_one(
    function: ModuleType, endpoint: OpenLineageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[tuple[str, str]] = []
    monkeypatch.setattr(function, "refuse", lambda body, error: refused.append((body, str(error))))
    good = json.dumps({"target": "openlineage", "node": TRAINING})
    wrong = json.dumps({"target": "catalog", "node": TRAINING})

    assert function.handler(batch(good, wrong, "{"), Context()) == {"batchItemFailures": []}
    assert len(endpoint.taken) == 2
    assert [body for body, _ in refused] == [wrong, "{"]
    assert "target is 'catalog'" in refused[0][1]

    endpoint.status = 503
    assert function.handler(batch(good), Context()) == {"batchItemFailures": [{"itemIdentifier": "0"}]}
