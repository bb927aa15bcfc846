"""The functions that record, answer and forget, over tables of DynamoDB's and keys of KMS's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from hallmark.aws import caller_proof
from hallmark.aws.dynamodb import DynamoLineageTable
from hallmark.errors import InvalidInputError, NotFoundError
from hallmark.lineage.model import Fact, canonical_fact
from hallmark.lineage.recording import record_event
from hallmark.people import Person
from tests.contract.aws_adapters.lineage_table import create_lineage_table
from tests.fakes.api_calls import ACCOUNT, REGION, arn, call, sso, user
from tests.fakes.lambda_functions import Context, load_function
from tests.fakes.memory_store import surroundings
from tests.fakes.person_account import TABLE, create_persons, person_table

PACKAGE = arn("model-package", "wine/3")
START = datetime(2026, 11, 1, 12, tzinfo=UTC)
SAID = "as anna@example.com said"
APPROVAL = {
    "modelPackageArn": PACKAGE,
    "modelApprovalStatus": "Approved",
    "approvalDescription": "as anna@example.com said",
}
OFFICER = f"arn:aws:iam::{ACCOUNT}:user/officer"
REASON = "asked for on 2 November, article 17"


class Deployment:
    """The functions and what they keep."""

    def __init__(self, variables: dict[str, str]) -> None:
        self._sqs, self._events = boto3.client("sqs"), boto3.client("events")
        self._dynamodb = boto3.client("dynamodb")
        self._people = person_table(variables, REGION)
        self._known = replace(
            surroundings(account=ACCOUNT, people=self._people), store=DynamoLineageTable("lineage", self._dynamodb)
        )
        create_lineage_table(self._dynamodb, "lineage")
        self._events.create_event_bus(Name="hallmark")
        self._queue = self._sqs.create_queue(QueueName="published")["QueueUrl"]
        self._events.put_rule(
            Name="all", EventBusName="hallmark", EventPattern=json.dumps({"source": ["hallmark"]}), State="ENABLED"
        )
        target = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"]
        self._events.put_targets(Rule="all", EventBusName="hallmark", Targets=[{"Id": "1", "Arn": target["QueueArn"]}])
        self._query = load_function("query_lineage")

    def record(self, *events: dict[str, Any]) -> None:
        for event in events:
            record_event(event, self._known)

    def record_published(self) -> list[dict[str, Any]]:
        """Record what was published since, and return it."""
        messages = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages", [])
        events = [json.loads(message["Body"]) for message in messages]
        self.record(*({**event, "account": ACCOUNT} for event in events))
        return events

    def ask(self, **question: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._query.handler(question, Context())
        return answer

    def forget(self, *persons: str, reason: str = REASON, proof: Any = OFFICER) -> dict[str, Any]:
        event = {"message": {"persons": list(persons), "reason": reason}, "proof": proof}
        done: dict[str, Any] = load_function("forget_person").handler(event, Context())
        return done

    def items(self, table: str) -> list[dict[str, Any]]:
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=table)
        found: list[dict[str, Any]] = [dict(item) for page in pages for item in page["Items"]]
        return sorted(found, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))

    def facts(self) -> list[bytes]:
        """Return what the ledger seals of each fact."""
        table = DynamoLineageTable("lineage", self._dynamodb)
        return [canonical_fact(recorded.fact).body for recorded in table.since(None)]

    def rebuild(self, bodies: list[bytes]) -> None:
        """Write another table from what the ledger has."""
        create_lineage_table(self._dynamodb, "rebuilt")
        times = {recorded.fact.id: recorded.recorded_at for recorded in self._known.store.since(None)}  # type: ignore[attr-defined] # it is the table
        for body in bodies:
            fact = Fact.model_validate_json(body)
            DynamoLineageTable("rebuilt", self._dynamodb).add(fact, times[fact.id])


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "ACCOUNT_ID": ACCOUNT,
        "LINEAGE_TABLE_NAME": "lineage",
        "LINEAGE_BUCKET_NAME": "lineage-bucket",
        "EVENT_BUS_NAME": "hallmark",
    }.items():
        monkeypatch.setenv(name, value)

    def verify(_message: Any, proof: Any, _client: Any, account: str) -> Person:
        if proof is None:
            raise InvalidInputError("proof", None, "sign the message")
        assert account == ACCOUNT
        return Person(arn=proof)

    # The contract of signatures themselves is held in tests/contract.
    monkeypatch.setattr(caller_proof, "verify_caller", verify)
    with mock_aws():
        boto3.client("s3").create_bucket(
            Bucket="lineage-bucket", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
        )
        variables = create_persons(REGION)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        made = Deployment(variables)
        made.record(
            call("CreateModelPackage", user("ben"), START, {}, {"modelPackageArn": PACKAGE}, eventID="1"),
            call("UpdateModelPackage", sso("anna@example.com"), START + timedelta(hours=1), APPROVAL, eventID="2"),
        )
        yield made


def test_a_forgotten_person_is_named_by_no_answer_and_every_fact_stays_byte_for_byte(deployed: Deployment) -> None:
    before = deployed.facts()
    assert [act["name"] for act in deployed.ask(ask="who", node=PACKAGE)["acts"]] == ["anna@example.com", "ben"]
    for kept in (deployed.items("lineage"), deployed.items(TABLE), before):
        assert not any(name in str(kept) for name in ("anna", "ben", "example.com"))

    done = deployed.forget("anna@example.com")
    anna, ben = deployed.ask(ask="who", node=PACKAGE)["acts"]

    assert done["by"] == OFFICER
    assert anna["name"].startswith("forgotten person ")
    assert "anna" not in json.dumps(anna)
    assert ben["name"] == "ben"
    assert deployed.facts() == before
    deployed.rebuild(before)
    assert deployed.items("rebuilt") == deployed.items("lineage")


def test_that_somebody_was_forgotten_is_recorded_and_not_who(deployed: Deployment) -> None:
    done = deployed.forget("anna@example.com")
    (event,) = deployed.record_published()
    told = deployed.ask(ask="show", node=f"hallmark:forgetting/{done['forgetting']}")

    assert event["detail-type"] == "PersonForgotten"
    assert (told["attributes"]["by"], told["attributes"]["reason"]) == (OFFICER, REASON)
    assert "anna" not in json.dumps(event)
    assert not any(name in str(deployed.items(table)) for table in ("lineage", TABLE) for name in ("anna", "officer"))


def test_who_forgets_must_prove_who_they_are_and_say_why(deployed: Deployment) -> None:
    with pytest.raises(InvalidInputError, match="proof"):
        deployed.forget("anna@example.com", proof=None)
    with pytest.raises(InvalidInputError, match="reason"):
        deployed.forget("anna@example.com", reason="because anna@example.com asked")
    with pytest.raises(NotFoundError):
        deployed.forget("nobody")

    assert deployed.ask(ask="who", node=PACKAGE)["acts"][0]["name"] == "anna@example.com"
    assert deployed.record_published() == []
