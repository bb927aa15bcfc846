from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.envelopes import NotAnEventError, localise_event, parse_events, read_event

PAYLOADS = Path(__file__).parents[2] / "payloads" / "aws"
EVENT: dict[str, Any] = {
    "version": "0",
    "id": "0d079340",
    "detail-type": "SageMaker Training Job State Change",
    "source": "aws.sagemaker",
    "account": "444455556666",
    "time": "2026-01-02T03:04:05Z",
    "region": "cn-north-1",
    "resources": ["arn:aws-cn:sagemaker:cn-north-1:444455556666:training-job/mine"],
    "detail": {
        "TrainingImage": "444455556666.dkr.ecr.cn-north-1.amazonaws.com.cn/mine:1",
        "Algorithm": "390948362332.dkr.ecr.cn-north-1.amazonaws.com.cn/xgboost:1",
        "RoleArn": "arn:aws-cn:iam::444455556666:role/service-role/mine",
        "Shared": "arn:aws-cn:sagemaker:cn-north-1:777788889999:model/theirs",
        "Bucket": "arn:aws-cn:s3:::my-bucket",
        "HyperParameters": {"parent": '{"arn": "arn:aws-cn:sagemaker:cn-north-1:444455556666:pipeline/p"}'},
        "userIdentity": {"accountId": "444455556666"},
        "awsRegion": "cn-north-1",
        "CreationTime": 1583831889050,
        "Tags": None,
    },
}


def test_an_event_of_another_account_and_partition_becomes_one_of_the_local_account() -> None:
    local = localise_event(EVENT, "111122223333", "us-east-1")

    assert local["account"] == "111122223333"
    assert local["region"] == "us-east-1"
    assert local["resources"] == ["arn:aws:sagemaker:us-east-1:111122223333:training-job/mine"]
    assert local["detail"] == {
        "TrainingImage": "111122223333.dkr.ecr.us-east-1.amazonaws.com/mine:1",
        "Algorithm": "390948362332.dkr.ecr.cn-north-1.amazonaws.com.cn/xgboost:1",
        "RoleArn": "arn:aws:iam::111122223333:role/service-role/mine",
        "Shared": "arn:aws-cn:sagemaker:cn-north-1:777788889999:model/theirs",
        "Bucket": "arn:aws:s3:::my-bucket",
        "HyperParameters": {"parent": '{"arn": "arn:aws:sagemaker:us-east-1:111122223333:pipeline/p"}'},
        "userIdentity": {"accountId": "111122223333"},
        "awsRegion": "us-east-1",
        "CreationTime": 1583831889050,
        "Tags": None,
    }


def test_id_and_time_stay_and_what_is_missing_is_added() -> None:
    local = localise_event(EVENT, "111122223333", "us-east-1")
    bare = localise_event({"source": "a", "detail-type": "b", "detail": {}}, "111122223333", "us-east-1")

    assert (local["id"], local["time"]) == (EVENT["id"], EVENT["time"])
    assert {"version", "id", "time", "account", "region", "resources"} <= bare.keys()


@pytest.mark.parametrize("region", ["us-gov-west-1", "eu-central-1", "cn-northwest-1"])
def test_localising_twice_changes_nothing_more(region: str) -> None:
    once = localise_event(EVENT, "111122223333", region)

    assert localise_event(once, "111122223333", region) == once


@given(st.lists(st.text(max_size=20), max_size=3))
def test_text_that_names_no_account_stays_as_it_is(words: list[str]) -> None:
    event = {**EVENT, "resources": [], "detail": {"words": words}}

    kept = [word for word in words if word not in {EVENT["account"], EVENT["region"]}]
    assert localise_event(event, "111122223333", "us-east-1")["detail"]["words"] == kept


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(EVENT),
        json.dumps(EVENT, indent=2),
        json.dumps([EVENT]),
        f"\n{json.dumps(EVENT)}\n\n",
    ],
)
def test_a_file_holds_an_event_or_a_list(text: str) -> None:
    assert parse_events(text, "file") == [EVENT]


def test_a_file_holds_one_event_a_line() -> None:
    assert parse_events(f"{json.dumps(EVENT)}\n{json.dumps(EVENT)}\n", "file") == [EVENT, EVENT]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "file is empty"),
        ("{", "neither JSON nor JSON lines"),
        (f"{json.dumps(EVENT)}\n{{", "line 2"),
        ("[1]", "file, item 1 is int"),
        ("7", "file is int"),
        ('{"detail-type": "x", "detail": {}}', "has no 'source'"),
        ('{"source": "x", "detail-type": "x", "detail": "{}"}', "'detail' is \"{}\", which is not an object"),
        ('{"source": "x", "detail-type": "x", "detail": {}, "resources": "arn"}', "'resources'"),
        ('{"Source": "x", "DetailType": "x", "Detail": "{}"}', "entry of PutEvents"),
    ],
)
def test_what_is_no_event_is_named_with_its_place_and_the_remedy(text: str, reason: str) -> None:
    with pytest.raises(NotAnEventError, match=reason):
        parse_events(text, "file")


def test_every_published_event_is_accepted_and_nothing_else() -> None:
    contents = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in PAYLOADS.glob("*.json")}
    events = {name: content for name, content in contents.items() if {"id", "time", "detail-type"} <= content.keys()}

    assert len(events) >= 20
    assert {name: read_event(content, name) for name, content in events.items()} == events
    for name in contents.keys() - events.keys():
        with pytest.raises(NotAnEventError, match=name):
            read_event(contents[name], name)
