"""The functions as Lambda calls them, on moto: policy from its package, settings from the environment."""

from __future__ import annotations

import gzip
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest

from hallmark.aws import caller_proof, clients
from hallmark.errors import InvalidInputError
from hallmark.people import Person
from hallmark.policy.deployment import write_policy_package
from hallmark.policy.models import Policy
from tests.component.reviews.conftest import BUCKET, LOGS, PLACE, TABLE, VADER
from tests.component.reviews.test_feedback import http, logged

ROOT = Path(__file__).parents[3]
POLICY = Policy.model_validate(
    {
        "reviews": {
            "programs": {
                "logged": {
                    "source": {"kind": "invocation_logs", "location": "s3://logs-bucket", "model": VADER},
                    "sample": {"size": 2},
                    "per_item": 1,
                    "scale": "thumbs",
                }
            },
            "feedback": {"logs": ["s3://logs-bucket"], "export": {"min_cases": 1}},
        }
    }
)
CONTEXT = SimpleNamespace(
    function_name="f", memory_limit_in_mb=512, invoked_function_arn="arn:aws:lambda:f", aws_request_id="r"
)

Call = Callable[[str, Any], Any]


@pytest.fixture
def call(
    aws: botocore.session.Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, s3: Any
) -> Iterator[tuple[Call, Callable[[], list[dict[str, Any]]], Callable[[], list[dict[str, Any]]]]]:
    """Yield what calls a function; what returns the wishes for reviews; and what returns dead letters."""
    sqs: Any = aws.create_client("sqs")
    events: Any = aws.create_client("events")
    events.create_event_bus(Name="hallmark")
    wishes, letters = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("wishes", "letters"))
    for name, value in {
        "ACCOUNT_ID": PLACE.account,
        "AWS_REGION": PLACE.region,
        "PARTITION": PLACE.partition,
        "REVIEWS_TABLE_NAME": TABLE,
        "REVIEWS_BUCKET_NAME": BUCKET,
        "EVALUATION_BUCKET_NAME": BUCKET,
        "QUERY_EVALUATIONS_FUNCTION_NAME": "query",
        "EVENT_BUS_NAME": "hallmark",
        "DEAD_LETTER_QUEUE_URL": letters,
        "REQUEST_QUEUE_URL": wishes,
        "POWERTOOLS_METRICS_NAMESPACE": "Hallmark",
        "POWERTOOLS_SERVICE_NAME": "tests",
    }.items():
        monkeypatch.setenv(name, value)
    write_policy_package(POLICY, ROOT, tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "hallmark_policy", raising=False)
    clients._client.cache_clear()
    monkeypatch.setattr(clients, "_session", lambda: aws)

    def invoke(name: str, event: Any) -> Any:
        spec = importlib.util.spec_from_file_location(f"{name}_component", ROOT / "functions" / name / "handler.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.handler(event, CONTEXT)

    def received(queue: str) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages", [])
        return messages

    yield invoke, lambda: received(wishes), lambda: received(letters)
    clients._client.cache_clear()


@pytest.fixture
def signed(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what signs a message; the contract of signatures themselves is held in tests/contract."""

    def verify(_message: Any, proof: Any, _client: Any, _account: str) -> Person:
        return Person(arn=proof)

    monkeypatch.setattr(caller_proof, "verify_caller", verify)
    return lambda message: {"message": message, "proof": "arn:aws:iam::111122223333:user/rater-1"}


def records(*bodies: str) -> dict[str, Any]:
    return {"Records": [{"messageId": str(place), "body": body} for place, body in enumerate(bodies)]}


def put_log(s3: Any, *request_ids: str) -> None:
    now = datetime.now(UTC)
    folder = f"AWSLogs/{PLACE.account}/BedrockModelInvocationLogs/{PLACE.region}/{now:%Y/%m/%d/%H}"
    lines = "\n".join(json.dumps(logged(request_id, now)) for request_id in request_ids)
    s3.put_object(Bucket=LOGS, Key=f"{folder}/a.json.gz", Body=gzip.compress(lines.encode()))


def test_a_person_starts_a_review_and_rates_it_to_its_end(call: Any, signed: Any, s3: Any) -> None:
    invoke, wishes, letters = call
    put_log(s3, "q-1", "q-2", "q-3")
    started = invoke("query_reviews", signed({"ask": "start", "program": "logged", "request_id": "mine"}))
    (wish,) = wishes()

    assert invoke("request_reviews", records(wish["Body"], wish["Body"])) == {"batchItemFailures": []}
    (listed,) = invoke("query_reviews", {"ask": "list"})["reviews"]
    assert (listed["review"], listed["tasks"], listed["population"]) == (started["review"], 2, 3)
    for score in ("up", "down"):
        task = invoke("query_reviews", signed({"ask": "next"}))["task"]
        question = {"ask": "score", "review": started["review"], "task": task["id"], "score": score}
        answer = invoke("query_reviews", signed(question))
    assert answer["status"] == "completed"
    shown = invoke("query_reviews", {"ask": "show", "review": started["review"]})
    assert shown["outcome"]["mean"] == 0.5
    assert invoke("complete_reviews", {}) == {"ended": []}
    assert invoke("query_reviews", {"ask": "programs"})["programs"][0]["program"] == "logged"
    assert letters() == []


def test_a_wish_that_nobody_can_grant_is_a_dead_letter_and_the_others_are_granted(call: Any, s3: Any) -> None:
    invoke, _, letters = call
    put_log(s3, "q-1")
    good, bad = ({"program": name, "key": "k"} for name in ("logged", "other"))

    assert invoke("request_reviews", records(json.dumps(bad), json.dumps(good))) == {"batchItemFailures": []}
    assert [each["MessageAttributes"]["ErrorType"]["StringValue"] for each in letters()] == ["InvalidInputError"]
    assert len(invoke("query_reviews", {"ask": "list"})["reviews"]) == 1


def test_feedback_goes_its_way_through_all_its_functions(call: Any, s3: Any) -> None:
    invoke, _, letters = call
    said = {"request_id": "q-1", "label": "negative"}
    assert invoke("receive_feedback", said)["new"] is True
    assert invoke("receive_feedback", http(json.dumps({"request_id": "q-1"})))["statusCode"] == 400
    assert invoke("receive_feedback", records(json.dumps(said), "{}")) == {"batchItemFailures": []}
    assert len(letters()) == 1
    assert invoke("join_feedback", {}) == {"found": 0, "lost": 0, "waiting": 1}
    put_log(s3, "q-1")

    assert invoke("join_feedback", {}) == {"found": 1, "lost": 0, "waiting": 0}
    assert invoke("query_reviews", {"ask": "feedback_status"})["counts"]["usable"] == 1
    (made,) = invoke("export_feedback", {})["datasets"]
    assert made["cases"] == 1
    (kept,) = invoke("query_reviews", {"ask": "feedback", "request_id": "q-1"})["feedback"]
    assert kept["dataset"] == made["dataset"]


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"ask": "score", "review": "r", "task": "0001", "score": "up"}, "proof"),
        ({"ask": "next", "by": "somebody"}, "by"),
        ({"ask": "nothing"}, "the question"),
    ],
)
def test_what_is_done_in_nobodys_name_is_refused(call: Any, event: dict[str, Any], field: str) -> None:
    invoke, _, _ = call
    with pytest.raises(InvalidInputError) as error:
        invoke("query_reviews", event)

    assert error.value.field == field
