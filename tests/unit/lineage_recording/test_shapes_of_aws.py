"""Whatever AWS's service models allow to be answered is recorded, in an event and in a description, in any order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.events.resources import MODELS
from hallmark.events.subscriptions import BEDROCK, BEDROCK_DETAIL_TYPES, SAGEMAKER, SAGEMAKER_DETAIL_TYPES
from hallmark.lineage.recording import record_event
from tests.fakes.memory_store import KnownResources, MemoryStore, surroundings

ACCOUNT = "111122223333"
PLACES = [("aws", "us-east-1"), ("aws-us-gov", "us-gov-west-1"), ("aws-cn", "cn-north-1")]
DETAIL_TYPES = {
    resource: (source, detail_type)
    for source, kinds in ((SAGEMAKER, SAGEMAKER_DETAIL_TYPES), (BEDROCK, BEDROCK_DETAIL_TYPES))
    for detail_type, resource in kinds.items()
    if MODELS[resource].operation and resource != "pipeline-step"  # a step has no Describe of its own
}
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WORDS = st.text("abcXYZ019-_.", min_size=1, max_size=12)
TEXTS = st.one_of(
    WORDS,
    st.text(max_size=20),
    st.sampled_from(
        [
            "s3://lake/raw",
            "s3://lake/raw/part.csv",
            "s3://lake",
            "s3://",
            "arn:aws-cn:sagemaker:cn-north-1:111122223333:training-job/first",
            "arn:aws-us-gov:iam::111122223333:role/service-role/maker",
            "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/image:latest",
            "683313688378.dkr.ecr.us-east-1.amazonaws.com/scikit@sha256:" + "a" * 64,
            "https://github.com/team/repository.git",
        ]
    ),
)
# What an event has is JSON; a description has what boto3 makes of it.
Times = Callable[[datetime], st.SearchStrategy[Any]]


def times_of_events(moment: datetime) -> st.SearchStrategy[Any]:
    milliseconds = round(moment.timestamp() * 1000)
    return st.sampled_from(
        [
            milliseconds,
            float(milliseconds),
            str(milliseconds),
            moment.isoformat(),
            f"{moment:%Y-%m-%dT%H:%M:%S}.893854735Z",
            None,
        ]
    )


def instances(shape: Any, times: Times, depth: int = 0) -> st.SearchStrategy[Any]:
    """Return what a shape of botocore allows; enumerations have values that nobody knows yet, too."""
    kind = shape.type_name
    if kind == "structure":
        chosen = {
            name: instances(member, times, depth + 1)
            for name, member in shape.members.items()
            if depth < 6 or name in shape.required_members
        }
        required = {name: strategy for name, strategy in chosen.items() if name in shape.required_members}
        optional = {name: strategy for name, strategy in chosen.items() if name not in shape.required_members}
        return st.fixed_dictionaries(required, optional=optional)
    if kind == "list":
        return st.lists(instances(shape.member, times, depth + 1), max_size=2)
    if kind == "map":
        return st.dictionaries(WORDS, instances(shape.value, times, depth + 1), max_size=2)
    if kind == "string":
        known = st.sampled_from(shape.enum) if shape.enum else TEXTS
        return st.one_of(known, st.just("Unheard")) if shape.enum else known
    if kind == "timestamp":
        return st.integers(0, 100_000).map(lambda seconds: NOW + timedelta(seconds=seconds)).flatmap(times)
    return {
        "boolean": st.booleans(),
        "integer": st.integers(0, 10_000),
        "long": st.integers(0, 2**40),
        "float": st.floats(0, 1e6, width=32),
        "double": st.floats(0, 1e6),
    }[kind]


@cache
def strategy(resource: str, *, as_event: bool) -> st.SearchStrategy[dict[str, Any]]:
    source, _ = DETAIL_TYPES[resource]
    service = botocore.session.get_session().get_service_model(source.removeprefix("aws."))
    shape = service.operation_model(MODELS[resource].operation).output_shape
    assert shape is not None
    return instances(shape, times_of_events if as_event else st.just)


def in_place(resource: str, body: Mapping[str, Any], arn: str, name: str) -> dict[str, Any]:
    """Give a random answer the names that AWS would give it: they are what it is of."""
    stem = "".join(word.capitalize() for word in resource.split("-"))
    own = dict(body)
    for field, value in own.items():
        if field.lower() in {f"{stem}arn".lower(), "jobarn", "batchjobarn", "pipelineexecutionarn"}:
            own[field] = arn
        elif field.lower() in {f"{stem}name".lower(), "jobname"} and isinstance(value, str):
            own[field] = name
    return own


@st.composite
def deliveries(draw: st.DrawFn, resource: str) -> tuple[dict[str, Any], dict[str, Any] | None, str, str]:
    """Return an event, what Describe answers then (nothing: it is gone), the ARN and the name."""
    source, detail_type = DETAIL_TYPES[resource]
    partition, region = draw(st.sampled_from(PLACES))
    name = "thing/1" if resource == "model-package" else "thing"
    arn = f"arn:{partition}:{source.removeprefix('aws.')}:{region}:{ACCOUNT}:{resource}/{name}"
    if resource == "pipeline-execution":
        arn = f"arn:{partition}:sagemaker:{region}:{ACCOUNT}:pipeline/thing/execution/abc123def456"
    detail = in_place(resource, draw(strategy(resource, as_event=True)), arn, name)
    if source == SAGEMAKER and draw(st.booleans()):
        detail["Tags"] = draw(
            st.sampled_from([{}, {"team": "a"}, [], [{"Key": "git_commit", "Value": "ab" * 20}], None, "none"])
        )
    answer = draw(st.none() | strategy(resource, as_event=False))
    event = {
        "version": "0",
        "id": "1",
        "source": source,
        "detail-type": detail_type,
        "account": ACCOUNT,
        "region": region,
        "time": "2026-11-20T12:00:00Z",
        "resources": [arn],
        "detail": detail,
    }
    return event, in_place(resource, answer, arn, name) if answer is not None else None, arn, name


@pytest.mark.parametrize("resource", sorted(DETAIL_TYPES))
@settings(max_examples=25)
@given(data=st.data())
def test_what_aws_may_answer_is_recorded(resource: str, data: st.DataObject) -> None:
    event, answer, arn, name = data.draw(deliveries(resource))
    known = surroundings(describer=KnownResources({arn: answer, name: answer} if answer is not None else {}))

    recording = record_event(json.loads(json.dumps(event)), known)

    assert recording.new
    assert recording.fact.subject.id.startswith(arn.rpartition("/")[0])
    assert not record_event(event, known).new
    assert json.loads(recording.fact.model_dump_json())


@pytest.mark.parametrize("resource", sorted(DETAIL_TYPES))
@settings(max_examples=6)
@given(data=st.data())
def test_the_order_of_what_aws_may_answer_does_not_matter(resource: str, data: st.DataObject) -> None:
    told = data.draw(st.lists(deliveries(resource), min_size=2, max_size=4))
    orders = [told, [*data.draw(st.permutations(told)), data.draw(st.sampled_from(told))]]
    graphs = []
    for order in orders:
        store = MemoryStore()
        for event, answer, arn, name in order:
            descriptions = {arn: answer, name: answer} if answer is not None else {}
            record_event(event, surroundings(store, describer=KnownResources(descriptions)))
        graphs.append(store.snapshot())

    assert graphs[0] == graphs[1]
