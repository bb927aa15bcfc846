"""The function that answers, over DynamoDB and S3: what was shipped in, reasoned answers out, with kept listings."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import Any

import boto3
import pytest
from moto import mock_aws
from rich.console import Console

from hallmark.aws.dynamodb import DynamoLineageTable
from hallmark.aws.s3 import S3Manifests
from hallmark.cli.reason_screens import bisect_screen, blast_screen, live_screen, why_screen
from hallmark.lineage.model import NodeState
from hallmark.lineage.questions import read_answer
from tests.contract.aws_adapters.lineage_table import create_lineage_table
from tests.fakes.api_calls import REGION
from tests.fakes.lambda_functions import Context, load_function
from tests.fakes.lineage_facts import minute
from tests.fakes.memory_store import stored
from tests.fakes.person_account import create_persons
from tests.fakes.shipped_model import content, described, story


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "LINEAGE_TABLE_NAME": "lineage",
        "LINEAGE_BUCKET_NAME": "lineage-bucket",
        "MACHINES": "",
        "AUTHORS_MAY_APPROVE": "",
        "REASONS_REQUIRED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        dynamodb, s3 = boto3.client("dynamodb"), boto3.client("s3")
        create_lineage_table(dynamodb, "lineage")
        s3.create_bucket(Bucket="lineage-bucket", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        for name, value in create_persons(REGION).items():
            monkeypatch.setenv(name, value)
        table, manifests = DynamoLineageTable("lineage", dynamodb), S3Manifests("lineage-bucket", s3)
        objects = {"january": ["a", "b"], "february": ["a", "b", "c"]}
        listings = [
            described(
                ref := content("s3://data/train", name),
                NodeState(
                    node=ref,
                    attributes={"manifest_uri": manifests.put(name, [stored(key, key) for key in keys])},
                ),
            )
            for name, keys in objects.items()
        ]
        for recorded in (*story(), *listings):
            table.add(recorded.fact, recorded.recorded_at)
        function = load_function("query_lineage")

        def answer(**question: Any) -> dict[str, Any]:
            found: dict[str, Any] = function.handler(question, Context())
            return found

        yield answer


def test_each_reasoned_question_is_answered_by_the_function_and_fits_its_screen(ask: Any) -> None:
    why = ask(ask="why", node="endpoint:churn-live")
    live = ask(ask="live", as_of=minute(25).isoformat())
    blast = ask(ask="blast", act="delete", target="s3://models/2")
    bisect = ask(ask="bisect", metric="accuracy", node="churn/2")

    assert why["serving"][0]["package"]["version"] == "1.1.0"
    assert [each["models"][0]["package"]["label"] for each in live["endpoints"]] == ["churn v1"]
    assert blast["effects"][0]["effect"] == "breaks"
    assert [each["value"] for each in bisect["versions"]] == [0.93, 0.93]
    out = StringIO()
    screens: list[tuple[Any, dict[str, Any]]] = [
        (why_screen, why),
        (live_screen, live),
        (blast_screen, blast),
        (bisect_screen, bisect),
    ]
    for screen, answer in screens:
        Console(file=out, width=100).print(screen(read_answer(answer)))
        assert answer["known_at"] == minute(45).isoformat().replace("+00:00", "Z")


def test_the_kept_listing_of_data_says_what_a_version_added(ask: Any) -> None:
    steps = ask(ask="show", node="s3://data/train", versions=True)["versions"]

    assert [(step["version"], step["reason"]) for step in steps] == [
        ("1.0.0", "the first version that is known"),
        ("1.1.0", "1 object more, all that was there is as it was"),
    ]
    added = [
        each for each in ask(ask="diff", left="churn/1", right="churn/2")["differences"] if "added" in each["field"]
    ]
    assert [each["right"] for each in added] == ["c"]


def test_part_of_what_was_read_is_told_for_certain_by_the_kept_listing(ask: Any) -> None:
    [effect] = [
        each
        for each in ask(ask="blast", act="delete", target="s3://data/train/c")["effects"]
        if each["effect"] == "cannot be repeated"
    ]

    assert [(hit["node"]["label"], hit["certain"]) for hit in effect["hits"]] == [("train-2", True)]
